"""`holdover grace`: what is printed is enough."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.reference.commands.running import as_json, run, told


def test_grace_for_a_day_at_100_ppm() -> None:
    shown = told(run("grace", "--lease", "86400", "--drift-ppm", "100"), 0)
    assert shown.startswith("safe grace: 17.282 s (lease 86400 s, rfc2131)\n")
    assert "or hand out a lease of at most 86382.72" in shown


@pytest.mark.parametrize("lease", ["3600", "86400", "1000", "7", "1d"])
def test_the_grace_that_is_printed_is_enough(lease: str) -> None:
    """A bound is not rounded to where it is none."""
    options = ("--lease", lease, "--drift-ppm", "100")
    printed = re.findall(r"safe grace: (\S+) s", told(run("grace", *options), 0))
    assert "is enough" in told(run("grace", *options, "--grace", *printed), 0)
    exact = as_json(run("grace", *options, "--json"), 0)["safe_grace"]
    told(run("grace", *options, "--grace", str(exact)), 0)
    less = str(exact - 0.001)
    assert "is not enough" in told(run("grace", *options, "--grace", less), 1)


def test_the_shorter_lease_that_is_printed_is_safe() -> None:
    options = ("--drift-ppm", "100", "--lease")
    handed = re.findall(r"at most (\S+) s", told(run("grace", *options, "3600"), 0))
    spare = str(3600 - float(*handed))
    told(run("grace", *options, *handed, "--grace", spare), 0)


def test_no_grace_is_told_with_its_reasons() -> None:
    shown = told(run("grace", "--profile", "wfwg311"), 1)
    assert "no grace is enough" in shown
    assert "nobody acknowledges" in shown
    found = as_json(run("grace", "--profile", "wfwg311", "--json"), 1)
    assert (found["outcome"], found["safe_grace"]) == ("violated", "unbounded")
    assert found["unbounded_because"] == [
        "nobody acknowledges",
        "the address has no kernel lifetime",
    ]


def test_grace_json_has_its_parts() -> None:
    found = as_json(run("grace", "--profile", "connman", "--json"), 0)
    assert sum(part["seconds"] for part in found["parts"]) == found["worst_holdover"]


def test_no_grace_is_enough_where_two_hosts_are_one_client_to_the_server() -> None:
    assert "no grace is enough, nor a shorter lease" in told(run("grace", "--fault", "clones"), 1)


def test_where_nobody_knows_a_grace_words_and_status_say_so(tmp_path: Path) -> None:
    """No bound, and no run that shows that there is none: not the same as that none is enough."""
    path = tmp_path / "stale.toml"
    path.write_text("checks_xid = false\nreleases = true\n")
    said = told(run("grace", "--profile", path), 3)
    assert said.startswith("stale: unknown whether any grace is enough, or any shorter lease,")
    assert as_json(run("grace", "--profile", path, "--json"), 3)["outcome"] == "unknown"
    assert "unknown whether any grace is enough" in told(run("verify", path), 3)
    network = tmp_path / "network.toml"
    network.write_text('[[client]]\nprofile = "stale.toml"\n')
    assert ": unknown whether any grace is enough for all" in told(
        run("grace", "--network", network), 3
    )
