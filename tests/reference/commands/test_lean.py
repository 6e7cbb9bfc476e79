"""A lean installation: cores, client and server with the packages of .ci/lean.lock alone.

Once as docs/embedding.md tells the user to make it, where there is a network; and once with each
other package hidden (lean.py), where there is none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.conftest import in_first_network

LOCK = ROOT / ".ci" / "lean.lock"
HIDING = Path(__file__).with_name("lean.py")


def recipe() -> str:
    """The command that the page gives."""
    command = (ROOT / ".ci" / "readme-command", "lean", ROOT / "docs" / "embedding.md")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment made by the recipe, word for word, in a copy of the tree."""
    tree = tmp_path_factory.mktemp("lean")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for name in ("model", "proofs", "reference", ".namespace", ".ci"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        ("sh", "-ec", recipe()),
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=in_first_network,
    )
    if done.returncode and re.search("No matching distribution|onnection", done.stderr):
        pytest.skip(f"needs packages from a registry: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return tree / ".lean" / "bin" / "python"


@pytest.fixture(params=["hidden", "installed"])
def python(request: pytest.FixtureRequest) -> tuple[str | Path, ...]:
    """What runs words as Python's: `-c CODE`, or those of `holdover`."""
    if request.param == "hidden":
        return (sys.executable, HIDING)
    return (request.getfixturevalue("installed"), "-m", "holdover")


Ended = subprocess.CompletedProcess[str]


def run(python: tuple[str | Path, ...], *words: str) -> Ended:
    return subprocess.run([*python, *words], capture_output=True, text=True, check=False)


def test_client_and_server_are_there(python: tuple[str | Path, ...]) -> None:
    for words in (("client", "--help"), ("server", "--help"), ("--version",), ("--help",)):
        ended = run(python, *words)
        assert (ended.returncode, ended.stderr) == (0, ""), words
        assert "holdover" in ended.stdout


def test_each_module_that_they_use_is_there(python: tuple[str | Path, ...]) -> None:
    """Also those that they import when they run: up to an interface that there is not."""
    for words in (("client", "none0"), ("server", "none0", "--pool", "10.0.0.2")):
        ended = run(python, *words)
        assert ended.returncode == 2, ended.stderr
        assert "none0" in ended.stderr
        assert "needs" not in ended.stderr


def test_grace_is_there(python: tuple[str | Path, ...]) -> None:
    ended = run(python, "grace", "--lease", "1d", "--drift-ppm", "100")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("safe grace: 17.282 s")


def test_the_cores_are_there(python: tuple[str | Path, ...]) -> None:
    code = "from holdover.reference import core; print(core.Client.__name__)"
    ended = run((*python[:1], *python[1:2]) if python[1] == HIDING else python[:1], "-c", code)
    assert (ended.returncode, ended.stdout) == (0, "Client\n"), ended.stderr


@pytest.mark.parametrize(
    "words", ["verify", "verify rfc2131", "prove rfc2131", "explore rfc2131", "matrix", "lab list"]
)
def test_what_needs_more_says_what_and_what_brings_it(
    python: tuple[str | Path, ...], words: str
) -> None:
    ended = run(python, *words.split())
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert re.match(r"error: this command needs \w+, which is not installed", line)
    assert "`pip install .` in a clone of holdover" in line
    if python[1] != HIDING:
        assert {"z3-solver", "cvc5", "numba"} <= set(re.findall(r"[\w-]+", line))


def test_a_missing_module_of_ours_is_an_internal_error() -> None:
    code = (
        "import sys; sys.modules['holdover.reference.commands.grace'] = None\n"
        "from holdover.reference.cli import main; main(['grace'])"
    )
    ended = run((sys.executable,), "-c", code)
    assert ended.returncode == 70
    assert ended.stderr.startswith("internal error: ModuleNotFoundError")


def test_the_lock_has_what_they_need_and_as_the_whole_one_has_it() -> None:
    whole = (ROOT / ".ci" / "requirements.lock").read_text()
    pins = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    assert "\n".join(pins[:3]) in whole
    assert "\n".join(pins[3:]) in whole
    names = {line.partition("==")[0] for line in pins if "==" in line}
    assert names == {"click", "pyroute2"}
    for name in names:
        more = metadata.requires(name) or []
        assert [each for each in more if "extra ==" not in each and "platform" not in each] == []
