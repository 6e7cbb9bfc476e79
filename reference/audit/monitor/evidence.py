"""What a finding rests on: frames and lines, and who else had the address meanwhile.

What it does not know: whether there is a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

from holdover.reference.audit.monitor.addresses import AddressTrack
from holdover.reference.audit.monitor.exchanges import Suspicion
from holdover.reference.audit.monitor.results import Evidence
from holdover.reference.audit.monitor.sentences import hardware_text, length_text
from holdover.reference.audit.monitor.spans import Commitment, Dispute, UseRun
from holdover.reference.audit.observations import Where
from holdover.reference.core.instants import SECOND, Duration, Instant


def missed_text(missed: int | None) -> str:
    """How much was missed, in words."""
    return "more than is counted" if missed is None else f"{missed} datagram{'s' * (missed != 1)}"


def use_evidence(where: Where, at: Instant, name: str, how: str) -> Evidence:
    """A host was seen to use the address."""
    return Evidence(where, at, f"used by {name} ({how})")


def lease_evidence(address: IPv4Address, found: Commitment) -> Evidence:
    """A server committed the address."""
    length = "for ever" if found.end is None else f"for {length_text(found.end - found.at)}"
    whose = hardware_text(found.hardware)
    what = f"{address} leased to {whose} {length} by {found.name}"
    return Evidence(found.where, found.begin, what)


def grounds_evidence(address: IPv4Address, hardware: bytes, found: Suspicion) -> list[Evidence]:
    """The lease that a client had, and what ended it."""
    evidence, grounds = [], found.grounds
    name = hardware_text(hardware)
    if grounds is not None:
        if grounds.asked_where is not None and grounds.asked_last is not None:
            what = f"DHCPREQUEST by {name}"
            evidence.append(Evidence(grounds.asked_where, grounds.asked_last, what))
        length = "for ever" if grounds.end is None else f"for {grounds.seconds} s"
        evidence.append(
            Evidence(grounds.where, grounds.at, f"DHCPACK: {address} to {name} {length}")
        )
    if found.ended is not None:
        evidence.append(found.ended)
    return evidence


def given_since(track: AddressTrack, hardware: bytes, found: Suspicion) -> Commitment | None:
    """To whom the address was committed while the client used it without a lease."""
    since = found.since if found.grounds is None else found.grounds.at
    return next(
        (
            c
            for c in track.commitments
            if c.hardware != hardware and since <= c.at and c.begin <= found.last
        ),
        None,
    )


def used_beside(track: AddressTrack, hardware: bytes, found: Suspicion) -> list[UseRun]:
    """Runs of others who had a lease, while the client used the address without one."""
    return [
        run
        for run in track.runs
        if run.hardware != hardware
        and run.granted
        and run.begin <= found.last
        and run.end >= found.first
    ]


def duplicate_seconds(others: Sequence[UseRun], found: Suspicion) -> float | None:
    """For how many seconds others used the address as well; None: nobody did."""
    if not others:
        return None
    begin = min(max(run.begin, found.since) for run in others)
    end = min(found.last, max(run.end for run in others))
    return max(0, end - begin) / SECOND


def both_seconds(found: Dispute) -> float | None:
    """How long both were seen to use the address."""
    if found.second_use is None or found.last_first is None:
        return None
    both: Duration = found.last_first[0] - found.second_use[0]
    return both / SECOND if both > 0 else None
