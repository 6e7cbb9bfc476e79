"""`holdover prove`: obligations as files, and by whom they are decided."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from holdover.model.clients.profile import load
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
