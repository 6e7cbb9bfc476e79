"""How `holdover client` ends, by whatever signal; and its last effects."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdover.model.errors import InputError
from holdover.reference.core.client_state import Client
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Effect,
    Event,
    Lease,
    Notice,
    Notify,
    Phase,
    Remove,
    Start,
    Stop,
    Store,
)
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.process import PATIENCE
from holdover.reference.linux.client import ClientShell, Orders
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.kernel.interface import Link
from holdover.reference.wire.options import Options

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
HOOK = "sh -c 'echo told $reason; ip -o -4 addr show dev eth0'"

# On a link ---------------------------------------------------------------------------------------


def ended(stop: Callable[[Any, Path], None], lease: int) -> Callable[[Any, Path], dict[str, Any]]:
    """A client that has an address, and then ends in that way."""

    def scene(hosts: Any, state: Path) -> dict[str, Any]:
        server = hosts["srv"].holdover(
            *f"server eth0 --pool {LEASED} --lease {lease} --no-probe --json".split()
        )
        server.says("started", PATIENCE)
        before = hosts["cli"].picture()
        client = hosts["cli"].holdover(
            "client", "eth0", "--no-probe", "--json", "--state-dir", state, "--hook", HOOK
        )
        client.says("BOUND", PATIENCE)
        stop(client, state)
        status = client.ended()
        return {
            "status": status,
            "client": client,
            "after": hosts["cli"].picture(),
            "before": before,
            "stored": (state / "eth0.json").exists(),
            "released": server.events("DHCPRELEASE"),
        }

    return scene


SCENES = {
    "SIGTERM": ended(lambda client, _: client.signal(signal.SIGTERM), 120),
    "SIGINT": ended(lambda client, _: client.signal(signal.SIGINT), 120),
    **{
        name: ended(lambda client, _, name=name: client.signal(signal.Signals[name]), 120)  # type: ignore[misc]
        for name in ("SIGHUP", "SIGQUIT", "SIGALRM", "SIGPWR")
    },
    "SIGRTMAX": ended(lambda client, _: client.signal(signal.SIGRTMAX), 120),
}
STATUS = {"SIGTERM": 0} | {
    name: 128 + getattr(signal, name) for name in SCENES if name != "SIGTERM"
}


@pytest.fixture(scope="module")
def scenes(links: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All at once, since they take their time and need little else."""
    place = tmp_path_factory.mktemp("state")
    hosts = {name: links(srv=f"{SERVER}/24", cli=None) for name in SCENES}
    with ThreadPoolExecutor(len(SCENES)) as pool:
        try:
            yield {n: pool.submit(SCENES[n], hosts[n], place / n.replace(" ", "-")) for n in SCENES}
        finally:
            links.end()


@pytest.mark.parametrize("name", SCENES)
def test_however_it_ends_user_and_hook_are_told_when_the_address_is_gone(
    scenes: dict[str, Future[dict[str, Any]]], name: str
) -> None:
    seen = scenes[name].result(2 * PATIENCE)
    assert seen["status"] == STATUS[name]
    assert seen["after"] == seen["before"]
    assert seen["released"] == []
    assert seen["stored"]
    (told,) = seen["client"].events("STOPPED")
    assert told["address"] == str(LEASED)
    heard = [line for line in seen["client"].errors if line.startswith("told ")]
    assert (heard[0], heard[-1]) == ("told BOUND", "told STOP")
    last = seen["client"].errors.index("told STOP")
    assert not any(str(LEASED) in line for line in seen["client"].errors[last:])


# Without one -------------------------------------------------------------------------------------


@dataclass
class Pretended:
    """Hands that note what they are asked for, and fail at some of it."""

    held: IPv4Address | None = None
    stored: Lease | None = None
    fails: tuple[type, ...] = ()
    expired: None = None
    done: list[Effect] = field(default_factory=list)
    heard: list[Event] = field(default_factory=list)
    up: list[bool] = field(default_factory=list)
    link: Any = field(default_factory=SimpleNamespace)

    def __post_init__(self) -> None:
        self.memory = SimpleNamespace(stored=self.stored, retry_at=None)
        self.journal = SimpleNamespace(
            event=lambda event, at: self.heard.append(event), effect=lambda effect, at: None
        )
        self.interface = SimpleNamespace(
            link=lambda: Link(up=True, running=True, mtu=1500, flaps=0), set_up=self.up.append
        )

    def carry_out(self, effect: Effect) -> None:
        if isinstance(effect, self.fails):
            raise InputError("it fails")
        self.done.append(effect)


def lease(seconds: int) -> Lease:
    begin, end = now() - 100 * SECOND, now() + seconds * SECOND
    return Lease(LEASED, SERVER, begin, begin, end, Options())


def leaving(there: Pretended, held: Lease | None = None, orders: Orders | None = None) -> list[Any]:
    """What is done at the end of a client that holds an address, or has not begun."""
    config = ClientConfig(hardware=bytes(6))
    shell = ClientShell(config, cast(Any, there), orders or Orders())
    if held is not None:
        shell.client = Client(config, Phase.BOUND, lease=held, holds=held.address)
        there.held = held.address
    shell._brought_up = True
    shell._leave()
    return there.done


def test_the_notice_follows_the_removal_and_the_lease_stays_stored() -> None:
    there, held = Pretended(), lease(60)
    assert leaving(there, held) == [Remove(LEASED), Notify(Notice.STOPPED, held)]
    assert [type(event) for event in there.heard] == [Stop]
    assert there.up == [False]


def test_what_a_predecessor_left_goes_where_the_core_has_not_begun() -> None:
    there = Pretended(held=LEASED)
    assert leaving(there) == [Remove(LEASED)]
    assert [type(event) for event in there.heard] == [Start, Stop]
    there = Pretended(held=LEASED, stored=lease(60))
    assert leaving(there) == [Remove(LEASED), Notify(Notice.STOPPED, there.stored)]


def test_a_client_that_has_begun_and_holds_nothing_is_not_begun_anew() -> None:
    there = Pretended()
    assert leaving(there) == []
    assert [type(event) for event in there.heard] == [Stop]


@pytest.mark.parametrize("fails", [Store, Remove])
def test_no_effect_is_left_out_because_another_fails(fails: type) -> None:
    there, over = Pretended(fails=(fails,)), lease(-1)
    whole = [Remove(LEASED), Store(None), Notify(Notice.LAPSED, over)]
    assert leaving(there, over) == [each for each in whole if not isinstance(each, fails)]
    assert there.up == [False]


def test_a_dry_run_has_nothing_to_take_away() -> None:
    there = Pretended()
    assert leaving(there, lease(60), Orders(dry=True)) == []
    assert there.up == []
