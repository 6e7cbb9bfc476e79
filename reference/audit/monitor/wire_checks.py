"""The rules that single messages keep or break: forms, numbers, and what follows on what.

Theory of operation.  For each client a `Talk`: its last DHCPDISCOVER, the offers to it, its last
DHCPREQUEST, its probes.  Each check is a function of a message and its client's talk; it tells the
rulebook "kept" or "broken" for a rule by its id, and its docstring says what it looks at.  A check
that a missed frame would deceive is made where nothing may be missed (`Premises.missed` is 0), else
it leaves the rule open.  The sections are in `model/clients/requirements.toml`.

What it does not know: leases and uses past their end (`clients.py`, `addresses.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import pairwise

from holdover.reference.audit.monitor.exchanges import form_of
from holdover.reference.audit.monitor.rulebook import Rulebook
from holdover.reference.audit.observations import DhcpMessage, Probe, Where
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.wire.frames import ALL_HOSTS
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE

SLACK: Duration = SECOND // 10
"""Nanoseconds by which two time stamps of one capture may mislead: timers of programs round."""

RETRANSMIT: Duration = 3 * SECOND
"""RFC 2131 §4.1: four seconds, give or take one, before the first retransmission."""

RETRY_FLOOR: Duration = 60 * SECOND
"""RFC 2131 §4.4.5: a renewal is not repeated sooner."""

DECLINE_WAIT: Duration = 10 * SECOND
"""RFC 2131 §3.1(5); so long a declined or an offered address is not to be offered again (R28 and
R32 name no time)."""

PROBES, PROBE_GAP, ANNOUNCE_WAIT = 3, (SECOND, 2 * SECOND), 2 * SECOND
"""RFC 5227 §1.1: PROBE_NUM, PROBE_MIN and PROBE_MAX, ANNOUNCE_WAIT."""

TALKS = 1 << 14
"""Clients whose talk is remembered; those longest silent are forgotten."""

MAYBE_MISSED = "frames between may have been missed"


@dataclass(slots=True)
class Talk:
    """What a client said and was told last.

    `leased_id`: the identifier of the DHCPREQUEST for its lease; None: that was not seen.
    """

    discover: tuple[int, Instant] | None = None
    secs: set[int] = field(default_factory=set)
    offers: dict[tuple[IPv4Address | None, IPv4Address], set[int]] = field(default_factory=dict)
    extending: tuple[Instant, bool] | None = None
    declined: Instant | None = None
    inform: int | None = None
    ids: dict[int, bytes | None] = field(default_factory=dict)
    leased_id: tuple[bytes | None] | None = None
    ends: Instant | None = None
    leased: IPv4Address | None = None
    new: bool = False
    probes: list[Instant] = field(default_factory=list)


class WireChecks:
    """All checks of messages; `complete`: no frame may have been missed."""

    def __init__(self, rulebook: Rulebook, *, complete: bool):
        self.rulebook, self.complete = rulebook, complete
        self.talks: OrderedDict[bytes, Talk] = OrderedDict()
        self._declined: OrderedDict[tuple[IPv4Address, IPv4Address], Instant] = OrderedDict()
        self._offered: OrderedDict[IPv4Address, tuple[bytes, IPv4Address | None, Instant]] = (
            OrderedDict()
        )

    def talk(self, hardware: bytes) -> Talk:
        """What is known of a client."""
        found = self.talks.get(hardware)
        if found is None:
            found = self.talks[hardware] = Talk()
            if len(self.talks) > TALKS:
                self.talks.popitem(last=False)
        return found

    def forget(self) -> None:
        """After a gap nothing follows on what was before."""
        self.talks.clear()
        self._declined.clear()
        self._offered.clear()

    # What a client sends -------------------------------------------------------------------------

    def request(self, seen: DhcpMessage, message: BootRequest) -> None:
        """A message of a client."""
        talk = self.talk(message.chaddr)
        self._identifier(seen, message, talk)
        match message.type:
            case MessageType.DISCOVER:
                self._discover(seen, message, talk)
            case MessageType.REQUEST:
                self._ask(seen, message, talk)
            case MessageType.DECLINE:
                self._decline(seen, message, talk)
            case MessageType.RELEASE:
                self._release(seen, message, talk)
            case MessageType.INFORM:
                talk.inform = message.xid

    def _identifier(self, seen: DhcpMessage, message: BootRequest, talk: Talk) -> None:
        """R37: one identifier in the messages of one exchange, and of one lease."""
        known = talk.ids.get(message.xid, message.client_id)
        if message.xid in talk.ids:
            self._judge(known == message.client_id, "R37", seen, message, "another identifier")
        if len(talk.ids) > 8:
            talk.ids.clear()
        talk.ids[message.xid] = message.client_id

    def _discover(self, seen: DhcpMessage, message: BootRequest, talk: Talk) -> None:
        """R4: it begins as if it had no address; R20: how soon again; R27: after a DHCPDECLINE."""
        plain = message.ciaddr == NO_ADDRESS and (seen.relayed or seen.source == NO_ADDRESS)
        if talk.ends is not None and seen.at >= talk.ends:
            says = "" if plain else f"ciaddr {message.ciaddr}, from {seen.source}"
            self._judge(plain, "R4", seen, message, says, sure=False)
            talk.ends = None
        if talk.discover is not None and talk.discover[0] == message.xid:
            gap = seen.at - talk.discover[1]
            says = f"DHCPDISCOVER again after {gap / SECOND:.2f} s"
            self._judge(gap >= RETRANSMIT - SLACK, "R20", seen, message, says)
        else:
            talk.secs, talk.offers = set(), {}
        if talk.declined is not None:
            gap = seen.at - talk.declined
            says = f"DHCPDISCOVER {gap / SECOND:.2f} s after DHCPDECLINE"
            self._judge(gap >= DECLINE_WAIT - SLACK, "R27", seen, message, says)
            talk.declined = None
        talk.discover = message.xid, seen.at
        talk.secs.add(message.secs)
        talk.extending = None

    def _ask(self, seen: DhcpMessage, message: BootRequest, talk: Talk) -> None:
        form, to_all = form_of(message), seen.destination == ALL_HOSTS
        selects = message.server is not None and message.requested is not None
        if message.ciaddr != NO_ADDRESS and not selects:
            rule = "R13" if to_all else "R12"
            extra = [
                name
                for name, there in (
                    ("option 50", message.requested is not None),
                    ("option 54", message.server is not None),
                )
                if there
            ]
            says = f"DHCPREQUEST with {' and '.join(extra)}" if extra else ""
            self._judge(not extra, rule, seen, message, says)
            self._retry(seen, message, talk, to_all=to_all)
            return
        talk.extending = None
        if selects:
            self._judge(message.ciaddr == NO_ADDRESS, "R15", seen, message, "ciaddr is set")
            self._selecting(seen, message, talk)
        elif form == "rebooting":
            good = to_all or seen.relayed
            says = "" if good else f"DHCPREQUEST to {seen.destination}"
            self._judge(good, "R16", seen, message, says)
        else:
            self._judge(False, "R15", seen, message, "neither option 50 nor ciaddr")

    def _retry(self, seen: DhcpMessage, message: BootRequest, talk: Talk, *, to_all: bool) -> None:
        """R14: a renewal again, in the same state, after a minute at the least."""
        if talk.extending is not None and talk.extending[1] == to_all:
            gap = seen.at - talk.extending[0]
            says = f"DHCPREQUEST again after {gap / SECOND:.2f} s"
            self._judge(gap >= RETRY_FLOOR - SLACK, "R14", seen, message, says, sure=False)
        talk.extending = seen.at, to_all

    def _selecting(self, seen: DhcpMessage, message: BootRequest, talk: Talk) -> None:
        """R17: the xid of the offer; R18: `secs` of a DHCPDISCOVER, and broadcast as it was."""
        assert message.requested is not None
        xids = talk.offers.get((message.server, message.requested))
        if xids is None:
            self.rulebook.leave_open("R17", "the DHCPOFFER was not seen")
        else:
            says = "another xid than the offer's"
            self._judge(message.xid in xids, "R17", seen, message, says, sure=False)
        if talk.discover is None or talk.discover[0] != message.xid:
            self.rulebook.leave_open("R18", "the DHCPDISCOVER was not seen")
        else:
            good = message.secs in talk.secs
            says = "" if good else f"secs {message.secs}, of DHCPDISCOVER {sorted(talk.secs)}"
            self._judge(good, "R18", seen, message, says, sure=False)

    def _decline(self, seen: DhcpMessage, message: BootRequest, talk: Talk) -> None:
        """R26: to all; R25: it was sent; R28 looks at what the server offers next."""
        good = seen.destination == ALL_HOSTS or seen.relayed
        self._judge(good, "R26", seen, message, f"DHCPDECLINE to {seen.destination}")
        self.rulebook.keep("R25")
        talk.declined, talk.new = seen.at, False
        if message.requested is not None and message.server is not None:
            self._declined[message.server, message.requested] = seen.at
            if len(self._declined) > TALKS:
                self._declined.popitem(last=False)

    def _release(self, seen: DhcpMessage, message: BootRequest, talk: Talk) -> None:
        """R26: to the server; R29: its fields; R30: not of a lease that is over."""
        good = seen.destination != ALL_HOSTS
        self._judge(good, "R26", seen, message, "DHCPRELEASE is broadcast")
        wrong = [
            name
            for name, bad in (
                ("no ciaddr", message.ciaddr == NO_ADDRESS),
                ("no option 54", message.server is None),
                ("option 50", message.requested is not None),
                ("option 51", message.lease is not None),
                (
                    "another client identifier than the lease's",
                    talk.leased == message.ciaddr
                    and talk.leased_id is not None
                    and talk.leased_id != (message.client_id,),
                ),
            )
            if bad
        ]
        self._judge(not wrong, "R29", seen, message, ", ".join(wrong))
        if talk.leased == message.ciaddr and talk.ends is not None:
            late = seen.at > talk.ends
            self._judge(not late, "R30", seen, message, "a lease that is over", sure=False)
        talk.leased, talk.ends = None, None

    # What a server sends -------------------------------------------------------------------------

    def reply(self, seen: DhcpMessage, message: BootReply, asked: bytes | None) -> None:
        """A message of a server; `asked`: the identifier of the request, where it was seen."""
        talk = self.talk(message.chaddr)
        # Of an ACK without an address, the DHCPINFORM may not have been seen.
        unasked = message.address == NO_ADDRESS and message.xid not in talk.ids
        informs = message.type is MessageType.ACK and (talk.inform == message.xid or unasked)
        self._times(seen, message, informs=informs)
        if message.xid in talk.ids:
            echoed = message.client_id == talk.ids[message.xid]
            says = "the client identifier is not the request's"
            self._judge(echoed, "R38", seen, message, says)
        if message.type is MessageType.OFFER:
            self._offer(seen, message, talk)
        if message.type is MessageType.ACK and not informs and message.lease is not None:
            talk.extending, talk.declined = None, None
            talk.new = talk.new or talk.leased != message.address
            if talk.leased != message.address:
                talk.probes = []
            talk.leased = message.address
            talk.leased_id = (talk.ids[message.xid],) if message.xid in talk.ids else None
            talk.ends = seen.at + message.lease * SECOND
        if message.type is MessageType.NAK:
            talk.extending = None

    def _times(self, seen: DhcpMessage, message: BootReply, *, informs: bool) -> None:
        """R35: option 51 where a lease is, and nowhere else; R10: T1 < T2 < lease."""
        there = message.lease is not None
        if message.type in (MessageType.OFFER, MessageType.ACK, MessageType.NAK):
            wanted = message.type is not MessageType.NAK and not informs
            good, name = there is wanted, message.type.name
            says = "" if good else f"DHCP{name} with{'' if there else 'out'} option 51"
            self._judge(good, "R35", seen, message, says)
        if message.lease == INFINITE:  # nothing of it is due, and all three may be for ever
            return
        if message.lease is not None and message.t1 is not None and message.t2 is not None:
            good = message.t1 < message.t2 < message.lease
            times = message.t1, message.t2, message.lease
            says = "" if good else "T1 {} s, T2 {} s, lease {} s".format(*times)
            self._judge(good, "R10", seen, message, says)

    def _offer(self, seen: DhcpMessage, message: BootReply, talk: Talk) -> None:
        """R17 will look for its xid; R28: not declined just now; R32: not another's just now."""
        talk.offers.setdefault((message.server, message.address), set()).add(message.xid)
        if message.server is not None:
            declined = self._declined.pop((message.server, message.address), None)
            if declined is not None:
                good = seen.at - declined >= DECLINE_WAIT - SLACK
                says = f"offered {(seen.at - declined) / SECOND:.1f} s after DHCPDECLINE"
                self._judge(good, "R28", seen, message, says, sure=False)
        other = self._offered.pop(message.address, None)
        if other is not None and other[1] == message.server and other[0] != message.chaddr:
            good = seen.at - other[2] >= DECLINE_WAIT - SLACK
            since = (seen.at - other[2]) / SECOND
            says = "" if good else f"on offer to {other[0].hex(':')} since {since:.1f} s"
            self._judge(good, "R32", seen, message, says, sure=False)
        self._offered[message.address] = message.chaddr, message.server, seen.at
        if len(self._offered) > TALKS:
            self._offered.popitem(last=False)

    # ARP -----------------------------------------------------------------------------------------

    def probe(self, seen: Probe) -> None:
        """R24: it is a probe, from the client's own hardware address."""
        talk = self.talks.get(seen.hardware)
        if talk is not None and talk.leased == seen.address:
            self.rulebook.keep("R24")
            talk.probes = [*talk.probes[-PROBES:], seen.at]

    def use(self, hardware: bytes, address: IPv4Address, at: Instant, where: Where) -> None:
        """R23: a new address was probed; R39: so often, and so long."""
        talk = self.talks.get(hardware)
        if talk is None or not talk.new or talk.leased != address:
            return
        talk.new = False
        if not talk.probes and not self.complete:
            self.rulebook.leave_open("R23", MAYBE_MISSED)
            return
        says = "used without a probe"
        self.rulebook.judge(bool(talk.probes), "R23", where, at, hardware, says)
        if talk.probes:
            self._probing(talk, hardware, at, where)

    def _probing(self, talk: Talk, hardware: bytes, at: Instant, where: Where) -> None:
        sent = [*talk.probes[-PROBES:], at]
        gaps = [after - before for before, after in pairwise(sent)]
        between, last = gaps[:-1], gaps[-1]
        good = (
            len(talk.probes) >= PROBES
            and all(PROBE_GAP[0] - SLACK <= gap <= PROBE_GAP[1] + SLACK for gap in between)
            and last >= ANNOUNCE_WAIT - SLACK
        )
        if not good and not self.complete:
            self.rulebook.leave_open("R39", MAYBE_MISSED)
            return
        says = f"{len(talk.probes)} probes, gaps {[round(gap / SECOND, 1) for gap in gaps]} s"
        self.rulebook.judge(good, "R39", where, at, hardware, says)

    def _judge(
        self,
        good: bool,
        rule: str,
        seen: DhcpMessage,
        message: BootRequest | BootReply,
        says: str,
        *,
        sure: bool = True,
    ) -> None:
        """Kept or broken; where it is not `sure`, a missed frame would explain what is wrong."""
        if good:
            self.rulebook.keep(rule)
        elif not sure and not self.complete:
            self.rulebook.leave_open(rule, MAYBE_MISSED)
        else:
            self.rulebook.break_(rule, seen.where, seen.at, message.chaddr, says)
