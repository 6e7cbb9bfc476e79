"""Which cells are played once more, and what becomes of the first figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.lab.experiments import again
from holdover.reference.lab.experiments.again import is_spoiled, play_until_known
from holdover.reference.lab.experiments.experiment import Cell, Outcome
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.verdict import verdict
from holdover.reference.lab.record.measure import Measurement, Unknown
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS

CELL = Cell(
    client=CLIENTS["dhclient"], server=SERVERS["holdover"], fault=FAULTS["server killed"], lease=10
)


def seen(holdover: float, kept: float = 0.0) -> Measurement:
    return Measurement(
        address=IPv4Address("10.77.0.50"),
        lease=10,
        holdover=holdover,
        at_least=holdover,
        uncertainty=0.01,
        enforcer="kernel",
        after_nak=None,
        duplicate=0.0,
        answered=0,
        kept=kept,
    )


IN_TIME, LATE, SPOILED = seen(-0.5), seen(0.9), seen(0.3, kept=0.5)


@pytest.mark.parametrize(
    ("result", "says", "spoiled"),
    [
        (IN_TIME, "holds", False),
        (LATE, "late", False),
        (SPOILED, "unknown", True),
        (seen(0.9, kept=0.5), "late", False),
        (seen(-0.5, kept=0.5), "holds", False),
        (seen(0.005), "unknown", False),
        (seen(0.005, kept=0.5), "unknown", False),
        (Unknown("the client has asked for nothing"), "unknown", False),
    ],
)
def test_a_cell_is_spoiled_by_who_had_the_lock_and_by_nothing_else(
    result: Measurement | Unknown, says: str, spoiled: bool
) -> None:
    each = verdict(Outcome(CELL, result, Path("nowhere")))
    assert (each.says, is_spoiled(each)) == (says, spoiled)


class Lab:
    """Gives each cell its results, one after the other."""

    def __init__(self, results: dict[int, list[Measurement | Unknown]]) -> None:
        self.results, self.played = results, list[list[int]]()

    def play_all(
        self, cells: Sequence[Cell], place: Path, at_once: int, told: Any
    ) -> list[Outcome]:
        assert place.is_dir()
        self.played.append([each.repeat for each in cells])
        return [Outcome(each, self.results[each.repeat].pop(0), place) for each in cells]


@pytest.mark.parametrize(
    ("most", "played", "last", "repeated"),
    [
        (0, [[1, 2, 3]], "unknown", 0),
        (1, [[1, 2, 3], [2, 3]], "unknown", 2),
        (2, [[1, 2, 3], [2, 3], [3]], "late", 3),
        (9, [[1, 2, 3], [2, 3], [3]], "late", 3),
    ],
)
def test_a_spoiled_cell_is_played_until_it_is_known_or_so_often(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    most: int,
    played: list[list[int]],
    last: str,
    repeated: int,
) -> None:
    lab = Lab({1: [IN_TIME], 2: [SPOILED, IN_TIME], 3: [SPOILED, SPOILED, LATE]})
    monkeypatch.setattr(again, "play_all", lab.play_all)
    cells = [replace(CELL, repeat=number) for number in (1, 2, 3)]
    verdicts, count = play_until_known(cells, tmp_path, 4, most, lambda outcome: None)
    assert lab.played == played
    assert [each.cell.repeat for each in verdicts] == [1, 2, 3]
    assert [each.says for each in verdicts] == ["holds", "unknown" if most == 0 else "holds", last]
    assert count == repeated
