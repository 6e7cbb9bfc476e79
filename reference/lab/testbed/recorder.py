"""A program of its own: writes down what happens on a link, as it happens.

Theory of operation.  A process of its own in the namespace of a link's switch.  One packet socket
hears every port; a frame is taken where it comes in, and not where it goes out or at the bridge
itself, so that it is there once.  The kernel stamps it with the wall clock; that is carried over to
CLOCK_BOOTTIME by the difference of the two at this moment.

Of each host's addresses (`address_monitor.py`) it hears what the kernel says, and looks for itself,
LOOKS times a second.  The kernel's word has no time of its own and is as old as its reading; the
looks say how old that may be at most.  Both are written where something has changed, with the
instant up to which the former was known to be true.

Whether the kernel takes requests about its network it is asked BEATS times a second
(`heartbeat.py`).  Where it kept one waiting, that is written down: nobody could change an address
meanwhile, the kernel neither.

While two hosts have one address it is asked for by ARP, in the name of `asker`, so that whoever
answers for it is on record.  Where it is told to (`question`), it asks for one address all the
time, in the names that `record/wire_view.py` has, at each look: so the record tells of a host that
nobody can look into.  It says then which hardware answers, and which is silent.

On standard output it says, a JSON object a line, what the one who plays a scene waits for: messages
of DHCP, addresses that come and go.  At SIGTERM it takes what is left in its sockets, says what
the kernel has dropped, and ends; when nobody reads its lines any more, at once.

What it does not know: who the hosts are, leases, and frames that no port of the switch let in.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from itertools import cycle
from pathlib import Path
from typing import Any

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.record import (
    FRAMES,
    LINK,
    VERSION,
    addresses_as_json,
    pcap_frame,
    pcap_head,
)
from holdover.reference.lab.record.wire_view import ASKERS, SPACING, uses
from holdover.reference.lab.testbed.address_monitor import MOST_BYTES, NEW_ADDRESS, Watched
from holdover.reference.lab.testbed.networking_lock import ask_for_lock
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.kernel.heartbeat import Heartbeat
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import EVERYONE, decode_frame, encode_frame
from holdover.reference.wire.messages import BootReply, BootRequest, message_in
from holdover.reference.wire.option_values import WireError

LOOKS, BEATS = SECOND // SPACING, 5
"""Times a second."""

KEPT = SECOND // 10
"""Nanoseconds: a request that the kernel keeps for longer is written down."""

ASKS = SECOND // 2
"""Nanoseconds between two questions for an address that two hosts have."""

LAST_ANSWERS = SECOND * 3 // 10
"""How long the answers to the last questions are waited for."""

SILENT = 2 * SECOND
"""Who has said nothing from the address for so long is silent."""

NEAR, ODD, TRIES = 20_000, 1 << 62, 5
"""Nanoseconds between two looks at one clock that are near, and far; how often they are tried."""

STEPPED = SECOND // 100
"""By so much the wall clock moves against the other only if somebody sets it."""

NOTHING = "-"
"""In the place of an address that is asked for all the time: none is."""

BRIDGE = "br0"
ALL_TYPES, OUTGOING, STATISTICS, STAMPS = 0x0003, 4, 6, 35
"""ETH_P_ALL; PACKET_OUTGOING, PACKET_STATISTICS; SO_TIMESTAMPNS and what it brings."""

SOL_PACKET = 263
ROOM = 1 << 22
"""Bytes that wait for this process at most."""


# The recorder ------------------------------------------------------------------------------------


class Recorder:
    """Writes a record into `place`; `spaces`: the namespace of each host by its name."""

    def __init__(
        self,
        place: Path,
        asker: IPv4Address,
        spaces: dict[str, str],
        question: IPv4Address | None = None,
    ) -> None:
        self.over = False
        self._asker, self._question = asker, question
        self._askers = cycle(ASKERS)
        self._answers: dict[bytes, Instant] = {}
        self._silent: set[bytes] = set()
        self._asked: dict[IPv4Address, Instant] = {}
        self._hosts = [Watched(name, space) for name, space in spaces.items()]
        self._bridge = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._bridge.bind((BRIDGE, 0))
        self._link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_TYPES))
        self._link.setblocking(False)
        self._link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        self._link.setsockopt(socket.SOL_SOCKET, STAMPS, 1)
        self._apart = apart()
        self._dated_by = -self._apart
        self._lines = (place / LINK).open("w", buffering=1, encoding="utf-8")
        self._frames = (place / FRAMES).open("wb", buffering=0)
        self._frames.write(pcap_head())
        self._kernel = Heartbeat(partial(ask_for_lock, BRIDGE), KEPT)
        hardware = {host.name: host.hardware.hex() for host in self._hosts}
        at = now()
        self._write("head", at=at, version=VERSION, wall=at + self._dated_by, hosts=hardware)

    def run(self) -> None:
        """Until it is over."""
        self._look()
        say("recording")
        sockets = [self._link, *(host.hearing for host in self._hosts)]
        next_look = next_beat = now()
        while not self.over:
            left = max(next_look - now(), 0) / SECOND
            if any(select.select(sockets, (), (), left)):
                self._hear()
                self._take()
            if now() >= next_look:
                next_look = now() + SECOND // LOOKS
                self._question_all()
                self._look()
                self._ask()
            if now() >= next_beat:
                self._beat()
                next_beat = now() + SECOND // BEATS
        self._wait_for_answers()
        self._look()
        self._hear()
        self._take()
        self._beat()
        if self._kernel.is_missed(now()):
            self._write("kept", since=now() - self._kernel.out(now()))
        _, dropped = struct.unpack("=2I", self._link.getsockopt(SOL_PACKET, STATISTICS, 8))
        if dropped:
            self._write("lost", what=f"{dropped} frames were dropped")
        self._write("end")

    def _wait_for_answers(self) -> None:
        """What was asked just before the end may still be answered."""
        end = now() + (LAST_ANSWERS if self._question is not None else 0)
        while (left := end - now()) > 0:
            select.select((self._link,), (), (), left / SECOND)
            self._take()

    # Addresses -----------------------------------------------------------------------------------

    def _look(self) -> None:
        for host in self._hosts:
            asked = now()
            found = host.look()
            if found != host.told:
                host.told = found
                said = addresses_as_json(found)
                self._write("look", since=host.since, host=host.name, addresses=said)
                self._holds(host, set(found))
            host.since = asked

    def _hear(self) -> None:
        for host in self._hosts:
            try:
                for kind, _, address, valid in host.hear():
                    there = kind == NEW_ADDRESS
                    self._write(
                        "change",
                        since=host.since,
                        host=host.name,
                        address=str(address),
                        there=there,
                        valid=valid if there else None,
                    )
                    self._holds(host, host.held | {address} if there else host.held - {address})
            except OSError as error:  # ENOBUFS
                self._write("lost", what=f"addresses of {host.name}: {error.strerror}")

    def _holds(self, host: Watched, held: set[IPv4Interface]) -> None:
        for event, which in (("held", held - host.held), ("gone", host.held - held)):
            for address in which:
                say(event, host=host.name, address=str(address.ip))
        host.held = held

    def _ask(self) -> None:
        """For each address that two hosts have, who has it."""
        held = [each.ip for host in self._hosts for each in host.held]
        for address in {each for each in held if held.count(each) > 1}:
            at = now()
            if at - self._asked.get(address, 0) < ASKS:
                continue
            self._asked[address] = at
            self._send_question(self._asker, address)

    def _question_all(self) -> None:
        """Ask for the address in question, and say who has become silent."""
        if self._question is None:
            return
        self._send_question(next(self._askers), self._question)
        for hardware, last in self._answers.items():
            if hardware not in self._silent and now() - last > SILENT:
                self._silent.add(hardware)
                say("silent", hardware=hardware.hex(), address=str(self._question))

    def _send_question(self, asker: IPv4Address, address: IPv4Address) -> None:
        """Ask who has an address; on record with the instant before it left."""
        hardware = self._bridge.getsockname()[-1]
        asks = Arp(ArpOperation.REQUEST, hardware, asker, bytes(6), address)
        frame = encode_frame(EVERYONE, hardware, asks)
        self._keep(now(), frame)
        with suppress(OSError):
            self._bridge.send(frame)

    def _note_sign(self, at: Instant, data: bytes) -> None:
        """Whether somebody has the address in question, as a frame shows."""
        if self._question is None:
            return
        with suppress(WireError):
            frame = decode_frame(data)
            if not uses(frame, frame.source, self._question):
                return
            hardware = frame.source
            if hardware in self._silent or hardware not in self._answers:
                say("answers", hardware=hardware.hex(), address=str(self._question))
            self._silent.discard(hardware)
            self._answers[hardware] = at

    def _beat(self) -> None:
        for length in self._kernel.came_back():
            self._write("kept", since=now() - length)
        self._kernel.beat()

    # Frames --------------------------------------------------------------------------------------

    def _take(self) -> None:
        while True:
            try:
                data, about, _, (port, _, way, *_) = self._link.recvmsg(MOST_BYTES, 64)
            except BlockingIOError:
                return
            if way == OUTGOING or port in (BRIDGE, "lo"):
                continue
            at = self._instant(about)
            self._keep(at, data)
            self._note_sign(at, data)
            tell(at, data)

    def _instant(self, about: Sequence[tuple[int, int, bytes]]) -> Instant:
        """When the kernel had the frame; when it was read, where the wall clock was set between."""
        here, before = now(), self._apart
        self._apart = apart()
        stamps = [
            data for level, kind, data in about if (level, kind) == (socket.SOL_SOCKET, STAMPS)
        ]
        if not stamps or abs(self._apart - before) > STEPPED:
            return here
        seconds, nanoseconds = struct.unpack("=2q", stamps[0][:16])
        return min(int(seconds * SECOND + nanoseconds + self._apart), here)

    def _keep(self, at: Instant, data: bytes) -> None:
        """A frame on record, with its date: by the wall clock as it was at the beginning."""
        self._frames.write(pcap_frame(at + self._dated_by, data))

    # Lines ---------------------------------------------------------------------------------------

    def _write(self, kind: str, **said: Any) -> None:
        self._lines.write(json.dumps({"kind": kind, "at": now()} | said) + "\n")


def apart() -> int:
    """CLOCK_BOOTTIME less the wall clock, in nanoseconds; read again where something came between.

    Else a frame would be stamped earlier than it was there, by as long as this process waited.
    """
    least, found = ODD, 0
    for _ in range(TRIES):
        before, wall, after = now(), time.time_ns(), now()
        if after - before < least:
            least, found = after - before, (before + after) // 2 - wall
        if least < NEAR:
            break
    return found


def tell(at: Instant, data: bytes) -> None:
    """A line for a message of DHCP; `address` and `lease` as a server's assigns them."""
    with suppress(WireError):
        match message_in(decode_frame(data).content):
            case BootReply(type=kind, chaddr=hardware, address=address, lease=lease):
                say(
                    f"DHCP{kind.name}",
                    when=at,
                    hardware=hardware.hex(),
                    address=str(address),
                    lease=lease,
                )
            case BootRequest(type=kind, chaddr=hardware):
                say(f"DHCP{kind.name}", when=at, hardware=hardware.hex())


def say(event: str, **said: Any) -> None:
    """A line on standard output."""
    sys.stdout.write(json.dumps({"event": event, **said}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Record into a directory: PLACE ASKER QUESTION HOST=NAMESPACE ...

    QUESTION: the address that is asked for all the time, or "-".
    """
    place, asker, asked, *hosts = sys.argv[1:]
    recorder = Recorder(
        Path(place),
        IPv4Address(asker),
        dict(each.split("=") for each in hosts),
        None if asked == NOTHING else IPv4Address(asked),
    )

    def end(number: int, frame: object) -> None:
        recorder.over = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who has started it ends it
    with suppress(BrokenPipeError):
        recorder.run()


if __name__ == "__main__":
    main()
