"""What is done in advance: all that a lease needs but its effects, and nothing of these."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdover.reference.core.client import Client, step
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Chance,
    Configure,
    Effect,
    Notify,
    Received,
    Send,
    SendArp,
    Start,
    Store,
    Timer,
)
from holdover.reference.core.instants import SECOND
from holdover.reference.linux.executor import Executor
from holdover.reference.linux.kernel import parameters as kernel_parameters
from holdover.reference.linux.rehearsal import LEASED, heard, rehearse
from holdover.reference.linux.storage import lease_file
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import MessageType

BEGUN, CHANCE = 1000 * SECOND, Chance(7, 0)
OFFERED = IPv4Address("10.77.0.50")


class Noting:
    """An executor that notes what it is to rehearse."""

    def __init__(self) -> None:
        self.rehearsed: list[Effect] = []

    def rehearse(self, effect: Effect) -> None:
        self.rehearsed.append(effect)


def begun(**constants: Any) -> Client:
    """A client whose first message is due."""
    config = ClientConfig(hardware=b"\2\0\0\0\0\1", start_least=0, start_most=0, **constants)
    return step(Client(config), Start(None, None), BEGUN, CHANCE)[0]


def offered(client: Client) -> Client:
    """It has asked, and has an offer."""
    client, _ = step(client, Timer(), BEGUN, CHANCE)
    return step(client, Received(replace(heard(client), address=OFFERED)), BEGUN, CHANCE)[0]


def rehearsed(client: Client) -> list[Effect]:
    there = Noting()
    rehearse(client, BEGUN, CHANCE, cast(Executor, there))
    return there.rehearsed


def test_before_the_first_message_it_goes_from_the_offer_to_the_notice() -> None:
    done = rehearsed(begun(probes=0))
    assert [type(effect) for effect in done] == [Send, Store, Configure, SendArp, Notify]
    (stored,) = (effect.lease for effect in done if isinstance(effect, Store))
    assert stored is not None
    assert stored.address == LEASED


def test_with_an_offer_it_is_about_what_is_offered() -> None:
    done = rehearsed(offered(begun(probes=0)))
    assert [type(effect) for effect in done] == [Store, Configure, SendArp, Notify]
    (leased,) = (effect.lease.address for effect in done if isinstance(effect, Configure))
    assert leased == OFFERED


@pytest.mark.parametrize("wait", [0, SECOND])
def test_it_ends_where_an_answer_leads_nowhere_at_once(wait: int) -> None:
    """Behind a probe, or where more offers are waited for."""
    client = begun(offer_wait=wait)
    assert [type(effect) for effect in rehearsed(client)] == ([Send] if wait == 0 else [])
    client, _ = step(client, Timer(), BEGUN, CHANCE)
    useless = replace(heard(client), lease=None)
    assert rehearsed(replace(client, offers=(useless,))) == []


def test_who_has_a_lease_rehearses_nothing() -> None:
    client = offered(begun(probes=0))
    ack: BootReply = replace(client.offers[0], type=MessageType.ACK)
    client, _ = step(client, Received(ack), BEGUN, CHANCE)
    assert client.lease is not None
    assert rehearsed(client) == []


def test_an_executor_rehearses_without_link_disk_and_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has none here; what is offered is computed, and then known."""
    written: list[str] = []
    monkeypatch.setattr(lease_file, "text_for", lambda name, *_: written.append(name))
    there = SimpleNamespace(name="eth0", heartbeat=None)
    link = SimpleNamespace(hardware=b"\2\0\0\0\0\1")
    nobody = cast(Any, None)
    executor = Executor(
        cast(Any, link), cast(Any, there), nobody,
        directory=None, hook=None, journal=nobody, tell=nobody, warn=nobody,
    )  # fmt: skip
    client = offered(begun(probes=0))
    kernel_parameters.parameters.cache_clear()
    rehearse(client, BEGUN, CHANCE, executor)
    assert written == ["eth0"]
    offer = client.offers[0]
    kernel_parameters.parameters(offer.address, offer.options)
    assert kernel_parameters.parameters.cache_info().hits == 1
    assert (executor.held, executor.memory.stored) == (None, None)
