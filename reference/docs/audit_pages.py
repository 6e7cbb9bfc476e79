"""The part of docs/audit.md that is generated: who may be at fault, and what to do.

What it does not know: how a finding is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from holdover.reference.audit.monitor.sentences import KINDS, section_of
from holdover.reference.docs.markdown import code, table


def kinds() -> str:
    """A row for each kind of blame."""
    rows = [
        (code(kind), row.culprit, f"{row.rule}: {section_of(kind)}", row.advice)
        for kind, row in KINDS.items()
    ]
    return table(("kind", "at fault", "rule", "what to do"), rows)


GENERATORS: Mapping[str, Callable[[], str]] = {"audit-kinds": kinds}
"""By the names that stand in the page."""
