"""Options that the commands of the lab share: a client by its name or its command line.

What it does not know: what is done with it.
"""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from holdover.model.errors import nearest
from holdover.reference.console.options import complete_names
from holdover.reference.lab.testbed import sandbox
from holdover.reference.lab.testbed.client_program import ClientProgram, client_from_command
from holdover.reference.lab.testbed.clients import CLIENTS, FORMER_NAMES

AT_ONCE = 40
"""Cells that two cores bear: most of the time they wait."""


def tell_new_name(given: str, name: str) -> None:
    """That something is called otherwise now; once, not in the inner process as well."""
    if sandbox.inside() is None:
        click.echo(f"{given}: it is called {name} now", err=True)


class ClientType(click.ParamType[ClientProgram]):
    """A client's name, or a command line with {iface}."""

    name = "name|command"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names."""
        return complete_names(lambda: CLIENTS)(ctx, param, incomplete)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ClientProgram:
        """The client."""
        if isinstance(value, ClientProgram):
            return value
        if value in CLIENTS:
            return CLIENTS[value]
        if (name := FORMER_NAMES.get(value)) is not None:
            tell_new_name(value, name)
            return CLIENTS[name]
        if "{iface}" not in value:
            self.fail(
                f"no client {value!r}; {nearest(value, tuple(CLIENTS))}; or a command line with "
                "{iface}, as 'udhcpc -f -i {iface}'",
                param,
                ctx,
            )
        return client_from_command(value)
