"""The tests of formulas are tested: each seeded defect is noticed, by the test that is named.

A defect of `formula_defects.toml` is put into a copy of `formula.py`, a module of its own in this
process, which the named test then builds by.
"""

from __future__ import annotations

import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from holdover.proofs.logic import formula
from tests.checkout import ROOT
from tests.proofs.logic import test_formula
from tests.seeding import Defect

FILE = "proofs/logic/formula.py"


@cache
def defects() -> tuple[Defect, ...]:
    """All of `formula_defects.toml`."""
    text = (Path(__file__).parent / "formula_defects.toml").read_text(encoding="utf-8")
    return tuple(Defect(file=FILE, **row) for row in tomllib.loads(text)["defect"])


def copied(source: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of this source, by which `test_formula` builds."""
    module = ModuleType(f"{formula.__name__}_copied")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses and pickle look there
    exec(compile(source, FILE, "exec", dont_inherit=True), module.__dict__)
    monkeypatch.setattr(test_formula, "formula", module)
    return module


def test_each_is_in_its_file_once_and_says_what_is_wrong() -> None:
    assert len({defect.id for defect in defects()}) == len(defects()) >= 40
    source = (ROOT / FILE).read_text(encoding="utf-8")
    for defect in defects():
        assert defect.put_into(source) != source
        assert defect.says


@pytest.mark.kept("seeded defects of formulas")
@pytest.mark.parametrize("noticed", sorted({defect.noticed for defect in defects()}))
def test_the_tests_pass_without_one(noticed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = copied((ROOT / FILE).read_text(encoding="utf-8"), monkeypatch)
    assert test_formula.symbol("real_1").__class__ is module.Formula is not formula.Formula
    getattr(test_formula, noticed)()


@pytest.mark.kept("seeded defects of formulas")
@pytest.mark.parametrize("defect", defects(), ids=lambda defect: str(defect.id))
def test_it_is_noticed(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (ROOT / FILE).read_text(encoding="utf-8")
    copied(defect.put_into(source), monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(test_formula, defect.noticed)()
