"""The checks of the engine are checked: each seeded defect is noticed, by the check that is named.

A defect of `engine_defects.toml` changes one passage of a module of the engine.  It is put in on
import, in a process of its own, where `engine_battery` is then run: as a script, this file is that
process.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 100
"""Seconds that a battery may take on a machine that is busy with other things."""

NONE_FAILS, NOTICED, CRASHED = 0, 3, 4
"""How the process ends; another status is that of an error outside the checks."""


@dataclass(frozen=True)
class Defect:
    """`old` stands once in `file`, and `new` instead of it makes the engine wrong, as it `says`.

    `noticed` is the check of the battery that goes red; `crashes` if by an error of the engine.
    """

    id: str
    file: str
    says: str
    noticed: str
    old: str
    new: str
    crashes: bool = False

    @property
    def module(self) -> str:
        """The module that it is in."""
        return "holdover." + self.file.removesuffix(".py").replace("/", ".")

    def put_into(self, source: str) -> str:
        """The source of the module with the defect."""
        if source.count(self.old) != 1:
            raise ValueError(
                f"engine_defects.toml: {self.id}: this is in {self.file} {source.count(self.old)}"
                f" times, not once; change the defect with the engine:\n{self.old}"
            )
        return source.replace(self.old, self.new)


@cache
def defects() -> tuple[Defect, ...]:
    """All of `engine_defects.toml`."""
    text = (Path(__file__).parent / "engine_defects.toml").read_text(encoding="utf-8")
    return tuple(Defect(**row) for row in tomllib.loads(text)["defect"])


# The process that has a defect -------------------------------------------------------------------


class Seeded(SourceFileLoader):
    """Loads the module that a defect is in with the defect in it."""

    def __init__(self, defect: Defect):
        super().__init__(defect.module, str(ROOT / defect.file))
        self.defect = defect

    def get_code(self, fullname: str) -> CodeType:
        source = self.defect.put_into(Path(self.path).read_text(encoding="utf-8"))
        # What is compiled of a changed kernel must never be taken for the kernel's.
        source = source.replace("cache=True", "cache=False")
        return compile(source, self.path, "exec", dont_inherit=True)


class Seeding(MetaPathFinder):
    """Has the module that a defect is in loaded so."""

    def __init__(self, defect: Defect):
        self.defect = defect

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.defect.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        spec.loader = Seeded(self.defect)
        return spec


def main() -> int:
    """The battery, with the defect of the given name or without any."""
    first = ""
    for defect in defects():
        if defect.id in sys.argv[1:]:
            sys.meta_path.insert(0, Seeding(defect))
            first = defect.noticed
    from tests.model import engine_battery  # after the defect: it imports the engine

    try:
        engine_battery.battery(first)
    except AssertionError as error:
        print(error)
        return NOTICED
    except engine_battery.Crashed as error:
        print(error)
        return CRASHED
    return NONE_FAILS


# The tests ---------------------------------------------------------------------------------------

Ran = subprocess.CompletedProcess[str]


def run(*names: str) -> Ran:
    """The process, to its end."""
    command = [sys.executable, "-m", "tests.model.test_engine_defects", *names]
    return subprocess.run(command, cwd=ROOT, timeout=LONGEST, capture_output=True, text=True)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Ran]]]:
    """The processes of all defects that are to be tested, two at a time."""
    chosen = {
        item.callspec.id for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_it_is_noticed
    }  # fmt: skip
    with ThreadPoolExecutor(2) as pool:
        yield {d.id: pool.submit(run, d.id) for d in defects() if d.id in chosen}
        pool.shutdown(cancel_futures=True)


def test_each_is_in_its_file_once_and_says_what_is_wrong() -> None:
    assert len({defect.id for defect in defects()}) == len(defects()) >= 25
    for defect in defects():
        source = (ROOT / defect.file).read_text(encoding="utf-8")
        assert defect.put_into(source) != source
        assert defect.says


def test_a_passage_that_is_not_there_once_is_an_error() -> None:
    with pytest.raises(ValueError, match="not once"):
        defects()[0].put_into("something else")


def test_the_engine_as_it_is_passes() -> None:
    ran = run()
    assert ran.returncode == NONE_FAILS, ran.stdout + ran.stderr


@pytest.mark.parametrize("defect", defects(), ids=lambda defect: str(defect.id))
def test_it_is_noticed(
    defect: Defect, runs: dict[str, Future[Ran]], record_property: Callable[[str, object], None]
) -> None:
    ran = runs[defect.id].result()
    said = ran.stdout.strip()
    record_property("seeded defects of the engine", f"{defect.id:32} {said[:100]}")
    assert ran.returncode == (CRASHED if defect.crashes else NOTICED), said + ran.stderr
    assert said.split(":")[0] == defect.noticed


if __name__ == "__main__":
    sys.exit(main())
