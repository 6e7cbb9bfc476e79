"""Who does the work: processes of this machine, or the workers of a Dask cluster.

Theory of operation.  A crew maps a function over items, anywhere and in any order, and gives the
results in the order of the items.  The function depends on its item alone and has no effect but
files that it writes whole, so an item that was lost with its worker is done again: nothing is lost,
and nothing counted twice.  A worker that is lost again and again, as by its memory, ends it all.

Ctrl-C ends the map; what was done by then is in the exception (`CrewStopped`), and processes that
are at work are ended, for an item may take hours.

What knows Dask is imported where it is asked for: every process that is started reads this module.

What it does not know: what is done; several machines are Dask's business (decision 17).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import Any, Protocol, TypeVar

from holdover.model.errors import InputError, UnfinishedError

T = TypeVar("T")
R = TypeVar("R")

LOSSES = 3
"""How often an item may be lost with its worker."""


class CrewStopped(Exception):  # noqa: N818 -- what was asked for is no error
    """Ctrl-C came; `found` has what was done, by the number of the item."""

    def __init__(self, found: Mapping[int, Any]) -> None:
        super().__init__(f"{len(found)} items were done")
        self.found = found


Told = Callable[[int, int], None]
"""How many items are done, of how many."""


class AuditCrew(Protocol):
    """Who maps functions over items."""

    def map(self, work: Callable[[T], R], items: Sequence[T], told: Told) -> list[R]:
        """The results, in the order of the items.

        UnfinishedError where workers do not last; CrewStopped after Ctrl-C.
        """


class ProcessCrew:
    """So many processes of this machine."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, work: Callable[[T], R], items: Sequence[T], told: Told) -> list[R]:
        """By a pool; one that has lost a process is replaced, for what was not done."""
        found: dict[int, R] = {}
        others = set(active_children())
        try:
            for _ in range(LOSSES):
                left = [number for number in range(len(items)) if number not in found]
                if not left:
                    break
                self._try(work, {number: items[number] for number in left}, found, told)
        except KeyboardInterrupt:
            raise CrewStopped(found) from None
        finally:
            for process in set(active_children()) - others:
                process.terminate()
                process.join()
        if len(found) < len(items):
            raise UnfinishedError(f"a worker was lost {LOSSES} times; give fewer --workers")
        return [found[number] for number in range(len(items))]

    def _try(
        self, work: Callable[[T], R], items: Mapping[int, T], found: dict[int, R], told: Told
    ) -> None:
        """Once, until all are done or a process is lost; results go to `found`."""
        pool = self._pool(len(items))
        whole, done = len(found) + len(items), False
        try:
            waiting = {pool.submit(work, item): number for number, item in items.items()}
            for each in as_completed(waiting):
                found[waiting[each]] = each.result()
                told(len(found), whole)
            done = True
        except BrokenProcessPool:
            return
        finally:
            pool.shutdown(wait=done, cancel_futures=True)

    def _pool(self, items: int) -> ProcessPoolExecutor:
        context = get_context("spawn")  # a fork of a process with threads may hang
        return ProcessPoolExecutor(
            min(self.workers, max(items, 1)), mp_context=context, initializer=leave_ctrl_c
        )


def leave_ctrl_c() -> None:
    """Ctrl-C, which a terminal sends to all, is for who has started this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class DaskCrew:
    """The workers of a Dask cluster, by its client."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def map(self, work: Callable[[T], R], items: Sequence[T], told: Told) -> list[R]:
        """By its scheduler, which gives what a lost worker had to another one."""
        from holdover.model.engine.cluster import import_distributed

        distributed = import_distributed()
        futures = self.client.map(work, items, pure=False, retries=LOSSES)
        try:
            for done, _ in enumerate(distributed.as_completed(futures), 1):
                told(done, len(items))
            found: list[R] = self.client.gather(futures)
        except KeyboardInterrupt:
            ended = {n: each for n, each in enumerate(futures) if each.status == "finished"}
            raise CrewStopped({n: each.result() for n, each in ended.items()}) from None
        except distributed.KilledWorker as error:
            raise UnfinishedError(f"the cluster lost its workers: {error}") from error
        finally:
            self.client.cancel(futures)
        return found


@contextmanager
def dask_crew(address: str | None, workers: int) -> Iterator[DaskCrew]:
    """Of the scheduler at an address, or of a cluster of processes of this machine.

    InputError where no scheduler answers.
    """
    from holdover.model.engine.cluster import import_distributed, local_cluster

    if address is None:
        with local_cluster(import_distributed(), workers) as client:
            yield DaskCrew(client)
        return
    try:
        client = import_distributed().Client(address)
    except OSError as error:
        raise InputError(f"{address}: no Dask scheduler answers there") from error
    with client:
        yield DaskCrew(client)
