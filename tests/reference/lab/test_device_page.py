"""The page about devices has the figures that are kept beside it, and says of them what is so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.checkout import ROOT
from tests.measure.device import AGREE, PAGE, RAW, difference, disagree, filled, section

DATA = json.loads((ROOT / RAW).read_text("utf-8"))
TEXT = (ROOT / PAGE).read_text("utf-8")


def test_the_page_has_the_figures_that_are_kept() -> None:
    assert filled(TEXT, DATA) == TEXT


def test_each_client_of_the_lab_was_a_device_three_times() -> None:
    described = {each.name for each in CLIENTS.values() if each.profile is not None}
    described.discard("networkmanager-dhcpcd")  # Debian 12's NetworkManager cannot run dhcpcd
    assert {each["client"] for each in DATA["cells"]} == described
    assert {each["repeat"] for each in DATA["cells"]} == {1, 2, 3}


def test_none_is_known_better_from_the_wire_than_the_questions_allow() -> None:
    for each in DATA["cells"]:
        apart = difference(each)
        if apart:
            assert apart <= max(AGREE, each["wire"]["uncertainty"] + each["host"]["uncertainty"])
            assert apart >= -AGREE, "the wire is an upper bound"


def reading(holdover: float | str) -> dict[str, Any]:
    return {"holdover": holdover, "uncertainty": 0.05, "after_nak": None}


@pytest.mark.parametrize(
    ("host", "wire", "wrong"),
    [
        (reading(1.0), reading(1.09), False),
        (reading(1.0), reading(1.11), True),
        (reading("unbounded"), reading("unbounded"), False),
        (reading("unbounded"), reading(1.0), True),
        ({"reason": "no"}, {"reason": "none"}, False),
        ({"reason": "no"}, reading(1.0), True),
    ],
)
def test_two_readings_disagree_if_they_differ_or_one_is_unknown(
    host: dict[str, Any], wire: dict[str, Any], wrong: bool
) -> None:
    cell = {"client": "udhcpc", "fault": "server silent", "lease": 6, "repeat": 1}
    cell |= {"asked": 1, "answered": 1, "apart": 0.05}
    each: dict[str, Any] = {**cell, "host": host, "wire": wire}
    assert disagree(each) is wrong
    number = f"known one way only: {int(wrong)}."
    if difference(each) is not None and "unbounded" not in (host["holdover"], wire["holdover"]):
        assert number in section({"conditions": {}, "cells": [each]})


def test_what_the_page_says_is_refused_is() -> None:
    (row,) = [line for line in TEXT.splitlines() if "inside of the client's host: " in line]
    for name in ("frozen", "kill -9", "hook", "link flap", "clones", "kernel busy"):
        assert f"*{name}*" in row
        assert FAULTS[name].needs_access
    possible = [name for name, fault in FAULTS.items() if not fault.needs_access]
    assert {"server silent", "NAK", "given away", "static host after"} <= set(possible)
    assert not any(f"*{name}*" in row for name in possible)
