"""Checks that are not made today have passed under the same bytes, and are made in their turn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from holdover.proofs.kept import OF_EACH
from holdover.reference.docs.architecture import read_imports
from tests import kept
from tests.checkout import ROOT
from tests.kept import digest, in_groups, left_out, made_today
from tests.kept_families import FAMILIES, Family

SMALL = Family(("pytest",), ("folder", "file.py"), ("click",))
NAMES = [f"defect {number}" for number in range(61)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with a few files."""
    for name in ("folder/one.py", "folder/deep/two.toml", "file.py", "other.py", *kept.OF_ALL):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n", "utf-8")
    return tmp_path


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A family that has passed as it is today."""
    monkeypatch.setitem(FAMILIES, "small", Family(("pytest",), ("tests/slow.py",)))
    monkeypatch.setattr(kept, "FILE", tmp_path / "kept.json")
    kept.FILE.write_text(json.dumps({"small": digest(FAMILIES["small"])}), "utf-8")
    monkeypatch.delenv(kept.ANEW, raising=False)
    kept.unchanged.cache_clear()
    return "small"


# Digests -----------------------------------------------------------------------------------------


def test_any_byte_of_what_a_family_depends_on_makes_another_digest(root: Path) -> None:
    found = {digest(SMALL, root)}
    for name in ("folder/one.py", "folder/deep/two.toml", "file.py", *kept.OF_ALL):
        (root / name).write_text("# another\n", "utf-8")
        assert digest(SMALL, root) not in found, name
        found.add(digest(SMALL, root))
    (root / "folder" / "three.py").touch()
    assert digest(SMALL, root) not in found, "a new file"
    (root / "folder" / "three.py").rename(root / "folder" / "four.py")
    assert digest(SMALL, root) not in found, "by another name"


def test_so_do_a_version_and_a_command_and_another_file_does_not(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(SMALL, root)
    (root / "other.py").write_text("# another\n", "utf-8")
    (root / "folder" / "notes.md").touch()
    assert digest(SMALL, root) == before
    assert digest(replace(SMALL, command=("pytest", "-x")), root) != before
    monkeypatch.setattr(metadata, "version", lambda name: "99")
    assert digest(SMALL, root) != before


def test_of_no_suffixes_all_files_count_but_what_python_makes(root: Path) -> None:
    every = replace(SMALL, suffixes=())
    before = digest(every, root)
    (root / "folder" / "__pycache__").mkdir()
    (root / "folder" / "__pycache__" / "one.pyc").touch()
    assert digest(every, root) == before
    (root / "folder" / "notes.md").touch()
    assert digest(every, root) != before


def test_so_does_the_version_of_a_package_of_debian(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set[str]()
    for version in ("1.2", "1.3", ""):
        monkeypatch.setattr(kept, "debian_version", lambda name, said=version: said)
        found.add(digest(replace(SMALL, debian=("dash",)), root))
    assert len(found) == 3


def test_a_package_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.debian_version("no-such-package") == ""
    monkeypatch.setenv("PATH", "")
    assert kept.debian_version("another") == ""


OF_PROGRAMS = ("types", "the audit's page")
"""Families whose tests run a program, and import little themselves."""


def own_files(family: Family) -> list[str]:
    """The files of its tests, or the module that makes its checks."""
    tests = [word for word in family.command if word.startswith("tests")]
    return [each if each.endswith(".py") else f"{each.replace('.', '/')}.py" for each in tests]


def test_each_family_depends_on_its_own_tests_and_on_what_is_there() -> None:
    for name, family in FAMILIES.items():
        paths = {str(path.relative_to(ROOT)) for path in kept.files(family)}
        assert all((ROOT / path).is_file() for path in paths), name
        own = own_files(family)
        assert own, name
        assert paths >= set(own), name
        assert {"model/table/table.py", "proofs/kept.py", "tests/kept.py"} <= paths


def test_whoever_makes_all_of_a_family_makes_what_is_marked_as_of_it() -> None:
    """Else its digest would be kept though a case of it has not passed."""
    marked = {
        (str(file.relative_to(ROOT)), name)
        for file in (ROOT / "tests").rglob("test_*.py")
        if file != Path(__file__)
        for name in re.findall(
            r"^(?:@|pytestmark = )pytest\.mark\.kept\(\s*\"(.*?)\"",
            file.read_text("utf-8"),
            re.MULTILINE,
        )
    }
    assert len(marked) > 30
    assert {pair for pair in marked if pair[0] not in own_files(FAMILIES[pair[1]])} == set()


def test_what_its_tests_import_is_among_what_a_family_depends_on() -> None:
    """But what only the command line takes: a claim is made by it in tests, and not judged."""
    for name, family in FAMILIES.items():
        own = [ROOT / path for path in own_files(family)]
        beside = {
            folder / "conftest.py"
            for path in own
            for folder in path.parents
            if folder.is_relative_to(ROOT / "tests") and folder != ROOT / "tests"
        }
        needed = imported([*own, *(path for path in beside if path.is_file())])
        assert len(needed) > (4 if name in OF_PROGRAMS else 10), name
        assert {str(path.relative_to(ROOT)) for path in needed - {*kept.files(family)}} == set()


def imported(files: Iterable[Path]) -> set[Path]:
    """These files and those that they import, of this repository; not by way of `tests/kept.py`."""
    found, left = set[Path](), list(files)
    while left:
        file = left.pop()
        if file in found or file.parent == ROOT / "reference" / "commands":
            continue
        found.add(file)
        if file != Path(str(kept.__file__)):
            left += named_in(file)
    return found


@cache
def named_in(file: Path) -> tuple[Path, ...]:
    """The files that it imports."""
    return tuple(filter(None, map(file_of, read_imports(file))))


def file_of(name: str) -> Path | None:
    """The file of a module, or of what has that name in it."""
    floor, _, rest = name.partition(".")
    path = ROOT / (rest if floor == "holdover" else name).replace(".", "/")
    there = [(each.with_suffix(".py"), each / "__init__.py") for each in (path, path.parent)]
    ours = floor in ("holdover", "tests")
    return next((file for pair in there for file in pair if ours and file.is_file()), None)


# What is made ------------------------------------------------------------------------------------


def test_where_nothing_has_changed_each_is_made_within_fifty_commits(family: str) -> None:
    made = [made_today(family, NAMES, turn) for turn in range(1234, 1234 + OF_EACH)]
    assert set().union(*made) == set(NAMES)
    assert sum(map(len, made)) == len(NAMES)


@pytest.mark.parametrize("change", ["another digest", "never passed", "all are asked for"])
def test_else_all_are_made(family: str, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if change == "all are asked for":
        monkeypatch.setenv(kept.ANEW, "1")
    else:
        said = {"small": "0" * 64} if change == "another digest" else {}
        kept.FILE.write_text(json.dumps(said), "utf-8")
    assert made_today(family, NAMES, 7) == set(NAMES)


@pytest.mark.parametrize("sizes", [(1067, 593, 509, 1), (3, 2), (0, 60), (1,)])
def test_each_name_of_a_group_has_one_turn_of_fifty(sizes: tuple[int, ...]) -> None:
    groups = {f"g{g}": [f"g{g}/{n}" for n in range(size)] for g, size in enumerate(sizes)}
    made = [in_groups(groups, turn) for turn in range(1234, 1234 + OF_EACH)]
    names = [name for turn in made for some in turn.values() for name in some]
    assert sorted(names) == sorted(name for some in groups.values() for name in some)
    assert all(set(some) <= set(groups[group]) for turn in made for group, some in turn.items())


class Marks:
    """Has the hook's marker, and this family."""

    @staticmethod
    def pytest_configure(config: pytest.Config) -> None:
        config.addinivalue_line("markers", "kept: as in conftest.py")


CASES = """
import pytest

@pytest.mark.kept("small")
@pytest.mark.parametrize("number", range(61))
def test_one(number): pass

@pytest.mark.kept("small", by="number")
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("letter", "ab")
def test_both(number, letter): pass

def test_always(): pass
"""


def run_at(turn: int, file: Path) -> set[str]:
    """The tests of a file that are not left out."""
    seen: list[pytest.Item] = []

    class Looking(Marks):
        @staticmethod
        def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
            less = left_out(items, turn)
            seen.extend(item for item in items if item not in less)

    words = ["--collect-only", "-qq", "-p", "no:cacheprovider", "--rootdir", str(file.parent)]
    assert pytest.main([*words, "-c", "/dev/null", str(file)], plugins=[Looking()]) == 0
    return {item.name for item in seen}


def test_marked_cases_are_left_out_but_in_their_turn(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "test_cases.py"
    file.write_text(CASES, "utf-8")
    every = {f"test_one[{n}]" for n in range(61)} | {"test_always"}
    every |= {f"test_both[{x}-{n}]" for x in "ab" for n in range(3)}
    made = [run_at(turn, file) for turn in (7, 12, 57)]
    assert made[0] == {"test_always", "test_one[7]", "test_one[57]"}
    both = {"test_both[a-1]", "test_both[b-1]"}
    assert made[1] == {"test_always", "test_one[12]", *both}, "what has the same parameter"
    assert made[2] == made[0]
    monkeypatch.setenv(kept.ANEW, "1")
    kept.unchanged.cache_clear()
    assert run_at(7, file) == every


ALIKE = """
import pytest

pytestmark = pytest.mark.kept("small", by="module")

@pytest.mark.parametrize("number", range(3))
def test_one(number): pass

def test_other(): pass
"""


def test_all_tests_of_a_file_may_be_one_check(family: str, tmp_path: Path) -> None:
    file = tmp_path / "test_alike.py"
    file.write_text(ALIKE, "utf-8")
    assert run_at(1, file) == set()
    assert run_at(OF_EACH, file) == {"test_one[0]", "test_one[1]", "test_one[2]", "test_other"}


def test_families_have_their_turns_at_different_commits(family: str) -> None:
    turns = [kept.turn_of(name) % OF_EACH for name in FAMILIES]
    assert len(set(turns)) > len(turns) / 2
    assert made_today(family, NAMES) == made_today(family, NAMES, kept.turn_of(family))


# What is kept ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("passes", "status"), [(True, 0), (False, 1)])
def test_a_family_that_does_not_pass_is_not_kept(
    passes: bool, status: int, family: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And is no longer, if it was; it is told that all are to be made."""
    program = tmp_path / "program.py"
    program.write_text(
        f"import os, sys\nsys.exit(0 if os.environ[{kept.ANEW!r}] == '1' and {passes} else 1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(FAMILIES, "small", Family(("program",), ("tests/slow.py",)))
    assert kept.main(["small"]) == status
    assert kept.read() == ({"small": digest(FAMILIES["small"])} if passes else {})
    assert kept.main(["no such"]) == 2
