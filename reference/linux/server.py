"""The server core behind a real link: events in, effects out, one at a time.

Theory of operation.  `Service.run` waits for a frame, the core's deadline or a signal, hands the
core what has happened with the instant of CLOCK_BOOTTIME, and carries out the effects in their
order before anything else is read.  A binding is stored, durably, before the next effect: the
DHCPACK.  Where it cannot be stored the core is as before the event, is told so (`Recording`), and
is handed the event again: it promises no more than what is on record.  Every few seconds the file
is tried anew; meanwhile nothing is lost but new leases.

Signals.  SIGINT and SIGTERM end it.  SIGUSR1: a line for each address that is withheld.  SIGUSR2:
all of these are probed now, and given back where nobody answers.

Where a reply goes is the core's decision (`SendReply`); how it gets there is this module's: to the
relay, or to a `ciaddr` that is not what the reply assigns, by the kernel's UDP, which finds the
way; to everybody and to who has no address yet by a frame of our own (RFC 2131 §4.1).

Load.  The kernel drops what does not fit into a socket's buffer, and here nothing is queued: a
flood costs time and no memory.  All that waits is read at once, and of messages of one kind from
one client only the latest counts, before anything is decoded: who asks a thousand times a second
takes no more than who asks once.  Where there is still too much, the newest of it is looked at.  A
flood in as many names as it has messages keeps others out all the same.  Of ARP only what comes
from an address of the pool is an event, the rest can answer no probe; what was heard together is
handed on with ARP first, since who answers a probe is not to lose to a DHCPDISCOVER that stood in
the queue before it.

Too early, late or lost is harmless: DHCP sends again, and `step` looks at what is due before each
event.  What is not for this server, not from an Ethernet client or no message is counted only.

What it does not know: any phase of a lease; an address that is taken off the interface, or another
hardware address, while it runs; when whoever reads its lines is slow it waits for him.
"""

from __future__ import annotations

import errno
import select
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from holdover.model.errors import InputError
from holdover.reference.core.config import ServerConfig
from holdover.reference.core.events import Heard, SendArp, Timer
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.core.pool import earliest
from holdover.reference.core.server import Server, deadline, step
from holdover.reference.core.server_state import (
    ReceivedRequest,
    Recording,
    Reinstate,
    SendReply,
    ServerEffect,
    ServerEvent,
    StartServer,
    StoreBinding,
)
from holdover.reference.linux.kernel.clock import Alarm
from holdover.reference.linux.kernel.clock import now as boottime
from holdover.reference.linux.kernel.directory_watch import Watch
from holdover.reference.linux.kernel.packet_filter import IP_AT, TYPE_AT
from holdover.reference.linux.kernel.rtnetlink import Hearing
from holdover.reference.linux.kernel.sockets import LinkSocket, UdpPort
from holdover.reference.linux.malformed import Sparing, describe_malformed
from holdover.reference.linux.signal_orders import Ended
from holdover.reference.linux.storage.journal import Journal
from holdover.reference.linux.storage.lease_database import BindingNotStoredError, LeaseFile
from holdover.reference.wire.arp import ARP_TYPE, Arp
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    Frame,
    encode_frame,
)
from holdover.reference.wire.messages import BootRequest, reply_to_wire, request_from
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, WireError
from holdover.reference.wire.packet import ParsedMessage, encode, read

ETHERNET, HARDWARE_SIZE = 1, 6
"""`htype` and `hlen` of a client on this link (RFC 2131 Table 1)."""

ARP_FRAME = ARP_TYPE.to_bytes(2, "big")

QUEUE, ROOM = 8192, 8 << 20
"""Frames that are read at once, and bytes that the kernel keeps for them: about as many."""

TURN = 512
"""Frames that are looked at before the deadline and signals are: some tenths of a second."""

LOOK, RETRY = 1 * SECOND, 5 * SECOND
"""How often it is seen whether the lease file is there, and whether it can be written again."""


@dataclass(frozen=True)
class LeaseEvent:
    """A lease event in words, for people and programs; `lease` in seconds.

    `withheld`: how many seconds from now it is looked into.  `note`: what else there is to say, as
    what could not be read of a message, where the event is "malformed".
    """

    at: Instant
    event: str
    address: str | None = None
    hardware: str | None = None
    lease: int | None = None
    withheld: int | None = None
    note: str | None = None


class Service:
    """A server on a link.  `tell` is given each lease event; `leases` None: kept in memory only."""

    def __init__(
        self,
        config: ServerConfig,
        link: LinkSocket,
        port: UdpPort,
        own: IPv4Interface,
        leases: LeaseFile | None,
        journal: Journal,
        tell: Callable[[LeaseEvent], None],
    ) -> None:
        self.server = Server(config)
        self.unread = 0
        self.unsent = 0
        self._sparing = Sparing()
        self._link, self._port, self._leases = link, port, leases
        self._journal, self._tell = journal, tell
        self._pool = frozenset(config.pool)
        self._ours = frozenset((own.ip, ALL_HOSTS, own.network.broadcast_address))
        self._look_at: Instant | None = None

    def run(self, ended: Ended) -> int:
        """Serve until a signal says to end, and which; InputError where the link is gone."""
        alarm, links, poll = Alarm(), Hearing(), select.poll()
        names = None if self._leases is None else Watch(self._leases.path.parent)
        try:
            self._link.make_room(ROOM)
            if names is not None and names.fileno() >= 0:
                poll.register(names.fileno(), select.POLLIN)
            for each in (self._link, alarm, ended, links):
                poll.register(each.fileno(), select.POLLIN)
            self._check_link()  # what went before somebody listened is told to nobody
            self.handle(StartServer(() if self._leases is None else self._leases.bindings))
            while ended.signal is None:
                self.look_after_leases(at_once=names is not None and names.clear())
                due = deadline(self.server)
                alarm.set(earliest((due, self._look_at)))
                woken = dict(poll.poll())
                if links.fileno() in woken:
                    links.hear()
                    self._check_link()
                if self._link.fileno() in woken:
                    self.take(self._link.receive(QUEUE, alike))
                ended.clear()
                self.obey(ended.take())
                if due is not None and due <= boottime():
                    self.handle(Timer())
            return ended.signal
        finally:
            alarm.close()
            links.close()
            if names is not None:
                names.close()

    def look_after_leases(self, *, at_once: bool = False) -> None:
        """Every now and then see that the file is still there, or can be written again."""
        now = boottime()
        due = self._look_at is None or self._look_at <= now
        if self._leases is None or not (due or (at_once and self.server.recording)):
            return
        try:
            if self._leases.failure:
                self._leases.write_anew(now)
                self._say(now, "stored again", note=f"--leases {self._leases.path}")
            else:
                self._leases.look(now)
        except BindingNotStoredError:
            pass
        self._see_to_recording(now)
        self._look_at = now + (LOOK if self.server.recording else RETRY)

    def obey(self, orders: Sequence[int]) -> None:
        """What signals have asked for."""
        now = boottime()
        withheld = self.server.known.withheld
        if signal.SIGUSR1 in orders:
            if not withheld:
                self._say(now, "nothing is withheld")
            for address, why in withheld:
                self._say(now, "in use" if why.seen else "declined", address, until=why.until)
        if signal.SIGUSR2 in orders:
            for address, _ in withheld:
                self.handle(Reinstate(address))

    def take(self, frames: Sequence[Frame]) -> None:
        """What the link has."""
        newest = frames[-TURN:]
        for frame in sorted(newest, key=lambda frame: not isinstance(frame.content, Arp)):
            if (event := self.event(frame)) is not None:
                self.handle(event)

    def event(self, frame: Frame) -> ServerEvent | None:
        """What a frame is to the core; None: nothing."""
        content = frame.content
        if isinstance(content, Arp):
            return Heard(content) if content.sender in self._pool else None
        if not isinstance(content, Datagram) or content.destination not in self._ours:
            return None
        try:
            reading = read(content.payload)
        except WireError:
            self.unread += 1
            return None
        message = reading.message
        direct = message.giaddr == NO_ADDRESS
        if direct and (message.htype, len(message.chaddr)) != (ETHERNET, HARDWARE_SIZE):
            self.unread += 1
            return None
        return self._request(reading)

    def _request(self, reading: ParsedMessage) -> ServerEvent | None:
        """A request, without what could not be read; None where it rests on that, or is none."""
        event, refused_for = None, None
        try:
            event = ReceivedRequest(request_from(reading))
        except WireError as error:
            self.unread += 1
            refused_for = error.message
        if reading.dropped:
            self._note_malformed(reading, refused_for)
        return event

    def _note_malformed(self, reading: ParsedMessage, refused_for: str | None) -> None:
        """Say what was not read of a request; `alike` has seen to it that they are few."""
        now, kind = boottime(), reading.message.message_type
        name = "a request" if kind is None else f"DHCP{kind.name}"
        hardware = reading.message.chaddr.hex(":")
        said = describe_malformed(f"{name} from {hardware}", reading.dropped, refused_for)
        self._journal.note_malformed(said, now)
        if (line := self._sparing.line(said, now)) is not None:
            self._tell(LeaseEvent(now, "malformed", None, hardware, note=line))

    def handle(self, event: ServerEvent) -> None:
        """Hand an event to the core, and carry out what it wants done."""
        now, before = boottime(), self.server
        self._journal.event(event, now)
        self.server, effects = step(before, event, now)
        self._report(event, before, now)
        try:
            for effect in effects:
                self._journal.effect(effect, now)
                self.carry_out(effect, now)
        except BindingNotStoredError:
            self.server = before
            self._see_to_recording(now)
            self.handle(event)
        else:
            self._see_to_recording(now)

    def carry_out(self, effect: ServerEffect, now: Instant) -> None:
        """Do what the core wants done; NotStoredError where what follows would rest on it."""
        match effect:
            case StoreBinding(address, binding):
                if binding is None:
                    self._say(now, "unbound", address)
                if self._leases is None:
                    return
                try:
                    self._leases.put(address, binding, now)
                except BindingNotStoredError:
                    if binding is not None:
                        raise
            case SendReply():
                self._send(effect, now)
            case SendArp(arp):
                self._put(encode_frame(EVERYONE, self._link.hardware, arp))

    def _see_to_recording(self, now: Instant) -> None:
        """Say what became of the lease file, and tell the core whether it can be written."""
        if self._leases is None:
            return
        file = f"--leases {self._leases.path}"
        while self._leases.notes:
            self._say(now, "lease file", note=f"{file}: {self._leases.notes.pop(0)}")
        works = not self._leases.failure
        if works != self.server.recording:
            if not works:
                self._say(now, "not stored", note=f"{file}: {self._leases.failure}")
                self._look_at = now + RETRY
            event = Recording(works)
            self._journal.event(event, now)
            self.server, _ = step(self.server, event, now)

    def _send(self, effect: SendReply, now: Instant) -> None:
        reply, to = effect.reply, effect.to
        try:
            payload = encode(reply_to_wire(reply))
        except ValueError:  # no room beside the client's identifier
            self.unsent += 1
            return
        if to is None:
            self._frame(EVERYONE, ALL_HOSTS, payload)
        elif to == reply.giaddr:
            self._unicast(payload, to, SERVER_PORT)
        elif to == reply.address:
            self._frame(reply.chaddr, to, payload)
        else:
            self._unicast(payload, to, CLIENT_PORT)
        address = reply.ciaddr if reply.address == NO_ADDRESS else reply.address
        self._say(now, f"DHCP{reply.type.name}", address, reply.chaddr, reply.lease)

    def _say(
        self,
        now: Instant,
        event: str,
        address: IPv4Address = NO_ADDRESS,
        hardware: bytes = b"",
        lease: int | None = None,
        until: Instant | None = None,
        note: str | None = None,
    ) -> None:
        about = None if address == NO_ADDRESS else str(address)
        withheld = None if until is None else max(until - now, 0) // SECOND
        self._tell(LeaseEvent(now, event, about, hardware.hex(":") or None, lease, withheld, note))

    def _frame(self, hardware: bytes, to: IPv4Address, payload: bytes) -> None:
        said = Datagram(self.server.config.identifier, to, SERVER_PORT, CLIENT_PORT, payload)
        self._put(encode_frame(hardware, self._link.hardware, said))

    def _put(self, frame: bytes) -> None:
        try:
            self._link.send(frame)
        except OSError:
            self.unsent += 1

    def _unicast(self, payload: bytes, to: IPv4Address, port: int) -> None:
        try:
            self._port.send(payload, self.server.config.identifier, to, port)
        except OSError:  # whatever address a message has named, it ends nothing
            self.unsent += 1

    def _check_link(self) -> None:
        """The packet socket does not tell: its one error comes when the link is set down first."""
        try:
            socket.if_indextoname(self._link.index)
        except OSError:
            raise InputError(f"{self._link.name}: the interface is gone") from None

    def _report(self, event: ServerEvent, before: Server, now: Instant) -> None:
        """Tell what is given up, withheld, and given back, which no reply tells."""
        match event:
            case ReceivedRequest(
                BootRequest(MessageType.DECLINE, chaddr=who, requested=IPv4Address() as it)
            ):
                word = "DHCPDECLINE"
            case ReceivedRequest(BootRequest(MessageType.RELEASE, chaddr=who, ciaddr=it)):
                word = "DHCPRELEASE"
            case Heard(Arp(sender=it, sender_hardware=who)):
                word = "in use"
            case Timer() | Reinstate():
                here = {address for address, _ in self.server.known.withheld}
                for address, _ in before.known.withheld:
                    if address not in here:
                        self._say(now, "given back", address)
                return
            case _:
                return
        if self.server is not before and facts(self.server, it) != facts(before, it):
            why = self.server.entry(it).withheld
            self._say(now, word, it, who, until=None if why is None else why.until)


def alike(data: bytes) -> object:
    """Frames of which this is the same are messages of one kind from one client.

    `op` to `hlen`, `ciaddr` to `giaddr`, `chaddr` and the first option, which says the kind: where
    it does not, another message of the client's may be taken for the same, and it sends again.
    """
    if data[TYPE_AT:IP_AT] == ARP_FRAME:
        return data
    at = IP_AT + data[IP_AT] % 16 * 4 + 8 if len(data) > IP_AT else 0
    return data[at : at + 4], data[at + 12 : at + 44], data[at + 240 : at + 243]


def facts(server: Server, address: IPv4Address) -> tuple[bool, Instant | None]:
    """Whether an address is on record, and since when it is withheld."""
    entry = server.entry(address)
    return entry.binding is not None, None if entry.withheld is None else entry.withheld.since


# Before it runs ----------------------------------------------------------------------------------


def check_port(interface: str, port: int) -> None:
    """InputError where another program has the UDP port, even if it would share it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        try:
            alone.bind(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise InputError(
                f"UDP port {port} of {interface} is in use; stop the other DHCP server (ss -ulpn "
                "shows it)"
            ) from None
