"""What bounded model checking is told: only what a solver has proved, and nothing else changes."""

from __future__ import annotations

import pytest
import z3

from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.proofs.logic.bitvectors import Symbolic
from holdover.proofs.logic.invariants import LEASED, OWNED
from holdover.proofs.logic.model_checking import check_depth, proved_lemmas
from holdover.proofs.theorems.t1_lemmas import LEMMAS
from holdover.proofs.theorems.t1_refutation import instance
from tests.proofs.logic.test_bitvectors import PINNED, PROPERTIES

MODEL = instance()
NEVER = Property("never", "", "", EXCLUSIVE.term & ~EXCLUSIVE.term)


def test_each_lemma_of_t1_is_proved() -> None:
    """Else the search would do without it, and nobody would see why it takes so long."""
    assert proved_lemmas(Symbolic(MODEL), LEMMAS).lemmas == LEMMAS


def test_a_lemma_that_a_row_breaks_is_not_told() -> None:
    """A host may answer for an address that is on record for another: it collides."""
    assert proved_lemmas(Symbolic(MODEL), (EXCLUSIVE, OWNED, *LEMMAS)).lemmas == LEMMAS


def test_a_lemma_that_is_false_at_the_start_is_not_told() -> None:
    assert proved_lemmas(Symbolic(MODEL), (NEVER,)).lemmas == ()


def test_a_solver_that_gives_up_proves_none() -> None:
    assert proved_lemmas(Symbolic(MODEL), LEMMAS, lambda solver: z3.unknown).terms == ()


def test_items_are_codes_of_something_and_stay_so() -> None:
    reading = Symbolic(MODEL)
    assert [term.eq(reading.coded) for term in proved_lemmas(reading, ()).terms] == [True]
    of_nothing = {"notice": [3], "owner": [2], "lease_end": [4, 5, 6, 7, 8, 9]}
    for name, wrong in of_nothing.items():
        slot = MODEL.place[name, 0]
        for number in range(1 << reading.ranges[slot].width):
            state = list(reading.start)
            state[slot] = z3.BitVecVal(number, reading.ranges[slot].width)
            said = z3.simplify(reading.at(reading.coded, state, reading.row, state))
            assert z3.is_true(said) is (number not in wrong)


@pytest.mark.kept("searches that are told")
@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("server forgets", "one_commitment"),
        ("server forgets", "exclusive"),
        ("freertos", "within_lease"),
        ("wfwg311", "released_first"),
    ],
)
def test_a_search_that_is_told_finds_the_same(name: str, broken: str) -> None:
    """The shortest run is as long as that of the explorer."""
    found = check_depth(PINNED[name].instance(), PROPERTIES[broken], 30, lemmas=(*LEASED, *LEMMAS))
    assert (found.outcome, found.depth) == ("violated", PINNED[name].broken[broken])
