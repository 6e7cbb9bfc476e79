"""What a measurement says of a client: held to its lease, and to its profile."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from holdover.model import measured
from holdover.model.profile import load
from holdover.reference.lab.cell import Cell, Outcome
from holdover.reference.lab.clients import CLIENTS
from holdover.reference.lab.faults import FAULTS, TABLE
from holdover.reference.lab.measure import FOREVER, Measurement, Unknown
from holdover.reference.lab.servers import SERVERS
from holdover.reference.lab.verdict import Verdict, combined, predicted, spread, verdict

IN_TIME = Measurement(
    address=IPv4Address("10.77.0.50"), lease=10, holdover=-0.5, at_least=-0.5, uncertainty=0.05,
    enforcer="kernel", after_nak=None, duplicate=0.0, answered=0,
)  # fmt: skip


def cell(client: str, fault: str) -> Cell:
    return Cell(client=CLIENTS[client], server=SERVERS["holdover"], fault=FAULTS[fault], lease=10)


def judged(client: str, fault: str, result: Measurement | Unknown) -> Verdict:
    return verdict(Outcome(cell(client, fault), result, Path()))


def held(
    seconds: float, at_least: float | None = None, after_nak: float | None = None
) -> Measurement:
    watched = seconds if at_least is None else at_least
    return replace(IN_TIME, holdover=seconds, at_least=watched, after_nak=after_nak)


@pytest.mark.parametrize(
    ("client", "fault", "seen", "says"),
    [
        ("reference", "frozen", held(-0.5), "holds"),
        ("reference", "frozen", held(0.0), "holds"),
        ("reference", "frozen", held(0.04), "unknown"),  # within the uncertainty
        ("reference", "frozen", held(0.06), "wrong"),  # its profile allows nothing
        ("dhclient", "frozen", held(0.5), "late"),
        ("dhclient", "frozen", held(2.64), "late"),
        ("dhclient", "frozen", held(2.66), "wrong"),
        ("dhclient", "frozen", held(FOREVER, at_least=30), "wrong"),
        ("udhcpc", "frozen", held(FOREVER, at_least=30), "late"),  # its profile has no bound
        ("udhcpc", "server killed", held(18.5), "late"),
        ("udhcpc", "server killed", held(FOREVER, at_least=15), "late"),  # watched for too short
        ("udhcpc", "server killed", held(FOREVER, at_least=19), "wrong"),
        ("reference", "NAK", held(-5, after_nak=0.1), "holds"),
        ("reference", "NAK", held(-5, after_nak=1.1), "wrong"),  # its profile says that it heeds
        ("reference", "NAK", held(-5), "unknown"),
        ("connman", "NAK", held(-5, after_nak=3), "late"),
        ("networkd", "NAK", held(0.5, after_nak=3), "late"),
        ("networkd", "NAK unicast", held(-5, after_nak=3), "wrong"),
    ],
)
def test_a_measurement_says(client: str, fault: str, seen: Measurement, says: str) -> None:
    found = judged(client, fault, seen)
    assert found.says == says, found
    assert found.measured is seen


def test_what_could_not_be_played_is_unknown_with_its_reason() -> None:
    found = judged("reference", "frozen", Unknown("the recorder has ended"))
    assert (found.says, found.reason, found.worst) == ("unknown", "the recorder has ended", None)
    assert found.measured is None


def test_a_client_without_a_profile_has_no_prediction_and_is_held_to_its_lease() -> None:
    stranger = replace(cell("udhcpc", "frozen"), client=replace(CLIENTS["udhcpc"], profile=None))
    found = verdict(Outcome(stranger, held(FOREVER, at_least=30), Path()))
    assert (found.says, found.worst) == ("late", None)


def test_the_prediction_is_that_of_the_measured_cells() -> None:
    """The faults that the documentation's measurements are about are the lab's."""
    for name in ("server killed", "frozen", "kill -9", "clock set back"):
        for profile in ("udhcpc", "dhcpcd", "networkd", "reference"):
            bound = measured.predict(profile, name, Fraction(24))
            expected = math.inf if bound is None else float(bound)
            assert predicted(load(profile), FAULTS[name], Fraction(24)) == expected


def test_a_late_ack_adds_its_delay_for_who_counts_from_it() -> None:
    lease = Fraction(20)
    for profile, adds in (("udhcpc", 4), ("networkmanager", 0)):
        client = load(profile)
        late = predicted(client, FAULTS["ACK delayed"], lease)
        assert late - predicted(client, FAULTS["server killed"], lease) == pytest.approx(adds)


def test_every_fault_has_a_prediction_for_every_profile() -> None:
    for fault in TABLE:
        for client in CLIENTS.values():
            assert client.profile is not None
            assert predicted(load(client.profile), fault, Fraction(client.lease)) is not None


def test_many_come_to_the_worst_of_them() -> None:
    holds, late, unknown = (
        judged("dhclient", "frozen", seen)
        for seen in (held(-1), held(0.5), Unknown("it could not be played"))
    )
    assert combined([holds, holds]) == "holds"
    assert combined([holds, unknown]) == "unknown"
    assert combined([holds, unknown, late]) == "violated"
    assert combined([]) == "unknown"
    assert spread([late, holds, unknown]) == (-1, -1, 0.5)
    assert spread([unknown]) is None
