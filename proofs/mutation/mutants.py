"""The lease table with one part dropped: every mutant of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from holdover.model.readings.definitions import in_words
from holdover.model.readings.prose import due as prose_of_due
from holdover.model.readings.prose import effects as prose_of_effects
from holdover.model.readings.prose import text as prose_of
from holdover.model.table.expr import Action, Expr
from holdover.model.table.table import LEASE_TABLE, Table, tick

Part = Literal["guard", "effect", "due"]


@dataclass(frozen=True)
class Mutant:
    """The lease table without one part; `changed` is the row that behaves otherwise."""

    row: str
    part: Part
    place: str
    text: str
    changed: Action
    table: Table = field(repr=False)

    @property
    def name(self) -> str:
        """Row, part and its number, as in `bind/guard 3`."""
        return f"{self.row}/{self.part} {self.place}".rstrip()

    @property
    def original(self) -> Action:
        """The row as it stands in the lease table."""
        return LEASE_TABLE.action(self.changed.name)


def mutants(rows: Sequence[str] = ()) -> Iterator[Mutant]:
    """The lease table with one part dropped, in its order; all rows, or those named."""
    for action in LEASE_TABLE.actions:
        if rows and action.name not in rows:
            continue
        for place, text, guards_left in without_a_guard(action):
            yield mutant(action, "guard", place, text, replace(action, when=guards_left))
        for number, effect in enumerate(action.then):
            left = action.then[:number] + action.then[number + 1 :]
            text = prose_of_effects([effect], in_words())[0]
            yield mutant(action, "effect", str(number + 1), text, replace(action, then=left))
        if action.due is not None:
            text = prose_of_due(action.due, in_words())
            yield mutant(action, "due", "", text, replace(action, due=None))


def without_a_guard(action: Action) -> Iterator[tuple[str, str, tuple[Expr, ...]]]:
    """What is left of the guards without one of them, or without a conjunct of one.

    The guards that `tick` reads off the deadlines of other rows are dropped with these.
    """
    derived = (
        sum(row.due is not None for row in LEASE_TABLE.actions) if action.name == "tick" else 0
    )
    for number, guard in enumerate(action.when):
        if 1 <= number <= derived:
            continue
        before, after = action.when[:number], action.when[number + 1 :]
        yield f"{number + 1}", prose_of(guard, in_words()), (*before, *after)
        parts = conjuncts(guard)
        for i, part in enumerate(parts if len(parts) > 1 else ()):
            kept = parts[:i] + parts[i + 1 :]
            yield f"{number + 1}.{i + 1}", prose_of(part, in_words()), (*before, *kept, *after)


def conjuncts(term: Expr) -> tuple[Expr, ...]:
    """The terms that a conjunction joins; another term alone."""
    if term.op != "and":
        return (term,)
    return tuple(part for arg in term.args if isinstance(arg, Expr) for part in conjuncts(arg))


def mutant(action: Action, part: Part, place: str, text: str, changed: Action) -> Mutant:
    """The table in which a row is changed; without its deadline, it is time that is changed."""
    rows = [changed if row is action else row for row in LEASE_TABLE.actions]
    if part == "due":
        changed = tick(tuple(row for row in rows if row.name != "tick"))
        rows = [changed if row.name == "tick" else row for row in rows]
    return Mutant(
        action.name, part, place, text, changed, Table(LEASE_TABLE.variables, tuple(rows))
    )
