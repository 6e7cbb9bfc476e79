"""Links for a module of tests (reference/lab/topology.py); as root only."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.lab.topology import Links, run


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
    """A maker of links; taken away when the module is done, and the machine is as it was."""
    made, before = Links(tmp_path_factory.mktemp("apart")), machine()
    try:
        yield made
    finally:
        made.close()
    assert machine() == before, "a test has changed the machine itself"


MACHINE_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/proc/sys/kernel/domainname")


def machine() -> tuple[str, ...]:
    """What clients like to change where they run."""
    files = [Path(name) for name in MACHINE_FILES]
    texts = [file.read_text() if file.exists() else "" for file in files]
    addresses = re.sub(r"(valid|preferred)_lft \w+", "", run("ip", "-o", "address"))
    return (*texts, *os.uname(), addresses, run("ip", "route"))


@pytest.fixture
def seen(scenes: dict[str, Future[dict[str, Any]]], request: pytest.FixtureRequest) -> Any:
    """What the scene named by the test's marker has seen; `scenes` is the module's."""
    return scenes[request.param].result(300)
