"""`holdover explore`: an instance chosen on the command line, its search, its graph as a file."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import graphviz
import networkx as nx

from holdover.model.explore import Exploration, Progress, bytes_per_state, explore, graph
from holdover.model.finite import Instance, bounds_for
from holdover.model.profile import BadInput, Environment, Profile, in_ticks
from holdover.model.properties import ALWAYS, SOMETIMES, STEPS
from holdover.model.table import LEASE_TABLE
from holdover.proofs.result import Outcome
from holdover.reference.interrupt import interruptible

HOUR = Fraction(3600)
DRAWABLE = 500
"""More nodes than this make a picture that nobody can read."""

QUICKLY = {"splines": "line", "nslimit": "1"}
"""For `dot`: bent edges and its best ranking take minutes from some 250 nodes on."""

GRAPH_BYTES = 1000
"""Memory that networkx takes to write a GraphML file, a state and variable; measured: 960."""

HOPELESS = 100
"""Searches that would need this many times the memory allowed are refused beforehand."""

SAMPLE = 50_000
"""States that a sample for an estimate sees at most."""


def counted(number: int, noun: str, plural: str = "s") -> str:
    """A number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{plural}"


@dataclass(frozen=True)
class Search:
    """An instance to explore; sizes, ticks of a lease, faults, memory in bytes."""

    profile: Profile
    hosts: int
    addresses: int
    messages: int
    ticks: int
    delay: int
    faults: tuple[str, ...]
    memory: int

    def instance(self, hosts: int, addresses: int, messages: int) -> Instance:
        """The table at this size."""
        tick = HOUR / self.ticks
        environment = Environment(
            delay=self.delay * tick,
            acknowledge_within=None,
            step=tick,
            shortest=tick if "shortens" in self.faults else None,
            faults=frozenset(self.faults),
        )
        constants = in_ticks(self.profile, environment, tick)
        constants["margin"] = 0  # less than a tick; rounded up it would eat the lease
        return Instance(LEASE_TABLE, constants, bounds_for(constants, hosts, addresses, messages))

    def refuse_hopeless(self) -> None:
        """BadInput with an estimate, where the states would not fit by far.

        The estimate multiplies how much one more host, address or datagram adds to the smallest
        instance, in few ticks: crude and low, but measured.  The instance itself is not built: its
        successor function alone may not fit.
        """
        if self.hosts + self.addresses + self.messages <= 6:
            return
        few = replace(self, ticks=min(self.ticks, 3), delay=0)
        base, each = few.sampled(1, 1, 1)
        estimate, whole = float(self.sampled(1, 1, 1)[0]), each
        for size, grown in ((self.hosts, (2, 1, 1)), (self.addresses, (1, 2, 1)),
                            (self.messages, (1, 1, 2))):  # fmt: skip
            if size > 1:
                states, cost = few.sampled(*grown)
                estimate *= (states / base) ** (size - 1)
                whole += (cost - each) * (size - 1)
        needed = estimate * whole
        if needed > HOPELESS * self.memory:
            raise BadInput(
                f"{self.size}: at least {estimate:.0e} states of {whole} bytes, "
                f"{needed / 2**30:.0e} GiB; --memory allows {self.memory / 2**30:.3g} GiB. "
                "Take fewer of something"
            )

    @property
    def size(self) -> str:
        """Hosts, addresses and datagrams in words."""
        return ", ".join((counted(self.hosts, "host"), counted(self.addresses, "address", "es"),
                          counted(self.messages, "datagram")))  # fmt: skip

    def sampled(self, hosts: int, addresses: int, messages: int) -> tuple[int, int]:
        """How many states of another size a short search sees, and the bytes of each."""
        instance = self.instance(hosts, addresses, messages)
        each = bytes_per_state(instance)
        return len(explore(instance, memory=SAMPLE * each).states), each

    def run(self, progress: Progress | None = None) -> Exploration:
        """The search, to its end or to the limit of memory."""
        instance = self.instance(self.hosts, self.addresses, self.messages)
        return explore(instance, ALWAYS, STEPS, SOMETIMES, memory=self.memory, progress=progress)

    @staticmethod
    def outcome(seen: Exploration) -> Outcome:
        """Violated if two hosts were seen to hold; holds only if everything was seen."""
        if "exclusive" in seen.violations:
            return "violated"
        return "holds" if seen.complete else "unknown"


def check_graph_file(path: Path, option: str = "--graph") -> None:
    """BadInput if the graph could not be written there, before the search is paid for."""
    if path.suffix not in (".graphml", ".dot", ".svg"):
        raise BadInput(f"{option} {path}: the name must end in .graphml, .dot or .svg")
    if path.suffix == ".svg" and shutil.which("dot") is None:
        raise BadInput(
            f"{option} {path}: no Graphviz `dot` found; install graphviz or write a .dot"
        )
    if not path.parent.is_dir():
        raise BadInput(f"{option} {path}: there is no directory {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadInput(f"{option} {path}: not writable")


def write_graph(seen: Exploration, path: Path, memory: int, option: str = "--graph") -> None:
    """The graph of all states seen; BadInput if it is too large, or cannot be written."""
    needed = len(seen.states) * len(seen.instance.slots) * GRAPH_BYTES
    if path.suffix == ".graphml" and needed > memory:
        raise BadInput(
            f"{option} {path}: the graph of {len(seen.states)} states takes about {needed >> 20} "
            "MiB to write. Give more --memory, or take a smaller instance"
        )
    try:
        with interruptible():
            _write_graph(seen, path, option)
    except OSError as error:
        raise BadInput(f"{option} {path}: {error.strerror or error}") from error
    except subprocess.CalledProcessError as error:
        raise BadInput(f"{option} {path}: `dot` failed with status {error.returncode}") from error


def _write_graph(seen: Exploration, path: Path, option: str) -> None:
    count = len(seen.states)
    if path.suffix != ".graphml" and count > DRAWABLE:
        raise BadInput(
            f"{option} {path}: {count} states; a picture of more than {DRAWABLE} cannot be read. "
            "Write .graphml, or take a smaller instance"
        )
    whole = graph(seen)
    bad = {trace.states[-1] for trace in seen.violations.values()}
    if path.suffix == ".graphml":
        plain: nx.DiGraph[int] = nx.DiGraph()
        for number in whole:
            shown = seen.instance.describe(seen.states[number])
            plain.add_node(number, **{k: str(v) for k, v in shown.items()},
                           violated=seen.states[number] in bad)  # fmt: skip
        plain.add_edges_from(
            (u, v, {"actions": ", ".join(sorted(data["actions"]))})
            for u, v, data in whole.edges(data=True)
        )
        nx.write_graphml(plain, path)
        return
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
