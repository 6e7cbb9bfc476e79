"""What was made of the sources is found again, and not once one of them is another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdover.model.engine.engine import search
from holdover.model.explorer.configurations import Configuration, configurations, counts
from holdover.model.explorer.explore import explore
from holdover.model.packed.tables import tabulate
from holdover.model.packed.tabulated import Tabulated
from holdover.model.readings import kept
from holdover.model.readings.finite import Instance
from holdover.model.readings.kept import (
    FILES,
    FOLDERS,
    MODEL,
    digest,
    keep,
    sources,
    version_of_numpy,
)
from holdover.model.table.properties import ALWAYS, EXCLUSIVE, SOMETIMES, STEPS, Property
from holdover.model.table.table import Table
from tests.checkout import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Something is kept, in a folder of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kept, "BEGAN", float("inf"))
    keep()
    assert kept.Folder.path is not None
    yield kept.Folder.path
    kept.Folder.path = None


def configuration() -> Configuration:
    return next(c for c in configurations() if c.name == "dhcpcd")


def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the table cannot be read, neither by the explorer nor for the engine."""

    def refuse(*given: object, **more: object) -> None:
        raise AssertionError("it is made anew")

    monkeypatch.setattr(Instance, "_row", refuse)
    monkeypatch.setattr(Tabulated, "_close", refuse)


def test_an_instance_is_explored_as_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = configuration().instance(), ALWAYS, STEPS, SOMETIMES
    plain, engine = explore(*asked), search(*asked, threads=1)
    assert len(list(folder.iterdir())) == 3
    unreadable(monkeypatch)
    asked = configuration().instance(), ALWAYS, STEPS, SOMETIMES
    again, by_engine = explore(*asked), search(*asked, threads=1)
    assert (again.states, counts(again)) == (plain.states, counts(plain))
    assert counts(by_engine) == counts(engine) == counts(plain)
    assert by_engine.violations.keys() == engine.violations.keys()
    for name, run in engine.violations.items():
        assert by_engine.violations[name].labels == run.labels


@pytest.mark.parametrize("changed", ["constants", "bounds", "table"])
def test_another_instance_is_made_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    first = configuration().instance()
    explore(first)
    unreadable(monkeypatch)
    table, constants, bounds = first.table, dict(first.constants), first.bounds
    if changed == "constants":
        constants["mutes"] = not constants["mutes"]
    elif changed == "bounds":
        bounds = replace(bounds, past=bounds.past + 1)
    else:
        table = Table(table.variables, table.actions)
    with pytest.raises(AssertionError, match="anew"):
        explore(Instance(table, constants, bounds))


def test_tables_for_another_question_are_made_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = (*ALWAYS[:-1], replace(ALWAYS[-1]))  # it has the name of ours, and may say anything
    tabulate(configuration().instance(), ALWAYS)
    tabulate(configuration().instance(), foreign)
    unreadable(monkeypatch)
    tabulate(configuration().instance(), ALWAYS)
    others: tuple[tuple[Property, ...], ...] = ((), (EXCLUSIVE,), foreign)
    for asked in others:
        with pytest.raises(AssertionError, match="anew"):
            tabulate(configuration().instance(), asked)


def test_nothing_is_kept_or_found_unless_somebody_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    explore(configuration().instance())
    unreadable(monkeypatch)
    with pytest.raises(AssertionError, match="anew"):
        explore(configuration().instance())


def test_a_damaged_file_is_made_anew(folder: Path) -> None:
    before = explore(configuration().instance()).states
    for file in folder.iterdir():
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    assert explore(configuration().instance()).states == before
    first, *_ = folder.iterdir()
    first.write_bytes(first.read_bytes()[:40])
    assert explore(configuration().instance()).states == before


def test_where_nothing_can_be_written_it_is_made(folder: Path) -> None:
    folder.rmdir()
    assert len(explore(configuration().instance()).states) == configuration().states


def test_every_source_of_the_model_counts(tmp_path: Path) -> None:
    for name in ("one.py", "table/two.py", "three.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    files = sources(tmp_path)
    assert len(files) == 3
    before = digest(files, tmp_path)
    for file in files:
        file.write_text(f"{file.name} ", encoding="utf-8")
        assert digest(files, tmp_path) != before
        file.write_text(file.relative_to(tmp_path).as_posix(), encoding="utf-8")
    assert digest(files, tmp_path) == before
    files[0].rename(tmp_path / "four.py")
    assert digest(sources(tmp_path), tmp_path) != before


def test_these_are_all_files_of_the_model() -> None:
    """But for what Python compiled, nothing lies there that no digest knows."""
    assert MODEL.resolve() == ROOT / "model"
    there = (f for f in MODEL.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    assert {f for f in there if f.name != "py.typed"} == set(sources())


def test_sources_younger_than_the_process_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this process has in its memory may be what they were before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kept, "BEGAN", max(f.stat().st_mtime for f in sources()))
    keep()
    assert kept.Folder.path is None


def test_of_other_versions_few_are_left(folder: Path) -> None:
    for number in range(2 * FOLDERS):
        other = folder.parent / f"other{number}"
        other.mkdir()
        os.utime(other, (number, number))
    keep()
    assert len(list(folder.parent.iterdir())) == FOLDERS
    assert folder.exists()


def test_of_many_files_the_older_half_goes(folder: Path) -> None:
    for number in range(FILES + 1):
        (folder / f"{number}").touch()
        os.utime(folder / f"{number}", (number, number))
    keep()
    left = {int(file.name) for file in folder.iterdir()}
    assert left == set(range(FILES + 1 - FILES // 2, FILES + 1))
    keep()
    assert len(list(folder.iterdir())) == FILES // 2


def test_numpy_counts_by_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    assert f'"{np.__version__}"'.encode() in version_of_numpy()
    before = digest([])
    monkeypatch.setattr(kept, "version_of_numpy", lambda: b"another")
    assert digest([]) != before


def test_who_cannot_tell_the_version_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kept, "BEGAN", float("inf"))
    monkeypatch.setattr(kept, "find_spec", lambda name: None)
    keep()
    assert kept.Folder.path is None


VERIFY = (sys.executable, "-c", "from holdover.reference.cli import main; main()", "verify")


def test_a_program_that_judges_keeps_and_says_the_same(tmp_path: Path) -> None:
    def said() -> str:
        return subprocess.run(
            (*VERIFY, "wfwg311-thereafter", "rfc2131"),
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    first = said()
    (own,) = (tmp_path / "holdover" / "tables").iterdir()
    kept_then = {file: file.read_bytes() for file in own.iterdir()}
    assert kept_then
    assert "violated" in first
    assert said() == first
    assert {file: file.read_bytes() for file in own.iterdir()} == kept_then
