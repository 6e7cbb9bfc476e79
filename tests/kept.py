"""Checks that need not be made today: all of them passed, and nothing they depend on has changed.

Theory of operation.  Some checks are functions of files in this repository and of packages: that a
seeded defect is noticed, that a solver has answered an exported text.  `kept_families.py` names all
of these for each family of such checks.  `kept.json` has the digest under which the whole family
has passed, and nothing else.  Where the digest is that of today, a check is made in its turn, one
of each fifty at each commit (`proofs/kept.py`); where a byte is another, even in a comment, all are
made: that is slow, and no failure (decision 78).

    python -m tests.kept [FAMILY ...]      makes all checks anew, and keeps the digests if they pass

A test says itself which checks it makes (`made_today`), or is a check by itself: a case of a test
with parameters, marked `kept(FAMILY)`.  Of these, in CI, those are left out that are not made today
(`left_out`, conftest.py); elsewhere all are made (decision 82).

What it does not know: whether a check depends on more than its family names, as Python's version.
What is made in its turn looks for that, and `tests/test_kept.py` for an import.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from holdover.proofs.kept import OF_EACH, names_in_turn
from tests.checkout import ROOT
from tests.kept_families import FAMILIES, MODULE, Family
from tests.proofs.logic.kept_answers import number_of_commits

FILE = Path(__file__).with_name("kept.json")
ANEW = "HOLDOVER_ANEW"
"""In the environment of who makes all checks, whatever is kept."""

OF_ALL = ("tests/kept.py", "tests/kept_families.py", "tests/checkout.py", "proofs/kept.py")
"""What each family depends on."""


def within(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """What is in a folder, by its suffix; of none, all but what Python has made of its files."""
    found = folder.rglob("*")
    if suffixes:
        return (path for path in found if path.suffix in suffixes)
    return (path for path in found if path.is_file() and path.parent.name != "__pycache__")


def files(family: Family, root: Path = ROOT) -> Iterator[Path]:
    """All that its checks depend on."""
    for name in (*family.sources, *OF_ALL):
        if (path := root / name).is_dir():
            yield from sorted(within(path, family.suffixes))
        else:
            yield path


def content(path: Path) -> bytes:
    """SHA-256 of what is in a file."""
    return hashlib.sha256(path.read_bytes()).digest()


def digest(family: Family, root: Path = ROOT, content: Callable[[Path], bytes] = content) -> str:
    """SHA-256 of these by name and content, of its command, and of the packages' versions."""
    versions = [f"{name} {metadata.version(name)}" for name in family.packages]
    versions += [f"{name} {debian_version(name)}" for name in family.debian]
    found = hashlib.sha256("\0".join((*family.command, *versions)).encode())
    for path in files(family, root):
        found.update(f"\0{path.relative_to(root)}\0".encode())
        found.update(content(path))
    return found.hexdigest()


def read(file: Path | None = None) -> dict[str, str]:
    """The digest under which each family has passed."""
    return dict(json.loads((file or FILE).read_text("utf-8")))


@cache
def debian_version(name: str) -> str:
    """The version of a package of Debian's that is installed; empty: it is not."""
    if shutil.which("dpkg-query") is None:
        return ""
    asked = ["dpkg-query", "--show", "--showformat=${Version}", name]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout


once = cache(content)
"""For this process, which changes none of these files; many are of several families."""


@cache
def unchanged(family: str) -> bool:
    """Whether all of its checks have passed, and none is another today."""
    today = digest(FAMILIES[family], content=once)
    return ANEW not in os.environ and read().get(family) == today


def made_today(family: str, names: Sequence[str], turn: int | None = None) -> set[str]:
    """Which of these checks are made: all, or those whose turn it is; `turn`: any number.

    By default the number of commits, and for each family some more: else the first ones of all
    families, and those that are alone in theirs, would be made at the same commit.
    """
    if not unchanged(family):
        return set(names)
    return set(names_in_turn(names, turn_of(family) if turn is None else turn))


def turn_of(family: str) -> int:
    """Whose turn it is today."""
    return number_of_commits() + hashlib.sha256(family.encode()).digest()[0]


def case_of(item: pytest.Item, by: str = "") -> str:
    """The name of a case: its test's, or that of its parameter `by`, where more are made of that.

    Cases of the same parameter are made at the same commit: what it takes to make them is shared.
    So are all tests of a file by `MODULE`.
    """
    if not by:
        return item.nodeid
    if by == MODULE:
        return item.nodeid.partition("::")[0]
    assert isinstance(item, pytest.Function)
    value = item.callspec.params[by]
    return str(getattr(value, "name", value))


def left_out(items: Iterable[pytest.Item], turn: int | None = None) -> list[pytest.Item]:
    """Those of these tests that are marked `kept(FAMILY)`, and are not made today."""
    families: dict[str, dict[str, list[pytest.Item]]] = {}
    for item in items:
        for mark in item.iter_markers("kept"):
            cases = families.setdefault(mark.args[0], {})
            cases.setdefault(case_of(item, **mark.kwargs), []).append(item)
    return [
        item
        for family, cases in families.items()
        for name in sorted(cases.keys() - made_today(family, list(cases), turn))
        for item in cases[name]
    ]


def in_groups(groups: Mapping[str, Sequence[str]], turn: int) -> dict[str, list[str]]:
    """Names whose turn it is, of few groups: what the names of a group share is made for few.

    A group has as many turns of the fifty as it has fiftieths of all names, and at least one;
    each of its names has one of these.  Which one is by chance, the same each time: in their order
    every thirteenth name might be about the same, and that take long.
    """
    every, before, found = sum(map(len, groups.values())), 0, dict[str, list[str]]()
    for group, names in groups.items():
        if not names:
            continue
        first, last = before * OF_EACH // every, (before + len(names) - 1) * OF_EACH // every
        if first <= turn % OF_EACH <= last:
            mixed = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
            found[group] = mixed[turn % OF_EACH - first :: last - first + 1]
        before += len(names)
    return found


def keep(names: Iterable[str]) -> list[str]:
    """Make all checks of these families, and keep the digests of those that pass; the others."""
    failed = []
    for name in names:
        family = FAMILIES[name]
        before = digest(family)
        done = subprocess.run(
            [sys.executable, "-m", *family.command],
            cwd=ROOT,
            env={**os.environ, ANEW: "1", "CI": "true"},
            check=False,
        )
        kept = {each: said for each, said in read().items() if each in FAMILIES and each != name}
        if done.returncode == 0 and digest(family) == before:
            kept[name] = before
        else:
            failed.append(name)
        FILE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
    return failed


def main(words: Sequence[str]) -> int:
    """Exit status 1 if a family has not passed, and is named; 2 for a name that is none."""
    if unknown := [word for word in words if word not in FAMILIES]:
        print(f"no family {unknown[0]!r}; there are: {', '.join(FAMILIES)}", file=sys.stderr)
        return 2
    failed = keep(words or FAMILIES)
    for name in failed:
        print(f"not kept, since it has not passed: {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
