"""Which run of the model is to be played on a link for a client, and whether it can be.

Theory of operation.  `plan_course` asks for the verdict on a client among two of its kind
(`judge`), for a lease that is short enough to wait for.  Where the two can collide, the steps are
those of the shortest run to it.  Where they cannot, they are those of the same client made to stay
(`staying`): what server, network and second host do is what would have been a tenant's undoing.

On a link a datagram is in flight for no time, so it is sent just before the row that takes it
(`send_at_once`).  A plan is followed once without a link (`rehearse`), so that what cannot be
played is refused before anything is built.

What it does not know: runs with more hosts, addresses or datagrams than `Size`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from holdover.model.clients.profile import STANDARD, Environment, Profile
from holdover.model.errors import InputError
from holdover.model.explorer.sequence_chart import SENT_BY_CLIENT, ChartEvent
from holdover.model.explorer.sequence_chart import steps_of as chart_steps
from holdover.model.readings.interpreter import Value
from holdover.model.seconds import show_seconds
from holdover.proofs.result import Progress
from holdover.proofs.verdicts.judge import judge
from holdover.reference.lab.collision.schedule import (
    KERNEL_ROW,
    Plan,
    PlanError,
    PlanFollower,
    Step,
)

SURROUNDINGS = replace(STANDARD, lease=Fraction(10))
"""What every client meets, but for a lease that one can wait for."""

PLAYED = frozenset(
    {
        "discover",
        "select",
        "ask_again",
        "give_up",
        "bind",
        "renew",
        "rebind",
        "extend",
        "obey_nak",
        "disregard_nak",
        "drop_refused",
        "lapse",
        "notify",
        "acknowledge",
        "relinquish",
        "release",
        "reboot",
        "keep_remainder",
        "offer",
        "commit",
        "prolong",
        "reuse",
        "refuse",
        "find_none",
        "stay_silent",
        "free",
        "mute",
        "unmute",
        "freeze",
        "thaw",
        "crash",
        "stop",
        "restart",
        "miss",
        "ignore",
        KERNEL_ROW,
    }
)
"""The rows that can be played: a process that does nothing, or is dead, is one that sends nothing
and removes nothing."""

UNPLAYED = MappingProxyType(
    {
        "use": "hosts that probe",
        "decline": "hosts that probe",
        "withhold": "hosts that probe",
        "reinstate": "hosts that probe",
        "disregard": "hosts that probe",
        "set_aside": "a server that probes",
        "forget": "a server that loses its leases",
        "forge": "a forger",
        "rival_offer": "a second server",
        "rival_ack": "a second server",
        "rival_nak": "a second server",
        "jump": "a server whose clock is set",
        "hear_conflict": "a host that gives way",
        "conflict_ends": "a host that gives way",
        "yield_address": "a host that gives way",
        "settle": "a host that is configured by hand",
        "intrude": "a host that is configured by hand",
        "suspend": "a host that sleeps, and the lab has one kernel for all",
        "resume": "a host that sleeps, and the lab has one kernel for all",
        "wake_expired": "a host that sleeps, and the lab has one kernel for all",
        "set_back": "a wall clock that is stepped",
        "lose": "a datagram that is lost",
        "duplicate": "a datagram that comes twice",
        "cut_short": "a server that shortens",
        "cut_off": "a server that shortens",
    }
)
"""The others, and what it would take."""


def plan_course(profile: Profile, environment: Environment, progress: Progress) -> Plan:
    """The course for a client; InputError where a link cannot play it.

    Without steps where the model has no verdict.  The run of a client that probes ends when the
    server has given its address away: a second host of its kind would find the first, and not use
    it.
    """
    if profile.probes:
        raise InputError(
            f"{profile.name}: its run cannot be played on a link: it needs hosts that "
            "probe, and one of them that does not"
        )
    if environment.server_probes or environment.lease.denominator != 1:
        raise InputError(
            "to play a run on a link, give a lease of whole seconds, and a server that "
            "does not probe"
        )
    found = judge(profile, environment, progress=progress)
    run, stays = found.run, found.outcome == "holds"
    if stays:
        run = judge(staying(profile), environment, progress=progress).run
    try:
        steps = send_at_once(steps_of(run, environment))
        plan = Plan(profile, environment, found.outcome, found.reason, steps, stays)
        rehearse(PlanFollower(plan))
    except PlanError as error:
        raise InputError(f"{profile.name}: its run cannot be played on a link: {error}") from None
    return plan


def staying(profile: Profile) -> Profile:
    """The same client, but that nobody removes its address until a notice is answered (Q151387)."""
    nothing = Fraction(0)
    return replace(
        profile,
        trigger="ACKNOWLEDGE",
        dialog=True,
        retries_for=nothing,
        enforcer="PROCESS",
        kernel_late=nothing,
        margin=nothing,
    )


def steps_of(run: Sequence[ChartEvent], environment: Environment) -> tuple[Step, ...]:
    """The steps of a run that was confirmed in seconds; time passes between them."""
    return tuple(
        Step(event.time, event.label.action, _bound(event, environment))
        for event in chart_steps(run)
    )


def _bound(event: ChartEvent, environment: Environment) -> tuple[Value, ...]:
    """What a row is taken for, in seconds; PlanError where it needs a clock that errs."""
    values: list[Value] = []
    for name, value in zip(event.label.action.given, event.label.binding, strict=True):
        if name.args[0] == "skew" and value:
            raise PlanError("it needs a clock that is fast or slow")
        if name.args[0] == "length" and environment.shortest is not None:
            raise PlanError("it needs leases of several lengths")
        values.append(environment.lease if name.args[0] == "length" else value)
    return tuple(values)


def send_at_once(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The same steps, but that what a client sends is taken at once; PlanError where it cannot be.

    A reply may wait: a host reads it when it wants to.
    """
    found = list(steps)
    for start in reversed(range(len(found))):
        step = found[start]
        later = range(start + 1, len(found))
        taker = next((i for i in later if found[i].slot == step.slot), None)
        if step.action.name not in SENT_BY_CLIENT or taker is None:
            continue
        if found[taker].at != step.at:
            raise PlanError(
                f"it needs a DHCP{SENT_BY_CLIENT[step.action.name]} that is on its way "
                f"for {show_seconds(found[taker].at - step.at)}"
            )
        found.insert(taker - 1, found.pop(start))
    return tuple(found)


def rehearse(course: PlanFollower) -> None:
    """Follow a course without a link; PlanError names what stands in the way."""
    while (step := course.next()) is not None:
        if step.action.name not in PLAYED:
            raise PlanError(f"it needs {UNPLAYED[step.action.name]}")
        course.take(step)
