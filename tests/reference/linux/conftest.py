"""Links as the network tests have them, and the processor too."""

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
