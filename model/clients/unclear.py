"""What implementers found unclear in RFC 2131, and the answer to each item.

Theory of operation.  `unclear.toml` has the items of section 4 of draft-ietf-dhc-implementation-02,
each in our words, with a sentence of answer and with the names of what stands behind it: rows of
the lease table, theorems and properties, rules, statements, tests.  An item behind which nothing
stands is one on which we are silent.

What it does not know: whether what is named is about the item.  That it exists is tested.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class UnclearItem:
    """An item of the list: `asks` what it asks, `here` our answer; then what stands behind it."""

    section: str
    title: str
    asks: str
    here: str
    rows: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether nothing stands behind the answer."""
        return not (self.rows or self.proofs or self.rules or self.statements or self.tests)


@cache
def unclear_items() -> tuple[UnclearItem, ...]:
    """All items, in the order of the list."""
    text = Path(__file__).with_name("unclear.toml").read_text(encoding="utf-8")
    found = []
    for row in tomllib.loads(text)["item"]:
        frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
        found.append(UnclearItem(**frozen))
    return tuple(found)
