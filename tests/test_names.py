"""A file that prose speaks of is there, and a function's name says what it does or gives."""

import ast
import re
import subprocess
from functools import cache
from pathlib import PurePath

import pytest

from tests.checkout import ROOT

NAMED = re.compile(r"`([\w./-]*\w\.(?:py|toml|json))`|\(([\w/-]*\w\.(?:py|toml))[:)]")
"""In backticks, or alone in brackets."""

ELSEWHERE = {
    "eth0.json",
    "lab.json",
    "my.toml",
    "site.toml",
    "run.itf.json",
    "dhcp/client.py",
    "dhcp/leases.py",
    "dhcp/timers.py",
}
"""A user's, what a command writes, and other projects'."""


NOT_PROSE = ("CHANGELOG.md", "tests/test_names.py")
"""History, and this file: its examples are of nothing."""


def tracked() -> list[str]:
    """The files of the checkout; none where git is not there to ask."""
    asked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.split()


@cache
def ends_of(files: frozenset[str]) -> frozenset[str]:
    """How these may be named: by the last parts of their paths; and what is ELSEWHERE."""
    ours = {"/".join(PurePath(f).parts[-n:]) for f in files for n in range(1, 7)}
    return frozenset(ours | ELSEWHERE)


def missing(text: str, files: frozenset[str]) -> list[str]:
    """What the text names and nobody has."""
    ends = ends_of(files)
    names = (first or second for first, second in NAMED.findall(text))
    return [n for n in names if n.removeprefix("../../") not in ends]


@pytest.mark.skipif(not tracked(), reason="git does not know this checkout")
def test_each_file_that_is_named_is_there() -> None:
    files = frozenset(tracked())
    prose = [f for f in files if f.endswith((".py", ".md")) and f not in NOT_PROSE]
    found = {file: missing((ROOT / file).read_text("utf-8"), files) for file in prose}
    assert {file: names for file, names in found.items() if names} == {}


PARTICIPLE = re.compile(
    r"[a-z]+(?<!e)ed|begun|broken|built|chosen|done|drawn|found|given|gone|grown|heard|held|kept|known"
    r"|left|lost|made|met|said|seen|sent|shown|spared|taken|told|written"
)
"""A word that alone does not tell who does what: "told" is a text, a request or an event."""

AS_IN_THE_RFC = ("model/table/", "reference/core/client.py")
"""Predicates are named by states of affairs there: a lease is granted, or an address leased."""


def functions(text: str) -> list[str]:
    """The functions of a module that others may call."""
    return [each.name for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)]


@pytest.mark.skipif(not tracked(), reason="git does not know this checkout")
def test_no_function_is_named_by_a_participle_alone() -> None:
    floors = [f for f in tracked() if f.startswith(("model/", "proofs/", "reference/"))]
    checked = [f for f in floors if f.endswith(".py") and not f.startswith(AS_IN_THE_RFC)]
    assert len(checked) > 100
    names = {f: functions((ROOT / f).read_text("utf-8")) for f in checked}
    found = {f: [n for n in each if PARTICIPLE.fullmatch(n)] for f, each in names.items()}
    assert {f: each for f, each in found.items() if each} == {}


def test_a_participle_is_told_from_a_verb() -> None:
    words = ("told", "settled", "feed", "read", "settle", "told_by")
    assert [w for w in words if PARTICIPLE.fullmatch(w)] == ["told", "settled"]


def test_one_that_is_not_there_is_found() -> None:
    assert missing("see `gone.py` and `there.py`, (old.toml)", frozenset({"a/there.py"})) == [
        "gone.py",
        "old.toml",
    ]
