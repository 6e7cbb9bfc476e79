"""How the lease table, and a mutant of it, behaves in each small configuration."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from holdover.model.explorer.explore import Exploration, explore
from holdover.model.readings.finite import Instance, State, Successors
from holdover.model.table.expr import Action
from holdover.model.table.laws import STATES, TIME
from holdover.model.table.laws_of_acts import ACTS
from holdover.model.table.properties import ALWAYS, STEPS, Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.proofs.mutation.facts import FACTS
from holdover.proofs.mutation.mutants import Mutant
from holdover.proofs.mutation.small_worlds import SmallWorld, settings

T = TypeVar("T")


Named: TypeAlias = list[tuple[str, T]]


@dataclass(frozen=True, eq=False)
class Sample:
    """A configuration as the lease table itself behaves in it: explored when it is first asked."""

    setting: SmallWorld

    @functools.cached_property
    def seen(self) -> Exploration:
        """All that the lease table does there."""
        found = explore(self.setting.usual, ALWAYS, STEPS)
        assert found.complete
        return found

    @functools.cached_property
    def always(self) -> tuple[Property, ...]:
        """The properties of states that hold there: a mutant must keep them."""
        return tuple(p for p in ALWAYS if p.name not in self.seen.violations)

    @functools.cached_property
    def steps(self) -> tuple[Property, ...]:
        """The properties of steps that hold there, likewise."""
        return tuple(p for p in STEPS if p.name not in self.seen.violations)

    @property
    def counts(self) -> tuple[int, int, int]:
        """What the lease table's counts are."""
        return counts(self.seen)

    @functools.cached_property
    def kept(self) -> Named[Callable[[State], bool]]:
        """The laws of states."""
        return [(law.name, self.seen.instance.predicate(law.term)) for law in (*STATES, *FACTS)]

    @functools.cached_property
    def acts(self) -> Named[Callable[[State, State], bool]]:
        """The laws of acts."""
        return [(law.name, self.seen.instance.step_predicate(law.term)) for law in ACTS]

    @functools.cached_property
    def time(self) -> Named[Callable[[State, State], bool]]:
        """The laws of time."""
        return [(law.name, self.seen.instance.step_predicate(law.term)) for law in TIME]

    def rows(self, changed: Mutant) -> tuple[Successors, Successors]:
        """What the row itself does in a state, and what the changed one does."""
        return alone(self, changed.original).successors, alone(self, changed.changed).successors

    def alters(self, changed: Mutant) -> bool:
        """Whether the changed row is other code here: all of it may be about what never happens."""
        return alone(self, changed.original).text != alone(self, changed.changed).text

    def shows(self, changed: Mutant) -> bool:
        """Whether the changed row does something else in a state that the table reaches."""
        return self.alters(changed) and differ(self, changed.original, changed.changed)


@functools.cache
def samples() -> tuple[Sample, ...]:
    """One for each small configuration."""
    return tuple(map(Sample, settings()))


KEPT = 1024
"""Answers that are kept: those for a row and for what is made of it, in each configuration."""


@functools.lru_cache(KEPT)
def alone(known: Sample, row: Action) -> Instance:
    """A row, and no other, in a configuration."""
    return known.setting.instance(Table(LEASE_TABLE.variables, (row,)))


@functools.lru_cache(KEPT)
def differ(known: Sample, row: Action, changed: Action) -> bool:
    """Whether two rows lead elsewhere from a state that the table reaches, or one of them fails."""
    before, after = (alone(known, each).successors for each in (row, changed))
    try:
        for state in known.seen.states:
            usual, now = before(state), after(state)
            if usual != now and [t for _, t in usual] != [t for _, t in now]:
                return True
    except TypeError:
        return True
    return False


def counts(seen: Exploration) -> tuple[int, int, int]:
    """Distinct states, steps, depth: what is pinned."""
    return len(seen.states), seen.steps, seen.depth
