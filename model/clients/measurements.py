"""What real clients were seen to do, beside what their profiles predict.

Theory of operation.  `measurements.toml` has the measurements; each names a profile, a fault and a
lease.  A fault is an `Environment`, in which the bound of T3 is evaluated exactly.  The bound is a
sum: `parts` splits it, term by term, into what is certain to come (the floor, the hook's 20 s) and
what is an allowance of which a run uses some (kernel lateness, probing).  Hence each difference
between prediction and measurement has a sentence.

A prediction that was exceeded is not forgotten when the profile is mended: `refutations` keeps it.
A constant that was fitted to a measurement predicts others, but not that one (`Profile.why`).

A measurement exceeds its prediction only if it does so by more than its own error: the address is
polled, and a value noted as 15.3 may be 15.35.  The kernel's lateness is no tolerance here, since
the profiles declare it.  Nor are the server's whole seconds: measurements are relative to the ACK
on the wire, not to the server's record.

What it does not know: how long a run without end was watched; how many runs most cells stand for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

from holdover.model.clients.profile import Environment, Seconds, in_seconds, load
from holdover.model.readings.constants import holds, seconds
from holdover.model.seconds import show_number, show_offset
from holdover.model.table import bound
from holdover.model.table.client import honoured
from holdover.model.table.vocabulary import full, h

DELAY = Fraction(1, 10)
"""How long a datagram is in flight at most: generous for two namespaces on one machine."""

HOOK = Fraction(20)
STEP = Fraction(3600)

FAULTS: Mapping[str, Environment] = {
    "server killed": Environment(delay=DELAY, faults=frozenset({"mutes"})),
    "frozen": Environment(delay=DELAY, faults=frozenset({"mutes", "freezes"})),
    "hook": Environment(delay=DELAY, acknowledge_within=HOOK, faults=frozenset({"mutes"})),
    "kill -9": Environment(delay=DELAY, faults=frozenset({"crashes"})),
    "unacknowledged": Environment(
        delay=DELAY, acknowledge_within=None, faults=frozenset({"mutes"})
    ),
    "clock set back": Environment(delay=DELAY, step=STEP, faults=frozenset({"mutes", "steps"})),
}
"""Each fault as the surroundings in which the model predicts; a frozen process does not thaw, and a
killed one is not restarted.  Where nothing is said of it, the notice is acknowledged at once."""


@dataclass(frozen=True)
class Conditions:
    """What all measurements have in common."""

    system: str
    versions: str
    server: str
    date: str
    runs: str
    poll: Seconds


@dataclass(frozen=True)
class MeasuredCase:
    """One cell: least and greatest holdover seen, in seconds; None is *held to the end*."""

    profile: str
    fault: str
    lease: Seconds
    low: Seconds
    high: Seconds | None
    error: Seconds
    at_least: Seconds | None = None
    removed_by: str = ""
    note: str = ""
    runs: int | None = None

    @property
    def in_words(self) -> str:
        """The measurement as a table shows it."""
        if self.high is None:
            return "forever" if self.at_least is None else f"over {show_offset(self.at_least)}"
        if self.low == self.high:
            return show_offset(self.high)
        return f"{show_offset(self.low)} to {show_offset(self.high)}"


@dataclass(frozen=True)
class Refuted:
    """What a profile once said, what showed that it is wrong, and what it says since."""

    profile: str
    said: str
    shown: str
    by: str
    since: str


@dataclass(frozen=True)
class Summand:
    """A summand of the bound; an allowance is used up to its full size, the others always."""

    words: str
    size: Seconds
    allowance: bool


@dataclass(frozen=True)
class Comparison:
    """A measurement beside its prediction; `worst` is None where there is no bound."""

    measurement: MeasuredCase
    worst: Seconds | None
    parts: tuple[Summand, ...]

    @property
    def exceeds(self) -> bool:
        """The profile is refuted: the measurement is above it by more than its error."""
        seen = self.measurement
        if self.worst is None:
            return False
        if seen.high is None:
            return seen.at_least is None or seen.at_least - seen.error > self.worst
        return seen.high - seen.error > self.worst

    @property
    def slack(self) -> Seconds | None:
        """By how much the prediction is above what was measured; None where either has no end."""
        if self.worst is None or self.measurement.high is None:
            return None
        return self.worst - self.measurement.high

    @property
    def explanation(self) -> str:
        """Where the prediction comes from, and why the measurement is not the same."""
        seen = self.measurement
        if self.worst is None:
            return f"no bound: {join_words([part.words for part in self.parts])}"
        sum_ = " + ".join(f"{show_number(part.size)} {part.words}" for part in self.parts)
        told = f"{show_offset(self.worst)} = {sum_}" if self.parts else "0"
        if seen.high is None:
            return f"{told}; still held when the run ended"
        return f"{told}; {self._difference(seen.high)}"

    def _difference(self, high: Seconds) -> str:
        assert self.worst is not None
        if self.exceeds:
            return f"EXCEEDED by {show_number(high - self.worst)}"
        certain = sum((part.size for part in self.parts if not part.allowance), Fraction(0))
        allowances = join_words([part.words for part in self.parts if part.allowance])
        if high >= certain:
            return f"{show_number(self.worst - high)} of {allowances} stayed unused"
        early = show_number(certain - high)
        return f"all of {allowances} stayed unused, and it was {early} early (safe)"


def join_words(words: list[str]) -> str:
    """A, B and C."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


# Prediction --------------------------------------------------------------------------------------


def constants_of(profile: str, fault: str, lease: Seconds) -> dict[str, object]:
    """The constants of the table for this profile, fault and lease, in seconds."""
    return in_seconds(load(profile), replace(FAULTS[fault], lease=lease))


def predict(profile: str, fault: str, lease: Seconds) -> Seconds | None:
    """The worst holdover that the model allows; None if there is no bound."""
    constants = constants_of(profile, fault, lease)
    limited = holds(bound.bounded(h), constants)
    return seconds(bound.worst_holdover(h), constants) if limited else None


def compare(measurement: MeasuredCase) -> Comparison:
    """The measurement beside what its profile predicts."""
    cell = (measurement.profile, measurement.fault, measurement.lease)
    return Comparison(measurement, predict(*cell), parts(constants_of(*cell)))


def parts(constants: Mapping[str, object]) -> tuple[Summand, ...]:
    """The bound's summands that are not zero, or, where there is no bound, the reasons why."""
    if not holds(bound.bounded(h), constants):
        return tuple(Summand(words, Fraction(0), False) for words in unbounded_because(constants))
    flight = seconds(bound.anchor_delay(h), {**constants, "probe_time": Fraction(0)})
    found = [
        Summand("delay of the ACK", flight, True),
        Summand("probing", seconds(bound.anchor_delay(h), constants) - flight, True),
        Summand("floor", seconds(honoured(h, full) - full, constants), False),
        *overhang_parts(constants),
    ]
    counted = sum((part.size for part in found), Fraction(0))
    usual = seconds(bound.outstay(h, full, full), constants)
    shorter = seconds(bound.worst_holdover(h), constants) - usual
    heard = "not heard of" if holds(bound.ack_missed(h), constants) else "until its ACK comes"
    found += [
        Summand("drift", usual - counted, True),
        Summand(f"a shorter lease, {heard}", shorter, True),
    ]
    return tuple(part for part in found if part.size)


def overhang_parts(constants: Mapping[str, object]) -> list[Summand]:
    """What keeps the address after the client's lease end: of the kernel or of the process."""
    overhang = seconds(bound.overhang(h), constants)
    process = seconds(bound.process_overhang(h), constants)
    if not holds(bound.process_acts(h), constants) or overhang != process:
        return [Summand("kernel lateness", overhang, True)]

    def share(name: str) -> Seconds:
        return process - seconds(bound.process_overhang(h), {**constants, name: Fraction(0)})

    return [
        Summand("process lateness", share("late"), True),
        Summand("hook or user", share("acknowledge_within"), False),
        Summand("trying for a new lease", share("retries_for"), True),
        Summand("clock step", share("step"), False),
    ]


def unbounded_because(constants: Mapping[str, object]) -> list[str]:
    """Why nothing is certain to remove the address."""
    if constants["clones"]:
        return ["another host has its client identifier, and so its lease"]
    if constants["settles"] or constants["intrudes"]:
        return ["somebody configures its address by hand on another host"]
    if constants["keeps_old"]:
        return ["an old address may stay beside the next one, and nothing bounds how long"]
    if not holds(bound.anchor_is_bounded(h), constants):
        return ["the lease may be counted from any later time"]
    reasons = {
        "the process is frozen": constants["freezes"],
        "the process is dead": constants["crashes"],
        "the process never releases": constants["trigger"] == "NEVER",
        "nobody acknowledges": constants["trigger"] == "ACKNOWLEDGE"
        and not constants["acknowledges"],
        "the host may sleep past the deadline": constants["suspends"]
        and (constants["clock"] != "BOOTTIME" or constants["trigger"] != "LAPSE"),
    }
    found = [words for words, applies in reasons.items() if applies]
    if constants["enforcer"] == "PROCESS":
        return [*found, "the address has no kernel lifetime"]
    if constants["suspends"]:
        return [*found, "the kernel lifetime stands still in suspend"]
    return [*found, "after a restart the kernel lifetime is set by a stepped clock"]


# Data --------------------------------------------------------------------------------------------


@cache
def data() -> tuple[Conditions, tuple[MeasuredCase, ...]]:
    """The measurements and their conditions, as `measurements.toml` has them."""
    text = Path(__file__).with_name("measurements.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text, parse_float=Decimal)
    head = content["conditions"]
    poll = Fraction(head.pop("poll"))
    rows = tuple(_measurement(row, poll) for row in content["measurement"])
    return Conditions(**head, poll=poll), rows


def _measurement(row: dict[str, object], poll: Seconds) -> MeasuredCase:
    times = [Decimal(str(row[key])) for key in ("low", "high", "at_least") if key in row]
    # Half a unit of the last digit that was noted, and the poll.
    error = poll + max((_half_unit(time) for time in times), default=Fraction(0))
    high = Fraction(str(row["high"])) if "high" in row else None
    lower = row.get("low", row.get("high", row.get("at_least", 0)))
    at_least = Fraction(str(row["at_least"])) if "at_least" in row else None
    runs = row.get("runs")
    return MeasuredCase(
        profile=str(row["profile"]),
        fault=str(row["fault"]),
        lease=Fraction(str(row["lease"])),
        low=Fraction(str(lower)),
        high=high,
        error=error,
        at_least=at_least,
        removed_by=str(row.get("removed_by", "")),
        note=str(row.get("note", "")),
        runs=int(str(runs)) if runs is not None else None,
    )


def _half_unit(time: Decimal) -> Seconds:
    exponent = time.as_tuple().exponent
    assert isinstance(exponent, int)
    return Fraction(10) ** exponent / 2


@cache
def refutations() -> tuple[Refuted, ...]:
    """Predictions that did not stand, in the order of the data."""
    text = Path(__file__).with_name("measurements.toml").read_text(encoding="utf-8")
    return tuple(Refuted(**row) for row in tomllib.loads(text)["refuted"])


def comparisons() -> tuple[Comparison, ...]:
    """Every measurement beside its prediction, in the order of the data."""
    return tuple(compare(measurement) for measurement in data()[1])
