"""The cores stay small enough to be read in an evening, and fast enough to be explored."""

from importlib import resources
from ipaddress import IPv4Address
from time import process_time

import pytest

from holdover.reference.core.client import Client, deadline, step
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import Chance, Event, Phase, Received, Release, Start, Timer
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import MessageType

HARDWARE = bytes((2, 0, 0, 0, 0, 1))
SERVER, ADDRESS = IPv4Address("10.0.0.254"), IPv4Address("10.0.0.1")
CHANCE = Chance(7, 500)
OFFER = BootReply(MessageType.OFFER, 7, HARDWARE, address=ADDRESS, server=SERVER, lease=3600)
ACK = BootReply(MessageType.ACK, 7, HARDWARE, address=ADDRESS, server=SERVER, lease=3600)


@pytest.mark.parametrize(("name", "most"), [("client.py", 690), ("server.py", 510)])
def test_a_core_is_small(name: str, most: int) -> None:
    """All lines count, comments and blank ones too."""
    text = (resources.files("holdover.reference.core") / name).read_text("utf-8")
    assert len(text.splitlines()) <= most


def life(client: Client, now: int) -> tuple[Client, int, int]:
    """From nothing to a lease, renewed, kept without a server until it lapses; events, instant."""
    count = 0

    def feed(event: Event) -> None:
        nonlocal client, count
        client, _ = step(client, event, now, CHANCE)
        count += 1

    feed(Start())
    for answered in (True, False):
        for _ in range(12):
            due = deadline(client)
            assert due is not None
            now = due
            feed(Timer())
            if answered and client.phase is Phase.SELECTING:
                feed(Received(OFFER))
            elif answered and client.exchange is not None and client.exchange.asked is not None:
                feed(Received(ACK))
    feed(Release())
    return client, count, now


def test_fifty_thousand_events_a_second() -> None:
    """Seconds of the processor, and the best of ten, since machines are shared."""
    best = 0.0
    for _ in range(10):
        client, events, now = Client(ClientConfig(hardware=HARDWARE)), 0, 0
        began = process_time()
        for _ in range(100):
            client, count, now = life(client, now)
            events += count
        best = max(best, events / (process_time() - began))
    print(f"{best:,.0f} events a second")
    assert best > 50_000
