"""A root file system of a Debian release, made with mmdebstrap.

Theory of operation.  `make_root` runs mmdebstrap into a folder that has no root's name yet, in
mount and pid namespaces of its own, and gives it its name when it is whole.  However it ends, what
it has mounted and started is gone with the namespaces, and an unfinished folder is removed: after
Ctrl-C, or SIGTERM, nothing is left.  After `kill -9` the folder is, without mounts, and the next
run removes it.

The mirror is the one of this machine's own apt, as `apt-get indextargets` tells, or the user's; the
keys are Debian's own package of them.  An archive whose index has expired is refused, unless the
user allows it.

What it does not know: what is wanted of a root (`release.py`); any distribution but Debian.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from holdover.model.errors import InputError
from holdover.reference.lab.roots.made import PARTIAL
from holdover.reference.lab.roots.release import packages

MAKER, KEYS = "mmdebstrap", Path("/usr/share/keyrings/debian-archive-keyring.gpg")

NEEDS = {MAKER: "mmdebstrap", "apt-get": "apt", "unshare": "util-linux", "setpriv": "util-linux"}
"""Programs, and Debian's packages that have them."""

SPACES = (
    *("setpriv", "--pdeathsig", "KILL"),  # where this process is killed, it ends as well
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
    *("--propagation", "private"),
)

STALE = 'Acquire::Check-Valid-Until "false"'
"""What makes apt take an archive whose index has expired."""

STEPS = re.compile(r"^I: (?!chroot|automatically|finding)(.*?)\.*$")
"""A line in which mmdebstrap says what it does."""

LAST = 5
"""Lines of a failure that are passed on."""


def check_maker() -> None:
    """InputError where a root cannot be made here, with what is missing."""
    for program, package in NEEDS.items():
        if shutil.which(program) is None:
            raise InputError(
                f"the program {program} is not here, which makes root file systems; Debian's "
                f"package {package} has it: apt-get install {package}"
            )
    if not KEYS.is_file():
        raise InputError(
            f"{KEYS} is not here, with which Debian's archive is checked: "
            "apt-get install debian-archive-keyring"
        )
    if os.geteuid() != 0:
        raise InputError("a root file system has files of many users: run it as root")


def find_mirror() -> str:
    """The mirror of Debian's archive that this machine's apt has; InputError: it has none."""
    words = ("apt-get", "indextargets", "--format", "$(REPO_URI)")
    done = subprocess.run(
        (*words, "Created-By: Packages", "Origin: Debian", "Label: Debian"),
        capture_output=True,
        text=True,
        check=False,
    )
    if not (mirrors := done.stdout.split()):
        raise InputError(
            "this machine's apt has no mirror of Debian's archive, or was never updated "
            f"(apt-get update); name one: --mirror URL{quote_lines(done.stderr.splitlines())}"
        )
    return mirrors[0]


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Nobody else makes or removes roots there meanwhile; InputError where somebody does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; set XDG_CACHE_HOME to another") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(f"{folder}: another run makes or removes roots; wait for it") from None
    try:
        for left in folder.glob(f"*{PARTIAL}"):
            remove_tree(left)
        yield
    finally:
        os.close(lock)


def make_root(
    folder: Path, release: str, mirror: str, tell: Callable[[str], None], *, stale: bool = False
) -> Path:
    """Make the root of a release in a folder that is one's own (`in_turn`), and return its place.

    `tell` hears each step.  `stale`: an archive whose index has expired will do.  InputError, with
    the last words of what failed, where it cannot be made; nothing is left then.
    """
    place, partial = folder / release, folder / f"{release}{PARTIAL}"
    command = [
        *SPACES,
        MAKER,
        *("--variant=apt", "--mode=root", f"--keyring={KEYS}"),
        *([f"--aptopt={STALE}"] if stale else []),
        f"--include={','.join(packages(release))}",
        *(release, str(partial), mirror),
    ]
    try:
        _run(command, release, mirror, tell)
        with suppress(FileNotFoundError):
            remove_tree(place)
        partial.rename(place)
    finally:
        remove_tree(partial)
    return place


def _run(command: Sequence[str], release: str, mirror: str, tell: Callable[[str], None]) -> None:
    """Run mmdebstrap; InputError with its last words where it fails."""
    lines: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as maker:
        assert maker.stdout is not None
        try:
            for line in maker.stdout:
                lines.append(line.rstrip())
                if step := STEPS.match(line):
                    tell(f"{release}: {step[1]}")
            status = maker.wait()
        except BaseException:
            maker.kill()  # its namespaces end with it, and all that it has started
            raise
    if status != 0:
        told = [line for line in lines if line.startswith("E: ")] or lines
        hint = "; --stale takes it all the same" if any("expired" in line for line in told) else ""
        raise InputError(
            f"{release}: {MAKER} could not make it from {mirror}{hint}{quote_lines(told[:LAST])}"
        )


def quote_lines(lines: Sequence[str]) -> str:
    """Lines of a program's, below an error of ours; none: nothing."""
    return "".join(f"\n  {line}" for line in lines if line.strip())


def remove_tree(place: Path) -> None:
    """Remove a folder with all that is in it; never across a mount: OSError where there is one."""
    if not place.is_dir():
        return
    device = place.lstat().st_dev
    for mounted, _, _ in os.walk(place):
        if os.lstat(mounted).st_dev != device:
            raise InputError(f"{mounted}: something is mounted there; unmount it first")
    shutil.rmtree(place)
