"""Profiles that leave facts out: said by each command, assumed by none that is not asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reference.commands.running import as_json, run, told


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.toml"
    path.write_text("", "utf-8")
    return path


def test_an_empty_file_is_no_client_that_holds(empty: Path) -> None:
    shown = told(run("verify", empty), 3)
    assert "empty: unknown - depends on what the profile does not state: anchor," in shown
    assert "as RFC 2131 has what is not stated, it holds (--assume rfc2131)" in shown
    assert 'with anchor = "ack", the server\'s grace is below the bound of T3' in shown
    assert "not stated, and taken at their worst: anchor, floor, late" in shown
    assert (
        "worst holdover: no bound; unknown whether any grace is enough for each such client"
        in shown
    )
    assert "empty: holds" in told(run("verify", empty, "--assume", "rfc2131"), 0)


def test_a_kernel_of_which_nothing_is_said_may_be_late(tmp_path: Path) -> None:
    path = tmp_path / "kernel.toml"
    path.write_text('enforcer = "kernel"\n', "utf-8")
    data = as_json(run("verify", path, "--json"), 3)["judgements"][0]
    assert "trigger" in data["hangs_on"]["facts"]
    assert "kernel_late" in data["not_stated"]
    assert data["hangs_on"]["so_with_rfc2131"] is True
    assert "enforcer" not in data["not_stated"]


def test_grace_says_on_what_it_hangs(empty: Path) -> None:
    shown = told(run("grace", "--profile", empty), 3)
    assert "whether a grace of 0 s is enough depends on what is not stated:" in shown
    assert 'with anchor = "ack", it is not' in shown
    shown = told(run("grace", "--profile", empty, "--grace", "60"), 3)
    assert "whether a grace of 60 s is enough depends" in shown
    told(run("grace", "--profile", empty, "--assume", "rfc2131"), 0)


def test_a_network_of_which_a_profile_is_not_all_stated(empty: Path) -> None:
    site = empty.with_name("site.toml")
    site.write_text('title = "x"\n[[client]]\nprofile = "empty.toml"\n', "utf-8")
    assert "empty depends on what" in told(run("verify", "--network", site), 3)
    shown = told(run("grace", "--network", site), 3)
    assert "whether a grace is enough for all depends on what is not stated" in shown
    assert "the profile does not state anchor, " in shown
    assert "x: holds" in told(run("verify", "--network", site, "--assume", "rfc2131"), 0)


def test_a_file_made_of_a_file_states_no_more(empty: Path) -> None:
    """What RFC 2131 has in its place is a comment."""
    printed = told(run("profiles", empty), 0)
    assert '# not stated: trigger = "lapse"' in printed
    again = empty.with_name("again.toml")
    again.write_text(printed, "utf-8")
    assert "depends on what the profile does not state: anchor," in told(run("verify", again), 3)
    data = as_json(run("profiles", empty, "--json"), 0)
    assert {"late", "trigger"} <= set(data["not_stated"])
    assert as_json(run("profiles", "udhcpc", "--json"), 0)["not_stated"] == []


def test_explain_says_why_it_explains_nothing(empty: Path) -> None:
    assert "unknown: depends on what" in told(run("explain", empty), 3)


@pytest.mark.parametrize(
    "command", [("prove",), ("explore",), ("lab", "replay"), ("export", "tla")], ids=" ".join
)
def test_a_command_about_one_client_wants_all_of_it(command: tuple[str, ...], empty: Path) -> None:
    shown = run(*command, empty)
    assert shown.exit_code == 2
    assert f"{empty} does not state anchor, floor, " in shown.output
    assert "--assume rfc2131" in shown.output
