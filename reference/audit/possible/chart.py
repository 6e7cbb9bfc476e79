"""An automaton with all that may happen unseen between two observations worked out.

Theory of operation.  From each node of an automaton (`automaton.py`), a `Chart` says for each
`Sign` where its client may be after it, what has become of the lease end, and how many datagrams
were missed on the way (`Leap`).  The paths are worked out once, by Dijkstra's search from each
node; all clients of an audit have the same chart.

What it does not know: instants; which hypotheses there are (`hypotheses.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from heapq import heappop, heappush
from typing import NamedTuple

from holdover.reference.audit.possible.automaton import Automaton, Ends
from holdover.reference.audit.possible.of_host import MINE, NO_ONE, OTHER, Node
from holdover.reference.core.instants import SECOND

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


NO_PRICE = 1 << 20
"""There is no way without a message that would be seen."""


class Chart:
    """The nodes of an automaton by number, and the leaps between them.

    `limits`: for each node, nanoseconds that it lasts after the lease end, and after a DHCPNAK;
    None: no limit.
    """

    def __init__(self, automaton: Automaton):
        self.automaton = automaton
        self.nodes = automaton.nodes
        self.number = {node: i for i, node in enumerate(self.nodes)}
        self.limits = tuple(self._limits(node) for node in self.nodes)
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

    def _limits(self, node: Node) -> tuple[int | None, int | None]:
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
            limit, refused = self.limits[self.number[node]]
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


@lru_cache(maxsize=16)
def chart_of(automaton: Automaton) -> Chart:
    """The chart of an automaton; kept, since all clients have the same one."""
    return Chart(automaton)
