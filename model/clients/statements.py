"""What RFC 2131, 6842, 5227 and the lease options of 2132 say, by sentences and by cells.

Theory of operation.  `statements.toml` has the normative sentences with their wording, and the
cells of their tables in our words.  Each names the rules (R1 to R43 of `requirements.py`) and
the tests that answer for it, or says in `silent` why nothing does: never both, never neither.

What it does not know: whether a list of sentences is complete.  It has those with a keyword of RFC
2131 §1.4, but for repetitions, and the sentences in the indicative on which a rule rests.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

OBSERVED = ("wire", "host", "inside")
"""Where it shows: on the wire, on the host, or inside a program alone."""

PARTIES = ("client", "server", "both")
"""Who is to do it."""


@dataclass(frozen=True)
class Statement:
    """A sentence, or a cell of a table (`field`, `wording`), and what answers for it."""

    id: str
    section: str
    by: str
    observed: str
    strength: str = ""
    quote: str = ""
    field: str = ""
    wording: str = ""
    rules: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    silent: str = ""


@cache
def statements() -> tuple[Statement, ...]:
    """All sentences, then all cells; the id is RFC, section and number in it."""
    text = Path(__file__).with_name("statements.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    count: Counter[str] = Counter()
    every = []
    for row in (*found["statement"], *found["cell"]):
        section = row["section"]
        count[section] += 1
        place = section.removeprefix("RFC ").replace(" §", "-").replace(" Table ", "-T")
        place = place.replace(", table", "T")
        frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
        every.append(Statement(id=f"{place}-{count[section]}", **frozen))
    return tuple(every)


def sentences() -> tuple[Statement, ...]:
    """Those that are quoted."""
    return tuple(each for each in statements() if each.quote)


def cells() -> tuple[Statement, ...]:
    """Those of tables."""
    return tuple(each for each in statements() if each.field)
