"""An audit by many workers is the audit by one: whoever works, and whoever is killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from multiprocessing import active_children
from pathlib import Path
from typing import TypeVar

import pytest

from holdover.model.errors import UnfinishedError
from holdover.reference.audit.course import INTERRUPTED, Grounding, Sources, run_course
from holdover.reference.audit.inputs.points import measure_offsets
from holdover.reference.audit.interruption import Interruption
from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.monitor.rulebook import NOT_MET
from holdover.reference.audit.observations import Gap, Use, Where
from holdover.reference.audit.partition.components import Components, deal, keys_of
from holdover.reference.audit.partition.crew import (
    AuditCrew,
    CrewStopped,
    DaskCrew,
    ProcessCrew,
    Told,
    dask_crew,
)
from holdover.reference.audit.partition.judge import deal_out
from holdover.reference.audit.partition.merge import add_rules, merge_audits
from holdover.reference.audit.partition.partitioned import (
    ReadOrder,
    audit_by,
    group_sources,
    read_group,
    spool_place,
)
from holdover.reference.audit.partition.spool import read_spool
from holdover.reference.console.progress import Progress
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from tests.reference.audit.partition.towns import comparable, write_town
from tests.reference.audit.recordings.reading import unpack
from tests.reference.audit.report.audits import BROKEN_DUTY, HOLDS, RULES, UNKNOWN, VIOLATED

T = TypeVar("T")
R = TypeVar("R")

GROUNDING = Grounding.of(complete=True)


class InlineCrew:
    """Nobody but this process, and every item once."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def map(self, work: Callable[[T], R], items: Sequence[T], told: Told) -> list[R]:
        self.done += [work.__name__] * len(items)
        return [work(each) for each in items]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Four towns at once and after each other, two with a planted overstay; and a real record."""
    place = tmp_path_factory.mktemp("towns")
    towns = [
        write_town(place, 21, overstay=True),
        write_town(place, 22),
        write_town(place, 23, overstay=True, later=500),
        write_town(place, 24, later=50_000),
    ]
    return Sources(tuple(map(str, towns)))


@pytest.fixture(scope="module")
def by_one(sources: Sources) -> Audit:
    found = run_course(sources, GROUNDING)
    assert len(found.findings) >= 2
    assert len(found.addresses) >= 6
    return found


def by(crew: object, sources: Sources, place: Path, workers: int = 2) -> Audit:
    with Progress("test") as progress:
        return audit_by(crew, workers, sources, GROUNDING, place, progress)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_it_is_the_audit_by_one(
    workers: int, sources: Sources, by_one: Audit, tmp_path: Path
) -> None:
    crew = InlineCrew()
    found = by(crew, sources, tmp_path, workers)
    assert comparable(found) == comparable(by_one)
    assert crew.done == ["read_group"] * 4 + ["judge"] * (2 * workers)


def test_logs_and_captures_together(tmp_path: Path) -> None:
    recording = unpack("holdover-dhclient-frozen", tmp_path / "recording")
    sources = Sources((str(recording.frames),), (recording.link,))
    place = tmp_path / "spool"
    place.mkdir()
    one = run_course(sources, GROUNDING)
    assert comparable(by(InlineCrew(), sources, place)) == comparable(one)


def test_processes(sources: Sources, by_one: Audit, tmp_path: Path) -> None:
    assert comparable(by(ProcessCrew(2), sources, tmp_path)) == comparable(by_one)


def test_captures_that_share_frames_are_one_group(sources: Sources, tmp_path: Path) -> None:
    again = tmp_path / "again.pcap"
    again.write_bytes(Path(sources.captures[0]).read_bytes())
    more = Sources((*sources.captures, str(again)))
    groups = group_sources(more, measure_offsets(more.named))
    assert [len(each.captures) for each in groups] == [2, 1, 1, 1]


# Workers that are lost ---------------------------------------------------------------------------


def shell(text: str) -> list[str]:
    """What a worker is to run: it can import nothing of the tests."""
    return ["sh", "-c", text]


def test_a_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    told: list[int] = []
    once = f"mkdir {tmp_path}/mark 2>/dev/null && kill -9 $PPID; echo 1"
    items = [shell("echo 0"), shell(once), *(shell(f"echo {number}") for number in (2, 3, 4))]
    found = ProcessCrew(2).map(subprocess.check_output, items, lambda done, of: told.append(done))
    assert found == [b"0\n", b"1\n", b"2\n", b"3\n", b"4\n"]
    assert told == [1, 2, 3, 4, 5]


def test_one_that_is_killed_each_time_ends_it() -> None:
    with pytest.raises(UnfinishedError, match="fewer --workers"):
        ProcessCrew(1).map(subprocess.check_output, [shell("kill -9 $PPID")], lambda done, of: None)


def test_a_worker_of_a_cluster_is_killed_half_way(
    sources: Sources, by_one: Audit, tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="needs holdover[cluster]")
    with dask_crew(None, 2) as crew:
        killed = KillingCrew(crew)
        found = by(killed, sources, tmp_path)
    assert killed.killed == 1
    assert comparable(found) == comparable(by_one)


class KillingCrew:
    """A crew of Dask's that loses a worker when half of the partitions are judged."""

    def __init__(self, crew: DaskCrew) -> None:
        self.crew, self.killed = crew, 0

    def map(self, work: Callable[[T], R], items: Sequence[T], told: Told) -> list[R]:
        def half(done: int, of: int) -> None:
            if work.__name__ == "judge" and not self.killed and done * 2 >= of:
                workers = self.crew.client.run(os.getpid)
                os.kill(next(iter(workers.values())), signal.SIGKILL)
                self.killed += 1
            told(done, of)

        return self.crew.map(work, items, half)


# Ctrl-C ------------------------------------------------------------------------------------------


class StoppedCrew(InlineCrew):
    """It is stopped when so many items of a kind of work are done."""

    def __init__(self, interruption: Interruption, work: str, after: int) -> None:
        super().__init__()
        self.interruption, self.work, self.after = interruption, work, after

    def map(self, work: Callable[[T], R], items: Sequence[T], told: Told) -> list[R]:
        if work.__name__ != self.work:
            return super().map(work, items, told)
        self.interruption.came = True
        raise CrewStopped(dict(enumerate(super().map(work, items[: self.after], told))))


def stopped(sources: Sources, place: Path, work: str, after: int) -> Audit:
    interruption = Interruption()
    crew = StoppedCrew(interruption, work, after)
    with Progress("test") as progress:
        return audit_by(crew, 2, sources, GROUNDING, place, progress, interruption)


def test_what_was_not_read_is_a_gap_from_where_it_begins(
    sources: Sources, by_one: Audit, tmp_path: Path
) -> None:
    """Three towns of four: the last one is of another day, and what was found before it stays."""
    found = stopped(sources, tmp_path, "read_group", 3)
    assert sentences(found) == sentences(by_one)
    (gap,) = found.gaps
    assert (gap.where.file, gap.why) == (sources.captures[3], INTERRUPTED)
    assert gap.since is not None
    assert gap.since > max(each.until or 0 for each in found.findings)
    assert [each.frames > 0 for each in found.coverage] == [True, True, True, False]
    assert found.rules["R3"].why


def sentences(audit: Audit) -> list[str]:
    return sorted(each.sentence for each in audit.findings)


def test_what_was_not_read_may_excuse_what_was(sources: Sources, tmp_path: Path) -> None:
    """The first file was not read, and it begins before all others do."""
    again = Sources((*sources.captures[1:], sources.captures[0]))
    found = stopped(again, tmp_path, "read_group", 3)
    assert (found.verdict, found.findings) == ("unknown", ())


def test_what_was_not_judged_is_no_pass(sources: Sources, by_one: Audit, tmp_path: Path) -> None:
    found = stopped(sources, tmp_path, "judge", 2)
    assert 0 < len(found.addresses) < len(by_one.addresses)
    assert [gap.why for gap in found.gaps] == [INTERRUPTED]
    place = tmp_path / "none"
    place.mkdir()
    none = stopped(sources, place, "judge", 0)
    assert (none.verdict, none.findings, none.addresses) == ("unknown", (), ())


def test_a_signal_ends_the_map_and_the_processes_that_are_at_work() -> None:
    told: list[int] = []

    def tell(done: int, of: int) -> None:
        told.append(done)
        os.kill(os.getpid(), signal.SIGINT)

    before = active_children()
    assert stop_after_the_first(ProcessCrew(2), tell) == {0: None}
    assert told == [1]
    # One that a thread of the pool has just waited for is listed until that thread says so.
    eventually(lambda: active_children() == before, PATIENCE, "no process is left")


def test_a_signal_ends_the_map_of_a_cluster() -> None:
    pytest.importorskip("distributed", reason="needs holdover[cluster]")
    with dask_crew(None, 2) as crew:
        found = stop_after_the_first(crew, lambda done, of: os.kill(os.getpid(), signal.SIGINT))
        assert found == {0: None}


def stop_after_the_first(crew: AuditCrew, told: Told) -> Mapping[int, object]:
    """What was done when Ctrl-C came."""
    interruption = Interruption()
    with interruption.heard(), pytest.raises(CrewStopped) as caught, interruption.raised():
        crew.map(time.sleep, [0.0, 20.0, 20.0], told)
    return caught.value.found


# Components --------------------------------------------------------------------------------------


def use(hardware: bytes, address: str, how: str = "ARP") -> Use:
    return Use.once(1, Where("x", 1), hardware, IPv4Address(address), how)  # type: ignore[arg-type]


def test_what_is_named_together_belongs_together() -> None:
    components = Components()
    for keys in ([b"a", b"b"], [b"c"], [b"d", b"c"], [b"b", b"e"]):
        components.join(keys)
    assert sorted(sorted(group) for group in components.groups()) == [
        [b"a", b"b", b"e"],
        [b"c", b"d"],
    ]


def test_an_ip_packet_joins_nothing_and_arp_does() -> None:
    """A router sends as the whole world."""
    assert len(keys_of(use(b"router", "198.51.100.1", "IP"))) == 1
    assert len(keys_of(use(b"router", "198.51.100.1"))) == 2
    assert keys_of(Gap(None, None, Where("x", 1), "")) == ()


def test_the_largest_are_dealt_first_and_evenly() -> None:
    assert deal([1, 8, 3, 4], 2) == [1, 0, 1, 1]
    assert deal([], 2) == []


def test_each_key_has_one_owner_over_all_spools(sources: Sources, tmp_path: Path) -> None:
    spools = [
        read_group(ReadOrder(Sources((each,)), tmp_path / f"{number}.spool"))
        for number, each in enumerate(sources.captures)
    ]
    owners = deal_out(spools, 3)
    found: dict[bytes, set[int]] = {}
    for spool, owned in zip(spools, owners, strict=True):
        for key, partition in zip(spool.keys, owned, strict=True):
            found.setdefault(key, set()).add(partition)
    assert all(len(each) == 1 for each in found.values())
    assert {partition for each in found.values() for partition in each} == {0, 1, 2}


# Spools ------------------------------------------------------------------------------------------


def test_a_spool_has_what_was_read_in_order(sources: Sources, tmp_path: Path) -> None:
    one = Sources(sources.captures[:1])
    spool = read_group(ReadOrder(one, tmp_path / "one.spool"))
    records = list(read_spool(spool.path))
    assert len(records) == sum(spool.counts) > 100
    assert [r.at for r in records] == sorted(r.at for r in records)
    assert any(record.reply and record.lease for record in records)
    assert spool.began == records[0].at
    assert [each.name for each in tmp_path.iterdir()] == ["one.spool"]


def test_spools_go_when_they_are_not_needed(tmp_path: Path) -> None:
    with spool_place(tmp_path / "new") as place:
        (place / "x").touch()
    assert list((tmp_path / "new").iterdir()) == []


# Merging -----------------------------------------------------------------------------------------


def test_a_rule_holds_where_one_partition_tested_it_and_none_is_open() -> None:
    untested = RULES["R1"].__class__(rule="R10", outcome="unknown", why=(NOT_MET,))
    assert add_rules([RULES["R10"], untested]).outcome == "holds"
    open_one = untested.__class__(rule="R10", outcome="unknown", why=("a gap",))
    assert add_rules([RULES["R10"], open_one]).outcome == "unknown"
    assert add_rules([untested, untested]).why == (NOT_MET,)


def test_a_broken_duty_of_one_partition_is_violated() -> None:
    broken = replace(HOLDS, verdict="violated", rules={**HOLDS.rules, "R35": BROKEN_DUTY})
    assert merge_audits([UNKNOWN, broken], ()).verdict == "violated"


def test_the_verdict_is_the_worst() -> None:
    assert merge_audits([HOLDS, UNKNOWN], ()).verdict == "unknown"
    assert merge_audits([UNKNOWN, VIOLATED, HOLDS], ()).verdict == "violated"
    assert merge_audits([HOLDS, HOLDS], ()).verdict == "holds"
    assert merge_audits([VIOLATED, VIOLATED], ()).rules["R20"].broken == 2
