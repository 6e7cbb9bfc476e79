"""That each rule names only what there is, and that the gaps are where we say they are."""

import ast
import re
from functools import cache

import pytest

from holdover.model.clients.requirements import (
    STRENGTHS,
    THEOREMS,
    Requirement,
    article,
    protocol,
    rules,
)
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS
from holdover.model.table.table import LEASE_TABLE
from holdover.reference.audit.monitor.sentences import KINDS
from tests.checkout import ROOT

ROWS = {action.name for action in LEASE_TABLE.actions}
PROOFS = {*THEOREMS, *(p.name for p in (*ALWAYS, *STEPS, *SOMETIMES))}

CLIENT = "tests/reference/core/test_client_rules.py"
CONFORMANCE = (CLIENT, "tests/reference/core/test_server.py")
"""Where tests are named after rules."""


@cache
def functions(path: str) -> set[str]:
    """The names of the functions in a test file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def docstrings(path: str) -> list[tuple[int, str]]:
    """Number of the rule and docstring, on one line, of each test that is named after a rule."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return [
        (int(named[1]), " ".join((ast.get_docstring(node) or "").split()))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and (named := re.match(r"test_r(\d+)_", node.name))
    ]


def by_id(rule: Requirement) -> str:
    return rule.id


def test_ids_are_complete_and_in_order() -> None:
    assert [rule.id for rule in article()] == [f"K{i}" for i in range(1, 8)]
    assert [rule.id for rule in protocol()] == [f"R{i}" for i in range(1, 44)]
    assert rules() == (*article(), *protocol())


@pytest.mark.parametrize("rule", rules(), ids=by_id)
def test_rows_and_proofs_exist(rule: Requirement) -> None:
    assert set(rule.rows) <= ROWS
    assert set(rule.proofs) <= PROOFS


@pytest.mark.parametrize("rule", rules(), ids=by_id)
def test_tests_exist(rule: Requirement) -> None:
    """A name that ends in an underscore stands for every test that begins with it."""
    for test in rule.tests:
        path, _, name = test.partition("::")
        found = {
            f for f in functions(path) if f == name or (name.endswith("_") and f.startswith(name))
        }
        assert found, test


@pytest.mark.parametrize("rule", rules(), ids=by_id)
def test_findings_and_measurements_exist(rule: Requirement) -> None:
    """A measurement is a page that a program has written, or a heading of it."""
    assert set(rule.audit) <= set(KINDS)
    assert not rule.audit or rule.id.startswith("K")  # of the others the finding names the rule
    for link in rule.measured:
        name, _, heading = link.partition("#")
        page = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert re.search(r"`?python -m tests\.measure\.\w+", page), link
        headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
        assert not heading or heading in [each.lower().replace(" ", "-") for each in headings]


@pytest.mark.parametrize("rule", protocol(), ids=by_id)
def test_a_rule_of_the_rfcs_has_a_test_named_after_it_or_a_reason(rule: Requirement) -> None:
    named = [test for test in rule.tests if f"::test_{rule.id.lower()}_" in test]
    assert bool(named) is not bool(rule.reason)
    assert rule.reason == "" or rule.reason.endswith(".")


@pytest.mark.parametrize("path", CONFORMANCE)
def test_a_test_named_after_a_rule_is_named_by_it(path: str) -> None:
    naming = {
        rule.id
        for rule in protocol()
        if any(test.startswith(f"{path}::test_{rule.id.lower()}_") for test in rule.tests)
    }
    assert naming == {f"R{number}" for number, _ in docstrings(path)}


@pytest.mark.parametrize("rule", protocol(), ids=by_id)
def test_the_client_tests_have_the_wording(rule: Requirement) -> None:
    """One of those named after a rule quotes it, or says that it speaks from memory."""
    said = [text for number, text in docstrings(CLIENT) if f"R{number}" == rule.id]
    wording = " ".join(rule.quote.split()) or "from memory"
    assert not said or any(wording.lower() in text.lower() for text in said)


@pytest.mark.parametrize("rule", rules(), ids=by_id)
def test_fields_are_well_formed(rule: Requirement) -> None:
    assert rule.strength in STRENGTHS
    assert rule.source in ("read", "unverified")
    assert re.match(r"RFC \d{4}( (§|Table|Figure)|$)|Q151387 [A-Z]+$", rule.section)
    assert rule.says.endswith(".")
    assert len(rule.quote.split()) <= 32
    assert rule.observed in (("W", "H", "B") if rule.id.startswith("R") else ("",))


@pytest.mark.parametrize("rule", rules(), ids=by_id)
def test_strength_is_in_the_wording(rule: Requirement) -> None:
    """The quotation shows the word that the strength names, or shows that there is none."""
    if not rule.quote:
        assert rule.source == "unverified" or rule.id == "R35"
        return
    word = re.search(r"\b(MUST NOT|MUST|SHOULD NOT|SHOULD|MAY)\b", rule.quote)
    if rule.strength in ("stated", "ours"):
        assert word is None
    elif word is not None:
        assert word[0].split()[0] == rule.strength.split()[0]


def test_every_sentence_of_the_article_has_a_row_and_a_test() -> None:
    assert [rule.id for rule in article() if not (rule.rows and rule.tests)] == []


def test_unverified_rules_are_those_whose_text_was_not_at_hand() -> None:
    unverified = {rule.section.split(" §")[0] for rule in rules() if rule.source == "unverified"}
    assert unverified == {"RFC 8925", "RFC 3203"}
