"""The lab's clients as if they were devices: played so, and read both ways.

Theory of operation.  `AsDevices` makes a link as `holdover lab device` has it, but that in place of
a cable there is a host with a client, which is started as soon as the link is there.  Of that host
the lab's program for devices knows nothing.  The recorder looks into its kernel all the same, so
one record has both: what the kernel said, and what the wire tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from holdover.reference.lab.experiments.experiment import Cable, Cell, Outcome, Run, play
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.record import record
from holdover.reference.lab.record.measure import Measurement, Unknown, measure
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.scene import LEASED
from holdover.reference.lab.testbed.servers import SERVERS
from holdover.reference.lab.warm.warm_python import WarmPython

Result = Measurement | Unknown


class AsDevices(Links):
    """Links on which the client of that name is, as a device at the end of a cable."""

    def __init__(self, place: Path, warm: WarmPython | None = None) -> None:
        super().__init__(place, warm)
        self._files = place

    def __call__(self, plugged: str | None = None, /, **hosts: str | None) -> dict[str, Host]:
        assert plugged is not None
        made = super().__call__(**hosts, a=None)
        CLIENTS[plugged].start(made["a"], self._files / "client")
        return made


@dataclass(frozen=True)
class Both:
    """One run, read from the host's kernel and from the wire."""

    outcome: Outcome
    host: Result
    wire: Result


def cell(client: str, fault: str, lease: int, repeat: int = 1, window: float = 10) -> Cell:
    """A client as a device, that is told nothing but by its cable."""
    return Cell(
        client=CLIENTS[client],
        server=SERVERS["holdover"],
        fault=FAULTS[fault],
        lease=lease,
        repeat=repeat,
        window=window,
        cable=Cable(interface=client),
    )


def play_both(wanted: Cell, place: Path, run: Run) -> Both:
    """Play it, and read its record both ways."""
    outcome = play(wanted, place, run, AsDevices)
    wire = outcome.result
    assert isinstance(wire, Measurement | Unknown)
    if not outcome.record.is_dir():
        return Both(outcome, wire, wire)
    return Both(outcome, measure(record.read(outcome.record), "a", LEASED), wire)
