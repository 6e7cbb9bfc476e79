"""What looks like a fault and is none: no finding, and the reason why."""

from ipaddress import IPv4Address

import pytest

from holdover.reference.audit.monitor.context import default_premises
from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.observations import DhcpMessage
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import MessageType
from tests.reference.audit.link import ANN, BOB, CID, COMPLETE, SERVER, A, B, Link, kinds

DAY = 86_400
ROUTER = bytes((2, 0, 0, 0, 0, 0xFD))


def innocent(link: Link, end: float = 1000) -> Audit:
    """No finding, whether frames may have been missed or not."""
    for premises in (COMPLETE, default_premises()):
        audit = link.audit(end, premises)
        assert kinds(audit) == []
    return audit


def leased() -> Link:
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 290, ANN, A)
    return link


def test_the_same_uses_by_a_host_of_its_own_are_a_finding() -> None:
    """What the disguises below have to hide."""
    link = leased()
    link.uses(5.2, 200, CID, A)
    assert kinds(link.audit(1000)) == ["static_host"]


def test_proxy_arp() -> None:
    """A router answers ARP for the whole network, for its own address too."""
    link = leased()
    link.use(4, ROUTER, IPv4Address("192.0.2.1"))
    link.uses(5.2, 200, ROUTER, A)
    link.uses(6.2, 200, ROUTER, B)
    audit = innocent(link)
    assert any("it may be a proxy" in each.why for each in audit.open)


def test_a_router_s_proxy_for_sleeping_hosts() -> None:
    """The host sleeps, a proxy answers for it; it wakes and answers itself."""
    link = leased()
    link.uses(291, 400, ROUTER, A)
    link.renewed(401, ANN, A)
    link.uses(402, 500, ANN, A)
    innocent(link)


@pytest.mark.parametrize(
    "mac", ["00005e000101", "00005e000133", "00000c07ac0a", "00000c9ff001", "0007b4000102"]
)
def test_a_virtual_router_s_address(mac: str) -> None:
    """VRRP, CARP, HSRP and GLBP: many hosts have one hardware address by turns."""
    link = leased()
    link.uses(5.2, 200, bytes.fromhex(mac), A)
    innocent(link)


def test_a_failover_pair() -> None:
    """The address of a service goes from one host to another; nobody leases it."""
    link = Link()
    link.dora(0, ANN, B)
    link.uses(1, 50, BOB, A)
    link.uses(50.1, 100, CID, A)
    link.uses(100.1, 150, BOB, A)
    innocent(link)


def test_a_load_balancer_announces_an_address_again_and_again() -> None:
    """Two balancers announce the address of a service by turns, without a lease."""
    link = Link()
    link.dora(0, ANN, B)
    for n in range(20):
        link.use(10 + n, BOB if n % 2 else CID, A)
    audit = innocent(link)
    assert any("no lease of either" in each.why for each in audit.open)


def test_a_host_that_changes_its_hardware_address() -> None:
    """MAC randomisation: the old one is never seen again; the new one has its own lease."""
    link = leased()
    link.dora(300, BOB, B)
    link.uses(301, 500, BOB, B)
    innocent(link)


def test_a_host_that_changes_its_hardware_address_and_keeps_its_identifier() -> None:
    """The server gives the lease to the same client, under its new hardware address."""
    link = Link()
    link.dora(0, ANN, A, client_id=b"\1host")
    link.uses(5, 290, ANN, A)
    link.dora(300, BOB, A, client_id=b"\1host")
    link.uses(301, 500, BOB, A)
    (line,) = innocent(link).addresses
    assert [each.hardware for each in line.leases] == [ANN, BOB]
    assert [each.entitled for each in line.uses] == ["yes", "yes"]


def test_a_bridge_s_own_hardware_address() -> None:
    """DHCP goes by one hardware address (chaddr), and all else by the bridge's."""
    link = Link()
    link.dora(0, ANN, A)
    link.uses(1, 500, CID, A)
    (line,) = innocent(link).addresses
    assert [(each.hardware, each.entitled) for each in line.uses] == [(CID, "unknown")]


def test_a_bond_that_fails_over() -> None:
    """The address moves to the other card, and comes back after a while."""
    link = leased()
    link.uses(291, 400, CID, A)
    link.uses(400.1, 500, ANN, A)
    innocent(link)


def test_a_bond_that_sends_by_both_cards() -> None:
    """Its packets come from either hardware address; ARP is answered with one."""
    link = leased()
    link.uses(5.2, 290, CID, A, "IP")
    (line,) = innocent(link).addresses
    assert {each.hardware for each in line.uses} == {ANN}


def test_a_renewal_that_the_capture_missed() -> None:
    """The next one was seen: something was missed between."""
    link = Link()
    link.dora(0, ANN, A)
    link.uses(5, 890, ANN, A)
    link.renewed(900, ANN, A)
    link.uses(905, 1400, ANN, A)
    audit = link.audit(1600, default_premises())
    assert kinds(audit) == []
    assert audit.verdict == "unknown"
    assert any("192.0.2.57, used by" in each.about for each in audit.open)


def test_half_of_a_renewal_that_the_capture_missed() -> None:
    """The DHCPREQUEST was seen and its DHCPACK was not; or the other way round."""
    for asked in (True, False):
        link = leased()
        link.renew(300, ANN, A)
        if not asked:
            link.seen.pop()
            link.ack(300.1, ANN, A)
        link.uses(305, 890, ANN, A)
        audit = link.audit(900, default_premises())
        assert kinds(audit) == []
        assert any("192.0.2.57, used by" in each.about for each in audit.open) is asked


def test_a_relay_s_second_copy() -> None:
    """The server's answer is seen on both sides of the relay; the second is marked as a copy."""
    link = leased()
    link.renewed(300, ANN, A)
    for each in list(link.seen):
        if isinstance(each, DhcpMessage):
            link.seen.append(
                each._replace(at=each.at + 1000, where=link.where(), hardware=ROUTER, to=ANN,
                              relayed=True, copy=True)
            )  # fmt: skip
    link.uses(305, 880, ANN, A)
    audit = innocent(link, 890)
    assert audit.addresses[0].leases[0].acks == 2


def test_a_host_that_moves_to_another_port() -> None:
    """The same hardware address appears in another VLAN, and goes on once it has asked."""
    link = leased()
    moved = (20,)
    link.reboot(300, ANN, A)
    link.change(vlan=moved)
    link.ack(300.1, ANN, A)
    link.change(vlan=moved)
    for n in range(20):
        link.use(301 + n, ANN, A, vlan=moved)
    (there,) = (each for each in innocent(link).addresses if each.vlan == moved)
    assert [each.hardware for each in there.leases] == [ANN]
    assert [each.entitled for each in there.uses] == ["yes"]


def test_the_same_address_in_two_networks() -> None:
    """Two VLANs with the same private addresses are two links."""
    link = leased()
    for n in range(50):
        link.use(6 + 5 * n, CID, A, vlan=(20,))
    innocent(link)


def test_a_router_s_hardware_address_sends_for_the_whole_world() -> None:
    """IP from afar comes by the router; hairpinned packets of its own hosts do, too."""
    link = leased()
    for n in range(50):
        link.use(6 + n, ROUTER, IPv4Address(f"198.51.100.{n + 1}"), "IP")
        link.use(6.5 + n, ROUTER, A, "IP")
    innocent(link)


def test_a_router_that_was_a_client_once() -> None:
    """It forwards what comes from the address that it had."""
    link = Link()
    link.dora(0, ROUTER, A)
    for n in range(20):
        link.use(6 + n, ROUTER, IPv4Address(f"198.51.100.{n + 1}"), "IP")
    link.release(100, ROUTER, A)
    link.dora(110, ANN, A)
    for n in range(20):
        link.use(120 + n, ANN, A, "IP")
        link.use(120.5 + n, ROUTER, A, "IP")
    innocent(link)


def test_a_client_that_begins_again_within_its_lease() -> None:
    """A new process asks anew while the kernel still has the address: no rule forbids it."""
    link = leased()
    link.discover(300, ANN)
    link.uses(301, 350, ANN, A)
    innocent(link)


def test_an_infinite_lease() -> None:
    """RFC 2131 §3.3: 0xffffffff."""
    link = Link()
    link.dora(0, ANN, A, lease=0xFFFFFFFF)
    link.uses(5, 100 * DAY, ANN, A, every=DAY)
    audit = link.audit(100 * DAY + 1)
    assert kinds(audit) == []
    assert audit.rules["R3"].outcome == "holds"


def test_a_lease_that_was_declined_and_given_to_another() -> None:
    link = Link()
    link.dora(0, ANN, A)
    link.decline(4, ANN, A)
    link.dora(100, BOB, A)
    link.uses(101, 300, BOB, A)
    innocent(link)


def test_a_lease_that_was_released_and_given_to_another() -> None:
    link = leased()
    link.release(300, ANN, A)
    link.dora(310, BOB, A)
    link.uses(311, 500, BOB, A)
    innocent(link)


def test_a_server_that_gives_an_address_again_after_its_time() -> None:
    link = leased()
    link.dora(601, BOB, A)
    link.uses(602, 700, BOB, A)
    rule = innocent(link).rules["R2"]
    assert (rule.kept > 0, rule.broken) == (True, 0)


def test_an_inform_grants_nothing() -> None:
    """RFC 2131 §4.3.5: no lease time, no yiaddr."""
    link = Link()
    link.use(1, ANN, A)
    link.xid += 1
    none = IPv4Address("0.0.0.0")
    link.reply(2, BootReply(MessageType.ACK, link.xid, ANN, address=none, server=SERVER))
    link.uses(3, 900, ANN, A)
    innocent(link)
