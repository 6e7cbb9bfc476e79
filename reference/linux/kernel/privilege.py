"""Which powers a shell keeps, and which files it may trust.

Theory of operation.  `drop` leaves a process two capabilities: CAP_NET_RAW for packet sockets,
CAP_NET_ADMIN for addresses and routes.  First every other one leaves the bounding set (where
CAP_SETPCAP allows it), then the permitted, effective and inheritable sets, and with them the
ambient set, which the kernel keeps within these.  PR_SET_NO_NEW_PRIVS comes last: from then on no
set-user-id program and no file capability gives anything back.  It is set although hooks run later:
they get these two capabilities as root, or where systemd made them ambient, and a hook that needs
more asks a service for it.  Capabilities belong to threads, so it is called before there is a
second one.

`check_safe` looks at each name on the way to a file, symbolic links and what they lead to included.
Each must belong to root or to this user, and none may be writable by everybody; above the file a
sticky directory (/tmp) may be, where a name can be replaced only by its owner.  What it has found
good, nobody else can change between the look and the use.  `own_directory` is asked again before
each lease is written: what it found good is good as long as each name on the way has the same owner
and mode, and none is a link.

What it does not know: user ids.  Who was root still owns root's files, which needs no capability;
run as another user with the two capabilities ambient to be rid of that.  Files writable by a group,
or by an access control list, are trusted: who is in a group is the administrator's decision.  In
a user namespace the owner of a file of the outside may have no name (`overflowuid`); it is taken
for root.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from holdover.model.errors import InputError

CAP_NET_ADMIN, CAP_NET_RAW = 12, 13
"""Their numbers (linux/capability.h), as the next ones are (linux/prctl.h)."""

PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 23, 24, 38
CAPABILITY_VERSION_3 = 0x20080522

KEPT = (CAP_NET_RAW, CAP_NET_ADMIN)

LINKS_MOST = 40
"""As many symbolic links as the kernel follows (path_resolution(7))."""


class _Header(ctypes.Structure):
    """What capget(2) and capset(2) are asked about; thread 0 is the calling one."""

    _fields_ = (("version", ctypes.c_uint32), ("thread", ctypes.c_int))


class _Sets(ctypes.Structure):
    """32 capabilities, a bit each; capset(2) takes two of these."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


_libc = ctypes.CDLL(None, use_errno=True)

# Capabilities ------------------------------------------------------------------------------------


def drop() -> None:
    """Keep CAP_NET_RAW and CAP_NET_ADMIN and no other capability, in this process and its children.

    InputError where one of the two is missing; then nothing has changed.
    """
    if len([*Path("/proc/self/task").iterdir()]) > 1:
        raise RuntimeError("drop() after a second thread was started, which would keep everything")
    permitted = _permitted_set()
    names = [name for name, number in NAMES.items() if not permitted & 1 << number]
    if names:
        raise InputError(
            f"missing {' and '.join(names)}, for packet sockets and addresses: run as root, under "
            "`unshare -Urn`, or as a user to whom systemd or `capsh` gives both"
        )
    _narrow()
    kept = sum(1 << number for number in KEPT)
    sets = (_Sets * 2)(_Sets(kept, kept, kept), _Sets())
    _call("capset", ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), sets)
    _call("prctl", PR_SET_NO_NEW_PRIVS, *_longs(1, 0, 0, 0))


NAMES = {"CAP_NET_RAW": CAP_NET_RAW, "CAP_NET_ADMIN": CAP_NET_ADMIN}


def _permitted_set() -> int:
    """The permitted set of this thread, a bit for each capability."""
    sets = (_Sets * 2)()
    _call("capget", ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), sets)
    return int(sets[0].permitted) | int(sets[1].permitted) << 32


def _narrow() -> None:
    """Take all but the kept ones out of the bounding set, if CAP_SETPCAP is there.

    Without it there is no harm: PR_SET_NO_NEW_PRIVS keeps programs from giving more than there is.
    """
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in range(last + 1):
        if number not in KEPT and _call("prctl", PR_CAPBSET_READ, *_longs(number, 0, 0, 0)):
            try:
                _call("prctl", PR_CAPBSET_DROP, *_longs(number, 0, 0, 0))
            except PermissionError:
                return


def _longs(*numbers: int) -> list[ctypes.c_ulong]:
    """Arguments of prctl(2), which is variadic: as wide as the kernel reads them."""
    return [ctypes.c_ulong(number) for number in numbers]


def _call(name: str, *arguments: object) -> int:
    """The answer of a system call; OSError if it failed."""
    answer = int(getattr(_libc, name)(*arguments))
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return answer


# Files -------------------------------------------------------------------------------------------


def check_safe(path: Path) -> None:
    """InputError where somebody other than root and this user could replace or change the file."""
    try:
        steps = _steps(path)
        step, seen = next(steps)
        for following in steps:
            _check_step(path, step, seen, last=False)
            step, seen = following
        _check_step(path, step, seen, last=True)
    except OSError as error:
        raise InputError(f"{path}: {error.filename}: {error.strerror}") from error


def own_directory(directory: Path) -> bool:
    """Whether the directory had to be made; InputError where others can write to it."""
    if _is_as_it_was(directory):
        return False
    user, made = os.geteuid(), True
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        made = False
    except OSError as error:
        raise InputError(
            f"{directory}: missing, and cannot be made: {error.strerror}.  Make it, with user "
            f"{user} as its owner"
        ) from error
    check_safe(directory)
    seen = directory.stat()
    if seen.st_uid != user:
        raise InputError(f"{directory}: belongs to user {seen.st_uid}.  Name one of user {user}")
    may = os.access(directory, os.W_OK | os.X_OK, effective_ids=True)
    if not (stat.S_ISDIR(seen.st_mode) and may):
        raise InputError(f"{directory}: no directory that user {user} can write to.  Name one")
    _remember(directory, user)
    return made


_GOOD: dict[Path, tuple[int, tuple[tuple[str, int, int], ...]]] = {}
"""Of a directory that was found good: the user, and each step to it with its owner and mode."""


def _remember(directory: Path, user: int) -> None:
    """What was found good, unless the way leads by a link, which may come to lead elsewhere."""
    steps = [(step, seen.st_uid, seen.st_mode) for step, seen in _steps(directory)]
    if not any(stat.S_ISLNK(mode) for _, _, mode in steps):
        _GOOD[directory] = user, tuple(steps)


def _is_as_it_was(directory: Path) -> bool:
    """Whether it would be found good again, for what was looked at is the same."""
    user, steps = _GOOD.get(directory, (-1, ()))
    if not steps:
        return False
    try:
        for step, owner, mode in steps:
            seen = os.lstat(step)
            if seen.st_mode != mode or seen.st_uid != owner:
                return False
    except OSError:
        return False
    return os.geteuid() == user and os.access(steps[-1][0], os.W_OK | os.X_OK, effective_ids=True)


def _check_step(path: Path, step: str, seen: os.stat_result, *, last: bool) -> None:
    """One name on the way: whose it is, and who may write to it."""
    if not _is_trusted(seen.st_uid):
        raise InputError(
            f"{_where(path, step)}: belongs to user {seen.st_uid}, not to root or to user "
            f"{os.geteuid()}, who runs this; whoever owns it could change what is read or run.  "
            "Change its owner"
        )
    if stat.S_ISLNK(seen.st_mode) or not seen.st_mode & stat.S_IWOTH:
        return
    if last or not seen.st_mode & stat.S_ISVTX:
        raise InputError(
            f"{_where(path, step)}: everybody may write there, and so change what is read or run.  "
            f"Take that away: chmod o-w {step}"
        )


def _where(path: Path, step: str) -> str:
    return step if step == str(path) else f"{path}: {step}"


def _is_trusted(owner: int) -> bool:
    """Root, this user, or somebody of whom a user namespace knows nothing."""
    if owner in (0, os.geteuid()):
        return True
    nobody = int(Path("/proc/sys/kernel/overflowuid").read_text())
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    mapped = any(int(first) <= owner < int(first) + int(size) for first, _, size in ranges)
    return owner == nobody and not mapped


def _steps(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every directory, link and file that the kernel looks at on the way, the last one last.

    Names are text: a `Path` for each takes longer than the kernel, and a lease waits for it.
    """
    at, ahead, links = "", [*reversed(path.absolute().parts[1:])], 0
    yield "/", os.lstat("/")
    while ahead:
        name = ahead.pop()
        if name == "..":
            at = at.rpartition("/")[0]
            continue
        step = f"{at}/{name}"
        seen = os.lstat(step)
        yield step, seen
        if not stat.S_ISLNK(seen.st_mode):
            at = step
            continue
        links += 1
        if links > LINKS_MOST:
            raise InputError(f"{path}: more than {LINKS_MOST} symbolic links")
        target = Path(step).readlink()
        if target.is_absolute():
            at = ""
        ahead.extend(part for part in reversed(target.parts) if part != "/")
