"""Links as the network tests have them, and the processor too."""

import pytest

from tests.net.conftest import (
    beside_others,
    first_of_all,
    links,
    playing,
    playing_all,
    privileged,
    seen,
    staged,
)

__all__ = [
    "beside_others",
    "first_of_all",
    "links",
    "playing",
    "playing_all",
    "privileged",
    "seen",
    "staged",
]


@pytest.fixture(scope="module")
def forks() -> None:
    """None: what users start, with a user, a unit or a hook of its own, is started here too."""
