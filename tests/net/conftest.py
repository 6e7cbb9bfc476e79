"""Links for a module of tests (reference/lab/testbed/netns.py); as root only.

Theory of operation.  The process that runs the tests takes network, mount and UTS namespaces of its
own before the first link is made.  So links, names of namespaces, mounts and the host's name are
those of this process: nobody else's are counted, and what a test would do to the machine, it does
to a part that ends with this process.  Files are the machine's, and are looked at (`machine`).

What is measured here is when something happened.  So these processes, and what they start, get the
processor before others, where that is allowed: a proof beside them has time.

One thing of the machine's no namespace divides: the kernel's networking lock.  While a test holds
it nobody's address can be set or removed, so a module that does is played while no other is, also
of another run of this user's (`in_turn`).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from holdover.reference.lab.testbed.netns import Host, Links, run
from holdover.reference.lab.testbed.process import PATIENCE
from holdover.reference.lab.warm.warm_python import WarmPython
from tests.conftest import ALONE
from tests.net.scenes import Playing, Scene, Site, played, wanted
from tests.net.stage import Stage
from tests.schemas import checked_text


@pytest.fixture(scope="session")
def privileged() -> None:
    """Skips where no namespaces can be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    for program in ("ip", "stdbuf", "unshare"):
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")
    set_apart()


NEWNS, NEWUTS, NEWNET = 0x0002_0000, 0x0400_0000, 0x4000_0000
"""Of sched.h; `os.unshare` is of Python 3.12."""

NAMES = Path("/run/netns")
"""Where `ip netns` keeps the names of namespaces."""


def set_apart() -> None:
    """Namespaces for this thread, and for the threads and processes that it starts from now on."""
    if ctypes.CDLL(None, use_errno=True).unshare(NEWNS | NEWUTS | NEWNET) != 0:
        why = os.strerror(ctypes.get_errno())
        pytest.skip(f"needs namespaces: unshare: {why}")
    NAMES.mkdir(exist_ok=True)
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "tmpfs", str(NAMES))
    run("ip", "link", "set", "lo", "up")


NICE = -10
"""Of what measures time, and of what is measured; a flood (test_hostile.py) is before it."""


@pytest.fixture(scope="module", autouse=True)
def first_of_all() -> Iterator[None]:
    """The processor is for these tests and what they start before it is for others."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, usual)


@contextmanager
def taken(file: Path, how: int) -> Iterator[None]:
    """A lock of a file, waited for; `how`: fcntl.LOCK_SH or LOCK_EX."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def in_turn(place: Path, *, alone: bool) -> Iterator[None]:
    """With all others that are not alone, or alone; whoever waits to be so lets no others in."""
    how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with ExitStack() as inside:
        with taken(place / "holdover-door", how):
            inside.enter_context(taken(place / "holdover-room", how))
        yield


@pytest.fixture(scope="module", autouse=True)
def beside_others(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Modules that hold the machine's networking lock are played alone."""
    base = tmp_path_factory.getbasetemp()
    place = base.parents[1] if "PYTEST_XDIST_WORKER" in os.environ else base.parent
    with in_turn(place, alone=request.node.nodeid in ALONE):
        yield


OURS = "holdover.reference."
FORKED = (
    f"{OURS}commands.client",
    f"{OURS}commands.explain",
    *(f"{OURS}linux.{each}" for each in ("client", "executor", "locks", "supervisor")),
    *(f"{OURS}linux.hooks.{each}" for each in ("dns", "hook", "line_writer")),
    *(f"{OURS}linux.{each}" for each in ("kernel.secondaries", "storage.lease_file")),
)
"""What our programs import here, beside what the lab's own do."""


class RememberedLinks(Links):
    """Links of which each host is remembered, and so all that programs have said there."""

    def __init__(self, place: Path, warm: WarmPython | None) -> None:
        super().__init__(place, warm)
        self.hosts: list[Host] = []

    def __call__(self, plugged: str | None = None, /, **hosts: str | None) -> dict[str, Host]:
        made = super().__call__(plugged, **hosts)
        self.hosts += made.values()
        return made

    def json_lines(self) -> Iterator[str]:
        """What was printed with --json; a program that was killed may have printed half a line."""
        for host in self.hosts:
            for program in host.processes:
                for _, line in program.lines:
                    if line.startswith('{"schema": "holdover/') and line.endswith("}"):
                        yield line


@pytest.fixture(scope="module")
def forks(privileged: None, first_of_all: None) -> Iterator[WarmPython | None]:
    """A Python of which our own programs on hosts are forked; a module may have them started.

    Hundreds of them would each import the same: that was most of what these tests computed.
    `test_warm_python.py` compares what is forked with what is started.
    """
    with WarmPython(FORKED) as there:
        yield there


@pytest.fixture(scope="module")
def links(
    privileged: None,  # a module's own `forks` may not ask for it
    forks: WarmPython | None,
    beside_others: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Links]:
    """A maker of links; taken away when the module is done, and the machine is as it was."""
    made, before = RememberedLinks(tmp_path_factory.mktemp("apart"), forks), machine()
    try:
        yield made
    finally:
        made.close()
    assert machine() == before, "a test has changed the machine itself"
    for line in made.json_lines():
        checked_text(line)


MACHINE_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/proc/sys/kernel/domainname")


def machine() -> tuple[str, ...]:
    """What clients like to change where they run."""
    files = [Path(name) for name in MACHINE_FILES]
    texts = [file.read_text() if file.exists() else "" for file in files]
    addresses = re.sub(r"(valid|preferred)_lft \w+", "", run("ip", "-o", "address"))
    return (*texts, *os.uname(), addresses, run("ip", "route"))


# Scenes ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def staged(links: Links) -> Callable[[Path], Site]:
    """What a scene is played on, given a place for files; a module may have another."""
    return partial(Stage.on, links)


@pytest.fixture(scope="module")
def playing_all(
    links: Links,
    staged: Callable[[Path], Site],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Playing]:
    """All scenes that the chosen tests need, from when the first of them begins."""

    def play(scene: Scene) -> object:
        return scene(staged(tmp_path_factory.mktemp("scene")))

    with played(links, {scene: partial(play, scene) for scene in wanted(request)}) as playing:
        yield playing


@pytest.fixture
def playing(playing_all: Playing, request: pytest.FixtureRequest) -> Future[object]:
    """The scene that is the test's parameter, while it is played (`scene` of scenes.py)."""
    return playing_all[request.param]


@pytest.fixture
def seen(playing_all: Playing, request: pytest.FixtureRequest) -> object:
    """What the scene that is the test's parameter has returned (`sees` of scenes.py)."""
    return playing_all[request.param].result(2 * PATIENCE)
