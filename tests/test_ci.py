"""That CI cannot go green on less than it claims to run, nor red for what others do."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.checkout import ROOT
from tests.conftest import ALONE, APART, LONGEST, MEANWHILE, WAIT, in_order, unit_of
from tests.slow import stretched
from tests.test_checks import STEPS

# One skips in its body, two before it (pytest: an error), two while they are collected (likewise).
SKIPS = {
    "call": "def test_it(): pytest.skip('no root')",
    "mark": "@pytest.mark.skip('no root')\ndef test_it(): pass",
    "fixture": "@pytest.fixture\ndef net(): pytest.skip('no root')\ndef test_it(net): pass",
    "module": "pytest.skip('no root', allow_module_level=True)",
    "import": "pytest.importorskip('no_such_module')",
}
EXPECTED_FAILURE = "@pytest.mark.xfail\ndef test_it(): assert False"


def with_our_conftest(where: Path) -> None:
    """In that directory; with the program that it starts."""
    for name in ("conftest.py", "workers.py"):
        shutil.copy(ROOT / "tests" / name, where)


def pytest_on(sources: dict[str, str], where: Path, ci: str, *more: str) -> tuple[int, str]:
    """Exit code and closing counts of a run of these test files under our conftest.py."""
    with_our_conftest(where)
    for name, source in sources.items():
        (where / f"test_{name}.py").write_text(f"import pytest\n{source}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--continue-on-collection-errors", *more, where],
        cwd=where,
        env=os.environ | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()[-1].strip("= ").partition(" in ")[0]


processes = pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["one process", "two"])


@processes
def test_every_way_to_skip_fails_in_ci(tmp_path: Path, more: tuple[str, ...]) -> None:
    assert pytest_on(SKIPS, tmp_path, "true", *more) == (1, "1 failed, 4 errors")


@processes
def test_skips_are_allowed_elsewhere(tmp_path: Path, more: tuple[str, ...]) -> None:
    assert pytest_on(SKIPS, tmp_path, "", *more) == (0, "5 skipped")


def test_expected_failure_is_no_skip(tmp_path: Path) -> None:
    assert pytest_on({"known": EXPECTED_FAILURE}, tmp_path, ci="true") == (0, "1 xfailed")


@pytest.mark.parametrize("name", ["main", "tests"])
def test_readme_has_the_commands_that_ci_runs(name: str) -> None:
    done = subprocess.run(
        [ROOT / ".ci" / "readme-command", name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("python3 -m venv .venv && ")


def test_missing_readme_command_is_an_error(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- setup: main -->\n\nprose\n\n```sh\nholdover verify\n```\n")
    done = subprocess.run(
        [ROOT / ".ci" / "readme-command", "main", readme],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no fenced block" in done.stderr


BY_TESTS = {"site": "tests/reference/docs/test_site_in_browser.py"}
"""Checks that a file of tests runs, and so CI with them, beside those of test_checks.py."""


def test_the_theorems_are_proved_before_the_tests_begin() -> None:
    """So tests that say "`holdover verify` has just proved it" may, in CI (decision 64)."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    steps = [line for line in script.splitlines() if line.startswith(("run ", "wait "))]
    assert [step.split()[:3] for step in steps] == [
        ["run", "main"],
        ["run", "tests", "before"],
        ["wait", '"$installing"', "||"],
        ["run", "tests", "behind"],
    ]
    for name, last in (("main", "holdover verify"), ("tests", "pytest -n 6")):
        command = subprocess.run(
            [ROOT / ".ci" / "readme-command", name], capture_output=True, text=True, check=True
        )
        assert command.stdout.strip().endswith(f"&& .venv/bin/{last}")


@pytest.mark.parametrize(
    ("words", "said"), [("", "abc"), ("before", "ab"), ("behind", "c")], ids=["all", "both", "last"]
)
def test_a_command_is_run_whole_or_but_for_its_last_part_or_that_alone(
    tmp_path: Path, words: str, said: str
) -> None:
    """Each part once: Debian's packages are waited for in between."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (body,) = re.findall(r"^run\(\) \{.*?^\}$", script, re.MULTILINE | re.DOTALL)
    command = tmp_path / ".ci" / "readme-command"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\necho 'printf a && printf b && printf c'\n")
    command.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{body}\nrun tests {words}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == said


BY_README = {"tests", "quick", "proofs"}
"""What the README's commands do: `pytest`, of which the quick ones are a part; Z3's proofs by
`holdover verify`, and CI has those of cvc5 beside them."""


def test_each_check_is_run_in_ci() -> None:
    checks = (ROOT / ".ci" / "check").read_text("utf-8")
    known = set(re.findall(r"^(\w+)\(\) \{", checks.partition("\ncase ")[0], re.MULTILINE))
    assert known == {*STEPS, *BY_TESTS, *BY_README}
    for name, file in BY_TESTS.items():
        assert f'[ROOT / ".ci" / "check", "{name}"]' in (ROOT / file).read_text("utf-8")


# A run -------------------------------------------------------------------------------------------

RECORDS = "def test_it(record_property): record_property('a title', 'a line')"


@processes
def test_what_tests_record_is_in_a_report_for_ci_and_at_the_end(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    """With the project's settings, among them that a warning is an error."""
    with_our_conftest(tmp_path)
    (tmp_path / "test_it.py").write_text(RECORDS)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            ROOT / "pyproject.toml",
            "--rootdir",
            tmp_path,
            f"--junitxml={tmp_path / 'report.xml'}",
            *more,
            tmp_path / "test_it.py",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "== a title ==" in done.stdout
    assert "\na line\n" in done.stdout
    (noted,) = ElementTree.parse(tmp_path / "report.xml").iter("property")
    assert (noted.get("name"), noted.get("value")) == ("a title", "a line")


PLACED = """
import os
import pytest
@pytest.mark.parametrize("number", range(3))
def test_it(number, record_property):
    record_property("where", __file__ + " in " + os.environ["PYTEST_XDIST_WORKER"])
"""


def test_what_is_played_alone_goes_to_one_process(tmp_path: Path) -> None:
    """Else a second process would only wait for the first, and play nothing meanwhile."""
    with_our_conftest(tmp_path)
    for name in (*ALONE, "tests/test_other.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(PLACED)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "--import-mode=importlib", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    lines = [line.partition(" in ") for line in done.stdout.splitlines() if " in gw" in line]
    where = {file.removeprefix(f"{tmp_path}/"): worker for file, _, worker in lines}
    assert len({where[name] for name in ALONE}) == 1
    assert where["tests/test_other.py"] != where[ALONE[0]]


def test_what_is_apart_may_go_to_several_processes() -> None:
    assert len({unit_of(f"{APART}::test_check[{step}]") for step in STEPS}) == len(STEPS)
    assert unit_of("tests/test_ci.py::test_a") == unit_of("tests/test_ci.py::test_b")


def test_who_waits_and_who_computes_take_turns() -> None:
    """The longest of each first; so a process that waits has somebody beside it who computes."""
    first = [*ALONE, APART, *MEANWHILE]
    assert [name for name in (*first, *LONGEST) if not (ROOT / name).is_file()] == []
    waiting = {name for name in LONGEST if name.startswith(WAIT)}
    rest = ["tests/a.py", "tests/b.py", "tests/net/a.py"]
    order = in_order([*reversed(rest), *reversed(LONGEST), APART, *ALONE])
    assert sorted(order) == sorted([*ALONE, APART, *LONGEST, *rest]), "each once"
    assert order[: len(first)] == first
    assert not any(name.startswith(WAIT) for name in MEANWHILE)
    long = order[len(first) : -len(rest)]
    for kind in (waiting, set(LONGEST) - waiting - set(MEANWHILE)):
        assert [name for name in long if name in kind] == [n for n in LONGEST if n in kind]
    share = len(waiting) / len(long)
    for begun in range(len(long)):
        assert abs(sum(name in waiting for name in long[:begun]) - share * begun) <= 1
    assert order[-len(rest) :] == ["tests/b.py", "tests/net/a.py", "tests/a.py"]


IMPORTED = """
import os
HERE = os.getpid()
@pytest.mark.parametrize("number", [1, 2])
def test_it(number):
    assert os.getppid() == HERE
"""


def test_in_ci_two_processes_import_nothing_for_themselves(tmp_path: Path) -> None:
    """The one from which they are forked has, and it ends with the run."""
    files = {"one": IMPORTED, "two": IMPORTED}
    assert pytest_on(files, tmp_path, "true", "-n", "2") == (0, "4 passed")
    assert pytest_on(files, tmp_path, "", "-n", "2") == (1, "4 failed")
    left = [read_command(entry) for entry in Path("/proc").glob("[0-9]*")]
    assert not any(str(tmp_path) in command for command in left)


def test_a_module_that_cannot_be_imported_says_so_in_ci(tmp_path: Path) -> None:
    files = {"one": "import no_such_module", "two": "def test_it(): pass"}
    assert pytest_on(files, tmp_path, "true", "-n", "2") == (1, "1 passed, 1 error")


def read_command(process: Path) -> str:
    """The command line of a process; nothing if it has ended."""
    try:
        return (process / "cmdline").read_text(errors="replace")
    except OSError:
        return ""


HEARD = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
KILLED = f"""
import signal, subprocess, sys
@pytest.mark.parametrize("name", {[number.name for number in HEARD]})
def test_it(name):
    code = f"import os, signal; os.kill(os.getpid(), signal.{{name}})"
    ended = subprocess.run([sys.executable, "-c", code])
    assert ended.returncode == -signal.Signals[name]
"""


@processes
def test_signals_are_heard_where_the_tests_run_in_the_background(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    """A shell, or `nohup`, has what it starts there ignore them, and all that is started by it."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in HEARD}
    try:
        assert pytest_on({"it": KILLED}, tmp_path, "", *more) == (0, f"{len(HEARD)} passed")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_temporary_files_are_not_among_those_of_others(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    code = "import tempfile; print(tempfile.gettempdir())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == tempfile.gettempdir()
    assert tmp_path_factory.getbasetemp() in Path(tempfile.gettempdir()).parents


def test_a_machine_that_is_shared_is_slower() -> None:
    """One processor for three that compute without end, and for a program."""
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"
    busy = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert stretched() > 1.5
    finally:
        os.sched_setaffinity(0, allowed)
        for process in busy:
            process.kill()
            process.wait()
