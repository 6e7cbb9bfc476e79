"""`holdover prove`: obligations as files, and by whom they are decided."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

import holdover.proofs.certificates.check
from holdover.model.clients.profile import load
from holdover.proofs.certificates import shelf
from holdover.proofs.certificates.written import NoProofError
from holdover.proofs.theorems.obligations import PROVED, is_proved, sources
from holdover.proofs.verdicts.claims import BY_SEARCH, BY_SOLVERS, Claim
from holdover.reference.commands import prove
from holdover.reference.commands.prove import write_smtlib
from tests.reference.commands.running import as_json, refused, run, told


def test_prove_json() -> None:
    found = as_json(run("prove", "wfwg311", "--solver", "z3", "--json"), 1)
    refuted = [o["obligation"] for o in found["obligations"] if o["outcome"] == "violated"]
    assert refuted == ["T2-wfwg311/lapse/held_under_lease"]


def test_prove_does_not_take_a_changed_profile_for_the_one_it_was_copied_from(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rfc2131.toml"
    text = told(run("profiles", "rfc2131"), 0).replace('"lapse"', '"never"')
    path.write_text(text)
    assert 'name = "rfc2131"' in text
    shown = told(run("prove", path, "--solver", "z3"), 1)
    assert shown.startswith("rfc2131 with its own numbers: violated\n")
    assert re.search(r"^row +breaks ", shown, re.MULTILINE)


def test_smtlib_files_stay_below_their_directory(tmp_path: Path) -> None:
    named = replace(load("rfc2131"), name="../../up\n(exit)")  # a file with that is refused
    folder = tmp_path / "out" / "deep"
    written = write_smtlib(named, folder)
    files = [file for file in tmp_path.rglob("*.smt2") if folder in file.parents]
    assert len(files) == len(list(tmp_path.rglob("*.smt2"))) == written > 100
    comments = [file.read_text().split("(set-logic")[0] for file in files]
    assert all(re.fullmatch(r"; .*: expected unsat\n", comment) for comment in comments)


def test_smtlib_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(run("prove", "rfc2131", "--smtlib", tmp_path / "file" / "below"))
    assert said.startswith("error: --smtlib ")


# Certificates ------------------------------------------------------------------------------------

CHECKER = Path(holdover.proofs.certificates.check.__file__)


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    """What the checker says, by itself: as a file, with nothing but Python."""
    command = (sys.executable, "-I", CHECKER, folder)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_certificates_are_accepted_by_the_checker_alone(tmp_path: Path) -> None:
    said = told(run("prove", "rfc2131", "--certificates", tmp_path), 0)
    files = sorted(tmp_path.rglob("*.cert"))
    assert said == (
        f"{len(files)} obligations of rfc2131 written to {tmp_path}, each with a certificate;"
        " 0 of these built now\n"
    )
    assert len(files) == len(list(tmp_path.rglob("*.smt2"))) > 400
    assert checked(tmp_path).returncode == 0
    files[0].write_text(files[-1].read_text())  # of another obligation
    assert checked(tmp_path).returncode == 1


def test_each_theorem_that_is_proved_has_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command has the checker look at each, and builds one that is not accepted.

    Here it is given some of each case: `.ci/check certificates` checks the certificate of each.
    """
    some = [o for _, found in sources() for o in islice(filter(is_proved, found), 25)]
    monkeypatch.setattr(prove, "all_obligations", lambda: iter(some))
    said = told(run("prove", "--certificates", tmp_path), 0)
    count = len(some)
    assert 100 < count < len(shelf.read())
    assert said == (
        f"{count} obligations of T0, T2, T3, T6, T7 written to {tmp_path}, each with a certificate;"
        " 0 of these built now\n"
    )
    assert {file.name.partition("-")[0] for file in tmp_path.iterdir()} == set(PROVED)
    assert len(list(tmp_path.rglob("*.smt2"))) == len(list(tmp_path.rglob("*.cert"))) == count
    assert checked(tmp_path).stdout == f"{count} accepted, 0 rejected\n"


def test_what_a_solver_does_not_decide_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the theorems those parts alone that are the same by any solver."""
    asked = list[list[str]]()

    def checked_by(todo: Sequence[Claim], solver: str, *_: object) -> int:
        assert solver == "cvc5"
        asked.append([claim.kind for claim in todo])
        return 0

    monkeypatch.setattr(prove, "check_claims", checked_by)
    told(run("prove", "--solver", "cvc5"), 0)
    said = told(run("prove", "--solver", "cvc5", "--no-search"), 0)
    whole, decided = asked
    assert set(whole) - set(decided) == BY_SEARCH.keys() - {"pinned"}
    assert decided == [kind for kind in whole if kind in BY_SOLVERS] != []
    assert f"left out: {len(whole) - len(decided)} claims that are searched" in said
    for words in (("rfc2131",), ("--show", "lapse"), ("--certificates", "there")):
        assert "leave it out with PROFILE" in refused(run("prove", "--no-search", *words))


def test_an_obligation_of_which_none_is_found_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise NoProofError("too many cases")

    monkeypatch.setattr(shelf, "with_certificate", unknown)
    found = as_json(run("prove", "rfc2131", "--certificates", tmp_path, "--json"), 3)
    assert (found["outcome"], found["written"]) == ("unknown", 0)
    assert {each["why"] for each in found["without"]} == {"too many cases"}


def test_the_step_that_breaks_the_invariant_has_no_certificate(tmp_path: Path) -> None:
    found = as_json(run("prove", "wfwg311", "--certificates", tmp_path, "--json"), 3)
    assert [each["name"] for each in found["without"]] == ["T2-wfwg311/lapse/held_under_lease"]


def test_certificates_into_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(run("prove", "rfc2131", "--certificates", tmp_path / "file" / "below"))
    assert said.startswith("error: --certificates ")


# A row beside its text ---------------------------------------------------------------------------


def test_a_row_is_shown_beside_what_is_proved_of_it() -> None:
    found = as_json(run("prove", "--show", "lapse", "--json"), 0)
    parts = {part["says"]: (part["sets"], part["smtlib"]) for part in found["parts"]}
    assert parts["now ≥ lease_end[h]"] == (None, "(<= (lease_end h) now)")
    assert parts["wants[h] := none"] == ("wants[x]", "(ite (= x h) no_Address (wants x))")
    shown = told(run("prove", "--show", "lapse"), 0)
    assert "wants[x] = (ite (= x h) no_Address (wants x))" in shown


def test_a_row_that_there_is_not_is_named_with_the_nearest() -> None:
    assert "no such row: lapse?" in refused(run("prove", "--show", "laps"))
