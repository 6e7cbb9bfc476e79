"""What the lease table does in the small configurations: kept, and each is explored again in turn.

Theory of operation.  What is seen in a configuration is a function of the lease table and of what
explores.  So `kept.json` has, under the digest of all sources and of the solvers' versions (the one
under which the mutants' fates are recorded), how many states and steps each configuration has, how
deep it is, which rows fire and which properties fail.  Where a byte is another, all are explored;
and in their turn some are explored whatever is kept (decision 66).

    python -m tests.proofs.mutation.kept     explores all, and writes `kept.json`

What it does not know: which Python runs.  What is explored again looks for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdover.proofs.kept import names_in_turn
from holdover.proofs.mutation.record import sources
from holdover.proofs.mutation.samples import Sample, counts, samples

FILE = Path(__file__).with_name("kept.json")


@dataclass(frozen=True)
class Summary:
    """What was seen in a configuration: states, steps, depth; rows that fire; what is broken."""

    complete: bool
    size: tuple[int, ...]
    fired: tuple[str, ...]
    broken: tuple[str, ...]

    @classmethod
    def of(cls, known: Sample) -> Summary:
        """What is seen today."""
        seen = known.seen
        fired, broken = sorted(seen.fired), sorted(seen.violations)
        return cls(seen.complete, counts(seen), tuple(fired), tuple(broken))

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Summary:
        """What is kept."""
        return cls(data["complete"], *(tuple(data[name]) for name in ("size", "fired", "broken")))


def kept_explorations(file: Path = FILE) -> dict[str, Summary]:
    """What is kept of each configuration; nothing where the sources are others."""
    data = json.loads(file.read_text("utf-8"))
    found = data["explored"] if data["sources"] == sources() else {}
    return {name: Summary.read(each) for name, each in found.items()}


def seen_in_each(turn: int | None, before: Mapping[str, Summary]) -> dict[str, Summary]:
    """Of each configuration what is kept, or what is seen now; `turn` None: all are explored.

    ValueError where another thing is seen than what is kept.
    """
    names = [known.setting.name for known in samples()]
    again, found = set(names_in_turn(names, turn)), dict[str, Summary]()
    for known in samples():
        name = known.setting.name
        if name in before and name not in again:
            found[name] = before[name]
            continue
        found[name] = Summary.of(known)
        if before.get(name, found[name]) != found[name]:
            raise ValueError(f"{name}: {found[name]}, and kept is {before[name]}")
    return found


def as_text(found: Iterable[tuple[str, Summary]]) -> str:
    """What is kept, a configuration a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(vars(seen))}" for name, seen in found]
    body = ",\n".join(lines)
    return f'{{"sources": "{sources()}",\n"explored": {{\n{body}\n}}}}\n'


if __name__ == "__main__":
    FILE.write_text(as_text(seen_in_each(None, {}).items()), "utf-8")
