"""The verdict on the reference client's own code, and by which exploration of which code.

The proofs are about a profile.  That `client.py` is a client of that profile is shown by exploring
the code itself: in every setting of `refinement/settings.toml`, each step of it is a step of the
lease table, and the properties hold in each state (`refinement/`).

A verdict that it is so is kept in the user's cache, under the digests of the code and of all that
was used to check it; whoever is told it again is told so.  No other verdict is kept.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import llvmlite
import numba
import numpy as np

from holdover.model.inputs import folder_in_cache
from holdover.proofs.kept import digest_of
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

CHECKER = (
    "holdover.model",
    "holdover.reference.core",
    "holdover.reference.refinement",
    "holdover.reference.wire",
)
"""What explores it, and all that this reads: the Python files and tables in these packages."""


SEAL = "sha256"
"""Of a kept verdict, the digest of all else that is in its file."""


@dataclass(frozen=True)
class Conformance:
    """What the explorations came to, in the settings' order; `gaps`: edges never taken.

    `digest`, `checker`: of what was explored, and by what.  `kept`: the file that the verdict was
    read from, if it was; `found`: when it was found, by the wall clock (ISO 8601, UTC).
    """

    explored: tuple[Refined, ...]
    gaps: tuple[str, ...]
    digest: str
    checker: str
    found: str
    kept: Path | None = None

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


def checker() -> str:
    """SHA-256 of what explores it: names and content of the files, and versions.

    Of Python, of numpy, and of what compiles the search.
    """
    versions = platform.python_version(), np.__version__, numba.__version__, llvmlite.__version__
    return digest_of({name: Path(str(resources.files(name))) for name in CHECKER}, versions)


def conformance(
    jobs: int = 2, progress: Callable[[int, int, str], None] | None = None, *, anew: bool = False
) -> Conformance:
    """Explore the reference client in every setting, or read that it was; `anew`: explore."""
    code, by = digest(), checker()
    kept = None if anew else _read(code, by)
    if kept is not None:
        return kept
    todo = settings()
    found: dict[str, Refined] = {}
    for seen in refine_all(todo, jobs=jobs):
        found[seen.setting.name] = seen
        if progress is not None:
            progress(len(found), len(todo), f"client.py explored: {seen.setting.name}")
    explored = tuple(found[setting.name] for setting in todo)
    missing = gaps(edges_of(todo, jobs=jobs), {edge for seen in explored for edge in seen.taken})
    never = tuple(f"{row} in {', '.join(s)}" for s, row in missing)
    result = Conformance(explored, never, code, by, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    if result.outcome == "holds":
        _write(result)
    return result


# What is kept ------------------------------------------------------------------------------------


def _file(code: str, by: str) -> Path | None:
    folder = folder_in_cache("verdicts")
    return None if folder is None else folder / f"{code[:32]}-{by[:32]}.json"


def _write(result: Conformance) -> None:
    """Keep the verdict, where that can be done."""
    path = _file(result.digest, result.checker)
    if path is None:
        return
    sizes = {seen.setting.name: (seen.states, seen.steps, seen.depth) for seen in result.explored}
    data = {"code": result.digest, "checker": result.checker, "found": result.found}
    with suppress(OSError):
        path.write_text(with_seal({**data, "settings": sizes}), "utf-8")


def with_seal(data: Mapping[str, object]) -> str:
    """What is kept, as text with its own SHA-256: a file that was damaged is not read."""
    seal = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    return json.dumps({**data, SEAL: seal}, indent=1) + "\n"


def _read(code: str, by: str) -> Conformance | None:
    """The verdict that is kept; None where there is none about this code by this checker."""
    path, todo = _file(code, by), settings()
    try:
        text = "" if path is None else path.read_text("utf-8")
        data = json.loads(text)
        whole = with_seal({name: data[name] for name in data if name != SEAL}) == text
        sizes = {setting.name: data["settings"][setting.name] for setting in todo}
        explored = tuple(
            Refined(s, states=states, steps=steps, depth=depth, complete=True)
            for s, (states, steps, depth) in ((s, sizes[s.name]) for s in todo)
        )
        same = (data["code"], data["checker"], len(data["settings"])) == (code, by, len(todo))
        found = Conformance(explored, (), code, by, str(data["found"]), path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if whole and same and found.outcome == "holds" else None
