"""The tests of the client's shell are tested: each seeded defect is noticed, by the test named.

A defect of `defects.toml` is put in on import (tests/seeding.py), in a process of its own, where
pytest then runs that test: as a script, this file is that process.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.seeding import Defect, Seeding

PASSES, GOES_RED = 0, 1
"""pytest's exit statuses."""


@cache
def defects() -> tuple[Defect, ...]:
    """All of `defects.toml`."""
    text = (Path(__file__).parent / "defects.toml").read_text(encoding="utf-8")
    return tuple(Defect(**row) for row in tomllib.loads(text)["defect"])


# The process that has a defect -------------------------------------------------------------------


def main() -> int:
    """The tests that are named, with the defects whose names are given too."""
    words = sys.argv[1:]
    for defect in defects():
        if defect.id in words:
            sys.meta_path.insert(0, Seeding(defect))
    tests = [word for word in words if "::" in word]
    return int(pytest.main(["-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests]))


# The tests ---------------------------------------------------------------------------------------

Ran = subprocess.CompletedProcess[str]


def run(*words: str) -> Ran:
    """The process, to its end."""
    # Not above: the process that has a defect imports this file, and nothing of the project before.
    from holdover.reference.lab.testbed.process import PATIENCE

    command = [sys.executable, "-m", "tests.reference.linux.test_defects", *words]
    return subprocess.run(command, cwd=ROOT, timeout=PATIENCE, capture_output=True, text=True)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Ran]]]:
    """The processes of all defects that are to be tested, two at a time."""
    chosen = {
        item.callspec.id
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_it_is_noticed
    }
    with ThreadPoolExecutor(2) as pool:
        yield {d.id: pool.submit(run, d.id, d.noticed) for d in defects() if d.id in chosen}
        pool.shutdown(cancel_futures=True)


def test_each_is_in_its_file_once_and_says_what_is_wrong() -> None:
    assert len({defect.id for defect in defects()}) == len(defects())
    for defect in defects():
        source = (ROOT / defect.file).read_text(encoding="utf-8")
        assert defect.put_into(source) != source
        assert defect.says


def test_the_tests_pass_without_one() -> None:
    ran = run(*sorted({defect.noticed for defect in defects()}))
    assert ran.returncode == PASSES, ran.stdout + ran.stderr


@pytest.mark.parametrize("defect", defects(), ids=lambda defect: str(defect.id))
def test_it_is_noticed(defect: Defect, runs: dict[str, Future[Ran]]) -> None:
    ran = runs[defect.id].result()
    assert ran.returncode == GOES_RED, ran.stdout + ran.stderr
    assert f"FAILED {defect.noticed}" in ran.stdout, ran.stdout


if __name__ == "__main__":
    sys.exit(main())
