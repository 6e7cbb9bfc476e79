"""The explorations, once for all tests, and what they came to at the end of the run."""

from collections.abc import Mapping

import pytest

from holdover.reference.refinement.search import Refined, refine_all
from holdover.reference.refinement.setting import server_settings, settings

SEEN = pytest.StashKey[list[Refined]]()


@pytest.fixture(scope="session")
def explored(pytestconfig: pytest.Config) -> Mapping[str, Refined]:
    """Every setting of clients and servers, by its name: two minutes of processor time or three."""
    seen = list(refine_all((*settings(), *server_settings())))
    pytestconfig.stash[SEEN] = seen
    return {one.setting.name: one for one in seen}


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """One line a setting: closure and counts."""
    if seen := config.stash.get(SEEN, None):
        terminalreporter.section("explored to closure")
        for one in sorted(seen, key=lambda one: one.setting.name):
            verdict = one.kind or ("closed" if one.complete else "cut off")
            terminalreporter.line(
                f"{one.setting.name:25} {one.setting.size}  {one.states:>8,} states "
                f"{one.steps:>10,} steps  depth {one.depth:>3}  {verdict}"
            )
