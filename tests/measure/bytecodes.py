"""`python -m tests.measure.bytecodes`: how much Python runs between a DHCPOFFER and the address.

Theory of operation.  An exchange of `known_answers.py` is taken part by part, as a client takes it
whose server has answered; of each part the bytecodes are counted that Python executes (a trace
function that is called for each), and the calls of functions written in Python.  Beside them stand
those of the bare program (`bare.py`), where it has such a part.  Before it is counted, each part
has been run once, so that what is kept is kept.  The numbers are the same in each run.

What it does not know: how long anything takes; sockets, the kernel and the disk; what a function
written in C does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from holdover.reference.core.client import Client, step
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import Received, Send, Store, Timer
from holdover.reference.linux import known_answers as known
from holdover.reference.linux.storage.lease_file import text_for
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    decode_frame,
    encode_frame,
)
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from,
    reply_to_wire,
    request_to_wire,
)
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import ROUTERS, Options
from holdover.reference.wire.packet import encode, read
from tests.measure import bare

HARDWARE = bytes(5) + b"\1"
CONFIG = ClientConfig(hardware=HARDWARE, client_id=b"\xff" + bytes(13) + b"\1", probes=0)
OPTIONS = Options([*known.USUAL, ROUTERS((known.SERVER,))])

Part = Callable[[], Any]


def counted(part: Part) -> tuple[int, int]:
    """The bytecodes that it executes, and the functions in Python that it calls."""
    found = {"opcode": 0, "call": 0}

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event in found:
            found[event] += 1
        return trace

    part()
    sys.settrace(trace)
    try:
        part()
    finally:
        sys.settrace(None)
    return found["opcode"], found["call"]


def answer(kind: MessageType, asked: BootRequest) -> bytes:
    """A server's frame."""
    reply = BootReply(
        kind,
        asked.xid,
        asked.chaddr,
        asked.client_id,
        address=known.ADDRESS,
        server=known.SERVER,
        lease=600,
        t1=300,
        t2=525,
        options=OPTIONS,
    )
    payload = encode(reply_to_wire(reply))
    said = Datagram(known.SERVER, known.ADDRESS, SERVER_PORT, CLIENT_PORT, payload)
    return encode_frame(HARDWARE, known.SERVER_HARDWARE, said)


def wanted(client: Client) -> BootRequest:
    """What the client asks for when it is told of time."""
    _, (send,) = step(client, Timer(), known.ASKED, known.CHANCE)
    assert isinstance(send, Send)
    return send.request


def written(request: BootRequest) -> bytes:
    """Its frame."""
    payload = encode(request_to_wire(request))
    said = Datagram(NO_ADDRESS, ALL_HOSTS, CLIENT_PORT, SERVER_PORT, payload)
    return encode_frame(EVERYONE, HARDWARE, said)


def parts() -> dict[str, tuple[Part, Part | None]]:
    """Of each part what the client does, and the bare program, where it has such a part."""
    client, _ = step(Client(CONFIG, due=known.ASKED), Timer(), known.ASKED, known.CHANCE)
    frame = answer(MessageType.OFFER, wanted(Client(CONFIG, due=known.ASKED)))
    content = decode_frame(frame).content
    assert isinstance(content, Datagram)
    offer = Received(reply_from(read(content.payload)))
    requesting, (send,) = step(client, offer, known.ASKED, known.CHANCE)
    assert isinstance(send, Send)
    acknowledged = decode_frame(answer(MessageType.ACK, send.request)).content
    assert isinstance(acknowledged, Datagram)
    ack = Received(reply_from(read(acknowledged.payload)))
    _, (store, *_) = step(requesting, ack, known.ASKED, known.CHANCE)
    assert isinstance(store, Store)
    lease = store.lease
    assert lease is not None
    asks = bytes(12) + bare.ASKS_FOR
    return {
        "a frame decoded": (lambda: decode_frame(frame), None),
        "a message read": (
            lambda: reply_from(read(content.payload)),
            lambda: bare.options_of(frame),
        ),
        "the core decides: DHCPOFFER": (
            lambda: step(client, offer, known.ASKED, known.CHANCE),
            None,
        ),
        "DHCPREQUEST written": (
            lambda: written(send.request),
            lambda: bare.frame(HARDWARE, bytes(4), asks),
        ),
        "the core decides: DHCPACK": (
            lambda: step(requesting, ack, known.ASKED, known.CHANCE),
            None,
        ),
        "the lease as text": (lambda: text_for("eth0", HARDWARE, lease), None),
    }


TWICE = ("a frame decoded", "a message read")
"""In an exchange."""


def table() -> str:
    """As Markdown."""
    lines = ["| part | bytecodes | calls | bare, bytecodes |", "| --- | --- | --- | --- |"]
    found = {
        name: (*counted(ours), None if theirs is None else counted(theirs)[0])
        for name, (ours, theirs) in parts().items()
    }
    for name, (codes, calls, least) in found.items():
        lines.append(f"| {name} | {codes} | {calls} | {'' if least is None else least} |")
    times = {name: 2 if name in TWICE else 1 for name in found}
    codes = sum(times[name] * found[name][0] for name in found)
    calls = sum(times[name] * found[name][1] for name in found)
    least = sum(times[name] * (found[name][2] or 0) for name in found)
    lines.append(f"| **in an exchange** (the first two twice) | {codes} | {calls} | {least} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
