"""The report: tables in Markdown, plots in SVG, and what was required beside what was measured."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from holdover.model.explorer.configurations import Configuration
from holdover.model.explorer.length import count_of
from holdover.reference.docs.markdown import codes, table
from tests.measure.bench import referees
from tests.measure.bench.cases import BASE, GIB, Series
from tests.measure.bench.measure import Row

ENGINE, EXPLORER, SPIN, TLC, BMC, SPACER = "engine", "explorer", "SPIN", "TLC", "BMC", "Spacer"
COLD, WARM, SYMMETRIC = "nothing compiled", "compiled before", "compiled before, symmetry"
ONE = "compiled before, one thread"
WITHOUT, WITH = "without symmetry", "with symmetry"

TELLING = 100_000
"""States below which a rate is that of starting, and memory that of the program."""

Ratio = tuple[str, str, bool]
"""A requirement, what was measured, and whether it is met."""


@dataclass(frozen=True)
class Compared:
    """A configuration with what each tool came to."""

    case: Configuration
    rows: tuple[Row, ...]

    def best(self, tool: str) -> Row | None:
        """The fastest run of a tool that went to its end; if none did, the fastest that did not."""
        rated = [row for row in self.rows if row.tool == tool and row.rate]
        return max(rated, key=lambda row: (row.complete, row.rate or 0), default=None)

    def engine(self, how: str) -> Row | None:
        """The engine, compiled before or not."""
        return next((r for r in self.rows if (r.tool, r.how) == (ENGINE, how) and r.rate), None)

    @property
    def states(self) -> int:
        """How many states there are, as far as known; SPIN rounds from a hundred million on."""
        exact = (row.states or 0 for row in self.rows if row.tool != SPIN)
        return max(exact, default=0) or max((row.states or 0 for row in self.rows), default=0)


# Machine -----------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """What the run was on: nothing that names the machine or its owner."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    jar = referees.tlc_jar()
    tlc = ["java", "-cp", str(jar), "tlc2.TLC", "-h"]
    return {
        "CPU": cpu[1] if cpu else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(memory[1]) / (1 << 20):.1f} GiB" if memory else "unknown",
        "Python": platform.python_version(),
        "numba": version("numba"),
        "numpy": version("numpy"),
        "z3": version("z3-solver"),
        "SPIN": referees.version_of(["spin", "-V"], r"Version ([\d.]+)"),
        "gcc": referees.version_of(["gcc", "-dumpfullversion"], r"([\d.]+)"),
        "Java": referees.version_of(["java", "-version"], r'version "([^"]+)"'),
        "TLC": referees.version_of(tlc, r"TLC2? .*?[Vv]ersion ([\d.]+)") if jar else "not there",
    }


def version(package: str) -> str:
    """The version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not there"


# Agreement ---------------------------------------------------------------------------------------


ROUNDED = 1e-7
"""Of a number above a hundred million pan writes eight digits."""


def disagreements(compared: Compared) -> list[str]:
    """Where tools that went to the end differ from each other, or from what is pinned."""
    case, found = compared.case, []
    ended = [row for row in compared.rows if row.complete and row.states is not None]
    expected: dict[str, int] = {
        name: value for name in ("states", "steps", "depth") if (value := getattr(case, name))
    }
    broken: Mapping[str, int] | None = case.broken if case.states and case.depth else None
    for row in ended:
        said = f"{case.name}: {row.tool}, {row.how}"
        for name in ("states", "steps", *(("depth",) if row.breadth_first else ())):
            value = getattr(row, name)
            if value is None:
                found.append(f"{said}: no {name}")
                continue
            rounded = ROUNDED * value if row.tool == SPIN and value >= 10**8 else 0
            if abs(expected.setdefault(name, value) - value) > rounded:
                found.append(f"{said}: {name} {value:,}, not {expected[name]:,}")
        if row.tool in (ENGINE, EXPLORER):
            broken = row.broken if broken is None else broken
            if dict(row.broken) != dict(broken):
                found.append(f"{said}: broken {dict(row.broken)}, not {dict(broken)}")
        elif row.breadth_first and broken is not None:
            wrong = {k: v for k, v in row.broken.items() if broken.get(k) != v}
            if wrong:
                found.append(f"{said}: broken {wrong}, not {dict(broken)}")
    for row in compared.rows:
        if row.tool in (BMC, SPACER) and row.complete and broken is not None:
            found += _unlike(row, broken, f"{case.name}: {row.tool}")
        if not row.complete and not row.cut:
            found.append(f"{case.name}: {row.tool}, {row.how}: ended without a result")
    return found


def _unlike(row: Row, broken: Mapping[str, int], said: str) -> list[str]:
    length = broken.get("exclusive")
    if row.verdict == "violated":
        right = length is not None and (row.tool == SPACER or row.depth == length)
    else:
        right = length is None or (row.tool == BMC and (row.depth or 0) < length)
    shown = "unbroken" if length is None else f"broken after {length}"
    return [] if right else [f"{said}: {row.verdict} ({row.depth}), the search: {shown}"]


def apart(rows: Iterable[Row]) -> list[str]:
    """Points of growth at which the search with symmetry counts other states than without."""
    plain: dict[str, Row] = {}
    found = []
    for row in rows:
        if row.complete:
            other = plain.setdefault(row.case, row)
            if (other.states, other.steps, other.depth) != (row.states, row.steps, row.depth):
                found.append(f"{row.case}: {row.states:,} states {row.how}, else {other.states:,}")
    return found


# What was required -------------------------------------------------------------------------------


def requirements(compared: Sequence[Compared]) -> list[Ratio]:
    """Each requirement on the engine that the run has figures for."""
    found: list[Ratio] = []

    def ask(said: str, value: float, least: float) -> None:
        found.append((said, f"{value:.1f} times", value >= least))

    for c in compared:
        cold, warm, one = c.engine(COLD), c.engine(WARM), c.engine(ONE)
        spin, tlc = c.best(SPIN), c.best(TLC)
        if cold is None or warm is None:
            continue
        at = f"{c.case.name} ({c.states:,} states)"
        if spin is not None and c.states > 10_000_000:
            ask(f"{at}: at least 10 times SPIN's states/s, on two cores", ratio(warm, spin), 10)
            if one is not None:
                of_one = (one.per_cpu or 0) / (spin.per_cpu or 1)
                ask(f"{at}: at least 5 times, one thread against one, by CPU time", of_one, 5)
            ask(f"{at}: at least 5 times with compilation counted", ratio(cold, spin), 5)
        if spin is not None and 3_000_000 < c.states < 10_000_000 and spin.complete:
            ask(f"{at}: in all no slower than SPIN with gcc", spin.total / cold.total, 1)
        if c.states < TELLING:
            compiles = cold.cpu - warm.cpu
            said = f"{at}: the first search compiles for at most 2 s of CPU time"
            found.append((said, f"{compiles:.1f} s", compiles <= 2))
        if tlc is not None and c.states > 500_000:
            ask(f"{at}: at least 50 times TLC's states/s", ratio(warm, tlc), 50)
        if c.states >= 100_000_000:
            used = f"{warm.seconds:.0f} s, {warm.peak / GIB:.2f} GiB"
            met = warm.complete and warm.seconds * 10**8 / c.states <= 60 and warm.peak <= 4 * GIB
            found.append((f"{at}: 10^8 states within 60 s and 4 GiB", used, met))
    return found


def ratio(row: Row, other: Row) -> float:
    """How many times as many states a second."""
    return (row.rate or 0) / (other.rate or 1)


# Text --------------------------------------------------------------------------------------------


def number(value: float | None, form: str = ",.0f") -> str:
    """A number, or nothing."""
    return "" if value is None else format(value, form)


def ended(row: Row) -> str:
    """How it ended."""
    if row.tool in (BMC, SPACER):
        bound = f" up to {row.depth} steps" if row.tool == BMC and row.verdict != "violated" else ""
        after = f" after {row.depth} steps" if row.tool == BMC and row.verdict == "violated" else ""
        cut = " (cut off: time)" if row.cut == "time" else ""
        return f"{row.verdict or 'unknown'}{bound}{after}{cut}"
    if not row.complete:
        return f"cut off: {row.cut or 'failed'}"
    return (
        ", ".join(f"{k} broken after {v}" for k, v in sorted(row.broken.items()))
        if row.breadth_first and row.broken
        else "complete"
    )


HEAD = (
    "tool",
    "how",
    "states",
    "steps",
    "depth",
    "prepare s",
    "search s",
    "in all s",
    "CPU s",
    "states/s",
    "bytes/state",
    "peak MiB",
    "to SPIN",
    "ended",
)


def compared_table(compared: Compared) -> str:
    """Every tool on one configuration."""
    spin = compared.best(SPIN) if compared.states > TELLING else None
    rows = []
    for row in compared.rows:
        large = row.states and row.states > TELLING
        best = " **(SPIN's best)**" if row is spin else ""
        to_spin = f"{ratio(row, spin):.2f}" if spin is not None and row.rate else ""
        depth = row.depth if row.breadth_first else None
        rows.append(
            (
                row.tool,
                row.how + best,
                number(row.states),
                number(row.steps),
                number(depth),
                number(row.prepare, ".1f"),
                number(row.seconds, ".1f"),
                number(row.total, ".1f"),
                number(row.cpu, ".1f"),
                number(row.rate),
                number(row.peak / row.states if large and row.states else None),
                number(row.peak >> 20),
                to_spin,
                ended(row),
            )
        )
    return table(HEAD, rows)


def described(case: Configuration) -> str:
    """A configuration in a line."""
    return (
        f"`{case.profile}`, {count_of(case.hosts, 'host')}, "
        f"{count_of(case.addresses, 'address', 'es')}, {count_of(case.messages, 'datagram')}, "
        f"a lease of {case.ticks} ticks, delay {case.delay}, faults: "
        f"{codes(case.faults) or 'none'}"
    )


def growth_table(series: Series, rows: Sequence[Row]) -> str:
    """One size that grows."""
    lines = []
    for value in series.values:
        of = [row for row in rows if row.case == f"{series.of}: {value}"]
        by = {row.how: row for row in of}
        plain, reduced = by.get(WITHOUT), by.get(WITH)
        if plain is None and reduced is None:
            continue
        whole = next((r for r in (plain, reduced) if r is not None and r.complete), plain)
        lines.append(
            (
                str(value),
                number(whole.states if whole else None),
                number(whole.depth if whole else None),
                *_cost(plain),
                number(reduced.stored if reduced else None),
                *_cost(reduced),
            )
        )
    head = (
        series.of,
        "states",
        "depth",
        "s",
        "MiB",
        "ended",
        "stored with symmetry",
        "s, symmetry",
        "MiB, symmetry",
        "ended, symmetry",
    )
    return table(head, lines)


def _cost(row: Row | None) -> tuple[str, str, str]:
    if row is None:
        return "", "", "not run"
    return number(row.seconds, ".1f"), number(row.peak >> 20), ended(row)


def page(
    data: Mapping[str, Any],
    compared: Sequence[Compared],
    growth: Sequence[Row],
    series: Sequence[Series],
) -> str:
    """The whole page."""
    limits = data["limits"]
    parts = [
        "# Benchmark: engine, explorer, SPIN, TLC, solvers\n",
        "All figures on this page are of one run, that of\n",
        f"```sh\n{data['command']}\n```\n",
        "which writes the page, [the raw figures](bench.json) and the plots. It took "
        f"{data['took'] / 60:.0f} minutes; the load of the machine before it was "
        f"{data['load']:.2f}.\n",
        *(f"**Of this run:** {note}\n" for note in data["notes"]),
        table(("machine, software", ""), list(data["machine"].items())),
        "Each measurement is a process of its own; *peak* is its resident memory, as the kernel "
        "has it. States, steps and depth of all searches that went to the end are the same, or the "
        "command fails. *Cut off* means that a limit ended the search: it has no verdict, and its "
        "rate is that as far as it came (of TLC by its last report, one a minute). Limits: "
        f"{limits['seconds']:.0f} s each, TLC {limits['tlc']:.0f} s, solvers "
        f"{limits['solver']:.0f} s; engine {limits['engine'] / GIB:.1f} GiB, SPIN "
        f"{limits['spin'] / GIB:.1f} GiB, TLC's heap {limits['heap'] / GIB:.1f} GiB.\n",
        "* The engine checks all properties of states and steps, and looks for the worst "
        "overstay. *Nothing compiled*: in a fresh process with an empty cache; the search then "
        "has numba's compilation in it. *Compiled before*: in another, with what the first "
        "compiled; what a user has from the second run on. *In all* has Python's start and "
        "imports. *CPU s* is what processors worked for the process, from its start on: what else "
        "ran on the machine has little part in it.\n"
        "* SPIN runs in each way that is exhaustive and was not plainly slower, and the fastest "
        "is what the engine is compared with, although some of them check no property. *Prepare* "
        "is `spin -a` and gcc. *Tuned* is a packed model, huge pages, and a table with four places "
        "for each state; how many there are is told to SPIN and to the engine. Hash compaction "
        "(`-DHC4`, and `-DBFS_PAR` without `-DNO_HC`) may lose states, and is refused.\n"
        "* TLC with 2 workers checks no property here; it keeps 64-bit fingerprints, not states.\n"
        "* BMC and Spacer answer another question: whether two hosts can ever hold one address "
        "(`exclusive`). BMC asks it up to a number of steps.\n",
    ]
    required = requirements(compared)
    if required:
        met = [(said, value, "met" if ok else "**not met**") for said, value, ok in required]
        parts += ["## What is required\n", table(("requirement", "measured", ""), met)]
    parts += ["## Comparison\n", "![states a second by states, of each tool](comparison.svg)\n"]
    for c in compared:
        parts += [f"### {c.case.name}\n", described(c.case) + ".\n", compared_table(c)]
    ways = data["ways"]
    parts += [
        "How SPIN was compiled and run, with room for the states of each configuration added "
        "(`-DVECTORSZ`, `-DMEMLIM`, `-m`, `-w`):\n",
        table(
            ("way", "gcc", "pan", "checks"),
            [
                (
                    w["name"],
                    codes(w["flags"]),
                    codes(("-c0", *w["options"])),
                    "properties of states" if w["checks"] else "none",
                )
                for w in ways
            ],
        ),
        "## Growth\n",
        f"One size grows, the others stay: {described(BASE)}. The engine, compiled before; with "
        "symmetry it stores one state of those that differ in names only, and counts them all. "
        "A series ends with the first point that neither search finishes.\n",
        "![states and seconds by hosts, addresses, ticks and datagrams](growth.svg)\n",
        *(f"{growth_table(s, growth)}" for s in series),
    ]
    return "\n".join(parts)


# Plots -------------------------------------------------------------------------------------------

COLOURS = {ENGINE: "#0072B2", EXPLORER: "#009E73", SPIN: "#D55E00", TLC: "#CC79A7"}
MARKS = {ENGINE: "o", EXPLORER: "s", SPIN: "^", TLC: "D"}


def _canvas() -> Any:
    """Matplotlib without a screen, and with the same file for the same figures."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {
            "svg.hashsalt": "holdover",
            "font.size": 11,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    pyplot: Any = _canvas()
    pyplot.close(figure)


def comparison_plot(compared: Sequence[Compared], path: Path) -> None:
    """States a second over states, the best of each tool; hollow where it was cut off."""
    figure, axes = _canvas().subplots(figsize=(9, 5.5), layout="constrained")
    picks: list[tuple[str, str, str, Callable[[Compared], Row | None]]] = [
        (ENGINE, "engine, compiled before", "-", lambda c: c.engine(WARM)),
        (ENGINE, "engine, compilation counted", "--", lambda c: c.engine(COLD)),
        (SPIN, "SPIN, its best", "-", lambda c: c.best(SPIN)),
        (EXPLORER, "explorer (plain Python)", "-", lambda c: c.best(EXPLORER)),
        (TLC, "TLC, 2 workers", "-", lambda c: c.best(TLC)),
    ]
    for tool, label, style, pick in picks:
        points = [(c.states, row) for c in compared if (row := pick(c)) is not None and row.rate]
        points.sort(key=lambda point: point[0])
        if not points:
            continue
        axes.plot(
            [x for x, _ in points],
            [row.rate for _, row in points],
            style,
            color=COLOURS[tool],
            label=label,
            linewidth=1.8,
        )
        for x, row in points:
            fill = COLOURS[tool] if row.complete else "white"
            axes.plot(
                [x],
                [row.rate],
                MARKS[tool],
                color=COLOURS[tool],
                markerfacecolor=fill,
                markersize=8,
            )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="distinct states of the configuration",
        ylabel="states a second",
        title="States a second (hollow: cut off, rate as far as it came)",
    )
    figure.legend(loc="outside right upper", frameon=False)
    _save(figure, path)


def growth_plot(series: Sequence[Series], rows: Sequence[Row], path: Path) -> None:
    """Stored states and seconds over each size, with and without symmetry."""
    figure, grid = _canvas().subplots(
        2,
        len(series),
        figsize=(12, 6.5),
        sharex="col",
        sharey="row",
        layout="constrained",
        squeeze=False,
    )
    styles = {WITHOUT: ("-", "o", "#0072B2"), WITH: ("--", "s", "#D55E00")}
    for column, of in enumerate(series):
        for how, (style, mark, colour) in styles.items():
            by = {row.case: row for row in rows if row.how == how}
            found = [(v, by[k]) for v in of.values if (k := f"{of.of}: {v}") in by]
            for line, value in enumerate((kept, took)):
                axes = grid[line][column]
                points = [(v, y, row.complete) for v, row in found if (y := value(row))]
                axes.plot(
                    [v for v, _, _ in points],
                    [y for _, y, _ in points],
                    style,
                    color=colour,
                    label=how if not (line or column) else None,
                )
                for v, y, complete in points:
                    axes.plot(
                        [v],
                        [y],
                        mark,
                        color=colour,
                        markersize=7,
                        markerfacecolor=colour if complete else "white",
                    )
                axes.set_yscale("log")
        if max(of.values) <= 8:
            grid[1][column].set_xticks(of.values)
        grid[1][column].set_xlabel(of.of)
    grid[0][0].set_ylabel("states stored")
    grid[1][0].set_ylabel("seconds of search")
    figure.suptitle(
        f"One size grows from {count_of(BASE.hosts, 'host')}, "
        f"{count_of(BASE.addresses, 'address', 'es')}, {count_of(BASE.messages, 'datagram')}, "
        f"{BASE.ticks} ticks (hollow: cut off)"
    )
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    _save(figure, path)


def kept(row: Row) -> int | None:
    """States that the search stored."""
    return row.states if row.stored is None else row.stored


def took(row: Row) -> float:
    """Seconds of its search."""
    return row.seconds


def shown_command(arguments: Sequence[str]) -> str:
    """The command of this run; a directory of the machine is none of the reader's business."""
    words = [word if not word.startswith("/") else "DIR" for word in arguments]
    python = Path(sys.executable).name.rstrip("0123456789.")
    return " ".join([python, "-m", "tests.measure.bench", *words])
