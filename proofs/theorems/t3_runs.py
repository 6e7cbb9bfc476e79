"""The runs of T3: each way to hold an address back, and how the server comes to reuse it meanwhile.

A `Way` is what the client is like and which faults happen; its run is written down once, and its
times are terms.  Where renewals may shorten a lease there is a run for each way to miss the ACK
that does so, and for each term of the bound where none is missed.

What it does not know: whether a run exists, and what follows from it (`t3_grace.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from holdover.model.clients.profile import Environment, Profile
from holdover.model.table.bound import ZERO, outstay, overhang, while_under_way, worst_holdover
from holdover.model.table.client import fastest, honoured, slowest
from holdover.model.table.expr import DURATION, RATIO, TRUE, Expr, ite, lift
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import (
    CONSTANTS,
    acknowledge_within,
    after_t1,
    after_t2,
    asks_for,
    delay,
    full,
    g,
    h,
    late,
    lease_end,
    least,
    margin,
    now,
    probe_time,
    rebind_at,
    renew_at,
    retries_for,
    step,
    trigger,
)
from holdover.proofs.logic.formula import Formula
from holdover.proofs.logic.invariants import limit
from holdover.proofs.logic.unrolled import SymbolicRun, Unrolled, sizes_of

WORST = worst_holdover(h)


# Terms of which runs have many in common: each is written once, and so it is read once -----------

DELAYED, NOT_DELAYED = delay > ZERO, delay == ZERO
ASKS_FOR_LONGER = delay <= asks_for[h]
HEARD_IN_TIME = delay <= honoured(h, full)
HEARD_AFTER_T1 = slowest(honoured(h, full)) - after_t1 <= delay

PATIENCE = late[h] + ite(trigger[h] == "RETRY", retries_for[h], acknowledge_within)
PATIENT, NOT_PATIENT = PATIENCE > ZERO, PATIENCE == ZERO

END, LAST = lease_end[h], limit(h)
"""When the lease of the first host ends, and when it leaves its address."""

RENEW_AT, REBIND_AT = renew_at[h], rebind_at[h]
ASKS_AT = (("T1", RENEW_AT, "renew"), ("T2", REBIND_AT, "rebind"))
"""T1 and T2, and what the first host does then."""

EXACT = lift(0, DURATION)


@cache
def outlasts_the_margin(host: Expr, length: Expr) -> Expr:
    """The kernel does not remove the address of such a lease at once."""
    return margin[host] < honoured(host, length)


@cache
def acts_after(set_back: bool, to_end: Expr | None, after: bool) -> Expr:
    """The first of kernel and process acts after T1 or T2, or after the lapse; or not after it.

    `to_end`: how long before the lease end T1 or T2 is; None: it is the last time for a lapse.
    """
    back = step if set_back else ZERO
    instant = back + late[h] if to_end is None else back - to_end
    return (instant < overhang(h)) if after else (overhang(h) <= instant)


@cache
def is_past(probes: bool, to_end: Expr, past: bool) -> Expr:
    """When the shortest lease begins, T1 or T2 is past, which is so long before its end; or not."""
    after = (probe_time[h] if probes else ZERO) + slowest(honoured(h, least))
    return (after <= to_end) if past else (to_end < after)


@cache
def until(instant: Expr) -> Expr:
    """How long it is until then."""
    return instant - now


@cache
def counted_slowly(length: Expr) -> Expr:
    """By how much the slowest clock errs by which the first host counts a lease."""
    return slowest(honoured(h, length)) - honoured(h, length)


@cache
def counted_fast(length: Expr) -> Expr:
    """By how much the fastest clock errs."""
    return fastest(length) - length


NUMBERS = frozenset(name for name, c in CONSTANTS.items() if c.sort in (DURATION, RATIO))
"""The constants that are durations or the drift."""


def choices_of(
    client: Profile, world: Environment, others: Mapping[str, object]
) -> dict[str, object]:
    """The first host's choices, and the other's; all durations and the drift stay open."""
    facts = {**client.facts(), **world.facts()}
    return {
        name: value if isinstance(CONSTANTS[name], Expr) else (value, others.get(name))
        for name, value in facts.items()
        if name not in NUMBERS
    }


@dataclass(frozen=True)
class Way:
    """One way to hold an address back: what the client is like and which faults happen.

    `delayed` says whether the ACK takes time, `waits` whether the address stays after the lapse:
    time cannot pass by nothing, so these are different runs.  `ack`: what becomes of the ACK that
    shortens the lease, or that there is none, and the lease is full or the least.  `shows`: the
    term of the bound that the run reaches.  `past`: which of T1 and T2 are past when the lease
    begins, as they may be of a short one.  `before`: which of them come before the address goes, as
    they need not where the kernel removes it early.  `others`: what is fixed of the other host's
    client.
    """

    name: str
    profile: Profile
    faults: tuple[str, ...]
    delayed: bool
    waits: bool
    ack: str = "none"
    shows: Expr = WORST
    past: tuple[str, ...] = ()
    before: tuple[str, ...] = ("T1", "T2")
    others: Mapping[str, object] = field(default_factory=dict)

    def fixed(self) -> dict[str, object]:
        """What the run holds fixed."""
        patient = self.profile.heeds_shorter and self.ack != "overtaken"
        world = Environment(faults=frozenset(self.faults), patient=patient)
        return choices_of(self.profile, world, self.others)

    def assumptions(self) -> tuple[Expr, ...]:
        """What this run needs of the durations, beside a grace below the bound."""
        return (
            DELAYED if self.delayed else TRUE,
            NOT_DELAYED if self.may_be_delayed and not self.delayed else TRUE,
            *(self._beside_a_kernel() if self.beside_a_kernel else self._alone()),
            outlasts_the_margin(h, self.length),
            outlasts_the_margin(g, full),
            ASKS_FOR_LONGER,
            HEARD_IN_TIME if self.ack == "under way" else TRUE,
            HEARD_AFTER_T1 if self.ack == "overtaken" else TRUE,
            *self._where_t1_and_t2_lie(),
        )

    @property
    def may_be_delayed(self) -> bool:
        """It matters how long the ACK takes."""
        return self.profile.anchor != "REQUEST" or not self.profile.checks_xid

    @property
    def stale(self) -> bool:
        """The client takes an ACK of an exchange that it has given up for one of its next."""
        return self.delayed and self.profile.anchor == "REQUEST" and not self.profile.checks_xid

    @property
    def beside_a_kernel(self) -> bool:
        """The kernel removes the address as well, and the client goes on meanwhile."""
        return self.profile.enforcer == "KERNEL" and {"freezes", "crashes"}.isdisjoint(self.faults)

    def _alone(self) -> tuple[Expr, ...]:
        """Whether a process has patience that acts alone."""
        if self.waits:
            return (PATIENT,)
        return (NOT_PATIENT,) if self.profile.trigger in ("ACKNOWLEDGE", "RETRY") else ()

    def _beside_a_kernel(self) -> tuple[Expr, ...]:
        """When the first of the two acts: before or after T1, T2, and the last time for a lapse."""
        set_back = "steps" in self.faults
        lies = [
            acts_after(set_back, to_end, name in self.before)
            for name, to_end in (("T1", after_t1), ("T2", after_t2))
        ]
        if self.profile.trigger in ("ACKNOWLEDGE", "RETRY"):
            lies.append(acts_after(set_back, None, self.waits))
        return tuple(lies)

    def _where_t1_and_t2_lie(self) -> tuple[Expr, ...]:
        """Of the shortest lease; of a full one they lie ahead."""
        if self.ack != "the least":
            return ()
        probes = self.profile.anchor == "PROBE"
        return tuple(
            is_past(probes, to_end, name in self.past)
            for name, to_end in (("T1", after_t1), ("T2", after_t2))
        )

    @property
    def length(self) -> Expr:
        """The lease that the client counts."""
        return least if self.ack == "the least" else full


HOLDERS: tuple[tuple[str, Mapping[str, Any], tuple[str, ...], tuple[bool, ...]], ...] = (
    ("late process", {}, (), (False,)),
    ("late kernel, process frozen", {"enforcer": "KERNEL"}, ("freezes",), (False,)),
    ("late kernel, process dead", {"enforcer": "KERNEL"}, ("crashes",), (False,)),
    ("late answer", {"trigger": "ACKNOWLEDGE", "dialog": True}, (), (True, False)),
    ("late retries", {"trigger": "RETRY"}, (), (True, False)),
    ("clock set back", {"clock": "WALL"}, ("steps",), (False,)),
)
"""What can hold an address back, as facts and faults, and whether it may outlast the lapse."""

STEPPED = (
    (
        "late answer, clock set back",
        {"trigger": "ACKNOWLEDGE", "dialog": True, "clock": "WALL"},
        ("steps",),
        (True, False),
    ),
    (
        "late retries, clock set back",
        {"trigger": "RETRY", "clock": "WALL"},
        ("steps",),
        (True, False),
    ),
)
"""Two of them at once."""

NEVER = ("process that never releases", {"trigger": "NEVER"}, (), (False,))

Kind = tuple[str, Mapping[str, Any], tuple[str, ...], bool, tuple[str, ...]]

ASKS = ("T1", "T2")

ALONE: tuple[Kind, ...] = tuple(
    (what, facts, faults, waits, ASKS)
    for what, facts, faults, waiting in HOLDERS
    for waits in waiting
)

COMBINED: tuple[Kind, ...] = (
    *(
        (what, facts, faults, waits, ASKS)
        for what, facts, faults, both in STEPPED
        for waits in both
    ),
    *(
        (f"{what}, beside a kernel", {**facts, "enforcer": "KERNEL"}, faults, waits, before)
        for what, facts, faults, waiting in (*HOLDERS, *STEPPED, NEVER)
        if "enforcer" not in facts
        for waits in waiting
        for before in ((), ASKS[:1], ASKS)
        if not waits or before == ASKS
    ),
)
"""Several of them at once: with a clock that is set back, and beside a kernel that acts as well."""

ANCHORS = (("REQUEST", False), ("ACK", True), ("ACK", False), ("PROBE", True), ("PROBE", False))

MISSED: tuple[tuple[str, Mapping[str, Any], tuple[str, ...], tuple[tuple[str, bool], ...]], ...]
MISSED = (
    ("lost", {}, ("loses",), ANCHORS),
    ("overtaken", {}, (), ANCHORS[:1]),
    ("frozen", {"enforcer": "KERNEL"}, ("freezes",), ANCHORS[:2]),
    ("killed", {"enforcer": "KERNEL"}, ("crashes",), ANCHORS[:2]),
    ("asleep", {}, ("suspends",), ANCHORS[:2]),
    ("restarted", {"restart": "REMAINDER"}, ("stops", "restarts"), ANCHORS[:2]),
)
"""What keeps an ACK that shortens a lease from a client that heeds it: facts, faults, anchors."""

HEARD: tuple[tuple[str, Expr, tuple[tuple[str, bool], ...]], ...] = (
    ("none", outstay(h, full, full), ANCHORS),
    ("the least", outstay(h, least, least), ANCHORS),
    ("under way", while_under_way, (("REQUEST", True), ("ACK", True), ("PROBE", True))),
)
"""Where nothing keeps it from that ACK: what the server grants, and the term that this reaches."""


def ways() -> Iterator[Way]:
    """Every anchor with everything that can hold an address back, and with a shortened renewal."""
    yield from ways_of(ALONE)
    yield from heeding_ways()


def combined_ways() -> Iterator[Way]:
    """The same with several of these at once; and with a client that does not check the xid."""
    yield from ways_of(COMBINED)
    for way in ways_of(ALONE):
        if way.profile.anchor != "PROBE":
            yield from without_xid_check(way)


def without_xid_check(way: Way) -> Iterator[Way]:
    """The same where the client takes any reply for an answer, in time or late."""
    client = replace(way.profile, checks_xid=False)
    both = (True, False) if client.anchor == "REQUEST" else (way.delayed,)
    for delayed in both:
        words = ["no xid check", *(["no delay"] if not delayed and len(both) > 1 else [])]
        name = ", ".join([way.name, *words])
        yield replace(way, name=name, profile=client, delayed=delayed)


def ways_of(kinds: Iterable[Kind]) -> Iterator[Way]:
    """Each kind with each anchor, and with a renewal that shortens the lease or none."""
    for (what, facts, faults, waits, before), (anchor, delayed), renewal in itertools.product(
        kinds, ANCHORS, ((), ("shortens",))
    ):
        client = Profile(what, anchor=anchor, probes=anchor == "PROBE", **facts)
        words = [f"{anchor} anchor", what, *renewal]
        words += ["no delay"] if anchor != "REQUEST" and not delayed else []
        waiting = facts.get("trigger") in ("ACKNOWLEDGE", "RETRY")
        words += ["no wait"] if waiting and not waits else []
        words += [] if "T2" in before else ["before T2"] if before else ["before T1"]
        yield Way(
            ", ".join(words),
            client,
            ("mutes", *faults, *renewal),
            delayed,
            waits,
            "discarded" if renewal else "none",
            before=before,
        )


def heeding_ways() -> Iterator[Way]:
    """The same for a client that heeds an ACK that shortens: each way to miss it, or to hear it."""

    def of(ack: str, anchor: str, delayed: bool, **facts: Any) -> tuple[str, Profile]:
        words = [f"{anchor} anchor", f"heeded, {HEEDED.get(ack, ack)}"]
        words += ["no delay"] if anchor != "REQUEST" and not delayed else []
        return ", ".join(words), Profile(
            ack, anchor=anchor, probes=anchor == "PROBE", heeds_shorter=True, **facts
        )

    for ack, facts, faults, anchors in MISSED:
        for anchor, delayed in anchors:
            name, client = of(ack, anchor, delayed, **facts)
            yield Way(name, client, ("mutes", "shortens", *faults), delayed, False, ack)
    for ack, term, anchors in HEARD:
        for (anchor, delayed), past in itertools.product(anchors, PAST.get(ack, ((),))):
            name, client = of(ack, anchor, delayed)
            name += f", {' and '.join(past)} past" if past else ""
            yield Way(name, client, ("mutes", "shortens"), delayed, False, ack, term, past)


PAST: Mapping[str, tuple[tuple[str, ...], ...]] = {"the least": ((), ("T1",), ("T1", "T2"))}
"""Which of T1 and T2 may be past when the lease begins."""

HEEDED = {"none": "a full lease", "the least": "a least lease"}
"""What else to call the runs in which no ACK shortens a lease."""


def run(
    way: Way,
    constants: Mapping[str, object] | None = None,
    give_away: Callable[[SymbolicRun], None] | None = None,
) -> SymbolicRun:
    """A run in which the first host holds its address as long as it may, and the server reuses it.

    With `give_away` the server has given the address to the other as soon as it had committed it.
    Where renewals may shorten, the client asks twice: the server's record is then the short lease
    of the second ACK, which the client does not act on while it counts the long one of the first.
    Its numbers are symbols, or these constants.
    """
    path = SymbolicRun(LEASE_TABLE, sizes_of(2, 1, 3 if way.stale else 2), constants or way.fixed())
    first, second = {"h": 0, "a": 0, "m": 0}, {"h": 1, "a": 0, "m": 0}
    shortened = way.ack not in ("none", "the least")
    process_stops = {"freezes", "crashes"} & set(way.faults)

    def wait_until(instant: Expr) -> None:
        path.take("tick", passing=until(instant))

    path.take("discover", **first)
    path.take("offer", **first)
    path.take("select", **first)
    path.take("commit", **first, length=way.length, skew=counted_fast(way.length))
    if give_away is not None:
        give_away(path)
    if shortened:
        path.take("ask_again", h=0, a=0, m=1)
        path.take("prolong", h=0, a=0, m=1, length=least, skew=counted_fast(least))
    anew = {"h": 0, "a": 0, "m": 2}
    if way.stale:
        path.take("give_up", h=0)
        path.take("discover", **anew)
        path.take("offer", **anew)
    if way.delayed and way.ack not in ("under way", "overtaken"):
        path.take("tick", passing=delay)
    if way.stale:
        path.take("select", **anew)
    path.take("bind", **first, skew=counted_slowly(way.length))
    if way.profile.probes:
        path.take("use", h=0, a=0)
    if way.ack == "under way":
        path.take("tick", passing=delay)
        reuse_address(path, second)
        return path
    if way.ack == "discarded":
        path.take("ignore", h=0, a=0, m=1)
    if way.ack == "lost":
        path.take("lose", m=1, h=0)
    for fault, row in (("freezes", "freeze"), ("crashes", "crash"), ("steps", "set_back")):
        if fault in way.faults:
            path.take(row, h=0)
    path.take("mute")
    if way.stale:
        path.take("miss", m=2, h=0)
    if way.ack == "killed":
        path.take("miss", m=1, h=0)
    if way.ack == "asleep":
        path.take("suspend", h=0)
        path.take("miss", m=1, h=0)
        path.take("resume", h=0)
    if way.ack == "restarted":
        path.take("stop", h=0)
        path.take("miss", m=1, h=0)
        path.take("restart", h=0)
        path.take("reboot", **first)
        path.take("miss", m=0, h=0)
        path.take("keep_remainder", h=0, a=0)
        if way.profile.probes:
            path.take("use", h=0, a=0)
    if not process_stops:
        for name, at, row in ASKS_AT:
            if name not in way.before:
                break
            if name not in way.past:
                wait_until(at)
            elif name == "T1" and "T2" in way.past:
                continue
            path.take(row, **first)
            path.take("miss", m=0, h=0)
            if way.ack == "overtaken" and row == "renew":
                path.take("ignore", h=0, a=0, m=1)
    if way.waits:
        wait_until(END)
        path.take("lapse", h=0)
        path.take("notify", h=0)
    wait_until(LAST)
    if give_away is not None:
        return path
    path.take("unmute")
    reuse_address(path, second)
    return path


def reuse_address(path: SymbolicRun, second: Mapping[str, int]) -> None:
    """Another host asks, and is given the address."""
    for row in ("discover", "offer", "select"):
        path.take(row, **second)
    path.take("reuse", **second, g=0, length=full, skew=EXACT)


def take_address(path: SymbolicRun) -> None:
    """The other host receives the ACK: it holds the address, or probes for it."""
    path.take("bind", h=1, a=0, m=0, skew=EXACT)


def hosts(logic: Unrolled) -> dict[Expr, Formula]:
    """The host that holds on, and the one to which its address is given."""
    return {h: logic.whole(0), g: logic.whole(1)}
