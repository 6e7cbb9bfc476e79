"""The page of seconds: what counts as met, and which runs count."""

from pathlib import Path

import pytest

from tests.measure.seconds import Row, Taken, is_met, least, page, shown

STAND_IN = """
import os, sys
from pathlib import Path

def main():
    cache = Path(os.environ["XDG_CACHE_HOME"])
    verdict = cache / "holdover" / "verdicts" / "one"
    with (Path(sys.argv[-1])).open("a") as seen:
        seen.write(f"{(cache / 'compiled').exists():d}{verdict.exists():d} ")
    verdict.parent.mkdir(parents=True, exist_ok=True)
    verdict.touch()
    (cache / "compiled").touch()
    sys.exit(1)
"""
"""In the place of `holdover`: it writes down what it finds in the cache, and leaves something."""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with a `holdover` that is the stand-in."""
    there = tmp_path / "path" / "holdover" / "reference"
    there.mkdir(parents=True)
    (there / "cli.py").write_text(STAND_IN)
    return there.parent.parent


@pytest.mark.parametrize(
    ("cold", "found"), [(False, "00 10 10 10 "), (True, "00 00 00 ")], ids=["warm", "cold"]
)
def test_the_cache_is_as_a_row_says_and_no_verdict_is_kept(
    packages: Path, tmp_path: Path, cold: bool, found: str
) -> None:
    seen = tmp_path / "seen"
    taken = least(packages, Row("it", (str(seen),), 1.0, 3, cold=cold), tmp_path / "cache")
    assert seen.read_text() == found
    assert taken.status == 1
    assert taken.wall > 0


def test_a_limit_is_met_by_a_run_that_came_to_its_end_in_time() -> None:
    assert is_met(Taken(1.0, 2.0, 0), 1.0) == "met"
    assert is_met(Taken(1.0, 2.0, 3), 1.0) == "met"
    assert is_met(Taken(1.1, 0.1, 0), 1.0) == "**not met**"
    assert is_met(Taken(0.1, 0.1, 2), 1.0) == "**not met**"


def test_a_run_that_failed_has_no_seconds() -> None:
    assert shown(Taken(0.1, 0.1, 4)) == ("status 4", "")
    assert shown(Taken(0.123, 0.1, 1)) == ("0.12", "0.10")
    assert shown(Taken(12.34, 20.06, 0)) == ("12.3", "20.1")


def test_the_page_has_each_limit_also_at_the_speed_of_its_machine() -> None:
    rows = [("holdover it", 5.0, Taken(9.0, 18.0, 0), Taken(6.0, 12.0, 0))]
    told = page(rows, "abc", 0.5, 1.5)
    assert (
        "| `holdover it` | 9.0 | 18.0 | 6.0 | 12.0 | 5 | **not met** | 7.5 | met |"
        in told.splitlines()
    )
    assert "1.50 times as long here" in told
    assert "times as long here" not in page(rows, None, 0.5, None)
