"""`holdover profiles`: the profiles that come with the project."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import click

from holdover.model.clients.profile import Profile, builtin_names, load
from holdover.reference.console.options import json_option, profile_names
from holdover.reference.console.output import Output, document, grid


def print_profile(client: Profile, as_json: bool) -> None:
    """One profile as TOML, or as JSON."""
    if as_json:
        document(
            "profile",
            {
                "name": client.name,
                "title": client.title,
                "sources": list(client.sources),
                "notes": client.notes,
                "not_stated": list(client.unstated),
                "why": [{"constant": name, "reason": reason} for name, reason in client.why],
                **{name: constant(value) for name, value in client.facts().items()},
            },
        )
        return
    click.echo(client.to_toml(), nl=False)


def constant(value: object) -> object:
    """A constant as a profile's file has it: seconds as a number, words in small letters."""
    if isinstance(value, Fraction):
        return float(value)
    return value.lower() if isinstance(value, str) else value


def print_profiles(clients: Sequence[Profile], as_json: bool) -> None:
    """The profiles that come with the project."""
    if as_json:
        listed = [{"name": client.name, "title": client.title} for client in clients]
        document("profiles", {"profiles": listed})
        return
    table = grid("name", "anchor", "released at", "enforcer", "clock", "client")
    for client in clients:
        table.add_row(
            client.name, client.anchor, client.trigger, client.enforcer, client.clock, client.title
        )
    out = Output()
    out.print(table)
    out.say("\nOne of them as a file to start from: holdover profiles NAME > my.toml")


@click.command(epilog="Example: holdover profiles udhcpc > my.toml")
@click.argument("name", required=False, shell_complete=profile_names)
@json_option
def profiles(name: str | None, as_json: bool) -> int:
    """List the built-in profiles, or print one as TOML.

    What is printed is a file to start from.
    """
    if name is not None:
        print_profile(load(name), as_json)
    else:
        print_profiles([load(known) for known in builtin_names()], as_json)
    return 0
