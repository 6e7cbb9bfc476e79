"""`--network` and `--beside`: several kinds of client, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from holdover.model.clients.network import SURROUNDINGS
from holdover.model.explorer.configurations import configurations
from holdover.reference.console.surroundings import world_options
from tests.reference.commands.running import as_json, refused, run, told

SITE = """\
title = "the office"
[surroundings]
lease = 86400
grace = 8
[[client]]
profile = "networkd"
[[client]]
profile = "dhcpcd"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


def test_a_network_holds_for_any_number_of_hosts_of_each_kind(site: Path) -> None:
    said = told(run("verify", "--network", site), 0)
    assert said.startswith("the office: holds - theorem T3, any number of hosts and addresses (")
    assert [line.split() for line in said.splitlines()[2:4]] == [
        ["networkd", "2", "s", "2", "s"],
        ["dhcpcd", "8", "s", "8", "s"],
    ]


def test_an_option_overrides_the_file_and_the_collision_says_who_is_who(site: Path) -> None:
    said = told(run("verify", "--network", site, "--grace", "7"), 1)
    assert said.startswith("the office: violated - two hosts hold one address after ")
    assert "longer than the server's" in said
    assert "h1 has dhcpcd, h2 has networkd:" in said
    assert " 864" in said  # what comes after a day
    assert " 864" not in told(run("verify", "--network", site, "--grace", "7", "--lease", "600"), 1)


def test_a_network_as_json(site: Path) -> None:
    found = as_json(run("verify", "--network", site, "--json", "--grace", "0"), 1)
    assert list(found) == [
        "schema",
        "version",
        "network",
        "outcome",
        "reason",
        "grace",
        "clients",
        "states",
        "hosts",
        "causes",
        "run",
    ]
    assert found["outcome"] == "violated"
    assert [client["safe_grace"] for client in found["clients"]] == [2.0, 8.0]
    assert found["hosts"][0] == "dhcpcd"
    assert found["run"][-1]["holding"]


def test_the_grace_that_is_enough_for_all_is_that_of_one_kind(site: Path) -> None:
    said = told(run("grace", "--network", site), 0)
    assert said.startswith("safe grace: 8 s (the office; dhcpcd needs it)\n")
    assert said.endswith("a grace of 8 s is enough\n")
    assert told(run("grace", "--network", site, "--grace", "7"), 1).endswith("not enough\n")
    site.write_text(SITE.replace("grace = 8\n", ""))
    assert "server's" not in told(run("grace", "--network", site), 0)
    found = as_json(run("grace", "--network", site, "--json", "--fault", "freezes"), 0)
    assert found["safe_grace"] == max(client["safe_grace"] for client in found["clients"])


def test_where_one_kind_has_no_bound_no_grace_is_enough_for_all(site: Path) -> None:
    site.write_text(SITE + '[[client]]\nprofile = "udhcpc"\n')
    said = told(run("grace", "--network", site), 1)
    assert said.startswith("the office: no grace is enough for all\n")
    assert "nobody acknowledges; the address has no kernel lifetime" in said
    found = as_json(run("grace", "--network", site, "--json"), 1)
    assert found["safe_grace"] == "unbounded"
    assert found["clients"][2]["unbounded_because"]


def test_a_clock_that_is_set_back_on_some_hosts_is_set_back_by_an_hour(site: Path) -> None:
    site.write_text(
        '[[client]]\nprofile = "networkd"\n'
        '[[client]]\nprofile = "dhclient-nolifetime"\nfaults = ["steps"]\n'
    )
    answered = ("grace", "--network", site, "--acknowledge-within", "0", "--json")
    graces = [client["safe_grace"] for client in as_json(run(*answered), 0)["clients"]]
    less = [
        client["safe_grace"] for client in as_json(run(*answered, "--step", "60"), 0)["clients"]
    ]
    assert (graces[0], graces[1] - less[1]) == (less[0], 3540)


def test_a_file_has_every_option_of_the_surroundings_and_what_is_wrong_there_is_said(
    site: Path,
) -> None:
    options = {param.name for param in click.command()(world_options(lambda: None)).params}
    assert {{"drift_ppm": "drift"}.get(key, key) for key in SURROUNDINGS} == options
    site.write_text(SITE.replace("lease = 86400", "lease = 0"))
    assert "a lease of no length" in refused(run("verify", "--network", site))
    assert "[surroundings] of the file" in refused(run("grace", "--network", site))


def test_a_network_names_its_clients(site: Path) -> None:
    assert "leave PROFILE" in refused(run("verify", "udhcpc", "--network", site))
    assert "leave --profile" in refused(run("grace", "--profile", "nt4", "--network", site))
    site.write_text("[[client]]\n")
    assert f"{site}: client 1: " in refused(run("verify", "--network", site))


def test_hosts_beside_each_other_come_to_the_pinned_numbers() -> None:
    pinned = next(c for c in configurations() if c.name == "two kinds of client")
    for how in ((), ("--plain",)):
        found = as_json(run("explore", "udhcpc", "--beside", "rfc2131", "--json", *how), 1)
        numbers = (found["states"], found["steps"], found["depth"], found["stored"])
        assert numbers == (pinned.states, pinned.steps, pinned.depth, pinned.states)
    said = refused(run("explore", "udhcpc", "--beside", "rfc2131", "--hosts", "1"))
    assert "--beside: 2 clients need as many --hosts, not 1" in said


def test_what_hosts_differ_in_is_exported_host_by_host(tmp_path: Path) -> None:
    path = tmp_path / "Lease.tla"
    done = run("export", "tla", "dhcpcd", "--beside", "rfc2131", "-o", path)
    assert done.exit_code == 0
    module = path.read_text()
    assert 'anchor == <<"PROBE", "REQUEST">>' in module
    assert "anchor[h]" in module
    assert "anchor =" not in (tmp_path / "Lease.cfg").read_text()
    alone = told(run("export", "tla", "dhcpcd"), 0)
    assert "anchor[h]" not in alone
