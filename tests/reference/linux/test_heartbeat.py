"""Whether the kernel answers: here it is a function that can be kept."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from holdover.reference.core.instants import SECOND
from holdover.reference.linux.kernel import clock
from holdover.reference.linux.kernel.heartbeat import MISSED, REMEMBERED, Heartbeat
from holdover.reference.linux.kernel.rtnetlink import KernelRefusedError
from tests.slow import stretched

LONG = 60 * SECOND
SHORT = SECOND // 100

SOON = 10
"""Seconds within which a thread tells another, times `stretched()`."""


class Kernel:
    """Answers at once, or while `free` is cleared, not; `asked`: how often it was asked."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.asked = 0
        self.refuses = False

    def ask(self) -> None:
        self.asked += 1
        self.free.wait()
        if self.refuses:
            raise KernelRefusedError(1, "not permitted")


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    yield made
    made.free.set()


@pytest.fixture
def heart(kernel: Kernel) -> Iterator[Heartbeat]:
    with closing(Heartbeat(kernel.ask)) as made:
        yield made


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The clock, for a test to set."""
    now = [1000 * SECOND]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    return now


def readable(heart: Heartbeat, seconds: float = 0) -> bool:
    return bool(select.select([heart], [], [], seconds)[0])


def test_a_kernel_that_is_free_answers(kernel: Kernel, heart: Heartbeat) -> None:
    assert heart.answers(LONG)
    assert heart.answers(None)
    assert (kernel.asked, heart.slowest(clock.now())) == (2, 0)
    assert not readable(heart)


def test_a_refusal_is_an_answer(kernel: Kernel, heart: Heartbeat) -> None:
    kernel.refuses = True
    assert heart.answers(LONG)


def test_a_beat_that_is_out_is_not_the_answer_to_a_later_question(
    kernel: Kernel, heart: Heartbeat
) -> None:
    kernel.free.clear()
    heart.beat()
    assert not heart.answers(SHORT)
    kernel.free.set()
    assert heart.answers(LONG)
    assert kernel.asked == 3


def test_who_would_wait_for_long_makes_it_itself_where_none_is_out(
    kernel: Kernel, heart: Heartbeat, time: list[int]
) -> None:
    by: list[int] = []
    ask = heart._ask

    def asked() -> None:
        by.append(threading.get_ident())
        time[0] += MISSED + 1
        ask()

    heart._ask = asked
    assert heart.answers(LONG)
    assert heart.answers(None)
    assert heart.answers(SECOND)
    assert [each == threading.get_ident() for each in by] == [True, True, False]
    assert heart.came_back() == [MISSED + 1] * 3
    kernel.free.clear()
    heart.beat()
    threading.Timer(0.05, kernel.free.set).start()
    assert heart.answers(LONG)
    assert [each == threading.get_ident() for each in by[3:]] == [False, False]


def test_there_is_one_beat_at_a_time(kernel: Kernel, heart: Heartbeat) -> None:
    kernel.free.clear()
    for _ in range(3):
        heart.beat()
    kernel.free.set()
    assert heart.answers(LONG)
    assert kernel.asked == 2


def test_who_waited_in_vain_is_woken(kernel: Kernel, heart: Heartbeat) -> None:
    kernel.free.clear()
    assert not heart.answers(SHORT)
    assert not readable(heart)
    kernel.free.set()
    assert readable(heart, SOON * stretched())
    assert heart.came_back() == []
    assert not readable(heart)


def test_a_missed_beat_is_noticed_told_when_it_is_back_and_remembered_for_an_hour(
    kernel: Kernel, heart: Heartbeat, time: list[int]
) -> None:
    kernel.free.clear()
    heart.beat()
    while not kernel.asked:
        pass
    time[0] += MISSED
    assert not heart.is_missed(time[0])
    time[0] += 3 * SECOND
    assert heart.is_missed(time[0])
    assert heart.slowest(time[0]) == MISSED + 3 * SECOND
    kernel.free.set()
    assert readable(heart, SOON * stretched())
    assert heart.came_back() == [MISSED + 3 * SECOND]
    assert heart.came_back() == []
    assert not heart.is_missed(time[0])
    assert heart.slowest(time[0] + REMEMBERED - 1) == MISSED + 3 * SECOND
    assert heart.slowest(time[0] + REMEMBERED) == 0


def test_one_that_the_kernel_keeps_is_left_to_itself(kernel: Kernel) -> None:
    heart = Heartbeat(kernel.ask)
    kernel.free.clear()
    heart.beat()
    heart.close()
    kernel.free.set()
