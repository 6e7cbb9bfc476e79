"""What is compared: configurations with their pinned states, and the ways to run each tool.

The ways for SPIN are those that measurement left over (docs/bench shows the rates): one process
without anything to reduce, so partial-order reduction costs and saves nothing; depth first is
faster than breadth first; states uncompressed are faster and no larger than by -DCOLLAPSE, whose
tables do not pay at some 80 bytes a state; `VECTORSZ` near the size of a state saves clearing 1 kB;
two cores (-DBFS_PAR) are slower than one once -DNO_HC makes it keep whole states: by default it
keeps hashes and may lose states, as does -DHC4.

Tuned, SPIN is a third faster: its states are packed (`packing.py`), its table has four places for
each state, its memory is of huge pages, and gcc knows the processor; SPIN's faster hash (-DSFH) is
slower here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from holdover.model.explorer.configurations import Configuration, configurations
from holdover.model.readings.finite import Instance

GIB = 1 << 30


@dataclass(frozen=True)
class Way:
    """How SPIN is compiled and run.  `most` are the states up to which it is tried.

    `tuned`: with the packed model, a larger table, and huge pages.
    """

    name: str
    flags: tuple[str, ...]
    options: tuple[str, ...] = ()
    checks: bool = True
    most: int = 5_000_000
    tuned: bool = False

    @property
    def breadth_first(self) -> bool:
        """Whether depths are shortest."""
        return any(flag.startswith("-DBFS") for flag in self.flags)


PLAIN = ("-DSAFETY", "-DNOREDUCE", "-DNOFAIR")

NATIVE = ("-O3", "-march=native")

WAYS = (
    Way("depth first", ("-O2", *PLAIN, "-DNOCOMP"), most=30_000_000),
    Way("depth first, tuned", (*NATIVE, *PLAIN, "-DNOCOMP"), most=10**9, tuned=True),
    Way("depth first, tuned, no property", (*NATIVE, *PLAIN, "-DNOCOMP"), checks=False, tuned=True),
    Way("depth first, packed by SPIN", ("-O2", *PLAIN)),
    Way("breadth first", ("-O2", *PLAIN, "-DNOCOMP", "-DBFS")),
    Way("breadth first, 2 cores", ("-O2", *PLAIN, "-DBFS_PAR", "-DNO_HC"), ("-u2",)),
)


def sized(way: Way, instance: Instance, states: int) -> Way:
    """The way with room for this many states: table, stack, and vector of a state.

    Depth first, a run is some eighth as long as there are states.  With -DBFS_PAR a smaller vector
    makes SPIN 6.5.2 take some states for two (3,967 of 3,920 on `freertos`), even on one core.
    """
    items = len(instance.slots)
    size = (64 + items) // 64 * 64 if way.tuned else (64 + 2 * items) // 64 * 64 + 64
    vector = () if "-DBFS_PAR" in way.flags else (f"-DVECTORSZ={size}",)
    table = max(18, states.bit_length() + 2 * way.tuned)
    room = () if way.breadth_first else (f"-m{max(200_000, states // 5)}",)
    return replace(way, flags=(*way.flags, *vector), options=(*way.options, *room, f"-w{table}"))


def large(
    name: str,
    sizes: tuple[int, int, int],
    ticks: int,
    delay: int,
    faults: tuple[str, ...],
    found: tuple[int, int, int],
) -> Configuration:
    """A configuration of rfc2131, that no property fails in; `found` are states, steps, depth."""
    return Configuration(name, "rfc2131", *sizes, ticks, delay, faults, *found, {}, (), ())


LARGE = (
    large("1 M", (3, 2, 1), 3, 1, (), (969_396, 3_278_314, 37)),
    large("4 M", (3, 2, 1), 3, 0, ("mutes",), (3_815_004, 17_229_452, 0)),
    large("20 M", (3, 2, 2), 2, 0, (), (20_592_120, 97_529_344, 43)),
    large("100 M", (3, 2, 2), 4, 0, ("loses",), (120_758_346, 866_289_778, 72)),
)
"""Depth 0 is not pinned; what all tools must agree on is found in the run."""


def pinned(name: str) -> Configuration:
    """A configuration of the manifest."""
    return next(c for c in configurations() if c.name == name)


SMALL = ("freertos", "wfwg311", "rfc2131", "reference")
"""Pinned configurations that the solvers are asked about as well."""

QUICK = tuple(pinned(name) for name in ("freertos", "server forgets"))


@dataclass(frozen=True)
class Series:
    """One size that grows while the others stay as they are in `BASE`."""

    of: str
    field: str
    values: tuple[int, ...]


BASE = large("base", (2, 1, 1), 3, 0, ("mutes",), (0, 0, 0))

GROWTH = (
    Series("hosts", "hosts", (1, 2, 3, 4, 5, 6)),
    Series("addresses", "addresses", (1, 2, 3, 4, 5)),
    Series("ticks of a lease", "ticks", (2, 3, 4, 6, 8, 12, 16, 24)),
    Series("datagrams", "messages", (1, 2, 3, 4)),
)

QUICK_GROWTH = (
    Series("hosts", "hosts", (1, 2)),
    Series("addresses", "addresses", (1,)),
    Series("ticks of a lease", "ticks", (2, 3)),
    Series("datagrams", "messages", (1,)),
)


def grown(series: Series, value: int) -> Configuration:
    """The base with one size changed."""
    changed: dict[str, Any] = {series.field: value}
    return replace(BASE, name=f"{series.of}: {value}", **changed)
