"""Links for a module of tests (reference/lab/topology.py); as root only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from holdover.reference.lab.topology import Links


@pytest.fixture(scope="session")
def privileged() -> None:
    """Skips where no namespaces can be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    for program in ("ip", "stdbuf", "unshare"):
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")


@pytest.fixture(scope="module")
def links(privileged: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Links]:
    """A maker of links; taken away when the module is done."""
    made = Links(tmp_path_factory.mktemp("apart"))
    try:
        yield made
    finally:
        made.close()
