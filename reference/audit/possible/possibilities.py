"""What is still possible of one client and one address, and how much must be unseen for it.

Theory of operation.  A `Chart` is an automaton (`automaton.py`) with all that may happen unseen
between two observations worked out: from each node, where its client may be at the next one, what
has become of the lease end, and how many datagrams were missed on the way.  A `Possibilities` is a
set of hypotheses: a node, two counts (`missed`: datagrams that no source saw; `unheard`: DHCPNAKs
that a source saw and the client did not get), and the latest instant at which the client's lease
may end.  An observation leads from each hypothesis to those that it agrees with.

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

from collections.abc import Iterable, Mapping
from functools import lru_cache
from heapq import heappop, heappush
from typing import NamedTuple

from holdover.reference.audit.possible.automaton import MINE, NO_ONE, OTHER, Automaton, Ends, Node
from holdover.reference.core.instants import SECOND, Instant

ENDLESS: Instant = 1 << 80
NO_LEASE: Instant = -1
BEFORE: Instant = -2
"""Of a lease end: never; there is no lease; the lease is older than all that was seen."""

FORMS: Mapping[str, tuple[str, ...]] = {
    "selecting": ("REQUESTING",),
    "extending": ("RENEWING", "REBINDING"),
    "rebooting": ("REBOOTING", "RENEWING", "REBINDING"),
    "unclear": ("REQUESTING", "RENEWING", "REBINDING", "REBOOTING"),
}
"""The phase after a DHCPREQUEST of this form (RFC 2131 Table 4).

A client that has lost its address to the kernel renews in the form of INIT-REBOOT (Table 1: ciaddr
only where it answers ARP)."""


class Sign(NamedTuple):
    """What was observed: a kind of message, or of use; about which address; a DHCPREQUEST's form.

    `kind`: DISCOVER, REQUEST, DECLINE, RELEASE, ACK, NAK; USE: the host has the address; LACKS: it
    has it not.
    """

    kind: str
    about: str = NO_ONE
    form: str = ""


class Leap(NamedTuple):
    """From one observation to the next: unseen steps to `at` (with `limit`), then to `after`."""

    limit: int | None
    refused_limit: int | None
    ends: Ends
    after: int
    then: Ends
    missed: int


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


NO_PRICE = 1 << 20
"""There is no way without a message that would be seen."""

State = tuple[int, int, int]
"""Node, missed, unheard."""


class Chart:
    """The nodes of an automaton by number, and the leaps between them."""

    def __init__(self, automaton: Automaton):
        self.automaton = automaton
        self.nodes = automaton.nodes
        self.number = {node: i for i, node in enumerate(self.nodes)}
        self._reach = [self._reached_from(node) for node in self.nodes]
        self._leaps: dict[Sign, tuple[tuple[Leap, ...], ...]] = {}
        self.price = [
            [self._reach[i].get((node, "keep"), NO_PRICE) for node in self.nodes]
            for i in range(len(self.nodes))
        ]

    def __deepcopy__(self, memo: object) -> Chart:
        """It never changes."""
        return self

    def leaps(self, sign: Sign) -> tuple[tuple[Leap, ...], ...]:
        """For each node, how the observation may come about."""
        found = self._leaps.get(sign)
        if found is None:
            steps = [list(self._steps(node, sign)) for node in self.nodes]
            found = tuple(self._leaps_from(i, steps) for i in range(len(self.nodes)))
            self._leaps[sign] = found
        return found

    def after(self, sign: Sign) -> set[int]:
        """The nodes in which a client may be after it, whatever came before."""
        return {self.number[node] for each in self.nodes for node, _ in self._steps(each, sign)}

    def limits(self, node: Node) -> tuple[int | None, int | None]:
        """Nanoseconds that it lasts after the lease end, and after a DHCPNAK; None: no limit."""
        after_end, after_nak = (
            [int(each.seconds * SECOND) for each in self.automaton.limits(node) if each[0] is of]
            for of in (False, True)
        )
        return min(after_end, default=None), min(after_nak, default=None)

    def _reached_from(self, start: Node) -> dict[tuple[Node, Ends], int]:
        """Where unseen steps may lead, and how many datagrams are missed on the way."""
        best: dict[tuple[Node, Ends], int] = {}
        waiting: list[tuple[int, int, Node, Ends]] = [(0, 0, start, "keep")]
        count = 0
        while waiting:
            missed, _, node, ends = heappop(waiting)
            if (node, ends) in best:
                continue
            best[node, ends] = missed
            for way in self.automaton.ways[node]:
                count += 1
                unseen = missed + bool(way.sends) + (way.takes in ("ACK", "NAK"))
                later = ends if way.ends == "keep" else way.ends
                heappush(waiting, (unseen, count, way.after, later))
        return best

    def _steps(self, node: Node, sign: Sign) -> Iterable[tuple[Node, Ends]]:
        """What the observation itself does in a node."""
        if sign.kind == "USE":
            if (node.has and sign.about == MINE) or (
                sign.about == OTHER and OTHER in (node.holds, node.beside)
            ):
                yield node, "keep"
            return
        if sign.kind == "LACKS":
            if not node.has:
                yield node, "keep"
            return
        for way in self.automaton.ways[node]:
            kind = way.takes if sign.kind in ("ACK", "NAK") else way.sends
            if kind != sign.kind or (sign.about != NO_ONE and way.about != sign.about):
                continue
            if sign.form and way.after.phase not in FORMS[sign.form]:
                continue
            yield way.after, way.ends

    def _leaps_from(self, start: int, steps: list[list[tuple[Node, Ends]]]) -> tuple[Leap, ...]:
        found: dict[tuple[int | None, int | None, Ends, int, Ends], int] = {}
        for (node, ends), missed in self._reach[start].items():
            limit, refused = self.limits(node)
            if ends == "clear" and limit is not None:
                continue  # it would have lasted until the end of a lease that there is not
            if ends in ("grant", "any"):
                limit = None  # a lease that begins now is not over
            for after, then in steps[self.number[node]]:
                key = (limit, refused, ends, self.number[after], then)
                found[key] = min(missed, found.get(key, missed))
        leaps = [Leap(*key, missed) for key, missed in sorted(found.items(), key=str)]
        kept: list[Leap] = []
        for each in sorted(leaps, key=lambda leap: leap.missed):
            if not any(_covers(other, each) for other in kept):
                kept.append(each)
        return tuple(kept)


class Possibilities:
    """The hypotheses about one client and one address; `most`: what is counted at most."""

    __slots__ = ("chart", "most", "states")

    def __init__(self, chart: Chart, most: tuple[int, int], states: Mapping[State, Instant]):
        self.chart, self.most, self.states = chart, most, dict(states)

    @classmethod
    def unknown(cls, chart: Chart, most: tuple[int, int]) -> Possibilities:
        """Anything may have been before."""
        return cls(chart, most, {(node, 0, 0): BEFORE for node in range(len(chart.nodes))})

    def copy(self) -> Possibilities:
        """The same, to go another way."""
        return Possibilities(self.chart, self.most, self.states)

    @property
    def least(self) -> tuple[int, int]:
        """What the cheapest hypothesis has missed and not heard: first missed, then unheard."""
        return min((missed, unheard) for _, missed, unheard in self.states)

    def latest(self, now: Now) -> Instant:
        """Until when, at the latest, the cheapest hypotheses last without another message."""
        least, found = self.least, now.at
        for (node, missed, unheard), end in self.states.items():
            if (missed, unheard) == least:
                limit, refused = self.chart.limits(self.chart.nodes[node])
                until = ENDLESS if limit is None else _dated(end, now) + limit
                if refused is not None and now.refused is not None:
                    until = min(until, now.refused + refused)
                found = max(found, until)
        return found

    def explains(self, missed: int, unheard: int) -> bool:
        """Whether no more than so much, missed and unheard, explains all that was seen."""
        return any(m <= missed and u <= unheard for _, m, u in self.states)

    def fewest(self, unheard: int) -> int | None:
        """The fewest missed, where no more than so many DHCPNAKs are unheard."""
        return min((m for _, m, u in self.states if u <= unheard), default=None)

    def see(self, sign: Sign, now: Now, grant: Grant | None = None, *, sure: bool = True) -> None:
        """A message was seen.  `sure`: a DHCPNAK that is not heard counts; else it does not."""
        before = self.least
        found = self._follow(sign, now, grant)
        if sign.kind == "ACK":
            for state, end in self.states.items():
                _keep(found, state, end, now)
        if sign.kind == "NAK":
            for (node, missed, unheard), end in self.states.items():
                if unheard + sure <= self.most[1]:
                    _keep(found, (node, missed, unheard + sure), end, now)
        if not found:  # the client does what no row of the table does: begin anew from here
            found = {(node, *before): now.fresh for node in self.chart.after(sign)}
        self.states = _undominated(self.chart, found, now)
        self._forgive(before)

    def end_by(self, latest: Instant, now: Now) -> bool:
        """Whatever lease there is ends then at the latest; whether that changes anything."""
        later = [s for s, end in self.states.items() if _dated(end, now) > latest]
        if later:
            self.states = _undominated(self.chart, self.states | dict.fromkeys(later, latest), now)
        return bool(later)

    def grant_unseen(self, end: Instant, now: Now) -> None:
        """A server's record shows a lease that no source saw begin: the client may have it."""
        found = dict(self.states)
        for number, node in enumerate(self.chart.nodes):
            if node.holds == MINE and node.phase == "BOUND":
                _keep(found, (number, 0, 0), end, now)
        self.states = _undominated(self.chart, found, now)

    def use(self, sign: Sign, now: Now) -> bool:
        """The host was seen to have the address, or not to; False: no hypothesis explains it."""
        found = self._follow(sign, now, None)
        if found:
            self.states = _undominated(self.chart, found, now)
        return bool(found)

    def _follow(self, sign: Sign, now: Now, grant: Grant | None) -> dict[State, Instant]:
        leaps, most, found = self.chart.leaps(sign), self.most[0], dict[State, Instant]()
        at, fresh, refused_at = now.at, now.fresh, now.refused
        get = found.get
        for (node, missed, unheard), had in self.states.items():
            dated = _dated(had, now)
            for limit, refused, ends, after, then, more in leaps[node]:
                count = missed + more
                if count > most:
                    break  # they are in the order of what is missed
                if limit is not None and dated + limit < at:
                    continue
                if refused is not None and refused_at is not None and refused_at + refused < at:
                    continue
                if then == "grant":
                    assert grant is not None
                    end = grant.end
                    if grant.unseen > end and count < most:
                        _keep(found, (after, count + 1, unheard), grant.unseen, now)
                else:
                    how = ends if then == "keep" else then
                    end = had if how == "keep" else _becomes(how, fresh)
                state = (after, count, unheard)
                known = get(state)
                if known is None or _dated(end, now) > _dated(known, now):
                    found[state] = end
        return found

    def _forgive(self, before: tuple[int, int]) -> None:
        """What every hypothesis has missed for the sake of a message."""
        least = self.least
        more = max(0, least[0] - before[0])
        if more:
            self.states = {(n, m - more, u): end for (n, m, u), end in self.states.items()}


def _covers(one: Leap, other: Leap) -> bool:
    """The one leads to the same node with no earlier end, at no higher price, for as long."""
    if one.after != other.after or one.then != other.then or one.missed > other.missed:
        return False
    lasts = all(
        mine is None or (theirs is not None and mine >= theirs)
        for mine, theirs in ((one.limit, other.limit), (one.refused_limit, other.refused_limit))
    )
    as_long = one.limit is None or one.ends == other.ends
    end = one.then != "keep" or one.ends == other.ends or other.ends == "clear"
    return lasts and as_long and end


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


@lru_cache(maxsize=16)
def chart_of(automaton: Automaton) -> Chart:
    """The chart of an automaton; kept, since all clients have the same one."""
    return Chart(automaton)
