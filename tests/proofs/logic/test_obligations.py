"""Obligations: planted bugs are refuted, nothing is skipped wrongly, and unknown is not proved."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

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
from holdover.proofs.logic.first_order import After, parameters
from holdover.proofs.logic.obligations import (
    Case,
    Obligation,
    firing,
    guards,
    obligations,
    premises,
    script,
    variables_of,
)
from holdover.proofs.logic.solvers import SOLVERS, Answer, by_cvc5, by_z3, decide
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
    read = [term for term in row.when if server_end not in variables_of(term)]
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
    read = [term for term in row.when if server_end not in variables_of(term)]
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
    before = premises(claim)
    asked = {(o.row, o.conjunct) for o in obligations(claim)}
    found = []
    for action in claim.table.actions:
        allowed = guards(claim, action)
        after = After(claim.fixed, action, parameters(action))
        for conjunct in claim.invariant:
            if allowed is not None and (action.name, conjunct.name) not in asked:
                goal = z3.Not(after.read(conjunct.term, {}))
                assertions = (*before, *allowed, goal)
                found.append(Obligation(claim.name, action.name, conjunct.name, assertions))
    return found


def test_what_is_skipped_would_be_proved() -> None:
    left_out = skipped(RFC2131)
    assert len(left_out) > 100
    assert {by_z3(obligation).result for obligation in left_out[::5]} == {"proved"}


def test_nothing_is_skipped_that_the_row_could_change() -> None:
    """A row that changes a variable is asked about all that read it, within `ite` too."""
    reads = {p.name: variables_of(p.term) for p in RFC2131.invariant}
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
    }


def test_every_conjunct_is_asked_of_the_initial_state() -> None:
    initially = [o.conjunct for o in obligations(RFC2131) if o.row == "initially"]
    assert initially == [p.name for p in RFC2131.invariant]
    started = replace(RFC2131, invariant=(*RFC2131.invariant, HOLDS_AT_ONCE))
    assert ("initially", "at_once") in broken(rows(started))


# The same question, whatever was asked before ----------------------------------------------------

TEXTS = """
import hashlib, sys
from holdover.proofs.logic.obligations import obligations
from holdover.proofs.theorems.t2_safety import cases

wanted = dict(cases())
for name in sys.argv[1:]:
    text = "".join(obligation.smtlib() for obligation in obligations(wanted[name]))
    print(name, hashlib.sha256(text.encode()).hexdigest())
"""


def test_an_obligation_is_the_same_text_whatever_was_built_before() -> None:
    """Z3 and cvc5 may find an answer for one text in time and none for another that says the same.

    Numbers of fresh constants and the order of a simplified sum tell what was built before.
    """
    assert set(told(TEXTS, "rfc2131", "reference")) == set(told(TEXTS, "reference", "rfc2131"))


EFFORT = """
import sys, z3
for other in range(int(sys.argv[1])):
    z3.EnumSort(f"Other{other}", [f"other_{other}_{n}" for n in range(3)])
from dataclasses import replace
from holdover.model.table.expr import Constant
from holdover.model.table.vocabulary import CONSTANTS
from holdover.proofs.theorems.t3_grace import hearing
from holdover.proofs.mutation.facts import solver_with
from holdover.proofs.mutation.fates import by_name
from holdover.proofs.logic.obligations import guards, premises
from holdover.proofs.logic.first_order import ALIKE, After, parameters
alike = {name: ALIKE for name, fixed in CONSTANTS.items() if isinstance(fixed, Constant)}
claim = replace(hearing(), fixed={**alike, "drift": 0, **hearing().fixed})
row = by_name()["lose/guard 1"].changed
after = After(claim.fixed, row, parameters(row))
covered = next(conjunct for conjunct in claim.invariant if conjunct.name == "covered")
goal = z3.Not(after.read(covered.term, {}))
solver, ((goal,),) = solver_with([*premises(claim), *guards(claim, row)], [goal])
solver.push()
solver.add(goal)
print(solver.check(), solver.statistics().get_key_value("rlimit count"))
"""


def test_z3_takes_the_same_steps_whatever_was_declared_before() -> None:
    """Terms that are translated take along every sort of values that their context has.

    The question has a model, and is asked of a dropped guard: proofs are found by the same steps.
    """
    assert told(EFFORT, "0") == told(EFFORT, "8")


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

HARD = Obligation("hard", "cubes", "none", (sum(x * x * x for x in z3.Ints("x y z")) == 114,))
"""Nobody knows whether 114 is a sum of three cubes."""


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_a_solver_cannot_decide_is_unknown(
    solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.EFFORT, solver, 20_000)
    assert SOLVERS[solver]([HARD])[0].result == "unknown"


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_a_solver_may_spend_is_no_time(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was busy with four other things made an obligation *unknown* once."""
    wanted = next(o for o in obligations(RFC2131) if (o.row, o.conjunct) == ("prolong", "covered"))
    assert SOLVERS[solver]([wanted])[0].result == "proved"
    monkeypatch.setitem(module.EFFORT, solver, 1000)
    assert SOLVERS[solver]([wanted])[0].result == "unknown"


@pytest.mark.parametrize("said", ["unknown", "timeout", "", '(error "no")', "sat\nunsat"])
def test_only_unsat_proves(said: str) -> None:
    assert module.ANSWERS.get(said, "unknown") == "unknown"
    assert set(module.ANSWERS.items()) == {("unsat", "proved"), ("sat", "refuted")}


def test_one_unknown_answer_leaves_the_case_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two solvers that disagree only in being able to answer, neither is left out."""
    row = LEASE_TABLE.action("lapse")

    def gives_up(together: Sequence[Obligation]) -> list[Answer]:
        results = ["unknown" if o.conjunct == "covered" else "proved" for o in together]
        return [Answer(o, "cvc5", r, 0.0) for o, r in zip(together, results, strict=True)]

    monkeypatch.setitem(SOLVERS, "cvc5", gives_up)
    verdict = decide(rows(RFC2131, row), ("z3", "cvc5"))
    assert not verdict.proved
    assert {(a.solver, a.result) for a in verdict.open} == {("cvc5", "unknown")}
    assert judge_obligations("rfc2131", verdict) == "unknown"
    assert verdict.outcome == "unknown"
    assert judge_obligations("rfc2131", decide(rows(RFC2131, row), ("z3",))) == "holds"


def test_an_undecided_premise_leaves_the_case_open() -> None:
    verdict = decide(rows(RFC2131, LEASE_TABLE.action("lapse")))
    asked = Answer(verdict.fires[0].obligation, "z3", "unknown", 0.0)
    assert judge_obligations("rfc2131", replace(verdict, fires=(asked,))) == "unknown"


# SMT-LIB -----------------------------------------------------------------------------------------

SAMPLE = list(obligations(RFC2131))[::13]


def z3_reads(text: str) -> str:
    """What Z3 says of the text alone."""
    solver = z3.Solver()
    solver.from_string(text)
    return str(solver.check())


@pytest.mark.parametrize("obligation", SAMPLE, ids=[o.name for o in SAMPLE])
def test_the_text_says_the_same_to_both_solvers(obligation: Obligation) -> None:
    text = obligation.smtlib()
    assert text.startswith(f"; {obligation.name}: expected unsat\n(set-logic ALL)\n")
    assert text.count("(check-sat)") == 1
    assert z3_reads(text) == "unsat"
    assert by_cvc5(obligation).result == "proved"


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

    def garbled(parts: Sequence[Sequence[object]], *, rounds: bool) -> str:
        return original(parts, rounds=rounds).replace("(check-sat)", "(check-sat)(check-sat)")

    monkeypatch.setattr(module, "script", garbled)
    assert by_cvc5(SAMPLE[0]).result == "unknown"
