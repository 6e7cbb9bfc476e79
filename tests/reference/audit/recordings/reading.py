"""The recordings, for tests: unpacked, measured, and cut."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.measure import Measurement, measure
from holdover.reference.lab.record.record import (
    CAPTURED,
    FRAMES,
    LINK,
    PCAP,
    Record,
    pcap_frame,
    pcap_head,
    read,
)
from holdover.reference.lab.testbed.scene import LEASED, OWN
from tests.checkout import ROOT
from tests.reference.audit.recordings.staging import ROGUE, SECOND_SERVER, STAGED, Staged

PLACE = ROOT / "tests/reference/audit/recordings"


@dataclass(frozen=True)
class Recording:
    """A recording, unpacked into a directory."""

    staged: Staged
    place: Path

    @property
    def frames(self) -> Path:
        """The capture."""
        return self.place / FRAMES

    @property
    def link(self) -> Path:
        """What the hosts' kernels said."""
        return self.place / LINK

    @cached_property
    def record(self) -> Record:
        """As the lab reads it."""
        return read(self.place)

    @cached_property
    def measured(self) -> Measurement:
        """What the lab measures of the client's host and the address."""
        found = measure(self.record, "a", LEASED)
        assert isinstance(found, Measurement), found
        return found

    @property
    def culprits(self) -> set[bytes]:
        """The hardware addresses of the hosts that may be blamed."""
        return {self.record.hosts[each] for each in self.staged.culprits if each in "ab"}

    @property
    def servers(self) -> set[IPv4Address]:
        """The servers that may be blamed."""
        second = ROGUE if self.staged.kind == "rogue_server" else SECOND_SERVER
        names = {"srv": OWN.ip, "other": second.ip}
        return {names[each] for each in self.staged.culprits if each in names}

    def cut(self, into: Path, begin: Instant | None = None, end: Instant | None = None) -> Path:
        """A capture of the frames of [begin, end] alone."""
        kept = [
            pcap_frame(each.at, each.data)
            for each in self.record.frames
            if (begin is None or each.at >= begin) and (end is None or each.at <= end)
        ]
        into.write_bytes(pcap_head() + b"".join(kept))
        assert (len(into.read_bytes()) - PCAP.size) >= len(kept) * CAPTURED.size
        return into


def unpack(name: str, into: Path) -> Recording:
    """A recording of `staging.py`, in a directory that is made for it."""
    with zipfile.ZipFile(PLACE / f"{name}.zip") as archive:
        archive.extractall(into)
    return Recording(STAGED[name], into)


def seconds(instant: Instant) -> float:
    """Of an instant or a duration."""
    return instant / SECOND
