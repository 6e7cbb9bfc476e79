"""What the facts of one client owe each other: a profile that breaks a rule contradicts itself.

Each rule is a term over the constants of one host, so that a file is held to it by evaluation, and
a solver is given it where facts are open.  A message may name a fact in braces.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from holdover.model.readings.constants import holds
from holdover.model.table.expr import BOOL, DURATION, Expr, lift
from holdover.model.table.vocabulary import (
    CONSTANTS,
    after_nak,
    anchor,
    clock,
    dialog,
    enforcer,
    gives_way,
    gives_way_within,
    h,
    hears_renewing,
    heeds_shorter,
    kernel_late,
    margin,
    nak_late,
    probe_time,
    probes,
    retries_for,
    trigger,
)

ZERO = lift(0, DURATION)


@dataclass(frozen=True)
class ClientRule:
    """The fact that a file has to change, what must hold, and what is wrong where it does not."""

    fact: str
    term: Expr
    message: str

    @cached_property
    def speaks_of(self) -> frozenset[str]:
        """The facts in it."""
        return frozenset(_constants(self.term))

    def broken(self, facts: Mapping[str, object]) -> str | None:
        """What is wrong with these facts, if they break it."""
        if holds(self.term, facts):
            return None
        return self.message.format(**{name: str(value).lower() for name, value in facts.items()})


def _constants(term: Expr) -> set[str]:
    named = {str(term.args[0])} if term.op == "constant" else set()
    return named.union(*(_constants(arg) for arg in term.args if isinstance(arg, Expr)))


_of_kernel = 'speaks of the kernel lifetime, but enforcer = "{enforcer}"'

RULES = (
    ClientRule(
        "anchor",
        (anchor[h] != "PROBE") | probes[h],
        "counts from the end of probing, but probes = {probes}",
    ),
    ClientRule(
        "probes",
        ~probes[h] | (probe_time[h] > ZERO),
        "no probe_time: how long it probes at most (RFC 5227 §1.1: 7 s)",
    ),
    ClientRule(
        "probe_time", probes[h] | (probe_time[h] == ZERO), "a probing time, but probes = {probes}"
    ),
    ClientRule(
        "nak_late",
        (after_nak[h] == "WAIT") | (nak_late[h] == ZERO),
        'a time to wait after a DHCPNAK, but after_nak = "{after_nak}"',
    ),
    ClientRule(
        "after_nak",
        (after_nak[h] != "WAIT") | (nak_late[h] > ZERO),
        "waits after a DHCPNAK, but no nak_late: how long at most",
    ),
    ClientRule(
        "retries_for",
        (trigger[h] == "RETRY") | (retries_for[h] == ZERO),
        'a time to retry, but trigger = "{trigger}"',
    ),
    ClientRule("kernel_late", (enforcer[h] == "KERNEL") | (kernel_late[h] == ZERO), _of_kernel),
    ClientRule("margin", (enforcer[h] == "KERNEL") | (margin[h] == ZERO), _of_kernel),
    ClientRule(
        "trigger",
        (trigger[h] != "ACKNOWLEDGE") | dialog[h],
        "waits for an acknowledgement, but dialog = {dialog}",
    ),
    ClientRule(
        "heeds_shorter",
        ~heeds_shorter[h] | (trigger[h] == "LAPSE"),
        "an ACK that leaves nothing ends the lease, but "
        'trigger = "{trigger}": nobody knows what ends then',
    ),
    ClientRule(
        "heeds_shorter",
        ~heeds_shorter[h] | (clock[h] != "WALL"),
        'compares what is left with the lease end, but clock = "{clock}" may be set back between',
    ),
    ClientRule(
        "heeds_shorter",
        ~heeds_shorter[h] | hears_renewing[h],
        "takes each answer to its question, but hears_renewing = {hears_renewing}",
    ),
    ClientRule(
        "gives_way_within",
        gives_way[h] | (gives_way_within[h] == ZERO),
        "a time in which it lets go, but gives_way = {gives_way}",
    ),
)


def contradiction(facts: Mapping[str, object]) -> tuple[str, str] | None:
    """The fact to change, and what is wrong with it; None where every rule holds."""
    for rule in RULES:
        if message := rule.broken(facts):
            return rule.fact, message
    return None


def follow(facts: Mapping[str, object], stated: Collection[str]) -> frozenset[str]:
    """The facts that those that are stated leave one value for: the one in `facts`.

    With `enforcer = "process"` no kernel is late, whether the file says so or not.
    """
    known = set(stated)
    while more := {name for name in facts if name not in known and _follows(name, facts, known)}:
        known |= more
    return frozenset(known.difference(stated))


def _follows(name: str, facts: Mapping[str, object], known: set[str]) -> bool:
    deciding = [
        rule for rule in RULES if name in rule.speaks_of and rule.speaks_of - {name} <= known
    ]
    others = _others(name, facts[name])
    return all(any(rule.broken({**facts, name: other}) for rule in deciding) for other in others)


def _others(name: str, value: object) -> list[object]:
    """The other values of a fact; of durations two, since no rule tells two above 0 apart."""
    sort = CONSTANTS[name].sort
    if sort is BOOL:
        return [not value]
    if sort is DURATION:
        return [length for length in map(Fraction, (0, 1, 2)) if length != value]
    return [other for other in sort.values if other != value]
