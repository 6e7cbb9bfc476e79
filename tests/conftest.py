"""What holds for every test: Hypothesis budgets, no skipping in CI, and where and how they run.

Decision 26 says why: files run beside each other, and each process of a run has a place of its own.
"""

import ctypes
import gc
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.register_assert_rewrite("tests.net.stage", "tests.net.server_stage")

IN_CI = os.environ.get("CI") == "true"

# Seeds stay random, so CI keeps looking at new cases; `print_blob` prints what reproduces a
# failure. No deadline: a solver's time says nothing about the code under test.
settings.register_profile(
    "ci", max_examples=100, derandomize=False, print_blob=True, deadline=None, database=None
)
settings.register_profile("dev", max_examples=60, derandomize=False, print_blob=True, deadline=None)
settings.load_profile("ci" if IN_CI else "dev")


LIBC, NEWNET = ctypes.CDLL(None, use_errno=True), 0x4000_0000
FIRST_NETWORK = (
    os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC) if sys.platform == "linux" else -1
)


def in_first_network() -> None:
    """For a child process: back to the network in which the run began, which tests/net leaves.

    There a package registry can be asked; in a namespace of a test it cannot.
    """
    there, here = os.fstat(FIRST_NETWORK), Path("/proc/self/ns/net").stat()
    left = (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
    if left and LIBC.setns(FIRST_NETWORK, NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns: no way back into the first network")


# Where and how they run --------------------------------------------------------------------------

ALONE = ("tests/net/test_networking_lock.py", "tests/net/test_lab_busy.py")
"""Files that hold the kernel's networking lock: no other of the network's is played meanwhile, and
one process has both, else a second would only wait for the first."""

MEANWHILE = (
    "tests/proofs/mutation/test_mutants.py",
    "tests/model/engine/test_engine.py",
    "tests/reference/refinement/test_refinement.py",
    "tests/stateful/test_client.py",
    "tests/model/engine/test_cluster.py",
    "tests/measure/bench/test_bench.py",
)
"""What begins while these are played, for all other processes: a network's test would wait for the
lock, and those that hold it for that one's."""

APART = "tests/test_checks.py"
"""A file whose tests are long, and share nothing: each may go to another process."""

LONGEST = (
    "tests/reference/docs/test_site_in_browser.py",
    "tests/net/test_lab.py",
    "tests/net/test_suspend.py",
    "tests/net/test_lab_command.py",
    "tests/net/test_hardship.py",
    "tests/net/test_learn.py",
    "tests/reference/explanation/test_browser.py",
    "tests/net/test_clients.py",
    "tests/net/test_lab_device.py",
    "tests/net/test_servers.py",
    "tests/net/test_findings.py",
    "tests/net/test_client_orders.py",
    "tests/net/test_collide.py",
    "tests/net/test_server_errors.py",
    "tests/reference/linux/test_hook_scripts.py",
    "tests/reference/linux/test_client_command.py",
    "tests/net/test_disk.py",
    "tests/reference/lab/test_pages_in_browser.py",
    "tests/net/test_ci_action.py",
    "tests/reference/linux/test_dns.py",
    "tests/net/test_hostile.py",
    "tests/net/test_audit.py",
    "tests/net/test_lab_roots.py",
    "tests/net/test_client_end.py",
    "tests/net/test_client.py",
    "tests/net/test_server.py",
    "tests/net/test_misfortune.py",
    "tests/net/test_odd.py",
    "tests/net/test_servers_placed.py",
    "tests/measure/bench/test_bench.py",
    "tests/stateful/test_client.py",
    "tests/model/engine/test_cluster.py",
    "tests/model/engine/test_engine.py",
    "tests/proofs/mutation/test_mutants.py",
    "tests/reference/commands/test_explore.py",
    "tests/test_packaging.py",
    "tests/stateful/test_model.py",
    "tests/test_ci.py",
    "tests/reference/audit/partition/test_partition.py",
    "tests/model/export/test_javascript.py",
    "tests/reference/commands/test_lean.py",
    "tests/proofs/logic/test_exported.py",
    "tests/reference/commands/test_elsewhere.py",
    "tests/reference/commands/test_process.py",
    "tests/reference/commands/test_verify.py",
    "tests/proofs/logic/test_formula.py",
    "tests/reference/core/test_client.py",
    "tests/reference/commands/test_json.py",
    "tests/reference/docs/test_audit_page.py",
    "tests/reference/refinement/test_refinement.py",
    "tests/model/export/test_tla.py",
    "tests/model/export/test_promela.py",
    "tests/proofs/logic/test_bitvectors.py",
    "tests/proofs/logic/test_reasons.py",
    "tests/proofs/verdicts/test_judge.py",
    "tests/fuzz/test_fuzz.py",
    "tests/reference/commands/test_explain.py",
    "tests/reference/docs/test_docs.py",
    "tests/reference/linux/test_defects.py",
    "tests/reference/refinement/test_conformance.py",
    "tests/reference/commands/test_crash.py",
    "tests/proofs/verdicts/test_unstated.py",
    "tests/model/explorer/test_explore.py",
    "tests/model/engine/test_engine_defects.py",
    "tests/proofs/theorems/test_t0_time_passes.py",
    "tests/model/readings/test_finite.py",
    "tests/proofs/theorems/test_t1_refutation.py",
    "tests/stateful/test_defects.py",
    "tests/proofs/logic/test_formula_defects.py",
    "tests/reference/refinement/test_product.py",
    "tests/proofs/certificates/test_check.py",
    "tests/reference/validation/test_follower.py",
    "tests/proofs/theorems/test_t6_displaced.py",
    "tests/proofs/certificates/test_kept.py",
    "tests/reference/docs/test_code_blocks.py",
    "tests/reference/docs/test_tutorials.py",
    "tests/proofs/logic/test_obligations.py",
    "tests/proofs/theorems/test_t3_grace.py",
)
"""Files that take more than twenty seconds in CI: first those that wait, then those that compute,
the longest of each first, and last those of which most is made in its turn: they are long where it
all is made (kept.py).  How the two take turns, `in_turns` says."""

WAIT = (
    "tests/net/",
    "tests/reference/docs/test_site_in_browser.py",
    "tests/reference/explanation/test_browser.py",
    "tests/reference/lab/test_pages_in_browser.py",
    "tests/reference/linux/test_hook_scripts.py",
    "tests/reference/linux/test_client_command.py",
    "tests/reference/linux/test_dns.py",
)
"""How files begin whose tests mostly wait: for a network, or for a browser."""


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C and its like are heard, by us and by what tests start.

    A shell that starts a program in the background has it ignore SIGINT and SIGQUIT, `nohup` has it
    ignore SIGHUP; and so would all that the program starts.
    """
    heard = {signal.SIGINT: signal.default_int_handler}
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, heard.get(number, signal.SIG_DFL))
    config.addinivalue_line("markers", KEPT)


KEPT = (
    "kept(family, by=''): a check of that family of tests/kept.py, which in CI is made in its turn "
    "where nothing has changed since all have passed; by: the parameter that makes it long; "
    "`module`: all tests of a file are one check"
)


def file_of(nodeid: str) -> str:
    """The file of a test."""
    return nodeid.partition("::")[0]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Who is played alone, whose tests may go anywhere, then the long ones, then all others.

    In CI without the checks that are not made today (kept.py).
    """
    if IN_CI and any(item.get_closest_marker("kept") for item in items):
        from tests.kept import left_out

        less = set(left_out(items))
        items[:] = [item for item in items if item not in less]
        config.hook.pytest_deselected(items=list(less))
    files = dict.fromkeys(file_of(item.nodeid) for item in items)
    ranks = {name: rank for rank, name in enumerate(in_order(list(files)))}
    items.sort(key=lambda item: ranks[file_of(item.nodeid)])


def in_order(files: Sequence[str]) -> list[str]:
    """These files as they are to begin; else a long one would, when all others are done."""
    first = [name for name in (*ALONE, APART, *MEANWHILE) if name in files]
    long = [name for name in LONGEST if name in files and name not in first]
    rest = [name for name in files if name not in {*first, *long}]
    return [*first, *in_turns(long), *in_turns(rest)]


def in_turns(files: Sequence[str]) -> list[str]:
    """Those that wait, evenly among those that compute: so there is always somebody to compute."""
    waiting = [name for name in files if name.startswith(WAIT)]
    computing = [name for name in files if name not in set(waiting)]
    placed = [
        ((number + 0.5) / len(kind), name)
        for kind in (waiting, computing)
        for number, name in enumerate(kind)
    ]
    return [name for _, name in sorted(placed)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: Sequence[Any]) -> None:
    """In CI one process imports all tests, and those of the run are forked from it (workers.py)."""
    if not IN_CI or sys.platform != "linux":
        return
    program = str(Path(__file__).with_name("workers.py"))
    place = tempfile.mkdtemp()
    config.add_cleanup(partial(shutil.rmtree, place))
    settings = [f"--rootdir={config.rootpath}"]
    settings += ["-c", str(config.inipath)] if config.inipath else []
    with socket.socket(socket.AF_UNIX) as asked:
        asked.bind(at := f"{place}/asked")
        asked.listen()
        number = asked.fileno()
        warm = subprocess.Popen(
            [sys.executable, "-u", program, str(number), *settings, *files_in(config.args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[number],
        )
    config.add_cleanup(partial(ended, warm))
    for spec in specs:
        spec.python = shlex.join([sys.executable, "-IS", program, at])


def ended(warm: subprocess.Popen[bytes]) -> None:
    """It ends when its standard input does."""
    warm.communicate()


def files_in(arguments: Sequence[str]) -> list[str]:
    """The files of tests that pytest's arguments name."""
    named = [Path(argument.partition("::")[0]) for argument in arguments]
    return sorted(
        {str(f) for path in named for f in (path.rglob("test_*.py") if path.is_dir() else [path])}
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays: nobody looks through it for garbage, now or later.

    What tests make is mostly kept to their end too, so that is looked through rarely.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.set_threshold(200_000, 20, 100)
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Whole files to processes: what a file's fixtures have made is made once."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # the order above, not that of the number of tests
    scheduling = LoadFileScheduling(config, log)
    scheduling._split_scope = unit_of
    return scheduling


def unit_of(nodeid: str) -> str:
    """What goes to one process as a whole: a file, those that are played alone, or one test."""
    file = file_of(nodeid)
    if file == APART:
        return nodeid
    return ALONE[0] if file in ALONE else file


@pytest.fixture(scope="session", autouse=True)
def place_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Temporary files of tests and of what they start are not among those of others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Debian's Chromium (browser.py); without it, or without what drives it, a test is skipped."""
    from tests.browser import chromium, missing

    if why := missing():
        pytest.skip(why)
    with chromium() as found:
        yield found


# In CI -------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test has failed; an expected failure is not a skip."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing is skipped: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI a module that skips itself has failed."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing is skipped: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> object:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have recorded by `record_property(title, line)`: tables of what they saw."""
    tables: dict[str, list[object]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for title, line in report.user_properties:
                    tables.setdefault(title, []).append(line)
    for title, lines in tables.items():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.line(str(line))
