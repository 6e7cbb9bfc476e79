"""That each rule names only what there is, and that the gaps are where we say they are."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from holdover.model.properties import ALWAYS, SOMETIMES, STEPS
from holdover.model.rules import STRENGTHS, THEOREMS, Rule, article, protocol, rules
from holdover.model.table import LEASE_TABLE

ROOT = Path(__file__).parents[2]
ROWS = {action.name for action in LEASE_TABLE.actions}
PROOFS = {*THEOREMS, *(p.name for p in (*ALWAYS, *STEPS, *SOMETIMES))}


@cache
def functions(path: str) -> set[str]:
    """The names of the functions in a test file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def by_id(rule: Rule) -> str:
    return rule.id


def test_ids_are_complete_and_in_order() -> None:
    assert [rule.id for rule in article()] == [f"K{i}" for i in range(1, 8)]
    assert [rule.id for rule in protocol()] == [f"R{i}" for i in range(1, 44)]
    assert rules() == (*article(), *protocol())


@pytest.mark.parametrize("rule", rules(), ids=by_id)
def test_rows_and_proofs_exist(rule: Rule) -> None:
    assert set(rule.rows) <= ROWS
    assert set(rule.proofs) <= PROOFS


@pytest.mark.parametrize("rule", rules(), ids=by_id)
def test_tests_exist(rule: Rule) -> None:
    """A name that ends in an underscore stands for every test that begins with it."""
    for test in rule.tests:
        path, _, name = test.partition("::")
        found = {
            f for f in functions(path) if f == name or (name.endswith("_") and f.startswith(name))
        }
        assert found, test


@pytest.mark.parametrize("rule", rules(), ids=by_id)
def test_fields_are_well_formed(rule: Rule) -> None:
    assert rule.strength in STRENGTHS
    assert rule.source in ("read", "unverified")
    assert re.match(r"RFC \d{4}( (§|Table|Figure)|$)|Q151387 [A-Z]+$", rule.section)
    assert rule.says.endswith(".")
    assert len(rule.quote.split()) <= 32
    assert rule.observed in (("W", "H", "B") if rule.id.startswith("R") else ("",))


@pytest.mark.parametrize("rule", rules(), ids=by_id)
def test_strength_is_in_the_wording(rule: Rule) -> None:
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
    assert unverified == {"RFC 6842", "RFC 5227", "RFC 8925", "RFC 3203"}
