"""Predictions beside measurements: what was fitted is told apart, and how near each comes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from holdover.model.clients.profile import Profile, load
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.verdict import predict_holdover
from tests.measure.agreement import (
    agreement_table,
    counted,
    fitted_in,
    fitted_of,
    tightness,
    with_another,
)


def cell(client: str, fault: str, holdover: float, predicted: float, **more: Any) -> dict[str, Any]:
    return {
        "client": client,
        "fault": fault,
        "lease": 10,
        "outcome": "violated",
        "as_predicted": holdover <= predicted,
        "holdover": holdover,
        "predicted": predicted,
    } | more


PLAIN = Profile("x", enforcer="KERNEL", kernel_late=Fraction(2), late=Fraction(1))


@pytest.mark.parametrize(
    ("fault", "fitted", "rests_on"),
    [
        ("frozen", ("kernel_late",), ("kernel_late",)),
        ("frozen", ("late",), ()),  # a frozen process does nothing, late or not
        ("server killed", ("late", "kernel_late"), ("late", "kernel_late")),  # the kernel in time
        ("server killed", ("late", "floor"), ("late", "floor")),
        ("NAK", ("nak_late",), ("nak_late",)),
        ("frozen", ("enforcer",), ("enforcer",)),
        ("frozen", ("gives_way",), ()),
        ("frozen", (), ()),
    ],
)
def test_a_prediction_rests_on_the_fitted_constants_that_change_it(
    fault: str, fitted: tuple[str, ...], rests_on: tuple[str, ...]
) -> None:
    why = tuple((name, "fitted: x") for name in fitted)
    profile = Profile(**{**PLAIN.__dict__, "why": why})
    found = fitted_of(profile, lambda each: predict_holdover(each, FAULTS[fault], Fraction(10)))
    assert found == rests_on


def test_each_other_value_of_a_constant_is_tried() -> None:
    assert {each.trigger for each in with_another(PLAIN, "trigger")} == {
        "ACKNOWLEDGE",
        "RETRY",
        "NEVER",
    }
    assert [each.late for each in with_another(PLAIN, "late")] == [0]
    assert [each.floor > 0 for each in with_another(PLAIN, "floor")] == [True]
    assert [each.dialog for each in with_another(PLAIN, "dialog")] == [True]


def test_a_cell_is_of_the_profile_of_its_client() -> None:
    assert fitted_in(cell("dhcpcd", "frozen", 15.0, 18.6)) == ("kernel_late",)
    assert fitted_in(cell("udhcpc", "server killed", 17.0, 18.6)) == ("floor",)
    assert fitted_in(cell("pyroute2", "server killed", 0.5, 1.1)) == ()
    assert "kernel_late" in load("dhcpcd").fitted


@pytest.mark.parametrize(
    ("measured", "predicted", "tight"),
    [(1.0, 2.0, 0.5), (2.0, 2.0, 1.0), (-1.0, 2.0, None), (1.0, math.inf, None), (0.0, 0.0, None)],
)
def test_tightness_is_measured_over_predicted(
    measured: float, predicted: float, tight: float | None
) -> None:
    assert tightness(measured, predicted) == tight


def test_the_table_has_fitted_ones_apart() -> None:
    data = {
        "cells": [
            cell("dhcpcd", "frozen", 9.3, 18.6),
            cell("pyroute2", "server killed", 0.55, 1.1),
            cell("pyroute2", "server killed", -0.1, 1.1),
            cell("pyroute2", "frozen", 30.0, 0) | {"predicted": "unbounded"},
            cell("pyroute2", "hook", 0, 61.0) | {"holdover": "unbounded"},
            cell("pyroute2", "server killed", 1.0, 1.1, outcome="unknown"),
        ]
    }
    assert agreement_table(data).splitlines()[2:] == [
        "| dhcpcd | 10 s | `kernel_late` | 1 | +9.30 | 0.50 |",
        "| pyroute2 | 10 s |   | 2 | +0.55 / +1.20 | 0.50 |",
    ]
    assert counted(data).splitlines() == [
        "- 2 rest on none that was fitted: 0 above their prediction; measured / predicted: 0.50.",
        "- 1 rest on a constant that was fitted: 0 above their prediction; "
        "measured / predicted: 0.50.",
    ]
