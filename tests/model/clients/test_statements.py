"""Each sentence of the RFCs is quoted as it stands, and what answers for it exists."""

import re

import pytest

from holdover.model.clients.requirements import STRENGTHS, Requirement, protocol
from holdover.model.clients.statements import (
    OBSERVED,
    PARTIES,
    Statement,
    cells,
    sentences,
    statements,
)
from tests.model.clients.test_requirements import functions
from tests.model.clients.wording import RUN, checksums, kept, stands_in

RULES = {rule.id for rule in protocol()}


def by_id(said: Statement) -> str:
    return said.id


@pytest.mark.parametrize("said", statements(), ids=by_id)
def test_something_answers_or_it_says_why_not(said: Statement) -> None:
    assert bool(said.rules or said.tests) is not bool(said.silent)
    assert set(said.rules) <= RULES
    for test in said.tests:
        path, _, name = test.partition("::")
        assert name in functions(path), test


@pytest.mark.parametrize("said", statements(), ids=by_id)
def test_fields_are_well_formed(said: Statement) -> None:
    assert said.observed in OBSERVED
    assert said.by in PARTIES
    assert said.silent == "" or said.silent.endswith(".")
    if said.field:
        assert re.fullmatch(r"RFC 2131 Table [345]|RFC 6842 §3, table", said.section)
        assert said.wording
        return
    assert re.fullmatch(r"RFC (2131|2132|6842|5227) §[\d.]+", said.section)
    assert len(said.quote.split()) <= 32
    word = re.findall(r"\b(MUST NOT|MUST|SHOULD NOT|SHOULD|MAY)\b", said.quote)
    assert said.strength in (word or ["stated"])
    assert said.strength in STRENGTHS


@pytest.mark.parametrize("said", sentences(), ids=by_id)
def test_it_is_quoted_as_it_stands(said: Statement) -> None:
    text = kept(said.section.partition(" §")[0])
    assert text is not None
    assert stands_in(said.quote, text)


@pytest.mark.parametrize(
    "rule", [each for each in protocol() if each.quote], ids=lambda each: each.id
)
def test_so_are_the_rules(rule: Requirement) -> None:
    text = kept(rule.section[:8])
    assert text is not None
    assert stands_in(rule.quote, text)


def test_each_rule_of_an_rfc_that_is_listed_is_answered_to_by_a_statement() -> None:
    """No rule is of an RFC that is listed here and of none of its sentences or cells."""
    named = {rule for said in statements() for rule in said.rules}
    listed = {said.section[:8] for said in statements()}
    assert listed == {"RFC 2131", "RFC 2132", "RFC 6842", "RFC 5227"}
    assert {r.id for r in protocol() if r.section[:8] in listed} <= named


def test_a_changed_word_is_noticed() -> None:
    text = checksums("one two three four five six seven")
    assert stands_in("two three four five", text)
    assert not stands_in("two three four six", text)
    assert not stands_in("two three five four", text)
    with pytest.raises(ValueError, match="fewer than 4 words"):
        stands_in("two three four", text)
    assert RUN == 4


def test_how_many_there_are() -> None:
    assert (len(sentences()), len(cells())) == (186, 50)
