"""What became of a journal that was held to the lease table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from holdover.proofs.result import Outcome
from holdover.reference.validation.explain import BlockedGuard


@dataclass(frozen=True)
class Finding:
    """Something to say about a line; `did`: what the client did there."""

    number: int
    wall: datetime
    did: str
    why: BlockedGuard


@dataclass
class JournalVerdict:
    """What became of a journal.

    `conforming`: up to which line no call is against the table; `taken`: how often each row was;
    `unknown`: what could not be decided; `remarks`: what the surroundings did.
    """

    calls: int = 0
    conforming: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    violation: Finding | None = None
    unknown: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """A journal without a call has shown nothing."""
        if self.violation is not None:
            return "violated"
        return "unknown" if self.unknown or not self.calls else "holds"
