"""Each item of the list has an answer, and what is named behind it exists."""

import re

import pytest

from holdover.model.clients.requirements import protocol
from holdover.model.clients.statements import statements
from holdover.model.clients.unclear import UnclearItem, unclear_items
from tests.model.clients.test_requirements import PROOFS, ROWS, functions

RULES = {rule.id for rule in protocol()}
STATEMENTS = {said.id for said in statements()}

SECTIONS = (
    *("4.1", "4.2.1", "4.2.2", "4.2.3", "4.2.4", "4.2.5", "4.3", "4.4", "4.5.1", "4.5.2"),
    *("4.6", "4.6.1", "4.6.2", "4.6.3", "4.7.1", "4.7.2", "4.8", "4.9", "4.10", "4.11", "4.12"),
    *("4.13", "4.14.1", "4.14.2", "4.14.3", "4.14.4", "4.15", "4.16", "4.17", "4.18", "4.19.1"),
    *("4.19.2", "4.20", "4.21", "4.22", "4.23", "4.24", "4.25", "4.26"),
    *(f"4.27 ({n})" for n in range(1, 8)),
)
"""The draft's table of contents, and the seven points of its last section."""


def by_section(item: UnclearItem) -> str:
    return item.section


def test_each_item_of_the_list_is_there_in_its_order() -> None:
    assert tuple(item.section for item in unclear_items()) == SECTIONS


@pytest.mark.parametrize("item", unclear_items(), ids=by_section)
def test_what_is_named_exists(item: UnclearItem) -> None:
    assert set(item.rows) <= ROWS
    assert set(item.proofs) <= PROOFS
    assert set(item.rules) <= RULES
    assert set(item.statements) <= STATEMENTS
    for test in item.tests:
        path, _, name = test.partition("::")
        assert name in functions(path), test


@pytest.mark.parametrize("item", unclear_items(), ids=by_section)
def test_each_has_an_answer_in_sentences(item: UnclearItem) -> None:
    assert re.search(r"[.?)]$", item.asks)
    assert re.search(r"[.)]$", item.here)
    assert item.title


def test_on_what_nothing_stands_behind() -> None:
    """Where nothing of ours is concerned: the document, relays, names, classes."""
    silent = {item.section for item in unclear_items() if item.silent}
    assert silent == {"4.1", "4.2.1", "4.7.1", "4.7.2", "4.8", "4.15"}
