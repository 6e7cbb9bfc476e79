"""Whether two hosts answer for one address, from records made by hand; no link is built."""

from pathlib import Path

import pytest

from holdover.model.clients.profile import load
from holdover.model.errors import InputError
from holdover.proofs.result import Outcome
from holdover.reference.lab.collision.collision import (
    OverlapRecord,
    PlayedCollision,
    judge_record,
    play,
)
from holdover.reference.lab.collision.plan import SURROUNDINGS
from holdover.reference.lab.collision.schedule import Plan
from holdover.reference.lab.record.record import Captured, Change
from tests.reference.lab.test_measure import LEASED, A, B, added, answer, record, removed, said

GRANTED = (said(0), said(10.5, hardware=B))
ASKED = (answer(11, A), answer(11, B))
BOTH: tuple[Change, ...] = (added(0.1), added(10.6, host="b"))
MOVED: tuple[Change, ...] = (added(0.1), removed(10), added(10.6, host="b"))


def seen(*frames: Captured, kernel: tuple[Change, ...], gap: str | None = None) -> OverlapRecord:
    return judge_record(record(*frames, seen=kernel, end=14, gap=gap), LEASED)


def test_two_that_answer_are_a_violation() -> None:
    found = seen(*GRANTED, *ASKED, kernel=BOTH)
    assert (found.outcome, found.answered) == ("violated", (A.hex(":"), B.hex(":")))
    assert found.duplicate == pytest.approx(3.4)


def test_one_that_answers_after_the_other_let_go_is_none() -> None:
    found = seen(*GRANTED, answer(5, A), answer(11, B), kernel=MOVED)
    assert (found.outcome, found.answered, found.duplicate) == ("holds", (B.hex(":"),), 0)


def test_an_answer_in_the_moment_of_the_change_counts() -> None:
    """The first host's address goes a moment after the second one has it."""
    kernel = (added(0.1), added(10.6, host="b"), removed(10.63))
    found = seen(*GRANTED, answer(10.61, A), answer(11, B), kernel=kernel)
    assert (found.outcome, found.duplicate) == ("violated", 0)


@pytest.mark.parametrize(
    ("frames", "kernel", "gap", "words"),
    [
        ((*GRANTED, *ASKED), BOTH, "3 frames were dropped", "3 frames were dropped"),
        ((said(0), *ASKED), BOTH, None, "no DHCPACK of 10.77.0.50 for 02:00:00:00:00:02"),
        ((*GRANTED, *ASKED), (added(0.1),), None, "02:00:00:00:00:02 never had"),
        ((*GRANTED, answer(11, B)), BOTH, None, "not both were heard to answer"),
        (GRANTED, MOVED, None, "nobody who has"),
        ((*GRANTED, answer(11, A)), MOVED, None, "nobody who has"),
    ],
)
def test_what_is_not_on_record_is_unknown(frames, kernel, gap, words) -> None:  # type: ignore[no-untyped-def]
    found = seen(*frames, kernel=kernel, gap=gap)
    assert found.outcome == "unknown"
    assert words in found.reason


def test_without_a_verdict_of_the_model_nothing_is_played(tmp_path: Path) -> None:
    plan = Plan(load("wfwg311"), SURROUNDINGS, "unknown", "cut off", (), made_to_stay=False)
    found = play(plan, tmp_path / "place", print)
    assert (found.seen.outcome, found.as_predicted) == ("unknown", None)
    assert "cut off" in found.seen.reason
    assert not (tmp_path / "place").exists()


def test_a_record_is_not_written_over(tmp_path: Path) -> None:
    plan = Plan(load("wfwg311"), SURROUNDINGS, "violated", "", (), made_to_stay=False)
    (tmp_path / "record").mkdir()
    with pytest.raises(InputError, match="name another folder"):
        play(plan, tmp_path, print)


def test_a_prediction_is_compared() -> None:
    plan = Plan(load("wfwg311"), SURROUNDINGS, "violated", "", (), made_to_stay=False)
    expected: dict[Outcome, bool | None] = {"violated": True, "holds": False, "unknown": None}
    for outcome, same in expected.items():
        found = PlayedCollision(
            plan=plan, seen=OverlapRecord(outcome=outcome, reason=""), record=Path()
        )
        assert found.as_predicted is same
