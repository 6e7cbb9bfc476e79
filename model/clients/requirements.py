"""What the article and the RFCs ask, as data: each sentence with what answers for it here.

`requirements.toml` has K1 to K7, the sentences of Q151387, and R1 to R43, the rules of the RFCs.  A
rule names the rows of the lease table, the theorems and properties, and the tests that cover it,
the findings of an audit that accuse of it, and the pages of measurements of it; an empty field says
that nothing does.  A rule of the RFCs after which no test is named has a `reason`.
`source` is *read* where section, strength and quotation were checked against the text of the RFC,
and *unverified* where that text was not at hand.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STRENGTHS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "stated", "ours")
"""RFC 2131 §1.4, and *stated* (in the indicative or in lower case), *ours* (our reading)."""

THEOREMS = ("T1", "T2", "T3", "T4", "T5", "T6", "T7")


@dataclass(frozen=True)
class Requirement:
    """A sentence, where it stands, and what covers it."""

    id: str
    section: str
    strength: str
    says: str
    source: str = "read"
    quote: str = ""
    observed: str = ""
    rows: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    audit: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    note: str = ""
    reason: str = ""


@cache
def rules() -> tuple[Requirement, ...]:
    """All rules, in the order of their ids."""
    text = Path(__file__).with_name("requirements.toml").read_text(encoding="utf-8")
    return tuple(_rule(row) for row in tomllib.loads(text)["rule"])


def _rule(row: dict[str, object]) -> Requirement:
    frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Requirement(**frozen)  # type: ignore[arg-type]


def article() -> tuple[Requirement, ...]:
    """K1 to K7."""
    return tuple(rule for rule in rules() if rule.id.startswith("K"))


def protocol() -> tuple[Requirement, ...]:
    """R1 to R43."""
    return tuple(rule for rule in rules() if rule.id.startswith("R"))
