"""What is installed as `holdover`, and that installer and ruff speak of the same files."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from itertools import chain
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.checkout import ROOT

PARTS = ("model", "proofs", "reference")
SOURCES = {file.relative_to(ROOT) for part in PARTS for file in (ROOT / part).rglob("*.py")}
DATA = {Path(part, "py.typed") for part in PARTS} | {
    file.relative_to(ROOT)
    for file in [
        *(ROOT / "model").rglob("*.toml"),
        *(ROOT / "proofs").rglob("*.json"),
        *(ROOT / "proofs").rglob("*.toml"),
        *(ROOT / "proofs" / "certificates" / "kept").glob("*.txt"),
        *(ROOT / "reference" / "systemd").glob("*.service"),
        *(ROOT / "reference" / "console").glob("*.json"),
        *(ROOT / "reference" / "docs").glob("*.json"),
        *(ROOT / "reference" / "explanation").glob("*.css"),
        *(ROOT / "reference" / "explanation").glob("*.js"),
        *(ROOT / "reference" / "refinement").glob("*.toml"),
        *(ROOT / "reference" / "refinement").glob("*.json"),
    ]
}


def run(*command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def output(*command: str | Path) -> str:
    """What a command prints; the test fails when the command does."""
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to build in: the work tree's build/ may hold files of an older build."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for part in (*PARTS, ".namespace"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path) -> Path:
    output(sys.executable, "-m", "build", "--wheel", "--no-isolation", tree)
    (built,) = (tree / "dist").iterdir()
    return built


def test_wheel_has_every_source_and_data_file_and_no_other(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        packed = {Path(name) for name in archive.namelist()}
    code = {path for path in packed if not path.parts[0].endswith(".dist-info")}
    assert code == {Path("holdover") / path for path in SOURCES | DATA | {Path("__main__.py")}}
    assert any(path.suffix == ".toml" for path in code), "no profile: the glob finds none"


def test_wheel_has_licence_and_command(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        info = f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info"
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        commands = archive.read(f"{info}/entry_points.txt").decode()
    assert "holdover = holdover.reference.cli:main" in commands.splitlines()


def project() -> dict[str, Any]:
    """What pyproject.toml says of the project."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


class Installation:
    """An environment for holdover alone; its dependencies come from the one that runs the tests."""

    def __init__(self, place: Path):
        venv.create(place, symlinks=True)
        self.python = place / "bin" / "python"
        self.holdover = place / "bin" / "holdover"
        self.site = Path(self.says("import sysconfig; print(sysconfig.get_path('purelib'))")[0])
        # As a path inside a .pth file it brings its packages, but not its own editable install
        # of holdover: and no network is needed.
        (self.site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    def pip(self, *words: str | Path) -> None:
        output(sys.executable, "-m", "pip", "--python", self.python, *words)

    def install(self, *what: str | Path) -> None:
        self.pip("install", "-q", "--no-index", "--no-deps", "--no-build-isolation", *what)

    def says(self, script: str, *words: str) -> list[str]:
        return output(self.python, "-I", "-c", script, *words).splitlines()


MODULES = sorted(
    ".".join(("holdover", *path.with_suffix("").parts))
    for path in SOURCES
    if path.stem not in ("__init__", "__main__")
)
WHERE_FROM = (
    "import importlib, sys\nfor m in sys.argv[1:]: print(importlib.import_module(m).__file__)"
)
UNEXPLORED = "from holdover.proofs.mutation import samples\nsamples.samples = tuple\n"
"""`proofs/mutation/explored.py` explores all small configurations when it is imported: not here."""


def imports_and_runs(there: Installation, home: Path) -> None:
    """Every module is found below `home`, and the command runs in each way."""
    files = there.says(UNEXPLORED + WHERE_FROM, *MODULES)
    assert files == [str(home / Path(*m.split(".")[1:])) + ".py" for m in MODULES]
    usage = output(there.holdover, "--help")
    assert "Usage: holdover" in usage
    for name in ("holdover", "holdover.reference"):
        assert output(there.python, "-I", "-m", name, "--help") == usage


def test_each_installation_is_whole_and_an_editable_one_takes_the_place_of_a_regular_one(
    tree: Path, wheel: Path, tmp_path: Path
) -> None:
    """The README's two commands, one after the other in one environment.

    What the first has left in site-packages/holdover would be found before the sources: numba's
    compiled kernel was, and no profile could be read any more.
    """
    there = Installation(tmp_path)
    there.install(wheel)
    imports_and_runs(there, there.site / "holdover")
    output(there.holdover, "explore", "rfc2131")  # compiles the kernel
    there.install("-e", tree)
    packages = there.says(WHERE_FROM, "holdover.model", "holdover.proofs", "holdover.reference")
    assert packages == [str(tree / part / "__init__.py") for part in PARTS]
    assert "rfc2131" in output(there.holdover, "profiles")
    assert not [left for left in (there.site / "holdover").rglob("*") if left.is_file()]
    imports_and_runs(there, tree)


@pytest.mark.parametrize("part", PARTS)
def test_ruff_bans_import_by_directory_name(part: str) -> None:
    """`import model` would load a second copy, and only from the right directory."""
    ruff = (sys.executable, "-m", "ruff", "check", "--stdin-filename", "tests/planted.py")
    planted = run(*ruff, "-", stdin=f'"""Planted."""\n\nimport {part}\n\n{part}.run()\n')
    assert planted.returncode == 1
    assert f"`{part}` is banned" in planted.stdout
    proper = f'"""Planted."""\n\nfrom holdover import {part}\n\n{part}.run()\n'
    assert run(*ruff, "-", stdin=proper).returncode == 0


def test_lock_names_versions_and_hashes_only() -> None:
    lock = (ROOT / ".ci/requirements.lock").read_text()
    assert not re.search(r"://|--(index-url|extra-index-url|find-links)\b", lock)
    said = project()
    extras = said["optional-dependencies"]
    assert extras["dev"].pop(0) == f"{said['name']}[cluster,docs]"  # itself, for the other extras
    for requirement in chain(said["dependencies"], *extras.values()):
        name = re.split(r"[^\w.-]", requirement)[0]
        assert re.search(rf"^{name}==\S+( ; .*)? \\\n    --hash=sha256:", lock, re.MULTILINE), name


def test_the_version_and_the_command_line_are_found_without_a_script() -> None:
    words = (sys.executable, "-m", "holdover.reference", "--version")
    code = "import holdover.reference as r; print(r.__version__)"
    version = output(sys.executable, "-c", code).strip()
    assert output(*words).split()[-1] == version == project()["version"]
