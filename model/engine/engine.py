"""The engine: the search of the explorer over the tabulated reading, for millions of states.

Theory of operation.  Breadth first, a level at a time; the work is a crew's (`workers.py`).  The
search decides what to look for and when to end, keeps the journal, and finds shortest runs
afterwards: from a state that breaks a property, back through the levels in the logs to a
predecessor at a time, then forward again through the finite reading, which so checks every step of
a run that the engine shows.

With symmetry, one state of each orbit is stored; `states`, `steps` and `fired` count all.

What it does not know: the order in which states of one depth are found.  Everything it says is
independent of that, and of how many threads or machines there were.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from holdover.model.engine.checkpoint import Checkpoint
from holdover.model.engine.kernel import canonize, scratch_for
from holdover.model.engine.partition import NoRoomError
from holdover.model.engine.system import cores
from holdover.model.engine.workers import LevelRunner, Task, Threads
from holdover.model.explorer.explore import EngineResult, Progress, Trace
from holdover.model.packed.components import MEASURE, STEP, WATCH
from holdover.model.packed.program import LEAST_VALUE, NOTHING, Tally, empty_tally
from holdover.model.packed.symmetry import renamings
from holdover.model.packed.tables import tabulate
from holdover.model.packed.tabulated import Tabulated
from holdover.model.readings.finite import Instance, Label, State
from holdover.model.readings.ground import Array
from holdover.model.table.properties import Property


def search(
    instance: Instance,
    always: Sequence[Property] = (),
    steps: Sequence[Property] = (),
    sometimes: Sequence[Property] = (),
    *,
    threads: int | None = None,
    memory: int = 1 << 30,
    expected: int = 0,
    symmetry: bool = True,
    stop: bool = False,
    directory: Path | None = None,
    progress: Progress | None = None,
) -> EngineResult:
    """Every state within reach, or as many as there is room for; then it is not complete.

    With `stop`, it ends a step past the first violation.

    `memory` in bytes bounds tables and buffers; the process takes some 250 MB beside.  Tables have
    room for `expected` states from the beginning, and grow if there are more.  `directory` is where
    the search is kept, and resumed from if it is there already.

    TooLarge if the instance has no tables; NotSymmetricError, where symmetry is asked for, if it
    has none; NotThisSearchError if the directory has another search.
    """
    tabulated, arrays = tabulate(instance, always, steps, sometimes)
    task = Task(arrays, renamings(tabulated) if symmetry else None)
    journal = None if directory is None else Checkpoint(directory, task.key, task.rules)
    try:
        crew = Threads(task, threads or cores(), memory, journal, expected)
        with closing(crew):
            return EngineSearch(tabulated, task, crew, journal, progress, stop=stop).run()
    except NoRoomError:  # not even for empty tables
        return EngineResult(instance, stopped_by="memory")
    finally:
        if journal is not None:
            journal.close()


@dataclass(frozen=True)
class Sight:
    """Where a watch first saw something: at which depth, in which state, by which rule."""

    depth: int
    word: int
    rule: int


class EngineSearch:
    """A search by a crew that has whatever the journal has."""

    def __init__(
        self,
        tabulated: Tabulated,
        task: Task,
        crew: LevelRunner,
        journal: Checkpoint | None,
        progress: Progress | None = None,
        *,
        stop: bool = False,
    ):
        self.tabulated, self.task, self.crew, self.journal = tabulated, task, crew, journal
        self.progress, self.stop = progress, stop
        self.found = EngineResult(tabulated.instance)
        self.broken = {p.name for p in (*tabulated.always, *tabulated.steps)}
        self.sights: dict[str, Sight] = {}
        self.fired = np.zeros(task.rules, dtype=np.int64)
        self.active = self._bits(rule.form != STEP for rule in tabulated.rules)
        self.moves = self._bits(rule.form == STEP for rule in tabulated.rules)

    def run(self) -> EngineResult:
        """To closure, or to an honest stop."""
        totals = [0]
        for counts, tally in self.journal.levels if self.journal is not None else ():
            self._take(len(totals) - 2, tally)
            totals.append(sum(counts))
        if len(totals) == 1:
            self.crew.start(self.canonical(self.tabulated.instance.initial))
            totals.append(self._close(empty_tally(self.task.rules)))
        while totals[-1] > totals[-2]:
            depth = len(totals) - 2
            with self._stopping():
                tally = self.crew.level(self.active | self.moves, self.progress)
            if self.found.stopped_by:
                tally = self.crew.look(depth, self.active)
            totals.append(self._close(tally))
            self._take(depth, tally)
            if self.progress is not None:
                self.progress(depth + 1, totals[-1], totals[-1] - totals[-2])
            if self.stop and not self.found.stopped_by and self.broken & self.sights.keys():
                self.found.stopped_by = "violation"
                break
            if self.found.stopped_by:
                self._take(depth + 1, self.crew.look(depth + 1, self.active))
                break
        self.found.stored = totals[-1]
        self.found.depth = sum(a < b for a, b in itertools.pairwise(totals)) - 1
        self.found.complete = not self.found.stopped_by
        self._conclude()
        return self.found

    def canonical(self, state: State) -> int:
        """The word that stands for a state."""
        word, symmetry = self.tabulated.pack(state), self.task.symmetry
        if symmetry is None:
            return word
        one = np.array([word], dtype=np.uint64)
        canonize(symmetry, one, np.ones(1, dtype=np.int64), scratch_for(symmetry))
        return int(one[0])

    def _stands_for(self, word: int, state: State) -> bool:
        return self.canonical(state) == word

    def _bits(self, chosen: Iterable[bool]) -> Array:
        bits = np.zeros(self.task.program.kinds.shape[1], dtype=np.uint64)
        for rule, wanted in enumerate(chosen):
            if wanted:
                bits[rule // 64] |= np.uint64(1) << np.uint64(rule % 64)
        return bits

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """What ends in want of memory or disk ends the search."""
        try:
            yield
        except NoRoomError:
            self.found.stopped_by = "memory"
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            self.found.stopped_by = "disk"

    def _close(self, tally: Tally) -> int:
        """End a level, and commit it if it is whole; how many states there are."""
        counts = self.crew.close_level()
        if self.journal is not None and not self.found.stopped_by:
            with self._stopping():
                self.crew.sync()
                self.journal.commit(counts, tally)
        return sum(counts)

    def _take(self, depth: int, tally: Tally) -> None:
        """What was seen in the states of a depth; a property once seen broken is done with."""
        self.found.states += int(tally.covered[0])
        self.fired += tally.fired
        for number, rule in enumerate(self.tabulated.rules):
            if rule.form == WATCH and tally.example[number] != NOTHING:
                sight = Sight(depth, int(tally.example[number]), number)
                known = self.sights.get(rule.name)
                if known is None or (sight.depth, sight.word) < (known.depth, known.word):
                    self.sights[rule.name] = sight
            elif rule.form == MEASURE and tally.largest[number] != LEAST_VALUE:
                value = int(tally.largest[number])
                worst = self.found.worst
                self.found.worst = value if worst is None else max(worst, value)
        self.active &= ~self._bits(rule.name in self.sights for rule in self.tabulated.rules)

    def _conclude(self) -> None:
        for number, rule in enumerate(self.tabulated.rules):
            if rule.form == STEP and self.fired[number]:
                self.found.steps += int(self.fired[number])
                self.found.fired[rule.name] += int(self.fired[number])
        broken = {p.name: p for p in (*self.tabulated.always, *self.tabulated.steps)}
        self.found.witnessed = set(self.sights) - set(broken)
        wanted = {name: sight for name, sight in self.sights.items() if name in broken}
        order = sorted(wanted, key=lambda name: (wanted[name].depth, list(broken).index(name)))
        words = self._words({name: wanted[name] for name in order})
        for name in order:
            self.found.violations[name] = self._trace(broken[name], words[name])

    # Shortest runs -------------------------------------------------------------------------------

    def _words(self, goals: Mapping[str, Sight]) -> dict[str, list[int]]:
        """For each goal the states on a shortest run to it, from the initial one."""
        runs = {name: [sight.word] for name, sight in goals.items()}
        for depth in range(max((s.depth for s in goals.values()), default=0), 0, -1):
            open_ = [name for name, sight in goals.items() if sight.depth >= depth]
            ends = np.array([runs[name][0] for name in open_], dtype=np.uint64)
            before = self.crew.lead_to(depth - 1, ends, self.moves)
            for name, word in zip(open_, before, strict=True):
                runs[name].insert(0, int(word))
        return runs

    def _trace(self, broken: Property, words: Sequence[int]) -> Trace:
        """The run through these states by the finite reading, to where the property is broken."""
        instance = self.tabulated.instance
        labels: list[Label] = []
        states = [instance.initial]

        def step(leads: Callable[[State], bool]) -> None:
            for edge, following in instance.successors(states[-1]):
                if leads(following):
                    labels.append(instance.labels[edge])
                    states.append(following)
                    return
            raise RuntimeError(f"{broken.name}: readings disagree after {len(labels)} steps")

        for word in words[1:]:
            step(partial(self._stands_for, word))
        if broken in self.tabulated.steps:
            check = instance.step_predicate(broken.term)
            step(lambda following: not check(states[-1], following))
        elif instance.predicate(broken.term)(states[-1]):
            shown = instance.describe(states[-1])
            raise RuntimeError(f"{broken.name}: readings disagree on {shown}")
        return Trace(instance, tuple(labels), tuple(states))
