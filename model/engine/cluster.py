"""The engine beyond one process: a crew whose workers are those of a Dask cluster.

Theory of operation.  The partitions are dealt out to the workers; what a worker does is in
`shard.py`.  Words go from worker to worker, and none by this process, which says when.  Its calls
go to all workers at once and return when all have answered, so between calls nobody is at work.

A level is a transaction.  The logs lie where every worker reaches them.  If a worker is lost, all
close their shares, the partitions are dealt out anew to those that are there - Dask starts a
killed worker again - and the shares are opened from the logs as of the last level that ended: what
was found since is cut off, tallies are gone with the shares, and the level is done once more.

Without a directory the logs are files without a name, held open by this process, and its workers
open them by way of /proc.  However the process ends, they are gone; and so are the workers, which
end when the pipe to it is closed.

What it does not know: the loss of Dask's scheduler, which ends the search (a checkpoint resumes
it); that all machines have one version of holdover, and are alike; and whom to trust: who reaches
a Dask cluster can run anything on it.
"""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from holdover.model.engine.checkpoint import Checkpoint
from holdover.model.engine.engine import EngineSearch
from holdover.model.engine.partition import NoRoomError, WordFile
from holdover.model.engine.shard import (
    NoClusterError,
    ShardOrder,
    WorkerGoneError,
    WorkersLostError,
    call,
    close,
)
from holdover.model.engine.workers import Task
from holdover.model.explorer.explore import EngineResult, Progress
from holdover.model.packed.program import PARTITIONS, Tally, add_up, program
from holdover.model.packed.symmetry import renamings
from holdover.model.packed.tabulated import Tabulated
from holdover.model.readings.finite import Instance
from holdover.model.readings.ground import Array
from holdover.model.table.properties import Property

T = TypeVar("T")

LOSSES = 3
"""Losses in one level before the search is given up."""

PATIENCE = 30.0
"""Seconds to wait for a lost worker to come back before going on with those that are left."""


class Workers:
    """A crew of Dask's workers."""

    def __init__(
        self, client: Any, workers: int, task: Task, memory: int, journal: Checkpoint | None
    ):
        self.client, self.wanted, self.task, self.memory = client, workers, task, memory
        self.levels = [[0] * PARTITIONS]
        self.durable = journal is not None
        self.nameless: list[WordFile] = []
        if journal is None:
            self.nameless = [WordFile() for _ in range(PARTITIONS)]
            self.paths = [Path(f"/proc/{os.getpid()}/fd/{file.number}") for file in self.nameless]
        else:
            self.levels += [counts for counts, _ in journal.levels]
            where = journal.directory.resolve()
            self.paths = [where / f"{number:02d}.states" for number in range(PARTITIONS)]
        self.search = uuid.uuid4().hex
        self.key = ""
        self.addresses: list[str] = []
        self.losses = 0
        self.fill: Callable[[], Any] = list
        self.filled = ""

    def start(self, word: int) -> None:
        """Put the initial state in."""
        self._fill(partial(self._all, "start", word))

    def level(self, active: Array, progress: Progress | None) -> Tally:
        """Expand the states of the greatest depth."""
        tally: Tally = self._fill(partial(self._rounds, active, progress))
        return tally

    def close_level(self) -> list[int]:
        """The level has ended."""

        def work() -> list[int]:
            if self.filled != self.key:  # a worker was lost since, and the level with it
                with suppress(NoRoomError):
                    self.fill()
            return [sum(counts) for counts in zip(*self._all("close_level"), strict=True)]

        self.levels.append(self._surely(work))
        self.losses = 0
        return self.levels[-1]

    def sync(self) -> None:
        """Nothing is left to do: each level is on the disk before it ends."""

    def look(self, depth: int, active: Array) -> Tally:
        """See what the active rules see in the states of a depth."""
        return add_up(self._surely(partial(self._all, "look", depth, active)))

    def lead_to(self, depth: int, goals: Array, active: Array) -> Array:
        """For each goal the least state of this depth that a step leads from to it."""
        found = self._surely(partial(self._all, "lead_to", depth, goals, active))
        least: Array = np.min(found, axis=0)
        return least

    def close(self) -> None:
        """Have the workers forget the search."""
        self.client.run(close, self.search, on_error="ignore")
        for file in self.nameless:
            file.close()

    def _fill(self, fill: Callable[[], T]) -> T:
        def work() -> T:
            self.filled = self.key
            return fill()

        self.fill = work
        return self._surely(work)

    def _rounds(self, active: Array, progress: Progress | None) -> Tally:
        self._all("begin", active)
        left = 1
        while left:
            left = sum(self._all("expand"))
            count = sum(self._all("exchange"))
            if progress is not None:
                progress(len(self.levels) - 2, count, left)
        return add_up(self._all("finish"))

    def _all(self, what: str, *args: Any) -> list[Any]:
        """Have all shares do something.  When this returns or raises, none is at work."""
        # All that the scheduler has are called: to call one that it has lost takes a long time-out.
        answers = self.client.run(call, self.key, what, *args, on_error="return")
        values, errors, lost = [], [], set()
        for address in self.addresses:
            answer = answers.get(address)
            if not isinstance(answer, tuple):
                lost.add(address)
            elif isinstance(answer[1], WorkerGoneError):
                lost.update(answer[1].args)
            else:
                values.append(answer[0])
                errors += [answer[1]] if answer[1] is not None else []
        if lost:
            raise WorkerGoneError(*lost)
        if errors:
            raise errors[0]
        return values

    def _surely(self, work: Callable[[], T]) -> T:
        """Have something done, again if workers are lost meanwhile."""
        lost: set[str] = set()
        while True:
            try:
                if not self.addresses:
                    self._open(lost)
                return work()
            except WorkerGoneError as gone:
                self.addresses = []
                lost |= set(gone.args)
                self.losses += 1
                if self.losses > LOSSES:
                    raise WorkersLostError(
                        f"workers were lost {self.losses} times at depth {len(self.levels) - 2}, "
                        f"at last {', '.join(gone.args)}: killed for their memory?"
                    ) from gone

    def _open(self, lost: set[str]) -> None:
        """Deal the partitions out to the workers there are."""
        patience = time.monotonic() + PATIENCE
        while True:
            here = set(self.client.scheduler_info(n_workers=-1)["workers"]) - lost
            if len(here) >= self.wanted or time.monotonic() > patience:
                break
            time.sleep(0.05)
        if not here:
            raise (WorkersLostError if lost else NoClusterError)("the cluster has no workers")
        self.wanted = min(self.wanted, len(here))
        self.client.run(close, self.search, on_error="ignore")
        self.key = f"{self.search} {uuid.uuid4().hex}"
        self.addresses = sorted(here)[:PARTITIONS]
        self._all(
            "open",
            ShardOrder(
                self.key,
                self.addresses,
                self.task,
                self.memory,
                self.paths,
                self.levels,
                self.durable,
            ),
        )


def search_on_cluster(
    instance: Instance,
    always: Sequence[Property] = (),
    steps: Sequence[Property] = (),
    sometimes: Sequence[Property] = (),
    *,
    address: str | None = None,
    workers: int,
    memory: int = 1 << 30,
    symmetry: bool = True,
    directory: Path | None = None,
    progress: Progress | None = None,
) -> EngineResult:
    """As `engine.search` does it, by so many workers, each with `memory` bytes.

    Without an address they are processes of this machine that end with the search, one thread
    each.  With the address of a Dask scheduler they are those it has, so many at least, with their
    threads; then `directory` is one that all machines reach.

    Raises what `engine.search` does, NoClusterError, and WorkersLostError where that goes on.
    """
    distributed = import_distributed()
    if address is not None and directory is None:
        raise NoClusterError(
            "a cluster of several machines needs a directory that all of them reach"
        )
    tabulated = Tabulated(instance, always, steps, sometimes)
    task = Task(program(tabulated), renamings(tabulated) if symmetry else None)
    with ExitStack() as stack:
        journal = None
        if directory is not None:
            journal = Checkpoint(directory, task.key, task.rules)
            stack.callback(journal.close)
        if address is None:
            client = stack.enter_context(local_cluster(distributed, min(workers, PARTITIONS)))
        else:
            try:
                client = stack.enter_context(distributed.Client(address))
            except OSError as error:
                raise NoClusterError(f"{address}: no Dask scheduler answers there") from error
        crew = Workers(client, min(workers, PARTITIONS), task, memory, journal)
        stack.callback(crew.close)
        try:
            return EngineSearch(tabulated, task, crew, journal, progress).run()
        except NoRoomError:  # not even for empty tables
            return EngineResult(instance, stopped_by="memory")


def import_distributed() -> Any:
    """Dask's package; NoClusterError where it is not installed."""
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise NoClusterError(
            "work on several machines takes Dask: pip install 'holdover[cluster]'"
        ) from error


@contextmanager
def local_cluster(distributed: Any, workers: int, threads: int = 1) -> Iterator[Any]:
    """A cluster of processes of this machine, which nobody else is told of."""
    scratch = tempfile.mkdtemp(prefix="holdover-")  # Dask's; nothing of ours is there
    settings: dict[str, object] = {
        "temporary-directory": scratch,
        "distributed.comm.timeouts.connect": "5s",  # to one that was just killed
    }
    for what in ("scheduler", "worker", "nanny"):
        settings[f"distributed.{what}.http.routes"] = []  # it serves no pages
    with (
        # Removes the directory at the end of the pipe: however this process comes to its own end.
        subprocess.Popen(
            ["sh", "-c", 'cat; rm -rf -- "$0"', scratch],
            stdin=subprocess.PIPE,
            start_new_session=True,
        ),
        importlib.import_module("dask").config.set(settings),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            host="127.0.0.1",
            memory_limit=0,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
