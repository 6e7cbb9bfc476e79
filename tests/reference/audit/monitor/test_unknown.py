"""What was given does not show it: unknown, and never a pass; what logs add."""

from ipaddress import IPv4Address

import pytest

from holdover.reference.audit.monitor.context import default_premises
from holdover.reference.audit.monitor.monitor import Monitor
from tests.reference.audit.link import ANN, BOB, COMPLETE, LEASE, A, Link, kinds


def reasons(link: Link, end: float) -> str:
    audit = link.audit(end)
    assert kinds(audit) == []
    assert audit.verdict == "unknown"
    return " / ".join(f"{each.about}: {each.why}" for each in audit.open)


def test_nothing_was_seen() -> None:
    link = Link()
    link.use(0, ANN, A)
    assert "no lease was seen" in reasons(link, 10)


def test_a_capture_that_begins_late() -> None:
    """The lease is older than the capture: an overstay cannot be told."""
    link = Link()
    link.uses(0, 3000, ANN, A)
    link.renew(3000, ANN, A)
    link.uses(3010, 4000, ANN, A)
    assert kinds(link.audit(5000)) == []


def test_a_capture_that_begins_late_and_sees_a_renewal() -> None:
    """The DHCPACK may not have been heard; the older lease is over so long after the beginning."""
    link = Link()
    link.use(0, ANN, A)
    link.renewed(10, ANN, A)
    link.uses(15, 605, ANN, A)
    assert kinds(link.audit(620)) == []
    link.use(640, ANN, A)
    assert kinds(link.audit(700)) == ["client_holdover"]


def test_a_capture_that_ends_before_the_lease() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 590, ANN, A)
    assert "ends before the lease" in reasons(link, LEASE - 1)
    assert link.audit(LEASE - 1).rules["R3"].outcome == "unknown"


@pytest.mark.parametrize(("since", "until"), [(400, 500), (None, 500), (590, 605)])
def test_a_gap_in_which_a_renewal_may_have_been(since: float | None, until: float) -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 1050, ANN, A)
    assert kinds(link.audit(2000)) == ["client_holdover"]
    link.gap(since, until)
    assert "frames dropped" in reasons(link, 2000)


def test_after_a_gap_the_audit_goes_on() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.gap(400, 500)
    link.dora(700, BOB, A)
    link.uses(705, 1400, BOB, A)
    assert kinds(link.audit(2000)) == ["client_holdover"]
    assert link.audit(2000).gaps


def test_a_gap_that_is_told_at_the_end() -> None:
    """A capture says at its end that it has dropped frames, not when."""
    link = Link()
    link.dora(0, ANN, A)
    link.dora(300, BOB, A)
    for n in range(20):
        link.use(301 + n, ANN if n % 2 else BOB, A)
    link.uses(330, 1050, ANN, A)
    assert len(link.audit(2000).findings) == 2
    link.gap(None, 1051)
    assert "frames dropped" in reasons(link, 2000)


def test_a_gap_without_an_end() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 1050, ANN, A)
    link.gap(550, None, "the file is cut off")
    link.seen.insert(0, link.seen.pop())
    assert "cut off" in reasons(link, 2000)


def test_a_host_s_log_decides_what_the_wire_cannot() -> None:
    """The address went in time: the lease was kept."""
    link = Link()
    link.dora(0, ANN, A)
    link.held(0.1, ANN, A, there=True)
    link.held(599, ANN, A, there=False, since=598.9)
    audit = link.audit(1000)
    assert (audit.verdict, kinds(audit)) == ("holds", [])
    assert audit.rules["R3"].outcome == "holds"


def test_a_host_s_log_shows_an_overstay_that_the_wire_does_not() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.held(0.1, ANN, A, there=True)
    link.held(630.2, ANN, A, there=False, since=630)
    (found,) = link.audit(1000).findings
    assert (found.kind, found.hardware) == ("client_holdover", ANN)
    assert found.holdover_s == pytest.approx(630.2 - 600.01, abs=0.001)
    assert found.uncertainty_s == pytest.approx(0.21)


def test_a_host_that_never_lets_go_by_its_log() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.held(0.1, ANN, A, there=True)
    link.use(900, BOB, A)
    (found,) = link.audit(900).findings
    assert found.until is None
    assert found.holdover_s == pytest.approx(299.99, abs=0.01)


def test_a_log_that_does_not_say_whose_it_is() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.held(0.1, None, A, there=True)
    link.held(630.2, None, A, there=False, since=630)
    assert kinds(link.audit(1000)) == ["client_holdover"]


def test_a_server_s_record_fills_what_the_capture_missed() -> None:
    """The DHCPACK of the renewal was not seen; the lease file has it."""
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 590, ANN, A)
    link.uses(605, 880, ANN, A)
    assert kinds(link.audit(1000)) == ["client_holdover"]
    link.recorded(300, ANN, A, 300, 900)
    assert kinds(link.audit(1000)) == []


def test_a_record_of_the_same_lease_is_no_second_one() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.recorded(0.5, ANN, A, 0, 600)
    audit = link.audit(1000)
    assert kinds(audit) == []
    assert len(audit.addresses[0].leases) == 1


def test_a_lease_that_only_the_server_s_record_has() -> None:
    link = Link()
    link.recorded(0, ANN, A, 0, 600)
    link.uses(5, 800, ANN, A)
    (found,) = link.audit(1000).findings
    assert (found.kind, found.hardware) == ("client_holdover", ANN)


@pytest.mark.parametrize("name", ["R1", "R2"])
def test_no_rule_about_uses_holds_for_what_may_be_hidden(name: str) -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 590, ANN, A)
    link.dora(700, BOB, A)
    assert link.audit(2000).rules[name].outcome == "holds"
    assert link.audit(2000, default_premises()).rules[name].outcome == "unknown"
    link.gap(100, 101)
    assert link.audit(2000).rules[name].outcome == "unknown"


def test_premises_are_printed() -> None:
    link = Link()
    link.dora(0, ANN, A)
    assert link.audit(700, default_premises()).premises.missed == 6
    assert link.audit(700).premises.missed == 0


def test_a_probe_that_is_not_answered_shows_that_the_address_went() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 590, ANN, A)
    link.probe(700, BOB, A)
    assert link.audit(710).verdict == "holds"
    assert link.audit(701).verdict == "unknown"
    assert link.audit(710, default_premises()).verdict == "unknown"
    link.use(700.1, ANN, A)
    assert kinds(link.audit(710)) == ["client_holdover"]


def test_an_audit_under_way_says_what_it_knows_and_goes_on() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 640, ANN, A)
    monitor = Monitor(COMPLETE)
    for each in link.seen:
        monitor.observe(each)
        before = kinds(monitor.so_far())
    assert before == ["client_holdover"]
    assert kinds(monitor.finish()) == ["client_holdover"]


def test_memory_is_bounded_by_those_who_are_there() -> None:
    """Ten thousand clients, one after the other: most are forgotten, what was found is kept."""
    monitor = Monitor(COMPLETE)
    for n in range(10_000):
        link = Link()
        mac = bytes((2, 1, *n.to_bytes(4, "big")))
        address = IPv4Address(n + (10 << 24))
        link.dora(60 * n, mac, address, lease=600)
        link.use(60 * n + 1, mac, address)
        link.use(60 * n + 2, mac, address)
        for each in link.seen:
            monitor.observe(each)
    assert len(monitor.clients) < 3000
    assert len(monitor.addresses) < 3000
    assert len(monitor.finish().addresses) == 10_000
