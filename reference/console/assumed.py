"""What a profile does not state: the option that takes it from RFC 2131, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from holdover.model.clients.profile import Profile, load, toml_value
from holdover.model.errors import InputError
from holdover.reference.console.options import Command

if TYPE_CHECKING:  # `lab` takes these options, and judges nobody by the bound
    from holdover.model.clients.network import Network
    from holdover.proofs.verdicts.by_bound import HangsOn


def assume_option(command: Command) -> Command:
    """`--assume`."""
    return click.option(
        "--assume",
        type=click.Choice(["rfc2131"]),
        help="Take what a profile does not state from RFC 2131.  Else what hangs on it is unknown.",
    )(command)


def assuming(profile: Profile, assume: str | None) -> Profile:
    """The profile; with `--assume` it states what it has from RFC 2131."""
    return profile if assume is None else replace(profile, unstated=())


def network_assuming(network: Network, assume: str | None) -> Network:
    """The same of a network's profiles."""
    clients = (
        replace(client, profile=assuming(client.profile, assume)) for client in network.clients
    )
    return replace(network, clients=tuple(clients))


def load_whole(name: str, assume: str | None) -> Profile:
    """A profile for a command that takes one client; InputError if it leaves facts open."""
    profile = assuming(load(name), assume)
    if profile.unstated:
        raise InputError(
            f"{name} does not state {', '.join(profile.unstated)}: state them, or take them from "
            "RFC 2131 with --assume rfc2131"
        )
    return profile


HOLDS, TOO_SHORT = "it holds", "the server's grace is below the bound of T3"
"""The two answers of a verdict that hangs on what is not stated."""


def unstated_lines(profile: Profile, on: HangsOn | None, so: str, not_so: str) -> Iterator[str]:
    """What is not stated, and what the verdict hangs on: `so` or `not_so`, and when."""
    if on is not None:
        usual, other = (so, not_so) if on.usually else (not_so, so)
        yield f"as RFC 2131 has what is not stated, {usual} (--assume rfc2131)"
        values = ", ".join(f"{name} = {toml_value(value)}" for name, value in on.otherwise)
        yield f"with {values}, {other}"
    if profile.unstated:
        yield f"not stated, and taken at their worst: {', '.join(profile.unstated)}"


def unstated_data(profile: Profile, on: HangsOn | None) -> dict[str, object]:
    """The same for programs."""
    return {
        "not_stated": list(profile.unstated),
        "hangs_on": None
        if on is None
        else {
            "facts": list(on.facts),
            "so_with_rfc2131": on.usually,
            "otherwise_with": [
                {"fact": name, "value": toml_value(value)} for name, value in on.otherwise
            ],
        },
    }
