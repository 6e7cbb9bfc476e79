"""That CI cannot go green on less than it claims to run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# One skips in its body, two before it (pytest: an error), two while they are collected (likewise).
SKIPS = {
    "call": "def test_it(): pytest.skip('no root')",
    "mark": "@pytest.mark.skip('no root')\ndef test_it(): pass",
    "fixture": "@pytest.fixture\ndef net(): pytest.skip('no root')\ndef test_it(net): pass",
    "module": "pytest.skip('no root', allow_module_level=True)",
    "import": "pytest.importorskip('no_such_module')",
}
EXPECTED_FAILURE = "@pytest.mark.xfail\ndef test_it(): assert False"


def pytest_on(sources: dict[str, str], where: Path, ci: str) -> tuple[int, str]:
    """Exit code and closing counts of a run of these test files under our conftest.py."""
    shutil.copy(ROOT / "tests" / "conftest.py", where)
    for name, source in sources.items():
        (where / f"test_{name}.py").write_text(f"import pytest\n{source}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--continue-on-collection-errors", where],
        cwd=where,
        env=os.environ | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()[-1].strip("= ").partition(" in ")[0]


def test_every_way_to_skip_fails_in_ci(tmp_path: Path) -> None:
    assert pytest_on(SKIPS, tmp_path, ci="true") == (1, "1 failed, 4 errors")


def test_skips_are_allowed_elsewhere(tmp_path: Path) -> None:
    assert pytest_on(SKIPS, tmp_path, ci="") == (0, "5 skipped")


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
