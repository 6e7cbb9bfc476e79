"""The engine on a cluster: the counts of threads, with workers killed, and nothing left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

distributed = pytest.importorskip("distributed", reason="needs holdover[cluster]")

from holdover.model.engine import cluster, engine  # noqa: E402
from holdover.model.engine.cluster import search_on_cluster  # noqa: E402
from holdover.model.engine.shard import NoClusterError, ShardOrder, WorkersLostError  # noqa: E402
from holdover.model.engine.workers import Task  # noqa: E402
from holdover.model.explorer.explore import EngineResult, Progress  # noqa: E402
from holdover.model.packed.program import PARTITIONS, Program, program  # noqa: E402
from holdover.model.packed.tabulated import Tabulated  # noqa: E402
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS  # noqa: E402
from holdover.reference.lab.testbed.process import PATIENCE  # noqa: E402
from tests.model.engine.prepared import PINNED, instance_of, tables  # noqa: E402

ASKED = (ALWAYS, STEPS, SOMETIMES)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instances are tabulated once: what goes to the workers is a function of them."""
    for module in (cluster, engine):
        monkeypatch.setattr(module, "Tabulated", tables)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a cluster with two workers, of two threads each."""
    with cluster.local_cluster(distributed, 2, threads=2) as client:
        yield client.scheduler.address


def said(found: EngineResult) -> tuple[object, ...]:
    broken = {name: len(trace) for name, trace in found.violations.items()}
    return (
        found.states,
        found.stored,
        found.steps,
        found.depth,
        found.complete,
        broken,
        found.witnessed,
        found.fired,
        found.worst,
    )


@cache
def by_threads(name: str, symmetry: bool) -> tuple[object, ...]:
    return said(engine.search(instance_of(name), *ASKED, symmetry=symmetry))


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("name", ["udhcpc", "lifecycle, three hosts"])
def test_a_cluster_says_what_threads_say(
    scheduler: str, tmp_path: Path, name: str, symmetry: bool
) -> None:
    instance = instance_of(name)
    found = search_on_cluster(
        instance, *ASKED, address=scheduler, workers=2, symmetry=symmetry, directory=tmp_path / "c"
    )
    assert said(found) == by_threads(name, symmetry)
    assert found.states == PINNED[name].states
    assert len(found.violations) == len(PINNED[name].broken)


class Killer:
    """A progress callback that kills a worker while states of a depth are expanded."""

    def __init__(self, depth: int, times: int = 1, spared: Collection[int | None] = ()):
        self.depth, self.times, self.spared = depth, times, spared
        self.calls = 0

    def __call__(self, depth: int, states: int, left: int) -> None:
        if depth != self.depth:
            return
        self.calls += 1  # the first is that the level before has ended
        if 2 <= self.calls < 2 + self.times:
            pid = next(pid for pid in children() if pid not in self.spared)
            assert pid
            os.kill(pid, signal.SIGKILL)


def children() -> list[int | None]:
    return [child.pid for child in multiprocessing.active_children()]


def test_a_killed_worker_costs_time_and_the_search_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = children()
    instance = instance_of("udhcpc")
    killer = Killer(depth=15, spared=before)
    found = search_on_cluster(instance, *ASKED, workers=2, symmetry=False, progress=killer)
    assert killer.calls >= 3
    assert said(found) == by_threads("udhcpc", symmetry=False)
    assert set(children()) == set(before)
    assert not list(tmp_path.iterdir())


class StopError(Exception):
    pass


def stopping(depth: int, states: int, left: int) -> None:
    if depth == 12:
        raise StopError


def test_a_checkpoint_of_a_cluster_is_one_of_threads(scheduler: str, tmp_path: Path) -> None:
    instance = instance_of("udhcpc")
    whole = by_threads("udhcpc", symmetry=True)

    def on_cluster(directory: Path, progress: Progress | None) -> EngineResult:
        return search_on_cluster(
            instance, *ASKED, address=scheduler, workers=2, directory=directory, progress=progress
        )

    with pytest.raises(StopError):
        on_cluster(tmp_path / "one", stopping)
    depths: list[int] = []
    found = engine.search(
        instance,
        *ASKED,
        directory=tmp_path / "one",
        progress=lambda depth, *_: depths.append(depth),
    )
    assert said(found) == whole
    assert min(depths) >= 11
    with pytest.raises(StopError):
        engine.search(instance, *ASKED, directory=tmp_path / "two", progress=stopping)
    depths.clear()
    found = on_cluster(tmp_path / "two", lambda depth, *_: depths.append(depth))
    assert said(found) == whole
    assert min(depths) >= 11


def test_want_of_memory_ends_a_search(scheduler: str, tmp_path: Path) -> None:
    found = search_on_cluster(
        instance_of("frozen and thawed"),
        *ASKED,
        address=scheduler,
        workers=2,
        memory=1 << 18,
        symmetry=False,
        directory=tmp_path / "c",
    )
    assert (found.complete, found.stopped_by) == (False, "memory")
    assert 1 < found.states < PINNED["frozen and thawed"].states


@cache
def smallest() -> Program:
    return program(Tabulated(instance_of("lwip")))


@pytest.mark.parametrize("count", range(1, PARTITIONS + 1))
def test_each_partition_is_dealt_to_one_worker(count: int) -> None:
    order = ShardOrder("", [""] * count, Task(smallest(), None), 0, [], [], durable=False)
    dealt = [number for to in range(count) for number in order.dealt(to)]
    assert dealt == list(range(PARTITIONS))
    assert all(map(len, map(order.dealt, range(count))))


def test_losses_without_progress_end_a_search(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LOSSES", 1)
    with pytest.raises(WorkersLostError, match="lost 2 times at depth 5"):
        search_on_cluster(
            instance_of("udhcpc"),
            *ASKED,
            address=scheduler,
            workers=2,
            directory=tmp_path / "c",
            progress=Killer(5, times=9),
        )


def test_a_scheduler_that_is_not_there_or_has_no_directory_is_said() -> None:
    with pytest.raises(NoClusterError, match="directory"):
        search_on_cluster(instance_of("lwip"), address="tcp://127.0.0.1:1", workers=2)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NoClusterError, match=r"pip install 'holdover\[cluster\]'"):
        search_on_cluster(instance_of("lwip"), workers=2)


INTERRUPTED = """
import multiprocessing, sys
from holdover.reference import signals

def tell(depth, states, left):
    if depth == 5:
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        sys.stdin.read()

if __name__ == "__main__":
    signals.watch()  # before numpy, which starts threads
    from holdover.model.engine.cluster import search_on_cluster
    from holdover.model.explorer.configurations import configurations

    instance = {c.name: c for c in configurations()}["lwip"].instance()
    search_on_cluster(instance, workers=2, progress=tell)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_search_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    script, scratch = tmp_path / "script.py", tmp_path / "scratch"
    script.write_text(INTERRUPTED)
    scratch.mkdir()
    with subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        pids = process.stdout.readline().split()
        process.send_signal(number)
        assert process.wait(PATIENCE) == (143 if number == signal.SIGTERM else -number)
    assert len(pids) == 2

    def left() -> list[Path]:
        # Who removes the directory is a process of its own, and may come after the last worker.
        return [
            *(path for path in map(Path("/proc").joinpath, pids) if path.exists()),
            *scratch.iterdir(),
        ]

    patience = time.monotonic() + PATIENCE
    while left() and time.monotonic() < patience:
        time.sleep(0.05)
    assert not left()
