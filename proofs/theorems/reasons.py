"""Which other conjuncts each step of T3 takes: `python -m holdover.proofs.theorems.reasons`.

Z3's unsatisfiable cores, made smaller one premise at a time.  What is printed is the file
`proofs/logic/reasons.toml`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

import z3

from holdover.proofs.logic.first_order import Logic
from holdover.proofs.logic.formula import Formula
from holdover.proofs.logic.obligations import Obligation, assumptions, obligations
from holdover.proofs.logic.solvers import EFFORT, read_by_z3
from holdover.proofs.theorems.t3_grace import sufficient

LESS = 1_000_000
"""What Z3 may spend on finding out that a premise is not needed."""

HEADER = """# Which other conjuncts a row takes to keep a conjunct: see reasons.py.
# A row that is not listed keeps it by its guards and the conjunct itself.
"""


def find_needed(obligation: Obligation, names: Mapping[Formula, str]) -> Sequence[str] | None:
    """The conjuncts among the premises without which Z3 does not find the proof.

    None, where the row's guards and the conjunct itself suffice.
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
        raise ValueError(f"{obligation.name} is not proved")
    for number in reversed(kept):
        if number in kept and before[number] in names:
            kept = core([other for other in kept if other != number], LESS) or kept
    return [names[before[number]] for number in kept if before[number] in names]


def of_row(row: str) -> list[tuple[str, str, list[str]]]:
    """Conjunct, row, and the other conjuncts: the steps of a row that take more than itself."""
    claim = sufficient()
    logic = Logic(claim.fixed)
    names = {logic.read(each.term, {}): each.name for each in claim.invariant}
    names.update((term, "") for term in assumptions(claim, logic))
    found = []
    for obligation in obligations(claim):
        if obligation.row == row and (others := find_needed(obligation, names)) is not None:
            said = [name for name in others if name not in ("", obligation.conjunct)]
            found.append((obligation.conjunct, row, said))
    return found


def main() -> None:
    """Print the list."""
    claim = sufficient()
    rows = [row for row in dict.fromkeys(o.row for o in obligations(claim)) if row != "initially"]
    with ProcessPoolExecutor() as pool:
        steps = [step for found in pool.map(of_row, rows) for step in found]
    out = sys.stdout
    out.write(HEADER)
    for conjunct in claim.invariant:
        lines = [(row, others) for name, row, others in steps if name == conjunct.name]
        if lines:
            out.write(f"\n[{conjunct.name}]\n")
        for row, others in lines:
            listed = ", ".join(f'"{name}"' for name in others)
            out.write(f"{row} = [{listed}]\n")


if __name__ == "__main__":
    main()
