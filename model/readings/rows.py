"""A row for one binding as Python source: what it asks, and what it makes of a state.

Theory of operation.  A row is written as lines over the state `s` and a list `t`.  They read what
they need and no more, so that who shows them a part of a state learns which part they ask for
(`reference/refinement`).  Whoever has a whole state gives names to its items first, which are read
sooner; and where the state is small (`SMALL`) the one after it is written as one tuple.

What it does not know: where the source comes from, and what an item means.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from holdover.model.readings.branches import BranchRule, Code, branches

SMALL = 32
"""Items of a state up to which it is written as a tuple of names.

In trials on CPython 3.11 that was quicker than a list for states of 28 items, and slower for 46.
"""

ITEM_READ = re.compile(r"\bs\[(\d+)\]")


class RowChanges:
    """What the effects of a row come to, in states of so many items.

    It is kept line by line, and of small states item by item over the state before.
    """

    def __init__(self, size: int) -> None:
        self.size, self.small = size, size <= SMALL
        self.lines: list[str] = []
        self.after: dict[int, Code] = {}
        self.given: list[tuple[int, Code]] = []
        self.lost: list[str] = []
        """What is computed and then set anew; it may raise, and does so all the same."""

    def _before(self, slot: int) -> Code:
        return self.after.get(slot) or Code(f"s[{slot}]", safe=True)

    def put(self, slot: int, value: Code, where: Code) -> None:
        """The item takes this value where that is so; both are read of the state before the row."""
        self.given.append((slot, value))
        line = f"t[{slot}] = {value.text}"
        self.lines.append(line if where.known else f"if {where.text}: {line}")
        if not self.small:
            return
        before = self._before(slot)
        if where.known:
            self.lost += [] if before.safe else [before.text]
            self.after[slot] = value
        else:
            safe = value.safe and where.safe and before.safe
            text = f"({value.text} if {where.text} else {before.text})"
            self.after[slot] = Code(text, safe=safe)

    def shift(self, slots: Sequence[int], passed: int, past: int) -> None:
        """After so many ticks these instants lie further back; none more than `past`."""
        moved = f"v - {passed} if v > {passed - past} else {-past}"
        for slot in slots:
            self.lines.append(f"if (v := t[{slot}]) is not None: t[{slot}] = {moved}")
            if not self.small:
                continue
            before = self._before(slot)
            text = f"(None if (v := {before.text}) is None else {moved})"
            self.after[slot] = Code(text, safe=before.safe)

    @property
    def whole(self) -> str:
        """A small state after the row, as a tuple; its items' names are those of `with_names`."""
        if not self.small:
            return ""
        items = [f"s{slot}" for slot in range(self.size)]
        for slot, value in self.after.items():
            items[slot] = value.text
        state = f"({', '.join(items)},)"
        return f"(({', '.join(self.lost)},), {state})[1]" if self.lost else state


@dataclass(frozen=True)
class FiniteRow:
    """A row for one binding: a rule whose lines make `t`, the state after it.

    `whole` is that state as one tuple, where it is small; else it is empty.  `given` has the items
    that the row sets, each with its value.
    """

    rule: BranchRule
    whole: str
    given: tuple[tuple[int, Code], ...]

    @classmethod
    def of(cls, tests: Sequence[Code], changes: RowChanges) -> FiniteRow:
        """A row of what it asks and what it changes."""
        rule = BranchRule.of(tests, ["t = [*s]", *changes.lines])
        return cls(rule, changes.whole, tuple(changes.given))

    def ending(self, line: str) -> BranchRule:
        """The rule with one more line, which has `t`."""
        return replace(self.rule, body=(*self.rule.body, line))

    def adding(self, number: int) -> BranchRule:
        """The rule that adds its step to `out`, by a whole state."""
        if self.whole:
            return replace(self.rule, body=(f"out.append(({number}, {self.whole}))",))
        return self.ending(f"out.append(({number}, tuple(t)))")


@cache
def known_rows(*layout: object) -> dict[object, FiniteRow | None]:
    """The rows that were read for states of this layout; None where nothing ever follows."""
    return {}


@cache
def quotient(number: int | Fraction, by: int | Fraction) -> int | Fraction:
    """What `div` means; TypeError for an instant that is not set.  Few numbers are ever divided."""
    exact = Fraction(number) / by
    return exact.numerator if exact.denominator == 1 else exact


def with_names(source: str) -> str:
    """Source over names for the items of `s`."""
    return ITEM_READ.sub(r"s\1", source)


def all_steps_source(condition: str) -> str:
    """A predicate of a state and steps from it: the condition on `s` and `t` is so of each step."""
    read = sorted(set(map(int, ITEM_READ.findall(condition))))
    items = "".join(f"    s{item} = s[{item}]\n" for item in read)
    return f"""def predicate(s, steps):
{items}    for _, t in steps:
        if not {with_names(condition)}:
            return False
    return True
"""


def successors_source(rows: Sequence[FiniteRow], size: int) -> str:
    """A function of a state of so many items: the steps from it, by the numbers of the rows."""
    rules = [row.adding(number) for number, row in enumerate(rows) if not row.rule.never]
    items = "".join(f"s{slot}, " for slot in range(size))
    body = with_names("\n".join(branches(rules)))
    begin = f"def successors(s):\n    {items}= s\n    out = []\n"
    return f"{begin}{body}\n    out.sort()\n    return out\n"  # no two are of the same row
