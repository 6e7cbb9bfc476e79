"""That the benchmark runs, that what it compares agrees, and that it fails where it does not."""

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from holdover.model.export.promela import promela
from holdover.reference.lab.testbed.process import PATIENCE
from tests.measure.bench import __main__ as bench
from tests.measure.bench import cases, referees, report
from tests.measure.bench.measure import Row, measured
from tests.slow import stretched

missing = referees.spin_missing() + referees.tlc_missing()
needs_all = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
needs_spin = pytest.mark.skipif(
    bool(referees.spin_missing()), reason=f"not installed: {', '.join(referees.spin_missing())}"
)

TINY = cases.pinned("freertos")
WITHOUT_ENGINE = ("--skip", "engine", "--skip", "tlc", "--skip", "solvers")


def invoked(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(bench.main, ["--quick", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def quickly_compiled(*ways: cases.Way) -> tuple[cases.Way, ...]:
    """The same without optimising: gcc takes longer than the search."""
    return tuple(replace(way, flags=(*way.flags, "-O0")) for way in ways)


@pytest.fixture
def nothing_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page without its plots, which `test_quick_runs_from_end_to_end` looks at."""
    for plot in ("comparison_plot", "growth_plot"):
        monkeypatch.setattr(report, plot, lambda *_: None)


@needs_all
@pytest.mark.kept("the benchmark")
def test_quick_runs_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "QUICK", (TINY,))
    monkeypatch.setattr(cases, "QUICK_GROWTH", (cases.Series("hosts", "hosts", (1,)),))
    monkeypatch.setattr(cases, "WAYS", quickly_compiled(cases.WAYS[1], *cases.WAYS[-2:]))
    monkeypatch.setattr(referees, "tlc", partial(referees.tlc, brief=True))
    status, out, err = invoked(
        "--json", "--solver-seconds", "1", "--note", "a try", "-o", str(tmp_path)
    )
    assert status == 0, err
    data = json.loads(out)
    assert json.loads((tmp_path / "bench.json").read_text()) == data
    (one,) = data["compared"]
    counted = {(row["tool"], row["states"], row["steps"]) for row in one["rows"] if row["states"]}
    assert counted == {
        (tool, TINY.states, TINY.steps)
        for tool in (report.ENGINE, report.EXPLORER, report.SPIN, report.TLC)
    }
    assert all(row["peak"] > 1 << 20 and row["seconds"] > 0 for row in one["rows"])
    page = (tmp_path / "index.md").read_text()
    assert "| SPIN | depth first, tuned |" in page
    assert "| Spacer | z3 |" in page
    assert "**Of this run:** a try" in page
    for words in (str(tmp_path), str(Path.home()), str(Path.cwd())):
        assert words not in page + out, "a path of this machine"
    for plot in ("comparison.svg", "growth.svg"):
        assert (tmp_path / plot).read_text().rstrip().endswith("</svg>")


@pytest.mark.usefixtures("nothing_drawn")
def test_a_configuration_is_measured_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "QUICK", (TINY, replace(TINY, name="another")))
    only = ("--skip", "engine", "--skip", "spin", "--skip", "tlc", "--skip", "solvers")
    status, _, err = invoked(*only, "-o", str(tmp_path))
    assert status == 0, err
    before = json.loads((tmp_path / "bench.json").read_text())
    assert invoked(*only, "--again", "-o", str(tmp_path))[0] == 2, "which?"
    assert invoked(*only, "--again", "--case", "another", "-o", str(tmp_path / "no"))[0] == 2
    status, _, err = invoked(*only, "--again", "--case", "another", "-o", str(tmp_path))
    assert status == 0, err
    after = json.loads((tmp_path / "bench.json").read_text())
    assert after["compared"][0] == before["compared"][0]
    assert after["compared"][1]["case"] == before["compared"][1]["case"]
    assert after["compared"][1] != before["compared"][1], "it took another time"
    page = (tmp_path / "index.md").read_text()
    assert "**Of this run:** measured again: another, in " in page
    assert page.count("\n### ") == 2


@needs_spin
@pytest.mark.usefixtures("nothing_drawn")
def test_a_differing_count_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(TINY, states=TINY.states + 1)
    monkeypatch.setattr(cases, "QUICK", (wrong,))
    monkeypatch.setattr(cases, "WAYS", quickly_compiled(cases.WAYS[0]))
    status, _, err = invoked(*WITHOUT_ENGINE, "-o", str(tmp_path))
    assert status == 1
    assert "differs: freertos: explorer, plain Python: states 3,920, not 3,921" in err
    assert "differs: freertos: SPIN, depth first: states 3,920, not 3,921" in err
    assert (tmp_path / "index.md").exists(), "what was measured is kept"


def row(tool: str, **said: object) -> Row:
    whole = {
        "states": TINY.states,
        "steps": TINY.steps,
        "depth": TINY.depth,
        "complete": True,
        "broken": TINY.broken,
        "seconds": 1.0,
    }
    return Row("freertos", tool, "-", **{**whole, **said})  # type: ignore[arg-type]


def told(*rows: Row) -> list[str]:
    return report.disagreements(report.Compared(TINY, rows))


def test_agreement() -> None:
    assert told(row(report.ENGINE), row(report.SPIN, breadth_first=False, depth=9, broken={})) == []
    assert told(row(report.SPIN, broken={"exclusive": 20})) == []
    assert told(row(report.BMC, states=None, steps=None, depth=20, verdict="violated")) == []
    assert told(row(report.BMC, states=None, steps=None, depth=19, verdict="holds")) == []
    assert told(row(report.ENGINE, complete=False, cut="memory", states=7)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        row(report.ENGINE, steps=1),
        row(report.ENGINE, depth=1),
        row(report.ENGINE, broken={}),
        row(report.SPIN, broken={"exclusive": 19}),
        row(report.ENGINE, complete=False),
        row(report.BMC, states=None, steps=None, depth=19, verdict="violated"),
        row(report.BMC, states=None, steps=None, depth=20, verdict="holds"),
        row(report.SPACER, states=None, steps=None, depth=None, verdict="holds"),
    ],
)
def test_disagreement(wrong: Row) -> None:
    assert len(told(wrong)) == 1


def test_symmetry_must_count_what_is_counted_without() -> None:
    assert report.apart([row(report.ENGINE), row(report.ENGINE)]) == []
    assert len(report.apart([row(report.ENGINE), row(report.ENGINE, states=1)])) == 1


def test_a_search_that_is_cut_off_says_so_and_how_far_it_came() -> None:
    large = cases.LARGE[-1]  # minutes, and gigabytes: out of time first on any machine
    ask = {"kind": "explorer", "memory": 2 << 30}
    for factor in (1, 4, 32):  # a laden machine may give it no time for its first states
        seconds = factor * stretched()
        cut = measured(large, report.EXPLORER, "-", ask, seconds=seconds, memory=2 << 30)
        assert (cut.cut, cut.complete) == ("time", False)
        if cut.states:
            break
    assert report.ended(cut) == "cut off: time"
    assert 0 < (cut.states or 0) < large.states
    full = measured(large, report.EXPLORER, "-", ask, seconds=PATIENCE, memory=100 << 20)
    assert (full.cut, full.complete) == ("memory", False)


@needs_spin
def test_spin_out_of_memory_is_cut_off() -> None:
    text = promela(cases.LARGE[0].instance())
    flags, options = ("-O0", "-DSAFETY", "-DNOREDUCE"), ("-m100000", "-w16")
    seen = referees.spin(text, flags, options, seconds=PATIENCE, memory=32 << 20)
    assert (seen.cut, seen.complete) == ("memory", False)
    assert 0 < (seen.states or 0) < cases.LARGE[0].states
    longest = promela(cases.LARGE[-1].instance())
    seen = referees.spin(longest, (*flags, "-DBFS"), ("-w16",), seconds=0.5, memory=1 << 30)
    assert (seen.cut, seen.complete) == ("time", False)


def test_a_child_is_ended_with_all_it_started(tmp_path: Path) -> None:
    script = "sleep 60 & echo $!; wait"
    ran = referees.run(["sh", "-c", script], tmp_path, seconds=stretched() / 2)
    assert ran.cut == "time"
    end = time.monotonic() + PATIENCE
    while lives(int(ran.output)) and time.monotonic() < end:  # killed, but not at once gone
        time.sleep(0.05)
    assert not lives(int(ran.output))


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_numbers_as_pan_writes_them() -> None:
    """From a hundred million on it rounds; a difference within that is none, any other is."""
    assert [referees.counted(text) for text in ("8", "20592120", "1.2075835e+08")] == [
        8,
        20_592_120,
        120_758_350,
    ]
    large = replace(TINY, states=120_758_346, steps=1, depth=0)
    for states, differs in ((120_758_350, False), (120_758_400, True), (8, True)):
        row = Row(large.name, report.SPIN, "-", states, 1, complete=True, breadth_first=False)
        assert bool(report.disagreements(report.Compared(large, (row,)))) is differs
