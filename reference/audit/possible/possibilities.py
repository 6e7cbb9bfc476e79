"""What is still possible of one client and one address, and how much must be unseen for it.

Theory of operation.  A `Possibilities` is a set of hypotheses (`hypotheses.py`, which says why it
allows too much and never too little).  It is kept in two parts: the `Shape` has the states and says
which of them have the same lease end; the ends themselves are a few instants beside it.

An observation is thought through once for all clients to which the same happens.  The plain path
asks of instants but three things: which of two lease ends is later, whether a limit after an end is
over, and whether a limit after a DHCPNAK is over.  So two observations with the same sign, on the
same shape, for which the answers to all these questions are the same (`Recall.key`), lead to the
same shape, and each new lease end is the same one of those that were there, or that came with the
observation.  `Recall` keeps that: the shape that comes, and from where each of its ends is taken.
It is the construction of a deterministic automaton from this one, state by state as they come.
Where nothing is recalled, the plain path is gone, and its result is kept.

What it does not know: what the observations say of the client (`monitor/clients.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from holdover.reference.audit.possible.chart import Chart, Sign
from holdover.reference.audit.possible.hypotheses import (
    BEFORE,
    ENDLESS,
    NO_LEASE,
    Grant,
    Hypotheses,
    Now,
    State,
    after_end,
    after_message,
    after_record,
    after_use,
    all_hypotheses,
    least_of,
)
from holdover.reference.core.instants import Instant

MOST_RECALLED = 1 << 16
"""Observations that are recalled at most; beyond that, all are forgotten, and thought of anew."""

WORDS: tuple[Instant, ...] = (BEFORE, NO_LEASE, ENDLESS)
"""Lease ends that are no instants: the first slots of each shape."""

Ends = tuple[Instant, ...]
"""The lease ends of a shape's other slots, all different."""


class Shape:
    """Hypotheses without their instants: of each state, the slot in which its lease end is."""

    __slots__ = ("cheapest", "has_before", "least", "slots")

    def __init__(self, chart: Chart, slots: tuple[tuple[State, int], ...]):
        self.slots = slots
        self.least = least_of({state: 0 for state, _ in slots})
        self.has_before = any(slot == 0 for _, slot in slots)
        self.cheapest = frozenset(
            (slot, *chart.limits[node])
            for (node, missed, unheard), slot in slots
            if (missed, unheard) == self.least
        )

    def __deepcopy__(self, memo: object) -> Shape:
        """It never changes."""
        return self


class Recall:
    """What observations have led to, for one chart and one way of counting."""

    def __init__(self, chart: Chart, most: tuple[int, int]):
        self.chart, self.most = chart, most
        self._shapes: dict[tuple[tuple[State, int], ...], Shape] = {}
        self._after: dict[object, tuple[Shape, tuple[int, ...]] | None] = {}
        self._after_end, self._after_nak = (
            tuple(sorted({limits[i] or 0 for limits in chart.limits if limits[i] is not None}))
            for i in (0, 1)
        )

    def __deepcopy__(self, memo: object) -> Recall:
        """It is the same for all."""
        return self

    def __len__(self) -> int:
        """How many observations are recalled."""
        return len(self._after)

    def shaped(self, states: Hypotheses) -> tuple[Shape, Ends]:
        """Hypotheses in two parts."""
        places = {end: slot for slot, end in enumerate(WORDS)}
        slots = tuple(
            [(state, places.setdefault(end, len(places))) for state, end in states.items()]
        )
        return self._shape(slots), tuple(places)[len(WORDS) :]

    def key(self, shape: Shape, ends: Ends, come: Ends, now: Now) -> object:
        """The answers to what is asked of the instants; `come`: the ends that come with it."""
        at, _, older, refused = now
        refusal = None
        if refused is not None:
            refusal = tuple([refused + limit < at for limit in self._after_nak])
        dated = (*ends, older) if shape.has_before else ends
        if not dated and len(come) == 1:
            return come[0] < ENDLESS, come[0] == ENDLESS, refusal
        compared = (*dated, *come, ENDLESS)
        order = sorted(compared)
        ranks = tuple([order.index(each) for each in compared])
        over = [end + limit < at for limit in self._after_end for end in dated]
        return ranks, *over, refusal

    def see(
        self, shape: Shape, ends: Ends, sign: Sign, now: Now, grant: Grant | None, *, sure: bool
    ) -> tuple[Shape, Ends]:
        """What a message leaves."""
        come = (now[1],) if grant is None else (now[1], *grant)
        asked = (shape, sign, sure, self.key(shape, ends, come, now))
        known, pool = self._after.get(asked), ends + come
        if known is None:
            states = after_message(
                self.chart, self.most, states_of(shape, ends), sign, now, grant, sure=sure
            )
            known = self._after[asked] = self._taken(states, pool)
        found, taken = known
        return found, tuple([pool[i] for i in taken])

    def use(self, shape: Shape, ends: Ends, sign: Sign, now: Now) -> tuple[Shape, Ends] | None:
        """What a use leaves; None: nothing explains it."""
        come = (now[1],)
        asked = (shape, sign, self.key(shape, ends, come, now))
        known, pool = self._after.get(asked), ends + come
        if known is None and asked not in self._after:
            states = after_use(self.chart, self.most, states_of(shape, ends), sign, now)
            known = self._after[asked] = None if states is None else self._taken(states, pool)
        if known is None:
            return None
        found, taken = known
        return found, tuple([pool[i] for i in taken])

    def _taken(self, states: Hypotheses, pool: Ends) -> tuple[Shape, tuple[int, ...]]:
        """The shape, and for each of its ends where in the pool it is."""
        if len(self._after) >= MOST_RECALLED:
            self._after.clear()
            self._shapes.clear()
        shape, ends = self.shaped(states)
        return shape, tuple([pool.index(end) for end in ends])

    def _shape(self, slots: tuple[tuple[State, int], ...]) -> Shape:
        found = self._shapes.get(slots)
        if found is None:
            found = self._shapes[slots] = Shape(self.chart, slots)
        return found


def states_of(shape: Shape, ends: Ends) -> dict[State, Instant]:
    """The hypotheses of a shape with these ends."""
    values = WORDS + ends
    return {state: values[slot] for state, slot in shape.slots}


@lru_cache(maxsize=64)
def recall_of(chart: Chart, most: tuple[int, int]) -> Recall:
    """What is recalled of a chart; all clients have the same."""
    return Recall(chart, most)


class Possibilities:
    """The hypotheses about one client and one address; `most`: what is counted at most."""

    __slots__ = ("_ends", "_recall", "_shape")

    def __init__(self, chart: Chart, most: tuple[int, int], states: Mapping[State, Instant]):
        self._recall = recall_of(chart, most)
        self._shape, self._ends = self._recall.shaped(states)

    @classmethod
    def unknown(cls, chart: Chart, most: tuple[int, int]) -> Possibilities:
        """Anything may have been before."""
        return cls(chart, most, all_hypotheses(chart))

    def copy(self) -> Possibilities:
        """The same, to go another way."""
        other = object.__new__(Possibilities)
        other._recall, other._shape, other._ends = self._recall, self._shape, self._ends
        return other

    @property
    def chart(self) -> Chart:
        """Of all clients."""
        return self._recall.chart

    @property
    def states(self) -> dict[State, Instant]:
        """Node, missed and unheard of each hypothesis, and its latest lease end."""
        return states_of(self._shape, self._ends)

    @property
    def least(self) -> tuple[int, int]:
        """What the cheapest hypothesis has missed and not heard: first missed, then unheard."""
        return self._shape.least

    def latest(self, now: Now) -> Instant:
        """Until when, at the latest, the cheapest hypotheses last without another message."""
        found = now.at
        values = (now.older, -ENDLESS, ENDLESS, *self._ends)
        for slot, limit, refused in self._shape.cheapest:
            until = ENDLESS if limit is None else values[slot] + limit
            if refused is not None and now.refused is not None:
                until = min(until, now.refused + refused)
            found = max(found, until)
        return found

    def explains(self, missed: int, unheard: int) -> bool:
        """Whether no more than so much, missed and unheard, explains all that was seen."""
        return any(m <= missed and u <= unheard for (_, m, u), _ in self._shape.slots)

    def fewest(self, unheard: int) -> int | None:
        """The fewest missed, where no more than so many DHCPNAKs are unheard."""
        return min((m for (_, m, u), _ in self._shape.slots if u <= unheard), default=None)

    def see(self, sign: Sign, now: Now, grant: Grant | None = None, *, sure: bool = True) -> None:
        """A message was seen.  `sure`: a DHCPNAK that is not heard counts; else it does not."""
        self._shape, self._ends = self._recall.see(
            self._shape, self._ends, sign, now, grant, sure=sure
        )

    def end_by(self, latest: Instant, now: Now) -> bool:
        """Whatever lease there is ends then at the latest; whether that changes anything."""
        found = after_end(self.chart, self.states, latest, now)
        if found is not None:
            self._shape, self._ends = self._recall.shaped(found)
        return found is not None

    def grant_unseen(self, end: Instant, now: Now) -> None:
        """A server's record shows a lease that no source saw begin: the client may have it."""
        found = after_record(self.chart, self.states, end, now)
        self._shape, self._ends = self._recall.shaped(found)

    def use(self, sign: Sign, now: Now) -> bool:
        """The host was seen to have the address, or not to; False: no hypothesis explains it."""
        found = self._recall.use(self._shape, self._ends, sign, now)
        if found is not None:
            self._shape, self._ends = found
        return found is not None
