"""`python -m tests.measure.bench`: the engine beside SPIN, TLC, the explorer and the solvers.

Everything is measured in this one run, one process after the other, each with a limit of time and
memory.  Exit status 1 if two tools that went to the end differ in what they counted.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import click

from holdover.model.explorer.configurations import Configuration
from holdover.model.export.promela import promela
from holdover.model.table.properties import ALWAYS
from tests.measure.bench import cases, referees, report
from tests.measure.bench.cases import GIB, Series
from tests.measure.bench.measure import Row, measured, row_of
from tests.measure.bench.packing import packed
from tests.measure.bench.report import (
    BMC,
    COLD,
    ENGINE,
    EXPLORER,
    ONE,
    SPACER,
    SPIN,
    SYMMETRIC,
    WARM,
    WITH,
    WITHOUT,
    Compared,
)

TOOLS = ("engine", "explorer", "spin", "tlc", "solvers", "growth")

BESIDE = 320 << 20
"""What the engine's process takes beside what its `memory` bounds."""

EXPLORED = 5_000_000
"""States up to which the explorer is asked; it keeps some 600 bytes for each."""

TLC_TRIED = 30_000_000


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes for each kind of measurement."""

    seconds: float = 900
    tlc: float = 190  # three of its reports
    solver: float = 60
    growth: float = 60
    engine: int = 4 * GIB
    spin: int = GIB
    heap: int = 4 * GIB
    explorer: int = 6 * GIB


@dataclass(frozen=True)
class Bench:
    """A run: its limits, what it leaves out, and where numba keeps what it compiles.

    `served`: for which searches, with symmetry or without, each cache has the kernel compiled.
    """

    limits: Limits
    skip: frozenset[str]
    threads: int
    cache: Path
    served: set[tuple[Path, bool]] = field(default_factory=set)

    def engine(
        self, case: Configuration, how: str, cache: Path, *, symmetry: bool, seconds: float
    ) -> Row:
        """The engine, with at most the memory that is required of it.

        It is told how many states there are, as SPIN is.
        """
        ask = {
            "kind": "engine",
            "threads": 1 if how == ONE else self.threads,
            "symmetry": symmetry,
            "expected": 0 if symmetry else case.states,
            "memory": self.limits.engine - BESIDE,
        }
        self.served.add((cache, symmetry))
        return measured(
            case, ENGINE, how, ask, seconds=seconds, memory=self.limits.engine + BESIDE, cache=cache
        )

    def cache_of(self, case: Configuration) -> Path:
        """Where numba keeps what it compiles for this: empty at first, so that it has to."""
        return self.cache / case.name.replace(" ", "-")

    def compiled(self, cache: Path, *, symmetry: bool) -> None:
        """Have the kernel compiled, by a search that is not looked at, if none has been there."""
        if (cache, symmetry) not in self.served:
            self.engine(cases.QUICK[0], WARM, cache, symmetry=symmetry, seconds=self.limits.seconds)

    def compared(self, case: Configuration, solvers: bool) -> Iterator[Row]:
        """Each tool on one configuration."""
        limits = self.limits
        states = case.states
        if "engine" not in self.skip:
            for how in (COLD, WARM, ONE, SYMMETRIC):
                if how == SYMMETRIC:  # whose kernel nothing has compiled so far
                    self.compiled(self.cache_of(case), symmetry=True)
                row = self.engine(
                    case,
                    how,
                    self.cache_of(case),
                    symmetry=how == SYMMETRIC,
                    seconds=limits.seconds,
                )
                states = states or row.states or 0
                yield row
        if "explorer" not in self.skip and states <= EXPLORED:
            ask = {"kind": "explorer", "memory": limits.explorer}
            yield measured(
                case,
                EXPLORER,
                "plain Python",
                ask,
                seconds=limits.seconds,
                memory=2 * limits.explorer,
            )
        if "spin" not in self.skip:
            yield from self.by_spin(case, states)
        if "tlc" not in self.skip and states <= TLC_TRIED:
            verdict = referees.tlc(
                case.instance(), workers=self.threads, heap=limits.heap, seconds=limits.tlc
            )
            yield row_of(case, verdict, breadth_first=False)
        if "solvers" not in self.skip and solvers:
            yield from self.by_solvers(case)

    def by_spin(self, case: Configuration, states: int) -> Iterator[Row]:
        """SPIN in every way that is worth it at this size."""
        instance = case.instance()
        text, bare = promela(instance, check=ALWAYS), promela(instance)
        for way in cases.WAYS:
            if states > way.most:
                continue
            fit = cases.sized(way, instance, states)
            model = text if way.checks else bare
            try:
                verdict = referees.spin(
                    packed(model) if way.tuned else model,
                    fit.flags,
                    fit.options,
                    seconds=self.limits.seconds,
                    memory=self.limits.spin,
                    tuned=way.tuned,
                    name=way.name,
                )
            except referees.RefereeError as error:
                click.echo(error, err=True)
                yield Row(case.name, SPIN, way.name, verdict="failed")
                continue
            yield row_of(case, verdict, breadth_first=way.breadth_first)

    def by_solvers(self, case: Configuration) -> Iterator[Row]:
        """Bounded model checking to the shortest run, or as deep as states lie; and Spacer."""
        ask = {"kind": "solver", "property": "exclusive", "timeout": self.limits.solver}
        deep = case.broken.get("exclusive") or case.depth or 100
        for tool, how, depth in ((BMC, f"z3, to {deep} steps", deep), (SPACER, "z3", None)):
            yield measured(
                case,
                tool,
                how,
                {**ask, "depth": depth},
                memory=self.limits.spin,
                seconds=self.limits.solver + 30,
            )

    def growth(self, series: Series, cache: Path) -> Iterator[Row]:
        """One size, until neither search comes to its end; `cache` has what is compiled."""
        for symmetry in (False, True):
            self.compiled(cache, symmetry=symmetry)
        for value in series.values:
            case = cases.grown(series, value)
            rows = []
            for how in (WITHOUT, WITH):
                row = self.engine(
                    case, how, cache, symmetry=how == WITH, seconds=self.limits.growth
                )
                rows.append(row)
                yield row
            if not any(row.complete for row in rows):
                return


def say(row: Row) -> None:
    """A line for who waits."""
    rate = f"{row.rate:,.0f} states/s" if row.rate else row.verdict
    click.echo(
        f"{row.case}: {row.tool}, {row.how}: {row.states or 0:,} states, {row.total:.1f} s, "
        f"{rate}, {row.peak >> 20} MiB, {report.ended(row)}",
        err=True,
    )


def missing(skip: Sequence[str]) -> list[str]:
    """What is not there of what was not left out."""
    found = [] if "spin" in skip else referees.spin_missing()
    return found if "tlc" in skip else found + referees.tlc_missing()


def available() -> int:
    """Bytes of memory that are free, or would be."""
    found = re.search(r"^MemAvailable:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def _terminated(number: int, frame: FrameType | None) -> None:
    """SIGTERM as an exit, so that what was started is ended."""
    raise SystemExit(128 + number)


@click.command()
@click.option("--quick", is_flag=True, help="Tiny configurations: whether it works, no figures.")
@click.option("--json", "as_json", is_flag=True, help="Print the raw figures as well.")
@click.option("--skip", type=click.Choice(TOOLS), multiple=True, help="Leave a tool out.")
@click.option("--case", "names", multiple=True, help="Only the configurations of these names.")
@click.option("--again", is_flag=True, help="With --case: what OUTPUT has of the others stays.")
@click.option("--seconds", type=float, help="Limit for one measurement.  [default: 900]")
@click.option("--solver-seconds", type=float, help="Limit for one solver.  [default: 60]")
@click.option(
    "--spin-memory", type=float, help="SPIN's limit in GiB.  [default: 4/5 of what is free]"
)
@click.option("--note", "notes", multiple=True, help="What a reader should know of this run.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs/bench"),
    show_default=True,
    help="Where the report is written.",
)
def main(
    quick: bool,
    as_json: bool,
    skip: tuple[str, ...],
    names: tuple[str, ...],
    again: bool,
    seconds: float | None,
    solver_seconds: float | None,
    spin_memory: float | None,
    notes: tuple[str, ...],
    output: Path,
) -> None:
    """Measure the engine beside SPIN, TLC, the explorer and the solvers, and write the report.

    Leave the machine alone meanwhile: the figures are of wall-clock time.

    Example: python -m tests.measure.bench --quick -o /tmp/bench
    """
    raw = output / "bench.json"
    if again and not (names and raw.exists()):
        raise click.UsageError(f"--again goes with --case, and with a {raw}")
    if absent := missing(skip):
        raise click.UsageError(f"not installed: {', '.join(absent)}; or leave out with --skip")
    signal.signal(signal.SIGTERM, _terminated)
    limits = Limits(
        seconds=seconds or (60 if quick else Limits.seconds),
        solver=solver_seconds or (5 if quick else Limits.solver),
        engine=GIB if quick else Limits.engine,
        spin=int(spin_memory * GIB) if spin_memory else GIB if quick else available() * 4 // 5,
        heap=GIB if quick else Limits.heap,
    )
    load, start = os.getloadavg()[0], time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="holdover-bench-") as cache:
        left_out = {*skip, *(("growth",) if again else ())}
        bench = Bench(
            limits, frozenset(left_out), min(2, len(os.sched_getaffinity(0))), Path(cache)
        )
        compared, growth, series = _run(bench, quick, names)
    data = {
        "command": report.shown_command(sys.argv[1:]),
        "load": load,
        "machine": report.machine(),
        "notes": notes,
        "took": time.perf_counter() - start,
        "limits": asdict(limits),
        "ways": [asdict(way) for way in cases.WAYS],
        "compared": [
            {"case": asdict(c.case), "rows": [asdict(r) for r in c.rows]} for c in compared
        ],
        "growth": [asdict(row) for row in growth],
    }
    if again:
        data = put_into(json.loads(raw.read_text(encoding="utf-8")), data)
        compared, growth = read(data)
    text = json.dumps(data, indent=1) + "\n"
    output.mkdir(parents=True, exist_ok=True)
    raw.write_text(text, encoding="utf-8")
    (output / "index.md").write_text(report.page(data, compared, growth, series), encoding="utf-8")
    report.comparison_plot(compared, output / "comparison.svg")
    report.growth_plot(series, growth, output / "growth.svg")
    if as_json:
        click.echo(text, nl=False)
    differing = [line for c in compared for line in report.disagreements(c)]
    differing += report.apart(growth)
    differing += [f"{r.case}: {r.how}: failed" for r in growth if not (r.complete or r.cut)]
    for line in differing:
        click.echo(f"differs: {line}", err=True)
    sys.exit(1 if differing else 0)


def put_into(before: dict[str, Any], again: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of before, with what was measured again in their place, and a note of that."""
    anew = {each["case"]["name"]: each for each in again["compared"]}
    note = (
        f"measured again: {', '.join(anew)}, in {again['took'] / 60:.0f} minutes, by "
        f"`{again['command']}`; the load of the machine before it was {again['load']:.2f}."
    )
    return {
        **before,
        "notes": [*before["notes"], note, *again["notes"]],
        "compared": [anew.get(each["case"]["name"], each) for each in before["compared"]],
    }


def read(data: Mapping[str, Any]) -> tuple[list[Compared], list[Row]]:
    """What bench.json has of the comparison, and of the growth."""
    compared = [
        Compared(Configuration(**each["case"]), tuple(Row(**row) for row in each["rows"]))
        for each in data["compared"]
    ]
    return compared, [Row(**row) for row in data["growth"]]


def _run(
    bench: Bench, quick: bool, names: Sequence[str]
) -> tuple[list[Compared], list[Row], Sequence[Series]]:
    """All measurements."""
    small = cases.QUICK if quick else tuple(map(cases.pinned, cases.SMALL))
    large = () if quick else cases.LARGE
    compared = []
    for case in (*small, *large):
        if names and case.name not in names:
            continue
        rows = []
        for row in bench.compared(case, solvers=case in small or case is cases.LARGE[0]):
            say(row)
            rows.append(row)
        compared.append(Compared(case, tuple(rows)))
    growth = []
    series = cases.QUICK_GROWTH if quick else cases.GROWTH
    if not bench.skip & {"engine", "growth"}:
        for one in series:
            for row in bench.growth(one, bench.cache_of(small[0])):
                say(row)
                growth.append(row)
    return compared, growth, series


if __name__ == "__main__":
    main()
