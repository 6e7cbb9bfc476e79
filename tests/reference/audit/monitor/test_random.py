"""Random runs of our cores: nobody who conforms is accused, and who overstays is found.

A few here; tests/measure/audit_runs.py plays ten thousand of each.
"""

from collections.abc import Callable

import pytest

from holdover.reference.audit.monitor.results import Audit
from holdover.reference.core.instants import SECOND
from tests.reference.audit.town import Town
from tests.reference.audit.verdicts import (
    audit_unwritten,
    broken_rules,
    conforming_run,
    finds,
    is_clean,
    is_visible,
    planted_run,
    planted_run_with_losses,
)

SEEDS = range(20_000, 20_060)


@pytest.mark.kept("cases of audits")
@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_who_conforms_is_accused(seed: int) -> None:
    _, audit = conforming_run(seed)
    assert [each.sentence for each in audit.findings] == []
    assert broken_rules(audit) == set()
    assert is_clean(audit)


@pytest.mark.kept("cases of audits")
@pytest.mark.parametrize("seed", SEEDS)
def test_who_overstays_is_found(seed: int) -> None:
    town, audit = planted_run(seed)
    assert is_visible(town)
    assert finds(town, audit)
    (found,) = audit.findings
    assert town.overstayed is not None
    _, _, end, last = town.overstayed
    held = (last - end) / SECOND
    assert found.holdover_s == pytest.approx(held, abs=0.6)  # a DHCPACK may take half a second


@pytest.mark.kept("cases of audits")
@pytest.mark.parametrize("seed", range(20_000, 20_020))
def test_who_overstays_for_long_is_found_where_frames_are_missed(seed: int) -> None:
    town, audit = planted_run_with_losses(seed)
    assert is_visible(town)
    assert finds(town, audit)


@pytest.mark.kept("cases of audits")
@pytest.mark.parametrize("seed", range(20_000, 20_010))
@pytest.mark.parametrize("run", [conforming_run, planted_run])
def test_a_capture_is_judged_as_its_frames_are(
    seed: int, run: Callable[[int], tuple[Town, Audit]]
) -> None:
    """The reader of captures and `reference/wire` are two, and see the same."""
    town, written = run(seed)
    told = audit_unwritten(town, written.premises)
    assert [each.sentence for each in written.findings] == [each.sentence for each in told.findings]
    assert {name: (each.kept, each.broken) for name, each in written.rules.items()} == {
        name: (each.kept, each.broken) for name, each in told.rules.items()
    }


def test_the_runs_have_what_they_are_about() -> None:
    """Renewals, losses, refusals, addresses that go from one host to another."""
    towns = [conforming_run(seed)[0] for seed in range(20_000, 20_030)]
    assert any(town.missed for town in towns)
    leases = [len(conforming_run(seed)[1].addresses) for seed in range(20_000, 20_005)]
    assert min(leases) > 0
