"""What one observation does to the hypotheses."""

from holdover.reference.audit.monitor.context import AuditContext
from holdover.reference.audit.possible.chart import Sign
from holdover.reference.audit.possible.hypotheses import Grant, Now
from holdover.reference.audit.possible.of_host import MINE
from holdover.reference.audit.possible.possibilities import Possibilities
from holdover.reference.core.instants import SECOND
from tests.reference.audit.link import COMPLETE

LEASE = 600


def now(at: float) -> Now:
    begin = round(at * SECOND)
    return Now(begin, begin + LEASE * SECOND, LEASE * SECOND)


def bound() -> Possibilities:
    """A client that was seen to get its lease at 1 s."""
    context = AuditContext.of(COMPLETE)
    possible = Possibilities.unknown(context.charts[0], (7, 4))
    possible.see(Sign("DISCOVER"), now(0))
    possible.see(Sign("REQUEST", MINE, "selecting"), now(1))
    end = (1 + LEASE) * SECOND
    possible.see(Sign("ACK", MINE), now(1.1), Grant(end, end))
    assert possible.use(Sign("USE", MINE), now(2))
    assert possible.least == (0, 0)
    return possible


def test_what_a_message_itself_shows_to_be_missed_is_forgiven() -> None:
    """A DHCPACK to a DHCPREQUEST that nobody saw."""
    possible = bound()
    possible.see(Sign("REQUEST", MINE, "rebooting"), now(300))
    possible.see(Sign("REQUEST", MINE, "selecting"), now(310))
    assert possible.least == (0, 0)


def test_an_ack_may_not_be_heard() -> None:
    """It grants less than there was: who does not hear it goes on."""
    possible = bound()
    possible.see(Sign("REQUEST", MINE, "extending"), now(300))
    end = 310 * SECOND
    possible.see(Sign("ACK", MINE), now(300.1), Grant(end, end))
    assert possible.use(Sign("USE", MINE), now(400))
    assert possible.least == (0, 0)


def test_a_use_after_the_end_costs_a_renewal() -> None:
    possible = bound()
    assert possible.use(Sign("USE", MINE), now(700))
    assert possible.least == (2, 0)
    assert possible.use(Sign("USE", MINE), now(1200))
    assert possible.least == (2, 0)
    assert possible.use(Sign("USE", MINE), now(1400))
    assert possible.least == (4, 0)


def test_another_s_lease_ends_this_one() -> None:
    possible = bound()
    assert possible.end_by(100 * SECOND, now(100))
    assert not possible.end_by(100 * SECOND, now(100))
    assert possible.use(Sign("USE", MINE), now(110))
    assert possible.least == (2, 0)
