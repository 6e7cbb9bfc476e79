"""The tests of the client's shell are tested: each seeded defect is noticed, by the test named.

A defect of `defects.toml` is put in on import (tests/seeding.py), in a process of its own, where
pytest then runs that test.  As a script, this file is the process from which these are forked: it
has imported what no defect can touch (tests/seeding.py refuses to put one into what is imported).
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.seeding import Defect, Seeding, fork

PASSES, GOES_RED = 0, 1
"""pytest's exit statuses."""


@cache
def defects() -> tuple[Defect, ...]:
    """All of `defects.toml`."""
    text = (Path(__file__).parent / "defects.toml").read_text(encoding="utf-8")
    return tuple(Defect(**row) for row in tomllib.loads(text)["defect"])


# The processes that have a defect ----------------------------------------------------------------

IMPORTED = (
    "hypothesis",
    "pyroute2",
    "holdover.reference.core.client",
    "holdover.reference.core.server",
    "holdover.reference.wire.packet",
)
"""What each of them would import."""


def with_defects(words: Sequence[str]) -> int:
    """The status of the tests that are named, with the defects whose names are given too."""
    for defect in defects():
        if defect.id in words:
            sys.meta_path.insert(0, Seeding(defect))
    tests = [word for word in words if "::" in word]
    early = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"  # as it is to be
    given = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-W", early]
    return int(pytest.main([*given, *tests]))


def main() -> None:
    """For each list of words that is asked for, in JSON: a line, with its status and its words."""
    for name in IMPORTED:
        importlib.import_module(name)
    for words in json.loads(sys.stdin.read()):
        with tempfile.TemporaryFile() as said:
            child = fork(partial(with_defects, words), said, CRASHED)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            said.seek(0)
            print(json.dumps([status, said.read().decode()]), flush=True)


CRASHED = 70

# The tests ---------------------------------------------------------------------------------------

Ran = tuple[int, str]
"""An exit status, and what was said."""


def run(*asked: Sequence[str]) -> list[Ran]:
    """A process for each list of words, to its end."""
    # Not above: the process that has a defect imports this file, and nothing of the project before.
    from holdover.reference.lab.testbed.process import PATIENCE

    done = subprocess.run(
        [sys.executable, "-m", "tests.reference.linux.test_defects"],
        cwd=ROOT,
        input=json.dumps(asked),
        timeout=2 * PATIENCE,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [(status, said) for status, said in map(json.loads, done.stdout.splitlines())]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> dict[str, Ran]:
    """What became of each defect that is to be tested."""
    chosen = {
        item.callspec.id
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_it_is_noticed
    }
    wanted = [defect for defect in defects() if defect.id in chosen]
    ran = run(*((defect.id, defect.noticed) for defect in wanted))
    return {defect.id: each for defect, each in zip(wanted, ran, strict=True)}


def test_each_is_in_its_file_once_and_says_what_is_wrong() -> None:
    assert len({defect.id for defect in defects()}) == len(defects())
    for defect in defects():
        source = (ROOT / defect.file).read_text(encoding="utf-8")
        assert defect.put_into(source) != source
        assert defect.says


def test_the_tests_pass_without_one() -> None:
    ((status, said),) = run(sorted({defect.noticed for defect in defects()}))
    assert status == PASSES, said


@pytest.mark.parametrize("defect", defects(), ids=lambda defect: str(defect.id))
def test_it_is_noticed(defect: Defect, runs: dict[str, Ran]) -> None:
    status, said = runs[defect.id]
    assert status == GOES_RED, said
    assert f"FAILED {defect.noticed}" in said, said


if __name__ == "__main__":
    main()
