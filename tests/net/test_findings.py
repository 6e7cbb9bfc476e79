"""Each finding of a client of Debian 12 comes out as its page says; as root only.

All commands are run at once, as their pages have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.process import PATIENCE
from holdover.reference.lab.testbed.servers import SERVERS
from tests.measure.findings import Finding, findings, is_as_expected, play, words_of
from tests.net.conftest import machine

OF_DEBIAN = tuple(each for each in findings() if each.in_debian)

TIMES = 3
"""How often one is played again of which nothing was known on a busy machine."""


def played(found: Finding, place: Path) -> Any:
    for number in range(TIMES):
        (cell,) = play(found, place / f"{found.page.stem}-{number}")["cells"]
        if cell["outcome"] != "unknown":
            break
    return cell


def is_here(found: Finding) -> bool:
    gone = (CLIENTS[found.client].missing(), SERVERS[found.server].missing())
    return gone == (None, None)


@pytest.fixture(scope="module")
def cells(
    privileged: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Any]]]:
    place, before = tmp_path_factory.mktemp("findings"), machine()
    here = [each for each in OF_DEBIAN if is_here(each)]
    with ThreadPoolExecutor(len(OF_DEBIAN)) as pool:
        yield {each.page.stem: pool.submit(played, each, place) for each in here}
    assert machine() == before, "the lab has changed the machine itself"


@pytest.mark.parametrize("found", OF_DEBIAN, ids=lambda found: found.page.stem)
def test_the_command_of_a_page_shows_what_the_page_says(
    found: Finding, cells: dict[str, Future[Any]]
) -> None:
    if not is_here(found):
        pytest.skip(f"needs {found.client} and {found.server}")
    cell = cells[found.page.stem].result(TIMES * PATIENCE)
    assert is_as_expected(found, cell), f"{words_of(cell)}, not {found.expected}: {cell}"
