"""What holds for every test: Hypothesis budgets, and no skipping in CI."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

IN_CI = os.environ.get("CI") == "true"

# Seeds stay random, so CI keeps looking at new cases; `print_blob` prints what reproduces a
# failure. No deadline: a solver's time says nothing about the code under test.
settings.register_profile(
    "ci", max_examples=300, derandomize=False, print_blob=True, deadline=None, database=None
)
settings.register_profile("dev", max_examples=60, derandomize=False, print_blob=True, deadline=None)
settings.load_profile("ci" if IN_CI else "dev")


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
