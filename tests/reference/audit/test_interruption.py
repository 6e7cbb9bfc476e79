"""Ctrl-C ends the reading and nothing else."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from holdover.reference.audit.interruption import Interruption


def ctrl_c(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_read_is_thought_about_to_its_end(number: int) -> None:
    read, thought = [], []
    found = Interruption()
    with found.heard():
        for each in found.until(iter(range(10))):
            read.append(each)
            if each == 3:
                ctrl_c(number)
            thought.append(each)
    assert found.came
    assert read == thought == [0, 1, 2, 3]


def test_a_source_that_says_nothing_is_left() -> None:
    def silent() -> Iterator[int]:
        yield 1
        ctrl_c()
        threading.Event().wait(600)
        yield 2

    found = Interruption()
    with found.heard():
        assert list(found.until(silent())) == [1]
    assert found.came


def test_a_second_one_ends_the_program() -> None:
    found = Interruption()
    with found.heard():
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()


def test_without_one_all_is_read_and_signals_are_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    found = Interruption()
    with found.heard():
        assert list(found.until(iter(range(3)))) == [0, 1, 2]
    assert not found.came
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_of_the_source_is_no_interruption() -> None:
    def bad() -> Iterator[int]:
        yield 1
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(Interruption().until(bad()))


def test_a_source_that_looks_for_it_ends_by_itself() -> None:
    stop = threading.Event()
    with Interruption(stop).heard():
        ctrl_c()
        assert stop.wait(60)
