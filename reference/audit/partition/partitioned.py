"""An audit by many workers: files are read side by side, then addresses are judged side by side.

Theory of operation.  Captures whose clocks can be compared (they share frames) are one *group*, and
are read together, for they are joined to one; every other capture is a group of its own, and so are
the texts.  A group is read by one worker into a spool (`spool.py`).  Then all keys are put together
to components, and these are dealt to partitions; a partition is judged by one worker (`judge.py`),
and the audits are merged (`merge.py`).  The monitor and the reports are those of an audit by one
worker, and so is what comes out.

Ctrl-C while files are read: what was not read is a gap from where it begins, and the rest is
judged.  Ctrl-C while addresses are judged: what was not judged is as if it had not been read.  A
second one ends the program.

What it does not know: a relay's second copy of a message in another group; who forgets whom when
memory is short (`Monitor`), which depends on how many messages there were.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from holdover.model.errors import InputError
from holdover.reference.audit.course import INTERRUPTED, Grounding, Sources
from holdover.reference.audit.inputs.points import ClockOffset, measure_offsets
from holdover.reference.audit.inputs.reading import is_boottime, read_all
from holdover.reference.audit.interruption import Interruption
from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.observations import Coverage, Gap, Where, due_at
from holdover.reference.audit.partition.crew import (
    AuditCrew,
    CrewStopped,
    ProcessCrew,
    Told,
    dask_crew,
)
from holdover.reference.audit.partition.judge import JudgeOrder, deal_out, judge
from holdover.reference.audit.partition.merge import merge_audits
from holdover.reference.audit.partition.spool import Spooled, write_spool
from holdover.reference.console.progress import Progress

T = TypeVar("T")
R = TypeVar("R")

HERE = "here"
USUAL = 2
"""Workers of a cluster on this machine, where nobody says how many."""

PARTS = 2
"""Partitions for each worker: so that one that has much to do is not waited for alone."""


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """A group of sources that a worker is to read, where its spool goes, and the clock of its logs.

    `boottime`: that of the lab's captures (`inputs/reading.py`).
    """

    sources: Sources
    path: Path
    boottime: bool = False


def run_partitioned(
    sources: Sources,
    grounding: Grounding,
    workers: int | None,
    cluster: str | None,
    spool: Path | None,
) -> Audit:
    """The audit of all sources; as `run_course` makes it."""
    interruption = Interruption()
    with ExitStack() as opened:
        progress = opened.enter_context(Progress("audit"))
        opened.enter_context(interruption.heard())
        place = opened.enter_context(spool_place(spool))
        number = workers or USUAL
        crew: AuditCrew = ProcessCrew(number)
        if cluster is not None:
            address = None if cluster == HERE else cluster
            crew = opened.enter_context(dask_crew(address, number))
        return audit_by(crew, number, sources, grounding, place, progress, interruption)


def audit_by(
    crew: AuditCrew,
    workers: int,
    sources: Sources,
    grounding: Grounding,
    place: Path,
    progress: Progress,
    interruption: Interruption | None = None,
) -> Audit:
    """The audit of all sources by a crew; spools go to `place`."""
    interruption = Interruption() if interruption is None else interruption
    progress.say("audit: comparing clocks")
    try:
        with interruption.raised():
            groups = group_sources(sources, measure_offsets(sources.named))
    except KeyboardInterrupt:
        return unread_audit(sources, grounding)
    boottime = has_boottime(sources)
    orders = [
        ReadOrder(each, place / f"{number}.spool", boottime) for number, each in enumerate(groups)
    ]
    progress.say(f"audit: reading {len(groups)} groups of files")
    told = partial(report_progress, progress, "groups of files read")
    read = map_until(interruption, crew, read_group, orders, told)
    if len(read) < len(orders):
        unread = [each for number, each in enumerate(groups) if number not in read]
        read[len(orders)] = write_gaps(unread, place / "unread.spool")
    spools = tuple(read[number] for number in sorted(read))
    partitions = max(workers * PARTS, 1)
    owners = deal_out(spools, partitions)
    coverage = in_order(sources, [each for spool in spools for each in spool.coverage])
    began = min((each.began for each in spools if each.began is not None), default=None)
    wanted = [
        JudgeOrder(
            partition, spools, tuple(owners), began, grounding.premises, grounding.profile, coverage
        )
        for partition in range(partitions)
    ]
    progress.say(f"audit: judging {partitions} partitions")
    told = partial(report_progress, progress, "partitions judged")
    judged = map_until(interruption, crew, judge, wanted, told)
    audits = [judged[number] for number in sorted(judged)]
    if len(judged) < len(wanted):
        audits.append(unread_audit(sources, grounding))
    return merge_audits(audits, coverage)


def unread_audit(sources: Sources, grounding: Grounding) -> Audit:
    """What is to be said of sources of which nothing was read."""
    coverage = tuple(Coverage(name, None, None, 0) for name in source_names(sources))
    monitor = grounding.monitor()
    monitor.observe(Gap(None, None, Where(coverage[0].file, 0), INTERRUPTED))
    return monitor.finish(coverage)


def map_until(
    interruption: Interruption,
    crew: AuditCrew,
    work: Callable[[T], R],
    items: Sequence[T],
    told: Told,
) -> dict[int, R]:
    """What a crew makes of the items, by their numbers: of all, or until Ctrl-C."""
    if interruption.is_over():  # what is left is the report, which a second one ends
        return dict(enumerate(crew.map(work, items, told)))
    try:
        with interruption.raised():
            return dict(enumerate(crew.map(work, items, told)))
    except CrewStopped as stopped:
        return dict(stopped.found)
    except KeyboardInterrupt:  # before or after the work
        return {}


def write_gaps(groups: Sequence[Sources], path: Path) -> Spooled:
    """A spool that says of sources that they were not read: a gap from the first frame on.

    Of a text, which may be of any time, and of a pipe, it is a gap of all time.
    """
    gaps, coverage = [], []
    for group in groups:
        names = source_names(group)
        files = [each for each in group.named if Path(each).is_file()]
        begun = [next(read_all((each,)), None) for each in files]
        times = [due_at(each) for each in begun if each is not None]
        since = min(times) if times and len(times) == len(names) else None
        gaps.append(Gap(since, None, Where(names[0], 0), INTERRUPTED))
        coverage += [Coverage(name, None, None, 0) for name in names]
    return write_spool(gaps, lambda: coverage, path)


def report_progress(progress: Progress, what: str, done: int, of: int) -> None:
    """How many are done."""
    progress.count(done, of, what)


def read_group(order: ReadOrder) -> Spooled:
    """Read a group of sources into its spool."""
    sources = order.sources
    reading = read_all(sources.named, sources.host_logs, sources.leases, boottime=order.boottime)
    return write_spool(reading, lambda: reading.coverage, order.path)


def has_boottime(sources: Sources) -> bool:
    """Whether the logs go with captures of the lab; only a log of the lab asks for that."""
    if not sources.host_logs:
        return False
    begun = (next(read_all((each,)), None) for each in sources.named[:1])
    return any(each is not None and is_boottime(due_at(each)) for each in begun)


def group_sources(sources: Sources, offsets: Sequence[ClockOffset]) -> list[Sources]:
    """Which sources have to be read together."""
    together = [
        name
        for number, (name, offset) in enumerate(zip(sources.captures, offsets, strict=True))
        if number == 0 or offset.common
    ]
    groups = [Sources(captures=tuple(together))] if together else []
    groups += [Sources(captures=(each,)) for each in sources.captures if each not in together]
    groups += [Sources(host_logs=(each,)) for each in sources.host_logs]
    groups += [Sources(leases=(each,)) for each in sources.leases]
    return groups


def source_names(sources: Sources) -> list[str]:
    """All of them, as they were given."""
    return [*sources.captures, *map(str, (*sources.host_logs, *sources.leases))]


def in_order(sources: Sources, coverage: Sequence[Coverage]) -> tuple[Coverage, ...]:
    """The coverage of the sources in the order in which they were given."""
    names = source_names(sources)
    return tuple(sorted(coverage, key=lambda each: names.index(each.file)))


@contextmanager
def spool_place(wanted: Path | None) -> Iterator[Path]:
    """A directory of its own for the spools; it goes when they are no longer needed."""
    try:
        if wanted is not None:
            wanted.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix="holdover-audit-", dir=wanted))
    except OSError as error:
        raise InputError(f"--spool {wanted}: {error.strerror}; name another directory") from error
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
