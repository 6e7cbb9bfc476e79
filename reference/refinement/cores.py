"""The cores of an exploration: their local states and calls, numbered and remembered.

Theory of operation.  What an implementation has between two calls is its *local state*: a core, and
what it has stored.  Local states are numbered, and a call is remembered: `step` is a function.
What makes them finitely many: instants are relative to now and clipped in the past.  The cores
compare and add instants, nothing else; tests shift them and find no difference.

`client_cores.py` and `server_cores.py` say what a local state is, and what a call does to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable
from dataclasses import fields, is_dataclass, replace
from typing import Any, Generic, TypeVar

from holdover.reference.refinement.setting import ADDRESSES

NUMBER = {address: number for number, address in enumerate(ADDRESSES)}

LocalT = TypeVar("LocalT", bound=Hashable)
CallT = TypeVar("CallT", bound=Hashable)
AnswerT = TypeVar("AnswerT")


Cell = tuple[str, str, str, tuple[str, ...]]
"""Phase, event, next phase, effects: a cell of the client's (phase x event) grid as seen."""


class DefectError(Exception):
    """The implementation does what no row of the table does, or breaks a property."""

    def __init__(self, kind: str, says: str):
        super().__init__(f"{kind}: {says}")
        self.kind, self.says = kind, says


class Cores(ABC, Generic[LocalT, CallT, AnswerT]):
    """All local states and calls of one core.  `past`: no instant lies further back (ticks).

    `observed`: how often each cell of the client's grid was seen; a server has no grid.
    """

    def __init__(self, past: int):
        self.past = past
        self.locals: list[LocalT] = []
        self._numbers: dict[LocalT, int] = {}
        self._calls: dict[tuple[int, CallT], AnswerT] = {}
        self._older: dict[int, int] = {}
        self._due: list[int | None] = []
        self.observed: Counter[Cell] = Counter()

    def __getitem__(self, number: int) -> LocalT:
        return self.locals[number]

    def __contains__(self, local: LocalT) -> bool:
        return local in self._numbers

    def number(self, local: LocalT) -> int:
        """The number of a local state; the same for equal ones."""
        found = self._numbers.get(local)
        if found is None:
            found = self._numbers[local] = len(self.locals)
            self.locals.append(local)
            self._due.append(self.deadline(local))
        return found

    def call(self, number: int, call: CallT) -> AnswerT:
        """What the core does when it is handed this; remembered."""
        key = number, call
        found = self._calls.get(key)
        if found is None:
            found = self._calls[key] = self.make_call(self.locals[number], call)
        return found

    def older(self, number: int) -> int:
        """The same local state a tick later."""
        found = self._older.get(number)
        if found is None:
            found = self._older[number] = self.number(self.age(self.locals[number]))
        return found

    def due(self, number: int) -> int | None:
        """When the core wants to be called, from now; None: not before something happens."""
        return self._due[number]

    @abstractmethod
    def deadline(self, local: LocalT) -> int | None:
        """When the core of a local state wants to be called."""

    @abstractmethod
    def make_call(self, local: LocalT, call: CallT) -> AnswerT:
        """Call the core; DefectError where it does what no core may do."""

    @abstractmethod
    def age(self, local: LocalT) -> LocalT:
        """A local state as it is a tick later."""


def shift(value: Any, by: int, past: int) -> Any:
    """A value whose instants lie `by` earlier, none more than `past` ago."""
    if not is_dataclass(value):
        return tuple(shift(v, by, past) for v in value) if isinstance(value, tuple) else value
    whole: Any = value
    changes: dict[str, Any] = {}
    for f in fields(value):
        inner = getattr(value, f.name)
        if inner is None:
            continue
        if f.type in ("Instant", "Instant | None"):
            changes[f.name] = max(inner - by, -past)
        elif f.name in ("exchange", "answered", "lease"):
            changes[f.name] = shift(inner, by, past)
    return replace(whole, **changes)
