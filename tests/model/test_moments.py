"""Moments chosen by hand: what holds in them, and what may happen next.

Counts and graphs come from the table itself.  What stands here is what RFC 2131, Linux or the
article say of one moment, so that a table or a property that says something else is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from holdover.model.concrete import Slot, State, Value, World
from holdover.model.profile import Profile, load
from holdover.model.properties import ONE_COMMITMENT, WITHIN_LEASE
from holdover.model.table import LEASE_TABLE
from tests.model.conftest import TICK, Build, Say

HERE: Mapping[Slot, Value] = {("now", 0): 10}
TICK_ROW = LEASE_TABLE.action("tick")


def at(world: World, changes: Mapping[Slot, Value]) -> State:
    """The initial state with some values changed, ten ticks later."""
    return world.initial().but({**HERE, **changes})


def bound(host: int, end: int, **changes: Value) -> dict[Slot, Value]:
    """A host is BOUND to the first address until `end`; its T1 and T2 are 2 and 1 before it."""
    values: dict[str, Value] = {
        "phase": "BOUND", "wants": 0, "holds": 0, "renew_at": end - 2, "rebind_at": end - 1,
        "lease_end": end, "kernel_end": end, **changes,
    }  # fmt: skip
    return {(name, host): value for name, value in values.items()}


def time_may_pass(world: World, state: State) -> bool:
    """Whether a tick may pass."""
    return world.enabled(state, TICK_ROW, (1,))


# Within the lease --------------------------------------------------------------------------------

LATE = load("udhcpc")  # the process alone, late
KERNEL = load("networkd")


@pytest.mark.parametrize(
    ("client", "forgiven"),
    [
        (replace(LATE, late=2 * TICK), 2),
        (replace(LATE, late=0 * TICK), 0),
        (replace(KERNEL, late=1 * TICK, kernel_late=3 * TICK, margin=1 * TICK), 2),
        (replace(KERNEL, late=3 * TICK, kernel_late=1 * TICK, margin=0 * TICK), 3),
    ],
)
def test_a_host_is_within_its_lease_up_to_its_declared_error_and_no_longer(
    client: Profile, forgiven: int, build: Build, concrete: Say
) -> None:
    world = concrete(build(client))
    for past, good in ((forgiven, True), (forgiven + 1, False)):
        assert world.holds(WITHIN_LEASE.term, at(world, bound(0, 10 - past))) is good
        gone = at(world, bound(0, 10 - past, holds=None))
        asleep = at(world, bound(0, 10 - past, asleep=True))
        assert world.holds(WITHIN_LEASE.term, gone)
        assert world.holds(WITHIN_LEASE.term, asleep)


@pytest.mark.parametrize(("end", "good"), [(9, True), (10, False), (11, False)])
def test_a_lease_runs_to_its_last_instant(
    end: int, good: bool, build: Build, concrete: Say
) -> None:
    """A server that gives the address to another at the end itself has broken its word."""
    world = concrete(build("rfc2131"))
    before = at(world, {("owner", 0): 0, ("server_end", 0): end})
    after = before.but({("owner", 0): 1, ("server_end", 0): 13})
    assert world.holds(ONE_COMMITMENT.term, before, following=after) is good


@pytest.mark.parametrize(
    ("kind", "client", "address", "good"),
    [("RELEASE", 0, 0, True), ("DECLINE", 0, 0, True), ("REQUEST", 0, 0, False),
     ("RELEASE", 1, 0, False), ("RELEASE", 0, 1, False)],
)  # fmt: skip
def test_only_its_own_client_ends_a_lease(
    kind: str, client: int, address: int, good: bool, build: Build, concrete: Say
) -> None:
    world = concrete(build("rfc2131", addresses=2))
    sent: dict[Slot, Value] = {
        ("kind", 0): kind, ("client", 0): client, ("address", 0): address, ("sent", 0): 10,
    }  # fmt: skip
    before = at(world, {("owner", 0): 0, ("server_end", 0): 12, **sent})
    after = before.but({("owner", 0): None, ("server_end", 0): None, ("kind", 0): "FREE"})
    assert world.holds(ONE_COMMITMENT.term, before, following=after) is good


# While the host sleeps ---------------------------------------------------------------------------


@pytest.mark.parametrize(("clock", "stands"), [("MONOTONIC", True), ("BOOTTIME", False)])
def test_what_stands_still_while_the_host_sleeps(
    clock: str, stands: bool, build: Build, concrete: Say
) -> None:
    """CLOCK_MONOTONIC does, and the kernel's lifetimes do whatever the client's clock."""
    world = concrete(build(replace(KERNEL, clock=clock), "suspends"))
    for asleep in (True, False):
        before = at(world, bound(0, 14, asleep=asleep))
        after = world.step(before, TICK_ROW, (1,))
        moved = {name: after[name, 0] != before[name, 0] for name in
                 ("renew_at", "rebind_at", "lease_end", "kernel_end")}  # fmt: skip
        assert moved == {
            "renew_at": asleep and stands, "rebind_at": asleep and stands,
            "lease_end": asleep and stands, "kernel_end": asleep,
        }  # fmt: skip


def test_a_kernel_removes_nothing_before_the_time_awake_is_over(
    build: Build, concrete: Say
) -> None:
    """A lifetime of four ticks, of which three are slept through, has three left afterwards."""
    world = concrete(build(replace(KERNEL, kernel_late=0 * TICK), "suspends"))
    removes = LEASE_TABLE.action("kernel_removes")
    state = at(world, bound(0, 14, asleep=True))
    for _ in range(3):
        state = world.step(state, TICK_ROW, (1,))
    state = state.but({("asleep", 0): False, ("phase", 0): "INIT"})
    for _ in range(4):
        assert not world.enabled(state, removes, (0,))
        state = world.step(state, TICK_ROW, (1,))
    assert world.enabled(state, removes, (0,))
    assert not time_may_pass(world, state)


def test_who_never_releases_does_not_lapse_on_waking(build: Build, concrete: Say) -> None:
    world = concrete(build(replace(KERNEL, trigger="NEVER", clock="BOOTTIME"), "suspends"))
    state = at(world, bound(0, 9, asleep=True))
    assert not world.enabled(state, LEASE_TABLE.action("wake_expired"), (0,))
    assert world.enabled(state, LEASE_TABLE.action("resume"), (0,))


# What time waits for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "waits"), [(1, True), (0, False)], ids=["a slot is free", "none will be"]
)
def test_a_neighbour_that_is_frozen_excuses_nobody(
    free: int, waits: bool, build: Build, concrete: Say
) -> None:
    """T1 is due while a slot is free, whatever a frozen process keeps in its buffer."""
    world = concrete(build("rfc2131", "freezes", messages=1 + free))
    kept: dict[Slot, Value] = {
        ("process", 1): "FROZEN", ("kind", 0): "ACK", ("client", 0): 1, ("address", 0): 0,
        ("sent", 0): 0, ("lease", 0): 3,
    }  # fmt: skip
    state = at(world, {**bound(0, 12), **kept})
    assert time_may_pass(world, state) is not waits


@pytest.mark.parametrize(("since", "waits"), [(8, True), (9, False)])
def test_a_client_probes_no_longer_than_it_says(
    since: int, waits: bool, build: Build, concrete: Say
) -> None:
    """A tick at most, and a tick late: then it uses the address, or declines it."""
    client = replace(load("dhcpcd"), probe_time=1 * TICK, late=1 * TICK)
    world = concrete(build(client, lease=9))
    probing = bound(0, 19, phase="PROBING", holds=None, probing_since=since)
    state = at(world, probing)
    assert time_may_pass(world, state) is not waits
    uses, declines = (LEASE_TABLE.action(name) for name in ("use", "decline"))
    assert world.enabled(state, uses, (0, 0))
    taken = state.but(bound(1, 30))
    assert world.enabled(taken, declines, (0, 0, 0))
    assert not world.enabled(taken, uses, (0, 0))
    assert time_may_pass(world, taken) is not waits


@pytest.mark.parametrize("row", ["thaw", "resume"])
def test_probing_begins_anew_after_a_pause(row: str, build: Build, concrete: Say) -> None:
    world = concrete(build("dhcpcd", "freezes", "thaws", "suspends"))
    pauses: dict[str, dict[str, Value]] = {
        "thaw": {"process": "FROZEN"},
        "resume": {"asleep": True},
    }
    paused = pauses[row]
    probing = bound(0, 19, phase="PROBING", holds=None, probing_since=2, **paused)
    state = at(world, probing)
    assert time_may_pass(world, state)
    assert world.step(state, LEASE_TABLE.action(row), (0,))["probing_since", 0] == 10
    elsewhere = at(world, bound(0, 19, **paused))
    assert world.step(elsewhere, LEASE_TABLE.action(row), (0,))["probing_since", 0] is None


@pytest.mark.parametrize("row", ["use", "crash", "stop", "lapse"])
def test_who_does_not_probe_has_not_begun_to(row: str, build: Build, concrete: Say) -> None:
    world = concrete(build("dhcpcd", "crashes", "stops"))
    end = 9 if row == "lapse" else 19
    state = at(world, bound(0, end, phase="PROBING", holds=None, probing_since=10))
    binding = (0, 0) if row == "use" else (0,)
    after = world.step(state, LEASE_TABLE.action(row), binding)
    assert after["phase", 0] != "PROBING"
    assert after["probing_since", 0] is None
