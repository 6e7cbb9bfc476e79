"""The order of effects: each rule of it, and that all who hold a client to it hold it to one."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from holdover.reference.core import client as reference_client
from holdover.reference.core.client_state import Client
from holdover.reference.core.discipline import Discipline, OrderError
from holdover.reference.core.events import (
    Chance,
    Configure,
    Effect,
    Lease,
    Notice,
    Notify,
    Phase,
    Release,
    Remove,
    Send,
    Store,
)
from holdover.reference.core.instants import SECOND
from holdover.reference.refinement.defects import all_defects, mutant
from holdover.reference.wire.messages import BootRequest
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import Options
from tests.reference.core.clients import CONFIG, MAC, SERVER, A, B

LEASE = Lease(A, SERVER, 30 * SECOND, 50 * SECOND, 60 * SECOND, Options())
USE = Configure(LEASE, 58 * SECOND)


def send(kind: MessageType) -> Send:
    return Send(BootRequest(kind, 1, MAC, ciaddr=A, server=SERVER), SERVER)


def first_error(
    *effects: Effect,
    held: IPv4Address | None = None,
    stored: Lease | None = None,
    probed: bool = True,
) -> str:
    """The kind of error that the effects come to; empty: they are in order."""
    order = Discipline(held, stored, probed=probed)
    try:
        for effect in effects:
            order.follow(effect)
    except OrderError as early:
        return early.kind
    return ""


@pytest.mark.parametrize(
    ("effects", "world", "kind"),
    [
        ((Store(LEASE), USE, Notify(Notice.BOUND, LEASE)), {}, ""),
        ((USE,), {}, "order"),
        ((Store(LEASE), USE), {"probed": False}, "unprobed"),
        ((Store(LEASE), USE), {"probed": False, "held": A}, ""),
        ((Store(LEASE), USE), {"held": B}, "belief"),
        ((Remove(B),), {"held": A}, "belief"),
        ((Remove(A),), {}, ""),
        ((Remove(A), Store(None), Notify(Notice.LAPSED, LEASE)), {"held": A, "stored": LEASE}, ""),
        ((Notify(Notice.LAPSED, LEASE), Remove(A)), {"held": A}, "released_first"),
        ((Remove(A), send(MessageType.RELEASE)), {"held": A, "stored": LEASE}, "released_first"),
        ((Store(None), send(MessageType.DECLINE)), {"held": A}, "released_first"),
        ((Remove(A), Store(None), send(MessageType.RELEASE)), {"held": A, "stored": LEASE}, ""),
        ((send(MessageType.REQUEST),), {"held": A, "stored": LEASE}, ""),
    ],
)
def test_each_rule(effects: tuple[Effect, ...], world: dict[str, object], kind: str) -> None:
    assert first_error(*effects, **world) == kind  # type: ignore[arg-type]


@pytest.mark.parametrize(("t1", "t2"), [(50, 50), (50, 30), (30, 60)])
def test_a_lease_whose_times_are_out_of_order_is_not_used(t1: int, t2: int) -> None:
    wrong = replace(LEASE, renew_at=t1 * SECOND, rebind_at=t2 * SECOND)
    assert first_error(Store(wrong), Configure(wrong, 58 * SECOND)) == "times"


def release(core: Any) -> str:
    """What `Discipline` says of the core's `Release`, with its address in use."""
    bound = Client(CONFIG, Phase.BOUND, lease=LEASE, holds=A)
    _, effects = core.step(bound, Release(), 10 * SECOND, Chance(7, 0))
    return first_error(*effects, held=A, stored=LEASE)


@pytest.mark.parametrize("name", ["release-before-removal", "release-before-forgetting"])
def test_a_lease_is_given_back_when_nothing_of_it_is_left(name: str) -> None:
    """Explorations, journals and random runs find the same two (`refinement/defects.toml`)."""
    defect = next(each for each in all_defects() if each.name == name)
    assert (release(reference_client), release(mutant(defect))) == ("", "released_first")
