"""Runs that are alike share what they read, and each is as it is by itself."""

from __future__ import annotations

import pytest

from holdover.model.table.expr import Expr
from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.logic import unrolled
from holdover.proofs.logic.formula import Formula
from holdover.proofs.theorems.t3_runs import Way, combined_ways, run, ways

Read = dict[str, list[int]]


def some() -> list[Way]:
    """Runs of several kinds of hosts, of which many begin alike."""
    return [*list(ways())[:40], *list(combined_ways())[::20]]


def read(way: Way) -> list[Formula]:
    """The guards of a run, and the state at its end."""
    path = run(way)
    return [*(guard for _, guard in path.conditions), *path.here.values.values()]


@pytest.fixture(scope="module")
def alone() -> tuple[Read, list[list[Formula]]]:
    """What each run reads if nothing is kept; and the formulas, so that their addresses stay."""
    kept, found = [], {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(unrolled.Unrolled, "_meanings", lambda *_: None)
        for way in some():
            unrolled._begun.cache_clear()
            kept.append(read(way))
            found[way.name] = list(map(id, kept[-1]))
    unrolled._begun.cache_clear()
    return found, kept


def after_others() -> Read:
    """The same, each after all others, where nothing was read before."""
    unrolled._begun.cache_clear()
    unrolled._seen.cache_clear()
    kept = [(way, read(way)) for way in some()]
    return {way.name: list(map(id, terms)) for way, terms in kept}


def test_a_run_is_the_same_after_others(alone: tuple[Read, object]) -> None:
    assert after_others() == alone[0]


@pytest.mark.parametrize("part", ["slots", "constants", "parameters", "names_unset"])
def test_a_meaning_depends_on_each_part_of_what_it_is_kept_by(
    part: str, alone: tuple[Read, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the items of the state, say, a term would mean what it meant in another state."""

    class Without(unrolled._Term):
        def __init__(self, term: Expr, sizes: unrolled.Sizes):
            super().__init__(term, sizes)
            setattr(self, part, ())

    monkeypatch.setattr(unrolled, "_Term", Without)
    try:
        found = after_others()
    except ValueError:  # an index was read that is open in this state
        return
    finally:
        unrolled._begun.cache_clear()
        unrolled._seen.cache_clear()
    assert found != alone[0]


def test_of_a_term_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more states, what was kept is dropped, and a term means the same."""
    monkeypatch.setattr(unrolled, "STATES", 3)
    unrolled._begun.cache_clear()
    unrolled._seen.cache_clear()
    (way, *_) = ways()
    first = read(way)
    path = unrolled.SymbolicRun(LEASE_TABLE, unrolled.sizes_of(2, 1, 2), way.fixed())
    for passing in range(10):
        path.take("tick", passing=passing)
    kept = [known for known, _ in path.here.kind.meanings.values()]
    assert max(map(len, kept)) == 3
    assert list(map(id, read(way))) == list(map(id, first))


def test_a_row_with_another_parameter_is_another_step() -> None:
    (way, *_) = ways()
    ends = []
    for passing in (1, 2):
        path = unrolled.SymbolicRun(LEASE_TABLE, unrolled.sizes_of(2, 1, 2), way.fixed())
        path.take("tick", passing=passing)
        ends.append(path.here.values["now", 0].of)
    assert ends == [1, 2]
