"""The solvers: what Z3 and cvc5 answer to obligations, and what follows from both.

Each is imported when it is asked: to import one takes a tenth of a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import groupby
from typing import Any

from holdover.proofs.logic import formula
from holdover.proofs.logic.few_members import Told, among, as_they_are, at_symbols, at_witnesses
from holdover.proofs.logic.formula import TRUTH, Formula, all_of, any_of
from holdover.proofs.logic.obligations import Case, Obligation, firing, obligations, reasons, script
from holdover.proofs.logic.read_by_z3 import Read, read_by_z3
from holdover.proofs.result import Outcome, combine

EFFORT = {"z3": 60_000_000, "cvc5": 1_000_000}
"""What a solver may spend on a question, in its own units (Z3's `rlimit`, cvc5's `rlimit-per`).

Both solvers prove each step with less (`FIRST`); the rest is room.  A limit of time would leave the
answer to the machine's load."""


FIRST = {"z3": 20_000_000, "cvc5": 400_000}
"""What it may spend on a question with the premises that are expected to suffice.

Both solvers prove each step with these (`tests/proofs/logic/test_reasons.py`)."""


QUICK = 1_000_000
"""What Z3 may spend on a question among others; one that takes more is asked by itself.

Among others Z3 does not rewrite what it is asked beforehand, which is quicker for nearly all."""


MEMBERS = (1, 2)
"""With how many members of each sort a model is looked for, before it may have any number.

Two are enough for most rows: what is left is asked of any number (`whether_fire`)."""


EAGER = 2.0
"""How costly an instance of a quantifier may be that Z3 makes at once; its own choice is 10.

Fitted, by trials, to the few steps that take longest, which are decided sooner so (decision 46).
It changes how long Z3 takes and not what it may answer: look again where the table changes."""


ASKED, WHICH = "?", "produce-models"
"""How the name of a question begins, and no other name; and the option to say which may be true."""


AT_ONCE = 40
"""About so many runs a solver is asked in one question."""


INSTANCES = (at_witnesses, at_symbols)
"""At which members premises are told to a solver before it is asked about all members."""


KEPT = 1 << 11
"""Of so many obligations it is kept what is said of them at some members: each solver is asked."""


ANSWERS = {"unsat": "proved", "sat": "refuted"}
OUTCOME: Mapping[str, Outcome] = {"proved": "holds", "refuted": "violated", "unknown": "unknown"}


@dataclass(frozen=True)
class Answer:
    """What a solver said, and how long it took (seconds).

    `told`: after how many of `INSTANCES` it said so, where premises sufficed that are expected to.
    """

    obligation: Obligation
    solver: str
    result: str
    seconds: float
    told: int = 0


def ask_z3(before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int) -> list[str]:
    """What Z3 says of `before` with each of the others; `most`: what it may spend, in its units."""
    import z3

    own, (premises, *others) = read_by_z3(before, *rounds)
    together = z3.Solver(ctx=own)
    together.set("rlimit", min(most, QUICK))
    premises.assert_in(together)

    def by_itself(terms: Read) -> str:
        solver = z3.Solver(ctx=own)
        solver.set("rlimit", most)
        solver.set("smt.qi.eager_threshold", EAGER)
        premises.assert_in(solver)
        terms.assert_in(solver)
        return str(solver.check())

    said = []
    for terms in others:
        together.push()
        terms.assert_in(together)
        word = str(together.check())
        together.pop()
        said.append(by_itself(terms) if word == "unknown" else word)
    return said


def ask_z3_at_once(
    before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
) -> list[str]:
    """The same of Z3, first of `AT_ONCE` in one question: whether one of them may be so.

    Where Z3 does not find that none may, it is asked about each.
    """
    parts = [rounds[start : start + AT_ONCE] for start in range(0, len(rounds), AT_ONCE)]
    words = ask_z3(before, [[one_of(before, part)] for part in parts], min(most, QUICK))
    said = [word for word, part in zip(words, parts, strict=True) for _ in part]
    left = [number for number, word in enumerate(said) if word != "unsat"]
    if left:
        for number, word in zip(
            left, ask_z3(before, [rounds[number] for number in left], most), strict=True
        ):
            said[number] = word
    return said


def one_of(before: Sequence[Formula], rounds: Sequence[Sequence[Formula]]) -> Formula:
    """That one of their names is true, and that what has a name is so where that is true."""
    named = [formula.symbol(f"{ASKED}{number}", TRUTH) for number in range(len(rounds))]
    each = [name.implies(all_of(terms)) for name, terms in zip(named, rounds, strict=True)]
    plain = [term for terms in (before, *rounds) for term in terms]
    if f"(declare-fun {ASKED}" in formula.declarations(plain):
        raise ValueError(f"{ASKED} begins a name that is none of a question")
    return all_of([any_of(named), *each])


def ask_cvc5(
    before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
) -> list[str]:
    """The same of cvc5, by SMT-LIB text, so that text is what it is asked."""
    options = ["full-saturate-quant"]  # instantiate on, where matching runs dry
    if most == EFFORT["cvc5"]:
        options.append("mbqi")  # find the model where there is one: else only "unknown"
    return _ask_cvc5(before, rounds, most, options)


def ask_which(
    before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
) -> list[str]:
    """The same of cvc5 in one question: whether one of the others is true, and which.

    What it is about is read and prepared once.  Where the effort does not suffice for all of them,
    they are asked about one by one.
    """
    if len(rounds) > 1:
        text = script([[*before, one_of(before, rounds)]], rounds=False)
        said = cvc5_says(text, most, [WHICH])
        if len(said) == len(rounds) and set(said) <= {"sat", "unsat"}:
            return said
    return ask_cvc5(before, rounds, most)


def ask_for_models(
    before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
) -> list[str]:
    """The same of cvc5 where there are models, which it looks for among those of few members."""
    return _ask_cvc5(before, rounds, most, ["finite-model-find"])


def _ask_cvc5(
    before: Sequence[Formula],
    rounds: Sequence[Sequence[Formula]],
    most: int,
    options: Sequence[str],
) -> list[str]:
    said = cvc5_says(script([before, *rounds], rounds=True), most, options)
    return said if len(said) == len(rounds) else ["unknown"] * len(rounds)


def cvc5_says(text: str, most: int, options: Sequence[str]) -> list[str]:
    """What cvc5 says of a text of SMT-LIB; of what it cannot parse, an error.

    Nothing else is handed to it: text, effort and options are the whole question.  With the option
    `WHICH`, what it says of each of the text's names of questions (`which_may_be`).
    """
    import cvc5

    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("rlimit-per", str(most))
    for option in ("incremental", *options):
        solver.setOption(option, "true")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligations")
    symbols = parser.getSymbolManager()
    said = []
    try:
        while not (command := parser.nextCommand()).isNull():
            if answer := str(command.invoke(solver, symbols)).strip():
                said.append(answer)
        if WHICH in options and len(said) == 1:
            return which_may_be(solver, symbols.getDeclaredTerms(), said[0])
    except RuntimeError as error:  # what cvc5 cannot parse it has not decided
        said.append(f"error: {error}")
    return said


def which_may_be(solver: Any, declared: Iterable[Any], word: str) -> list[str]:
    """What cvc5 says of each of the names of questions, one of which is asserted to be true.

    `word` is what it has said of the assertions.  Those that a model has true may be true: they are
    said to be false from then on, and cvc5 is asked anew.
    """
    terms = {str(term).strip("|"): term for term in declared}
    left = {name: terms[name] for name in terms if name.startswith(ASKED)}
    said = dict.fromkeys(sorted(left, key=lambda name: int(name[len(ASKED) :])), "unsat")
    while word == "sat":
        true = [name for name in left if solver.getValue(left[name]).getBooleanValue()]
        for name in true:
            said[name] = "sat"
            solver.assertFormula(left.pop(name).notTerm())
        word = str(solver.checkSat()) if true else "unknown"
    return list((said if word == "unsat" else said | dict.fromkeys(left, "unknown")).values())


Ask = Callable[[Sequence[Formula], Sequence[Sequence[Formula]], int], list[str]]


SOLVERS: Mapping[str, Ask] = {"z3": ask_z3, "cvc5": ask_cvc5}


def check_same_premises(together: Sequence[Obligation]) -> None:
    """ValueError if obligations that are asked together have different premises."""
    for obligation in together:
        first = together[0].assertions[:-1]
        same = zip(first, obligation.assertions[:-1], strict=True)
        if not all(mine is other for mine, other in same):
            raise ValueError(f"{obligation.name} has premises of its own")


def answers(
    solver: str, together: Sequence[Obligation], known: Mapping[str, Answer] | None = None
) -> list[Answer]:
    """A solver's answers to obligations that differ in their last assertion only.

    It is asked first whether the premises suffice that are expected to (`first_answers`), unless
    what it proves so is `known`; then with all of them; then alone, what it does not decide among
    others.
    """
    check_same_premises(together)
    if known is None:
        known = first_answers(solver, together)
    found = {each.name: known[each.name] for each in together if each.name in known}
    left = [each for each in together if each.name not in found]
    found |= _answered(solver, left, [each.assertions[:-1] for each in left], EFFORT[solver])
    for each in left if len(left) > 1 else ():
        if found[each.name].result == "unknown":
            found |= _answered(solver, [each], [each.assertions[:-1]], EFFORT[solver])
    return [found[each.name] for each in together]


def answers_of_each(solver: str, some: Sequence[Obligation]) -> dict[str, Answer]:
    """A solver's answers to obligations that have little in common, by name.

    It is asked about some `AT_ONCE`, which helps where nothing is quantified; Z3 in one context,
    which takes longer to make than such questions.  What a solver does not decide so it is asked
    alone.
    """
    ask, size = (ask_which, AT_ONCE) if solver == "cvc5" else (ask_z3_at_once, len(some) or 1)
    found: dict[str, Answer] = {}
    for start in range(0, len(some), size):
        part = some[start : start + size]
        premises = [each.assertions[:-1] for each in part]
        found |= _answered(solver, part, premises, EFFORT[solver], ask)
    for each in some:
        if found[each.name].result == "unknown":
            found |= {each.name: answers(solver, [each])[0]}
    return found


def whether_each_may_be(some: Sequence[Obligation]) -> dict[str, Answer]:
    """Z3's answers to obligations that are expected to have a model, by name: in one context."""
    return _answered("z3", some, [each.assertions[:-1] for each in some], EFFORT["z3"])


def first_answers(
    solver: str, together: Sequence[Obligation], other: Mapping[str, Answer] | None = None
) -> dict[str, Answer]:
    """By name, the obligations that the premises suffice to prove that are expected to.

    It is asked first whether their instances do: where the conjunct fails after the step, then at
    the row's parameters as well, and at what these have (`few_members.py`).  Only then it is asked
    about all members.
    Steps that take more than their conjunct (`reasons`) mostly need the parameters, and are asked
    with these at once.  So is what is not known to follow from some premises: of all of them, but
    about all members only with the rest of the effort (`answers`).
    `other`: another solver's answers, from which is known what each needs.
    """
    whole = len(INSTANCES)

    def begins(each: Obligation) -> int:
        if other is not None:
            return other[each.name].told if each.name in other else whole
        takes_more = not each.first or reasons().get((each.row, each.conjunct))
        return min(whole, 1 if takes_more else 0)

    found: dict[str, Answer] = {}
    for number, told in enumerate((*INSTANCES, as_they_are)):
        every = [
            each
            for each in together
            if each.name not in found and begins(each) <= number and (each.first or number < whole)
        ]
        for left in _alike(every, number < whole) if solver == "cvc5" else [every]:
            premises = [each.first or each.assertions[:-1] for each in left]
            said = _proved(solver, left, premises, told)
            found |= {name: replace(answer, told=number) for name, answer in said.items()}
    return found


def _proved(
    solver: str,
    some: Sequence[Obligation],
    premises: Sequence[tuple[Formula, ...]],
    told: Callable[[Sequence[Formula], Formula], Told],
) -> dict[str, Answer]:
    """By name, those that a solver proves which is told this of their premises."""
    asked = [
        _told(told, before, each.assertions[-1])
        for before, each in zip(premises, some, strict=True)
    ]
    ask = ask_which if solver == "cvc5" and told in INSTANCES else None
    most, goals = FIRST[solver], [goal for _, goal in asked]
    said = _answered(solver, some, [before for before, _ in asked], most, ask, goals)
    return {name: answer for name, answer in said.items() if answer.result == "proved"}


@lru_cache(KEPT)
def _told(
    told: Callable[[Sequence[Formula], Formula], Told], premises: tuple[Formula, ...], goal: Formula
) -> Told:
    """What premises and goal come to there."""
    return told(premises, goal)


def _alike(some: Sequence[Obligation], without_quantifiers: bool) -> Iterable[list[Obligation]]:
    """Those that cvc5 is best asked about together, as they have most of their terms in common.

    Without quantifiers, in one question: the steps that are to keep one conjunct, or those of one
    row where there is no other.  Else one by one: those of one row.
    """
    by_row = not without_quantifiers or len({each.row for each in some}) == 1
    groups: dict[str, list[Obligation]] = {}
    for each in some:
        groups.setdefault(each.row if by_row else each.conjunct, []).append(each)
    return groups.values()


def _answered(
    solver: str,
    some: Sequence[Obligation],
    premises: Sequence[Sequence[Formula]],
    most: int,
    ask: Ask | None = None,
    goals: Sequence[Formula] | None = None,
) -> dict[str, Answer]:
    """The answers with these premises for each, by the obligations' names; or with other goals."""
    if not some:
        return {}
    goals = goals or [each.assertions[-1] for each in some]
    own = [dict.fromkeys(terms) for terms in premises]
    shared = dict.fromkeys(term for term in own[0] if all(term in terms for terms in own))
    rounds = [
        (*(term for term in terms if term not in shared), goal)
        for goal, terms in zip(goals, own, strict=True)
    ]
    different = tuple(dict.fromkeys(rounds))
    start = time.perf_counter()
    words = asked_once(ask or SOLVERS[solver], tuple(shared), different, most)
    seconds = (time.perf_counter() - start) / len(some)
    said = dict(zip(different, words, strict=True))
    return {
        each.name: Answer(each, solver, ANSWERS.get(said[terms], "unknown"), seconds)
        for each, terms in zip(some, rounds, strict=True)
    }


@cache
def asked_once(
    ask: Ask, before: tuple[Formula, ...], rounds: tuple[tuple[Formula, ...], ...], most: int
) -> tuple[str, ...]:
    """What a solver says, which this process asks once.

    Cases share most of their steps: where they fix the same constants, or read none.  The answer
    depends on nothing but these formulas, of which each exists once, and on the effort.
    """
    return tuple(ask(before, rounds, most))


def by_z3(obligation: Obligation) -> Answer:
    """Z3's answer to one obligation."""
    return answers("z3", [obligation])[0]


def by_cvc5(obligation: Obligation) -> Answer:
    """cvc5's answer to one obligation."""
    return answers("cvc5", [obligation])[0]


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
        """Rows that the invariant rules out, and should not."""
        never = (a.obligation.row for a in self.fires if a.result == "proved")
        return tuple(row for row in never if row not in self.case.ruled_out)


def whether_fire(rows: Sequence[Obligation]) -> list[Answer]:
    """Whether premises have a model: first one of few members; else what the solvers find.

    Of few members Z3 finds it in an instant.  Where there is none, Z3 may soon see that there is
    none of any size, by instances or else; then cvc5 is asked, which is better at that, and at last
    Z3 once more.
    """
    check_same_premises(rows)
    found: dict[str, Answer] = {}
    for members in MEMBERS:
        found |= _fire_among(members, [each for each in rows if each.name not in found])
    left = [each for each in rows if each.name not in found]
    found |= _proved("z3", left, [each.assertions[:-1] for each in left], at_symbols)
    for solver, most, ask in (("z3", QUICK, ask_z3), ("cvc5", EFFORT["cvc5"], ask_for_models)):
        left = [each for each in rows if each.name not in found]
        said = _answered(solver, left, [each.assertions[:-1] for each in left], most, ask)
        found |= {name: answer for name, answer in said.items() if answer.result != "unknown"}
    return [found.get(each.name) or by_z3(each) for each in rows]


def _fire_among(members: int, rows: Sequence[Obligation]) -> dict[str, Answer]:
    """By name, those whose premises have a model with so many members of each sort."""
    if not rows:
        return {}
    before = tuple(among(members, rows[0].assertions[:-1]))
    goals = among(members, [each.assertions[-1] for each in rows])
    small = [
        replace(each, assertions=(*before, goal), first=())
        for each, goal in zip(rows, goals, strict=True)
    ]
    said = _answered("z3", small, [before] * len(small), QUICK, ask_z3)
    return {
        each.name: replace(said[each.name], obligation=each)
        for each in rows
        if said[each.name].result == "refuted"
    }


def decide(case: Case, solvers: Sequence[str] = ("z3",), *, firing_too: bool = True) -> CaseVerdict:
    """All answers for a case.

    A solver is asked of all rows at once what the expected premises suffice for: to make a context
    takes Z3 as long as several such questions, and cvc5 what is done for a conjunct.  A second one
    is asked at once at the members that the first one needed; else as it is when asked alone.
    """
    every = list(obligations(case))
    known: dict[str, dict[str, Answer]] = {}
    for name in solvers:
        known[name] = first_answers(name, every, next(iter(known.values()), None))
    groups = [list(group) for _, group in groupby(every, key=lambda each: each.row)]
    found = [
        answer
        for group in groups
        for name in solvers
        for answer in answers(name, group, known[name])
    ]
    fires = whether_fire(list(firing(case))) if firing_too else []
    return CaseVerdict(case, tuple(found), tuple(fires))
