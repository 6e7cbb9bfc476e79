"""The certificates that are kept, and those that are built; and what becomes of a changed table."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from holdover.model.table.expr import Action
from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.certificates import anew, shelf
from holdover.proofs.certificates.__main__ import main
from holdover.proofs.certificates.build import build
from holdover.proofs.certificates.check import HEAD, check
from holdover.proofs.certificates.written import NoProofError
from holdover.proofs.kept import names_in_turn
from holdover.proofs.logic.formula import REAL, symbol
from holdover.proofs.logic.invariants import remembering
from holdover.proofs.logic.obligations import Obligation, Steps, obligations
from holdover.proofs.logic.solvers import answers
from holdover.proofs.theorems import t0_time_passes, t2_safety, t3_grace, t6_displaced, t7_contested
from holdover.proofs.theorems.obligations import PROVED

CASE = t2_safety.case("rfc2131", t2_safety.TOLERATED["rfc2131"])


def test_each_obligation_of_a_profile_has_a_certificate() -> None:
    known = shelf.read()
    found = list(obligations(CASE))
    assert [o.name for o in found if check(o.smtlib(), known[o.name])] == []
    assert {o.name for o in found} == {name for name in known if name.startswith(f"{CASE.name}/")}


def test_they_are_small() -> None:
    texts = [file.read_bytes() for file in sorted(shelf.FOLDER.glob("*.txt"))]
    assert len(lzma.compress(b"".join(texts))) < 300_000


def test_the_page_has_a_certificate_that_is_kept() -> None:
    """What is done by hand on the page is a proof of what is proved."""
    page = (Path(__file__).parents[3] / "docs" / "certificates.md").read_text("utf-8")
    shown = dict(re.findall(r"<!-- example: (\w+) -->\n```\n(.*?)```", page, re.DOTALL))
    (example,) = (o for o in obligations(CASE) if (o.row, o.conjunct) == ("tick", "asked_before"))
    assert shown["certificate"] == shelf.read()[example.name]
    said = [line for line in example.smtlib().splitlines() if line.startswith("(assert ")]
    lines = [line.split(None, 1) for line in shown["assertions"].splitlines()]
    assert len(lines) == 3
    for number, text in lines:
        assert said[int(number) - 1] == f"(assert {text})"
    assert f"three of its {len(said)} assertions" in page


def test_the_page_counts_what_is_kept() -> None:
    page = (Path(__file__).parents[3] / "docs" / "certificates.md").read_text("utf-8")
    known = shelf.read()
    assert f"(`proofs/certificates/kept/`, {len(known):,} of them)" in page
    for theorem in PROVED:
        count = sum(name.startswith(theorem) for name in known)
        assert f"\n| {theorem} | {count:,} | " in page


def test_what_is_built_is_what_is_kept() -> None:
    """The same wherever it is built: nothing depends on what was built before."""
    known = shelf.read()
    for obligation in list(obligations(CASE))[::80]:
        assert build(obligation) == known[obligation.name], obligation.name


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    texts = {"T2-x/row/b": "one\ntwo\n", "T2-x/row/a": "three\n", "T0/c": "four\n"}
    shelf.write({**texts, "T9/gone": "five\n"}, tmp_path)
    shelf.write(texts, tmp_path)
    assert shelf.read(tmp_path) == texts
    assert sorted(file.name for file in tmp_path.iterdir()) == ["T0.txt", "T2-x.txt"]


def test_what_has_a_model_has_no_certificate() -> None:
    x = symbol("x", REAL)
    with pytest.raises(NoProofError, match="Z3 does not refute it"):
        build(Obligation("T9", "row", "conjunct", (x > 0, x < 1)))


def test_a_proof_takes_products_and_quotients() -> None:
    """T3's lemma is of clocks within 1 ± drift, by which lengths are divided."""
    for obligation in t3_grace.lemma():
        assert check(obligation.smtlib(), build(obligation)) == "", obligation.name


def test_the_step_of_the_article_has_no_certificate() -> None:
    case = t2_safety.case("wfwg311", t2_safety.TOLERATED["wfwg311"])
    steps = Steps(case).of(remembering(LEASE_TABLE.action("lapse")))
    (broken,) = (each for each in steps if each.conjunct == "held_under_lease")
    assert broken.name not in shelf.read()
    with pytest.raises(NoProofError):
        build(broken)


def test_another_set_of_premises_is_found_where_the_expected_ones_do_not_suffice() -> None:
    """Those of T0 that `reasons.toml` says nothing of are proved from Z3's core."""
    found = [
        o for o in t0_time_passes.all_obligations() if o.conjunct == "no record reaches too far"
    ]
    poor = next(o for o in found if o.row == "commit")
    assert check(poor.smtlib(), build(poor)) == ""


# A changed table ---------------------------------------------------------------------------------


def mutants() -> Iterator[Action]:
    """Each row without one of its guards, or of its effects."""
    for row in LEASE_TABLE.actions:
        yield from mutants_of(row)


def mutants_of(row: Action) -> Iterator[Action]:
    """The row without one of its guards, or of its effects."""
    for place in range(len(row.when)):
        yield replace(row, when=row.when[:place] + row.when[place + 1 :])
    for place in range(len(row.then)):
        yield replace(row, then=row.then[:place] + row.then[place + 1 :])


def a_third() -> Iterator[Action]:
    """Each third of all mutants."""
    return islice(mutants(), 0, None, 3)


def one_of_each_row() -> Iterator[Action]:
    """A mutant of each row, another place of it each time."""
    for number, row in enumerate(LEASE_TABLE.actions):
        found = list(mutants_of(row))
        yield found[number % len(found)]


CASES = {
    "T2-rfc2131": (CASE, a_third, 21),
    "T3": (t3_grace.sufficient(), one_of_each_row, 80),
    **{case.name: (case, one_of_each_row, 80) for case, _ in t6_displaced.cases()},
}
"""Invariants; the mutants that are put to the checker; and each so many-th of all to Z3 as well."""


@pytest.mark.kept("certificates of changed rows")
@pytest.mark.parametrize("name", CASES)
def test_a_changed_row_is_not_certified(name: str) -> None:
    """Of those rows that a proof takes something from."""
    case, some, _ = CASES[name]
    known, steps = shelf.read(), Steps(case)
    rejected: dict[str, int] = {}
    for mutant in some():
        for each in steps.of(remembering(mutant)):
            if each.name in known and check(each.smtlib(), known[each.name]):
                rejected[mutant.name] = rejected.get(mutant.name, 0) + 1
    assert len(rejected) > 15
    assert sum(rejected.values()) > 60


@pytest.mark.kept("certificates of changed rows")
@pytest.mark.parametrize("name", CASES)
def test_a_certificate_that_is_accepted_for_a_changed_row_proves_it(name: str) -> None:
    """What the checker takes of a changed row, Z3 proves too."""
    case, _, each_so_many = CASES[name]
    known, steps = shelf.read(), Steps(case)
    count = 0
    for mutant in list(mutants())[::each_so_many]:
        good = [
            each
            for each in steps.of(remembering(mutant))
            if not check(each.smtlib(), known.get(each.name, ""))
        ]
        for answer in answers("z3", good) if good else ():
            assert answer.result == "proved", answer.obligation.name
            count += 1
    assert count > 5


# Built anew --------------------------------------------------------------------------------------


def said_by(*words: str) -> tuple[int, str]:
    """How `python -m holdover.proofs.certificates` ends, and what it says."""
    found = CliRunner().invoke(main, [*words, "--jobs", "1"])
    return found.exit_code, found.stdout


def test_a_check_builds_some_and_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [o for o in t7_contested.all_obligations() if o.row in ("initially", "hear_conflict")]
    monkeypatch.setattr(anew, "certified_obligations", lambda: iter(some))
    known = {each.name: shelf.read()[each.name] for each in some}
    monkeypatch.setattr(shelf, "read", lambda: dict(known))
    anew.by_name.cache_clear()
    assert len(some) == len(anew.by_name()) > 2
    count, said = len(some), " s\n{} built anew (one of each 50), {} of them as they are kept\n"
    code, found = said_by("--turn", "51")
    assert (code, found.partition(" s\n")[0][:3]) == (0, f"{count} o")
    assert said.format(1, 1) + "each certificate is accepted\n" in found
    assert f"{count} built anew (all), {count} of them as they are kept\n" in said_by("--anew")[1]
    known[some[0].name], known["T9/gone"] = "", "one\n"
    code, found = said_by("--turn", "50")
    assert code == 1
    assert said.format(1, 0) in found
    why = f"{some[0].name}: ValueError: the first line is not: {HEAD}"
    assert found.endswith(f"{why}\nT9/gone: no such obligation\n2 are not\n")
    anew.by_name.cache_clear()


def test_fifty_turns_are_all() -> None:
    names = [str(number) for number in range(143)]
    built = [name for number in range(17, 67) for name in names_in_turn(names, number)]
    assert sorted(built) == sorted(names)
    assert names_in_turn(names, None) == names


def test_what_cannot_be_built_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    x = symbol("x", REAL)
    monkeypatch.setattr(
        anew, "by_name", lambda: {"T9/a": Obligation("T9", "a", "b", (x > 0, x < 1))}
    )
    found = anew.build_anew(["T9/a"], {}, 1)
    assert (found.count, found.bad) == (0, ["T9/a: not built: Z3 does not refute it"])
