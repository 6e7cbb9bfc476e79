"""Runs that begin alike share what they read, and each is as it is by itself."""

from __future__ import annotations

from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.logic import unrolled
from holdover.proofs.logic.formula import Formula
from holdover.proofs.theorems.t3_runs import run, ways


def read(way_first: bool) -> dict[str, list[Formula]]:
    """The guards of T3's runs, each after all others; or each as the only one."""
    found = {}
    for way in list(ways())[:40]:
        if way_first:
            unrolled._begun.cache_clear()
        path = run(way)
        found[way.name] = [g for _, g in path.conditions] + list(path.here.values.values())
    return found


def test_a_run_is_the_same_after_others() -> None:
    alone, after = read(way_first=True), read(way_first=False)
    assert alone.keys() == after.keys()
    for name, terms in alone.items():
        assert list(map(id, terms)) == list(map(id, after[name])), name


def test_a_row_with_another_parameter_is_another_step() -> None:
    (way, *_) = ways()
    ends = []
    for passing in (1, 2):
        path = unrolled.SymbolicRun(LEASE_TABLE, unrolled.sizes_of(2, 1, 2), way.fixed())
        path.take("tick", passing=passing)
        ends.append(path.here.values["now", 0].of)
    assert ends == [1, 2]
