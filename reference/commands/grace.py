"""`holdover grace`: how long a server must wait before it reuses an address."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from holdover.model.clients.measurements import parts
from holdover.model.clients.network import load_network
from holdover.model.clients.profile import Environment, Profile, in_seconds, load
from holdover.model.errors import InputError
from holdover.model.readings.constants import holds, seconds
from holdover.model.seconds import show_seconds
from holdover.model.table import bound
from holdover.model.table.vocabulary import h
from holdover.proofs.result import Outcome
from holdover.proofs.verdicts.advice import no_bound, shorter_lease
from holdover.reference.commands.surroundings import network_option, surroundings, world_options
from holdover.reference.commands.verify import around, print_network_graces
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import json_option
from holdover.reference.console.output import Output, at_least, at_most, document, number


def print_graces(
    profile: Profile, world: Environment, given: Fraction | None, as_json: bool
) -> Outcome:
    """The safe grace with its parts, or why there is none; returns the outcome."""
    constants = in_seconds(profile, world)
    limited = holds(bound.bounded(h) & bound.server_keeps, constants)
    needed = seconds(bound.safe_grace(h), constants) if limited else None
    worst = seconds(bound.worst_holdover(h), constants) if limited else None
    handed = shorter_lease(profile, world)
    outcome: Outcome = "violated"
    if needed is not None:
        outcome = "holds" if given is None or needed <= given else "violated"
    if as_json:
        document(
            {
                "profile": profile.name,
                "lease": float(world.lease),
                "outcome": outcome,
                "worst_holdover": number(at_most, worst),
                "safe_grace": number(at_most, needed),
                "shorter_lease": number(at_least, handed),
                "parts": [{"part": p.words, "seconds": float(p.size)} for p in parts(constants)]
                if limited
                else [],
                "unbounded_because": [] if limited else list(no_bound(constants)),
            }
        )
        return outcome
    out = Output()
    if needed is None or worst is None:
        out.say(f"{profile.name}: no grace is enough, nor a shorter lease, because")
        for reason in no_bound(constants):
            out.say(f"  {reason}")
        return outcome
    lease = show_seconds(world.lease)
    out.say(f"safe grace: {show_seconds(at_most(needed))} (lease {lease}, {profile.name})")
    out.say(f"worst holdover: {show_seconds(at_most(worst))}")
    for part in parts(constants):
        out.say(f"  {show_seconds(part.size):>14}  {part.words}")
    if handed is not None and handed < world.lease:
        out.say(
            f"or hand out a lease of at most {show_seconds(at_least(handed))} for a record of "
            f"{lease} (RFC 2131 §3.3)"
        )
    elif handed is None:
        out.say("no shorter lease would do instead: the client would stretch or outstay it")
    if given is not None:
        out.say(f"a grace of {show_seconds(given)} is {'' if outcome == 'holds' else 'not '}enough")
    return outcome


@click.command(epilog="Example: holdover grace --lease 86400 --drift-ppm 100")
@click.option("--profile", default="rfc2131", show_default=True, help="A profile or FILE.toml.")
@network_option
@world_options
@json_option
def grace(profile: str, network: Path | None, as_json: bool, **given: Any) -> int:
    """Print how long a server must wait before reuse.

    With --network, how long for each kind of client; the longest of them is enough for all.

    Or the shorter lease to hand out instead (RFC 2131 §3.3), or that neither helps.  Exit status 0
    if the grace given with --grace (or in the network's file) is enough, 1 if not or if none is;
    without --grace, 0 if there is one.
    """
    if network is not None:
        source = click.get_current_context().get_parameter_source("profile")
        if source is not ParameterSource.DEFAULT:
            raise InputError("--network names the clients: leave --profile")
        site = load_network(network)
        said = given["grace"] is not None or "grace" in site.surroundings
        return EXIT[print_network_graces(site, around(site, given), said, as_json)]
    client, world = load(profile), surroundings(given)
    return EXIT[print_graces(client, world, given["grace"], as_json)]
