"""The fates of all mutants as they are recorded, and which of them are judged again.

Theory of operation.  A fate is a function of the lease table, of the checks, and of the solvers.
So the record has, beside the fates, the digest of the sources of `model/` and `proofs/` and of the
solvers' versions (`kept.py`).  A recorded fate is taken only if the digest is that of today, if the
mutant is of today, and if the fate says what became of it: one that *survives* is judged each time.
Of each fifty mutants one is judged whatever is recorded.

What it does not know: which Python runs.  No fate may depend on that, and what is judged again
looks for one that does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata, resources
from pathlib import Path

from holdover.proofs.kept import digest_of, names_in_turn
from holdover.proofs.mutation.fates import Fate

RECORD = Path(__file__).with_name("mutants.json")
"""The fates of all mutants, as the documentation shows them, and the digest of their sources."""

SOURCES = ("holdover.model", "holdover.proofs")
SOLVERS = ("z3-solver", "cvc5")

OPEN = ("survives",)
"""Fates that say nothing of what became of a mutant."""


@dataclass(frozen=True)
class FateRecord:
    """Fates, and the digest of the sources of which they are true."""

    sources: str
    fates: tuple[Fate, ...]


def sources() -> str:
    """SHA-256 of all that a fate depends on."""
    packages = {package: Path(str(resources.files(package))) for package in SOURCES}
    return digest_of(packages, (f"{name} {metadata.version(name)}" for name in SOLVERS))


def read(file: Path | None = None) -> FateRecord:
    """What is recorded."""
    data = json.loads((file or RECORD).read_text(encoding="utf-8"))
    return FateRecord(data["sources"], tuple(Fate(**fate) for fate in data["fates"]))


def read_fates() -> list[Fate]:
    """The fates as recorded."""
    return list(read().fates)


def write(fates: Sequence[Fate], file: Path | None = None) -> None:
    """Record these, of the sources as they are."""
    text = f'{{"sources": {json.dumps(sources())},\n"fates": {as_json(fates).rstrip()}}}\n'
    (file or RECORD).write_text(text, encoding="utf-8")


def as_json(fates: Sequence[Fate]) -> str:
    """The fates, one a line."""
    lines = ",\n".join(json.dumps(asdict(fate), ensure_ascii=False) for fate in fates)
    return f"[\n{lines}\n]\n"


def kept_fates(names: Sequence[str], recorded: FateRecord, turn: int | None) -> dict[str, Fate]:
    """The recorded fates that need no judge today, by the mutants' names; `turn`: any number.

    None, where there is no number or the sources are others.
    """
    if turn is None or recorded.sources != sources():
        return {}
    again = set(names_in_turn(names, turn))
    known = {fate.name: fate for fate in recorded.fates if fate.killer not in OPEN}
    return {name: known[name] for name in names if name in known and name not in again}
