"""What is asked, beside what answers for it: K1 to K7, R1 to R43, the sentences of the RFCs.

Theory of operation.  A rule has a cell each for rows of the table, proofs, tests, findings of an
audit and measurements.  A cell in which there is nothing says so, with `NOTHING`.  An audit decides
the rules that `UNSEEN` does not list; which findings accuse of a rule is `KINDS`'.

What it does not know: whether what is named is about the rule.  That it exists is tested.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from holdover.model.clients.requirements import Requirement, article, protocol
from holdover.model.clients.statements import Statement, cells, sentences
from holdover.model.clients.unclear import UnclearItem, unclear_items
from holdover.reference.audit.monitor.rulebook import UNSEEN
from holdover.reference.audit.monitor.sentences import KINDS
from holdover.reference.docs.markdown import code, codes, table

NOTHING = "—"

PARTS = ("row", "proof", "test", "audit", "measured")


def article_rules() -> str:
    """K1 to K7."""
    return rule_table(article())


def protocol_rules() -> str:
    """R1 to R43."""
    return rule_table(protocol())


def rule_table(rules: Iterable[Requirement]) -> str:
    """Rules beside what answers for them."""
    rows = [(rule.id, rule.says, *(each or NOTHING for each in answers(rule))) for rule in rules]
    return table(("id", "rule", *PARTS), rows)


def answers(rule: Requirement) -> tuple[str, ...]:
    """What answers for a rule: a cell for each of `PARTS`."""
    tests = codes(show_test(test) for test in rule.tests)
    none = f"no test: {rule.reason}" if rule.reason else ""
    pages = ", ".join(f"[{link.partition('.')[0]}]({link})" for link in rule.measured)
    said = " ".join(filter(None, (tests, none)))
    return codes(rule.rows), codes(rule.proofs), said, audit(rule), pages


def audit(rule: Requirement) -> str:
    """What an audit says of a rule: the findings that accuse of it, else that it tallies it."""
    kinds = [*rule.audit, *(kind for kind, row in KINDS.items() if row.rule == rule.id)]
    if rule.id.startswith("K") or kinds:
        return codes(kinds)
    return "" if rule.id in UNSEEN else "kept or broken"


def show_test(test: str) -> str:
    """A test by file and name; a name that ends in an underscore stands for several."""
    path, _, name = test.partition("::")
    file = path.rpartition("/")[2].removesuffix(".py")
    return f"{file}::{name}{'*' if name.endswith('_') else ''}"


def coverage() -> str:
    """How many rules have something in each cell."""
    rules = (*article(), *protocol())
    full = Counter(
        part for r in rules for part, cell in zip(PARTS, answers(r), strict=True) if cell
    )
    return table(("rules", *PARTS), [(f"of {len(rules)}", *(str(full[part]) for part in PARTS))])


def quotations() -> str:
    """Where each rule stands, its wording, and what is to be said about it."""
    rows = []
    for rule in (*article(), *protocol()):
        source = rule.section + (" (unverified)" if rule.source == "unverified" else "")
        quote = f"“{rule.quote}”" if rule.quote else NOTHING
        rows.append((rule.id, source, rule.strength, quote, rule.observed, rule.note))
    return table(("id", "source", "strength", "wording", "observed", "note"), rows)


def rfc_sentences() -> str:
    """The sentences of the RFCs, by section."""
    return by_section(
        sentences(),
        ("id", "strength", "wording", "who", "observed", "here"),
        lambda said: (said.id, said.strength, f"“{said.quote}”"),
    )


def rfc_cells() -> str:
    """The cells of the tables."""
    return by_section(
        cells(),
        ("id", "field", "the table has", "who", "observed", "here"),
        lambda said: (said.id, said.field, said.wording),
    )


def by_section(
    every: Iterable[Statement], head: tuple[str, ...], begin: Callable[[Statement], tuple[str, ...]]
) -> str:
    """A table for each section."""
    parts: dict[str, list[tuple[str, ...]]] = {}
    for said in every:
        row = (*begin(said), said.by, said.observed, here(said))
        parts.setdefault(said.section, []).append(row)
    return "\n".join(f"### {section}\n\n{table(head, rows)}" for section, rows in parts.items())


def here(said: Statement) -> str:
    """What answers for a sentence, or why nothing does."""
    if said.silent:
        return f"{NOTHING} {said.silent}"
    return ", ".join([*said.rules, *(code(show_test(test)) for test in said.tests)])


def statement_counts() -> str:
    """How many sentences and cells there are, and how many have an answer."""
    rows = []
    for name, every in (("sentences", sentences()), ("cells of tables", cells())):
        silent = sum(bool(said.silent) for said in every)
        ruled = sum(bool(said.rules) for said in every)
        tested = len(every) - silent - ruled
        rows.append((name, *map(str, (len(every), ruled, tested, silent))))
    return table(("what", "all", "a rule answers", "a test alone", f"nothing ({NOTHING})"), rows)


def unclear() -> str:
    """What implementers found unclear, with our answers."""
    rows = [
        (item.section, f"**{item.title}** {item.asks}", item.here, behind(item))
        for item in unclear_items()
    ]
    return table(("draft", "what is unclear", "our answer", "it stands on"), rows)


def behind(item: UnclearItem) -> str:
    """What stands behind an answer, or that nothing does."""
    if item.silent:
        return f"{NOTHING} silent"
    tests = codes(show_test(test) for test in item.tests)
    rows = f"row {codes(item.rows)}" if item.rows else ""
    named = ", ".join((*item.rules, *item.statements))
    return "; ".join(filter(None, (rows, codes(item.proofs), named, tests)))


GENERATORS: Mapping[str, Callable[[], str]] = {
    "article-rules": article_rules,
    "protocol-rules": protocol_rules,
    "rule-coverage": coverage,
    "quotations": quotations,
    "rfc-sentences": rfc_sentences,
    "rfc-cells": rfc_cells,
    "statement-counts": statement_counts,
    "unclear": unclear,
}
"""By the names that stand in the pages."""
