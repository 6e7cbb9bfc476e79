"""A verdict that is kept hides no change: of the code, of what checks it, of the file it is in."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdover.reference.refinement import conformance
from holdover.reference.refinement.conformance import CHECKER, CODE, Conformance
from holdover.reference.refinement.search import Refined, refine, refine_all
from holdover.reference.refinement.setting import Setting, settings

SMALLEST = tuple(setting for setting in settings() if setting.name == "stopped")
BESIDE = ("holdover.proofs", "holdover.proofs.kept", "holdover.proofs.result", "holdover.reference")
"""Modules that a verdict comes with and does not hang on: empty, or the names of the outcomes."""


@pytest.fixture(scope="module")
def loaded() -> None:
    """What is compiled is loaded here, once, and not in each process that is forked to explore."""
    assert refine(SMALLEST[0]).complete


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loaded: None) -> Path:
    """The file of a verdict on one small setting, explored just now."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(conformance, "settings", lambda: SMALLEST)
    monkeypatch.setattr(conformance, "edges_of", lambda settings, jobs: frozenset())
    assert conformance.conformance(jobs=1).kept is None
    (file,) = (tmp_path / "cache" / "holdover" / "verdicts").iterdir()
    assert conformance.conformance(jobs=1).kept == file
    return file


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A copy of all sources that digests are made of, as the package `holdover`."""
    copy = tmp_path / "holdover"
    for package in CHECKER:
        whole, to = Path(str(resources.files(package))), copy.joinpath(*package.split(".")[1:])
        shutil.copytree(whole, to, ignore=shutil.ignore_patterns("__pycache__"))

    def files(package: str) -> Path:
        return tmp_path.joinpath(*package.split("."))

    monkeypatch.setattr(conformance, "resources", SimpleNamespace(files=files))
    return copy


def explored(monkeypatch: pytest.MonkeyPatch) -> tuple[Conformance, int]:
    """The verdict, and how many settings were explored for it."""
    found: list[Refined] = []

    def explore(todo: Iterable[Setting], jobs: int) -> Iterator[Refined]:
        for seen in refine_all(todo, jobs=jobs):
            found.append(seen)
            yield seen

    monkeypatch.setattr(conformance, "refine_all", explore)
    return conformance.conformance(jobs=1), len(found)


@pytest.mark.parametrize(
    "name",
    ["reference/core/client.py", "reference/refinement/product/kernel.py", "model/table/client.py"],
)
def test_one_byte_of_a_source_and_it_is_explored_anew(
    kept: Path, sources: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Even in a comment: nobody decides what does not matter."""
    verdict, count = explored(monkeypatch)
    assert (verdict.kept, count) == (kept, 0), "a copy has the same digests"
    source = sources / name
    text = bytearray(source.read_bytes())
    text[text.index(b"e")] += 1
    source.write_bytes(text)
    verdict, count = explored(monkeypatch)
    assert (verdict.kept, count) == (None, 1)


def test_every_file_counts(sources: Path) -> None:
    """One byte more in any of them, and the digest of the checker is another one."""
    seen = {conformance.checker()}
    paths = [*sources.rglob("*.py"), *sources.rglob("*.toml")]
    for path in paths:
        text = path.read_bytes()
        path.write_bytes(text + b"\n")
        seen.add(conformance.checker())
        path.write_bytes(text)
    assert len(seen) == len(paths) + 1 > 100


@pytest.mark.parametrize("version", ["platform.python_version", "numba.__version__"])
def test_so_does_what_runs_it(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    before = conformance.checker()
    module, name = version.split(".")
    there = getattr(conformance, module)
    monkeypatch.setattr(there, name, "0" if name == "__version__" else lambda: "0")
    assert conformance.checker() != before


def test_what_a_verdict_hangs_on_is_in_its_digest() -> None:
    """Each module of ours that exploring imports is in a package that the digest covers."""
    code = f"import sys, {conformance.__name__}; print(*sys.modules)"
    loaded = subprocess.run(
        (sys.executable, "-c", code), check=True, capture_output=True, text=True
    )
    ours = [name for name in loaded.stdout.split() if name.startswith("holdover.")]
    assert len(ours) > 50
    outside = [n for n in ours if not any(n == p or n.startswith(f"{p}.") for p in CHECKER)]
    assert set(outside) <= set(BESIDE)
    folder = resources.files("holdover.reference")
    assert all((folder / name).is_file() for name in CODE)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda text: b"",
    "cut off": lambda text: text[: len(text) // 2],
    "not text": lambda text: b"\xff\xfe" + text,
    "another time": lambda text: text.replace(b'"found": "2', b'"found": "1'),
    "a digit": lambda text: text.replace(str(SMALLEST[0].states).encode(), b"15261"),
    "no object": lambda text: b"[]",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_noticed(
    kept: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """It is explored anew, and the file is written anew."""
    whole = kept.read_bytes()
    damaged = DAMAGE[damage](whole)
    assert damaged != whole
    kept.write_bytes(damaged)
    verdict, count = explored(monkeypatch)
    assert (verdict.kept, count, verdict.outcome) == (None, 1, "holds")
    assert json.loads(kept.read_text())["settings"] == json.loads(whole)["settings"]
    assert explored(monkeypatch)[0].kept == kept
