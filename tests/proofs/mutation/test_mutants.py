"""Spec mutation: the list is complete, the judge neither blind nor generous, the record true."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from holdover.model.table.expr import FALSE, TRUE, Action, Expr, Variable, becomes, forall
from holdover.model.table.properties import ALWAYS, STEPS, Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import asleep, h, kind, m, stepped
from holdover.proofs.mutation import __main__ as spec
from holdover.proofs.mutation.__main__ import main, page, summary
from holdover.proofs.mutation.facts import FACTS, OPEN, prove_facts
from holdover.proofs.mutation.fates import (
    KILLERS,
    Bench,
    Fate,
    alike,
    bench,
    by_name,
    different,
    equivalent,
    explore_mutant,
    in_step,
    judge,
    refute_mutant,
    run,
)
from holdover.proofs.mutation.mutants import Mutant, mutants
from holdover.proofs.mutation.record import read_fates, sources
from tests.proofs.logic.kept_answers import number_of_commits
from tests.proofs.mutation.kept import Summary, as_text, kept_explorations, seen_in_each

RECORDED = {fate.name: fate for fate in read_fates()}
QUICK = ("forge", "jump", "rival_ack", "rival_nak", "mute", "unmute", "lose")
"""Rows whose mutants are judged in some seconds, and of each fate there is one."""
NOTHING = Bench((), (), ())


@functools.cache
def judged(name: str) -> Fate:
    """The fate of the mutant of that name."""
    return judge(by_name()[name])


def with_row(changed: Action) -> Mutant:
    """The table with a row of that name replaced."""
    rows = (changed if row.name == changed.name else row for row in LEASE_TABLE.actions)
    table = Table(LEASE_TABLE.variables, tuple(rows))
    return Mutant(changed.name, "guard", "1", "", changed, table)


# The list ----------------------------------------------------------------------------------------


def test_every_guard_effect_and_deadline_is_dropped_once() -> None:
    names = [changed.name for changed in mutants()]
    assert len(set(names)) == len(names)
    derived = sum(row.due is not None for row in LEASE_TABLE.actions)
    for row in LEASE_TABLE.actions:
        its = list(mutants([row.name]))
        effects = [changed for changed in its if changed.part == "effect"]
        whole = [c for c in its if c.part == "guard" and "." not in c.place]
        assert len(effects) == len(row.then)
        assert len(whole) == len(row.when) - (derived if row.name == "tick" else 0)
        assert len([c for c in its if c.part == "due"]) == (row.due is not None)


def test_a_mutant_differs_in_one_row_and_by_one_part() -> None:
    for changed in mutants():
        others = [
            (before, after)
            for before, after in zip(LEASE_TABLE.actions, changed.table.actions, strict=True)
            if before is not after
        ]
        names = {before.name for before, _ in others}
        assert names == ({changed.row, "tick"} if changed.part == "due" else {changed.row})
        before, after = changed.original, changed.changed
        if changed.part == "effect":
            assert len(after.then) == len(before.then) - 1
        elif changed.part == "due":
            assert len(after.when) == len(before.when) - 1


def test_the_conjuncts_of_a_guard_are_dropped_one_by_one() -> None:
    assert {"bind/guard 1", "bind/guard 1.1", "bind/guard 1.2"} <= set(by_name())
    assert "bind/guard 2.1" not in by_name()
    kept = by_name()["bind/guard 1.2"].changed.when
    assert len(kept) == len(LEASE_TABLE.action("bind").when)


# The configurations ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explored() -> dict[str, Summary]:
    """What is seen in each configuration: kept (`kept.py`), and of some in their turn seen now."""
    return seen_in_each(number_of_commits(), kept_explorations())


def test_every_row_fires_in_a_configuration_that_closes(explored: dict[str, Summary]) -> None:
    assert {name for seen in explored.values() for name in seen.fired} == {
        row.name for row in LEASE_TABLE.actions
    }
    assert all(seen.complete for seen in explored.values())
    assert len(explored) == len(bench().samples), "no two have the same name"


def test_every_property_holds_in_some_configuration(explored: dict[str, Summary]) -> None:
    names = {p.name for p in (*ALWAYS, *STEPS)}
    assert {name for seen in explored.values() for name in names - {*seen.broken}} == names


def test_what_is_kept_of_a_configuration_is_held_to_what_is_seen() -> None:
    name = bench().samples[0].setting.name
    right = Summary.of(bench().samples[0])
    others = {known.setting.name: right for known in bench().samples}
    for wrong in (replace(right, fired=right.fired[1:]), replace(right, size=(1, 2, 3))):
        with pytest.raises(ValueError, match=f"^{name}: "):
            seen_in_each(0, {**others, name: wrong})


def test_what_other_sources_came_to_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text(as_text([("one", Summary.of(bench().samples[0]))]), "utf-8")
    assert kept_explorations(file) == {"one": Summary.of(bench().samples[0])}
    file.write_text(file.read_text("utf-8").replace(sources(), "0" * 64), "utf-8")
    assert kept_explorations(file) == {}


# The judge is not blind --------------------------------------------------------------------------


@pytest.mark.kept("judged mutants")
@pytest.mark.parametrize(
    ("name", "killer"),
    [
        ("discover/guard 2", "property"),
        ("lapse/due", "property"),
        ("use/guard 5", "property"),
        ("bind/effect 7", "crash"),
        ("select/effect 1", "proof"),
        ("tick/guard 1", "proof"),
        ("rival_nak/effect 1", "law"),
        ("lose/guard 2", "equivalent"),
        ("lapse/effect 2", "equivalent"),
        ("rival_ack/guard 4", "alike"),
    ],
)
def test_each_kind_of_fate_has_an_example(name: str, killer: str) -> None:
    assert judged(name).killer == killer


@pytest.mark.kept("judged mutants")
def test_an_effect_that_nobody_reads_is_alike(explored: dict[str, Summary]) -> None:
    """It shows in 39 configurations; the smaller ones will do."""
    few = [known for known in bench().samples if explored[known.setting.name].size[0] < 5_000]
    fate = judge(by_name()["decline/effect 17"], replace(bench(), samples=tuple(few)))
    assert (fate.killer, "no row reads the difference" in fate.detail) == ("alike", True)


@pytest.mark.kept("judged mutants")
@pytest.mark.parametrize("name", [name for name in by_name() if name.split("/")[0] in QUICK])
def test_the_record_is_what_the_judge_says(name: str) -> None:
    assert judged(name) == RECORDED[name]


def test_the_record_has_every_mutant_and_no_unexplained_one() -> None:
    assert list(RECORDED) == list(by_name())
    assert {name: f.text for name, f in RECORDED.items()} == {
        name: changed.text for name, changed in by_name().items()
    }
    assert [name for name, fate in RECORDED.items() if fate.killer == "survives"] == []


# The judge is not generous -----------------------------------------------------------------------


def test_what_changes_nothing_is_killed_by_nothing() -> None:
    lapse = LEASE_TABLE.action("lapse")
    changed = with_row(replace(lapse, when=(*lapse.when, TRUE)))
    assert explore_mutant(changed, bench().samples) == ("survives", "")
    assert refute_mutant(changed, bench().claims) == ""
    assert judge(changed).killer == "equivalent"


@pytest.mark.kept("judged mutants")
@pytest.mark.parametrize("name", ["lapse/guard 4", "bind/effect 7", "lapse/due"])
def test_without_checks_a_mutant_survives(name: str) -> None:
    assert judge(by_name()[name], NOTHING).killer == "survives"


@pytest.mark.kept("judged mutants")
@pytest.mark.parametrize("name", ["lapse/guard 4", "lapse/due", "bind/effect 7", "mute/guard 2"])
def test_z3_does_not_explain_away_what_matters(name: str) -> None:
    assert equivalent(by_name()[name], FACTS) == ""


@pytest.mark.kept("judged mutants")
def test_an_explanation_names_the_fact_it_needs() -> None:
    changed = by_name()["lose/guard 2"]
    assert equivalent(changed, FACTS).endswith("because a free slot is empty")
    others = [fact for fact in FACTS if fact.name != "a free slot is empty"]
    assert equivalent(changed, others) == ""


def test_a_guard_is_not_alike_nor_is_an_effect_that_is_read() -> None:
    guard = by_name()["mute/guard 1"]
    shown = next(known for known in bench().samples if known.shows(guard))
    assert alike(guard, (shown,)) == ""
    one = bench().samples[:1]
    assert alike(by_name()["select/effect 2"], one) == ""


def test_in_step_means_same_steps_and_same_values_but_for_one_variable() -> None:
    known = bench().samples[0]
    same = known.setting.instance(LEASE_TABLE)
    assert in_step(known.seen.instance, same, asleep_variable())
    other = known.setting.instance(by_name()["select/effect 2"].table)
    assert not in_step(known.seen.instance, other, asleep_variable())


def asleep_variable() -> Variable:
    variable = asleep[h].args[0]
    assert isinstance(variable, Variable)
    return variable


def test_counts_are_compared_in_full() -> None:
    known = bench().samples[0]
    assert different(known, known.seen) == ""
    assert "steps" in different(known, replace(known.seen, steps=0))
    assert "depth" in different(known, replace(known.seen, depth=0))
    assert "states" in different(known, replace(known.seen, states=[]))
    assert "more than" in different(known, replace(known.seen, complete=False))


# Facts -------------------------------------------------------------------------------------------


def test_the_facts_are_proved() -> None:
    """Else there would be none (`bench`); what proves them says no of what is no fact, below."""
    assert bench().facts == FACTS


@pytest.mark.kept("judged mutants")
@pytest.mark.parametrize(
    "claim",
    [FALSE, forall(h, asleep[h]), forall(m, kind[m] == "FREE"), forall(h, ~asleep[h])],
    ids=["false", "initially false", "true only initially", "broken by suspend"],
)
def test_what_is_no_fact_is_not_proved(claim: Expr) -> None:
    wrong = Property("wrong", "", "", claim)
    assert not prove_facts(replace(OPEN, invariant=(*FACTS, wrong)))


def test_a_row_that_breaks_a_fact_is_refuted() -> None:
    whole = LEASE_TABLE.action("suspend")
    worse = with_row(replace(whole, then=(*whole.then, becomes(stepped[h], True))))
    assert refute_mutant(worse, bench().claims).startswith("T3-missed/suspend")


# Report ------------------------------------------------------------------------------------------

LEFT = replace(RECORDED["mute/guard 1"], killer="survives", detail="")


def said(monkeypatch: pytest.MonkeyPatch, others: Mapping[str, Fate]) -> None:
    """Have the judge say what is recorded, but of these mutants."""
    fates = {**RECORDED, **others}
    monkeypatch.setattr(spec, "run", lambda names, *_: [fates[name] for name in names])


def test_processes_say_what_one_process_says() -> None:
    seen: list[tuple[int, int]] = []
    names = [changed.name for changed in mutants(["settle"])]
    fates = run(names, 2, lambda n, of: seen.append((n, of)))
    assert fates == run(names, 1)
    assert fates == [f for f in read_fates() if f.row == "settle"]
    assert seen == [(n + 1, len(fates)) for n in range(len(fates))]


def test_the_command_succeeds_where_everything_is_explained() -> None:
    result = CliRunner().invoke(main, ["--only", "mute", "--jobs", "1"])
    assert result.exit_code == 0
    assert "0 unexplained" in result.output


def test_the_command_fails_at_an_unexplained_survivor(monkeypatch: pytest.MonkeyPatch) -> None:
    said(monkeypatch, {"mute/guard 1": LEFT})
    result = CliRunner().invoke(main, ["--only", "mute"])
    assert result.exit_code == 1
    assert "1 unexplained" in result.output
    assert "survives" in result.output


def test_the_command_fails_at_a_stale_record(monkeypatch: pytest.MonkeyPatch) -> None:
    said(monkeypatch, {"mute/guard 1": replace(RECORDED["mute/guard 1"], detail="another")})
    result = CliRunner().invoke(main, ["--check"])
    assert (result.exit_code, "--record" in result.stderr) == (1, True)
    assert CliRunner().invoke(main, []).exit_code == 0


def test_json_has_every_fate(monkeypatch: pytest.MonkeyPatch) -> None:
    said(monkeypatch, {})
    result = CliRunner().invoke(main, ["--json"])
    assert [Fate(**fate) for fate in json.loads(result.output)] == read_fates()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--only", "laps"], "lapse"), (["--only", "lapse", "--check"], "all rows")],
)
def test_bad_input_is_a_usage_error(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, says in result.stderr) == (2, True)


def test_the_page_shows_every_row_and_the_counts() -> None:
    text = page()
    assert summary(read_fates()) in text
    for row in LEASE_TABLE.actions:
        assert f"\n## `{row.name}`\n" in text
    body = [line for line in text.splitlines() if line.startswith(("| guard", "| effect", "| due"))]
    assert len(body) == len(read_fates())
    assert {fate.killer for fate in read_fates()} <= set(KILLERS)
