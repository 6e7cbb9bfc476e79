"""What numba has kept of a kernel is not taken for what its files say now."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdover.model.engine import compiled
from holdover.model.engine import kernel as engine
from holdover.model.engine.compiled import COMPILED, compilers, fingerprint
from holdover.reference.audit.inputs.kernel import compiled as audit
from holdover.reference.audit.inputs.kernel import frames, places, runs
from holdover.reference.refinement.product import kernel as refinement
from tests.checkout import ROOT

KERNELS: dict[str, tuple[tuple[str | Path, ...], tuple[Any, ...]]] = {
    "engine": (engine.FILES, (engine.expand, engine.insert)),
    "refinement": (refinement.FILES, (refinement.commit, refinement.prepare)),
    "audit": (audit.FILES, (frames.look, places.index_pcap, places.index_pcapng, runs.sweep)),
}

NOTHING_COMPILED = {"holdover.model.readings.ground"}
"""From there comes the name of a type."""


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_is_kept_under_the_fingerprint_of_its_files(kernel: str) -> None:
    files, functions = KERNELS[kernel]
    for function in functions:
        folder = Path(function.stats.cache_path).parent.name
        assert COMPILED is None or folder == f"{kernel}-{fingerprint([*files, compiled.__file__])}"


def imported(file: str | Path) -> Iterator[Path]:
    """The files of the project from which a file takes something, packages left out."""
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or node.module in NOTHING_COMPILED:
            continue
        for name in (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)):
            module = sys.modules.get(name)
            if name.startswith("holdover.") and module is not None:
                path = Path(str(module.__file__))
                if path.name != "__init__.py":
                    yield path.resolve()


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_file_that_it_takes_from_is_one_of_them(kernel: str) -> None:
    files = {Path(file).resolve() for file in KERNELS[kernel][0]}
    itself = [file for file in files if "jit" in file.read_text(encoding="utf-8")]
    needed = {path for file in itself for path in imported(file)}
    assert needed - files <= {ROOT / "model/engine/compiled.py"}


def test_a_change_in_any_file_is_another_version(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.py", "two.py")]
    for file in files:
        file.write_text(file.name, encoding="utf-8")
    before = fingerprint(files)
    for file in files:
        file.write_text(f"{file.name} ", encoding="utf-8")
        assert fingerprint(files) != before
        file.write_text(file.name, encoding="utf-8")
    assert fingerprint(files) == before


def test_what_a_changed_number_was_compiled_to_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number of another file is part of what is compiled, and numba does not see that."""
    monkeypatch.setattr(compiled, "COMPILED", tmp_path / "kept")
    monkeypatch.syspath_prepend(str(tmp_path))
    number, function = tmp_path / "taken_number.py", tmp_path / "taking_function.py"
    function.write_text("from taken_number import N\n\ndef f(x):\n    return x + N\n", "utf-8")

    def computed(n: int) -> int:
        number.write_text(f"N = {n}\n", encoding="utf-8")
        for name in ("taken_number", "taking_function"):
            sys.modules.pop(name, None)
        scope: dict[str, Any] = {"__name__": "taking_function", "__file__": str(function)}
        exec(number.read_text("utf-8"), scope)
        text = function.read_text("utf-8").partition("\n\n")[2]
        exec(compile(text, str(function), "exec"), scope)
        jit, _ = compilers("numbers", (number, function))
        return int(jit(scope["f"])(1))

    assert [computed(1), computed(2), computed(1)] == [2, 3, 2]


def test_what_is_not_as_the_files_say_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "COMPILED", tmp_path)
    monkeypatch.setattr(compiled, "NOT_KEPT", {"increment"})

    def increment(x: int) -> int:
        return x + 1

    jit, _ = compilers("numbers", ())
    assert jit(increment)(1) == 2
    assert list(tmp_path.rglob("*.nbi")) == []
