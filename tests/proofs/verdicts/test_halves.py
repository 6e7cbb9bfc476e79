"""What two processes answer is what one does; a process that fails costs no answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import STANDARD, load
from holdover.proofs.logic.obligations import Obligation, obligations
from holdover.proofs.logic.solvers import Answer, first_answers
from holdover.proofs.verdicts import halves
from holdover.proofs.verdicts.halves import LEAST, first_answers_of_two
from holdover.proofs.verdicts.judge import exact_case, judge
from tests.checkout import ROOT


@pytest.fixture(scope="module")
def some() -> list[Obligation]:
    """The obligations of a client."""
    constants = ClientKind(load("rfc2131")).in_seconds(STANDARD)
    found = list(obligations(exact_case("rfc2131", constants)))
    assert len(found) > LEAST
    return found


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were forked."""
    children: list[int] = []
    fork = os.fork

    def counting() -> int:
        child = fork()
        if child:
            children.append(child)
        return child

    monkeypatch.setattr(os, "fork", counting)
    return children


def said(found: dict[str, Answer]) -> dict[str, tuple[str, str, bool]]:
    """What was answered, without its time, and of which obligation."""
    return {n: (a.solver, a.result, a.obligation.name == n) for n, a in found.items()}


def test_two_processes_say_what_one_says(some: list[Obligation], forked: list[int]) -> None:
    found = said(first_answers_of_two("z3", some))
    assert len(forked) == 1
    assert found == said(first_answers("z3", some))
    assert len(found) > len(some) / 2


def test_the_other_half_is_answered_by_the_other_process(
    some: list[Obligation], forked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here: list[str] = []

    def noting(solver: str, together: Sequence[Obligation]) -> dict[str, Answer]:
        here.extend(each.name for each in together)
        return {each.name: Answer(each, solver, "proved", os.getpid()) for each in together}

    monkeypatch.setattr(halves, "first_answers", noting)
    found = first_answers_of_two("z3", some)
    assert [each.name for each in some[: len(some) // 2]] == here
    assert found.keys() == {each.name for each in some}
    assert {answer.seconds for answer in found.values()} == {os.getpid(), *forked}


def test_what_a_process_that_fails_does_not_say_is_asked_here(
    some: list[Obligation], forked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, asked = os.getpid(), list[str]()

    def failing(solver: str, together: Sequence[Obligation]) -> dict[str, Answer]:
        if os.getpid() != own:
            raise MemoryError
        asked.extend(each.name for each in together)
        return {}

    monkeypatch.setattr(halves, "first_answers", failing)
    assert first_answers_of_two("z3", some) == {}
    assert len(forked) == 1
    assert asked == [each.name for each in some]


def test_an_interruption_ends_the_other_process(
    some: list[Obligation], forked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = os.getpid()

    def interrupted(solver: str, together: Sequence[Obligation]) -> dict[str, Answer]:
        if os.getpid() == own:
            raise KeyboardInterrupt
        threading.Event().wait()
        return {}

    monkeypatch.setattr(halves, "first_answers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        first_answers_of_two("z3", some)
    with pytest.raises(ProcessLookupError):
        os.kill(forked[0], 0)


def test_few_obligations_and_several_threads_are_left_to_one_process(
    some: list[Obligation], forked: list[int]
) -> None:
    assert first_answers_of_two("z3", some[-3:])
    with thread("refresh"):
        assert first_answers_of_two("z3", some)
    assert not forked


@contextmanager
def thread(name: str) -> Iterator[None]:
    """Another thread, which waits."""
    over = threading.Event()
    other = threading.Thread(target=over.wait, name=name)
    other.start()
    try:
        yield
    finally:
        over.set()
        other.join()


def test_who_waits_for_an_interruption_computes_nothing(
    some: list[Obligation], forked: list[int]
) -> None:
    name = "interrupt"
    assert f'name="{name}"' in (ROOT / "reference" / "signals.py").read_text(encoding="utf-8")
    with thread(name):
        assert first_answers_of_two("z3", some)
    assert forked


def test_a_verdict_is_the_same_by_two_processes(forked: list[int]) -> None:
    one, two = (judge(load("wfwg311-fixed"), jobs=jobs) for jobs in (1, 2))
    assert len(forked) == 1
    assert (one.outcome, one.reason, one.worst) == (two.outcome, two.reason, two.worst)
    assert one.outcome == "holds"
