"""Hypotheses about one client and one address, and what an observation leaves of them.

Theory of operation.  A hypothesis is a node of the chart, two counts (`missed`: datagrams that no
source saw; `unheard`: DHCPNAKs that a source saw and the client did not get), and the latest
instant at which the client's lease may end.  An observation leads from each hypothesis to those
that it agrees with.  The functions here are the plain path: each of them works on the instants
themselves, and gives new hypotheses (`possibilities.py` recalls what they gave before).

Why it allows too much and never too little.  Let a client run as the table allows, and let the
sources have missed `k` of its datagrams.  By induction over the observations there is a hypothesis
with its node, at most `k` missed, and a lease end that is not earlier than its own:
- silent rows and missed datagrams are paths of the chart, and every path is in it;
- a row that begins a lease sets its end to the send time of its DHCPREQUEST, and `longest` of what
  option 51 says (RFC 2131 §4.4.1; the slowest clock): where several DHCPREQUESTs carry the xid, the
  last counts; where a later one may be unseen, at the price of one, the DHCPACK's own time;
- a lease that began unseen is taken for one that began now, of the longest time that any server of
  these sources has granted; without such a time, for endless;
- a hypothesis is given up only if it disagrees with the observation or its node's limit is over, or
  if another one leads to its node unseen, at no higher count in all and with no earlier end.
A use of the address keeps the hypotheses in which the client has it.  What the cheapest of them
has missed is the least that explains the use: 0, and it may be as the RFC wants.

A message that itself shows that something was missed (a DHCPACK to a DHCPREQUEST that nobody saw)
is no reproach to the client: what every hypothesis has to pay for a message is forgiven.

What it does not know: lower bounds of lease ends; leases of a length that was never seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from holdover.reference.audit.possible.automaton import Ends
from holdover.reference.audit.possible.chart import Chart, Sign
from holdover.reference.audit.possible.of_host import MINE
from holdover.reference.core.instants import Instant

ENDLESS: Instant = 1 << 80
NO_LEASE: Instant = -1
BEFORE: Instant = -2
"""Of a lease end: never; there is no lease; the lease is older than all that was seen."""


class Grant(NamedTuple):
    """When a lease that a DHCPACK begins ends at the latest, and by an unseen DHCPREQUEST."""

    end: Instant
    unseen: Instant


class Now(NamedTuple):
    """The moment of an observation.

    `fresh`: when a lease of which nothing was seen would end at the latest; `older`: likewise one
    that is older than the sources; `refused`: the last DHCPNAK, None: there was none.
    """

    at: Instant
    fresh: Instant
    older: Instant
    refused: Instant | None = None


State = tuple[int, int, int]
"""Node, missed, unheard."""

Hypotheses = Mapping[State, Instant]
"""Of each state the latest lease end."""


def all_hypotheses(chart: Chart) -> dict[State, Instant]:
    """Anything may have been before."""
    return {(node, 0, 0): BEFORE for node in range(len(chart.nodes))}


def least_of(states: Hypotheses) -> tuple[int, int]:
    """What the cheapest hypothesis has missed and not heard: first missed, then unheard."""
    return min((missed, unheard) for _, missed, unheard in states)


def after_message(
    chart: Chart,
    most: tuple[int, int],
    states: Hypotheses,
    sign: Sign,
    now: Now,
    grant: Grant | None = None,
    *,
    sure: bool = True,
) -> dict[State, Instant]:
    """A message was seen.  `sure`: a DHCPNAK that is not heard counts; else it does not."""
    before = least_of(states)
    found = _follow(chart, most, states, sign, now, grant)
    if sign.kind == "ACK":
        for state, end in states.items():
            _keep(found, state, end, now)
    if sign.kind == "NAK":
        for (node, missed, unheard), end in states.items():
            if unheard + sure <= most[1]:
                _keep(found, (node, missed, unheard + sure), end, now)
    if not found:  # the client does what no row of the table does: begin anew from here
        found = {(node, *before): now.fresh for node in chart.after(sign)}
    return _forgiven(_undominated(chart, found, now), before)


def after_use(
    chart: Chart, most: tuple[int, int], states: Hypotheses, sign: Sign, now: Now
) -> dict[State, Instant] | None:
    """The host was seen to have the address, or not to; None: no hypothesis explains it."""
    found = _follow(chart, most, states, sign, now, None)
    return _undominated(chart, found, now) if found else None


def after_end(
    chart: Chart, states: Hypotheses, latest: Instant, now: Now
) -> dict[State, Instant] | None:
    """Whatever lease there is ends then at the latest; None: that changes nothing."""
    later = [state for state, end in states.items() if _dated(end, now) > latest]
    if not later:
        return None
    return _undominated(chart, {**states, **dict.fromkeys(later, latest)}, now)


def after_record(chart: Chart, states: Hypotheses, end: Instant, now: Now) -> dict[State, Instant]:
    """A server's record shows a lease that no source saw begin: the client may have it."""
    found = dict(states)
    for number, node in enumerate(chart.nodes):
        if node.holds == MINE and node.phase == "BOUND":
            _keep(found, (number, 0, 0), end, now)
    return _undominated(chart, found, now)


def _follow(
    chart: Chart,
    most: tuple[int, int],
    states: Hypotheses,
    sign: Sign,
    now: Now,
    grant: Grant | None,
) -> dict[State, Instant]:
    leaps, most_missed, found = chart.leaps(sign), most[0], dict[State, Instant]()
    at, fresh, refused_at = now.at, now.fresh, now.refused
    for (node, missed, unheard), had in states.items():
        dated = _dated(had, now)
        for limit, refused, ends, after, then, more in leaps[node]:
            count = missed + more
            if count > most_missed:
                break  # they are in the order of what is missed
            if limit is not None and dated + limit < at:
                continue
            if refused is not None and refused_at is not None and refused_at + refused < at:
                continue
            if then == "grant":
                assert grant is not None
                end = grant.end
                if grant.unseen > end and count < most_missed:
                    _keep(found, (after, count + 1, unheard), grant.unseen, now)
            else:
                how = ends if then == "keep" else then
                end = had if how == "keep" else _becomes(how, fresh)
            _keep(found, (after, count, unheard), end, now)
    return found


def _forgiven(states: dict[State, Instant], before: tuple[int, int]) -> dict[State, Instant]:
    """Without what every hypothesis has missed for the sake of a message."""
    more = max(0, least_of(states)[0] - before[0])
    return {(n, m - more, u): end for (n, m, u), end in states.items()} if more else states


def _becomes(ends: Ends, fresh: Instant) -> Instant:
    """The lease end after a step that does not keep it."""
    return NO_LEASE if ends == "clear" else fresh if ends == "grant" else ENDLESS


def _dated(end: Instant, now: Now) -> Instant:
    """An instant to compare with."""
    if end == BEFORE:
        return now.older
    return -ENDLESS if end == NO_LEASE else end


def _keep(found: dict[State, Instant], state: State, end: Instant, now: Now) -> None:
    """The later end, of two for the same state."""
    had = found.get(state)
    if had is None or _dated(end, now) > _dated(had, now):
        found[state] = end


def _undominated(chart: Chart, found: Mapping[State, Instant], now: Now) -> dict[State, Instant]:
    """Those that no other one covers.

    A hypothesis covers another one if unseen steps, which keep the lease end, lead from its node to
    the other's, at no higher price in all, and its end is no earlier: whatever follows from the
    other then follows from it.
    """
    kept: list[tuple[list[int], int, int, Instant]] = []
    result: dict[State, Instant] = {}
    prices = chart.price
    ordered = sorted((m, u, -_dated(end, now), n, end) for (n, m, u), end in found.items())
    for missed, unheard, minus, node, end in ordered:
        for price, m, u, dated in kept:
            if m + price[node] <= missed and u <= unheard and dated >= -minus:
                break
        else:
            kept.append((prices[node], missed, unheard, -minus))
            result[node, missed, unheard] = end
    return result
