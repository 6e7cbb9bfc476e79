"""Observations in, an audit out: the one way into the room.

Theory of operation.  `Monitor.observe` takes observations in the order of time and hands each to
those whom it concerns: the client (`clients.py`), the address (`addresses.py`), the checks of
single messages (`wire_checks.py`), the disguises (`disguises.py`).  `finish` takes the coverage of
the sources and lets `blame.py` draw the conclusions.

What was not seen.  Before the first observation, and within a gap, anything may have happened: each
client's hypotheses begin anew at its end.  A lease whose end lies after the last observation is an
open question, and so is a use that a missed datagram would explain.

What counts as a use: see `disguises.py`.  A host's own log counts as use from when it has the
address until it has not.  A server's record counts as a commitment.

What it does not know: files, formats, pages.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from copy import deepcopy
from ipaddress import IPv4Address

from holdover.model.clients.profile import Profile
from holdover.reference.audit.monitor.addresses import AddressTrack
from holdover.reference.audit.monitor.blame import Conclusions
from holdover.reference.audit.monitor.clients import ClientTrack
from holdover.reference.audit.monitor.context import AuditContext, default_premises
from holdover.reference.audit.monitor.disguises import Disguises, group_of
from holdover.reference.audit.monitor.exchanges import Grounds
from holdover.reference.audit.monitor.results import Audit, Premises
from holdover.reference.audit.monitor.rulebook import Rulebook
from holdover.reference.audit.monitor.servers import Servers
from holdover.reference.audit.monitor.spans import Commitment
from holdover.reference.audit.monitor.wire_checks import WireChecks
from holdover.reference.audit.observations import (
    Coverage,
    DhcpMessage,
    Gap,
    Held,
    Observation,
    Probe,
    Recorded,
    Unreadable,
    Use,
    Vlans,
    Where,
)
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE

IDLE = 4
"""A client or an address is forgotten when it was not heard of for so many of the longest leases,
and what there was to say of it is kept."""

USUAL = 86_400
"""Seconds: taken for the longest lease where none was seen, or one for ever; to forget by."""

SWEEP = 1 << 14
"""So many observations from one look for the forgotten to the next."""

TRACKS = 1 << 16
"""Addresses that are followed at most; beyond that, those without a lease are forgotten first."""


class Monitor:
    """An audit under way."""

    def __init__(self, premises: Premises | None = None, profile: Profile | None = None):
        premises = default_premises() if premises is None else premises
        self.context = AuditContext.of(premises, profile)
        self.rulebook = Rulebook()
        self.checks = WireChecks(self.rulebook, complete=premises.missed == 0)
        self.disguises = Disguises()
        self.servers = Servers()
        self.clients: OrderedDict[bytes, ClientTrack] = OrderedDict()
        self.addresses: OrderedDict[tuple[Vlans, IPv4Address], AddressTrack] = OrderedDict()
        self.conclusions = Conclusions(self.context, self.rulebook, self.disguises)
        self.last: Instant | None = None
        self._links: dict[bytes, Vlans] = {}
        self._hidden: list[Gap] = []
        self._gaps: list[Gap] = []
        self._unreadable: list[Unreadable] = []
        self._observed = 0
        self._held: dict[tuple[bytes, IPv4Address], Held] = {}

    def observe(self, seen: Observation) -> None:
        """The next observation, in the order of time."""
        if isinstance(seen, Gap):
            self._gap(seen)
            return
        if isinstance(seen, Unreadable):
            self._unreadable.append(seen)
            return
        self._clock(seen.at)
        self._observed += 1
        if self._observed % SWEEP == 0:
            self._sweep(seen.at)
        match seen:
            case Use():
                self._use(seen)
            case DhcpMessage():
                self._message(seen)
            case Probe():
                self._probe(seen)
            case Held():
                self._host_log(seen)
            case Recorded():
                self._record(seen)

    def overhear(
        self, at: Instant, *, reply: Observation | None = None, lease: int | None = None
    ) -> None:
        """Something that concerns others, whom another monitor judges (reference/audit/partition).

        Time has come to `at`; `reply`: a server's message; `lease`: seconds that it grants.
        """
        self._clock(at)
        if lease is not None:
            self.context.note_lease(lease)
        if (
            isinstance(reply, DhcpMessage)
            and isinstance(reply.message, BootReply)
            and not reply.copy
        ):
            self.servers.note(reply, reply.message)

    def finish(self, coverage: Sequence[Coverage] = ()) -> Audit:
        """All that can be said, now that nothing more is to come."""
        ends = [each.end for each in coverage if each.end is not None]
        end = max([*ends, *([] if self.last is None else [self.last])], default=None)
        if end is not None:
            for (hardware, address), held in list(self._held.items()):
                self._log_use(hardware, address, end, held.where)
                if hardware in self.clients:
                    self.clients[hardware].keep(address)
        for client in self.clients.values():
            self.conclusions.take_client(client, self._track(client, None), end)
        for track in self.addresses.values():
            self.conclusions.take_address(track, self.clients, self.servers, end)
        return self.conclusions.audit(
            tuple(self._gaps), tuple(self._unreadable), tuple(coverage), self.servers
        )

    def so_far(self, coverage: Sequence[Coverage] = ()) -> Audit:
        """What can be said by now; the audit goes on."""
        return deepcopy(self).finish(coverage)

    # Time ----------------------------------------------------------------------------------------

    def _clock(self, at: Instant) -> None:
        if self.last is None or at > self.last:
            self.last = at
        if self.context.begin is None:
            self.context.begin = at
        if self._hidden:
            self._come_out(at)

    def _come_out(self, at: Instant) -> None:
        """Of gaps that are over, or on."""
        for gap in list(self._hidden):
            if gap.since is not None and gap.since > at:
                continue
            over = gap.until is not None and gap.until <= at
            begin = at if self.context.begin is None else self.context.begin
            self.context.begin = max(begin, gap.until or at if over else at)
            if over:
                self._hidden.remove(gap)
                self._forget()

    def _gap(self, gap: Gap) -> None:
        """Nothing is known of what happened in it, nor was while it was on; it may be told late."""
        self._gaps.append(gap)
        self.conclusions.hide(gap)
        if self.last is None and gap.since is None:
            return  # before the first observation nothing was known anyway
        over = gap.until is not None and self.last is not None and gap.until <= self.last
        if not over:
            self._hidden.append(gap)
        if gap.since is None or self.last is None or gap.since <= self.last:
            for client in self.clients.values():
                client.excuse(gap.since)
            for track in self.addresses.values():
                track.excuse(gap.since)
            self.context.begin = max(self.context.begin or 0, self.last or 0)
            self._forget()

    def _forget(self) -> None:
        self.checks.forget()
        for track in self.addresses.values():
            track.forget()

    # Messages ------------------------------------------------------------------------------------

    def _message(self, seen: DhcpMessage) -> None:
        if seen.copy:
            return
        message = seen.message
        if not seen.relayed:
            self._links[message.chaddr] = seen.vlan
        client = self._client(message.chaddr)
        if isinstance(message, BootRequest):
            self._request(seen, message, client)
        else:
            self._reply(seen, message, client)

    def _request(self, seen: DhcpMessage, message: BootRequest, client: ClientTrack) -> None:
        self.checks.request(seen, message)
        client.request(seen, message)
        if message.type is MessageType.RELEASE:
            track = self._address(message.ciaddr, message.chaddr)
            track.give_up(message.chaddr, seen.at, "DHCPRELEASE")
        if message.type is MessageType.DECLINE and message.requested is not None:
            track = self._address(message.requested, message.chaddr)
            track.give_up(message.chaddr, seen.at, "DHCPDECLINE")
            track.withdraw(message.chaddr)

    def _reply(self, seen: DhcpMessage, message: BootReply, client: ClientTrack) -> None:
        asked = client.asked.get(message.xid)
        self.checks.reply(seen, message, None if asked is None else asked.client_id)
        self.servers.note(seen, message)
        if message.type is MessageType.NAK and asked is not None and asked.about is not None:
            track = self._address(asked.about, message.chaddr)
            self.servers.refuse(seen, message, track)
        unanswered = client.latest
        grounds = client.reply(seen, message)
        if grounds is None:
            return
        track = self._address(message.address, message.chaddr)
        had = track.holder(seen.at)
        if had is not None and had.hardware is not None and had.hardware != message.chaddr:
            other = self.clients.get(had.hardware)
            unanswered = None if other is None else other.latest
        before = self.servers.lost_record(message.server, had, unanswered)
        new = self._commitment(message, client, grounds, seen)
        track.commit(new, before)
        self._yield_to(track, message.chaddr, seen.at)
        rogue = self.servers.other_network(seen, message, self._tracks_of(client))
        if rogue is not None:
            self.conclusions.take_rogue(seen, message, rogue)

    def _commitment(
        self, message: BootReply, client: ClientTrack, grounds: Grounds, seen: DhcpMessage
    ) -> Commitment:
        sure = None
        if message.lease is not None and message.lease != INFINITE:
            sure = seen.at + self.context.shortest(message.lease)
        return Commitment(
            message.chaddr,
            message.client_id or client.client_id,
            message.server,
            str(message.server or "unknown"),
            seen.at,
            seen.at,
            grounds.end,
            sure,
            seen.where,
        )

    # Uses ----------------------------------------------------------------------------------------

    def _use(self, seen: Use) -> None:
        at, where, hardware, address, how, vlan, frames, until, last = seen
        arp = how == "ARP"
        if address is NO_ADDRESS or address == NO_ADDRESS:
            return
        self.disguises.note(hardware, address, arp=arp)
        if group_of(hardware) is not None:
            return
        client = self.clients.get(hardware)
        if not arp:
            asks = client is not None and address in client.addresses
            if not (asks or self.disguises.claims(hardware, address)):
                return
            if self.disguises.forwards(hardware):
                return
        key = (vlan, address)
        track = self.addresses.get(key)
        if track is None:
            if client is None and not arp:
                return
            track = self.addresses[key] = AddressTrack(address, vlan)
        track.use(hardware, at, until, where, last, how, frames)
        if len(track.commitments) > 1:
            self._yield_to(track, hardware, at)
        if arp and (track.unheeded or track.probing):
            track.contest(hardware, at, where)
        if client is not None and self._links.get(hardware, vlan) == vlan:
            client.use(address, at, where, how)
            if until > at:
                client.use(address, until, last, how)
            if arp:
                self.checks.use(hardware, address, at, where)

    def _yield_to(self, track: AddressTrack, hardware: bytes, at: Instant) -> None:
        """The address is this client's: other clients' leases on it are over (`yield_to`)."""
        if len(track.commitments) < 2:
            return
        mine = next((c for c in reversed(track.commitments) if c.hardware == hardware), None)
        if mine is None or not mine.may_run(at):
            return
        for other in {c.hardware for c in track.commitments if c.is_of_another(mine)}:
            client = None if other is None else self.clients.get(other)
            if client is not None:
                client.yield_to(track.address, at)

    def _probe(self, seen: Probe) -> None:
        self.checks.probe(seen)
        track = self.addresses.get((seen.vlan, seen.address))
        if track is not None:
            track.probe(seen.hardware, seen.at, seen.where)

    def _host_log(self, seen: Held) -> None:
        hardware = seen.hardware
        if hardware is None:
            hardware = self._only_host(seen.address)
            if hardware is None:
                self.conclusions.leave_open_log(seen)
                return
        key = (hardware, seen.address)
        if seen.there:
            self._held.setdefault(key, seen)
            self._log_use(hardware, seen.address, seen.at, seen.where)
            return
        held = self._held.pop(key, None)
        since = seen.since if held is None else max(seen.since, held.at)
        if held is not None:
            self._log_use(hardware, seen.address, since, seen.where)
        client = self.clients.get(hardware)
        if client is not None:
            client.lack(seen.address, since, seen.at)

    def _log_use(self, hardware: bytes, address: IPv4Address, at: Instant, where: Where) -> None:
        track = self._address(address, hardware)
        track.use(hardware, at, at, where, where, "log")
        client = self.clients.get(hardware)
        if client is not None:
            client.use(address, at, where, "log")

    def _record(self, seen: Recorded) -> None:
        if seen.hardware is None:
            return
        track = self._address(seen.address, seen.hardware)
        if seen.state in ("released", "declined", "free"):
            track.give_up(seen.hardware, seen.at, f"recorded as {seen.state}")
            return
        if seen.state != "leased" or seen.begin is None:
            return
        length = None if seen.end is None else max(0, seen.end - seen.begin) // SECOND
        if length is not None:
            self.context.note_lease(length)
        track.record(seen, None if length is None else seen.begin + self.context.shortest(length))
        client = self._client(seen.hardware)
        client.record(seen, length)

    # Who is meant --------------------------------------------------------------------------------

    def _client(self, hardware: bytes) -> ClientTrack:
        client = self.clients.get(hardware)
        if client is None:
            client = ClientTrack(hardware, self.context, self.context.begin, self.context.unknown())
            self.clients[hardware] = client
        else:
            self.clients.move_to_end(hardware)
        return client

    def _address(self, address: IPv4Address, hardware: bytes) -> AddressTrack:
        key = (self._links.get(hardware, ()), address)
        track = self.addresses.get(key)
        if track is None:
            track = self.addresses[key] = AddressTrack(address, key[0])
        return track

    def _tracks_of(self, client: ClientTrack) -> list[AddressTrack]:
        return [self._address(address, client.hardware) for address in client.addresses]

    def _track(
        self, client: ClientTrack, address: IPv4Address | None
    ) -> dict[IPv4Address, AddressTrack]:
        return {each.address: each for each in self._tracks_of(client)}

    def _only_host(self, address: IPv4Address) -> bytes | None:
        """Whose log it is that does not say so: the one client that has this address."""
        holders = [
            track.holder(self.last or 0)
            for (_, each), track in self.addresses.items()
            if each == address
        ]
        hardware = {each.hardware for each in holders if each is not None}
        return hardware.pop() if len(hardware) == 1 else None

    def _sweep(self, at: Instant) -> None:
        """Forget who was not heard of for long; what is to be said of them is said."""
        longest = self.context.longest
        lease = USUAL if longest is None or longest == INFINITE else longest
        old = at - IDLE * lease * SECOND
        for hardware, client in list(self.clients.items()):
            if client.heard_of >= old:
                break
            self.conclusions.take_client(client, self._track(client, None), at)
            del self.clients[hardware]
            self._links.pop(hardware, None)
        for key, track in list(self.addresses.items()):
            crowded = len(self.addresses) > TRACKS and not track.commitments
            if crowded or (track.heard_of < old and not track.is_leased(at)):
                self.conclusions.take_address(track, self.clients, self.servers, at)
                del self.addresses[key]
