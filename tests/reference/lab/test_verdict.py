"""What a measurement says of a client: held to its lease, and to its profile."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from holdover.model.clients import measurements
from holdover.model.clients.profile import load
from holdover.proofs.verdicts.judge import judge, proved_by_probing
from holdover.reference.lab.experiments.experiment import Cell, Outcome
from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.faults import FAULTS, TABLE, find_fault
from holdover.reference.lab.experiments.verdict import (
    ANSWERED_BY,
    GIVES_WAY,
    OBEYED,
    Verdict,
    combine_verdicts,
    findings,
    is_refusal,
    predict_holdover,
    predict_kept,
    predict_sharing,
    sharing_findings,
    spread,
    stays_after,
    verdict,
)
from holdover.reference.lab.record.measure import FOREVER, Measurement, Unknown
from holdover.reference.lab.record.sharing import Sharing
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS

IN_TIME = Measurement(
    address=IPv4Address("10.77.0.50"),
    lease=10,
    holdover=-0.5,
    at_least=-0.5,
    uncertainty=0.05,
    enforcer="kernel",
    after_nak=None,
    duplicate=0.0,
    answered=0,
)


def cell(client: str, fault: str, lease: int = 10) -> Cell:
    server = SERVERS["holdover"]
    return Cell(client=CLIENTS[client], server=server, fault=named(fault), lease=lease)


def named(name: str) -> Fault:
    found = find_fault(name)
    assert found is not None
    return found


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


# Another address ---------------------------------------------------------------------------------


def moved(seconds: float, replaced: float | None) -> Measurement:
    return replace(held(seconds, at_least=min(seconds, 30)), replaced=replaced)


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (moved(-5, 0.1), "holds"),
        (moved(-0.5, 4.5), "holds"),  # to the end of its lease it may
        (moved(0.04, 5.0), "unknown"),  # within the uncertainty
        (moved(3, 8), "late"),
        (moved(FOREVER, FOREVER), "late"),
    ],
)
def test_who_is_granted_another_address_is_held_to_the_lease_of_the_old_one(
    seen: Measurement, says: str
) -> None:
    for client in ("reference", "udhcpc"):
        found = judged(client, "another address", seen)
        assert found.says == says, found
        assert found.worst is None, "the model has no word for it, so nothing is wrong"
        if says != "unknown":
            assert found.reason == FAULTS["another address"].unmodelled


def test_another_address_that_never_came_is_no_pass() -> None:
    found = judged("reference", "another address", moved(-5, None))
    assert (found.says, found.reason) == (
        "unknown",
        "no DHCPACK of another address came while the address was held",
    )


def test_the_faults_that_the_model_has_no_word_for_are_few() -> None:
    names = ["another address", "T1 after the end", "T2 after the end"]
    assert [each.name for each in TABLE if each.unmodelled] == names
    late = judged("dhclient-nolifetime", "T1 after the end", held(22))
    assert (late.says, late.worst) == ("late", None)
    assert "held to the end of its lease" in late.reason


# A server that shortens --------------------------------------------------------------------------


def test_who_cannot_have_read_that_its_lease_is_shorter_may_keep_the_longer_one() -> None:
    lost = predict_holdover(load("reference"), named("shortened lost=2s"), Fraction(40))
    assert lost == predict_holdover(load("reference"), FAULTS["frozen"], Fraction(40)) + 38
    for name, granted in (("shortened killed", 20), ("shortened frozen=0s", 0)):
        found = predict_holdover(load("dhclient"), named(name), Fraction(40))
        assert (
            found
            == predict_holdover(load("dhclient"), FAULTS["frozen"], Fraction(40)) + 40 - granted
        )


def test_the_prediction_is_for_the_lease_before_and_not_for_what_is_left_of_it() -> None:
    """The measurement is about the lease that was shortened: its end is what counts."""
    shorter = replace(held(15), lease=2)
    found = verdict(Outcome(cell("udhcpc-lifetime", "shortened killed=2s", 20), shorter, Path()))
    assert found.worst == pytest.approx(20.6)
    assert found.says == "late"


@pytest.mark.parametrize(
    ("lease", "seconds", "says"),
    [(0, 0.3, "holds"), (0, OBEYED + 0.04, "unknown"), (0, 1.2, "late"), (2, 0.3, "late")],
)
def test_a_lease_of_no_length_is_left_as_fast_as_after_a_nak(
    lease: int, seconds: float, says: str
) -> None:
    result = replace(held(seconds), lease=lease)
    found = verdict(Outcome(cell("dhclient", f"shortened={lease}s", 40), result, Path()))
    assert found.says == says


def test_what_is_not_shorter_cannot_be_played() -> None:
    assert cell("reference", "shortened=9s").impossible is None
    assert "no shorter than a lease of 10 s" in str(cell("reference", "shortened=10s").impossible)
    assert cell("reference", "frozen").impossible is None


@pytest.mark.parametrize(("client", "worst"), [("reference", 12), ("pyroute2", 13.1)])
def test_while_the_kernels_lock_is_held_process_and_kernel_may_be_so_much_later(
    client: str, worst: float
) -> None:
    assert judged(client, "kernel busy", held(10)).says == "wrong", "nothing was held"
    found = judged(client, "kernel busy", replace(held(10), locked=12.0))
    assert found.worst == pytest.approx(worst)
    assert found.says == "late"


@pytest.mark.parametrize(
    ("late_by", "kept", "says"), [(0.5, 0.6, "unknown"), (0.5, 0.4, "late"), (-0.5, 3, "holds")]
)
def test_what_another_program_with_the_lock_may_have_made_late_is_unknown(
    late_by: float, kept: float, says: str
) -> None:
    found = judged("udhcpc", "server killed", replace(held(late_by), kept=kept))
    assert found.says == says
    assert ("another program" in found.reason) == (says == "unknown")


@pytest.mark.parametrize(
    ("surely", "kept", "says", "reason"),
    [
        (-1, 0.9, "unknown", "answers no ARP"),
        (0.5, 0.6, "unknown", "another program"),
        (0.7, 0.6, "late", ""),
    ],
)
def test_a_holdover_that_is_not_sure_is_not_laid_to_the_lock(
    surely: float, kept: float, says: str, reason: str
) -> None:
    """Without the other program it would be as unknown: the reason is what no repetition mends."""
    seen = replace(
        held(0.8), at_least=surely, uncertainty=0.0, kept=kept, doubt="the device answers no ARP"
    )
    found = judged("udhcpc", "server killed", seen)
    assert found.says == says
    assert reason in found.reason


@pytest.mark.parametrize(("after", "says"), [(OBEYED + 0.5, "unknown"), (OBEYED + 0.7, "wrong")])
def test_nor_is_who_obeyed_a_nak_late_for_as_long(after: float, says: str) -> None:
    result = replace(held(-5), after_nak=after, kept=0.6)
    assert judged("reference", "NAK", result).says == says


@pytest.mark.parametrize(("watched", "says"), [(15, "late"), (40, "wrong")])
def test_to_the_end_of_a_watch_is_no_longer_than_the_watch(watched: float, says: str) -> None:
    """Who has looked for 15 s has not refuted that connman leaves within 30 s."""
    result = replace(held(FOREVER), at_least=watched, after_nak=FOREVER)
    assert judged("connman", "NAK", result).says == says


# Of all faults -----------------------------------------------------------------------------------


def test_a_profile_says_which_nak_is_heeded_whether_or_not_there_is_an_offer() -> None:
    by = {
        name: stays_after(FAULTS[name], load("networkd")) == 0
        for name in FAULTS
        if is_refusal(FAULTS[name])
    }
    assert by == {
        "NAK": False,
        "NAK and offer": False,
        "NAK unicast": True,
        "NAK unicast and offer": True,
        "given away": False,
        "server clock set forward": False,
    }


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
            bound = measurements.predict(profile, name, Fraction(24))
            expected = math.inf if bound is None else float(bound)
            assert predict_holdover(load(profile), FAULTS[name], Fraction(24)) == expected


def test_a_late_ack_adds_its_delay_for_who_counts_from_it() -> None:
    lease = Fraction(20)
    for profile, adds in (("udhcpc", 4), ("rfc2131", 0)):
        client = load(profile)
        late = predict_holdover(client, FAULTS["ACK delayed"], lease)
        assert late - predict_holdover(client, FAULTS["server killed"], lease) == pytest.approx(
            adds
        )


def test_every_fault_has_a_prediction_for_every_profile() -> None:
    for fault in TABLE:
        for client in CLIENTS.values():
            if client.profile is None:
                assert not client.usual
                continue
            assert predict_holdover(load(client.profile), fault, Fraction(client.lease)) is not None


def test_many_come_to_the_worst_of_them() -> None:
    holds, late, unknown = (
        judged("dhclient", "frozen", seen)
        for seen in (held(-1), held(0.5), Unknown("it could not be played"))
    )
    assert combine_verdicts([holds, holds]) == "holds"
    assert combine_verdicts([holds, unknown]) == "unknown"
    assert combine_verdicts([holds, unknown, late]) == "violated"
    assert combine_verdicts([]) == "unknown"
    assert spread([late, holds, unknown]) == (-1, -1, 0.5)
    assert spread([unknown]) is None


# Given away --------------------------------------------------------------------------------------

GIVEN = FAULTS["given away"]


def given(displaced: float | None, after_nak: float | None = 0.1) -> Measurement:
    return replace(
        IN_TIME, lease=40, holdover=-5, at_least=-5, displaced=displaced, after_nak=after_nak
    )


def test_what_is_given_away_is_predicted_by_t6() -> None:
    """Half a lease of forty seconds, there and back; or all of it, and how late the client is."""
    kept = predict_kept(load("reference"), GIVEN, Fraction(40))
    assert kept == pytest.approx(20 + 2 * float(measurements.DELAY))
    deaf = predict_kept(load("networkd"), GIVEN, Fraction(40))
    assert deaf is not None
    assert deaf > 40
    assert predict_kept(load("reference"), FAULTS["server clock set forward"], Fraction(40)) == kept
    assert predict_kept(load("reference"), FAULTS["NAK"], Fraction(40)) is None
    leaves = replace(load("rfc2131"), after_nak="LEAVE")
    assert predict_kept(leaves, GIVEN, Fraction(40)) == math.inf


@pytest.mark.parametrize(
    ("client", "seen", "says"),
    [
        ("reference", given(20.1), "holds"),
        ("reference", given(20.3), "wrong"),
        ("reference", given(20.1, after_nak=1.2), "wrong"),
        ("reference", replace(given(FOREVER), holdover=FOREVER, at_least=25), "wrong"),
        ("reference", given(None), "unknown"),
        ("networkd", given(40.5, after_nak=5.0), "late"),
        ("networkd", given(42.0, after_nak=5.0), "wrong"),
    ],
)
def test_a_client_that_keeps_what_was_given_away(client: str, seen: Measurement, says: str) -> None:
    assert judged(client, "given away", seen).says == says


@pytest.mark.parametrize(("watched", "says"), [(15, "late"), (45, "wrong")])
def test_what_was_given_away_was_kept_as_long_as_was_seen(watched: float, says: str) -> None:
    """To the end of a watch is no longer than the watch."""
    seen = replace(given(FOREVER), holdover=FOREVER, at_least=watched)
    assert next(iter(findings(GIVEN, seen, None, None, 41.0)))[0] == says


# Two hosts with one address ----------------------------------------------------------------------

BEFORE, PROBED, AFTER = (
    "static host before",
    "static host before, server probes",
    "static host after",
)
SHARING = ("clones", BEFORE, PROBED, AFTER)

FOUND = Sharing(
    address=IPv4Address("10.77.0.50"),
    shared=0.0,
    total=0.0,
    spells=0,
    at_end=1,
    answered=0,
    other_had_it=True,
    told=1,
    offered=1,
    granted=1,
    declined=1,
    one_identity=True,
)
"""Who asked was told, and declined."""

TAKEN = replace(FOUND, shared=FOREVER, total=40.0, spells=1, at_end=2, answered=2, declined=0)
"""Who asked took it all the same."""

GAVE_WAY = replace(TAKEN, shared=2.1, total=2.1, at_end=1)


def shared(client: str, fault: str, result: Sharing) -> Verdict:
    return verdict(Outcome(cell(client, fault), result, Path()))


@pytest.mark.parametrize(
    ("client", "fault", "seen", "says"),
    [
        ("udhcpc", "clones", TAKEN, "late"),
        ("udhcpc", "clones", GAVE_WAY, "late"),
        ("reference", "clones", FOUND, "holds"),
        ("reference", "clones", TAKEN, "wrong"),  # it probes
        ("reference", "clones", GAVE_WAY, "wrong"),
        ("udhcpc", BEFORE, TAKEN, "late"),
        ("udhcpc", BEFORE, FOUND, "holds"),
        ("dhcpcd", BEFORE, FOUND, "holds"),
        ("dhcpcd", BEFORE, replace(FOUND, told=0), "holds"),  # it may have heard an announcement
        ("dhcpcd", BEFORE, GAVE_WAY, "wrong"),
        ("udhcpc", PROBED, replace(FOUND, offered=0, granted=0, declined=0), "holds"),
        ("udhcpc", PROBED, TAKEN, "wrong"),  # the server has asked
        ("udhcpc", AFTER, TAKEN, "late"),
        ("udhcpc", AFTER, replace(GAVE_WAY, shared=GIVES_WAY + 0.1), "late"),
        ("udhcpc", AFTER, GAVE_WAY, "holds"),
        ("reference", AFTER, GAVE_WAY, "holds"),
        ("reference", AFTER, replace(GAVE_WAY, shared=10.9), "late"),
        ("reference", AFTER, replace(GAVE_WAY, shared=11.1), "wrong"),  # within ten, it says
        ("reference", AFTER, TAKEN, "wrong"),
    ],
)
def test_two_hosts_with_one_address_say(client: str, fault: str, seen: Sharing, says: str) -> None:
    found = shared(client, fault, seen)
    assert found.says == says, found
    assert (found.shared, found.measured, found.worst) == (seen, None, None)


@pytest.mark.parametrize(
    ("fault", "seen", "reason"),
    [
        ("clones", replace(TAKEN, one_identity=False), "one client identifier"),
        ("clones", replace(FOUND, one_identity=False), "one client identifier"),
        ("clones", replace(FOUND, declined=0), "neither used nor declined"),
        ("clones", replace(FOUND, granted=0, declined=0), "did not grant"),
        (BEFORE, replace(FOUND, other_had_it=False), "no other host"),
        (BEFORE, replace(FOUND, offered=0, granted=0, declined=0), "did not grant"),
        (BEFORE, replace(FOUND, declined=0), "neither used nor declined"),
        (PROBED, replace(FOUND, offered=0, granted=0, declined=0, told=0), "nobody was told"),
        (PROBED, replace(FOUND, offered=1, granted=0, declined=0), "did not grant"),
        (AFTER, FOUND, "had let go of the address before"),
        (AFTER, replace(FOUND, other_had_it=False), "no other host"),
        (AFTER, replace(TAKEN, answered=1), "1 answered ARP"),
    ],
)
def test_that_no_two_hosts_were_seen_is_no_pass_by_itself(
    fault: str, seen: Sharing, reason: str
) -> None:
    found = shared("udhcpc", fault, seen)
    assert found.says == "unknown", found
    assert reason in found.reason


def test_for_a_short_time_nobody_may_have_been_asked() -> None:
    short = replace(GAVE_WAY, shared=ANSWERED_BY, total=ANSWERED_BY, answered=0)
    assert shared("udhcpc", AFTER, short).says == "holds"


def test_a_probe_of_client_or_server_finds_who_is_there_before_and_nobody_who_comes_later() -> None:
    for profile in ("reference", "dhcpcd", "udhcpc", "networkmanager"):
        client = load(profile)
        found = {name: predict_sharing(client, FAULTS[name]) for name in SHARING}
        without = 0.0 if client.probes else math.inf
        later = float(client.gives_way_within) if client.gives_way else math.inf
        assert found == {"clones": without, BEFORE: without, PROBED: 0.0, AFTER: later}
        assert predict_sharing(client, FAULTS["frozen"]) is None


def test_who_gives_way_may_have_the_address_each_time_for_as_long_as_t7_says() -> None:
    """At once (a), or at the second conflict (b); a moment more is no refutation."""
    for within in (0, 10):
        gives = replace(load("udhcpc"), gives_way=True, gives_way_within=Fraction(within))
        for name in ("clones", BEFORE, AFTER):
            assert predict_sharing(gives, FAULTS[name]) == within
            seen = replace(GAVE_WAY, shared=within + 0.9)
            found = sharing_findings(FAULTS[name], seen, gives, float(within))
            assert "wrong" not in [says for says, _ in found]
            seen = replace(GAVE_WAY, shared=within + 1.1)
            found = sharing_findings(FAULTS[name], seen, gives, float(within))
            assert "wrong" in [says for says, _ in found]


@pytest.mark.parametrize("fault", SHARING)
def test_where_no_two_hosts_are_predicted_the_model_has_none(fault: str) -> None:
    """By a proof for any number of hosts that probe, or, where only the server does, by a search.

    Of clients that do not probe, and where no probe helps, the model has a run to two.
    """
    world = replace(FAULTS[fault].surroundings, lease=Fraction(10))
    probes, silent = (replace(load("rfc2131"), probes=each) for each in (True, False))
    proved = proved_by_probing(world.faults, drifts=False)
    assert proved is (predict_sharing(probes, FAULTS[fault]) == 0)
    found = judge(silent, world)
    if predict_sharing(silent, FAULTS[fault]) == 0:
        assert found.reason.startswith("no proof; no collision in all")
    else:
        assert found.outcome == "violated"


def test_a_client_without_a_profile_has_no_prediction_for_two_hosts() -> None:
    stranger = replace(cell("udhcpc", "clones"), client=replace(CLIENTS["udhcpc"], profile=None))
    found = verdict(Outcome(stranger, TAKEN, Path()))
    assert (found.says, found.shared_for) == ("late", None)
