"""Each rule that a capture can decide: once kept, once broken; the others say why they are open."""

from collections.abc import Callable
from typing import Any

import pytest

from holdover.model.clients.requirements import protocol
from holdover.reference.audit.monitor.context import default_premises
from holdover.reference.audit.monitor.results import RuleVerdict
from holdover.reference.audit.monitor.rulebook import NOT_HELD_AGAINST, is_duty
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE
from tests.reference.audit.link import ANN, BOB, CID, SERVER, A, B, Link

Tell = Callable[[Link], None]


def rule(name: str, tell: Tell, *, complete: bool = True) -> RuleVerdict:
    link = Link()
    tell(link)
    return link.audit(5000, default_premises(complete=complete)).rules[name]


def bound(link: Link) -> None:
    link.dora(0, ANN, A)
    link.uses(5, 290, ANN, A)


def renews(**fields: Any) -> Tell:
    def tell(link: Link) -> None:
        bound(link)
        link.xid += 1
        link.request(
            300, BootRequest(MessageType.REQUEST, link.xid, ANN, ciaddr=A, **fields), SERVER
        )
        link.ack(300.01, ANN, A)

    return tell


def rebinds(**fields: Any) -> Tell:
    def tell(link: Link) -> None:
        bound(link)
        link.xid += 1
        link.request(540, BootRequest(MessageType.REQUEST, link.xid, ANN, ciaddr=A, **fields))
        link.ack(540.01, ANN, A)

    return tell


def repeats(gap: float) -> Tell:
    def tell(link: Link) -> None:
        bound(link)
        link.renew(300, ANN, A)
        link.renew(300 + gap, ANN, A)

    return tell


def reboots(to: object) -> Tell:
    def tell(link: Link) -> None:
        link.reboot(0, ANN, A)
        if to is not None:
            link.change(destination=to)
        link.ack(0.1, ANN, A)

    return tell


def selects(**fields: Any) -> Tell:
    def tell(link: Link) -> None:
        link.discover(0, ANN, secs=7)
        link.offer(0.1, ANN, A)
        link.select(0.2, ANN, A, **({"secs": 7} | fields))

    return tell


def selects_under_another_xid(link: Link) -> None:
    link.discover(0, ANN)
    link.offer(0.1, ANN, A)
    link.xid += 1
    link.select(0.2, ANN, A)


def discovers_again(gap: float) -> Tell:
    def tell(link: Link) -> None:
        link.discover(0, ANN)
        link.xid -= 1
        link.discover(gap, ANN)

    return tell


def begins_anew(link: Link) -> None:
    bound(link)
    link.discover(700, ANN)


def begins_anew_with_its_address(link: Link) -> None:
    bound(link)
    link.discover(700, ANN, ciaddr=A)


def probes(times: int, gap: float = 1.5) -> Tell:
    def tell(link: Link) -> None:
        link.dora(0, ANN, A)
        for n in range(times):
            link.probe(0.5 + gap * n, ANN, A)
        link.use(0.5 + gap * (times - 1) + 2.1, ANN, A)

    return tell


def unprobed(link: Link) -> None:
    link.dora(0, ANN, A)
    link.use(1, ANN, A)


def declines(after: float = 12, offered: float = 20, to: object = None) -> Tell:
    def tell(link: Link) -> None:
        link.dora(0, ANN, A)
        link.decline(2, ANN, A)
        if to is not None:
            link.change(destination=to)
        link.discover(2 + after, ANN)
        link.discover(2 + offered - 0.1, BOB)
        link.offer(2 + offered, BOB, A)

    return tell


def answered_and_used(link: Link) -> None:
    link.dora(0, ANN, A)
    for n in range(4):
        link.probe(0.5 + n, ANN, A)
        link.use(0.6 + n, CID, A)
    link.uses(6, 20, ANN, A)
    link.uses(6.5, 20, CID, A)


def releases(at: float = 100, **fields: Any) -> Tell:
    def tell(link: Link) -> None:
        link.dora(0, ANN, A)
        link.release(at, ANN, A, **fields)
        link.discover(4000, ANN)

    return tell


def releases_to_all(link: Link) -> None:
    link.dora(0, ANN, A)
    link.release(100, ANN, A)
    link.change(destination=B.__class__("255.255.255.255"))


def offers_to_two(gap: float) -> Tell:
    def tell(link: Link) -> None:
        link.discover(0, ANN)
        link.offer(0.1, ANN, A)
        link.discover(gap, BOB)
        link.offer(gap + 0.1, BOB, A)

    return tell


def acknowledges(**fields: Any) -> Tell:
    def tell(link: Link) -> None:
        link.discover(0, ANN)
        link.offer(0.1, ANN, A)
        link.select(0.2, ANN, A)
        link.ack(0.3, ANN, A, **fields)

    return tell


def changes_its_identifier(link: Link) -> None:
    link.discover(0, ANN, client_id=b"\1one")
    link.offer(0.1, ANN, A, client_id=b"\1one")
    link.select(0.2, ANN, A, client_id=b"\1two")


def keeps_its_identifier(link: Link) -> None:
    link.dora(0, ANN, A, client_id=b"\1one")


def is_not_echoed(link: Link) -> None:
    link.discover(0, ANN, client_id=b"\1one")
    link.offer(0.1, ANN, A)


def overstays(link: Link) -> None:
    link.dora(0, ANN, A)
    link.uses(5, 640, ANN, A)


def lets_go(link: Link) -> None:
    link.dora(0, ANN, A)
    link.held(1, ANN, A, there=True)
    link.held(599, ANN, A, there=False, since=598.9)


def takes_two(link: Link) -> None:
    bound(link)
    link.dora(300, ANN, B)
    link.uses(305, 340, ANN, B)
    link.uses(307, 340, ANN, A)


def ignores_a_nak(link: Link) -> None:
    bound(link)
    for n in range(4):
        link.renew(300 + 60 * n, ANN, A)
        link.nak(300.1 + 60 * n, ANN)
        link.use(330 + 60 * n, ANN, A)


def given_again(at: float) -> Tell:
    def tell(link: Link) -> None:
        link.dora(0, ANN, A)
        link.dora(at, BOB, A)

    return tell


def forgets(link: Link) -> None:
    link.dora(0, ANN, A)
    link.renew(300, ANN, A)
    link.nak(300.1, ANN)
    link.dora(310, BOB, A)


def two_at_once(link: Link) -> None:
    bound(link)
    link.uses(5.1, 290, CID, A)


DECIDED: dict[str, tuple[Tell | None, Tell]] = {
    "R1": (bound, two_at_once),
    "R2": (given_again(700), given_again(300)),
    "R3": (lets_go, overstays),
    "R4": (begins_anew, begins_anew_with_its_address),
    "R6": (None, takes_two),
    "R9": (None, ignores_a_nak),
    "R10": (acknowledges(t1=300, t2=525), acknowledges(t1=525, t2=300)),
    "R12": (renews(), renews(requested=A)),
    "R13": (rebinds(), rebinds(server=SERVER)),
    "R14": (repeats(60), repeats(5)),
    "R15": (selects(), selects(ciaddr=A)),
    "R16": (reboots(None), reboots(SERVER)),
    "R17": (selects(), selects_under_another_xid),
    "R18": (selects(), selects(secs=8)),
    "R20": (discovers_again(4), discovers_again(1)),
    "R23": (probes(3), unprobed),
    "R24": (probes(3), unprobed),
    "R25": (declines(), answered_and_used),
    "R26": (declines(), releases_to_all),
    "R27": (declines(12), declines(5)),
    "R28": (declines(offered=20), declines(offered=5)),
    "R29": (releases(), releases(server=None)),
    "R30": (releases(), releases(at=700)),
    "R32": (offers_to_two(60), offers_to_two(2)),
    "R33": (None, forgets),
    "R35": (acknowledges(), acknowledges(lease=None)),
    "R37": (keeps_its_identifier, changes_its_identifier),
    "R38": (keeps_its_identifier, is_not_echoed),
    "R39": (probes(3), probes(2)),
}
"""For each rule: what keeps it (None: that it was kept cannot be seen), and what breaks it."""

NEVER_BROKEN = ("R24",)
"""An ARP with a sender is a use, not a probe; one without keeps the rule."""


@pytest.mark.parametrize("name", DECIDED)
def test_kept(name: str) -> None:
    tell = DECIDED[name][0]
    if tell is None:
        tell = bound
        assert rule(name, tell).outcome == "unknown"
        return
    found = rule(name, tell)
    assert (found.outcome, found.broken) == ("holds", 0)
    assert found.kept > 0


@pytest.mark.parametrize("name", [name for name in DECIDED if name not in NEVER_BROKEN])
def test_broken(name: str) -> None:
    found = rule(name, DECIDED[name][1])
    assert found.outcome == "violated"
    assert found.broken == len(found.breaches) > 0
    assert all(each.says and each.where.number for each in found.breaches)


@pytest.mark.parametrize(
    ("name", "tell"),
    [
        ("R14", repeats(59.99)),
        ("R20", discovers_again(2.99)),
        ("R27", declines(9.99)),
        ("R28", declines(offered=9.99)),
        ("R32", offers_to_two(9.99)),
    ],
)
def test_who_waits_by_a_clock_that_is_fast_keeps_the_rule(name: str, tell: Tell) -> None:
    found = rule(name, tell)
    assert (found.outcome, found.broken) == ("holds", 0)


@pytest.mark.parametrize(
    ("name", "tell"),
    [
        ("R4", begins_anew_with_its_address),
        ("R14", repeats(5)),
        ("R17", selects_under_another_xid),
        ("R18", selects(secs=8)),
        ("R23", unprobed),
        ("R28", declines(offered=5)),
        ("R30", releases(at=700)),
        ("R32", offers_to_two(2)),
        ("R39", probes(2)),
    ],
)
def test_what_a_missed_frame_would_explain_is_open(name: str, tell: Tell) -> None:
    found = rule(name, tell, complete=False)
    assert (found.outcome, found.broken) == ("unknown", 0)
    assert found.why


def test_every_rule_has_a_verdict_and_every_open_one_says_why() -> None:
    link = Link()
    bound(link)
    rules = link.audit(5000).rules
    assert list(rules) == [each.id for each in protocol()]
    assert all(each.why for each in rules.values() if each.outcome == "unknown")


def test_a_nak_has_no_lease_time_and_an_ack_to_an_inform_neither() -> None:
    link = Link()
    link.renew(0, ANN, A)
    link.nak(0.1, ANN)
    link.xid += 1
    link.request(1, BootRequest(MessageType.INFORM, link.xid, ANN, ciaddr=A), SERVER)
    link.reply(1.1, BootReply(MessageType.ACK, link.xid, ANN, address=NO_ADDRESS, server=SERVER))
    assert link.audit(10).rules["R35"].outcome == "holds"


def test_an_ack_to_an_inform_that_nobody_saw_breaks_nothing() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.xid += 1
    link.reply(1, BootReply(MessageType.ACK, link.xid, ANN, address=NO_ADDRESS, server=SERVER))
    assert link.audit(10).rules["R35"].broken == 0


@pytest.mark.parametrize(("seen", "broken"), [(True, 1), (False, 0)])
def test_a_release_has_the_identifier_of_a_request_that_was_seen(seen: bool, broken: int) -> None:
    link = Link()
    if seen:
        link.renew(0, ANN, A)
    link.ack(0.1, ANN, A)
    link.release(10, ANN, A, client_id=b"\1other")
    assert link.audit(20).rules["R29"].broken == broken


@pytest.mark.parametrize(("lease", "broken"), [(INFINITE, 0), (600, 1)])
def test_times_of_a_lease_for_ever_have_no_order(lease: int, broken: int) -> None:
    link = Link()
    link.renew(0, ANN, A)
    link.ack(0.1, ANN, A, lease=lease, t1=lease, t2=lease)
    assert link.audit(10).rules["R10"].broken == broken


# The verdict -------------------------------------------------------------------------------------


def test_a_broken_duty_is_violated_and_a_broken_advice_is_not() -> None:
    """Nobody's address is at stake; R15 is a MUST, and R14 a SHOULD."""
    link = Link()
    link.dora(0, ANN, A)
    link.xid += 1
    link.request(1, BootRequest(MessageType.REQUEST, link.xid, ANN))
    audit = link.audit(5)
    assert (audit.findings, audit.rules["R15"].outcome) == ((), "violated")
    assert audit.verdict == "violated"
    link = Link()
    bound(link)
    link.renew(300, ANN, A)
    link.renew(305, ANN, A)
    audit = link.audit(310)
    assert (audit.rules["R14"].outcome, audit.verdict) == ("violated", "unknown")


def test_who_may_break_a_must_and_conform_to_rfc_2131_has_broken_no_duty() -> None:
    """A server that echoes no client identifier does as RFC 2131 Table 3 says."""
    assert not any(map(is_duty, NOT_HELD_AGAINST))
    assert [name for name in ("R1", "R8", "R14", "R15", "R30") if is_duty(name)] == ["R1", "R15"]


def test_many_breaches_are_counted_and_few_are_kept() -> None:
    link = Link()
    for n in range(50):
        link.discover(n * 100, ANN)
        link.xid -= 1
        link.discover(n * 100 + 1, ANN)
    found = link.audit(6000).rules["R20"]
    assert (found.broken, len(found.breaches)) == (50, 20)
