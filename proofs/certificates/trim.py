"""Which lines of a refutation are of use: those that Z3 says, asked backwards.

Theory of operation.  Each line's clauses are told to Z3 under a name.  It is asked, without being
let search, what the contradiction in the end takes; then the same of each step that is taken, of
which only what stands before it may be used.  So many lines fall away at once; whether the rest is
a proof is asked of the checker.

What it does not know: whether a line that is left can be done without (`written.shortest`).
"""

from __future__ import annotations

from collections.abc import Sequence

from holdover.proofs.certificates.check import Proof
from holdover.proofs.certificates.letters import Letters
from holdover.proofs.certificates.written import ProofLine, again, holds, letter_of, words_of


def trim_lines(start: Proof, lines: Sequence[ProofLine]) -> list[ProofLine]:
    """The lines that are of use, or all, where Z3 does not say."""
    letters, proof = Letters(), again(start)
    letters.tell(proof)
    steps: dict[int, list[int]] = {}
    for place, line in enumerate(lines):
        if line.kind == "step":
            steps[place] = [letter_of(proof, each) for (each,) in line.letters]
        proof.line(words_of(proof, line))
        letters.tell(proof, None if line.kind == "atom" else letters.guard(place))
    letters.solver.set("smt.max_conflicts", 0)
    guards = [letters.guard(place) for place in range(len(lines))]
    places = {guard.get_id(): place for place, guard in enumerate(guards)}
    waiting, taken = {len(lines)}, set[int]()
    while waiting:
        place = max(waiting)
        waiting.remove(place)
        taken.add(place)
        denied = [letters.literal(proof, -letter) for letter in steps.get(place, ())]
        if place in steps or place == len(lines):
            if not letters.check(*guards[:place], *denied):
                return list(lines)
            core = {places.get(name.get_id()) for name in letters.solver.unsat_core()}
            waiting |= {each for each in core if each is not None} - taken
    kept = [line for place, line in enumerate(lines) if place in taken or line.kind == "atom"]
    return kept if holds(start, kept) else list(lines)
