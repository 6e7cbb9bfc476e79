"""Obligations: planted bugs are refuted, nothing is skipped wrongly, and unknown is not proved."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
import z3

from holdover.model.table.bound import ZERO
from holdover.model.table.client import NO_ADDRESS, begin_lease, clear, honoured, take
from holdover.model.table.expr import DURATION, Action, Expr, forall, lift
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import (
    a,
    address,
    client,
    h,
    holds,
    kind,
    lease,
    m,
    now,
    owner,
    phase,
    sent,
    server_end,
    skew,
)
from holdover.proofs.logic import solvers as module
from holdover.proofs.logic.first_order import After, Logic, parameters
from holdover.proofs.logic.formula import (
    REAL,
    TRUE,
    TRUTH,
    WHOLE,
    Domain,
    Formula,
    literal,
    symbol,
    with_values,
    words,
)
from holdover.proofs.logic.obligations import (
    Case,
    Obligation,
    firing,
    guards,
    obligations,
    premises,
    script,
)
from holdover.proofs.logic.read_by_z3 import solve
from holdover.proofs.logic.solvers import SOLVERS, Answer, answers, by_cvc5, by_z3, decide
from holdover.proofs.theorems.t1_refutation import BIT_AND_REAL
from holdover.proofs.theorems.t2_safety import TOLERATED, case, judge_obligations

HOLDS_AT_ONCE = Property("at_once", "", "", forall(h, holds[h] != NO_ADDRESS))
"""What does not hold initially."""

RFC2131 = case("rfc2131", TOLERATED["rfc2131"])


def rows(claim: Case, *actions: Action) -> Case:
    """The same claim about these rows only."""
    return replace(claim, table=Table(LEASE_TABLE.variables, actions))


def broken(claim: Case) -> set[tuple[str, str]]:
    """The rows and the conjuncts they break, by a state and a step."""
    return {
        (answer.obligation.row, answer.obligation.conjunct)
        for answer in map(by_z3, obligations(claim))
        if answer.result == "refuted"
    }


# Planted bugs ------------------------------------------------------------------------------------


def keeps_its_address(row: Action) -> Action:
    """The client of Q151387 in the row of one that has the fix."""
    return replace(row, then=tuple(e for e in row.then if e.variable is not holds))


def counts_from_the_ack(row: Action) -> Action:
    """Whatever the profile says: the lease begins when the ACK arrives."""
    end = now + honoured(h, lease[m]) + skew
    return replace(row, then=(*take(h, a), *begin_lease(h, end), *clear(m)))


def reuses_at_once(row: Action) -> Action:
    """The server does not wait for its lease end: no guard reads that."""
    read = [term for term in row.when if server_end not in term.reads]
    assert len(read) == len(row.when) - 1
    return replace(row, when=tuple(read))


def keeps_its_xid(row: Action) -> Action:
    """Old replies still look current."""
    return replace(row, then=tuple(e for e in row.then if not e.every))


def takes_foreign_replies(row: Action) -> Action:
    """The ACK of another client will do."""
    return replace(row, when=tuple(t for t in row.when if not same(t, client[m] == h)))


def renews_backwards(row: Action) -> Action:
    """The server's record may end earlier than the last ACK promised."""
    read = [term for term in row.when if server_end not in term.reads]
    return replace(row, when=tuple(read))


def same(left: object, right: object) -> bool:
    """Whether two terms are written alike."""
    if not isinstance(left, Expr) or not isinstance(right, Expr):
        return left is right
    alike = left.op == right.op and len(left.args) == len(right.args)
    return alike and all(same(x, y) for x, y in zip(left.args, right.args, strict=True))


PLANTED: Mapping[tuple[str, Callable[[Action], Action]], set[str]] = {
    ("lapse", keeps_its_address): {"held_under_lease", "leaves_in_time", "covered", "not_too_far"},
    ("bind", counts_from_the_ack): {"covered"},
    ("bind", takes_foreign_replies): {"exclusive", "owned", "covered"},
    ("discover", keeps_its_xid): {"answers_follow"},
    ("reuse", reuses_at_once): {"owned", "covered", "ack_covered"},
    ("prolong", renews_backwards): {"covered", "ack_covered"},
}


@pytest.mark.kept("cases of obligations")
@pytest.mark.parametrize(
    ("planted", "expected"), PLANTED.items(), ids=[f"{r} {f.__name__}" for r, f in PLANTED]
)
def test_a_planted_bug_breaks_what_it_should(
    planted: tuple[str, Callable[[Action], Action]], expected: set[str]
) -> None:
    name, plant = planted
    row = LEASE_TABLE.action(name)
    assert not broken(rows(RFC2131, row))
    assert broken(rows(RFC2131, plant(row))) == {(name, conjunct) for conjunct in expected}


# Frames ------------------------------------------------------------------------------------------


def skipped(claim: Case) -> list[Obligation]:
    """What was not asked, since the row sets nothing that the conjunct reads."""
    logic = Logic(claim.fixed)
    before = premises(claim, logic)
    asked = {(o.row, o.conjunct) for o in obligations(claim)}
    found = []
    for action in claim.table.actions:
        allowed = guards(logic, action)
        after = After(logic, action, parameters(action))
        for conjunct in claim.invariant:
            if allowed is not None and (action.name, conjunct.name) not in asked:
                assertions = (*before, *allowed, ~after.read(conjunct.term, {}))
                found.append(Obligation(claim.name, action.name, conjunct.name, assertions))
    return found


@pytest.mark.kept("cases of obligations")
def test_what_is_skipped_would_be_proved() -> None:
    left_out = skipped(RFC2131)
    assert len(left_out) > 100
    assert {by_z3(obligation).result for obligation in left_out[::5]} == {"proved"}


def test_nothing_is_skipped_that_the_row_could_change() -> None:
    """A row that changes a variable is asked about all that read it, within `ite` too."""
    reads = {p.name: p.term.reads for p in RFC2131.invariant}
    for obligation in skipped(RFC2131):
        written = {e.variable for e in RFC2131.table.action(obligation.row).then}
        assert not written & reads[obligation.conjunct]
    assert {kind, client, address, lease, sent, phase, owner, server_end} <= reads["ack_covered"]


def test_a_row_that_the_constants_rule_out_is_not_asked_about() -> None:
    asked = {o.row for o in obligations(RFC2131)}
    assert {"lapse", "bind", "tick", "initially"} <= asked
    assert not {"forget", "forge", "rival_ack", "set_back", "freeze"} & asked
    assert {o.row for o in firing(RFC2131)} == asked - {"initially"} | {
        "mute",
        "unmute",
        "reinstate",
        "conflict_ends",
    }


def test_every_conjunct_is_asked_of_the_initial_state() -> None:
    initially = [o.conjunct for o in obligations(RFC2131) if o.row == "initially"]
    assert initially == [p.name for p in RFC2131.invariant]
    started = replace(RFC2131, invariant=(*RFC2131.invariant, HOLDS_AT_ONCE))
    assert ("initially", "at_once") in broken(rows(started))


# The same question, whatever was asked before ----------------------------------------------------

BEFORE = """
import gc, sys, z3
from holdover.proofs.logic import formula
from holdover.proofs.logic.first_order import Logic
from holdover.proofs.logic.obligations import premises
from holdover.proofs.theorems.t2_safety import cases

def others():
    colours = formula.Domain("Colour", ("red", "green", "blue"))
    x = formula.symbol("x", formula.REAL)
    built = [formula.ite(formula.symbol(f"is_{n}", formula.TRUTH), x, x + n) for n in range(999)]
    built += [formula.literal(colours, name) for name in colours.members]
    for _, claim in cases():
        built += premises(claim, Logic(claim.fixed))
    return built + [formula.text_of(term) for term in built]

def sorts_of_values():
    for other in range(8):
        z3.EnumSort(f"Other{other}", [f"other_{other}_{n}" for n in range(3)])

def dropped():
    others()
    gc.collect()

def kept():
    global alive
    alive = others()

{"nothing": list, "sorts": sorts_of_values, "kept": kept, "dropped": dropped}[sys.argv[1]]()
"""
"""What another process does before it is asked, by the name that it is given."""

TEXTS = """
import hashlib
from holdover.proofs.logic.obligations import obligations

wanted = dict(cases())
for name in sys.argv[2:]:
    asked = list(obligations(wanted[name.removesuffix("-backwards")]))
    order = reversed(asked) if name.endswith("-backwards") else asked
    texts = {obligation.name: obligation.smtlib() for obligation in order}
    text = "".join(texts[obligation.name] for obligation in asked)
    print(name.removesuffix("-backwards"), hashlib.sha256(text.encode()).hexdigest())
"""


def test_an_obligation_is_the_same_text_whatever_was_built_before() -> None:
    """Z3 and cvc5 may find an answer for one text in time and none for another that says the same.

    Numbers of formulas tell what was built before, and no text may have been made by them.
    """
    said = told(BEFORE + TEXTS, "nothing", "rfc2131", "reference")
    assert len(said) == len(set(said)) == 2
    for before, *names in (
        ("nothing", "reference", "rfc2131"),
        ("kept", "rfc2131", "reference-backwards"),
        ("dropped", "rfc2131-backwards", "reference"),
    ):
        assert set(told(BEFORE + TEXTS, before, *names)) == set(said)


def test_an_obligation_is_the_same_text_once_all_of_it_was_forgotten() -> None:
    """Built again among others, its formulas are others, by other numbers."""
    claim = rows(case("reference", TOLERATED["reference"]), LEASE_TABLE.action("prolong"))
    said = [(o.name, o.smtlib()) for o in obligations(claim)]
    numbers = {o.assertions[-1].number for o in obligations(claim)}
    gc.collect()
    kept = [symbol("x", WHOLE) + number for number in range(99)]
    again = list(obligations(claim))
    assert numbers - {o.assertions[-1].number for o in again}
    assert [(o.name, o.smtlib()) for o in reversed(again)] == said[::-1]
    assert len(kept) == 99


EFFORT = """
from dataclasses import replace
from holdover.model.table.expr import Constant
from holdover.model.table.vocabulary import CONSTANTS
from holdover.proofs.theorems.t3_grace import hearing
from holdover.proofs.mutation.facts import solver_with
from holdover.proofs.mutation.fates import by_name
from holdover.proofs.logic.obligations import guards
from holdover.proofs.logic.first_order import ALIKE, After, parameters
alike = {name: ALIKE for name, fixed in CONSTANTS.items() if isinstance(fixed, Constant)}
claim = replace(hearing(), fixed={**alike, "drift": 0, **hearing().fixed})
row = by_name()["lose/guard 1"].changed
logic = Logic(claim.fixed)
after = After(logic, row, parameters(row))
covered = next(conjunct for conjunct in claim.invariant if conjunct.name == "covered")
goal = ~after.read(covered.term, {})
solver, ((goal,),) = solver_with([*premises(claim, logic), *guards(logic, row)], [goal])
solver.push()
solver.add(goal)
print(solver.check(), solver.statistics().get_key_value("rlimit count"))
"""


def test_z3_takes_the_same_steps_whatever_was_declared_before() -> None:
    """Terms that are translated take along every sort of values that their context has.

    The question has a model, and is asked of a dropped guard: proofs are found by the same steps.
    """
    (said,) = told(BEFORE + EFFORT, "nothing")
    assert said.startswith("sat ")
    for before in ("sorts", "kept", "dropped"):
        assert told(BEFORE + EFFORT, before) == [said]


def told(program: str, *arguments: str) -> list[str]:
    """What a program says in a process of its own."""
    command = [sys.executable, "-c", program, *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return said.stdout.splitlines()


# Vacuity -----------------------------------------------------------------------------------------


def test_a_contradiction_in_the_premises_shows_as_rows_that_never_fire() -> None:
    """All its obligations are proved, and that is worth nothing."""
    absurd = replace(RFC2131, assumptions=(*RFC2131.assumptions, lift(1, DURATION) < ZERO))
    verdict = decide(absurd)
    assert verdict.proved
    assert set(verdict.never_fire) == {o.row for o in firing(absurd)}


def test_no_obligations_prove_nothing() -> None:
    nothing = decide(replace(rows(RFC2131), invariant=()))
    assert nothing.answers == ()
    assert not nothing.proved


# Unknown -----------------------------------------------------------------------------------------

X, Y, Z = (symbol(name, WHOLE) for name in ("x", "y", "z"))
HARD = Obligation("hard", "cubes", "none", (X * X * X + Y * Y * Y + Z * Z * Z == 114,))
"""Nobody knows whether 114 is a sum of three cubes."""


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_a_solver_cannot_decide_is_unknown(
    solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.EFFORT, solver, 20_000)
    assert answers(solver, [HARD])[0].result == "unknown"


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_a_solver_may_spend_is_no_time(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was busy with four other things made an obligation *unknown* once."""
    wanted = next(o for o in obligations(RFC2131) if (o.row, o.conjunct) == ("prolong", "covered"))
    assert answers(solver, [wanted])[0].result == "proved"
    for effort in (module.EFFORT, module.FIRST):
        monkeypatch.setitem(effort, solver, 10)
    assert answers(solver, [wanted])[0].result == "unknown"


@pytest.mark.parametrize("said", ["unknown", "timeout", "", '(error "no")', "sat\nunsat"])
def test_only_unsat_proves(said: str) -> None:
    assert module.ANSWERS.get(said, "unknown") == "unknown"
    assert set(module.ANSWERS.items()) == {("unsat", "proved"), ("sat", "refuted")}


def test_one_unknown_answer_leaves_the_case_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two solvers that disagree only in being able to answer, neither is left out.

    Of instances, about which cvc5 is asked in another way, it is not asked here.
    """
    monkeypatch.setattr(module, "INSTANCES", ())
    row = LEASE_TABLE.action("lapse")
    asked = list(obligations(rows(RFC2131, row)))
    said = {
        each.assertions[-1]: "unknown" if each.conjunct == "covered" else "unsat" for each in asked
    }
    whether_they_fire = SOLVERS["cvc5"]

    def gives_up(
        before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
    ) -> list[str]:
        if any(goal not in said for *_, goal in rounds):
            return whether_they_fire(before, rounds, most)
        return [said[goal] for *_, goal in rounds]

    monkeypatch.setitem(SOLVERS, "cvc5", gives_up)
    verdict = decide(rows(RFC2131, row), ("z3", "cvc5"))
    assert not verdict.proved
    assert {(a.solver, a.result) for a in verdict.open} == {("cvc5", "unknown")}
    assert judge_obligations("rfc2131", verdict) == "unknown"
    assert verdict.outcome == "unknown"
    assert judge_obligations("rfc2131", decide(rows(RFC2131, row), ("z3",))) == "holds"


def test_a_question_is_asked_once_and_another_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call: what is asked by other formulas, or with another effort, is asked anew."""
    asked: list[int] = []

    def ask(_: object, rounds: Sequence[Sequence[Formula]], most: int) -> list[str]:
        asked.append(most)
        return ["unsat"] * len(rounds)

    monkeypatch.setitem(SOLVERS, "z3", ask)
    lapse = list(obligations(rows(RFC2131, LEASE_TABLE.action("lapse"))))
    steps = [each for each in lapse if each.row == "lapse"]
    first, again = answers("z3", steps), answers("z3", steps)
    assert (len(asked), [a.result for a in again]) == (1, [a.result for a in first])
    answers("z3", [replace(each, first=each.first[1:]) for each in steps])
    assert len(asked) == 2
    answers("z3", steps, {})
    answers("z3", steps[1:])
    assert (len(asked), len(set(asked))) == (4, 2)


def test_an_undecided_premise_leaves_the_case_open() -> None:
    verdict = decide(rows(RFC2131, LEASE_TABLE.action("lapse")))
    asked = Answer(verdict.fires[0].obligation, "z3", "unknown", 0.0)
    assert judge_obligations("rfc2131", replace(verdict, fires=(asked,))) == "unknown"


# Models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tactics", [(), BIT_AND_REAL], ids=["its own", "bit and real"])
def test_a_model_has_a_value_of_each_symbols_domain(tactics: tuple[str, ...]) -> None:
    colours = Domain("Colour", ("red", "green"))
    said = {
        "truth": literal(TRUTH, True),
        "falsehood": literal(TRUTH, False),
        "real": literal(REAL, Fraction(-7, 3)),
        "whole": literal(WHOLE, -12),
        "negative": literal(words(6), -32),
        "positive": literal(words(6), 31),
        "colour": literal(colours, "green"),
    }
    asked = [symbol(name, value.domain) == value for name, value in said.items()]
    answer, found = solve(asked, *tactics)
    assert answer == "sat"
    assert found == {name: value.of for name, value in said.items()}
    assert all(with_values(term, found) is TRUE for term in asked)
    assert solve([*asked, ~asked[2]], *tactics) == ("unsat", {})


# SMT-LIB -----------------------------------------------------------------------------------------

SAMPLE = list(obligations(RFC2131))[::13]


def z3_reads(text: str) -> str:
    """What Z3 says of the text alone."""
    solver = z3.Solver()
    solver.from_string(text)
    return str(solver.check())


@pytest.mark.kept("cases of obligations")
@pytest.mark.parametrize("obligation", SAMPLE, ids=[o.name for o in SAMPLE])
def test_the_text_says_the_same_to_both_solvers(obligation: Obligation) -> None:
    text = obligation.smtlib()
    assert text.startswith(f"; {obligation.name}: expected unsat\n(set-logic ALL)\n")
    assert text.count("(check-sat)") == 1
    assert z3_reads(text) == "unsat"
    assert by_cvc5(obligation).result == "proved"


@pytest.mark.kept("cases of obligations")
@pytest.mark.parametrize("planted", PLANTED, ids=[f"{r} {f.__name__}" for r, f in PLANTED])
def test_both_solvers_refute_a_planted_bug_from_the_text(
    planted: tuple[str, Callable[[Action], Action]],
) -> None:
    name, plant = planted
    asked = obligations(rows(RFC2131, plant(LEASE_TABLE.action(name))))
    found = [o for o in asked if o.row == name and o.conjunct in PLANTED[planted]]
    assert len(found) == len(PLANTED[planted])
    for obligation in found:
        assert z3_reads(obligation.smtlib()) == "sat"
        assert by_cvc5(obligation).result == "refuted"


def test_cvc5_finds_the_bug_of_the_article_by_itself() -> None:
    old = case("wfwg311", TOLERATED["wfwg311"])
    (found,) = (
        o
        for o in obligations(rows(old, LEASE_TABLE.action("lapse")))
        if (o.row, o.conjunct) == ("lapse", "held_under_lease")
    )
    assert by_cvc5(found).result == by_z3(found).result == "refuted"


def test_two_answers_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that makes the solver say more than it was asked decides nothing."""
    original = script

    def garbled(parts: Sequence[Sequence[Formula]], *, rounds: bool) -> str:
        return original(parts, rounds=rounds).replace("(check-sat)", "(check-sat)(check-sat)")

    monkeypatch.setattr(module, "script", garbled)
    monkeypatch.setattr(module, "asked_once", module.asked_once.__wrapped__)  # it keeps answers
    assert by_cvc5(SAMPLE[0]).result == "unknown"
