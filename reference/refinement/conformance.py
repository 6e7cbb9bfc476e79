"""The verdict on the reference client's own code, and by which exploration of which code.

The proofs are about a profile.  That `client.py` is a client of that profile is shown by exploring
the code itself: in every setting of `refinement/settings.toml`, each step of it is a step of the
lease table, and the properties hold in each state (`refinement/`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from holdover.proofs.result import Outcome
from holdover.reference.refinement.coverage import edges_of, gaps
from holdover.reference.refinement.search import Refined, as_pinned, refine_all
from holdover.reference.refinement.setting import settings

CODE = (
    "core/client.py",
    "core/client_state.py",
    "core/events.py",
    "core/instants.py",
    "core/config.py",
    "wire/messages.py",
)
"""What is explored: the core, its state, its words, its clock, its constants, its messages."""


@dataclass(frozen=True)
class Conformance:
    """What the explorations came to, in the settings' order; `gaps`: edges never taken."""

    explored: tuple[Refined, ...]
    gaps: tuple[str, ...]
    digest: str

    @property
    def outcome(self) -> Outcome:
        """Violated by a defect; unknown where something was not seen, or is not as pinned."""
        if any(seen.kind for seen in self.explored):
            return "violated"
        if self.gaps or not all(as_pinned(seen) for seen in self.explored):
            return "unknown"
        return "holds"

    @property
    def states(self) -> int:
        """Distinct states of all settings."""
        return sum(seen.states for seen in self.explored)

    @property
    def steps(self) -> int:
        """Steps of all settings."""
        return sum(seen.steps for seen in self.explored)


def digest() -> str:
    """SHA-256 of the code that is explored, file by file."""
    folder = resources.files("holdover.reference")
    found = hashlib.sha256()
    for name in CODE:
        found.update((folder / name).read_bytes())
    return found.hexdigest()


def conformance(
    jobs: int = 2, progress: Callable[[int, int, str], None] | None = None
) -> Conformance:
    """Explore the reference client in every setting."""
    todo = settings()
    found: dict[str, Refined] = {}
    for seen in refine_all(todo, jobs=jobs):
        found[seen.setting.name] = seen
        if progress is not None:
            progress(len(found), len(todo), f"client.py explored: {seen.setting.name}")
    explored = tuple(found[setting.name] for setting in todo)
    missing = gaps(edges_of(todo), {edge for seen in explored for edge in seen.taken})
    return Conformance(explored, tuple(f"{row} in {', '.join(s)}" for s, row in missing), digest())
