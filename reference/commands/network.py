"""What is printed of a network of several kinds of client: its verdict, and the graces it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from holdover.model.clients.network import Network
from holdover.model.clients.profile import Environment
from holdover.model.explorer.sequence_chart import as_data, sentences
from holdover.model.readings.finite import name_of
from holdover.model.table.vocabulary import HOST
from holdover.proofs.result import Outcome
from holdover.proofs.verdicts.advice import no_bound
from holdover.proofs.verdicts.judge import Need, NetworkJudgement, needed
from holdover.reference.console.output import (
    Output,
    at_most,
    coloured,
    document,
    grid,
    number,
    plain,
)


def print_verdict(found: NetworkJudgement, as_json: bool) -> None:
    """The verdict, what each kind of client needs, and a collision told."""
    grace = found.environment.grace
    if as_json:
        document(
            {
                "network": found.network.title,
                "outcome": found.outcome,
                "reason": found.reason,
                "grace": float(grace),
                "clients": [_data(need, found.environment) for need in found.needs],
                "states": found.states,
                "hosts": [client.name for client in found.hosts],
                "run": list(as_data(found.run, "s")),
            }
        )
        return
    out = Output()
    title = Text(f"{found.network.title}: ", style="bold")
    out.say(title + coloured(found.outcome) + Text(f" - {found.reason}"))
    _needs(out, found.needs, found.environment)
    if found.run:
        who = (f"{name_of(HOST, n)} has {client.name}" for n, client in enumerate(found.hosts))
        out.say(f"\n  {', '.join(who)}:")
        for line in sentences(found.run, "s"):
            out.say(f"  {line}")


def print_network_graces(
    network: Network, world: Environment, said: bool, as_json: bool
) -> Outcome:
    """The grace that each kind of client needs, and the one that is enough for all.

    `said`: whether the server's grace was given, so that it is compared with these.
    """
    needs = [needed(client, world) for client in network.clients]
    known = [need.grace for need in needs if need.grace is not None]
    enough = max(known) if len(known) == len(needs) else None
    met = enough is not None and (not said or enough <= world.grace)
    outcome: Outcome = "holds" if met else "violated"
    if as_json:
        document(
            {
                "network": network.title,
                "outcome": outcome,
                "safe_grace": number(at_most, enough),
                "clients": [_data(need, world) for need in needs],
            }
        )
        return outcome
    out = Output()
    if enough is None:
        out.say(f"{network.title}: no grace is enough for all")
    else:
        most = " and ".join(need.client.name for need in needs if need.grace == enough)
        out.say(f"safe grace: {plain(at_most(enough))} s ({network.title}; {most} needs it)")
    _needs(out, needs, world, compared=said)
    if said:
        out.say(f"a grace of {plain(world.grace)} s is {'' if met else 'not '}enough")
    return outcome


def _needs(
    out: Output, needs: Sequence[Need], world: Environment, *, compared: bool = True
) -> None:
    table = grid("client", "worst holdover", "safe grace", "")
    for need in needs:
        if need.worst is None or need.grace is None:
            table.add_row(need.client.name, "no bound", "none", "; ".join(_reasons(need, world)))
        else:
            times = [f"{plain(at_most(value))} s" for value in (need.worst, need.grace)]
            longer = compared and not need.met
            table.add_row(need.client.name, *times, "longer than the server's" if longer else "")
    out.print(table)


def _reasons(need: Need, world: Environment) -> Iterator[str]:
    yield from no_bound(need.client.in_seconds(world))


def _data(need: Need, world: Environment) -> dict[str, object]:
    return {
        "client": need.client.name,
        "worst_holdover": number(at_most, need.worst),
        "safe_grace": number(at_most, need.grace),
        "enough": need.met,
        "unbounded_because": [] if need.grace is not None else list(_reasons(need, world)),
    }
