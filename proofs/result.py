"""What a theorem's script returns: checks, each with what it should come to and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["holds", "violated", "unknown"]

Progress = Callable[[str], None]


def silent(message: str) -> None:
    """No progress."""


@dataclass(frozen=True)
class Check:
    """One checked statement.

    `outcome` says whether the statement was confirmed (holds), refuted (violated) or left open
    (unknown); a statement that something *is* violated is confirmed by the violation.
    """

    name: str
    says: str
    outcome: Outcome
    detail: str = ""
    seconds: float = 0.0
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Theorem:
    """A theorem's checks."""

    id: str
    title: str
    checks: tuple[Check, ...]

    @property
    def outcome(self) -> Outcome:
        """Holds only if every check does, and there is one."""
        return combine(check.outcome for check in self.checks)


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """Violated if one is; else unknown if one is or there is none; else holds."""
    seen = set(outcomes)
    if "violated" in seen:
        return "violated"
    return "holds" if seen == {"holds"} else "unknown"
