"""Checks that need not be made today: all of them passed, and nothing they depend on has changed.

Theory of operation.  Some checks are functions of files in this repository and of packages: that a
seeded defect is noticed, that a solver has answered an exported text.  `FAMILIES` names for each
family of such checks all of these.  `kept.json` has the digest under which the whole family has
passed, and nothing else.  Where the digest is that of today, a check is made in its turn, one of
each fifty at each commit (`proofs/kept.py`); where a byte is another, even in a comment, all are
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
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from holdover.proofs.kept import OF_EACH, names_in_turn
from tests.checkout import ROOT
from tests.proofs.logic.kept_answers import number_of_commits

FILE = Path(__file__).with_name("kept.json")
ANEW = "HOLDOVER_ANEW"
"""In the environment of who makes all checks, whatever is kept."""

SUFFIXES = (".css", ".js", ".json", ".py", ".toml", ".txt")
PYTEST = ("pytest", "-q")
KEPT_ANSWERS = "tests/proofs/logic/kept_answers.py"
CASES = (*PYTEST, "-m", "kept")
SOLVERS = ("z3-solver", "cvc5")
COMPILERS = ("numba", "numpy", "llvmlite", "networkx")
OF_ALL = ("tests/kept.py", "tests/checkout.py", "proofs/kept.py")
"""What each family depends on."""


@dataclass(frozen=True)
class Family:
    """Checks that depend on these files and folders below the root, and on these packages.

    `command`: what makes all of them, and ends with 0 if they pass; words after `python -m`.
    `suffixes`: of what is in the folders.
    """

    command: tuple[str, ...]
    sources: tuple[str, ...]
    packages: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = SUFFIXES


CORES = ("model", "reference/core", "reference/refinement", "reference/wire")
OF_PROOFS = ("model", "proofs", "tests/proofs/conftest.py", "tests/proofs/logic", "tests/slow.py")


def tests_of(folder: str, *names: str) -> tuple[str, ...]:
    """What makes the marked cases of these files of tests, named below that folder."""
    return (*CASES, *(f"tests/{folder}/{name}.py" for name in names))


def pages(*patterns: str) -> tuple[str, ...]:
    """Pages of the documentation."""
    found = {page for pattern in patterns for page in (ROOT / "docs").glob(pattern)}
    return tuple(sorted(str(page.relative_to(ROOT)) for page in found))


FAMILIES: Mapping[str, Family] = {
    "types": Family(
        (*CASES, "tests/test_checks.py"),
        (
            *("model", "proofs", "reference", "tests", ".namespace", ".typing"),
            *("pyproject.toml", ".ci/check", ".ci/requirements.lock"),
        ),
        (
            *("mypy", "types-networkx", "types-jsonschema", *SOLVERS, *COMPILERS),
            *("pytest", "hypothesis", "click", "rich", "pyroute2"),
        ),
        suffixes=(".py", ".pyi"),
    ),
    "seeded defects of the engine": Family(
        (*PYTEST, "tests/model/engine/test_engine_defects.py"),
        ("model", "tests/model/conftest.py", "tests/model/engine", "tests/seeding.py"),
        COMPILERS,
    ),
    "seeded defects of the cores, at random": Family(
        (*PYTEST, "tests/stateful/test_defects.py"),
        (*CORES, "tests/stateful", "tests/virtual_host.py"),
        (*COMPILERS, "hypothesis"),
    ),
    "seeded defects, by their journals": Family(
        (*PYTEST, "tests/reference/validation/test_follower.py"),
        (
            *CORES,
            "proofs/result.py",
            "reference/linux",
            "reference/validation",
            "tests/reference/validation",
            "tests/virtual_host.py",
        ),
        COMPILERS,
    ),
    "cores searched part by part": Family(
        (*PYTEST, "tests/reference/refinement/test_product.py"),
        (*CORES, "proofs/result.py", KEPT_ANSWERS, "tests/reference/refinement"),
        COMPILERS,
    ),
    "exported obligations": Family(
        (*PYTEST, "tests/proofs/logic/test_exported.py"),
        (*OF_PROOFS, "reference/commands/prove.py"),
        SOLVERS,
    ),
    "theorems by cvc5": Family(
        ("tests.proofs.logic.kept_cvc5",),
        (*OF_PROOFS, "reference/commands/prove.py", "reference/commands/verify.py"),
        SOLVERS,
    ),
    "cases of the engine": Family(
        (*CASES, "tests/model/engine/test_engine.py"),
        ("model", "tests/model/conftest.py", "tests/model/engine"),
        COMPILERS,
    ),
    "cases of the readings": Family(
        (*CASES, "tests/model/readings/test_finite.py"),
        ("model", "tests/model/conftest.py", "tests/model/readings"),
    ),
    "cases of bit-vectors": Family(
        (*CASES, "tests/proofs/logic/test_bitvectors.py"),
        (*OF_PROOFS, "tests/measure/bench/horn_clauses.py"),
        SOLVERS,
    ),
    "cases of reasons": Family((*CASES, "tests/proofs/logic/test_reasons.py"), OF_PROOFS, SOLVERS),
    "seeded defects of formulas": Family(
        (*CASES, "tests/proofs/logic/test_formula_defects.py"),
        (*OF_PROOFS, "tests/seeding.py"),
        SOLVERS,
    ),
    "certificates of changed rows": Family(
        (*CASES, "tests/proofs/certificates/test_kept.py"),
        (*OF_PROOFS, "tests/proofs/certificates"),
        SOLVERS,
    ),
    "seeded defects of the checker": Family(
        (*CASES, "tests/proofs/certificates/test_check.py"),
        (*OF_PROOFS, "tests/measure/false_proofs.py", "tests/proofs/certificates"),
        SOLVERS,
    ),
    "texts for TLC": Family(
        (*CASES, "tests/model/export/test_tla.py"),
        ("model", "tests/model", KEPT_ANSWERS, "tests/measure/bench"),
    ),
    "laws of the table": Family(
        (*CASES, "tests/model/table/test_laws.py"),
        (*OF_PROOFS, "tests/model/conftest.py", "tests/model/table"),
        SOLVERS,
    ),
    "pages against the explorer": Family(
        (*CASES, "tests/model/readings/test_prose_explorer.py"),
        (
            *("model", "tests/model/conftest.py", "tests/model/readings"),
            *("docs/lease-table.md", "docs/words.md", "docs/properties.md"),
        ),
    ),
    "searches that are told": Family(
        (*CASES, "tests/proofs/logic/test_model_checking.py"),
        (*OF_PROOFS, "tests/measure/bench/horn_clauses.py"),
        SOLVERS,
    ),
    "rows without which time stops": Family(
        (*CASES, "tests/proofs/theorems/test_t0_time_passes.py"),
        (*OF_PROOFS, "tests/proofs/theorems"),
        SOLVERS,
    ),
    "judged mutants": Family(
        (*CASES, "tests/proofs/mutation/test_mutants.py"),
        (*OF_PROOFS, "tests/proofs/mutation"),
        SOLVERS,
    ),
    "cases of theorems": Family(
        tests_of(
            "proofs/theorems",
            *("test_t1_refutation", "test_t2_safety", "test_t3_grace", "test_t4_regression"),
            *("test_t5_agreement", "test_t5_state_graph", "test_t6_displaced", "test_t7_contested"),
        ),
        (*OF_PROOFS, "tests/proofs/theorems"),
        SOLVERS,
    ),
    "cases of verdicts": Family(
        tests_of(
            "proofs/verdicts",
            *("test_causes", "test_changes", "test_in_situation", "test_judge", "test_matrix"),
        ),
        (*OF_PROOFS, "tests/proofs/verdicts"),
        SOLVERS,
    ),
    "cases of obligations": Family(
        tests_of(
            "proofs/logic",
            *("test_formula", "test_invariants", "test_obligations", "test_steps_left"),
        ),
        (*OF_PROOFS, "tests/measure/bench/horn_clauses.py"),
        SOLVERS,
    ),
    "seeded defects of the cores, explored": Family(
        (*CASES, "tests/reference/refinement/test_defects.py"),
        (*CORES, "proofs/result.py", KEPT_ANSWERS, "tests/reference/refinement"),
        COMPILERS,
    ),
    "cases of the explorer": Family(
        tests_of("model", "explorer/test_holdings", "readings/test_possible"),
        ("model", "tests/model"),
        COMPILERS,
    ),
    "pages that are played": Family(
        tests_of("reference/docs", "test_code_blocks", "test_tutorials"),
        (
            *("model", "proofs", "reference", "tests/reference/docs"),
            *pages("tutorials/*.md", "how-to/*.md", "theorems/t[67].md"),
            *pages("exports.md", "release-first.md"),
        ),
        (*SOLVERS, *COMPILERS, "click", "rich"),
    ),
    "cases of audits": Family(
        tests_of(
            "reference/audit",
            *("monitor/test_random", "possible/test_automaton", "possible/test_of_host"),
        ),
        (
            *(*CORES, "proofs/result.py", "reference/audit", "reference/console/progress.py"),
            *("reference/lab/record", "tests/reference/audit", "tests/virtual_host.py"),
        ),
        COMPILERS,
    ),
}


def files(family: Family, root: Path = ROOT) -> Iterator[Path]:
    """All that its checks depend on."""
    for name in (*family.sources, *OF_ALL):
        if (path := root / name).is_dir():
            yield from sorted(each for each in path.rglob("*") if each.suffix in family.suffixes)
        else:
            yield path


def content(path: Path) -> bytes:
    """SHA-256 of what is in a file."""
    return hashlib.sha256(path.read_bytes()).digest()


def digest(family: Family, root: Path = ROOT, content: Callable[[Path], bytes] = content) -> str:
    """SHA-256 of these by name and content, of its command, and of the packages' versions."""
    versions = [f"{name} {metadata.version(name)}" for name in family.packages]
    found = hashlib.sha256("\0".join((*family.command, *versions)).encode())
    for path in files(family, root):
        found.update(f"\0{path.relative_to(root)}\0".encode())
        found.update(content(path))
    return found.hexdigest()


def read(file: Path | None = None) -> dict[str, str]:
    """The digest under which each family has passed."""
    return dict(json.loads((file or FILE).read_text("utf-8")))


once = cache(content)
"""For this process, which changes none of these files; many are of several families."""


@cache
def unchanged(family: str) -> bool:
    """Whether all of its checks have passed, and none is another today."""
    today = digest(FAMILIES[family], content=once)
    return ANEW not in os.environ and read().get(family) == today


def made_today(family: str, names: Sequence[str], turn: int | None = None) -> set[str]:
    """Which of these checks are made: all, or those whose turn it is; `turn`: any number.

    By default the number of commits.
    """
    if not unchanged(family):
        return set(names)
    return set(names_in_turn(names, number_of_commits() if turn is None else turn))


def case_of(item: pytest.Item, by: str = "") -> str:
    """The name of a case: its test's, or that of its parameter `by`, where more are made of that.

    Cases of the same parameter are made at the same commit: what it takes to make them is shared.
    """
    if not by:
        return item.nodeid
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
