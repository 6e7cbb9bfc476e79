"""What two items can be together: never less than the explorer sees, and proved by a solver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
import z3

from holdover.model.explorer.explore import explore
from holdover.model.readings.finite import Instance
from holdover.model.readings.ground import Ground, compound, place, value
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.vocabulary import phase
from holdover.proofs.logic.bitvectors import Symbolic
from holdover.proofs.logic.invariants import LEASED, OWNED
from holdover.proofs.logic.model_checking import DisagreementError, check_depth, proved_lemmas
from holdover.proofs.logic.pairs import ANY, Pairs, Together, UntimedRow, values
from holdover.proofs.theorems import t1_refutation
from holdover.proofs.theorems.t1_lemmas import LEMMAS
from tests.proofs.logic.test_bitvectors import CASES, PINNED, PROPERTIES

MODEL = t1_refutation.instance()


@pytest.fixture(scope="module")
def found() -> Pairs:
    return Pairs(MODEL)


# Against the explorer ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "instance",
    [
        lambda: MODEL,
        CASES["a server that forgets"],
        CASES["every passing fault"],
        CASES["a monotonic clock, suspended"],
        CASES["one effect on top of another"],
    ],
    ids=["T1", "forgets", "every passing fault", "suspended", "one on another"],
)
def test_whatever_the_explorer_sees_is_possible(instance: Callable[[], Instance]) -> None:
    model = instance()
    pairs, seen = Pairs(model), explore(model)
    told = list(pairs.facts())
    assert told
    for number in range(0, len(seen.states), max(1, len(seen.states) // 3000)):
        state = seen.states[number]
        assert {edge for edge, _ in seen.instance.successors(state)} <= pairs.possible
        for slot, may_be in pairs.values.items():
            assert state[slot] in may_be
        for fact in told:
            assert state[fact.key] != fact.value or state[fact.slot] in fact.among


def test_what_is_said_is_worth_it(found: Pairs) -> None:
    """A client in INIT wants no address; nobody sleeps, and no row wakes anybody."""
    client, wants = MODEL.place["phase", 1], MODEL.place["wants", 1]
    assert Together(client, 0, wants, (-1,)) in set(found.facts())
    assert found.values[MODEL.place["asleep", 0]] == {0}
    never = {label.action.name for n, label in enumerate(MODEL.labels) if n not in found.possible}
    assert {"use", "resume", "withhold"} <= never
    assert not never & {"tick", "bind", "lapse", "mute"}


# Terms -------------------------------------------------------------------------------------------

NO, YES, BOTH = frozenset({0}), frozenset({1}), frozenset({0, 1})


@pytest.mark.parametrize(
    ("term", "may_be"),
    [
        (ANY, BOTH),
        (value(3), frozenset({3})),
        (compound("not", (place(1),)), NO),
        (compound("and", (place(0), place(1))), BOTH),
        (compound("and", (place(0), ANY, value(False))), NO),
        (compound("or", (place(1), ANY)), YES),
        (compound("or", (place(0), place(0))), BOTH),
        (compound("eq", (place(2), value(5))), BOTH),
        (compound("eq", (place(2), value(6))), NO),
        (compound("ite", (place(1), place(2), value(9))), frozenset({4, 5})),
        (compound("ite", (place(0), place(2), value(9))), frozenset({4, 5, 9})),
    ],
)
def test_the_values_of_a_term(term: Ground, may_be: frozenset[int]) -> None:
    here: Mapping[int, frozenset[int]] = {0: BOTH, 1: YES, 2: frozenset({4, 5})}
    assert values(term, here) == may_be


# Proved ------------------------------------------------------------------------------------------


def test_each_lemma_of_t1_is_proved() -> None:
    """Else the search would do without it, and nobody would see why it takes so long."""
    assert proved_lemmas(Symbolic(MODEL), LEMMAS).lemmas == LEMMAS


def test_a_lemma_that_a_row_breaks_is_not_told() -> None:
    """A host may answer for an address that is on record for another: it collides."""
    assert proved_lemmas(Symbolic(MODEL), (EXCLUSIVE, OWNED, *LEMMAS)).lemmas == LEMMAS


def test_a_lemma_that_is_false_at_the_start_is_not_told() -> None:
    never = Property("never", "", "", EXCLUSIVE.term & ~EXCLUSIVE.term)
    assert proved_lemmas(Symbolic(MODEL), (never,)).lemmas == ()


def wrong(pairs: Pairs) -> Iterator[Together]:
    """That who is BOUND holds nothing."""
    model = pairs.instance
    bound = phase.sort.values.index("BOUND")
    yield Together(model.place["phase", 0], bound, model.place["holds", 0], (-1,))


def forgetful(name: str) -> Callable[[Pairs], Iterator[tuple[int, UntimedRow]]]:
    """The rows without this one, as if its guards could never hold."""
    rows = Pairs._untimed_rows

    def others(self: Pairs) -> Iterator[tuple[int, UntimedRow]]:
        for number, row in rows(self):
            if self.instance.labels[number].action.name != name:
                yield number, row

    return others


@pytest.mark.parametrize("name", ["bind", "notify", "unmute", "offer"])
def test_a_row_that_was_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Pairs, "_untimed_rows", forgetful(name))
    with pytest.raises(DisagreementError, match="two items"):
        proved_lemmas(Symbolic(MODEL), LEMMAS)
    assert t1_refutation.known_in_seconds(MODEL) is None


def test_what_is_wrong_of_two_items_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pairs, "facts", wrong)
    with pytest.raises(DisagreementError, match="two items"):
        proved_lemmas(Symbolic(MODEL), LEMMAS)
    assert t1_refutation.known_in_seconds(MODEL) is None


def test_in_real_time_each_is_proved_too(monkeypatch: pytest.MonkeyPatch) -> None:
    known = t1_refutation.known_in_seconds(MODEL)
    assert known is not None
    assert known.lemmas == LEMMAS
    monkeypatch.setattr(t1_refutation, "LEMMAS", (*LEMMAS, OWNED))
    assert t1_refutation.known_in_seconds(MODEL) is None


def test_a_solver_that_gives_up_proves_none() -> None:
    assert proved_lemmas(Symbolic(MODEL), LEMMAS, lambda solver: z3.unknown).lemmas == ()


# Told --------------------------------------------------------------------------------------------


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
