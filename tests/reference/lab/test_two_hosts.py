"""Two hosts with one address: what is played, in which order, and the page of what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from holdover.model.errors import InputError
from holdover.reference.lab.experiments import experiment
from holdover.reference.lab.experiments.experiment import Cell, Run, play_cell
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.two_hosts import SHARED_FOR, TWO_HOSTS
from holdover.reference.lab.testbed.client_program import CLONE
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.command_line import client_from_command
from holdover.reference.lab.testbed.servers import SERVERS
from holdover.reference.lab.testbed.stranger import ANNOUNCE_INTERVAL, ASKS, packets
from tests.checkout import ROOT
from tests.measure import two_hosts

LEASE = 40
USUAL = Cell(
    client=CLIENTS["udhcpc"],
    server=replace(SERVERS["isc"], needs=()),
    fault=FAULTS["clones"],
    lease=LEASE,
    window=7.0,
)


class Told:
    """A scene on which nothing happens: what is asked of it, in order."""

    said: list[str]

    def __init__(self, *arguments: Any, **about: Any) -> None:
        self.lease = LEASE
        self.said = [f"another host: {about['rival']}, server probes: {about['server_probes']}"]
        PLAYED.append(self)

    def begin(self, client: Any, hook_blocks: Any, *, cloned: bool, kept: bool) -> None:
        self.said.append("client, cloned" if cloned else "client")

    def wait(self, seconds: float) -> None:
        self.said.append(f"wait {seconds:g}")

    def mark(self, what: str) -> None:
        """It is in `said` by what was done."""

    def __getattr__(self, name: str) -> Any:
        return lambda: self.said.append(name)


PLAYED: list[Told] = []


def played(name: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fault = FAULTS[name]
    if fault.before is not None:
        fault = replace(fault, before=lambda scene: scene.stranger_comes())
    monkeypatch.setattr(experiment, "Scene", Told)
    play_cell(replace(USUAL, fault=fault), None, Path(), Run())  # type: ignore[arg-type]
    return PLAYED.pop().said


@pytest.mark.parametrize(
    ("name", "probes", "order"),
    [
        ("clones", False, ["serve", "client, cloned", "bound", "clone_asks"]),
        ("static host before", False, ["serve", "stranger_comes", "client", "granted"]),
        ("static host before, server probes", True, ["serve", "stranger_comes", "client", "asked"]),
        ("static host after", False, ["serve", "client", "bound", "stranger_comes"]),
    ],
)
def test_who_comes_when_and_for_how_long_they_are_left_to_it(
    name: str, probes: bool, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a lease and a half, and the window; nobody waits for a lease end."""
    assert played(name, monkeypatch) == [
        f"another host: True, server probes: {probes}",
        *order,
        f"wait {SHARED_FOR * LEASE:g}",
        "wait 7",
        "close",
        "keep_output",
    ]


def test_of_each_such_fault_the_model_has_one() -> None:
    assert {each.name: set(each.surroundings.faults) for each in TWO_HOSTS} == {
        "clones": {"clones"},
        "static host before": {"settles"},
        "static host before, server probes": {"settles"},
        "static host after": {"intrudes"},
    }
    for each in FAULTS.values():
        assert each.server_probes is each.surroundings.server_probes
        assert (each.shares is None) is (each not in TWO_HOSTS)


def test_what_cannot_be_played_says_why() -> None:
    assert USUAL.impossible is None or USUAL.impossible.startswith("missing")
    here = replace(USUAL, client=replace(CLIENTS["connman"], needs=()))
    assert here.impossible == "connman takes no client identifier from its user"
    assert replace(here, fault=FAULTS["static host after"]).impossible is None
    asks = replace(USUAL, fault=FAULTS["static host before, server probes"])
    kea = replace(SERVERS["kea"], needs=())
    assert replace(asks, server=kea).impossible == "kea does not ask whether an address is in use"


# Clones ------------------------------------------------------------------------------------------


def test_twelve_clients_can_be_told_an_identifier_and_each_has_a_place_for_it() -> None:
    with_one = [each for each in CLIENTS.values() if each.identity]
    assert len(with_one) == 12
    for each in CLIENTS.values():
        assert ("{identity}" in each.command + each.setup) is bool(each.identity), each.name


class Apart:
    """A host that starts nothing: the command and what a shell prepares for it."""

    def apart(self, *command: str, setup: str, root: Any, kept: str) -> Any:
        assert (root, kept) == (None, "")
        return " ".join(command), setup


@pytest.mark.parametrize("name", [each.name for each in CLIENTS.values() if each.identity])
def test_a_clone_differs_from_a_client_by_its_identifier_alone(name: str, tmp_path: Path) -> None:
    client, host = CLIENTS[name], Apart()
    plain = " ".join(map(str, client.start(host, tmp_path)))  # type: ignore[arg-type, call-overload]
    clone = " ".join(map(str, client.start(host, tmp_path, cloned=True)))  # type: ignore[arg-type, call-overload]
    assert "{identity}" not in plain + clone
    assert client.identity not in plain
    assert clone.replace(client.identity, "").split() == plain.split()
    plainly = CLONE.replace(":", "")
    assert plainly in client.identity.replace(":", "") or "IAID" in client.identity


def test_a_client_that_takes_no_identifier_is_no_clone(tmp_path: Path) -> None:
    client = client_from_command("udhcpc -f -i {iface}")
    with pytest.raises(InputError, match="takes no client identifier"):
        client.start(Apart(), tmp_path, cloned=True)  # type: ignore[arg-type]


# A stranger --------------------------------------------------------------------------------------


def test_a_stranger_announces_its_address_and_asks_for_its_peer() -> None:
    hardware, address, peer = bytes(6), IPv4Address("10.77.0.50"), IPv4Address("10.77.0.1")
    said = list(islice(packets(hardware, address, peer), 5))
    assert [arp.sender for arp, _ in said] == [address] * 5, "each is a conflict to who has it"
    assert [arp.target for arp, _ in said] == [address, address, peer, peer, peer]
    assert [silence for _, silence in said] == [ANNOUNCE_INTERVAL] * 2 + [ASKS] * 3


# The page ----------------------------------------------------------------------------------------


def cell(shared: float | str | None, **more: Any) -> dict[str, Any]:
    return {
        "client": "udhcpc",
        "server": "kea",
        "fault": "clones",
        "lease": 40,
        "repeat": 1,
        "outcome": "violated",
        "as_predicted": True,
        "reason": "",
        "shared": shared,
        "predicted_shared": "unbounded",
        "spells": 1,
        "at_end": 2,
        "declined": 0,
    } | more


UNPLAYED = {"outcome": "unknown", "as_predicted": None, "reason": "it cannot be"}


def row(cells: list[dict[str, Any]]) -> str:
    """The last line of a section."""
    return two_hosts.section({"cells": cells}, "clones").strip().splitlines()[-1]


def test_a_row_has_each_server_the_prediction_and_what_is_to_be_said() -> None:
    both = [cell(2.1), cell(2.3), cell("unbounded", server="isc")]
    assert row(both) == ("| udhcpc | 2.10 / 2.30 | forever | no bound |   | fitted: `gives_way` |")
    gave_way = [cell(2.0, client="reference", predicted_shared=10.0)]
    assert row(gave_way) == "| reference | 2.00 | 10.00 | 0.20 |   |"
    found = {"client": "reference", "outcome": "holds", "predicted_shared": 0.0}
    never = [cell(0.0, **found, declined=1, at_end=1), cell(0.0, **found, declined=21, at_end=0)]
    assert row(never) == (
        "| reference | never | never |   | "
        "DHCPDECLINEs: 1 to 21; at the end nobody had it: 1 of 2 |"
    )
    once = [cell(0.0, **found, declined=1, at_end=1)]
    assert row(once).endswith("| DHCPDECLINEs: 1 |")
    assert "in up to 3 parts" in row([cell(9.0), cell(8.0, spells=3)])
    assert "**longer than predicted**" in row([cell(9.0, as_predicted=False)])


def test_what_is_unknown_is_no_figure() -> None:
    assert row([cell(None, **UNPLAYED)]) == "| udhcpc | unknown |   |   | it cannot be |"
    seen = {"outcome": "unknown", "as_predicted": None, "reason": "nobody was told"}
    assert row([cell(0.0, **seen), cell(3.0)]) == (
        "| udhcpc | 3.00 (n = 1 of 2) | no bound |   | fitted: `gives_way`; nobody was told |"
    )


def test_each_fault_is_run_with_servers_that_can() -> None:
    told = [" ".join(words) for words in two_hosts.runs(3)]
    assert len(told) == 3
    assert not [words for words in told if "server probes" in words and "=kea" in words]
    for each in TWO_HOSTS:
        assert any(f"--fault={each.name}" in words for words in told)
    for lease, _, servers in two_hosts.PLAYED:
        assert lease >= max(SERVERS[name].shortest for name in servers)


def test_the_page_is_that_of_the_figures() -> None:
    raw = (ROOT / two_hosts.RAW).read_text("utf-8")
    data = json.loads(raw)
    assert two_hosts.page(data) == (ROOT / two_hosts.PAGE).read_text("utf-8")
    assert raw == two_hosts.kept(data)
    assert not [c for c in data["cells"] if c["as_predicted"] is False]
    for each in TWO_HOSTS:
        known = {
            c["client"]
            for c in data["cells"]
            if (c["fault"], c["outcome"] != "unknown") == (each.name, True)
        }
        assert len(known) >= 6, each.name
