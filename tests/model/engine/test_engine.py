"""The engine finds what the explorer finds, whatever it is given: threads, memory, kills."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest

from holdover.model.engine import checkpoint, engine, partition
from holdover.model.engine.checkpoint import Checkpoint, NotThisSearchError
from holdover.model.engine.engine import search
from holdover.model.engine.partition import Partition
from holdover.model.engine.workers import Task, Threads
from holdover.model.errors import InputError
from holdover.model.explorer.configurations import Configuration, configurations
from holdover.model.explorer.explore import EngineResult, explore
from holdover.model.packed.components import WORD, TooManyValuesError
from holdover.model.packed.program import program
from holdover.model.packed.sampled import sample
from holdover.model.packed.symmetry import NotSymmetricError, renamings
from holdover.model.packed.tabulated import Tabulated
from holdover.model.readings.finite import Instance, State
from holdover.model.table.expr import Expr, exists, following, forall
from holdover.model.table.properties import (
    ALWAYS,
    EXCLUSIVE,
    RELEASED_FIRST,
    SOMETIMES,
    STEPS,
    WITHIN_LEASE,
    Property,
)
from holdover.model.table.vocabulary import HOST, a, h, holds, owner
from tests.model.engine.engine_battery import canonical_states
from tests.model.engine.orbits import renamed
from tests.model.engine.prepared import explored, instance_of, tables

SMALL = instance_of("wfwg311-thereafter")


def counts(found: EngineResult) -> tuple[object, ...]:
    """What must not depend on how the search was made."""
    return (
        found.states,
        found.steps,
        found.depth,
        found.complete,
        dict(found.fired),
        found.worst,
        found.witnessed,
        {n: len(t) for n, t in found.violations.items()},
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instances are tabulated once, and nothing waits for the disk.

    Here processes end and the machine goes on, so what was written is there; what a machine loses
    that goes down is `resumed` in the battery.
    """
    monkeypatch.setattr(engine, "Tabulated", tables)
    monkeypatch.setattr(os, "fdatasync", lambda file: None)


def searched(instance: Instance, **how: Any) -> EngineResult:
    return search(instance, ALWAYS, STEPS, SOMETIMES, **how)


@pytest.mark.kept("cases of the engine", by="configuration")
@pytest.mark.parametrize("symmetry", [False, True], ids=["every state", "up to symmetry"])
@pytest.mark.parametrize("configuration", configurations(), ids=lambda c: str(c.name))
def test_the_pinned_counts(configuration: Configuration, symmetry: bool) -> None:
    if configuration.beside and symmetry:
        with pytest.raises(NotSymmetricError, match="hosts have clients of their own"):
            searched(instance_of(configuration.name), symmetry=True)
        return
    found = searched(instance_of(configuration.name), symmetry=symmetry)
    assert found.complete
    assert (found.states, found.steps, found.depth) == (
        configuration.states,
        configuration.steps,
        configuration.depth,
    )
    broken = {name: len(trace) for name, trace in found.violations.items()}
    assert broken == dict(configuration.broken)
    assert tuple(sorted(found.witnessed)) == configuration.sometimes
    members = configuration.hosts + configuration.addresses + configuration.messages
    assert (found.stored < found.states) == (symmetry and members > 3)


@pytest.mark.parametrize(
    "name",
    [
        "wfwg311",
        pytest.param("lifecycle, two addresses", marks=pytest.mark.kept("cases of the engine")),
        "duplicates",
    ],
)
def test_all_that_the_explorer_says(name: str) -> None:
    instance, seen = instance_of(name), explored(name)
    for symmetry in (False, True):
        found = searched(instance, symmetry=symmetry)
        assert found.fired == seen.fired
        assert found.worst == seen.worst
        for broken, trace in found.violations.items():
            assert len(trace) == len(seen.violations[broken])


def test_runs_are_runs_of_the_finite_reading() -> None:
    instance = instance_of("wfwg311")
    for symmetry in (False, True):
        for name, trace in searched(instance, symmetry=symmetry).violations.items():
            assert trace.states[0] == instance.initial
            for before, label, after in zip(
                trace.states, trace.labels, trace.states[1:], strict=False
            ):
                assert (instance.labels.index(label), after) in instance.successors(before)
            term = next(p.term for p in ALWAYS if p.name == name)
            kept = [instance.predicate(term)(state) for state in trace.states]
            assert kept == [True] * len(trace) + [False]


def test_a_property_of_steps_is_broken_by_the_last_step() -> None:
    """The server never gives up a lease: false, and seen in a step, not in a state."""
    keeps = (owner[a] != h) | (following(owner[a]) == h)
    keeps = (owner[a] != h) | (following(owner[a]) == h)
    never = Property("never", "-", "-", forall(h, forall(a, keeps)))
    shortest = explore(SMALL, (), (never,)).violations["never"]
    for symmetry in (False, True):
        trace = search(SMALL, (), (never,), symmetry=symmetry).violations["never"]
        assert len(trace) == len(shortest)
        assert not SMALL.step_predicate(never.term)(trace.states[-2], trace.states[-1])


# The reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wfwg311", "duplicates", "one host, every passing fault"])
def test_every_state_is_a_word_and_back(name: str) -> None:
    instance = instance_of(name)
    tabulated = tables(instance, ALWAYS, STEPS, SOMETIMES)
    states = explored(name).states[::7]
    words = [tabulated.pack(state) for state in states]
    assert [tabulated.unpack(word) for word in words] == states
    assert len(set(words)) == len(words)


@pytest.mark.kept("cases of the engine")
@pytest.mark.parametrize("name", ["server forgets", "answered twice", "two kinds of client"])
def test_the_closure_finds_the_values_without_a_sample(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins with some states' values to save rounds; from the first state it has the same."""

    def values() -> list[set[bytes]]:
        kinds = Tabulated(instance_of(name)).kinds.values()
        return [{row.tobytes() for row in kind.matrix} for kind in kinds]

    sampled = values()
    monkeypatch.setattr("holdover.model.packed.tabulated.SAMPLED", 1)
    assert values() == sampled


def test_a_sample_of_states_has_all_values_that_there_are_in_many_more() -> None:
    instance, states = instance_of("wfwg311-thereafter"), explored("wfwg311-thereafter").states
    parts = [component.slots for component in Tabulated(instance).components]

    def values(some: Sequence[State]) -> list[set[State]]:
        return [{tuple(state[slot] for slot in slots) for state in some} for slots in parts]

    sampled = sample(instance, parts, len(states))
    assert values(sampled) == values(states)
    assert len(sampled) < len(states) / 20
    assert sample(instance, parts, 1) == [instance.initial]


def test_a_state_wider_than_a_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bit: to tabulate an instance that is too wide for 63 would take seconds."""
    assert WORD == 63
    monkeypatch.setattr(engine, "Tabulated", Tabulated)
    width = sum(part.kind.bits for part in Tabulated(SMALL, (EXCLUSIVE,)).components)
    monkeypatch.setattr("holdover.model.packed.tabulated.WORD", width - 1)
    with pytest.raises(TooManyValuesError, match=f"takes {width} bits, more than {width - 1}"):
        search(SMALL, (EXCLUSIVE,))
    monkeypatch.setattr("holdover.model.packed.tabulated.WORD", width)
    assert search(SMALL, (EXCLUSIVE,)).complete


# Symmetry ----------------------------------------------------------------------------------------


@pytest.mark.kept("cases of the engine")
def test_renaming_does_not_change_the_canonical_state_and_orbits_are_counted() -> None:
    """Against every renaming, written out item by item."""
    large = Configuration("", "udhcpc", 3, 2, 2, 2, 0, ("mutes",), 0, 0, 0, {}, (), ())
    instance = large.instance()
    tabulated = Tabulated(instance)
    symmetry = renamings(tabulated)
    bounds = instance.bounds
    groups = [
        dict(zip(("Host", "Address", "Message"), names, strict=True))
        for names in product(
            *(
                list(permutations(range(n)))
                for n in (bounds.hosts, bounds.addresses, bounds.messages)
            )
        )
    ]
    seen = explore(instance, memory=10_000_000)
    for state in seen.states[:: len(seen.states) // 150]:
        orbit = {renamed(instance, state, names) for names in groups}
        words = [tabulated.pack(other) for other in orbit]
        ((canonical, size),) = canonical_states(symmetry, words)
        assert canonical in words
        assert size == len(orbit)


def test_a_term_that_names_a_member_has_no_symmetry() -> None:
    first = Expr("literal", (0,), HOST)
    named = Property("named", "-", "-", exists(h, (h == first) & (holds[h] == holds[h])))
    with pytest.raises(NotSymmetricError, match="tells members apart"):
        renamings(Tabulated(SMALL, (named,)))


# Threads and memory ------------------------------------------------------------------------------

MEDIUM = instance_of("lifecycle, two addresses")


@pytest.fixture(scope="module")
def whole() -> EngineResult:
    """225,956 states, with all the room in the world."""
    return searched(MEDIUM, symmetry=False)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(threads: int, whole: EngineResult) -> None:
    found = searched(MEDIUM, symmetry=False, threads=threads)
    assert counts(found) == counts(whole)


class Watched(Threads):
    """A crew that says how much memory its tables took at most, and how often it spilled."""

    most = spills = 0

    def _spread(self, arrived: Any) -> None:
        super()._spread(arrived)
        self.look_at()

    def _make_room(self, partition: Partition, size: int) -> None:
        super()._make_room(partition, size)
        self.look_at(size - partition.held)

    def look_at(self, coming: int = 0) -> None:
        Watched.most = max(Watched.most, sum(p.held for p in self.partitions) + coming)
        Watched.spills = max(Watched.spills, sum(p.spilled for p in self.partitions))


@pytest.mark.parametrize("memory", [1_700_000, 1_000_000, 600_000])
def test_past_its_memory_a_search_goes_to_disk(
    memory: int, whole: EngineResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "Threads", Watched)
    monkeypatch.setattr(Watched, "most", 0)
    monkeypatch.setattr(Watched, "spills", 0)
    found = searched(MEDIUM, symmetry=False, memory=memory)
    assert counts(found) == counts(whole)
    assert Watched.spills > 0
    assert Watched.most <= memory


def test_a_search_without_enough_memory_is_unknown_and_what_it_saw_is_true(
    whole: EngineResult,
) -> None:
    found = searched(MEDIUM, symmetry=False, memory=150_000)
    assert not found.complete
    assert found.stopped_by == "memory"
    assert 0 < found.states == found.stored < whole.states
    assert found.violations == {}
    assert found.depth < whole.depth


def test_with_stop_it_ends_a_step_past_the_first_violation() -> None:
    whole = search(SMALL, (EXCLUSIVE,), threads=1)
    seen = search(SMALL, (EXCLUSIVE,), threads=1, stop=True)
    assert (seen.stopped_by, seen.complete) == ("violation", False)
    assert len(seen.violations["exclusive"]) == len(whole.violations["exclusive"])
    assert seen.depth == len(seen.violations["exclusive"]) + 1 < whole.depth
    assert seen.states < whole.states


def test_what_was_found_last_is_looked_at_too() -> None:
    """Of a search that was cut off, the states of the greatest depth, which it did not expand."""
    instance = instance_of("wfwg311")
    for prop in (EXCLUSIVE, WITHIN_LEASE, RELEASED_FIRST):
        trace = explore(instance, (prop,), stop=True).violations[prop.name]

        class Cramped(Threads):
            """No more room once the depth of the violation has been found."""

            def level(self, active: Any, progress: Any, last: int = len(trace)) -> Any:
                tally = super().level(active, progress)
                if len(self.partitions[0].levels) - 1 == last:
                    raise partition.NoRoomError
                return tally

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine, "Threads", Cramped)
            found = searched(instance)
        assert found.stopped_by == "memory"
        assert found.depth == len(trace)
        assert len(found.violations[prop.name]) == len(trace)


def test_a_full_disk_ends_the_search_as_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a checkpoint and without; the checkpoint stays good."""
    wanted = searched(SMALL)
    pwrite, written = os.pwrite, 0

    def full_after(room: int) -> Callable[..., int]:
        def write(fd: int, data: Any, at: int) -> int:
            nonlocal written
            written += len(data)
            if written > room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return pwrite(fd, data, at)

        return write

    for directory in (None, tmp_path / "kept"):
        written = 0
        monkeypatch.setattr(os, "pwrite", full_after(30_000))
        found = searched(SMALL, directory=directory)
        assert found.stopped_by == "disk"
        assert not found.complete
        assert 0 < found.states < wanted.states
    monkeypatch.setattr(os, "pwrite", pwrite)
    assert counts(searched(SMALL, directory=tmp_path / "kept")) == counts(wanted)


# Checkpoints -------------------------------------------------------------------------------------

WRITES = ((partition.WordFile, "append"), (partition.WordFile, "sync"), (Checkpoint, "_write"))
"""Where the disk is touched: a kill between two of these is a kill anywhere."""


def counting(monkeypatch: pytest.MonkeyPatch, reached: Callable[[], None]) -> None:
    """Call `reached` before each touch of the disk, and in the middle of a line of the journal."""
    for owner_, name in WRITES:
        touch = getattr(owner_, name)

        def touched(self: Any, *args: Any, touch: Any = touch, name: str = name) -> Any:
            reached()
            if name == "_write":
                file = self._file
                position = file.seek(0, os.SEEK_END)
                file.write(b'{"counts": [1, 2')
                file.flush()
                reached()
                file.truncate(position)
            return touch(self, *args)

        monkeypatch.setattr(owner_, name, touched)


def killed_at(moment: int, instance: Instance, directory: Path, how: dict[str, Any]) -> None:
    """In a process of its own: search, and be killed at the given touch of the disk."""
    left = moment

    def reached() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as monkeypatch:
        counting(monkeypatch, reached)
        searched(instance, directory=directory, **how)
    os._exit(0)


@pytest.mark.parametrize(
    "how",
    [{"threads": 1}, {"threads": 2, "symmetry": False}, {"threads": 1, "memory": 100_000}],
    ids=["up to symmetry", "every state", "spilled"],
)
def test_a_search_killed_at_any_moment_resumes(
    how: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Killed again and again, each time a little later, until it gets to its end."""
    wanted = counts(searched(SMALL))
    moments = 0

    def reached() -> None:
        nonlocal moments
        moments += 1

    with pytest.MonkeyPatch.context() as patch:
        counting(patch, reached)
        assert counts(searched(SMALL, directory=tmp_path / "whole", **how)) == wanted
    assert moments > 100
    context = multiprocessing.get_context("fork")
    directory = tmp_path / "killed"
    kills = 0
    for moment in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, moments // 2, moments]:
        child = context.Process(target=killed_at, args=(moment, SMALL, directory, how))
        child.start()
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        kills += 1
    assert kills >= 8
    if "symmetry" not in how:
        assert counts(searched(SMALL, directory=directory)) == wanted
    assert counts(searched(SMALL, directory=directory, **how)) == wanted


def test_a_finished_search_is_read_and_not_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = counts(searched(SMALL, directory=tmp_path))
    monkeypatch.setattr(Threads, "level", None)
    assert counts(searched(SMALL, directory=tmp_path)) == wanted


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    searched(SMALL, directory=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(NotThisSearchError, match="something else"):
        searched(SMALL, directory=tmp_path, symmetry=False)
    with pytest.raises(NotThisSearchError, match="something else"):
        searched(instance_of("wfwg311"), directory=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    searched(SMALL, directory=tmp_path)
    file = tmp_path / checkpoint.NAME
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], b"not a line\n", *lines[3:]]))
    with pytest.raises(NotThisSearchError, match="line 4: damaged"):
        searched(SMALL, directory=tmp_path)
    file.write_bytes(b"".join(lines))
    (tmp_path / "03.states").write_bytes(b"")
    with pytest.raises(InputError, match=r"03\.states"):
        searched(SMALL, directory=tmp_path)


def test_two_searches_do_not_write_in_one_directory(tmp_path: Path) -> None:
    tabulated = Tabulated(SMALL)
    task = Task(program(tabulated), None)
    holder = Checkpoint(tmp_path, task.key, task.rules)
    try:
        with pytest.raises(NotThisSearchError, match="another search"):
            search(SMALL, symmetry=False, directory=tmp_path)
    finally:
        holder.close()


def test_a_search_without_checkpoint_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even while it runs: its files have no names."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    seen: list[Path] = []
    searched(SMALL, memory=100_000, progress=lambda *_: seen.extend(tmp_path.iterdir()))
    assert seen == []
