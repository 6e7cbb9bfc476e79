"""One client: its exchanges, and for each of its addresses what is still possible.

Theory of operation.  A client is a hardware address (chaddr).  All its messages go to the
hypotheses about each address that it has to do with; of the addresses that were not named yet one
set of hypotheses stands for all (`fresh`), and a new address begins as a copy of it.  An address is
forgotten when `KEPT` newer ones are known.

A use that no hypothesis explains without something missed opens a `Suspicion`.  It is of a kind by
what had ended the use: DHCPRELEASE, DHCPDECLINE, DHCPNAK, another address that the client uses by
now, or the end of the lease.  Where none of these was seen there is nothing to suspect: a client
that sends DHCPDISCOVER within its lease, while its address is still there, breaks no rule.  How
much has to be missed for a conforming client is counted as uses go on.

What it does not know: what servers committed to others (`addresses.py`); how it is said.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address

from holdover.reference.audit.monitor.context import DELAY, AuditContext
from holdover.reference.audit.monitor.exchanges import Asked, Followed, Grounds, Suspicion, form_of
from holdover.reference.audit.monitor.results import BlameKind, Evidence
from holdover.reference.audit.observations import DhcpMessage, Recorded, Where
from holdover.reference.audit.possible.chart import Sign
from holdover.reference.audit.possible.hypotheses import Grant
from holdover.reference.audit.possible.of_host import MINE, NO_ONE, OTHER
from holdover.reference.audit.possible.possibilities import Possibilities
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE

KEPT = 4
"""Addresses of one client that are followed; exchanges of which the send times are known: twice."""


GRANTED, GRANTED_ANOTHER = Sign("ACK", MINE), Sign("ACK", OTHER)
USES, USES_ANOTHER = Sign("USE", MINE), Sign("USE", OTHER)
REFUSED, LACKS = Sign("NAK"), Sign("LACKS")

sign_of = lru_cache(maxsize=256)(Sign)


@dataclass(slots=True)
class ClientTrack:
    """All that is known of one client."""

    hardware: bytes
    context: AuditContext
    begin: Instant | None
    fresh: tuple[Possibilities, ...]
    asked: OrderedDict[int, Asked] = field(default_factory=OrderedDict)
    addresses: OrderedDict[IPv4Address, Followed] = field(default_factory=OrderedDict)
    done: list[tuple[IPv4Address, Suspicion]] = field(default_factory=list)
    latest: Asked | None = None
    client_id: bytes | None = None
    heard_of: Instant = 0
    pending: tuple[DhcpMessage, BootReply, int] | None = None

    # Messages ------------------------------------------------------------------------------------

    def request(self, seen: DhcpMessage, message: BootRequest) -> None:
        """The client has sent a message."""
        self._renew_ignorance(seen.at)
        self.client_id = message.client_id or self.client_id
        about, form, kind = None, "", message.type.name
        if message.type is MessageType.REQUEST:
            form = form_of(message)
            about = message.requested if message.ciaddr == NO_ADDRESS else message.ciaddr
            self._ask(seen, message, about, form)
        elif message.type is MessageType.DECLINE:
            about = message.requested
        elif message.type is MessageType.RELEASE:
            about = message.ciaddr
        elif message.type is not MessageType.DISCOVER:
            return
        if about is not None and kind != "RELEASE":
            self.follow(about)
        self._see(kind, about, seen.at, form)
        if self.pending is not None and seen.at - self.pending[0].at <= DELAY:
            self._grant_all(*self.pending, at=seen.at)  # it may be on its way still
        if about is not None and about in self.addresses and kind in ("RELEASE", "DECLINE"):
            followed = self.addresses[about]
            ends: BlameKind = "used_after_release" if kind == "RELEASE" else "conflict_ignored"
            self._end(followed, ends, seen, f"DHCP{kind}")

    def reply(self, seen: DhcpMessage, message: BootReply) -> Grounds | None:
        """A server has answered; the lease that it grants, if it does."""
        self._renew_ignorance(seen.at)
        asked = self.asked.get(message.xid)
        if message.type is MessageType.NAK:
            self._refuse(seen, message, asked)
            return None
        if message.type is not MessageType.ACK or message.lease is None:
            return None
        if message.address == NO_ADDRESS:
            return None
        self.context.note_lease(message.lease)
        followed = self.follow(message.address)
        self.pending = seen, message, message.lease
        self._grant_all(seen, message, message.lease, at=seen.at)
        grounds = Grounds(
            seen.at,
            seen.where,
            message.lease,
            message.server,
            None if asked is None else asked.first,
            None if asked is None else asked.last,
            None if asked is None else asked.where,
        )
        self._begin(followed, grounds)
        for other in self.addresses.values():
            if other is not followed and other.grounds is not None and other.ended_kind is None:
                self._end(other, "two_addresses", seen, f"DHCPACK: {message.address}")
        return grounds

    def record(self, seen: Recorded, length: int | None) -> None:
        """A server's record says that the client has a lease: as good as a DHCPACK unheard of."""
        assert seen.begin is not None
        self._renew_ignorance(seen.at)
        followed = self.follow(seen.address)
        known = None if followed.grounds is None else followed.grounds.end
        if known is not None and seen.end is not None and seen.end <= known + SECOND:
            return
        for each in followed.possible:
            lasts = self.context.longest_for(each.chart, length)
            now = self.context.now(each.chart, seen.at, followed.refused)
            each.grant_unseen(seen.begin + lasts, now)
        followed.quiet_until = -1
        seconds = INFINITE if length is None else length
        self._begin(followed, Grounds(seen.begin, seen.where, seconds, None, None, None, None))

    def follow(self, address: IPv4Address) -> Followed:
        """The hypotheses about an address; the oldest address makes room for a new one."""
        followed = self.addresses.get(address)
        if followed is None:
            followed = Followed(address, tuple(each.copy() for each in self.fresh))
            self.addresses[address] = followed
            if len(self.addresses) > KEPT:
                _, oldest = self.addresses.popitem(last=False)
                self._close(oldest)
        else:
            self.addresses.move_to_end(address)
        return followed

    def excuse(self, since: Instant | None) -> None:
        """Nothing is suspected any more of what was in a gap since then (None: at all)."""
        for followed in self.addresses.values():
            found = followed.suspicion
            if found is not None and (since is None or found.last >= since):
                followed.suspicion = None
            followed.quiet_until = -1
        self.done = [
            (a, found) for a, found in self.done if since is not None and found.last < since
        ]

    def finish(self) -> list[tuple[IPv4Address, Suspicion]]:
        """All suspicions, also those that are still open."""
        for followed in self.addresses.values():
            self._close(followed)
        return self.done

    def _renew_ignorance(self, at: Instant) -> None:
        """After a gap anything may be, once more."""
        self.heard_of = at
        if self.begin != self.context.begin:
            self.begin = self.context.begin
            self.fresh = self.context.unknown()
            self.latest = self.pending = None
            self.asked.clear()
            for followed in self.addresses.values():
                self._close(followed)
                followed.possible = self.context.unknown()
                followed.grounds, followed.ended, followed.ended_kind = None, None, None
                followed.quiet_until = -1

    def _ask(
        self, seen: DhcpMessage, message: BootRequest, about: IPv4Address | None, form: str
    ) -> None:
        asked = self.asked.get(message.xid)
        if asked is None:
            asked = Asked(seen.at, seen.at, about, form, message.server, self.client_id, seen.where)
            self.asked[message.xid] = asked
            if len(self.asked) > 2 * KEPT:
                self.asked.popitem(last=False)
        asked.last, asked.where, asked.about, asked.form = seen.at, seen.where, about, form
        self.latest = asked

    def _see(self, kind: str, about: IPv4Address | None, at: Instant, form: str = "") -> None:
        for followed in self.addresses.values():
            subject = NO_ONE if about is None else MINE if about == followed.address else OTHER
            sign = sign_of(kind, subject, form)
            for each in followed.possible:
                each.see(sign, self.context.now(each.chart, at, followed.refused))
            followed.quiet_until = -1
        sign = sign_of(kind, NO_ONE if about is None else OTHER, form)
        for each in self.fresh:
            each.see(sign, self.context.now(each.chart, at))

    def _refuse(self, seen: DhcpMessage, message: BootReply, asked: Asked | None) -> None:
        """DHCPNAK: heard or not; one that the client need not take for an answer counts nothing.

        RFC 2131 §4.4.5, §4.3.2: one server is asked in SELECTING and RENEWING, and another one's
        refusal is none; nor is one under another xid than that of the last DHCPREQUEST.
        """
        for followed in self.addresses.values():
            mine = asked is not None and asked.about == followed.address
            chosen = None if followed.grounds is None else followed.grounds.server
            sure = (
                asked is not None
                and asked is self.latest
                and message.server in (None, chosen, asked.server)
            )
            followed.refused = seen.at
            for each in followed.possible:
                now = self.context.now(each.chart, seen.at, followed.refused)
                each.see(REFUSED, now, sure=sure)
            followed.quiet_until = -1
            if mine and sure and followed.ended_kind is None:
                self._end(followed, "nak_ignored", seen, "DHCPNAK")
        for each in self.fresh:
            each.see(REFUSED, self.context.now(each.chart, seen.at, seen.at), sure=False)

    def _grant_all(
        self, seen: DhcpMessage, message: BootReply, length: int, *, at: Instant
    ) -> None:
        """A DHCPACK reaches the client, or not; `at`: not before."""
        asked = self.asked.get(message.xid)
        for followed in self.addresses.values():
            mine = followed.address == message.address
            for each in followed.possible:
                now = self.context.now(each.chart, at, followed.refused)
                end = self._lease_end(each, seen.at, length, asked)
                each.see(GRANTED if mine else GRANTED_ANOTHER, now, end)
            followed.quiet_until = -1
        for each in self.fresh:
            end = self._lease_end(each, seen.at, length, asked)
            each.see(GRANTED_ANOTHER, self.context.now(each.chart, at), end)

    def _lease_end(
        self, each: Possibilities, at: Instant, length: int, asked: Asked | None
    ) -> Grant:
        lasts = self.context.longest_for(each.chart, length)
        from_now = at + lasts
        if asked is None:
            return Grant(from_now, from_now)
        return Grant(
            asked.last + lasts, from_now if at - asked.last > DELAY else asked.last + lasts
        )

    def _begin(self, followed: Followed, grounds: Grounds) -> None:
        """A lease begins, or goes on: what was suspected before is a matter of its own."""
        self._close(followed)
        followed.grounds, followed.ended, followed.ended_kind = grounds, None, None
        followed.settles = -1

    def _end(self, followed: Followed, kind: BlameKind, seen: DhcpMessage, what: str) -> None:
        followed.ended_kind = kind
        followed.ended = Evidence(seen.where, seen.at, what)
        followed.settles = seen.at + DELAY

    def _close(self, followed: Followed) -> None:
        if followed.suspicion is not None:
            self.done.append((followed.address, followed.suspicion))
            followed.suspicion = None

    # Uses ----------------------------------------------------------------------------------------

    def use(self, address: IPv4Address, at: Instant, where: Where, how: str) -> None:
        """The host has the address at that instant; of no interest where it never asked for it."""
        self._renew_ignorance(at)
        followed = self.addresses.get(address)
        if followed is None:
            return
        followed.used, followed.gone = at, None
        if at <= followed.quiet_until:
            suspicion = followed.suspicion
            if suspicion is not None:
                suspicion.last, suspicion.last_where, suspicion.uses = at, where, suspicion.uses + 1
                suspicion.last_how = how
            return
        if at <= followed.settles:
            return
        explained, quiet = True, 1 << 90
        for each in followed.possible:
            now = self.context.now(each.chart, at, followed.refused)
            explained = each.use(USES, now) and explained
            quiet = min(quiet, each.latest(now))
        if explained:
            followed.quiet_until = quiet
        self._weigh(followed, at, where, how, explained=explained)
        for other in self.addresses.values():
            if other is not followed and other.grounds is not None and followed.grounds is not None:
                for each in other.possible:
                    each.use(USES_ANOTHER, self.context.now(each.chart, at, other.refused))
                other.quiet_until = -1

    def yield_to(self, address: IPv4Address, at: Instant) -> None:
        """Another client has the address by now, so that this one's lease was over.

        As far as the server goes by its record, and no longer than the bound of T3 after it.
        """
        followed = self.addresses.get(address)
        for each in () if followed is None else followed.possible:
            assert followed is not None
            outstay = self.context.outstay(each.chart)
            if outstay is not None and each.end_by(
                at + outstay, self.context.now(each.chart, at, followed.refused)
            ):
                followed.quiet_until = -1

    def keep(self, address: IPv4Address) -> None:
        """The host has the address when the last source ends."""
        followed = self.addresses.get(address)
        if followed is not None and followed.suspicion is not None:
            followed.suspicion.still = True

    def lack(self, address: IPv4Address, since: Instant, at: Instant) -> None:
        """The host has not got the address at that instant: its own log says so.

        It went in [since, at].  How long it was held counts to `at`, as the lab counts it.
        """
        followed = self.addresses.get(address)
        if followed is not None:
            followed.gone = at
            found = followed.suspicion
            if found is not None and found.last == since:
                found.last, found.uncertainty = at, found.uncertainty + at - since
            for each in followed.possible:
                each.use(LACKS, self.context.now(each.chart, at, followed.refused))
            followed.quiet_until = -1

    def _weigh(
        self, followed: Followed, at: Instant, where: Where, how: str, *, explained: bool
    ) -> None:
        """What the use says of the client."""
        premises = self.context.premises
        fewest = [each.fewest(premises.undelivered) for each in followed.possible]
        missed = (
            None if not explained or None in fewest else max(n for n in fewest if n is not None)
        )
        if missed == 0:
            self._close(followed)
            return
        certain = not explained or not all(
            each.explains(premises.missed, premises.undelivered) for each in followed.possible
        )
        suspicion = followed.suspicion
        if suspicion is None:
            found = self._cause(followed, at)
            if found is None:
                return
            kind, since, uncertainty = found
            suspicion = followed.suspicion = Suspicion(
                kind,
                since,
                at,
                where,
                at,
                where,
                how,
                followed.grounds,
                followed.ended,
                uncertainty,
                missed,
            )
        suspicion.last, suspicion.last_where, suspicion.last_how = at, where, how
        suspicion.uses += 1
        if missed is None or (suspicion.missed is not None and missed > suspicion.missed):
            suspicion.missed = missed
        suspicion.certain |= certain

    def _cause(self, followed: Followed, at: Instant) -> tuple[BlameKind, Instant, Instant] | None:
        """What had ended the use, when, and by how much it may have been sooner."""
        grounds = followed.grounds
        if followed.ended_kind is not None and followed.ended is not None:
            return followed.ended_kind, followed.ended.at, 0
        if grounds is None or grounds.end is None or at <= grounds.end:
            return None
        sooner = grounds.at - (grounds.asked_first or grounds.at)
        return "client_holdover", grounds.end, sooner
