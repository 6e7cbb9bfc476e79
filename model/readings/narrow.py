"""The finite reading without what never changes: states have only the items that a row may change.

Theory of operation.  In a small network most faults are left out, and with them what they change:
where no host crashes, each process runs for ever.  Of a state of the lease table a good third are
such items.  `narrow_down` looks for them in the rows.  First each item is assumed to stay what it
is initially, but for instants that are set, since ticks move them.  Where a row that may be taken
all the same gives an item another value, that item is assumed no more, and the rows are read again.
In the end each row leaves what is still assumed as it is, so by induction over the steps it is so
in all states within reach.

What it does not know: values other than the initial one that an item has from some step on; and
states that are not within reach, of which it may say less than the whole reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from holdover.model.readings.branches import BranchRule, Code, constant_code
from holdover.model.readings.finite import Instance, Source, Value
from holdover.model.readings.rows import FiniteRow, known_rows
from holdover.model.table.expr import INSTANT, Action, Variable
from holdover.model.table.vocabulary import NOW

Item = tuple[str, int]
"""An item of a state: its variable's name, and its member."""

Unchanging = Mapping[Item, Value]
"""What items are that never change."""


class NarrowSource(Source):
    """Terms as Python source, with some items of the state as constants."""

    unchanging: Unchanging

    def state(self, variable: Variable, at: Sequence[Code]) -> Code:
        """An item of the state, or the value that it never changes."""
        member = at[0].value if at else 0
        assert isinstance(member, int)
        if variable is not NOW and (variable.name, member) in self.unchanging:
            return constant_code(self.unchanging[variable.name, member])
        return super().state(variable, at)

    def _join(self, word: str, parts: Iterable[Code]) -> Code:
        """As it is, but known where a part decides it and none before that may raise."""
        read: list[Code] = []
        for part in parts:
            if part.known and bool(part.value) is (word == "or") and all(p.safe for p in read):
                return part
            read.append(part)
        return super()._join(word, read)


NEVER = FiniteRow(BranchRule((constant_code(False),), (), ()), "", ())
"""The row of an edge that is never taken."""


class NarrowInstance(Instance):
    """An instance whose states lack what is `unchanging`, if not all items are `stored`.

    Its edges are those of the `whole`, by the same numbers.
    """

    def __init__(self, whole: Instance, unchanging: Unchanging, *, stored: bool = False):
        super().__init__(whole.table, whole.constants, whole.bounds)
        self.whole, self.unchanging = whole, unchanging
        if not stored:
            self.slots = [(v, i) for v, i in self.slots if (v.name, i) not in unchanging]
            self.place = {(v.name, i): number for number, (v, i) in enumerate(self.slots)}
            self.initial = tuple(self._initial(variable) for variable, _ in self.slots)
        self.source = source = NarrowSource(self.place, self.constants, self.bounds)
        source.unchanging = unchanging
        variables = tuple(self.table.variables)
        self._known = known_rows(variables, self.bounds, frozenset(unchanging), stored)

    @property
    def key(self) -> tuple[object, ...] | None:
        """What tells it from other instances of the lease table; None if its table is another."""
        whole = super().key
        return None if whole is None else (*whole, sorted(self.unchanging))

    def _read_row(self, action: Action, binding: tuple[int, ...]) -> FiniteRow | None:
        found = super()._read_row(action, binding)
        return NEVER if found is None and self.whole._row(action, binding) else found


def narrow_down(instance: Instance, *beside: Instance) -> NarrowInstance:
    """The same with states that have only what may change, in it or in those beside it."""
    kept = [each._kept("unchanging", partial(_unchanging, each)) for each in (instance, *beside)]
    everywhere = set(kept[0]).intersection(*kept[1:])
    return NarrowInstance(instance, {i: v for i, v in _initially(instance) if i in everywhere})


def _initially(instance: Instance) -> Iterator[tuple[Item, Value]]:
    """The items of the initial state."""
    return zip(instance.place, instance.initial, strict=True)


def _unchanging(whole: Instance) -> list[Item]:
    """The items that stay what they are initially; ticks move each instant that is set."""
    assumed = dict(_initially(whole))
    for (variable, _), (item, value) in zip(whole.slots, _initially(whole), strict=True):
        if variable.sort is INSTANT and value is not None:
            del assumed[item]
    while changed := _changed(NarrowInstance(whole, assumed, stored=True)):
        for item in changed:
            del assumed[item]
    return list(assumed)


def _changed(world: NarrowInstance) -> set[Item]:
    """What is assumed to be unchanging, and is changed by a row that may be taken."""
    items, found = list(world.place), set()
    for _, row in world._rows:
        if not row.rule.never:
            for slot, value in row.given:
                if not (value.known and value.value == world.initial[slot]):
                    found.add(items[slot])
    return found & world.unchanging.keys()
