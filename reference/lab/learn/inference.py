"""What the answers of a client say of each field of its profile: the inference of `profile.py`.

Theory of operation.  Two ends of a lease differ if they do by more than SLACK.  A difference that
is neither nothing nor what was looked for is no answer.

Every function here gives a `Inference` for one field.  It raises `NoAnswerError` where a cell could
not be played or contradicts the others: the field is then unknown.  Where nothing can be seen, for
the address never goes or nobody was asked, it is assumed.  Both take the worst value that there is:
a profile says the worst a client does, so that what holds for it holds for the client.

What it does not know: whether all fields together explain what was measured (`profile.py` asks).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Literal

from holdover.model.clients.profile import load
from holdover.model.seconds import show_number, show_offset, show_seconds
from holdover.reference.lab.experiments.faults import BLOCKED, FAULTS
from holdover.reference.lab.learn.experiments import DELAYED_LESS, LONG, SHORT
from holdover.reference.lab.learn.observations import SLACK, Answers, NoAnswerError
from holdover.reference.lab.record.measure import FOREVER

HEEDED = 5.0
"""Seconds in which a DHCPNAK is heeded: a client may lose the first (udhcpc) and heed the next."""

PROBING = load("reference").probe_time
"""RFC 5227 §1.1: PROBE_WAIT 1, two PROBE_MAX of 2, ANNOUNCE_WAIT 2; what is seen is random."""

KERNEL_LATE = load("reference").kernel_late
"""The kernel's lifetimes ran out 0 to 2.1 s late wherever they were measured."""

DATAGRAM = 0.3
"""Seconds that a DHCPACK and the client's setting the address take at most."""

READING = 0.1
"""Seconds by which an end is taken to be too late, for the record has when it was read."""

FIRST = {"server killed", "frozen", "kill -9", "clock set back", "clock set forward", "hook"}
"""The cells that are about the first lease, for they need no renewal: the one after probing."""

UNTOLD = "as the worst: the wire does not tell who removes an address"

How = Literal["measured", "not measured", "unknown"]


@dataclass(frozen=True, slots=True)
class Inference:
    """A field of a profile: its value, how it is known, and on what that stands."""

    key: str
    value: object
    how: How
    why: str


def half(value: float) -> Fraction:
    """Not less, in half seconds, but for what reading adds."""
    return Fraction(ceil(2 * (value - READING)), 2)


def same(one: float, other: float, slack: float = SLACK) -> bool:
    """Whether two ends are one."""
    return one == other or abs(one - other) <= slack


# The instant that a lease is counted from --------------------------------------------------------


def probes(answers: Answers) -> Inference:
    """Whether ARP probes come before the use of an address."""
    count = sum(each.probed is not None for each in answers.played)
    why = f"ARP probes before the use of the address in {count} of {len(answers.played)} cells"
    return Inference("probes", count > 0, "measured", why)


def probe_time(answers: Answers) -> Inference:
    """How long that takes at most."""
    lengths = [each.probed for each in answers.played if each.probed is not None]
    if not lengths:
        return Inference("probe_time", Fraction(0), "measured", "no ARP probe was seen")
    seen = f"{show_number(min(lengths))} to {show_seconds(max(lengths))}, {len(lengths)} times"
    value = max(Fraction(ceil(max(lengths))), PROBING)
    return Inference(
        "probe_time",
        value,
        "measured",
        f"{seen}; it is random, and {PROBING} s at most in RFC 5227 §1.1",
    )


def anchor(answers: Answers) -> Inference:
    """From what a lease is counted; of process and kernel the one that counts from later."""
    worst = "PROBE" if any(each.probed is not None for each in answers.played) else "ACK"
    if (kept := answers.nothing_tells) is not None:
        return Inference("anchor", worst, "not measured", kept)
    delayed = FAULTS["ACK delayed"] if answers.is_measured("ACK delayed") else DELAYED_LESS
    late_by = Fraction(delayed.delays * LONG)
    usual, ended = answers.at_latest("renewed"), answers.at_latest(delayed.name)
    why = f"{answers.describe(delayed.name)}, {answers.describe('renewed')}"
    slack = min(SLACK, float(late_by) / 2)
    from_request = same(ended, usual - float(late_by), slack)
    if from_request == same(ended, usual, slack):
        raise NoAnswerError(
            f"{why}: counted neither from the DHCPREQUEST, {show_seconds(late_by)} before the "
            "DHCPACK, nor from the latter"
        )
    found, _ = answers.answer("server killed")
    if found.probed is not None:
        first = answers.at_latest("server killed")
        probed_for = show_seconds(found.probed)
        why = f"{why}; {answers.describe('server killed')}, having probed for {probed_for}"
        if same(first, usual + found.probed):
            return Inference("anchor", "PROBE", "measured", why)
        if not same(first, usual):
            raise NoAnswerError(f"{why}: counted neither from before probing nor from its end")
    return Inference("anchor", "REQUEST" if from_request else "ACK", "measured", why)


def first_lateness(answers: Answers, fault: str, lease: int = LONG) -> float:
    """By how much a first lease is counted late, for this cell's probing came before; seconds."""
    found, _ = answers.answer(fault, lease)
    if found.probed is None or fault not in FIRST or anchor(answers).value != "PROBE":
        return 0.0
    return found.probed


def past_end(answers: Answers, fault: str, lease: int = LONG) -> float:
    """From the lease end as the client counts it: no difference comes from how long it probed."""
    return answers.over(fault, lease) - first_lateness(answers, fault, lease)


# How long ----------------------------------------------------------------------------------------


def shortest(answers: Answers) -> Inference:
    """The floor: a short lease is held longer past its end than a long one."""
    if (kept := answers.nothing_tells) is not None:
        return Inference("floor", Fraction(LONG), "not measured", kept)
    usual = max(answers.at_latest("renewed"), 0.0)
    probing = first_lateness(answers, "server killed", SHORT)
    short = max(answers.at_latest("server killed", SHORT) - probing, 0.0)
    why = f"{answers.describe('server killed', SHORT)}; {answers.describe('renewed')}"
    if same(short, usual):
        return Inference(
            "floor", Fraction(SHORT), "measured", f"{why}; shorter ones were not tried"
        )
    if usual < short < usual + LONG - SHORT - SLACK:
        return Inference("floor", half(SHORT + short - usual), "measured", why)
    raise NoAnswerError(f"{why}: no floor of at most {LONG} s explains it")


def late(answers: Answers) -> Inference:
    """How late the process is, where it was the one who removed the address."""
    if answers.nothing_tells is not None:
        return Inference("late", Fraction(0), "not measured", "it never releases the address")
    stretched = shortest(answers)
    assert isinstance(stretched.value, Fraction)
    beyond = float(stretched.value) - SHORT
    usual = past_end(answers, "renewed")
    cells = [("server killed", SHORT), ("server killed", LONG), ("renewed", LONG)]
    # Of the others, those that make no difference to this client are as good.
    cells += [
        (fault, LONG)
        for fault in ("ACK delayed", "clock set back", "clock set forward")
        if answers.is_measured(fault) and same(past_end(answers, fault), usual)
    ]
    seen, by_kernel = {}, []
    for fault, lease in cells:
        _, result = answers.answer(fault, lease)
        by_process = answers.from_wire and result.holdover != FOREVER
        if result.enforcer == "process" or by_process:
            shift = first_lateness(answers, fault, lease) + (beyond if lease == SHORT else 0.0)
            seen[answers.describe(fault, lease)] = result.holdover - shift
        else:
            by_kernel.append(answers.describe(fault, lease))
    whole = Fraction(max(1, ceil(max(seen.values(), default=0.0) - 0.01)))
    if by_kernel and answers.from_wire:
        raise NoAnswerError(f"the address goes in some cells, and stays here: {by_kernel[0]}")
    if by_kernel:
        return Inference(
            "late",
            max(whole, KERNEL_LATE),
            "not measured",
            f"the kernel was the first: {'; '.join(by_kernel)}",
        )
    return Inference("late", whole, "measured", f"{'; '.join(seen)}; a second is allowed for")


# Who removes it ----------------------------------------------------------------------------------


def enforcer(answers: Answers) -> Inference:
    """Whether the address goes when no process of the client can remove it."""
    if answers.from_wire:
        return Inference("enforcer", "PROCESS", "not measured", UNTOLD)
    ends = [answers.answer(fault)[1].holdover for fault in ("frozen", "kill -9")]
    why = f"frozen: {show_offset(ends[0])}, kill -9: {show_offset(ends[1])}"
    if (ends[0] == FOREVER) != (ends[1] == FOREVER):
        raise NoAnswerError(f"{why}: the address stays in only one of them")
    return Inference("enforcer", "PROCESS" if ends[0] == FOREVER else "KERNEL", "measured", why)


def lifetimes(answers: Answers) -> list[float]:
    """When the kernel was to remove the address, from the end as the client counts it."""
    found = []
    for fault in ("renewed", "server killed", "frozen", "kill -9"):
        answer, _ = answers.answer(fault)
        if answer.lifetime is None:
            raise NoAnswerError(f"{fault}: no lifetime was seen")
        found.append(answer.lifetime - first_lateness(answers, fault))
    return found


def no_lifetime(answers: Answers, key: str) -> Inference:
    """What is said of the kernel's lifetime where there is none, or it is not known."""
    if answers.from_wire:
        return Inference(key, Fraction(0), "not measured", "as enforcer is")
    return Inference(key, Fraction(0), "measured", "the kernel has no lifetime to end")


def kernel_late(answers: Answers) -> Inference:
    """How long after its lease end the kernel may remove the address."""
    if enforcer(answers).value == "PROCESS":
        return no_lifetime(answers, "kernel_late")
    last = max(lifetimes(answers))
    more = half(last) if last > DATAGRAM else Fraction(0)
    return Inference(
        "kernel_late",
        KERNEL_LATE + more,
        "not measured",
        f"its lifetimes end {show_offset(last)} at most, and run out 0 to 2.1 s late elsewhere",
    )


def margin(answers: Answers) -> Inference:
    """How early the kernel's lifetime is set; whole seconds of it may be chance."""
    if enforcer(answers).value == "PROCESS":
        return no_lifetime(answers, "margin")
    last = max(lifetimes(answers))
    return Inference(
        "margin",
        Fraction(max(floor(2 * (READING - last)), 0), 2),
        "measured",
        f"the kernel's lifetime ends {show_offset(last)} at most",
    )


def clock(answers: Answers) -> Inference:
    """Whether a step of the wall clock moves the end; monotonic or boottime, no suspend tells."""
    if answers.from_wire:
        why = "as the worst: nobody can set the clock of a device from its cable"
        return Inference("clock", "WALL", "not measured", why)
    if (kept := answers.nothing_tells) is not None:
        return Inference("clock", "WALL", "not measured", kept)
    usual = past_end(answers, "server killed")
    forward, back = (past_end(answers, f"clock set {way}") for way in ("forward", "back"))
    steps = f"back: {show_offset(back)}, forward: {show_offset(forward)}"
    why = f"clock set {steps}, else {show_offset(usual)}"
    if back > usual + SLACK or forward < usual - SLACK:
        return Inference("clock", "WALL", "measured", why)
    if not same(forward, usual) or not same(back, usual):
        raise NoAnswerError(f"{why}: no clock explains it")
    return Inference(
        "clock",
        "MONOTONIC",
        "measured",
        f"{why}; whether it stands still in suspend was not measured",
    )


# What ends a lease -------------------------------------------------------------------------------


def trigger(answers: Answers) -> Inference:
    """Whether the address waits for a hook; or never goes."""
    if answers.nothing_tells is not None and enforcer(answers).value == "PROCESS":
        return Inference("trigger", "NEVER", "measured", answers.describe("server killed"))
    if not answers.has_cell("hook"):
        why = "how this client is given a hook is not known"
        if answers.from_wire:
            why = "as the worst: the wire does not tell whether it waits for a hook"
        return Inference("trigger", "ACKNOWLEDGE", "not measured", why)
    _, plain = answers.answer("NAK unicast")
    _, blocked = answers.answer("NAK with hook")
    usual, hook = past_end(answers, "server killed"), past_end(answers, "hook")
    why = f"hook: {show_offset(hook)}, else {show_offset(usual)}"
    if enforcer(answers).value == "PROCESS":
        if same(hook, usual + BLOCKED) or same(hook, usual):
            waits = not same(hook, usual)
            return Inference("trigger", "ACKNOWLEDGE" if waits else "LAPSE", "measured", why)
        raise NoAnswerError(f"{why}: held neither as long as the hook blocks nor as without one")
    # The kernel ends the lease in time whatever the hook does: only a DHCPNAK before it tells.
    if plain.after_nak is None or blocked.after_nak is None or plain.after_nak > HEEDED:
        raise NoAnswerError("the kernel removes it, and no DHCPNAK was heeded before")
    why = f"{why}; DHCPNAK: {show_offset(plain.after_nak)}"
    why = f"{why}, with hook {show_offset(blocked.after_nak)}"
    waits = not same(blocked.after_nak, plain.after_nak)
    return Inference("trigger", "ACKNOWLEDGE" if waits else "LAPSE", "measured", why)


REFUSED = ("NAK", "NAK unicast")
"""The cells in which a renewal is refused."""


def stays_refused(answers: Answers) -> dict[str, float]:
    """How long an address stays after each DHCPNAK; NoAnswerError where none came."""
    stays = {}
    for fault in REFUSED:
        _, result = answers.answer(fault)
        if result.after_nak is None:
            raise NoAnswerError(f"{fault}: no DHCPNAK came while the address was held")
        stays[fault] = result.after_nak
    return stays


def waits_refused(answers: Answers) -> float | None:
    """How long who counts a refused lease no further keeps its address; None: nobody does so here.

    It is seen where the address goes later than without any answer, and does go.
    """
    stays = stays_refused(answers)
    if min(stays.values()) <= HEEDED or FOREVER in stays.values():
        return None
    unanswered = answers.over("server killed")
    outlasts = all(answers.over(fault) > unanswered + SLACK for fault in REFUSED)
    return max(stays.values()) if outlasts else None


def after_nak(answers: Answers) -> Inference:
    """What becomes of the address when a DHCPNAK ends the lease."""
    if (longest := waits_refused(answers)) is None:
        why = "the lease goes on, or the address goes at once"
        return Inference("after_nak", "REMOVE", "measured", why)
    why = f"it stays up to {show_seconds(longest)}, longer than a lease that nobody prolongs"
    return Inference("after_nak", "WAIT", "measured", why)


def nak_late(answers: Answers) -> Inference:
    """How long it stays then."""
    longest = waits_refused(answers)
    why = "as after_nak is" if longest is None else f"up to {show_seconds(longest)}"
    return Inference("nak_late", half(longest or 0), "measured", why)


def heeds_nak(answers: Answers) -> Inference:
    """Which DHCPNAK ends a lease."""
    stays = stays_refused(answers)
    said = [f"{fault}: {show_seconds(stay, sign=True)} after it" for fault, stay in stays.items()]
    heeded = [stay <= HEEDED for stay in stays.values()]
    if waits_refused(answers) is not None:
        said.append("its end is not that of a lease")
        heeded = [True, True]
    if heeded == [True, False]:
        raise NoAnswerError(
            f"{'; '.join(said)}: a profile has no word for who heeds the first only"
        )
    value = "ALWAYS" if all(heeded) else "UNICAST" if heeded[1] else "NEVER"
    return Inference("heeds_nak", value, "measured", "; ".join(said))


def checks_xid(answers: Answers) -> Inference:
    """Whether a DHCPACK of another exchange is discarded."""
    if (kept := answers.nothing_tells) is not None:
        return Inference("checks_xid", False, "not measured", kept)
    usual, foreign = answers.over("renewed"), answers.over("foreign xid")
    why = f"{answers.describe('foreign xid')}, counted from such a DHCPACK"
    # What is granted by it would end a renewal's time later than what is not.
    if foreign < usual - LONG / 4:
        return Inference("checks_xid", True, "measured", why)
    if same(foreign, usual):
        return Inference("checks_xid", False, "measured", why)
    raise NoAnswerError(f"{why}: neither taken nor discarded")
