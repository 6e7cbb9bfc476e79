"""Why a step keeps a conjunct: which others it takes, so that a solver is asked about these first.

Most rows keep a conjunct by themselves: their guards and the conjunct before give the conjunct
after.  `reasons.toml` lists the steps that take more, and what.  An answer is that of the whole
obligation all the same: what follows from some of its premises follows from all.  If the list has
too little, a solver is asked again with all premises, and takes longer; nothing else depends on it.

`python -m holdover.proofs.theorems.reasons` prints the list as today's table has it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources


@cache
def reasons() -> Mapping[tuple[str, str], Sequence[str]]:
    """The names of the other conjuncts that a row takes to keep a conjunct, by row and conjunct."""
    text = (resources.files("holdover.proofs.logic") / "reasons.toml").read_text("utf-8")
    return {
        (row, conjunct): tuple(others)
        for conjunct, rows in tomllib.loads(text).items()
        for row, others in rows.items()
    }
