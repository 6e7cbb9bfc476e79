"""What is kept of explorations is taken of the same sources alone, and found again in turn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from holdover.proofs.kept import OF_EACH
from holdover.reference.refinement.search import refine
from holdover.reference.refinement.setting import Setting, every_setting, server_settings
from tests.reference.refinement import kept as module
from tests.reference.refinement.kept import FILE, as_data, kept, remembered, sources, write

ALONE = next(setting for setting in every_setting() if setting.name == "alone")
SERVED = next(setting for setting in server_settings() if setting.name == "served")


def test_each_is_explored_within_fifty_commits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now = tmp_path / "kept.json"
    now.write_text(json.dumps({**json.loads(FILE.read_text("utf-8")), "sources": sources()}))
    names = {setting.name for setting in every_setting()}
    left_out = [names - set(kept(turn, now)) for turn in range(OF_EACH)]
    assert set().union(*left_out) == names
    assert max(map(len, left_out)) == 1
    monkeypatch.setattr(module, "sources", lambda: "others")
    assert kept(0, now) == {}


@pytest.mark.parametrize("setting", [SERVED, ALONE], ids=["server", "client"])
def test_it_is_remembered_as_it_was_seen(setting: Setting) -> None:
    seen = refine(setting)
    again = remembered(setting, json.loads(json.dumps(as_data(seen))))
    assert (again.states, again.steps, again.depth) == (seen.states, seen.steps, seen.depth)
    assert (again.local, again.searched) == (seen.local, seen.searched)
    assert set(again.taken) == set(seen.taken)
    assert set(again.observed) == set(seen.observed)
    assert as_data(again) == as_data(seen)
    assert again.complete


def test_what_is_not_as_pinned_is_not_kept(tmp_path: Path) -> None:
    seen, file = refine(SERVED), tmp_path / "kept.json"
    write([seen], file)
    assert json.loads(file.read_text("utf-8"))["explored"] == {"served": as_data(seen)}
    for wrong in (replace(seen, states=seen.states + 1), replace(seen, kind="late")):
        with pytest.raises(ValueError, match="not as pinned"):
            write([wrong], file)
