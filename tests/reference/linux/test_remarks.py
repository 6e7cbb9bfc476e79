"""What is said besides notices: when, and in which words."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from holdover.reference.core.client_state import Client
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import Lease, Phase, Send
from holdover.reference.core.instants import SECOND
from holdover.reference.linux.kernel.secondaries import neighbours_stay
from holdover.reference.linux.remarks import MOST, Remarks
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import Options

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
CONFIG = ClientConfig(hardware=bytes(6))


class Told:
    """A client's remarks, and who hears them."""

    def __init__(self, config: ClientConfig = CONFIG, *, verbose: bool = False) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        self.warned: list[str] = []
        say = lambda *what: self.said.append(what)  # noqa: E731
        self.remarks = Remarks(config, say, self.warned.append, verbose=verbose)

    def sends(self, kind: MessageType, second: float) -> None:
        request = BootRequest(kind, 1, bytes(6))
        self.remarks.sends(Send(request), int(second * SECOND))

    def passes(self, until: float, client: Client = Client(CONFIG)) -> list[float]:  # noqa: B008
        """The seconds at which it speaks, up to then."""
        at = []
        while (due := self.remarks.tell_at) is not None and due <= until * SECOND:
            self.remarks.silent(client, due - 1)
            assert self.remarks.tell_at == due, "not before"
            self.remarks.silent(client, due)
            at.append(due / SECOND)
        return at


def offer(length: int) -> BootReply:
    return BootReply(MessageType.OFFER, 1, bytes(6), address=LEASED, server=SERVER, lease=length)


def test_an_interface_without_ipv4_has_no_neighbours() -> None:
    with neighbours_stay("no such one", 0, lambda: False):
        pass


def test_that_nobody_answers_is_said_soon_and_then_ever_more_rarely() -> None:
    told = Told()
    told.sends(MessageType.DISCOVER, 0)
    told.sends(MessageType.DISCOVER, 2)
    assert told.passes(100) == [3, 9, 21, 45, 93]
    assert told.said[0][1] == "nobody answers: 2 DHCPDISCOVER sent in 3 s"
    day = told.passes(86400)
    assert day[-1] - day[-2] == MOST / SECOND


@pytest.mark.parametrize("kind", [MessageType.RELEASE, MessageType.DECLINE])
def test_what_wants_no_answer_is_not_waited_for(kind: MessageType) -> None:
    told = Told()
    told.sends(kind, 0)
    assert told.remarks.tell_at is None


def test_an_answer_ends_it_and_it_begins_anew() -> None:
    told = Told()
    told.sends(MessageType.DISCOVER, 0)
    told.remarks.hears(offer(60), holds=False)
    assert told.passes(100) == []
    told.sends(MessageType.REQUEST, 100)
    assert told.passes(104) == [103]
    assert told.said[-1][2] == {"since": 100 * SECOND, "sent": [{"message": "REQUEST", "times": 1}]}


def test_who_holds_a_lease_is_told_how_long() -> None:
    told = Told()
    lease = Lease(LEASED, SERVER, 1, 2, 63 * SECOND, Options())
    told.sends(MessageType.REQUEST, 0)
    told.passes(3, Client(CONFIG, Phase.RENEWING, lease=lease, holds=LEASED))
    assert told.said[0][1].endswith(f"; {LEASED} has 60 s left")


@pytest.mark.parametrize(
    ("length", "word"),
    [(5, "never"), (7, "never"), (8, "not always"), (10, "not always"), (11, "")],
)
def test_a_lease_that_probing_leaves_nothing_of_is_said_once(length: int, word: str) -> None:
    told = Told()
    for _ in range(3):
        told.remarks.hears(offer(length), holds=False)
    assert len(told.warned) == (1 if word else 0)
    assert all(f"leases of {length} s: the address is {word} in use" in one for one in told.warned)


def test_nobody_hears_of_it_who_does_not_probe() -> None:
    for config, holds in ((replace(CONFIG, probes=0), False), (CONFIG, True)):
        told = Told(config)
        told.remarks.hears(offer(3), holds=holds)
        assert told.warned == []


def test_each_message_is_said_where_asked() -> None:
    told = Told(verbose=True)
    told.sends(MessageType.DISCOVER, 0)
    told.remarks.hears(offer(60), holds=False)
    assert [words for _, words, _ in told.said] == [
        "DHCPDISCOVER to everybody",
        f"DHCPOFFER about {LEASED} from {SERVER}",
    ]
