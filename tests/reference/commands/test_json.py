"""What `--json` prints has a form of the schema; with a key more or less it has none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from holdover.model.clients.profile import FACTS, STANDARD, builtin_names, load
from holdover.model.table.expr import DURATION
from holdover.model.table.vocabulary import CONSTANTS
from holdover.proofs.result import Outcome as Proved
from holdover.proofs.verdicts import claims
from holdover.proofs.verdicts.claims import Claim
from holdover.proofs.verdicts.matrix import ROWS
from holdover.reference.commands import client, server
from holdover.reference.console.output import UNBOUNDED, VERSION, text_of_document
from holdover.reference.core.client_state import Client
from holdover.reference.core.config import ClientConfig, ServerConfig
from holdover.reference.core.events import Lease, Notice, Notify, Send
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.collision.collision import OverlapRecord, PlayedCollision
from holdover.reference.lab.collision.schedule import Plan
from holdover.reference.lab.experiments.experiment import Cell, Outcome
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.verdict import verdict
from holdover.reference.lab.record.measure import FOREVER, Measurement, Unknown
from holdover.reference.lab.record.premises import DevicePremises
from holdover.reference.lab.record.sharing import Sharing
from holdover.reference.lab.report.files import conditions_of, write
from holdover.reference.lab.report.report import device_data, print_replay, remarks, show_cell
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS
from holdover.reference.linux.remarks import Remarks
from holdover.reference.linux.server import LeaseEvent
from holdover.reference.refinement.defects import all_defects, mutant
from holdover.reference.wire.messages import BootRequest
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import ROUTERS, Options
from tests.reference.audit.recordings.reading import unpack
from tests.reference.commands.running import SMALL, as_json, run
from tests.reference.validation.rehearsal import late_lease, rehearsed
from tests.schemas import checked_text, forms, forms_of, schemas, valid

FORMS = [form for each in forms().values() for form in each]
LEASED, SERVER = IPv4Address("10.77.0.50"), IPv4Address("10.77.0.1")
LEASE = Lease(LEASED, SERVER, 1, 2, 63 * SECOND, Options([ROUTERS((SERVER,))]))

SITE = """\
title = "the office"
[surroundings]
lease = 86400
[[client]]
profile = "networkd"
[[client]]
profile = "wfwg311"
"""


# Real outputs ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of each form one output, made by the code that makes them all."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("json")
        made = [*of_commands(place, patch), *of_client(), *of_server(patch), *of_lab(place, patch)]
    found = {form: document for document in made for form in forms_of(document)}
    assert len(found) == len(made), "one of them has no form, or several"
    return found


def of_commands(place: Path, patch: pytest.MonkeyPatch) -> Iterator[Any]:
    (place / "site.toml").write_text(SITE)
    site = ("--network", place / "site.toml", "--json")
    (early,) = (defect for defect in all_defects() if defect.name == "lapse-at-t2")
    journal = rehearsed(late_lease, mutant(early)).save(place / "journal")
    patch.setattr("holdover.proofs.verdicts.matrix.ROWS", ROWS[:1])
    few = [Claim("pinned", "freertos", "pinned", 1)]
    patch.setattr(claims, "claims", lambda solvers: few)
    yield as_json(run("verify", "connman", "--json"), 1)
    yield as_json(run("verify", *site), 1)
    yield as_json(run("verify", "--jobs", "1", "--json"), 0)
    yield as_json(run("prove", "wfwg311", "--solver", "z3", "--json"), 1)
    yield as_json(run("prove", "wfwg311", "--certificates", place / "proofs", "--json"), 3)
    yield as_json(run("prove", "wfwg311", "--show", "lapse", "--json"), 0)
    yield as_json(run("grace", "--json"), 0)
    yield as_json(run("grace", *site), 1)
    yield as_json(run("matrix", "--json"), 0)
    yield as_json(run("situations", "--json"), 0)
    yield as_json(run("situations", "clones", "--json"), 1)
    yield as_json(run("profiles", "--json"), 0)
    yield as_json(run("profiles", "udhcpc", "--json"), 0)
    yield as_json(run(*SMALL, "--graph", place / "graph.dot", "--json"), 0)
    yield as_json(run("explain", "wfwg311", "--json"), 1)
    yield as_json(run("explain", journal, "--json"), 1)
    yield as_json(run("lab", "list", "--json"), 0)
    (place / "cache/holdover/roots/trixie/bin").mkdir(parents=True)
    (place / "cache/holdover/roots/trixie/bin/sh").touch()
    patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    yield as_json(run("lab", "roots", "list", "--json"), 0)
    recording = unpack("holdover-dhclient-frozen", place / "recording")
    yield as_json(run("audit", recording.frames, "--json"), 1)


def of_client() -> Iterator[Any]:
    line = partial(client.format_line, "eth0", True, False)
    for lease in (LEASE, None):
        yield checked_text(line(*client.report(Notify(Notice.BOUND, lease), False)))
    yield checked_text(line("LOST", "", {"lines": 3}))
    said: list[tuple[str, str, dict[str, Any]]] = []
    config = ClientConfig(hardware=bytes(6))
    told = Remarks(config, lambda *what: said.append(what), print, verbose=True)
    told.sends(Send(BootRequest(MessageType.DISCOVER, 1, bytes(6))), 0)
    told.silent(Client(config), 10 * SECOND)
    yield from (checked_text(line(*each)) for each in said)


def of_server(patch: pytest.MonkeyPatch) -> Iterator[Any]:
    lines: list[str] = []
    patch.setattr("click.echo", lines.append)
    config = ServerConfig(identifier=SERVER, hardware=bytes(6), pool=(LEASED,))
    server.begin(1, "eth0", config, None, True)
    server.report(LeaseEvent(2, "DHCPACK", str(LEASED), "02:00:00:00:00:01", 3600), True)
    server.end(0, 0, True)
    yield from map(checked_text, lines)


def of_lab(place: Path, patch: pytest.MonkeyPatch) -> Iterator[Any]:
    cell = Cell(
        client=CLIENTS["udhcpc"], server=SERVERS["holdover"], fault=FAULTS["frozen"], lease=10
    )
    seen = Measurement(
        address=LEASED,
        lease=10,
        holdover=FOREVER,
        at_least=30.0,
        uncertainty=0.05,
        enforcer="",
        after_nak=None,
        duplicate=0.0,
        answered=0,
    )
    both = Sharing(
        address=LEASED,
        shared=FOREVER,
        total=40.0,
        spells=1,
        at_end=2,
        answered=2,
        other_had_it=True,
        told=80,
        offered=1,
        granted=2,
        declined=0,
        one_identity=True,
    )
    outcomes = [
        Outcome(cell, seen, place / "none"),
        Outcome(cell, Unknown("no end"), place / "none"),
        Outcome(replace(cell, fault=FAULTS["clones"]), both, place / "none"),
    ]
    verdicts = [verdict(outcome) for outcome in outcomes]
    write(place, verdicts, conditions_of([cell], 1, 0.5))
    yield checked_text((place / "lab.json").read_text())
    stand = DevicePremises(
        "02:00:00:00:00:01", 9, 9, 0.05, 0.01, 2, ("02:00:00:00:00:02",), False, ()
    )
    of_device = device_data(verdicts, [stand, None, stand], conditions_of([cell], 1, 0.5))
    yield checked_text(text_of_document("lab-device", of_device))
    assert "two hosts had the address at once to the end" in (place / "lab.xml").read_text()
    told = [str(each) for each in remarks(verdicts)]
    assert "two hosts: udhcpc, holdover, clones, run 1: forever; both answered ARP" in told
    assert str(show_cell(verdicts[2:])) == "both forever\nlate: for ever"
    plan = Plan(load("wfwg311"), STANDARD, "violated", "", (), False)
    overlap = OverlapRecord(outcome="violated", reason="both answer", duplicate=3.5)
    lines: list[str] = []
    patch.setattr("click.echo", lines.append)
    played = PlayedCollision(plan=plan, seen=overlap, record=place)
    print_replay([played, played], True)
    yield checked_text(*lines)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_one_that_is_printed(form: str, outputs: dict[str, Any]) -> None:
    assert form in outputs


def test_a_cell_of_the_lab_has_one_vocabulary(outputs: dict[str, Any]) -> None:
    seen, lost, both = outputs["lab"]["cells"]
    assert (both["shared"], both["predicted_shared"], both["total"]) == (UNBOUNDED, UNBOUNDED, 40)
    assert (both["outcome"], both["as_predicted"]) == ("violated", True)
    assert (seen["holdover"], seen["predicted"]) == (UNBOUNDED, UNBOUNDED)
    assert (seen["outcome"], seen["as_predicted"]) == ("violated", True)
    assert (lost["outcome"], lost["as_predicted"]) == ("unknown", None)


@pytest.mark.parametrize("name", builtin_names())
def test_each_profile_has_the_form(name: str) -> None:
    as_json(run("profiles", name, "--json"), 0)


def test_an_infinite_lease_is_unbounded() -> None:
    infinite = Lease(LEASED, SERVER, None, None, None, Options())
    said = client.report(Notify(Notice.BOUND, infinite), False)
    line = checked_text(client.format_line("eth0", True, False, *said))
    assert (line["renew_at"], line["end"]) == (None, UNBOUNDED)


# What is none ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_with_a_key_more_or_less_it_is_none(form: str, outputs: dict[str, Any]) -> None:
    whole = outputs[form]
    assert valid(whole)
    for path in objects(whole):
        for key in at(whole, path):
            less = deepcopy(whole)
            del at(less, path)[key]
            assert not (less.get("schema") and valid(less)), f"{path}: without {key}"
        more = deepcopy(whole)
        at(more, path)["more"] = 1
        assert not valid(more), path


@pytest.mark.parametrize("form", FORMS)
def test_another_version_is_none(form: str, outputs: dict[str, Any]) -> None:
    assert outputs[form]["version"] == VERSION
    assert not valid({**outputs[form], "version": VERSION + 1})


def objects(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where there are objects in a document; of a list only the first three are asked."""
    if isinstance(value, dict):
        yield path
        for key, each in value.items():
            yield from objects(each, (*path, key))
    if isinstance(value, list):
        for number, each in enumerate(value[:3]):
            yield from objects(each, (*path, number))


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


# The schema --------------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schemas())


PARTS = sorted(schemas()["$defs"])


@pytest.mark.parametrize("name", PARTS)
def test_each_object_is_strict_and_each_key_is_explained(name: str) -> None:
    part = schemas()["$defs"][name]
    assert part["description"]
    if "properties" not in part:
        return
    assert part["additionalProperties"] is False
    assert part["required"] == list(part["properties"])
    for key, value in part["properties"].items():
        assert re.fullmatch("[a-z][a-z0-9_]*", key)
        assert "description" in value or "$ref" in value
        free = (name, key) in {("event", "time"), ("fact", "value")}
        assert "unit" in value or free or '"number"' not in json.dumps(value), key
        if value.get("$ref") == "#/$defs/bound":
            assert value["unit"]


@pytest.mark.parametrize("name", PARTS)
def test_each_part_is_of_some_document(name: str) -> None:
    assert f'"#/$defs/{name}"' in json.dumps(schemas())


def test_there_is_one_enumeration_of_outcomes() -> None:
    parts = schemas()["$defs"]
    assert parts["outcome"]["enum"] == list(get_args(Proved))
    keyed = [part["properties"] for part in parts.values() if "properties" in part]
    said = [part["outcome"]["$ref"] for part in keyed if "outcome" in part]
    assert set(said) == {"#/$defs/outcome"}


def test_the_constants_of_a_profile_are_those_of_the_table() -> None:
    said = schemas()["$defs"]["profile"]["properties"]
    assert [key for key in said if key in FACTS] == list(FACTS)
    for name in FACTS:
        sort = CONSTANTS[name].sort
        assert (said[name].get("unit") == "s") == (sort is DURATION)
        assert said[name].get("enum", []) == [value.lower() for value in sort.values or ()]


@pytest.mark.parametrize("form", ["client-notice", "client-lease"])
def test_the_events_of_a_client_are_its_notices(form: str) -> None:
    said = schemas()["$defs"][form]["properties"]["event"]["enum"]
    assert said == [notice.name for notice in Notice]
