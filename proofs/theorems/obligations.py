"""Every obligation of every theorem: what must have no model.

T0, T2, T3 and T6 are proved by obligations.  T1, T4 and T5 are explored or replayed: what they say
is found by running the table, and there is no proof of it.

What it does not know: the runs and premises that must have a model, which are no proofs.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdover.proofs.logic.obligations import Obligation, obligations
from holdover.proofs.theorems import t0_time_passes, t2_safety, t6_displaced
from holdover.proofs.theorems.t3_grace import lemma, necessary, reaching_term, sufficient
from holdover.proofs.theorems.t3_runs import combined_ways, ways


def all_obligations() -> Iterator[Obligation]:
    """Those of T2, T3, T0 and T6; with the one of T2 that must fail (`t2_safety.BROKEN_BY`)."""
    for case in [*(case for _, case in t2_safety.cases()), sufficient()]:
        yield from obligations(case)
    yield from lemma()
    yield reaching_term()[0]
    for way in (*ways(), *combined_ways()):
        yield necessary(way)[0]
    yield from t0_time_passes.all_obligations()
    yield from t6_displaced.all_obligations()


def proved_obligations() -> Iterator[Obligation]:
    """Those that must have no model."""
    return (each for each in all_obligations() if t2_safety.expected_answer(each) == "unsat")


def file_name(obligation: Obligation) -> str:
    """Where an obligation stands below a directory, without a suffix."""
    return obligation.name.replace(", ", "_").replace(" ", "-")
