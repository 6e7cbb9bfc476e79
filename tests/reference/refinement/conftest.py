"""The explorations, once for all tests."""

from collections.abc import Mapping

import pytest

from holdover.reference.refinement.search import Refined
from tests.proofs.logic.kept_answers import number_of_commits
from tests.reference.refinement.kept import explore


@pytest.fixture(scope="session")
def explored() -> Mapping[str, Refined]:
    """Every setting of clients and servers, by its name; as kept, or explored now."""
    return {seen.setting.name: seen for seen in explore(number_of_commits())}
