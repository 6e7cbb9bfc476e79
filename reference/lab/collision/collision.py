"""The model's collision on a real kernel: two hosts answer for one address, or they do not.

Theory of operation.  `plan_course` (`plan.py`) gives the steps, in seconds: those of the shortest
collision of a client, or, of a client that does not collide, those that would be the undoing of one
that stays.  There is no Windows for Workgroups to run, so two puppets and our own server play them
on a link (`player.py`), while a recorder writes down what happens there.

The verdict is read off the record alone (`judge_record`): violated where both hosts answer while
the second one has the address; holds where the second one answers, alone, and the first one had it
on a lease before; else unknown.  What a kernel or a server does otherwise than the run is no pass
either.

What it does not know: real clients (`experiment.py`); why a client stays.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from holdover.model.errors import InputError
from holdover.model.seconds import show_seconds
from holdover.proofs.result import Outcome
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.collision.player import play_plan
from holdover.reference.lab.collision.puppet import Puppet
from holdover.reference.lab.collision.schedule import Plan, PlanError
from holdover.reference.lab.record import record
from holdover.reference.lab.record.measure import (
    answerers,
    decode_messages,
    find_overlap,
    spans_of,
    terms_of,
)
from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.process import UnheardError
from holdover.reference.lab.testbed.scene import LEASED, SceneEndedError

FIRST, NEXT = "a", "b"
"""The hosts of a scene: the model's h1 and h2."""

FAILURES = (UnheardError, PlanError, InputError, OSError, ValueError, subprocess.SubprocessError)
"""How it may fail to be played: a program, a file, the kernel, another answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapRecord:
    """What a record says of two hosts and one address.

    `answered`: the hardware addresses that answered for it while the second host had it;
    `duplicate`: for how many seconds both surely had it.
    """

    outcome: Outcome
    reason: str
    answered: tuple[str, ...] = ()
    duplicate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedCollision:
    """A plan, what was seen of it, and where the record is."""

    plan: Plan
    seen: OverlapRecord
    record: Path

    @property
    def as_predicted(self) -> bool | None:
        """Whether the kernel says what the model does; None: one of them is unknown."""
        if "unknown" in (self.seen.outcome, self.plan.outcome):
            return None
        return self.seen.outcome == self.plan.outcome


def play(
    plan: Plan,
    place: Path,
    told: Callable[[str], None],
    *,
    puppet: type[Puppet] = Puppet,
    stop: threading.Event | None = None,
) -> PlayedCollision:
    """Play a plan (`plan_course`) on a link of its own, with its files in `place`.

    InputError where `place` has a record.  Interrupted where `stop` is set meanwhile.  Not in
    several threads at once where they plan as well, for the solver's sake.
    """
    over, where = stop or threading.Event(), place / "record"
    if where.exists():
        raise InputError(f"{where}: there is a record; name another folder")
    if not plan.steps:
        reason = f"the model has no run to play: {plan.reason}"
        return PlayedCollision(
            plan=plan, seen=OverlapRecord(outcome="unknown", reason=reason), record=where
        )
    place.mkdir(exist_ok=True)
    links = Links(place)
    try:
        otherwise = play_plan(plan, links, place, told, puppet, over)
        seen = judge_record(record.read(where), LEASED)
        if otherwise is not None and seen.outcome == "holds":
            seen = replace(seen, outcome="unknown", reason=otherwise)
    except FAILURES as error:
        if over.is_set():
            raise SceneEndedError from error
        seen = OverlapRecord(outcome="unknown", reason=str(error).partition("\n")[0] or repr(error))
    finally:
        links.close()
    return PlayedCollision(plan=plan, seen=seen, record=where)


# The record --------------------------------------------------------------------------------------


def judge_record(seen: record.Record, address: IPv4Address) -> OverlapRecord:
    """The verdict on two hosts and one address, from a record alone."""
    if seen.gap is not None:
        return OverlapRecord(outcome="unknown", reason=f"the record has a gap: {seen.gap}")
    messages = list(decode_messages(seen))
    spans = {host: list(spans_of(seen, host, address)) for host in (FIRST, NEXT)}
    for host in (FIRST, NEXT):
        hardware = seen.hosts[host]
        terms = list(terms_of(seen, messages, hardware))
        if not any(term.address == address for term in terms):
            return OverlapRecord(
                outcome="unknown", reason=f"no DHCPACK of {address} for {colons(hardware)}"
            )
        if not spans[host]:
            return OverlapRecord(
                outcome="unknown", reason=f"{colons(hardware)} never had {address}"
            )
    meanwhile = [(span.begin, span.sure) for span in spans[NEXT]]
    found = answerers(seen, messages, address, meanwhile)
    answered = tuple(colons(each) for each in seen.hosts.values() if each in found)
    both = find_overlap(seen, FIRST, address, spans[FIRST])
    duplicate = sum(end - begin for begin, end in both) / SECOND
    shared_for = show_seconds(duplicate)
    if len(answered) > 1:
        outcome: Outcome = "violated"
        reason = f"{' and '.join(answered)} answered for {address}; both had it for {shared_for}"
    elif duplicate:
        outcome = "unknown"
        reason = f"two hosts had {address} for {shared_for}, and not both were heard to answer"
    elif found == {seen.hosts[NEXT]}:
        outcome, reason = "holds", f"only {answered[0]} answered for {address}"
    else:
        outcome, reason = "unknown", f"nobody who has {address} was heard to answer for it"
    return OverlapRecord(outcome=outcome, reason=reason, answered=answered, duplicate=duplicate)


def colons(hardware: bytes) -> str:
    """A hardware address as people write it."""
    return hardware.hex(":")
