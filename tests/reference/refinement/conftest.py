"""The explorations, once for all tests."""

from collections.abc import Mapping

import pytest

from holdover.reference.refinement.search import Refined, refine_all
from holdover.reference.refinement.setting import every_setting


@pytest.fixture(scope="session")
def explored() -> Mapping[str, Refined]:
    """Every setting of clients and servers, by its name: about a minute of processor time."""
    return {seen.setting.name: seen for seen in refine_all(every_setting())}
