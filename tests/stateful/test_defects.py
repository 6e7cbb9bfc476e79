"""The same machine on clients that are not quite the reference client (`defects.toml`).

Its summary says for each which check was the first, where, and after how long.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from holdover.reference.refinement.defects import Seeded, defects_of, mutant
from tests import kept
from tests.stateful.machine import hunt, rounds_of
from tests.stateful.record import RECORD, SECONDS


def test_the_record_has_every_defect_and_each_was_found() -> None:
    """`python -m tests.stateful.record` writes it."""
    record = json.loads(RECORD.read_text("utf-8"))
    assert list(record) == [defect.name for defect in defects_of("client")]
    assert all(record.values())


FAMILY = "seeded defects of the cores, at random"

SOUGHT = {"remainder-unchecked": "keep_remainder"}
"""A defect of a row that is seldom taken, and taken by a client without it, too: twelve rounds of
one scene do not come to it by chance.  They are led towards it."""


@pytest.mark.parametrize("defect", defects_of("client"), ids=lambda defect: defect.name)
def test_each_defect_is_found_at_random(
    defect: Seeded, record_property: Callable[[str, object], None]
) -> None:
    """Within a minute, mostly in a second: first where the record has it, then everywhere.

    Today or, where nothing has changed since, when all were sought (tests/kept.py).
    """
    if defect.name not in kept.made_today(FAMILY, [each.name for each in defects_of("client")]):
        record_property(FAMILY, f"{defect.name:30} as kept")
        return
    core, scene = mutant(defect), json.loads(RECORD.read_text("utf-8"))[defect.name]["scene"]
    row = SOUGHT.get(defect.name, "")
    kill = hunt(core, SECONDS, rounds_of(scene), row) or hunt(core, SECONDS)
    assert kill is not None, f"{SECONDS} s and no sign of it: {defect.says}"
    record_property(
        FAMILY,
        f"{defect.name:30} {kill.kind:15} {kill.scene}, round {kill.round}, {kill.seconds:.1f} s",
    )
