"""Every obligation of every theorem: what must have no model, and so has a certificate.

T0, T2, T3, T6 and T7 are proved by obligations.  T1, T4 and T5 are explored or replayed: what they
say is found by running the table, and there is no proof of it.

What it does not know: the runs and premises that must have a model, which are no proofs.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdover.proofs.logic.obligations import Obligation, obligations
from holdover.proofs.theorems import t0_time_passes, t2_safety, t6_displaced, t7_contested
from holdover.proofs.theorems.t3_grace import lemma, necessary, reaching_term, sufficient
from holdover.proofs.theorems.t3_runs import combined_ways, ways

PROVED = ("T0", "T2", "T3", "T6", "T7")
"""The theorems that are proved by obligations; each of these has a certificate."""


def all_obligations() -> Iterator[Obligation]:
    """Those of T2, T3, T0, T6 and T7; with the one of T2 that must fail (`t2_safety.BROKEN_BY`)."""
    for _, found in sources():
        yield from found


def sources() -> Iterator[tuple[str, Iterator[Obligation]]]:
    """How the names begin of the obligations that belong together, and these."""
    for _, case in t2_safety.cases():
        yield case.name, obligations(case)
    yield "T3", of_t3()
    yield "T0", t0_time_passes.all_obligations()
    yield "T6", t6_displaced.all_obligations()
    yield "T7", t7_contested.all_obligations()


def of_t3() -> Iterator[Obligation]:
    """The lemma, that enough suffices, and that less does not."""
    yield from lemma()
    yield from obligations(sufficient())
    yield reaching_term()[0]
    for way in (*ways(), *combined_ways()):
        yield necessary(way)[0]


def certified_obligations(only: str = "") -> Iterator[Obligation]:
    """Those that have a certificate: what must have no model.

    `only`: those whose names begin so.
    """
    for name, found in sources():
        if name.startswith(only) or only.startswith(name):
            yield from (o for o in found if o.name.startswith(only) and is_proved(o))


def is_proved(obligation: Obligation) -> bool:
    """Whether it must have no model."""
    return t2_safety.expected_answer(obligation) == "unsat"


def file_name(obligation: Obligation) -> str:
    """Where an obligation stands below a directory, without a suffix."""
    return obligation.name.replace(", ", "_").replace(" ", "-")
