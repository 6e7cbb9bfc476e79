"""The solvers: what Z3 and cvc5 answer to obligations, and what follows from both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import Any

import cvc5
import z3

from holdover.proofs.logic.obligations import Case, Obligation, firing, obligations, script
from holdover.proofs.result import Outcome, combine

EFFORT = {"z3": 60_000_000, "cvc5": 4_000_000}
"""What a solver may spend on a question, in its own units (Z3's `rlimit`, cvc5's `rlimit-per`).

Z3 spends 7.2 million on the obligation of T3 that takes it longest, `duplicate/ack_covered`, cvc5
0.1 million; the rest is room.  A limit of time would leave the answer to the machine's load."""


ANSWERS = {"unsat": "proved", "sat": "refuted"}
OUTCOME: Mapping[str, Outcome] = {"proved": "holds", "refuted": "violated", "unknown": "unknown"}


@dataclass(frozen=True)
class Answer:
    """What a solver said, and how long it took (seconds)."""

    obligation: Obligation
    solver: str
    result: str
    seconds: float
    model: Any = field(default=None, compare=False, repr=False)


def check_same_premises(together: Sequence[Obligation]) -> None:
    """ValueError if obligations that are asked together have different premises."""
    first = together[0].assertions[:-1]
    for obligation in together:
        same = zip(first, obligation.assertions[:-1], strict=True)
        if not all(mine.eq(other) for mine, other in same):
            raise ValueError(f"{obligation.name} has premises of its own")


def read_back(*parts: Sequence[Any]) -> tuple[Any, list[list[Any]]]:
    """Parts of assertions as their text says them, in a context of its own.

    In a context that is shared, and in one to which terms are translated, Z3's search depends on
    what else was asked or declared, and with it whether it comes to an end before it gives up.
    """
    own = z3.Context()
    read = list(z3.parse_smt2_string(script(parts, rounds=False), ctx=own))
    if len(read) != sum(map(len, parts)):
        raise ValueError(f"{sum(map(len, parts))} assertions were written, and {len(read)} read")
    ends = list(accumulate(map(len, parts)))
    return own, [read[end - len(part) : end] for part, end in zip(parts, ends, strict=True)]


def z3_answers(together: Sequence[Obligation]) -> list[Answer]:
    """Z3's answers to obligations that differ in their last assertion only, as their text is."""
    check_same_premises(together)
    own, (before, goals) = read_back(
        together[0].assertions[:-1], [obligation.assertions[-1] for obligation in together]
    )
    solver = z3.Solver(ctx=own)
    solver.set("rlimit", EFFORT["z3"])
    solver.add(*before)
    answers = []
    for obligation, goal in zip(together, goals, strict=True):
        start = time.perf_counter()
        solver.push()
        solver.add(goal)
        said = str(solver.check())
        model = solver.model().translate(z3.main_ctx()) if said == "sat" else None
        solver.pop()
        result = ANSWERS.get(said, "unknown")
        answers.append(Answer(obligation, "z3", result, time.perf_counter() - start, model))
    return answers


def cvc5_answers(together: Sequence[Obligation]) -> list[Answer]:
    """cvc5's answers to the same as SMT-LIB text, so that text is what it is asked."""
    check_same_premises(together)
    start = time.perf_counter()
    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("rlimit-per", str(EFFORT["cvc5"]))
    solver.setOption("incremental", "true")
    solver.setOption("full-saturate-quant", "true")  # instantiate on, where matching runs dry
    solver.setOption("mbqi", "true")  # and find the model where there is one: else only "unknown"
    parts = [together[0].assertions[:-1], *(o.assertions[-1:] for o in together)]
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script(parts, rounds=True), "obligations")
    symbols = parser.getSymbolManager()
    said = []
    try:
        while not (command := parser.nextCommand()).isNull():
            if answer := str(command.invoke(solver, symbols)).strip():
                said.append(answer)
    except RuntimeError as error:  # what cvc5 cannot parse it has not decided
        said.append(f"error: {error}")
    if len(said) != len(together):
        said = ["unknown"] * len(together)
    each = (time.perf_counter() - start) / len(together)
    return [
        Answer(obligation, "cvc5", ANSWERS.get(answer, "unknown"), each)
        for obligation, answer in zip(together, said, strict=True)
    ]


Solver = Callable[[Sequence[Obligation]], list[Answer]]


SOLVERS: dict[str, Solver] = {"z3": z3_answers, "cvc5": cvc5_answers}


def by_z3(obligation: Obligation) -> Answer:
    """Z3's answer to one obligation."""
    return z3_answers([obligation])[0]


def by_cvc5(obligation: Obligation) -> Answer:
    """cvc5's answer to one obligation."""
    return cvc5_answers([obligation])[0]


@dataclass(frozen=True)
class CaseVerdict:
    """The answers for a case: proved only if every solver proved every obligation."""

    case: Case
    answers: tuple[Answer, ...]
    fires: tuple[Answer, ...]

    @property
    def proved(self) -> bool:
        """Whether the invariant is inductive."""
        return bool(self.answers) and all(answer.result == "proved" for answer in self.answers)

    @property
    def outcome(self) -> Outcome:
        """Holds if all are proved and every row fires; a premise that nobody decides is unknown."""
        if self.never_fire:
            return "violated"
        undecided: tuple[Answer, ...] = tuple(a for a in self.fires if a.result == "unknown")
        return combine(OUTCOME[answer.result] for answer in (*self.answers, *undecided))

    @property
    def open(self) -> tuple[Answer, ...]:
        """Obligations that a solver refuted or did not decide."""
        return tuple(answer for answer in self.answers if answer.result != "proved")

    @property
    def never_fire(self) -> tuple[str, ...]:
        """Rows that the invariant rules out."""
        return tuple(a.obligation.row for a in self.fires if a.result == "proved")


def whether_fires(obligation: Obligation) -> Answer:
    """Whether premises have a model: by cvc5, which builds one in an instant; else by Z3."""
    answer = by_cvc5(obligation)
    return by_z3(obligation) if answer.result == "unknown" else answer


def decide(case: Case, solvers: Sequence[str] = ("z3",), *, firing_too: bool = True) -> CaseVerdict:
    """All answers for a case."""
    groups = [list(group) for _, group in groupby(obligations(case), key=lambda o: o.row)]
    answers = [answer for group in groups for name in solvers for answer in _asked(name, group)]
    fires = [whether_fires(o) for o in firing(case)] if firing_too else []
    return CaseVerdict(case, tuple(answers), tuple(fires))


def _asked(name: str, group: Sequence[Obligation]) -> Iterator[Answer]:
    """A solver's answers; what it cannot decide among others it is asked alone."""
    for answer in SOLVERS[name](group):
        alone = answer.result == "unknown" and len(group) > 1
        yield SOLVERS[name]([answer.obligation])[0] if alone else answer
