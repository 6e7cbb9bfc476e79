"""Cells that the machine has spoiled are played once more.

Theory of operation.  Whoever has the kernel's networking lock keeps everybody from removing an
address, the kernel too.  Where that was so long that it may be the whole of a client's lateness,
the verdict is unknown, with that reason (`verdict.py`).  It tells something of the machine and
nothing of the client, so the cell may be played again.  Nothing else is a reason to: a cell that is
unknown for what its client did stays so, and so does one of which something is known.

What it does not know: who had the lock.  It is the lab itself, mostly: it makes and deletes
namespaces while other cells are watched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from holdover.reference.lab.experiments.experiment import Cell, Outcome, play_all
from holdover.reference.lab.experiments.verdict import Verdict, laid_to_the_lock, verdict


def play_until_known(
    cells: Sequence[Cell], place: Path, at_once: int, again: int, told: Callable[[Outcome], None]
) -> tuple[list[Verdict], int]:
    """Play cells; the spoiled ones again, so often at most.  Verdicts, and how many were repeated.

    The verdicts are in the order of the cells.
    """
    verdicts = [verdict(outcome) for outcome in play_all(cells, place, at_once, told)]
    repeated = 0
    for number in range(again):
        spoiled = [index for index, each in enumerate(verdicts) if is_spoiled(each)]
        if not spoiled:
            break
        repeated += len(spoiled)
        there = place / f"again-{number}"
        there.mkdir()
        anew = play_all([cells[index] for index in spoiled], there, at_once, told)
        for index, outcome in zip(spoiled, anew, strict=True):
            verdicts[index] = verdict(outcome)
    return verdicts, repeated


def is_spoiled(each: Verdict) -> bool:
    """Whether it is unknown since somebody had the networking lock, and for no other reason."""
    seen = each.measured
    return each.says == "unknown" and seen is not None and each.reason == laid_to_the_lock(seen)
