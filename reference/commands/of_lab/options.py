"""Options that the commands of the lab share: clients and servers, by name or command line; roots.

Theory of operation.  With `--root` a client or a server that is named is that of each root file
system that is given, and `trixie/udhcpc` that of one; `machine/udhcpc` is the machine's all the
same.  So `--root` is read first, and a name may stand for several programs.

What it does not know: what is done with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from holdover.model.errors import nearest
from holdover.reference.console.options import complete_names
from holdover.reference.lab.roots.made import cache_folder, made_roots
from holdover.reference.lab.roots.root import Root, root_of
from holdover.reference.lab.testbed import sandbox
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.clients import CLIENTS, FORMER_NAMES
from holdover.reference.lab.testbed.command_line import client_from_command
from holdover.reference.lab.testbed.servers import SERVERS, ServerProgram

AT_ONCE = 40
"""Cells that two cores bear: most of the time they wait."""

MACHINE = "machine"
"""In the place of a root's name: the machine's own files."""

Programs = tuple[Any, ...]
"""Of one name: a client or a server, of each root file system."""


def tell_new_name(given: str, name: str) -> None:
    """That something is called otherwise now; once, not in the inner process as well."""
    if sandbox.inside() is None:
        click.echo(f"{given}: it is called {name} now", err=True)


class RootType(click.ParamType[Root]):
    """A root file system: a directory, NAME=DIRECTORY, or one that was made."""

    name = "name|directory|name=directory"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Those that were made."""
        made = [CompletionItem(each) for each in made_roots() if each.startswith(incomplete)]
        return made or [CompletionItem(incomplete, type="dir")]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Root:
        """The root; InputError where it is none."""
        return value if isinstance(value, Root) else root_of(value, cache_folder())


def check_roots(ctx: click.Context, param: click.Parameter, given: Sequence[Root]) -> list[Root]:
    """Roots, each with a name of its own."""
    names = [each.name for each in given]
    for name in names:
        if names.count(name) > 1 or name == MACHINE:
            told = "is the machine's own" if name == MACHINE else "is there twice"
            raise click.BadParameter(f"the name {name} {told}; give one: NAME=DIRECTORY")
    return list(given)


def root_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Root file systems whose clients and servers are played."""
    return click.option(
        "--root",
        "roots",
        type=RootType(),
        multiple=True,
        is_eager=True,
        callback=check_roots,
        help="Play the clients of another root file system, as of a Debian release: its directory, "
        "NAME=DIRECTORY, or a name of `holdover lab roots list`.  May be repeated.  "
        f"`--client NAME/CLIENT` is that of one root, `{MACHINE}/CLIENT` the machine's.",
    )(command)


def programs_of(name: str, known: Mapping[str, Any], roots: Sequence[Root]) -> Programs:
    """The programs that a name stands for; none: nothing is called so."""
    if name in known:
        return of_roots(known[name], roots) or (known[name],)
    where, separator, rest = name.partition("/")
    if separator and rest in known:
        if where == MACHINE:
            return (known[rest],)
        return tuple(known[rest].in_root(each) for each in roots if each.name == where)
    return ()


def of_roots(program: Any, roots: Sequence[Root]) -> Programs:
    """The program of each root file system, but for one that is of none."""
    return tuple(program.in_root(each) for each in roots) if program.needs else ()


def roots_of(ctx: click.Context | None) -> list[Root]:
    """What `--root` has given, which is read before all else."""
    return [] if ctx is None else ctx.params.get("roots") or []


class ClientsType(click.ParamType[Programs]):
    """A client's name, of each root, or a command line with {iface}."""

    name = "name|command"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names."""
        return complete_names(lambda: CLIENTS)(ctx, param, incomplete)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Programs:
        """The clients."""
        if not isinstance(value, str):
            return tuple(value)
        roots = roots_of(ctx)
        if (name := FORMER_NAMES.get(value)) is not None:
            tell_new_name(value, name)
            value = name
        if found := programs_of(value, CLIENTS, roots):
            return found
        if "{iface}" not in value:
            names = [*CLIENTS, *(f"{each.name}/{name}" for each in roots for name in CLIENTS)]
            self.fail(
                f"no client {value!r}; {nearest(value, tuple(names))}; or a command line with "
                "{iface}, as 'udhcpc -f -i {iface}'",
                param,
                ctx,
            )
        given = client_from_command(value)
        return tuple(given.in_root(each) for each in roots) or (given,)


class ClientType(ClientsType):
    """One client."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The client."""
        if isinstance(value, ClientProgram):
            return value
        found = super().convert(value, param, ctx)
        if len(found) != 1:
            self.fail(f"{value!r} is in several root file systems; name one --root", param, ctx)
        return found[0]


def find_servers(
    ctx: click.Context, param: click.Parameter, given: Sequence[str]
) -> list[ServerProgram]:
    """The servers of these names: the machine's, but for NAME/SERVER, which is that of a root."""
    found: list[ServerProgram] = []
    for name in given:
        programs = (
            (SERVERS[name],) if name in SERVERS else programs_of(name, SERVERS, roots_of(ctx))
        )
        if not programs:
            names = [*SERVERS, *(f"{r.name}/{s}" for r in roots_of(ctx) for s in SERVERS)]
            raise click.BadParameter(f"no server {name!r}; {nearest(name, tuple(names))}")
        found += programs
    return found


def flat(programs: Sequence[Programs]) -> list[ClientProgram]:
    """The clients of all names."""
    return [each for group in programs for each in group]
