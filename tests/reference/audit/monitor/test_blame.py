"""Each kind of blame on a link told by hand: kind, culprit, how long, evidence, sentence."""

import pytest

from holdover.reference.audit.monitor.context import default_premises
from holdover.reference.audit.monitor.results import Audit, AuditFinding
from holdover.reference.audit.monitor.sentences import KINDS
from tests.reference.audit.link import (
    ANN,
    BOB,
    CID,
    LEASE,
    SECOND_MAC,
    SECOND_SERVER,
    SERVER,
    SERVER_MAC,
    A,
    B,
    Link,
    kinds,
    network,
)


def only(audit: Audit, kind: str) -> AuditFinding:
    """The one finding there is."""
    assert kinds(audit) == [kind]
    assert audit.verdict == "violated"
    (found,) = audit.findings
    assert found.evidence
    assert found.sentence.startswith(str(found.address))
    assert found.advice
    return found


def frames(found: AuditFinding) -> list[str]:
    return [each.what for each in found.evidence]


def overstay() -> Link:
    """Ann holds A for 12 s after her lease; Bob has it from 605 s on."""
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 600, ANN, A)
    link.dora(605, BOB, A)
    link.uses(606, 640, BOB, A)
    link.uses(606.5, 612.5, ANN, A, every=2)
    return link


def test_client_holdover() -> None:
    found = only(overstay().audit(700), "client_holdover")
    assert (found.rule, found.hardware, found.address) == ("R3", ANN, A)
    assert found.holdover_s == pytest.approx(12.49, abs=0.001)
    assert found.duplicate_s == pytest.approx(6.5, abs=0.001)
    assert found.uncertainty_s == pytest.approx(0.01, abs=0.001)
    assert "was used by 02:00:00:00:00:0a for 12.5 s after its lease ended at" in found.sentence
    assert "the server had given it to 02:00:00:00:00:0b; the client is at fault" in found.sentence
    assert found.sentence.endswith("RFC 2131 §4.4.5, §3.7")
    assert frames(found)[:2] == [
        "DHCPREQUEST by 02:00:00:00:00:0a",
        "DHCPACK: 192.0.2.57 to 02:00:00:00:00:0a for 600 s",
    ]


def test_a_retransmitted_request_leaves_the_anchor_open() -> None:
    link = Link()
    link.discover(0, ANN)
    link.offer(0.1, ANN, A)
    for at in (1, 5, 13):
        link.select(at, ANN, A)
    link.ack(13.5, ANN, A)
    link.uses(20, 610, ANN, A)
    assert kinds(link.audit(700)) == []
    link.use(618, ANN, A)
    found = only(link.audit(700), "client_holdover")
    assert found.uncertainty_s == pytest.approx(12.5)
    assert found.holdover_s == pytest.approx(618 - 613.5)


def test_used_after_release() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 95, ANN, A)
    link.release(100, ANN, A)
    link.uses(103, 130, ANN, A)
    found = only(link.audit(1000), "used_after_release")
    assert (found.rule, found.hardware) == ("R30", ANN)
    assert found.holdover_s == pytest.approx(28, abs=5)
    assert "DHCPRELEASE" in frames(found)


def test_what_was_under_way_when_it_was_released_is_no_use() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.release(100, ANN, A)
    link.use(100.5, ANN, A)
    assert kinds(link.audit(1000)) == []


def refused(naks: int) -> Link:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 295, ANN, A)
    for n in range(naks):
        link.renew(300 + 60 * n, ANN, A)
        link.nak(300.1 + 60 * n, ANN)
        link.use(330 + 60 * n, ANN, A)
    return link


def test_nak_ignored() -> None:
    found = only(refused(4).audit(1000), "nak_ignored")
    assert (found.rule, found.hardware) == ("R9", ANN)
    assert "had refused it (DHCPNAK)" in found.sentence
    assert "DHCPNAK" in frames(found)


def test_a_nak_may_not_have_been_heard() -> None:
    audit = refused(2).audit(1000)
    assert kinds(audit) == []
    assert audit.verdict == "unknown"


def test_who_starts_over_has_heard_the_nak() -> None:
    link = refused(1)
    link.discover(340, ANN)
    link.uses(350, 380, ANN, A)
    assert kinds(link.audit(1000)) == ["nak_ignored"]


def test_a_stranger_s_nak_is_no_answer() -> None:
    """RFC 2131 §4.3.2, §4.4.5: RENEWING asks one server."""
    link = Link()
    link.dora(0, ANN, A)
    for n in range(5):
        link.renew(300 + 60 * n, ANN, A)
        link.nak(300.1 + 60 * n, ANN, SECOND_SERVER)
        link.use(330 + 60 * n, ANN, A)
    assert kinds(link.audit(1000)) == []


def test_conflict_ignored() -> None:
    link = Link()
    link.dora(0, ANN, A)
    for n in range(4):
        link.probe(0.2 + n, ANN, A)
        link.use(0.21 + n, CID, A)
    link.uses(6, 50, ANN, A)
    link.uses(6.5, 50, CID, A)
    audit = link.audit(1000)
    assert kinds(audit) == ["static_host", "conflict_ignored"]
    found = audit.findings[1]
    assert (found.rule, found.hardware) == ("R25", ANN)
    assert audit.rules["R25"].outcome == "violated"


def test_a_conflict_that_is_heeded() -> None:
    link = Link()
    link.dora(0, ANN, A)
    for n in range(4):
        link.probe(0.2 + n, ANN, A)
        link.use(0.21 + n, CID, A)
    link.decline(4, ANN, A)
    link.uses(6.5, 50, CID, A)
    audit = link.audit(1000)
    assert kinds(audit) == []
    assert audit.rules["R25"].outcome == "holds"


def test_used_after_decline() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.decline(4, ANN, A)
    link.uses(6, 20, ANN, A)
    assert only(link.audit(1000), "conflict_ignored").hardware == ANN


def test_server_recommit() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 500, ANN, A)
    link.dora(300, BOB, A)
    link.uses(302, 500, BOB, A)
    found = only(link.audit(1000), "server_recommit")
    assert (found.rule, found.server, found.hardware) == ("R2", SERVER, SERVER_MAC)
    assert found.duplicate_s == pytest.approx(198, abs=1)
    assert "had it for 5 min more; the server is at fault: RFC 2131 §2.2" in found.sentence


def test_forgetful_server() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.renew(300, ANN, A)
    link.nak(300.1, ANN)
    link.dora(310, BOB, A)
    found = only(link.audit(1000), "forgetful_server")
    assert (found.rule, found.server) == ("R33", SERVER)
    assert any(what.startswith("DHCPNAK for 192.0.2.57") for what in frames(found))


def test_forgetful_server_that_says_nothing() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.renew(300, ANN, A)
    link.dora(310, BOB, A)
    link.uses(311, 330, ANN, A)
    found = only(link.audit(1000), "forgetful_server")
    assert "DHCPREQUEST, to which no answer was seen" in frames(found)


def test_two_servers() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.dora(100, BOB, A, SECOND_SERVER)
    found = only(link.audit(1000), "two_servers")
    assert (found.server, found.hardware) == (SECOND_SERVER, SECOND_MAC)


def test_rogue_server_within_the_pool() -> None:
    link = Link()
    link.dora(0, ANN, A, options=network("255.255.255.0", "192.0.2.1"))
    link.dora(100, BOB, A, SECOND_SERVER, options=network("255.255.255.0", "192.0.2.2"))
    found = only(link.audit(1000), "rogue_server")
    assert (found.server, found.hardware) == (SECOND_SERVER, SECOND_MAC)


def test_rogue_server_of_another_network() -> None:
    link = Link()
    link.dora(0, ANN, A, options=network("255.255.255.0", "192.0.2.1"))
    other = B.__class__("10.9.9.9")
    link.dora(100, ANN, other, SECOND_SERVER, options=network("255.0.0.0", "10.0.0.1"))
    found = only(link.audit(1000), "rogue_server")
    assert found.hardware == SECOND_MAC
    assert "of another network, was given to" in found.sentence


def test_static_host() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 100, ANN, A)
    link.uses(5.2, 100, CID, A)
    found = only(link.audit(1000), "static_host")
    assert (found.rule, found.hardware) == ("R1", CID)
    assert "was never seen to ask for a lease" in found.sentence


def test_same_client_id() -> None:
    link = Link()
    link.dora(0, ANN, A, client_id=b"\1clone")
    link.uses(5, 400, ANN, A)
    link.dora(300, BOB, A, client_id=b"\1clone")
    link.uses(302, 400, BOB, A)
    found = only(link.audit(1000), "same_client_id")
    assert found.hardware == BOB
    assert "02:00:00:00:00:0a and by 02:00:00:00:00:0b" in found.sentence


def test_two_addresses() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 290, ANN, A)
    link.dora(300, ANN, B)
    link.uses(305, 400, ANN, B)
    link.uses(307, 400, ANN, A)
    found = only(link.audit(1000), "two_addresses")
    assert (found.rule, found.hardware, found.address) == ("R6", ANN, A)


def test_each_kind_has_a_test_here() -> None:
    """Found by the names of the tests above."""
    names = " ".join(name for name in globals() if name.startswith("test_"))
    assert [kind for kind in KINDS if kind not in names] == []


# How sure ----------------------------------------------------------------------------------------


def test_without_a_second_host_a_missed_renewal_explains_an_overstay() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 640, ANN, A)
    assert kinds(link.audit(700)) == ["client_holdover"]
    audit = link.audit(700, default_premises())
    assert (audit.verdict, kinds(audit)) == ("unknown", [])
    assert any("only if the sources missed 2 datagrams" in each.why for each in audit.open)


def test_where_it_goes_on_for_long_no_missed_renewal_explains_it() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 5 * LEASE, ANN, A, every=20)
    assert kinds(link.audit(6 * LEASE, default_premises())) == ["client_holdover"]


def test_where_two_take_turns_no_missed_renewal_explains_it() -> None:
    link = overstay()
    link.uses(641, 690, ANN, A)
    link.uses(642, 690, BOB, A)
    assert kinds(link.audit(700, default_premises())) == ["client_holdover"]


def test_who_begins_again_and_goes_on_using_is_found_where_frames_are_missed() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 600, ANN, A)
    for n in range(4):
        link.discover(610 + 20 * n, ANN)
        link.use(620 + 20 * n, ANN, A)
    found = only(link.audit(700, default_premises()), "client_holdover")
    assert found.unless_missed is None or found.unless_missed > 6
