"""The same machine on clients that are not quite the reference client (`defects.toml`)."""

from __future__ import annotations

import pytest

from holdover.reference.refinement.defects import Seeded, mutant, seeded
from tests.stateful.machine import hunt

SECONDS = 60.0


@pytest.mark.parametrize("defect", seeded(), ids=lambda defect: defect.name)
def test_each_defect_is_found_at_random(
    defect: Seeded, record_property: pytest.RecordProperty
) -> None:
    """Within a minute, mostly in a second; the report has which check was the first."""
    kill = hunt(mutant(defect), SECONDS)
    assert kill is not None, defect.says
    record_property("killed", f"{kill.kind} in {kill.scene!r}, round {kill.round}: {kill.says}")
