"""The matrix of rules: an empty cell is seen, and what is not there is not said."""

from dataclasses import replace

from holdover.model.clients.requirements import article, protocol
from holdover.model.clients.statements import statements
from holdover.reference.audit.monitor.rulebook import UNSEEN
from holdover.reference.docs.rule_pages import (
    NOTHING,
    answers,
    audit,
    here,
    protocol_rules,
    rule_table,
)
from tests.checkout import ROOT


def test_an_empty_cell_is_seen() -> None:
    bare = replace(article()[0], rows=(), proofs=(), tests=(), audit=(), measured=())
    (line,) = rule_table([bare]).splitlines()[2:]
    assert line.endswith(f"| {NOTHING} | {NOTHING} | {NOTHING} | {NOTHING} | {NOTHING} |")


def test_each_row_has_all_cells() -> None:
    head, _, *rows = protocol_rules().splitlines()
    assert len(rows) == len(protocol())
    assert {row.replace("\\|", "").count(" | ") for row in rows} == {head.count(" | ")}


def test_an_audit_is_said_to_decide_what_it_decides() -> None:
    for rule in protocol():
        assert bool(audit(rule)) is (rule.id not in UNSEEN or "`" in audit(rule))
    assert answers(protocol()[2])[3] == "`client_holdover`"
    put_to_the_test = (ROOT / "tests/reference/audit/monitor/test_rules.py").read_text("utf-8")
    for rule in protocol():
        if audit(rule) == "kept or broken":
            assert f'"{rule.id}"' in put_to_the_test


def test_a_sentence_without_an_answer_says_why() -> None:
    for said in statements():
        assert here(said).startswith(NOTHING) is bool(said.silent)
