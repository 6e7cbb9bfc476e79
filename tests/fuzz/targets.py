"""At what it is thrown: frames to the client core and the server core, in process, step by step.

Theory of operation.  A target is a core and what its shell does between a frame and the core
(reference/linux/client.py, server.py), without sockets and files.  It lives through phases as the
packets and its own timers will have it, and is begun anew now and then.  After each packet:

- nothing was raised but WireError by what reads bytes;
- read twice (by `read` and by `decode`), and stepped twice, the same came of it;
- the effects of the client came in their order (`holdover.reference.core.discipline`);
- a lease was taken only from a reply whose options 51, 53 and 54 are as long as they have to be,
  and which says what the lease has: address, server, and no more time (`oracle.py`);
- a server recorded a lease only for a request whose options 50, 53, 54 and 61 are, for the client
  that these name, and all replies can be written and read.

`Violation` says what was wrong.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from random import Random
from typing import Any, TypeVar

from holdover.reference.core import server
from holdover.reference.core.client_state import Client
from holdover.reference.core.config import ClientConfig, ServerConfig
from holdover.reference.core.events import (
    JITTER,
    Chance,
    Configure,
    Phase,
    Received,
    Release,
    Send,
    Start,
    Store,
    Timer,
)
from holdover.reference.core.events import Heard as HeardArp
from holdover.reference.core.instants import SECOND
from holdover.reference.core.server_state import ReceivedRequest, SendReply, StoreBinding
from holdover.reference.wire.arp import Arp, ArpOperation, probe
from holdover.reference.wire.frames import Datagram, Frame, decode_frame, encode_frame
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from,
    reply_to_wire,
    request_from,
    request_to_wire,
)
from holdover.reference.wire.option_layout import TooLargeError
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, WireError
from holdover.reference.wire.packet import ParsedMessage, decode, encode, read
from tests.fuzz import mutate
from tests.fuzz.oracle import Heard
from tests.virtual_host import VirtualHost

OWN, RIVAL = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.2")
POOL = tuple(IPv4Address("10.77.0.50") + number for number in range(16))
MACS = tuple(bytes((2, 0, 0, 0, 0, number)) for number in range(1, 5))
IDENTIFIERS = (None, None, b"\1" + MACS[0], b"\xff\0\0\0\1abc", b"ab")
T = TypeVar("T")

LEASES = (0, 1, 3, 10, 60, 600, 86400, 0xFFFF_FFFE, 0xFFFF_FFFF)

ANEW = 1 / 400
"""How often a target is begun anew."""


class ViolationError(AssertionError):
    """What must not be."""


def check(holds: bool, what: str) -> None:
    """Violation where it does not hold."""
    if not holds:
        raise ViolationError(what)


class Target:
    """What both have: a generator, a clock, counts of what came of the packets, and a digest."""

    def __init__(self, random: Random) -> None:
        self.random, self.now = random, 1000 * SECOND
        self.begun = False
        self.counts: Counter[str] = Counter()
        self.digest = hashlib.sha256()

    def packet(self) -> bytes:
        """The next packet; time passes before it."""
        raise NotImplementedError

    def take(self, data: bytes) -> None:
        """A packet, as the shell takes it."""
        raise NotImplementedError

    def frame(self, data: bytes) -> Frame | None:
        """The frame."""
        found = tried(lambda: decode_frame(data))
        if isinstance(found, WireError):
            self.counts["no frame"] += 1
            check(0 <= found.offset <= len(data), f"an offset outside of the frame: {found}")
            return None
        return found

    def reading(self, data: bytes) -> ParsedMessage | None:
        """The message in a payload, and a second time, by `decode`."""
        found, strict = tried(lambda: read(data)), tried(lambda: decode(data))
        if isinstance(found, WireError):
            self.counts["no message"] += 1
            check(str(found) == str(strict), f"read says {found}, decode {strict}")
            check(0 <= found.offset <= len(data), f"an offset outside of the payload: {found}")
            return None
        if found.dropped:
            self.counts["with an option dropped"] += 1
            check(str(strict) == str(found.dropped[0].error), f"decode says {strict}")
        else:
            check(strict == found.message, f"decode says {strict}, read {found}")
        return found

    def note(self, what: BootReply | BootRequest | Arp, effects: tuple[Any, ...]) -> None:
        """What came of a packet, for whoever compares two runs."""
        word = what.operation if isinstance(what, Arp) else (what.type, what.xid, what.chaddr)
        did = [type(effect).__name__ for effect in effects]
        self.digest.update(f"{word} {self.now} {did}".encode())


def tried(work: Callable[[], T]) -> T | WireError:
    """What came of it, or the WireError."""
    try:
        return work()
    except WireError as error:
        return error


# The client --------------------------------------------------------------------------------------

FITTING = {
    Phase.SELECTING: MessageType.OFFER,
    Phase.REQUESTING: MessageType.ACK,
    Phase.RENEWING: MessageType.ACK,
    Phase.REBINDING: MessageType.ACK,
    Phase.REBOOTING: MessageType.ACK,
}


class ClientTarget(Target):
    """A client; between packets its deadline comes, most of the time."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.config = ClientConfig(hardware=MACS[0], client_id=b"\1" + MACS[0])
        self.host = VirtualHost(self.config)

    def begin(self) -> None:
        """Anew."""
        self.begun, self.host = True, VirtualHost(self.config)
        self.step(self.host.start())

    def chance(self) -> Chance:
        return Chance(self.random.getrandbits(32), self.random.randint(0, JITTER))

    def step(self, event: Any) -> tuple[Any, ...]:
        """The effects of an event, in their order; each request can be written and read."""
        host, before, probed = self.host, self.host.client, self.host.has_sent_probes
        chance = self.chance()
        effects, after = host.step(event, self.now, chance), host.client
        host.client = before
        again = host.step(event, self.now, chance), host.client
        check(again == (effects, after), "two steps differ")
        check(hash(after) == hash(replace(after)), "equal clients differ in their hashes")
        for effect in host.carry_out(effects, probed=probed):
            if isinstance(effect, Send):
                message = request_to_wire(effect.request)
                check(decode(encode(message)) == message, f"{effect} is not what is sent")
        return effects

    def packet(self) -> bytes:
        """The next packet; time passes before it."""
        if self.random.random() < ANEW or not self.begun:
            self.begin()
        self.pass_time()
        if self.random.random() < 0.03:
            about = self.random.choice((*POOL[:3], OWN))
            sender, kind = self.random.choice(MACS), self.random.choice(list(ArpOperation))
            arp = Arp(kind, sender, self.random.choice((about, NO_ADDRESS)), bytes(6), about)
            return encode_frame(b"\xff" * 6, sender, arp)
        reply = reply_to_wire(self.reply())
        ports = (67, 68)
        return mutate.frame(self.random, OWN, ports, mutate.payload(self.random, reply))

    def pass_time(self) -> None:
        """To the next deadline, where it does not wait for a reply that may come."""
        for _ in range(3):
            waits = self.host.client.phase in FITTING and self.random.random() < 0.9
            due = self.host.deadline
            if due is None:  # a lease without end
                self.begin()
            if waits or due is None:
                break
            self.now = max(self.now, due)
            self.step(Timer())
        self.now += self.random.randrange(SECOND)
        if self.random.random() < 0.002:
            self.step(Release())
            self.step(Start())

    def reply(self) -> BootReply:
        """One that is for its exchange, mostly."""
        random, core = self.random, self.host.client
        xid = 7 if core.exchange is None else core.exchange.xid
        fitting = FITTING.get(core.phase, MessageType.ACK)
        kind = fitting if random.random() < 0.9 else random.choice(list(MessageType))
        address = core.lease.address if core.lease is not None else random.choice(POOL[:3])
        holder = (
            core.offers[0].server
            if core.offers
            else None
            if core.lease is None
            else (core.lease.server)
        )
        return BootReply(
            kind,
            xid if random.random() < 0.97 else random.getrandbits(32),
            MACS[0] if random.random() < 0.98 else MACS[1],
            random.choice((None, self.config.client_id, self.config.client_id, b"other")),
            address=address if random.random() < 0.95 else random.choice((*POOL, OWN, NO_ADDRESS)),
            server=(holder or OWN) if random.random() < 0.95 else random.choice((None, RIVAL)),
            lease=random.choice(LEASES),
            t1=random.choice((None, None, 1, 5, 0xFFFF_FFFF)),
            t2=random.choice((None, None, 2, 9)),
            options=mutate.some_options(random),
        )

    def take(self, data: bytes) -> None:
        """A packet, as the shell takes it."""
        frame = self.frame(data)
        if frame is None:
            return
        content = frame.content
        if isinstance(content, Arp):
            self.counts["ARP"] += 1
            self.note(content, self.step(HeardArp(content)))
            return
        if not isinstance(content, Datagram):
            self.counts["other frames"] += 1
            return
        reading = self.reading(content.payload)
        if reading is None:
            return
        reply = tried(lambda: reply_from(reading))
        if isinstance(reply, WireError):
            self.counts["refused"] += 1
            return
        before, effects = self.host.client, self.step(Received(reply))
        self.counts[f"taken in {before.phase.name}"] += 1
        self.note(reply, effects)
        self.judge(before, effects, content.payload)

    def judge(self, before: Client, effects: tuple[Any, ...], payload: bytes) -> None:
        """No lease but from a reply that says it."""
        after = self.host.client
        stored = [each.lease for each in effects if isinstance(each, Configure | Store)]
        taken = [lease for lease in (*stored, after.lease) if lease not in (None, before.lease)]
        heard = Heard(payload)
        for lease in taken:
            assert lease is not None
            self.counts["a lease taken"] += 1
            check(heard.has(53) and heard.values[53] == b"\5", "a lease, and option 53 is no ACK")
            check(heard.has(51), "a lease from a malformed option 51")
            check(heard.has(54), "a lease from a malformed option 54")
            check(heard.sound(61), "a lease from a malformed option 61")
            check(lease.address.packed == payload[16:20], "a lease of another address")
            check(lease.server.packed == heard.values[54], "a lease of another server")
            seconds = int.from_bytes(heard.values[51], "big")
            asked = before.asking.asked
            assert asked is not None
            endless = lease.end is None and seconds == 0xFFFF_FFFF
            check(
                endless or (lease.end is not None and lease.end <= asked + seconds * SECOND),
                "a lease with more time than the reply says",
            )
        if before.lease is not None and after.phase is Phase.INIT and not taken:
            self.counts["a lease given up"] += 1


# The server --------------------------------------------------------------------------------------

TAKEN = frozenset({b"\3", b"\4", b"\7"})
"""DHCPREQUEST, DHCPDECLINE, DHCPRELEASE."""


class ServerTarget(Target):
    """A server with a small pool; one that probes, every second time that it is begun."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.probes = False
        self.begin()

    def begin(self) -> None:
        """Anew."""
        self.probes = not self.probes
        config = ServerConfig(
            identifier=OWN,
            hardware=b"\2" * 6,
            pool=POOL,
            lease=60,
            grace=SECOND,
            probe_wait=SECOND if self.probes else 0,
            decline_time=30 * SECOND,
        )
        self.core = server.Server(config)

    def step(self, event: Any) -> tuple[Any, ...]:
        """The effects of an event; each reply can be written and read, if there is room for it."""
        after, effects = server.step(self.core, event, self.now)
        check((after, effects) == server.step(self.core, event, self.now), "two steps differ")
        self.core = after
        for effect in effects:
            if isinstance(effect, SendReply):
                self.counts[f"DHCP{effect.reply.type.name} sent"] += 1
                message = reply_to_wire(effect.reply)
                try:
                    check(decode(encode(message)) == message, f"{effect} is not what is sent")
                except TooLargeError:
                    self.counts["no room for a reply"] += 1
        return effects

    def packet(self) -> bytes:
        """The next packet; time passes before it."""
        random = self.random
        if random.random() < ANEW:
            self.begin()
        self.now += random.choice((0, 1, SECOND // 10, SECOND, 30 * SECOND))
        due = server.deadline(self.core)
        if due is not None and due <= self.now:
            self.step(Timer())
        if random.random() < 0.03:
            return encode_frame(b"\xff" * 6, MACS[3], probe(MACS[3], random.choice(POOL)))
        request = request_to_wire(self.request())
        return mutate.frame(random, NO_ADDRESS, (68, 67), mutate.payload(random, request))

    def request(self) -> BootRequest:
        """One of those that Table 4 knows, mostly."""
        random = self.random
        who = random.randrange(4)
        kind = random.choice(
            (MessageType.DISCOVER, MessageType.REQUEST, MessageType.REQUEST, *MessageType)
        )
        address, named = random.choice(POOL[:6]), random.random() < 0.5
        renews = not named and random.random() < 0.5
        return BootRequest(
            kind,
            random.getrandbits(32),
            MACS[who],
            random.choice(IDENTIFIERS),
            ciaddr=address if renews or kind is MessageType.RELEASE else NO_ADDRESS,
            giaddr=RIVAL if random.random() < 0.05 else NO_ADDRESS,
            broadcast=random.random() < 0.5,
            requested=None if renews or kind is MessageType.RELEASE else address,
            server=random.choice((OWN, OWN, OWN, RIVAL)) if named else None,
            lease=random.choice((None, *LEASES)),
            options=mutate.some_options(random),
        )

    def take(self, data: bytes) -> None:
        """A packet, as the shell takes it."""
        frame = self.frame(data)
        if frame is None:
            return
        content = frame.content
        if isinstance(content, Arp):
            self.counts["ARP"] += 1
            self.note(content, self.step(HeardArp(content)))
            return
        if not isinstance(content, Datagram):
            self.counts["other frames"] += 1
            return
        reading = self.reading(content.payload)
        if reading is None:
            return
        request = tried(lambda: request_from(reading))
        if isinstance(request, WireError):
            self.counts["refused"] += 1
            return
        self.counts[f"DHCP{request.type.name} taken"] += 1
        effects = self.step(ReceivedRequest(request))
        self.note(request, effects)
        self.judge(effects, content.payload)

    def judge(self, effects: tuple[Any, ...], payload: bytes) -> None:
        """No record changes but by a request that says so, for the client that it names."""
        heard = Heard(payload)
        for effect in effects:
            if not isinstance(effect, StoreBinding):
                continue
            check(heard.whole, "a record for a request part of which is hidden")
            for code in (50, 53, 54, 61):
                check(heard.sound(code), f"a record for a malformed option {code}")
            check(heard.values.get(53) in TAKEN, "a record for no DHCPREQUEST")
            said = (heard.values.get(50), payload[12:16])
            check(effect.address.packed in said, "a record of another address")
            if effect.binding is not None:
                self.counts["a lease recorded"] += 1
                named = heard.values.get(61, payload[28 : 28 + payload[2]])
                key = effect.binding.key
                check(
                    (key.identifier, key.given) == (named, 61 in heard.values),
                    "a record for another client",
                )
