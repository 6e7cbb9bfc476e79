"""`holdover grace`: how long a server must wait before it reuses an address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from holdover.model.clients.measurements import parts
from holdover.model.clients.network import ClientKind, Network, load_network
from holdover.model.clients.profile import Environment, Profile, in_seconds, load
from holdover.model.errors import InputError
from holdover.model.seconds import show_seconds
from holdover.proofs.result import Outcome, combine
from holdover.proofs.verdicts.by_bound import (
    GRACE_WORDS,
    Need,
    need_of_stated,
    no_bound,
    shorter_lease,
    without_bound,
)
from holdover.proofs.verdicts.need import any_grace_hangs_on, judge_by_bound
from holdover.reference.console.assumed import (
    assume_option,
    assuming,
    network_assuming,
    unstated_data,
    unstated_lines,
)
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import json_option, profile_names
from holdover.reference.console.output import Output, at_least, at_most, document, grid, number
from holdover.reference.console.surroundings import (
    around,
    network_option,
    surroundings,
    world_options,
)


def print_graces(
    profile: Profile, world: Environment, given: Fraction | None, as_json: bool
) -> Outcome:
    """The safe grace with its parts, or why there is none; returns the outcome."""
    constants, client = in_seconds(profile, world), ClientKind(profile)
    need = judge_by_bound(client, world)
    needed, worst, hangs_on = need.grace, need.worst, need.hangs_on
    if given is None:
        hangs_on = None if needed is not None else any_grace_hangs_on(client, world)
    handed = None if profile.unstated else shorter_lease(profile, world)
    outcome = without_bound(constants) if needed is None else "violated"
    if hangs_on is not None:
        outcome = "unknown"
    elif needed is not None and (given is None or need.met):
        outcome = "holds"
    if as_json:
        document(
            "grace",
            {
                "profile": profile.name,
                "lease": float(world.lease),
                "outcome": outcome,
                "worst_holdover": number(at_most, worst),
                "safe_grace": number(at_most, needed),
                "shorter_lease": None if handed is None else float(at_least(handed)),
                **unstated_data(profile, hangs_on),
                "parts": [{"part": p.words, "seconds": float(p.size)} for p in parts(constants)]
                if needed is not None and not profile.unstated
                else [],
                "unbounded_because": list(_reasons(need, world)),
            },
        )
        return outcome
    out = Output()
    if needed is None or worst is None:
        asked = need_of_stated(client, world).grace if given is None else given
        some = "a grace" if asked is None else f"a grace of {show_seconds(asked)}"
        if hangs_on is None:
            shorter = "nor a" if outcome == "violated" else "or any"
            out.say(f"{profile.name}: {GRACE_WORDS[outcome]}, {shorter} shorter lease, because")
            for reason in _reasons(need, world):
                out.say(f"  {reason}")
        else:
            facts = ", ".join(hangs_on.facts)
            out.say(f"{profile.name}: whether {some} is enough depends on what is not stated:")
            out.say(f"  {facts}")
        none = "none is" if asked is None else "it is not"
        for line in unstated_lines(profile, hangs_on, f"{some} is enough", none):
            out.say(f"  {line}")
        return outcome
    lease = show_seconds(world.lease)
    out.say(f"safe grace: {show_seconds(at_most(needed))} (lease {lease}, {profile.name})")
    out.say(f"worst holdover: {show_seconds(at_most(worst))}")
    for part in () if profile.unstated else parts(constants):
        out.say(f"  {show_seconds(part.size):>14}  {part.words}")
    for line in unstated_lines(profile, hangs_on, "it is enough", "it is not"):
        out.say(f"  {line}")
    if profile.unstated:
        pass
    elif handed is not None and handed < world.lease:
        out.say(
            f"or hand out a lease of at most {show_seconds(at_least(handed))} for a record of "
            f"{lease} (RFC 2131 §3.3)"
        )
    elif handed is None:
        out.say("no shorter lease would do instead: the client would stretch or outstay it")
    if given is not None:
        fits = {"holds": "is", "violated": "is not", "unknown": "may be"}[outcome]
        out.say(f"a grace of {show_seconds(given)} {fits} enough")
    return outcome


def print_network_graces(
    network: Network, world: Environment, said: bool, as_json: bool
) -> Outcome:
    """The grace that each kind of client needs, and the one that is enough for all.

    `said`: whether the server's grace was given, so that it is compared with these.
    """
    needs = [judge_by_bound(client, world) for client in network.clients]
    known = [need.grace for need in needs if need.grace is not None]
    enough = max(known) if len(known) == len(needs) else None
    met = enough is not None and (not said or enough <= world.grace)
    open_ = [without_bound(n.client.in_seconds(world)) for n in needs if n.grace is None]
    outcome: Outcome = "holds" if met else combine(open_) if open_ else "violated"
    hanging = any(need.hangs_on for need in needs)
    if hanging and all(need.met or need.hangs_on for need in needs):
        outcome = "unknown"
    if as_json:
        document(
            "grace-network",
            {
                "network": network.title,
                "outcome": outcome,
                "safe_grace": number(at_most, enough),
                "clients": [need_data(need, world) for need in needs],
            },
        )
        return outcome
    out = Output()
    if enough is None and hanging and outcome == "unknown":
        out.say(f"{network.title}: whether a grace is enough for all depends on what is not stated")
    elif enough is None:
        out.say(f"{network.title}: {GRACE_WORDS[outcome]} for all")
    else:
        most = " and ".join(need.client.name for need in needs if need.grace == enough)
        out.say(f"safe grace: {show_seconds(at_most(enough))} ({network.title}; {most} needs it)")
    print_needs(out, needs, world, compared=said)
    if said:
        out.say(f"a grace of {show_seconds(world.grace)} is {'' if met else 'not '}enough")
    return outcome


def print_needs(
    out: Output, needs: Sequence[Need], world: Environment, *, compared: bool = True
) -> None:
    """A line for each kind of client; `compared`: whether its grace is held to the server's."""
    table = grid("client", "worst holdover", "safe grace", "")
    for need in needs:
        if need.worst is None or need.grace is None:
            table.add_row(need.client.name, "no bound", "none", "; ".join(_reasons(need, world)))
        else:
            times = [show_seconds(at_most(value)) for value in (need.worst, need.grace)]
            longer = compared and not need.met
            table.add_row(need.client.name, *times, "longer than the server's" if longer else "")
    out.print(table)


def _reasons(need: Need, world: Environment) -> Iterator[str]:
    """Why no grace is enough; nothing where one is."""
    if need.grace is not None:
        return
    if need.client.profile.unstated:
        on = any_grace_hangs_on(need.client, world)
        facts = need.client.profile.unstated if on is None else on.facts
        yield f"the profile does not state {', '.join(facts)}"
    else:
        yield from no_bound(need.client.in_seconds(world))


def need_data(need: Need, world: Environment) -> dict[str, object]:
    """What a kind of client needs, for programs."""
    return {
        "client": need.client.name,
        "worst_holdover": number(at_most, need.worst),
        "safe_grace": number(at_most, need.grace),
        "enough": need.met,
        **unstated_data(need.client.profile, need.hangs_on),
        "unbounded_because": list(_reasons(need, world)),
    }


@click.command(epilog="Example: holdover grace --lease 86400 --drift-ppm 100")
@click.option(
    "--profile",
    default="rfc2131",
    show_default=True,
    shell_complete=profile_names,
    help="A profile or FILE.toml.",
)
@network_option
@assume_option
@world_options
@json_option
def grace(
    profile: str, network: Path | None, assume: str | None, as_json: bool, **given: Any
) -> int:
    """Print how long a server must wait before reuse.

    With --network, how long for each kind of client; the longest of them is enough for all.

    Or the shorter lease to hand out instead (RFC 2131 §3.3), or that neither helps.  Exit status 0
    if the grace given with --grace (or in the network's file) is enough, 1 if not or if none is, 3
    if nobody knows whether any is; without --grace, 0 if there is one.
    """
    if network is not None:
        source = click.get_current_context().get_parameter_source("profile")
        if source is not ParameterSource.DEFAULT:
            raise InputError("--network names the clients: leave --profile")
        site = network_assuming(load_network(network), assume)
        said = given["grace"] is not None or "grace" in site.surroundings
        return EXIT[print_network_graces(site, around(site, given), said, as_json)]
    client, world = assuming(load(profile), assume), surroundings(given)
    return EXIT[print_graces(client, world, given["grace"], as_json)]
