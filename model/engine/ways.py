"""Where the steps of a small instance lead, as arrays: for what is asked of ways, not of states.

Theory of operation.  The kernel gives the successors of many states, and does not say whose each
is.  So the number of a state is put into the bits of its word that no component has: the kernel
adds to the word, and what stands above comes with it.

What it does not know: symmetry, threads, and searches that are kept.  `engine.py` has these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod

import numpy as np

from holdover.model.engine.kernel import expand, insert
from holdover.model.packed.components import MEASURE, STEP, PackedRule
from holdover.model.packed.program import LEAST_VALUE, Program, Tally, empty_tally
from holdover.model.packed.tabulated import Tabulated
from holdover.model.readings.ground import MISREAD, Array, Ground, conjuncts, evaluate, value
from holdover.model.table.expr import Expr

ROOM = 1 << 16
"""Successors that are looked at together."""


class Ways:
    """The steps of a tabulated instance by the rules that are chosen."""

    def __init__(self, tabulated: Tabulated, arrays: Program):
        self.tabulated, self.program = tabulated, arrays
        self._value, self._row = np.empty((2, len(self.program.parts)), dtype=np.uint64)
        self._tally = empty_tally(len(tabulated.rules))
        self.moves = self.rules(lambda rule: rule.form == STEP)
        """The rules that are rows of the instance."""

    def rules(self, chosen: Callable[[PackedRule], bool]) -> Array:
        """A bit for each rule that is chosen."""
        bits = np.zeros(self.program.kinds.shape[1], dtype=np.uint64)
        for number, rule in enumerate(self.tabulated.rules):
            if chosen(rule):
                bits[number // 64] |= np.uint64(1) << np.uint64(number % 64)
        return bits

    def _successors(
        self, words: Array, rules: Array, tally: Tally | None = None
    ) -> Iterator[Array]:
        tally = tally or self._tally
        weights, begin = np.ones(len(words), dtype=np.int64), 0
        while begin < len(words):
            found = np.empty(ROOM + len(self.tabulated.rules), dtype=np.uint64)
            begin, count = expand(
                self.program, words, weights, begin, found, tally, rules, self._value, self._row
            )
            yield found[:count]

    def within_reach(self, rules: Array, most: int) -> Array | None:
        """The states within reach, by depth; None if there are more than that."""
        level = np.array([self.tabulated.pack(self.tabulated.instance.initial)], dtype=np.uint64)
        table = np.zeros(2 * ROOM, dtype=np.uint64)
        insert(table, level, level.copy())
        levels, count = [level], 1
        while len(level):
            new = []
            for found in self._successors(level, rules):
                if 2 * (count + len(found)) > len(table):
                    table = larger(table, count + len(found))
                fresh = np.empty_like(found)
                new.append(fresh[: insert(table, found, fresh)])
                count += len(new[-1])
                if count > most:
                    return None
            level = np.concatenate(new)
            levels.append(level)
        return np.concatenate(levels)

    def fired(self) -> set[str]:
        """The rows that were seen to lead somewhere."""
        times = zip(self.tabulated.rules, self._tally.fired.tolist(), strict=True)
        return {rule.name for rule, often in times if often}

    def steps(self, words: Array, rules: Array) -> tuple[Array, Array]:
        """Every step from these states: the place in `words` of its first, and where it leads."""
        used = np.uint64(sum(component.kind.bits for component in self.tabulated.components))
        chunk = 1 << min(32, 64 - int(used))
        sources, targets = [], []
        for start in range(0, len(words), chunk):
            some = words[start : start + chunk]
            marked = some | np.arange(len(some), dtype=np.uint64) << used
            for found in self._successors(marked, rules):
                number = found >> used
                sources.append(number.astype(np.int64) + start)
                targets.append(found ^ (number << used))
        return np.concatenate(sources), np.concatenate(targets)

    def worst(self, words: Array) -> int | None:
        """For how many ticks a host outstays its lease at most in these states; None if none does.

        The explorer calls it `worst` as well.
        """
        tally = empty_tally(len(self.tabulated.rules))
        for _ in self._successors(words, self.rules(lambda rule: rule.form == MEASURE), tally):
            pass  # a measure leads nowhere; what it says is in the tally
        largest = int(tally.largest.max())
        return None if largest == LEAST_VALUE else largest

    def holds(self, words: Array, term: Expr, binding: Mapping[Expr, int]) -> Array:
        """In which of these states a property of these members holds.

        TypeError if one reads an instant there that is not set.
        """
        grounded = self.tabulated.reading.read(term, {p: value(v) for p, v in binding.items()})
        found: Array = np.ones(len(words), dtype=np.int64)
        for part in conjuncts(grounded):
            found = np.where(found == 1, self._in_each(words, part), found)
        if (found == MISREAD).any():
            raise TypeError(f"an instant that is not set is compared or moved: {term}")
        return np.equal(found, 1)

    def _in_each(self, words: Array, part: Ground) -> Array:
        """What a term is in each of these states.

        It is evaluated for all values together of the components that it is about, if these are
        fewer than the states, and looked up.
        """
        tabulated = self.tabulated
        about = sorted({tabulated.owner[slot] for slot in part.places})
        kinds = [tabulated.components[number].kind for number in about]
        numbers = [
            (words >> np.uint64(tabulated.shifts[number]) & np.uint64((1 << kind.bits) - 1))
            for number, kind in zip(about, kinds, strict=True)
        ]
        sizes = tuple(map(len, kinds))
        few = prod(sizes) < len(words)
        chosen = dict(zip(about, np.ix_(*map(np.arange, sizes)) if few else numbers, strict=True))

        def column(leaf: Ground) -> Array:
            (slot,) = leaf.args
            number = tabulated.owner[slot]
            component = tabulated.components[number]
            values: Array = component.kind.matrix[:, component.slots.index(slot)]
            there: Array = values[chosen[number]]
            return there

        found: Array = evaluate(part, column)
        if few:
            found = np.broadcast_to(found, sizes)[tuple(numbers)]
        return found


def larger(table: Array, count: int) -> Array:
    """A table with room for so many states, half empty; the kernel stores a state plus one."""
    known = table[table != 0] - np.uint64(1)
    found = np.zeros(4 * count, dtype=np.uint64)
    insert(found, known, np.empty_like(known))
    return found
