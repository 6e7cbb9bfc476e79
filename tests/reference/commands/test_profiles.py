"""`holdover profiles`: each is listed, and printed as the client that it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdover.model.clients.profile import builtin_names
from tests.reference.commands.running import as_json, run, told


def test_profiles_lists_every_one() -> None:
    shown = told(run("profiles"), 0)
    assert all(re.search(rf"^{name} ", shown, re.MULTILINE) for name in builtin_names())
    assert [p["name"] for p in as_json(run("profiles", "--json"), 0)["profiles"]] == list(
        builtin_names()
    )


@pytest.mark.parametrize("name", ["udhcpc", "networkd", "wfwg311"])
def test_printed_profile_is_the_same_client(tmp_path: Path, name: str) -> None:
    path = tmp_path / "copy.toml"
    path.write_text(told(run("profiles", name), 0))
    assert as_json(run("profiles", path, "--json"), 0) == as_json(
        run("profiles", name, "--json"), 0
    )
