"""The timeline of an address, of what is known of it.

What it does not know: how it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdover.reference.audit.monitor.addresses import AddressTrack
from holdover.reference.audit.monitor.results import (
    AddressTimeline,
    AuditFinding,
    BlameKind,
    LeaseSpan,
    UseSpan,
)
from holdover.reference.audit.monitor.spans import UseRun

MISUSES: Sequence[BlameKind] = (
    "client_holdover",
    "used_after_release",
    "nak_ignored",
    "conflict_ignored",
    "static_host",
    "two_addresses",
)
"""Kinds in which the hardware of the finding is that of who used the address."""


def timeline_of(track: AddressTrack, findings: Sequence[AuditFinding]) -> AddressTimeline:
    """Who had an address when; `findings`: who may not have had it."""
    return AddressTimeline(
        address=track.address,
        vlan=track.vlan,
        leases=tuple(
            LeaseSpan(
                hardware=each.hardware,
                client_id=each.client_id,
                server=each.name,
                begin=each.begin,
                end=each.end,
                over=each.refused if each.over is None else each.over,
                over_by="DHCPNAK" if each.over is None and each.refused else each.over_by,
                acks=each.acks,
                where=each.where,
            )
            for each in track.commitments
        ),
        uses=tuple(_use_span(track, run, findings) for run in track.runs),
        overlaps=tuple((o.begin, o.end, o.one, o.other) for o in track.overlaps),
        truncated=track.truncated,
    )


def _use_span(track: AddressTrack, run: UseRun, findings: Sequence[AuditFinding]) -> UseSpan:
    at_fault = any(
        f.address == track.address
        and f.hardware == run.hardware
        and f.since <= run.end
        and (f.until is None or run.begin <= f.until)
        and f.kind in MISUSES
        for f in findings
    )
    return UseSpan(
        hardware=run.hardware,
        begin=run.begin,
        end=run.end,
        frames=run.frames,
        how=run.how,
        entitled="yes" if run.granted else "no" if at_fault else "unknown",
        where=run.where,
        last=run.last,
    )
