"""What the lab calls a fault of the lease table: one table for both sides.

Theory of operation.  A fault of the lease table is one thing that may happen (`freezes`); one of
the lab is a course of things that is played (`frozen`: the process is stopped, and the server is
gone as well).  They are not the same, so each keeps its name, and where one is meant the other
is accepted, with a hint.

What it does not know: faults of the lab that are no fault of the table, as a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PLAYED_AS: Mapping[str, str] = MappingProxyType(
    {
        "mutes": "server killed",
        "freezes": "frozen",
        "crashes": "kill -9",
        "steps": "clock set back",
        "shortens": "shortened",
        "forgets": "given away",
        "jumps": "server clock set forward",
        "clones": "clones",
        "settles": "static host before",
        "intrudes": "static host after",
    }
)
"""The lab's fault in which a fault of the lease table is played, without others beside `mutes`."""

IN_THE_TABLE: Mapping[str, str] = MappingProxyType({lab: row for row, lab in PLAYED_AS.items()})
"""The other way round."""
