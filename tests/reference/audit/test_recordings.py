"""The audit of what the lab has recorded: kind, culprit and holdover; and nothing of the innocent.

The recordings are of real programs on a real kernel (`recordings/staging.py` says how each was
made); who is to blame is known, because it was done on purpose, and by how much, because the lab
measured it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from holdover.reference.audit.course import Grounding, Sources, run_course
from holdover.reference.audit.monitor.results import Audit
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.record.measure import FOREVER
from tests.reference.audit.recordings.reading import PLACE, Recording, unpack
from tests.reference.audit.recordings.staging import STAGED

WITHIN = 0.1
"""Seconds."""

BLAMED = [name for name, each in STAGED.items() if each.kind]
CONFORMING = [name for name, each in STAGED.items() if not each.kind]
TALKING = [name for name in BLAMED if STAGED[name].talks]


@pytest.fixture
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Recording:
    return unpack(request.param, tmp_path / "recording")


def audit(recording: Recording, *captures: Path, log: bool = True) -> Audit:
    """Of a link on which nothing was missed: the recorder hears every port of the switch."""
    logs = (recording.link,) if log else ()
    files = tuple(map(str, captures or (recording.frames,)))
    return run_course(Sources(files, logs), Grounding.of(complete=True))


def test_each_recording_is_there_and_each_file_is_a_recording() -> None:
    assert sorted(each.stem for each in PLACE.glob("*.zip")) == sorted(STAGED)


def test_of_each_kind_there_are_two_at_least() -> None:
    kinds = Counter(STAGED[name].kind for name in BLAMED)
    assert min(kinds.values()) >= 2
    assert len(kinds) == 11


@pytest.mark.parametrize("recording", BLAMED, indirect=True)
def test_kind_and_culprit(recording: Recording) -> None:
    found = audit(recording)
    assert found.verdict == "violated"
    kinds = {each.kind: each for each in found.findings}
    assert recording.staged.kind in kinds, [each.sentence for each in found.findings]
    finding = kinds[recording.staged.kind]
    if recording.culprits:
        blamed = {each.hardware for each in found.findings}
        assert blamed <= recording.culprits, [each.sentence for each in found.findings]
        assert finding.hardware in recording.culprits
    else:
        assert finding.server in recording.servers, finding.sentence


@pytest.mark.parametrize(
    "recording", [name for name in BLAMED if STAGED[name].kind == "client_holdover"], indirect=True
)
def test_the_holdover_is_the_recorders_own(recording: Recording) -> None:
    (finding,) = (f for f in audit(recording).findings if f.kind == "client_holdover")
    measured = recording.measured
    assert finding.holdover_s is not None
    known = measured.at_least if measured.holdover == FOREVER else measured.holdover
    assert finding.holdover_s == pytest.approx(known, abs=WITHIN + measured.uncertainty)


@pytest.mark.parametrize("recording", CONFORMING, indirect=True)
@pytest.mark.parametrize("log", [True, False])
def test_who_conforms_is_not_accused(recording: Recording, log: bool) -> None:
    found = audit(recording, log=log)
    assert [each.sentence for each in found.findings] == []


@pytest.mark.parametrize("recording", [*BLAMED, *CONFORMING], indirect=True)
def test_a_capture_that_begins_late_never_holds(recording: Recording, tmp_path: Path) -> None:
    """Without the DHCPACKs nobody knows what anybody was entitled to."""
    late = recording.record.end - SECOND
    found = audit(recording, recording.cut(tmp_path / "late.pcap", begin=late), log=False)
    assert found.verdict != "holds"


@pytest.mark.parametrize("recording", [*BLAMED, *CONFORMING], indirect=True)
def test_a_capture_that_ends_before_the_lease_never_holds(
    recording: Recording, tmp_path: Path
) -> None:
    early = recording.record.begin + 5 * SECOND
    found = audit(recording, recording.cut(tmp_path / "early.pcap", end=early), log=False)
    assert found.verdict in (("unknown", "violated") if recording.staged.kind else ("unknown",))
