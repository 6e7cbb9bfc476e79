"""Cures as data: of clients that are there, with files that are there, for each late client."""

from __future__ import annotations

import pytest

from holdover.model.clients.cures import KINDS, PAGE, Cure, cures, cures_of
from holdover.model.clients.profile import builtin_names, load
from tests.checkout import ROOT


@pytest.mark.parametrize("cure", cures(), ids=lambda cure: f"{cure.profile}-{cure.kind}")
def test_a_cure_is_of_a_client_that_is_there_and_says_what_to_do(cure: Cure) -> None:
    assert cure.profile in builtin_names()
    assert cure.kind in KINDS
    assert cure.says
    assert cure.how
    if cure.file:
        assert (ROOT / "docs" / cure.file).is_file()
        assert (ROOT / "docs" / cure.file).name in cure.in_words
    assert bool(cure.played) == (cure.kind not in ("none", "as it is"))
    assert "docs/" in cure.in_words or not cure.file


def test_a_file_that_cures_is_in_the_table() -> None:
    there = {f"cures/{each.name}" for each in (ROOT / "docs" / "cures").iterdir() if each.is_file()}
    there |= {f"patches/{each.name}" for each in (ROOT / "docs" / "patches").glob("*.patch")}
    assert there == {cure.file for cure in cures() if cure.file}


def test_each_client_that_is_not_safe_by_itself_is_cured_or_said_to_need_none() -> None:
    by_kind = {name: [cure.kind for cure in cures_of(name)] for name in builtin_names()}
    assert by_kind["connman"] == ["none"]
    assert by_kind["networkmanager"] == ["as it is"]
    assert "patch" in by_kind["udhcpc"]
    assert "patch" in by_kind["dhcpcd"]
    assert by_kind["reference"] == []
    assert load("reference").title


def test_the_page_is_named() -> None:
    assert (ROOT / PAGE).is_file()
