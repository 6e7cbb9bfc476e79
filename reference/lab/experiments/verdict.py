"""What a cell says of its client: the measurement beside the model's prediction.

Theory of operation.  The lease has an end on the wire, and whoever holds the address after it is
*late*.  A measurement is an upper bound with a width: what lies within it is neither late nor
in time, and *unknown*.  A client that ends its lease at a DHCPNAK does so within OBEYED seconds;
one that keeps it is late as well, however long it keeps it, and its profile may say how long.  A
renewal for no time at all ends the lease as a DHCPNAK does, and is heeded as fast.

A client with a profile has a prediction: the bound of T3 for the profile, the lease and the
surroundings that the fault is in the model (`faults.py`).  Where a server shortens, the lease that
it had granted before is the longest, and what it grants last the shortest.  While the kernel's
networking lock is held, nobody acts: by so much process and kernel may be later than the profile
says.  Who waits after a DHCPNAK may do so up to `nak_late`, from an instant within its lease: who
hears nothing while RENEWING (`hears_renewing`), from a later DHCPNAK than the first.
Where another program held the lock, and that alone may have made the client late, the cell is
unknown.
A measurement above the prediction is *wrong*: the model is, or the profile.  So is a client that
keeps an address longer after a DHCPNAK than its profile says.  A cell that could not be played is
unknown, with its reason.  Where the model has no word for a fault, nothing is predicted, and the
reason says what the client is held to.

Of two hosts that may have one address at once it is held to that: they are *late* if they do, but
for the time in which a client that gives way has let go (RFC 5227 §2.4).  Whoever probes before use
finds who is there already, and so has no part in it.  Of a client that gives way T7 says how long
it may take, each time; of everybody else there is no bound.

What it does not know: clients that have no profile; whether the bound is ever reached.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from holdover.model.clients import measurements
from holdover.model.clients.profile import Environment, Profile, Seconds, in_seconds, load
from holdover.model.readings.constants import holds, seconds
from holdover.model.seconds import show_seconds
from holdover.model.table import bound
from holdover.model.table.vocabulary import after_t1, h
from holdover.proofs.result import Outcome as Proved
from holdover.reference.lab.experiments.experiment import Cell, Outcome
from holdover.reference.lab.experiments.fault import Fault, whole
from holdover.reference.lab.record.measure import Measurement, Unknown
from holdover.reference.lab.record.sharing import Sharing
from holdover.reference.lab.testbed.stranger import ANNOUNCE_INTERVAL

OBEYED = 1.0
"""Seconds in which a host that heeds a DHCPNAK has removed the address."""

GIVES_WAY = ANNOUNCE_INTERVAL + OBEYED
"""Seconds in which a host that gives way at the second conflict, or at the first, has let go."""

SOON = 1.0
"""Seconds: who is late by less is late, and no more than a user would see."""

ANSWERED_BY = 2.0
"""Seconds after which both hosts that have an address have been asked for it."""

Says = Literal["holds", "late", "wrong", "unknown"]

Severity = Literal["", "under 1 s", "under one lease", "one lease or more", "for ever"]
"""How late a client was; "": it was not, or nothing is known."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A cell, and what it says.

    `worst`: seconds, the greatest holdover that the model allows; infinite where it has no bound;
    None where the client has no profile, or nothing was measured.  `kept`: seconds, how long it may
    keep an address that was given away; likewise.  `shared_for`: seconds, for how long it may have
    an address together with another host; likewise.
    """

    outcome: Outcome
    says: Says
    reason: str
    worst: float | None
    kept: float | None = None
    shared_for: float | None = None

    @property
    def cell(self) -> Cell:
        """What was played."""
        return self.outcome.cell

    @property
    def measured(self) -> Measurement | None:
        """What was seen; None: it could not be played."""
        result = self.outcome.result
        return result if isinstance(result, Measurement) else None

    @property
    def shared(self) -> Sharing | None:
        """What was seen of two hosts with one address; None: the cell is not about that."""
        result = self.outcome.result
        return result if isinstance(result, Sharing) else None

    @property
    def late_by(self) -> float:
        """Seconds for which the client had an address without a right to it; 0: it had not.

        After a DHCPNAK the right is over at once.  Infinite: to the end of the watch.
        """
        seen = self.measured
        if self.says not in ("late", "wrong"):
            return 0.0
        if self.shared is not None:
            return self.shared.shared
        assert seen is not None
        refused = seen.after_nak if is_refusal(self.cell.fault) else None
        return max(seen.holdover, refused or 0.0, 0.0)

    @property
    def severity(self) -> Severity:
        """How late it was, in words that need no colour."""
        lease = self.cell.lease
        if self.says not in ("late", "wrong"):
            return ""
        if self.late_by == math.inf:
            return "for ever"
        if self.late_by < SOON:
            return "under 1 s"
        return "under one lease" if self.late_by < lease else "one lease or more"

    @property
    def words(self) -> str:
        """The verdict and how grave it is: "late: under one lease"."""
        return f"{self.says}: {self.severity}" if self.severity else self.says


def verdict(outcome: Outcome) -> Verdict:
    """Hold a measurement to the lease, and to the client's profile."""
    cell, result = outcome.cell, outcome.result
    if isinstance(result, Unknown):
        return Verdict(outcome, "unknown", result.reason, None)
    known = None if cell.fault.unmodelled else cell.client.profile
    profile = None if known is None else load(known)
    if isinstance(result, Sharing):
        shared_for = None if profile is None else predict_sharing(profile, cell.fault)
        for says, reason in sharing_findings(cell.fault, result, profile, shared_for):
            return Verdict(outcome, says, reason, None, shared_for=shared_for)
        return Verdict(outcome, "holds", "", None, shared_for=shared_for)
    lease = result.lease if cell.fault.grants is whole else cell.lease
    if profile is not None:
        profile = waiting(profile, Fraction(result.locked) + Fraction(result.kept))
    worst = None if profile is None else predict_holdover(profile, cell.fault, Fraction(lease))
    kept = None if profile is None else predict_kept(profile, cell.fault, Fraction(lease))
    for says, reason in findings(outcome.cell.fault, result, profile, worst, kept):
        return Verdict(outcome, says, reason or cell.fault.unmodelled, worst, kept)
    return Verdict(outcome, "holds", cell.fault.unmodelled, worst, kept)


def findings(
    fault: Fault,
    result: Measurement,
    profile: Profile | None,
    worst: float | None,
    kept: float | None = None,
) -> Iterable[tuple[Says, str]]:
    """What is to be said against it, the gravest first."""
    surely = result.at_least - result.uncertainty
    if fault.gives_away is not None:
        if result.displaced is None:
            yield "unknown", "the server gave the address to nobody else while it was held"
        elif kept is not None and seen_for(result, result.displaced) - result.uncertainty > kept:
            yield (
                "wrong",
                f"kept for {show_seconds(result.displaced)} after it was given away, and at most "
                f"{show_seconds(kept)} were predicted: the model or the profile is wrong",
            )
    if worst is not None and surely > worst:
        yield (
            "wrong",
            f"at most {show_seconds(worst, sign=True)} were predicted: "
            "the model or the profile is wrong",
        )
    busy = f"for {show_seconds(result.kept)} another program held the kernel's networking lock"
    if fault.another and result.replaced is None:
        yield "unknown", "no DHCPACK of another address came while the address was held"
    if is_refusal(fault):
        if result.after_nak is None:
            yield "unknown", "no DHCPNAK came while the address was held"
        elif OBEYED < result.after_nak <= OBEYED + result.kept:
            yield "unknown", busy
        elif result.after_nak > OBEYED:
            unheard = 0.0 if profile is None else not_heard_for(profile, result.lease)
            stayed = seen_for(result, result.after_nak)
            if profile is not None and stayed > OBEYED + unheard + stays_after(fault, profile):
                said = "heeds the DHCPNAK" + (
                    f" within {show_seconds(profile.nak_late)}" if profile.nak_late else ""
                )
                yield "wrong", f"profile {profile.name} says that it {said}"
            yield "late", "the DHCPNAK is not heeded"
    in_time = latest_in_time(result)
    if surely > in_time + result.kept:
        yield "late", ""
    elif surely > in_time:
        yield "unknown", busy
    elif result.holdover > in_time:
        why = f"within the uncertainty of {show_seconds(result.uncertainty)}"
        yield "unknown", f"{why}: {result.doubt}" if result.doubt else why


def laid_to_the_lock(result: Measurement) -> str:
    """The reason of what is unknown since somebody else held the kernel's networking lock."""
    return f"for {show_seconds(result.kept)} another program held the kernel's networking lock"


def seen_for(result: Measurement, stayed: float) -> float:
    """For how many seconds it was seen that an address stayed after something in its lease.

    To the end of the watch is infinite in a figure.  What refutes a prediction is what was seen:
    the address was there from then to the lease end, and so long after that.
    """
    return stayed if math.isfinite(stayed) else result.at_least


def sharing_findings(
    fault: Fault, result: Sharing, profile: Profile | None, shared_for: float | None
) -> Iterable[tuple[Says, str]]:
    """What is to be said of two hosts with one address, the gravest first."""
    if fault.shares == "clone" and not result.one_identity:
        yield "unknown", "the two hosts did not send one client identifier"
    acts_within = 0.0 if profile is None or is_found_before(profile, fault) else OBEYED
    if shared_for is not None and result.shared > shared_for + acts_within:
        yield (
            "wrong",
            f"two hosts had the address for {show_seconds(result.shared)}, and at most "
            f"{show_seconds(shared_for)} were predicted: the model or the profile is wrong",
        )
    if result.total > ANSWERED_BY and result.answered < 2:
        yield "unknown", f"of two hosts that had the address {result.answered} answered ARP"
    if result.shared > (GIVES_WAY if fault.shares == "nobody" else 0):
        yield "late", ""
    if not result.shared and (reason := never_came_about(fault, result)):
        yield "unknown", reason


def never_came_about(fault: Fault, result: Sharing) -> str | None:
    """Why that no two hosts had the address tells nothing of the client."""
    if not result.other_had_it and fault.shares != "clone":
        return "no other host had the address"
    if fault.shares == "nobody":
        return "the client had let go of the address before"
    if fault.server_probes and not result.offered:
        return None if result.told else "nobody was told that another host has the address"
    if not result.granted:
        return "the server did not grant the address to who asked for it"
    if not result.declined:
        return "who was granted the address neither used nor declined it"
    return None


def predict_sharing(profile: Profile, fault: Fault) -> float | None:
    """For how long the client may have an address together with another host, in seconds.

    Nothing of the kind where the server's probe, or that of the client who comes second, finds who
    is there: no ARP is lost here, and who is there is there before anybody asks.  Else it is what
    T7 allows a client that gives way, each time; infinite where there is no bound.  None where the
    fault is about no such thing.
    """
    if fault.shares is None:
        return None
    if is_found_before(profile, fault):
        return 0.0
    constants = in_seconds(profile, fault.surroundings)
    if not holds(bound.soon_gives_way(h), constants):
        return math.inf
    return float(seconds(bound.contested_for(h), constants))


def is_found_before(profile: Profile, fault: Fault) -> bool:
    """Whether a probe finds the host that is there, before two have the address."""
    return fault.shares != "nobody" and (fault.server_probes or profile.probes)


def is_refusal(fault: Fault) -> bool:
    """Whether it is about a DHCPNAK."""
    return fault.refuses is not None


def stays_after(fault: Fault, profile: Profile) -> float:
    """How long the profile says that the address may stay after this DHCPNAK, in seconds."""
    ends = profile.heeds_nak == "ALWAYS" or (
        profile.heeds_nak == "UNICAST" and fault.refuses == "unicast"
    )
    return float(profile.nak_late) if ends and profile.after_nak != "LEAVE" else math.inf


def not_heard_for(profile: Profile, lease: float) -> float:
    """How long after the first DHCPNAK, which answers it at T1, the client may hear of one."""
    if profile.hears_renewing or not lease:
        return 0.0
    return float(seconds(after_t1, in_seconds(profile, Environment(lease=Fraction(lease)))))


def latest_in_time(result: Measurement) -> float:
    """Seconds after the lease end at which an address is gone in time."""
    return 0.0 if result.lease else OBEYED


def predict_holdover(profile: Profile, fault: Fault, lease: Seconds) -> float:
    """The worst holdover that the model allows, in seconds; infinite where there is no bound."""
    constants = in_seconds(profile, surroundings(fault, lease))
    if not holds(bound.bounded(h), constants):
        return math.inf
    after_nak = stays_after(fault, profile) if is_refusal(fault) else 0.0
    waits = after_nak if math.isfinite(after_nak) else 0.0
    return float(seconds(bound.worst_holdover(h), constants)) + waits


def predict_kept(profile: Profile, fault: Fault, lease: Seconds) -> float | None:
    """How long the client may keep an address that was given away, in seconds, by T6.

    Infinite where there is no bound; None where the fault gives nothing away.  Each DHCPREQUEST of
    the client is answered at once here, so that it repeats none.
    """
    if fault.gives_away is None:
        return None
    world = replace(fault.gives_away, lease=lease)
    constants = in_seconds(replace(profile, asks_for=world.delay), world)
    if not holds(bound.soon_refused(h) | bound.soon_over(h), constants):
        return math.inf
    return float(seconds(bound.displaced_for(h), constants))


def waiting(profile: Profile, locked: Seconds) -> Profile:
    """A client where the kernel's networking lock is held for so long."""
    kernel = locked if profile.enforcer == "KERNEL" else 0
    return replace(profile, late=profile.late + locked, kernel_late=profile.kernel_late + kernel)


def surroundings(fault: Fault, lease: Seconds) -> Environment:
    """The fault as the model knows it, with a lease of so many seconds."""
    return replace(
        fault.surroundings,
        lease=lease,
        shortest=Fraction(fault.grants(int(lease))),
        delay=measurements.DELAY + fault.delays * lease,
    )


def combine_verdicts(verdicts: Iterable[Verdict]) -> Proved:
    """Of many: violated if one is late or wrong; holds only if all do."""
    said = {each.says for each in verdicts}
    if said & {"late", "wrong"}:
        return "violated"
    return "unknown" if "unknown" in said or not said else "holds"


def spread(verdicts: Sequence[Verdict]) -> tuple[float, float, float] | None:
    """Least, median and greatest holdover of repeats, in seconds; None: nothing was measured."""
    found = [each.measured.holdover for each in verdicts if each.measured is not None]
    return (min(found), statistics.median_low(found), max(found)) if found else None
