"""What the explorations of the cores came to: kept, and each is made again in turn.

Theory of operation.  An exploration is a function of the sources: of the cores, of the wire, of the
lease table, and of what explores.  So `kept.json` has, under the digest of all of these, what was
seen in each setting of the server, whose states are many (decision 66), and of the client (decision
78).  Where a byte is another, all are explored; and in their turn some are explored whatever is
kept.

    python -m tests.reference.refinement.kept     explores all, and writes `kept.json`

What it does not know: which Python runs.  What is explored again looks for that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numba
import numpy as np

from holdover.proofs.kept import digest_of, names_in_turn
from holdover.reference.refinement.conformance import CHECKER
from holdover.reference.refinement.search import Refined, as_pinned, refine_all
from holdover.reference.refinement.setting import Setting, every_setting

FILE = Path(__file__).with_name("kept.json")


def sources() -> str:
    """The digest of what is explored, of what explores it, and of the versions that compile."""
    versions = f"numpy {np.__version__}", f"numba {numba.__version__}"
    return digest_of({name: Path(str(resources.files(name))) for name in CHECKER}, versions)


def as_data(seen: Refined) -> dict[str, object]:
    """What was seen in a setting, but for how often."""
    size = seen.states, seen.steps, seen.depth, seen.local, seen.searched
    return {
        "size": list(size),
        "taken": sorted([*situation, row] for situation, row in seen.taken),
        "observed": sorted([*cell[:-1], list(cell[-1])] for cell in seen.observed),
    }


def remembered(setting: Setting, data: Mapping[str, Any]) -> Refined:
    """A kept exploration, which came to its end without a defect."""
    states, steps, depth, local, searched = data["size"]
    taken = Counter(((role, phase, held), row) for role, phase, held, row in data["taken"])
    observed = Counter((phase, name, after, tuple(d)) for phase, name, after, d in data["observed"])
    return Refined(
        setting,
        states,
        steps,
        depth,
        local,
        complete=True,
        taken=taken,
        observed=observed,
        searched=searched,
    )


def kept(turn: int, file: Path = FILE) -> dict[str, Refined]:
    """The explorations that are taken as they were seen; none where the sources are others."""
    data = json.loads(file.read_text("utf-8"))
    found = data["explored"] if data["sources"] == sources() else {}
    again = set(names_in_turn(sorted(found), turn))
    todo = {setting.name: setting for setting in every_setting()}
    return {n: remembered(todo[n], found[n]) for n in found if n not in again}


def explore(turn: int | None, file: Path = FILE) -> Iterator[Refined]:
    """Every setting, as kept or explored now; `turn` None: all are explored."""
    known = {} if turn is None else kept(turn, file)
    yield from known.values()
    yield from refine_all(each for each in every_setting() if each.name not in known)


def write(found: Iterable[Refined], file: Path = FILE) -> None:
    """Keep what was seen in these settings; ValueError if it is not as pinned."""
    lines = []
    for seen in sorted(found, key=lambda each: each.setting.name):
        if not as_pinned(seen):
            raise ValueError(f"{seen.setting.name} is not as pinned: nothing is kept")
        lines.append(f"{json.dumps(seen.setting.name)}: {json.dumps(as_data(seen))}")
    body = ",\n".join(lines)
    text = f'{{"sources": "{sources()}",\n"explored": {{\n{body}\n}}}}\n'
    file.write_text(text, "utf-8")


if __name__ == "__main__":
    write(explore(None))
