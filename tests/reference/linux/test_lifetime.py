"""The kernel's lifetime, by when the kernel gets to it; and what is done when that is late.

The kernel is a pretended one here, and so is the clock: a call takes as long as a test says, and
the lifetime begins at its end, as the real one's does behind a lock that another program holds
(tests/net/test_networking_lock.py has the real one).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from holdover.reference.core.events import Configure, Lease, Remove
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.linux.executor import Executor, spared_until
from holdover.reference.linux.kernel import clock
from holdover.reference.linux.kernel.interface import FOREVER, Interface, TooLateError, lifetime
from holdover.reference.linux.kernel.parameters import Parameters
from holdover.reference.linux.kernel.rtnetlink import NEW_ADDRESS
from holdover.reference.wire.options import Options

LEASED, SERVER = IPv4Address("10.77.0.50"), IPv4Address("10.77.0.1")
WANTED = Parameters(IPv4Interface("10.77.0.50/24"), IPv4Address("10.77.0.255"), (), None)
BEGUN: Instant = 1000 * SECOND


@pytest.mark.parametrize(
    ("left", "seconds"),
    [
        (3 * SECOND, 3),
        (3 * SECOND - 1, 2),
        (2 * SECOND + 1, 2),
        (SECOND, 1),
        (SECOND - 1, 0),
        (0, 0),
        (-SECOND, 0),
        (2 * FOREVER * SECOND, FOREVER - 1),
    ],
)
def test_it_is_rounded_down(left: Duration, seconds: int) -> None:
    assert lifetime(BEGUN + left, BEGUN) == seconds
    assert lifetime(None, BEGUN) == FOREVER


@dataclass
class Kernel:
    """Takes so long for each request, and for each beat before it; then at once."""

    calls: list[Duration] = field(default_factory=list)
    beats: list[Duration] = field(default_factory=list)
    now: Instant = BEGUN
    end: Instant | None = None
    asked: int = 0

    def ask_encoded(self, request: bytearray) -> list[Any]:
        (message,) = MarshalRtnl().parse(bytes(request))
        assert message["header"]["type"] == NEW_ADDRESS
        said = [message.get_attr(f"IFA_{name}") for name in ("LOCAL", "ADDRESS", "BROADCAST")]
        assert said == ["10.77.0.50", "10.77.0.50", "10.77.0.255"]
        assert (message["prefixlen"], message["index"]) == (24, 7)
        self.asked += 1
        self.now += self.calls.pop(0) if self.calls else SECOND // 1000
        times = message.get_attr("IFA_CACHEINFO")
        valid = times["ifa_valid"]
        assert times["ifa_preferred"] == valid
        self.end = None if valid == FOREVER else self.now + valid * SECOND
        return []

    def answers(self, within: Duration | None) -> bool:
        length = self.beats.pop(0) if self.beats else SECOND // 1000
        self.now += length if within is None else min(length, max(within, 0))
        return within is None or length <= within


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made


def configure(kernel: Kernel, until: Instant | None) -> None:
    there = Interface.__new__(Interface)
    there.index = 7
    there._new_address = there._any_address()
    there.heartbeat = there._asking = cast(Any, kernel)
    there._have(WANTED, until)


SECONDS = [n * SECOND // 10 for n in (0, 1, 4, 9, 10, 11, 25, 79)]


@pytest.mark.parametrize("call", SECONDS)
@pytest.mark.parametrize("beat", SECONDS)
def test_however_long_the_kernel_takes_it_does_not_end_late(
    kernel: Kernel, beat: Duration, call: Duration
) -> None:
    kernel.beats, kernel.calls, until = [beat], [call], BEGUN + 8 * SECOND
    try:
        configure(kernel, until)
    except TooLateError:
        assert until - kernel.now < SECOND
    else:
        assert kernel.end is not None
        assert until - 2 * SECOND < kernel.end <= until


def test_a_kernel_that_answers_at_once_is_asked_once(kernel: Kernel) -> None:
    configure(kernel, BEGUN + 8 * SECOND + SECOND // 2)
    assert (kernel.asked, kernel.end) == (1, BEGUN + 8 * SECOND + SECOND // 500)


def test_a_kernel_that_answers_late_is_asked_once(kernel: Kernel) -> None:
    kernel.beats = [4 * SECOND]
    configure(kernel, BEGUN + 8 * SECOND + SECOND // 2)
    assert (kernel.asked, kernel.end) == (1, BEGUN + 8 * SECOND + SECOND // 1000)


def test_a_call_that_took_long_is_mended_at_once(kernel: Kernel) -> None:
    kernel.calls = [4 * SECOND]
    configure(kernel, BEGUN + 8 * SECOND)
    assert (kernel.asked, kernel.now - BEGUN < 5 * SECOND) == (2, True)


def test_nothing_is_asked_of_a_kernel_that_answers_too_late(kernel: Kernel) -> None:
    kernel.beats = [20 * SECOND]
    with pytest.raises(TooLateError):
        configure(kernel, BEGUN + 8 * SECOND)
    assert (kernel.asked, kernel.now) == (0, BEGUN + 8 * SECOND)


def test_a_lease_without_end_is_waited_for(kernel: Kernel) -> None:
    kernel.beats, kernel.calls = [900 * SECOND], [900 * SECOND]
    configure(kernel, None)
    assert (kernel.asked, kernel.end) == (1, None)


# The executor ------------------------------------------------------------------------------------


class There:
    """An interface with a kernel that takes requests, or does not, or gets to one too late."""

    name = "eth0"

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, self.done, self.too_late = kernel, list[Any](), False
        self.out: Duration = 0
        self.slow: Duration = 0
        self.back: list[Duration] = []
        self.heartbeat = SimpleNamespace(
            is_missed=lambda now: self.out > 0,
            answers=lambda within: not self.out,
            slowest=lambda now: self.slow,
            came_back=lambda: [self.back.pop() for _ in self.back],
        )

    def configure(self, wanted: Parameters, until: Instant | None) -> list[str]:
        self.done.append(until)
        if self.too_late:
            raise TooLateError
        return []

    def remove(self, address: IPv4Address) -> None:
        self.done.append(address)

    def forget(self) -> None:
        pass


@dataclass
class Set:
    """An executor on it, and what they said."""

    executor: Executor
    there: There
    said: list[str]
    waited: list[Duration]


@pytest.fixture
def one(kernel: Kernel) -> Set:
    there, said, waited = There(kernel), list[str](), list[Duration]()
    journal = SimpleNamespace(
        address=lambda what, address, now: None, note_wait=lambda length, now: waited.append(length)
    )
    nothing, link = cast(Any, None), cast(Any, SimpleNamespace(hardware=bytes(6)))
    executor = Executor(
        link,
        cast(Any, there),
        nothing,
        directory=None,
        hook=None,
        journal=cast(Any, journal),
        tell=nothing,
        warn=said.append,
    )
    return Set(executor, there, said, waited)


def leased(seconds: int) -> Configure:
    """Granted at BEGUN, with a margin of two seconds."""
    end = BEGUN + seconds * SECOND
    t1, t2 = BEGUN + seconds * SECOND // 2, BEGUN + seconds * SECOND * 7 // 8
    return Configure(Lease(LEASED, SERVER, t1, t2, end, Options()), end - 2 * SECOND)


def test_what_came_too_late_is_removed_at_once(one: Set) -> None:
    one.there.too_late = True
    one.executor.carry_out(leased(10))
    assert one.there.done == [leased(10).until, LEASED]
    assert (one.executor.held, one.executor.expired) == (None, LEASED)


def test_an_extension_waits_until_the_kernel_takes_requests_and_nobody_waits_for_it(
    one: Set,
) -> None:
    one.executor.carry_out(leased(10))
    one.there.out = 3 * SECOND
    one.executor.carry_out(leased(20))
    one.executor.carry_out(leased(30))
    for _ in range(2):
        one.executor.catch_up()
    assert one.there.done == [leased(10).until]
    one.there.out, one.there.back = 0, [3 * SECOND]
    for _ in range(2):
        one.executor.catch_up()
    assert one.there.done == [leased(10).until, leased(30).until]
    assert one.waited == [3 * SECOND]
    first, last = one.said
    assert "no address can be set, extended or removed" in first
    assert "free again, after 3.00 s" in last


def test_what_is_to_be_removed_is_not_extended_later(one: Set) -> None:
    one.executor.carry_out(leased(10))
    one.there.out = 3 * SECOND
    one.executor.carry_out(leased(20))
    one.executor.carry_out(Remove(LEASED))
    one.there.out = 0
    one.executor.catch_up()
    assert one.there.done == [leased(10).until, LEASED]


def test_a_new_address_is_not_told_before_it_is_there(one: Set) -> None:
    one.there.out = 3 * SECOND
    one.executor.carry_out(leased(10))
    assert one.there.done == [leased(10).until], "`configure` waits"


def test_an_address_that_was_there_too_long_is_told_of(one: Set, kernel: Kernel) -> None:
    one.executor.carry_out(leased(10))
    kernel.now = BEGUN + 10 * SECOND + SECOND // 20
    one.executor.carry_out(Remove(LEASED))
    assert one.said == []
    kernel.now = BEGUN
    one.executor.carry_out(leased(10))
    kernel.now = BEGUN + 13 * SECOND
    one.executor.carry_out(Remove(LEASED))
    assert [line for line in one.said if "removed 3.00 s after the end of its lease" in line]


def test_a_kernel_that_was_slow_gets_less_time_but_what_a_renewal_needs(one: Set) -> None:
    now, lease = BEGUN, leased(60)
    assert lease.until is not None
    assert lease.lease.renew_at is not None
    assert spared_until(lease, 0, now) == lease.until
    assert spared_until(lease, 5 * SECOND, now) == lease.until - 5 * SECOND
    assert spared_until(lease, 500 * SECOND, now) == lease.until - 14 * SECOND  # 30 s to 58 s
    assert spared_until(lease, 500 * SECOND, now + 38 * SECOND) == lease.until - 10 * SECOND
    assert spared_until(lease, 500 * SECOND, lease.until + 1) == lease.until
    forever = Configure(Lease(LEASED, SERVER, None, None, None, Options()), None)
    assert spared_until(forever, 500 * SECOND, now) is None
    one.there.slow = 5 * SECOND
    one.executor.carry_out(lease)
    assert one.there.done == [lease.until - 5 * SECOND]
