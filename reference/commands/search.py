"""`holdover explore`: an instance chosen on the command line, its search, its graph as a file.

The engine searches; the explorer does where a graph is wanted, or a second opinion, or where an
instance has no tables.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdover.model.clients.network import Clients, in_turn
from holdover.model.clients.profile import Profile
from holdover.model.errors import InputError
from holdover.model.explorer.explore import (
    EngineResult,
    Exploration,
    Progress,
    SearchResult,
    bytes_per_state,
    explore,
)
from holdover.model.explorer.instances import environment_of, small_instance
from holdover.model.explorer.length import count_of
from holdover.model.readings.finite import Instance
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS
from holdover.proofs.result import Outcome
from holdover.reference.signals import interruptible

if TYPE_CHECKING:
    import networkx as nx

DRAWABLE = 500
"""More nodes than this make a picture that nobody can read."""

QUICKLY = {"splines": "line", "nslimit": "1"}
"""For `dot`: bent edges and its best ranking take minutes from some 250 nodes on."""

GRAPH_BYTES = 1000
"""Memory that networkx takes to write a GraphML file, a state and variable; measured: 960."""

HOPELESS = 100
"""Searches that would need this many times the memory allowed are refused beforehand."""

SAMPLE = 50_000
"""States that a sample for an estimate stores at most."""

HERE = "here"
"""The address of a cluster that the search starts on this machine, and ends."""

EASY = 5
"""Up to so many hosts, addresses and datagrams together, looking costs no more than estimating."""


@dataclass(frozen=True)
class Search:
    """An instance to explore, and how: sizes, ticks of a lease, faults, memory in bytes."""

    profile: Profile
    hosts: int
    addresses: int
    messages: int
    ticks: int
    delay: int
    faults: tuple[str, ...]
    memory: int
    beside: tuple[Profile, ...] = ()
    plain: bool = False
    symmetry: bool = True
    threads: int | None = None
    checkpoint: Path | None = None
    cluster: str | None = None
    workers: int | None = None

    def instance(self, hosts: int, addresses: int, messages: int) -> Instance:
        """The table at this size."""
        environment = environment_of(self.ticks, self.delay, self.faults)
        return small_instance(self.clients(hosts), environment, self.ticks, addresses, messages)

    def clients(self, hosts: int) -> Clients:
        """Those of the hosts: the profile, then those beside it, in turn."""
        return in_turn((self.profile, *self.beside), hosts)

    @property
    def name(self) -> str:
        """The profile's, with those beside it."""
        return " beside ".join(profile.name for profile in (self.profile, *self.beside))

    def estimate(self) -> float:
        """About how many states there are to store; 0 where it is easier to look.

        It multiplies how much one more host, address or datagram adds to the smallest instance, in
        few ticks: crude, mostly low, but measured.  The instance itself is not built: its successor
        function alone may not fit.
        """
        if self.hosts + self.addresses + self.messages <= EASY:
            return 0
        few = replace(self, ticks=min(self.ticks, 3), delay=0)
        base, found = few.sampled(1, 1, 1), float(self.sampled(1, 1, 1))
        for size, grown in self._grown():
            found *= (few.sampled(*grown) / base) ** (size - 1)
        return found

    def _grown(self) -> list[tuple[int, tuple[int, int, int]]]:
        """The sizes, each with the smallest instance that has one more of that."""
        sizes = (self.hosts, (2, 1, 1)), (self.addresses, (1, 2, 1)), (self.messages, (1, 1, 2))
        return [(size, grown) for size, grown in sizes if size > 1]

    def sampled(self, hosts: int, addresses: int, messages: int) -> int:
        """How many states of another size a short search stores."""
        from holdover.model.engine.engine import search

        stored = 0

        def enough(depth: int, states: int, frontier: int) -> None:
            nonlocal stored
            stored = states
            if stored > SAMPLE:
                raise StopIteration

        with suppress(StopIteration):
            search(
                self.instance(hosts, addresses, messages), symmetry=self.symmetry, progress=enough
            )
        return stored

    def check_options(self) -> None:
        """InputError where two options do not go together."""
        engines = {
            "--checkpoint": self.checkpoint,
            "--threads": self.threads,
            "--cluster": self.cluster,
            "--workers": self.workers,
        }
        given = [name for name, value in engines.items() if value is not None]
        if self.beside and self.hosts <= len(self.beside):
            raise InputError(
                f"--beside: {len(self.beside) + 1} clients need as many --hosts, not {self.hosts}"
            )
        if self.plain and given:
            raise InputError(f"{given[0]} is the engine's: not with --plain or --graph")
        if self.workers is not None and self.cluster is None:
            raise InputError("--workers are those of --cluster; without, it is --threads")
        if self.threads is not None and self.cluster is not None:
            raise InputError("a --cluster has --workers; their --threads are the cluster's matter")
        if self.cluster not in (None, HERE) and self.checkpoint is None:
            raise InputError("--cluster ADDRESS: its machines need a --checkpoint that all reach")

    @property
    def bytes_each(self) -> int:
        """Memory of a stored state."""
        if not self.plain:
            from holdover.model.engine.partition import BYTES, FULL, GROWTH

            return ceil(BYTES * GROWTH / FULL)  # in a table that has just been enlarged
        whole = one = bytes_per_state(self.instance(1, 1, 1))
        for size, grown in self._grown():
            whole += (bytes_per_state(self.instance(*grown)) - one) * (size - 1)
        return whole

    def refuse_hopeless(self, estimate: float) -> None:
        """InputError where so many states would not fit by far."""
        needed = estimate * self.bytes_each
        if needed > HOPELESS * self.memory:
            raise InputError(
                f"{self.size}: about {estimate:.0e} states of {self.bytes_each} bytes, "
                f"{needed / 2**30:.0e} GiB; --memory allows {self.memory / 2**30:.3g} GiB. "
                "Take fewer of something"
            )

    @property
    def size(self) -> str:
        """Hosts, addresses and datagrams in words."""
        return ", ".join(
            (
                count_of(self.hosts, "host"),
                count_of(self.addresses, "address", "es"),
                count_of(self.messages, "datagram"),
            )
        )

    def explored(
        self, progress: Progress | None = None, *, keep_steps: bool = False
    ) -> Exploration:
        """The explorer's search, to its end or to the limit of memory."""
        instance = self.instance(self.hosts, self.addresses, self.messages)
        return explore(
            instance,
            ALWAYS,
            STEPS,
            SOMETIMES,
            memory=self.memory,
            keep_steps=keep_steps,
            progress=progress,
        )

    def run(
        self,
        progress: Progress | None = None,
        note: Callable[[str], None] = lambda _: None,
        expected: float = 0,
    ) -> EngineResult:
        """The search, to its end or to the limit of memory; `note` is told what is unexpected.

        `expected` is about how many states there are to store, 0 if nobody knows.
        """
        if not self.plain:
            from holdover.model.packed.components import TooManyValuesError

            try:
                return self._searched(progress, int(expected))
            except TooManyValuesError as error:
                note(f"{error}: searching with the explorer")
        return found_by(self.explored(progress))

    def _searched(self, progress: Progress | None, expected: int) -> EngineResult:
        """By the engine.  It is imported only here: numba takes as long as all the rest."""
        instance = self.instance(self.hosts, self.addresses, self.messages)
        asked = (ALWAYS, STEPS, SOMETIMES)
        if self.cluster is None:
            from holdover.model.engine.engine import search

            return search(
                instance,
                *asked,
                threads=self.threads,
                memory=self.memory,
                expected=expected,
                symmetry=self.symmetry,
                directory=self.checkpoint,
                progress=progress,
            )
        if sys.platform != "linux":
            raise InputError("--cluster: workers share files by way of /proc; it needs Linux")
        from holdover.model.engine.cluster import search_on_cluster
        from holdover.model.engine.system import cores

        return search_on_cluster(
            instance,
            *asked,
            address=None if self.cluster == HERE else self.cluster,
            workers=self.workers or cores(),
            memory=self.memory,
            symmetry=self.symmetry,
            directory=self.checkpoint,
            progress=progress,
        )


def found_by(seen: Exploration) -> EngineResult:
    """What an exploration came to."""
    shared = {each.name: getattr(seen, each.name) for each in fields(SearchResult)}
    return EngineResult(**shared, states=len(seen.states), stored=len(seen.states))


def outcome(found: EngineResult) -> Outcome:
    """Violated if two hosts were seen to hold; holds only if everything was seen."""
    if "exclusive" in found.violations:
        return "violated"
    return "holds" if found.complete else "unknown"


def check_graph_file(path: Path, option: str = "--graph") -> None:
    """InputError if the graph could not be written there, before the search is paid for."""
    if path.suffix not in (".graphml", ".dot", ".svg"):
        raise InputError(f"{option} {path}: the name must end in .graphml, .dot or .svg")
    if path.suffix == ".svg" and shutil.which("dot") is None:
        raise InputError(
            f"{option} {path}: no Graphviz `dot` found; install graphviz or write a .dot"
        )
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: there is no directory {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{option} {path}: not writable")


def write_graph(seen: Exploration, path: Path, memory: int, option: str = "--graph") -> None:
    """The graph of all states seen; InputError if it is too large, or cannot be written."""
    needed = len(seen.states) * len(seen.instance.slots) * GRAPH_BYTES
    if path.suffix == ".graphml" and needed > memory:
        raise InputError(
            f"{option} {path}: the graph of {len(seen.states)} states takes about {needed >> 20} "
            "MiB to write. Give more --memory, or take a smaller instance"
        )
    try:
        with interruptible():
            _write_graph(seen, path, option)
    except OSError as error:
        raise InputError(f"{option} {path}: {error.strerror or error}") from error
    except subprocess.CalledProcessError as error:
        raise InputError(f"{option} {path}: `dot` failed with status {error.returncode}") from error


def shortest_runs(seen: Exploration) -> nx.DiGraph[int]:
    """The states and steps of the shortest run to each property that is broken, as of `graph`."""
    import networkx as nx

    found: nx.DiGraph[int] = nx.DiGraph()
    for trace in seen.violations.values():
        numbers = [seen.index[state] for state in trace.states]
        for label, before, after in zip(trace.labels, numbers, numbers[1:], strict=False):
            found.add_edge(before, after, actions=frozenset((label.action.name,)))
    return found


def _write_graph(seen: Exploration, path: Path, option: str) -> None:
    from holdover.model.explorer.transitions import graph

    count = len(seen.states)
    if path.suffix == ".graphml" or count <= DRAWABLE:
        whole = graph(seen)
    elif seen.violations:
        whole = shortest_runs(seen)
        click.echo(
            f"{path}: {count} states; a picture of more than {DRAWABLE} cannot be read. It has the "
            f"shortest run to each property that is broken, {len(whole)} states; "
            ".graphml has them all",
            err=True,
        )
    else:
        raise InputError(
            f"{option} {path}: {count} states, and nothing is broken; a picture of more than "
            f"{DRAWABLE} cannot be read. Write .graphml, or take a smaller instance"
        )
    bad = {trace.states[-1] for trace in seen.violations.values()}
    if path.suffix == ".graphml":
        import networkx as nx

        plain: nx.DiGraph[int] = nx.DiGraph()
        for number in whole:
            shown = seen.instance.describe(seen.states[number])
            plain.add_node(
                number, **{k: str(v) for k, v in shown.items()}, violated=seen.states[number] in bad
            )
        plain.add_edges_from(
            (u, v, {"actions": ", ".join(sorted(data["actions"]))})
            for u, v, data in whole.edges(data=True)
        )
        nx.write_graphml(plain, path)
        return
    import graphviz

    picture = graphviz.Digraph("states", graph_attr=QUICKLY)
    for number in whole:
        state = seen.instance.describe(seen.states[number])
        told = [f"{k}: {v}" for k, v in state.items() if k.startswith(("phase", "holds", "owner"))]
        colour = "red" if seen.states[number] in bad else "black"
        picture.node(str(number), "\n".join([str(number), *told]), shape="box", color=colour)
    for u, v, data in whole.edges(data=True):
        picture.edge(str(u), str(v), ", ".join(sorted(data["actions"])))
    if path.suffix == ".dot":
        path.write_text(picture.source, encoding="utf-8")
    else:
        # Not `picture.pipe`: it breaks at a `dot` that ends before it has read everything.
        drawn = subprocess.run(
            ["dot", "-Tsvg"], input=picture.source.encode(), capture_output=True, check=True
        )
        path.write_bytes(drawn.stdout)
