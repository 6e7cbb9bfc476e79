"""Which other conjuncts each step of T3 and T6 takes: `python -m holdover.proofs.theorems.reasons`.

Z3's unsatisfiable cores, made smaller one premise at a time.  What is printed is the file
`proofs/logic/reasons.toml`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

import z3

from holdover.proofs.logic.first_order import Logic
from holdover.proofs.logic.formula import Formula
from holdover.proofs.logic.obligations import Case, Obligation, assumptions, obligations, reasons
from holdover.proofs.logic.read_by_z3 import read_by_z3
from holdover.proofs.logic.solvers import EFFORT
from holdover.proofs.theorems.t3_grace import sufficient
from holdover.proofs.theorems.t6_displaced import cases

LESS = 1_000_000
"""What Z3 may spend on finding out that a premise is not needed."""

HEADER = """# Which other conjuncts a row takes to keep a conjunct: see reasons.py.
# A row that is not listed keeps it by its guards and the conjunct itself.
"""


def claims() -> Iterator[tuple[Case, Sequence[str]]]:
    """T3 and the parts of T6, each with its conjuncts that no claim before it has.

    A claim's steps by rows that those before it rule out are listed as well (`of_row`).
    """
    known: set[str] = set()
    for claim in (sufficient(), *(case for case, _ in cases())):
        own = [each.name for each in claim.invariant if each.name not in known]
        known.update(own)
        yield claim, own


def find_needed(obligation: Obligation, names: Mapping[Formula, str]) -> Sequence[str] | None:
    """The conjuncts among the premises without which Z3 does not find the proof.

    None, where the row's guards and the conjunct itself suffice.  It is asked of all premises, and
    where that is too much for it, of those that the list names today.
    """
    *before, goal = obligation.assertions
    own, (premises, (said,)) = read_by_z3(before, [goal])

    def core(chosen: Sequence[int], effort: int) -> list[int] | None:
        solver = z3.Solver(ctx=own)
        solver.set("rlimit", effort)
        for number in chosen:
            solver.assert_and_track(premises[number], str(number))
        solver.add(said)
        if solver.check() != z3.unsat:
            return None
        return sorted(int(str(name)) for name in solver.unsat_core())

    alone = [
        n for n, t in enumerate(before) if names.get(t, obligation.conjunct) == obligation.conjunct
    ]
    if core(alone, LESS) is not None:
        return None
    kept = core(range(len(premises)), EFFORT["z3"])
    if kept is None:
        listed = reasons().get((obligation.row, obligation.conjunct), ())
        kept = core(
            [
                n
                for n, t in enumerate(before)
                if names.get(t, "") in ("", obligation.conjunct, *listed)
            ],
            EFFORT["z3"],
        )
    if kept is None:
        raise ValueError(f"{obligation.name} is not proved")
    for number in reversed(kept):
        if number in kept and before[number] in names:
            kept = core([other for other in kept if other != number], LESS) or kept
    return [names[before[number]] for number in kept if before[number] in names]


def of_row(row: str) -> list[tuple[str, str, list[str]]]:
    """Conjunct, row, and the other conjuncts: the steps of a row that take more than itself."""
    found, known = [], set[str]()
    for claim, _ in claims():
        logic = Logic(claim.fixed)
        names = {logic.read(each.term, {}): each.name for each in claim.invariant}
        names.update((term, "") for term in assumptions(claim, logic))
        for obligation in obligations(claim):
            if obligation.row != row or obligation.conjunct in known:
                continue
            known.add(obligation.conjunct)
            others = find_needed(obligation, names)
            if others is not None:
                said = [name for name in others if name not in ("", obligation.conjunct)]
                found.append((obligation.conjunct, row, said))
    return found


def main() -> None:
    """Print the list."""
    rows = list(dict.fromkeys(o.row for claim, _ in claims() for o in obligations(claim)))
    rows.remove("initially")
    with ProcessPoolExecutor() as pool:
        steps = [step for found in pool.map(of_row, rows) for step in found]
    out = sys.stdout
    out.write(HEADER)
    for conjunct in [name for _, own in claims() for name in own]:
        lines = [(row, others) for name, row, others in steps if name == conjunct]
        if lines:
            out.write(f"\n[{conjunct}]\n")
        for row, others in lines:
            listed = ", ".join(f'"{name}"' for name in others)
            out.write(f"{row} = [{listed}]\n")


if __name__ == "__main__":
    main()
