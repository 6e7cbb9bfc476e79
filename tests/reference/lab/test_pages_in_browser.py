"""The pages of the lab, of an audit and of a replay in a browser: nothing to complain of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdover.model.clients.profile import load
from holdover.proofs.result import Outcome
from holdover.reference.audit.report.page import audit_page
from holdover.reference.explanation.replayed import replay_page
from holdover.reference.lab.collision.collision import OverlapRecord, PlayedCollision
from holdover.reference.lab.collision.plan import SURROUNDINGS
from holdover.reference.lab.collision.schedule import Plan
from holdover.reference.lab.report.page import page
from tests.browser import NARROW, WIDE, Scheme, visit
from tests.reference.audit.report.audits import VIOLATED
from tests.reference.lab.test_page import SEVERAL, shown

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def lab() -> str:
    return page([*SEVERAL, shown()], "The lab", {"system": "Linux"})


def audit() -> str:
    return audit_page(VIOLATED)


def replay() -> str:
    """Of a record that is not there: its verdict is, and that nothing can be drawn."""
    outcomes: list[tuple[str, Outcome]] = [("wfwg311", "violated"), ("wfwg311-fixed", "holds")]
    played = [
        PlayedCollision(
            plan=Plan(load(name), SURROUNDINGS, says, "", (), made_to_stay=says == "holds"),
            seen=OverlapRecord(outcome=says, reason="seen"),
            record=Path("/nowhere"),
        )
        for name, says in outcomes
    ]
    return replay_page(played)


@pytest.mark.parametrize("made", [lab, audit, replay])
def test_a_page_opens_fits_and_is_accessible(
    browser: Browser, tmp_path: Path, made: Callable[[], str]
) -> None:
    file = tmp_path / "page.html"
    file.write_text(made(), "utf-8")
    looks: list[tuple[tuple[int, int], Scheme]] = [(WIDE, "light"), (NARROW, "dark")]
    with visit(browser, file) as seen:
        seen.ask("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        for size, scheme in looks:
            seen.look(size, scheme)
            assert seen.accessibility() == []
            assert seen.ask("document.documentElement.scrollWidth") == size[0]
        assert seen.complaints == []
        assert seen.asked == [file.as_uri()]


def test_a_replay_shows_bug_and_fix_in_one_schedule(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(replay(), "utf-8")
    with visit(browser, file) as seen:
        seen.press("End")
        said = [seen.text(f"#course-{n} .holdings dd") for n in range(2)]
        assert said == ["✕ broken", "✓ holds"]
        assert "10.5 s" in seen.text("#where")
        recorded = seen.page.locator(".recorded")
        assert recorded.count() == 2
        assert "violated seen. The model says: violated." in recorded.nth(0).inner_text()
        assert "what server and second host do where the client stays" in (
            recorded.nth(1).inner_text()
        )
