"""A share of a search: some of the partitions, in a worker of a cluster.

Theory of operation.  A `Shard` is `Threads` whose other partitions are empty and stay so; tables,
spilling and the expansion of states are what they are there.  A level is expanded in *rounds*.  In
each, every worker expands states of its own until its buffers for successors are full (`expand`);
when all have, each fetches from every other what belongs to its own partitions, and puts it in
(`exchange`).  So no worker has more under way than it has buffers for, however large the level.

Each log is locked by the process that writes it, before it is opened and so cut.  One that was
given up for lost, and is not, keeps its logs from being opened; it never writes beside another.

`call` is what the process that searches has run on a worker, aside from the worker's own thread,
which meanwhile answers other workers.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from holdover.model.engine.checkpoint import Checkpoint
from holdover.model.engine.partition import Partition, pieces
from holdover.model.engine.system import lock
from holdover.model.engine.workers import Task, Threads
from holdover.model.errors import InputError, UnfinishedError
from holdover.model.packed.program import PARTITIONS, Tally, add_up
from holdover.model.readings.ground import Array


class NoClusterError(InputError):
    """There is no cluster to search on; the message says why."""


class WorkersLostError(UnfinishedError):
    """Workers were lost again and again; the message says where."""


class WorkerGoneError(ConnectionError):
    """Workers that do not answer, by their addresses; the search goes on without them."""


@dataclass(frozen=True)
class ShardOrder:
    """What a worker needs to know to open its share.  Logs are `paths`, one of each partition.

    `levels` is what a `Partition` has it for, for all partitions; `workers` are addresses.
    """

    key: str
    workers: Sequence[str]
    task: Task
    memory: int
    paths: Sequence[Path]
    levels: Sequence[Sequence[int]]
    durable: bool

    def dealt(self, to: int) -> range:
        """The partitions of a worker, side by side: thread i takes partitions i, i + n, ..."""
        count = len(self.workers)
        return range(-(-to * PARTITIONS // count), -(-(to + 1) * PARTITIONS // count))


class Shard(Threads):
    """The partitions that an order deals to this worker."""

    def __init__(self, worker: Any, order: ShardOrder):
        self.worker, self.order = worker, order
        self.number = order.workers.index(worker.address)
        self.mine = order.dealt(self.number)
        self.locks = ExitStack()
        super().__init__(order.task, worker.state.nthreads, order.memory)

    def _open(self, journal: Checkpoint | None) -> None:
        # As much again as the buffers hold may be on its way out, and on its way in.
        self.memory -= 2 * sum(worker.out.nbytes for worker in self.workers)
        super()._open(journal)
        for number, partition in enumerate(self.partitions):
            partition.levels = [0] * len(self.order.levels)
            if number in self.mine:
                partition.close()
                path = self.order.paths[number]
                self._lock(path)
                levels = [counts[number] for counts in self.order.levels]
                partition = self.partitions[number] = Partition(path, levels)
                self._make_room(partition, partition.needed(0))
                partition.rebuild(self.workers[0].fresh)

    def _lock(self, path: Path) -> None:
        file = self.locks.enter_context(path.open("ab"))
        try:
            lock(file.fileno())
        except BlockingIOError:
            raise WorkersLostError(
                f"{path}: a worker that was given up still writes there"
            ) from None

    def start(self, word: int) -> None:
        """Put the initial state in, if it belongs here."""
        if self.task.partition_of(word) in self.mine:
            super().start(word)

    def begin(self, active: Array) -> None:
        """A level begins."""
        self.active = active
        self.waiting = self._pieces(len(self.partitions[0].levels) - 2)
        for worker in self.workers:
            worker.start()

    def expand(self) -> int:
        """Expand states until buffers are full.  How many states are left to be expanded."""
        self._together(lambda worker: worker.expand(self.waiting, self.active))
        begun = sum(len(worker.states) - worker.begin for worker in self.workers)
        return begun + sum(piece.count for piece in self.waiting.left)

    def successors(self, to: int) -> list[Array]:
        """What was found for each partition of a worker."""
        return [
            np.concatenate([worker.out[number, : worker.counts[number]] for worker in self.workers])
            for number in self.order.dealt(to)
        ]

    async def exchange(self) -> int:
        """Fetch what belongs here, and put it in.  How many states are here then."""
        fetched = await asyncio.gather(*map(self._fetch, self.order.workers))
        arrived: list[list[Array]] = [[] for _ in self.partitions]
        for found in fetched:
            for number, states in zip(self.mine, found, strict=True):
                arrived[number] += (
                    states[at : at + count]
                    for at, count in pieces(0, len(states), len(self.workers[0].fresh))
                )
        await asyncio.to_thread(self._spread, arrived)
        return sum(partition.count for partition in self.partitions)

    async def _fetch(self, other: str) -> list[Array]:
        if other == self.worker.address:
            return self.successors(self.number)
        try:
            found = await self.worker.rpc(other).holdover(key=self.order.key, to=self.number)
        except OSError:
            found = None
        if found is None:
            raise WorkerGoneError(other)
        states: list[Array] = found
        return states

    def finish(self) -> Tally:
        """All successors are in; NoRoomError if what waits for a spilled table cannot be put in."""
        self._settle()
        if self.order.durable:
            self.sync()
        return add_up(worker.tally for worker in self.workers)

    def close(self) -> None:
        """Let go of threads, memory and files, and of the locks last."""
        super().close()
        self.locks.close()


SHARES: dict[str, Shard] = {}
"""The shares that this process has, by the keys of their orders."""


async def call(key: str, what: str, *args: Any, dask_worker: Any) -> tuple[Any, Exception | None]:
    """Have a share opened, or have it do something.

    What goes wrong is an answer as well: an exception of the call itself means a lost worker.
    """
    try:
        if what == "open":
            dask_worker.handlers["holdover"] = give
            SHARES[key] = await asyncio.to_thread(Shard, dask_worker, *args)
            return None, None
        if key not in SHARES:
            raise WorkerGoneError(dask_worker.address)
        work = getattr(SHARES[key], what)
        if asyncio.iscoroutinefunction(work):
            return await work(*args), None
        return await asyncio.to_thread(work, *args), None
    except Exception as error:
        return None, error


def give(key: str, to: int) -> Any:
    """Another worker asks for its successors; None if the share is gone."""
    serialized = importlib.import_module("distributed.protocol").to_serialize
    return [serialized(states) for states in SHARES[key].successors(to)] if key in SHARES else None


async def close(search: str) -> None:
    """Close all shares of a search."""
    for key in [key for key in SHARES if key.startswith(search)]:
        await asyncio.to_thread(SHARES.pop(key).close)
