"""A certificate for an obligation, built and handed to the checker.

Theory of operation.  The premises are those that are known to suffice (`reasons.py`), or those of
Z3's core; `ground.py` finds instances of them, `refute.py` sums and steps; then what is not needed
is left out.  A certificate that the checker does not accept is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdover.proofs.certificates import written
from holdover.proofs.certificates.check import Proof, check, tree_of
from holdover.proofs.certificates.ground import Item, ground, sorts_of
from holdover.proofs.certificates.refute import refutation
from holdover.proofs.certificates.written import NoProofError, ProofLine
from holdover.proofs.logic.obligations import Obligation
from holdover.proofs.logic.read_by_z3 import read_by_z3

MOST_SEARCHED = 10**12
"""What a search may spend, in the checker's units: it is limited by its cases."""


def expected_premises(obligation: Obligation) -> list[int]:
    """The assertions that are expected to suffice, by number."""
    place = {id(term): number for number, term in enumerate(obligation.assertions, 1)}
    return sorted({place[id(term)] for term in (*obligation.first, obligation.assertions[-1])})


def core(obligation: Obligation) -> list[int]:
    """The assertions of Z3's core."""
    import z3

    own, (terms,) = read_by_z3(obligation.assertions)
    solver = z3.Solver(ctx=own)
    for number, term in enumerate(terms, 1):
        solver.assert_and_track(term, f"k{number}")
    if solver.check() != z3.unsat:
        raise NoProofError("Z3 does not refute it")
    return sorted(int(str(name)[1:]) for name in solver.unsat_core())


def build(obligation: Obligation) -> str:
    """Its certificate; NoProofError if none is found."""
    said = obligation.smtlib()
    start, sorts = Proof(said), sorts_of(said)
    start.left = MOST_SEARCHED
    items = None
    if obligation.first:
        items = found_items(start, sorts, expected_premises(obligation))
    if items is None:
        items = found_items(start, sorts, core(obligation))
    if items is None:
        raise NoProofError("no instances found")
    lines = [line_of(item) for item in items]
    proof, _ = written.replay(start, lines)
    lines += refutation(proof)
    lines = written.shortest(start, lines)
    certificate = written.certificate(written.replay(start, lines)[1])
    if why := check(said, certificate):
        raise NoProofError(why)
    return certificate


def found_items(start: Proof, sorts: str, used: Sequence[int]) -> list[Item] | None:
    """The items that refute these assertions."""
    trees = [tree_of(start.asserted[number - 1])[1] for number in used]
    asserted = [(number, start.term(tree, {})) for number, tree in zip(used, trees, strict=True)]
    return ground(start, asserted, sorts)


def line_of(item: Item) -> ProofLine:
    """The line that says so."""
    about = (item.about, item.by) if item.kind == "every" else (item.about,)
    return ProofLine(item.kind, about)
