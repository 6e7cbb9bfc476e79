"""A profile makes the audit tighter, and excuses nothing."""

from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.clients.profile import LATE, Profile, load
from holdover.reference.audit.monitor.context import AuditContext, conforming
from holdover.reference.audit.monitor.monitor import Monitor
from holdover.reference.core.instants import SECOND
from tests.reference.audit.link import ANN, COMPLETE, A, Link, kinds


def audited(link: Link, profile: Profile | None) -> list[str]:
    return kinds(link.audit(5000, monitor=Monitor(COMPLETE, profile)))


def test_a_profile_with_a_margin_says_that_the_kernel_removes_it_sooner() -> None:
    """The reference client has it removed 2.5 s before the end, and 2.1 s later at most."""
    early = load("reference")
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 595, ANN, A)
    link.use(600.8, ANN, A)
    assert audited(link, None) == []
    assert audited(link, replace(early, late=Fraction(0))) == ["client_holdover"]


@pytest.mark.parametrize("name", ["wfwg311", "udhcpc", "connman"])
def test_a_profile_of_a_client_that_overstays_is_no_excuse(name: str) -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 700, ANN, A)
    assert audited(link, load(name)) == ["client_holdover"]


def test_a_floor_of_the_client_is_no_excuse() -> None:
    """A client that stretches short leases breaks RFC 2131 §4.4.5."""
    link = Link()
    link.dora(0, ANN, A, lease=20)
    link.uses(5, 60, ANN, A)
    assert audited(link, replace(conforming(), floor=Fraction(60))) == ["client_holdover"]


def test_a_client_that_never_probes_holds_at_once() -> None:
    """Both charts have to explain a use."""
    context = AuditContext.of(COMPLETE, load("rfc2131"))
    assert len(context.charts) == 2
    assert conforming().late == LATE


def test_drift_is_a_premise() -> None:
    """A clock that is a thousandth slow may hold 0.6 s longer."""
    link = Link()
    link.dora(0, ANN, A)
    link.use(601.3, ANN, A)
    assert audited(link, None) == ["client_holdover"]
    assert kinds(link.audit(5000, replace(COMPLETE, drift=1e-3))) == []


def test_how_long_one_may_hold_past_the_server_s_record_is_t3_s_bound() -> None:
    """2 x drift x lease / (1 - drift), and how late it is."""
    context = AuditContext.of(COMPLETE)
    assert context.outstay(context.charts[0]) is None
    context.note_lease(86_400)
    outstay = context.outstay(context.charts[0])
    assert outstay is not None
    drift, lease = 1e-4, 86_400
    expected = lease / (1 - drift) + float(LATE) - lease / (1 + drift)
    assert outstay / SECOND == pytest.approx(expected, abs=1e-6)
