"""A command that is told what has happened, in a process of its own, and that nobody waits for.

Theory of operation.  `Hook.tell` puts a notice in a queue (`background.py`) and returns.  The
command is run once for each, in their order, in a session and process group of its own, without
standard input; what it prints goes to standard error.  A command that is still running after
`limit` seconds is ended with its group:  SIGTERM, shortly after SIGKILL.  When more than WAITING
notices wait, the oldest EXTENDED is left out, since a later one has all that it had, or else the
oldest;  `note` is told, as it is of a command that fails.  `note` is called in whichever thread it
comes from.

The command is split as a shell does it (shlex) and run without one.  Its one further argument and
its variables are those of scripts for dhclient and udhcpc (`environment.py`).  They come from the
network and stand in values of variables only, never in a command.  Of this process's own variables
the command sees INHERITED.  A command that others could replace is refused (`check_safe`): its
program, and each file that an argument names.

What it does not know: what a hook does, and whether it does too much.  A process that leaves the
group is not ended; one that is left in the group by a command that ended in time, neither.  A
program on a disk that hangs stops the thread while it is started, and no other.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from holdover.model.errors import InputError
from holdover.reference.core.events import Lease, Notice
from holdover.reference.core.instants import Duration
from holdover.reference.linux.hooks.background import BackgroundQueue
from holdover.reference.linux.hooks.hook_variables import GRANTS, environment
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.kernel.privilege import check_safe
from holdover.reference.linux.storage.journal import LOG

WAITING = 16
"""So many notices may wait."""

LIMIT_MOST = 86400
"""Seconds that a command may be given."""

MERCY = 0.3
"""Seconds between SIGTERM and SIGKILL."""

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QueuedNotice:
    """A notice that waits for its turn."""

    notice: Notice
    interface: str
    lease: Lease | None


class Commands(BackgroundQueue[T]):
    """Things of which each is done by a command; `title` begins each line for `note`.

    `limit`: seconds that it may take.  `note` is told what goes wrong.
    """

    def __init__(
        self, title: str, limit: float, note: Callable[[str], None], *, name: str, most: int
    ) -> None:
        if not 0 < limit <= LIMIT_MOST:
            raise InputError(
                f"{title}: a limit of {limit:g} s: expected more than 0 and at most {LIMIT_MOST}"
            )
        super().__init__(name, most)
        self._title, self._limit, self._note = title, limit, note

    def _command(
        self,
        what: str,
        words: list[str],
        said: dict[str, str],
        text: bytes = b"",
        *,
        may_fail: bool = False,
    ) -> bool:
        """Run it to its end or its limit, with `text` to read; whether it did well.

        If it may fail, neither what it prints nor its status is passed on.
        """
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        try:
            with to_read(text) as given:
                process = subprocess.Popen(
                    words,
                    env=inherited | said,
                    stdin=given,
                    stdout=subprocess.DEVNULL if may_fail else 2,
                    stderr=subprocess.DEVNULL if may_fail else None,
                    start_new_session=True,
                )
            file = os.pidfd_open(process.pid)
        except OSError as error:
            self._say(f"{what}: cannot be run: {error.strerror}")
            return False
        try:
            if not has_ended(file, self._limit, self._end):
                self._kill(process, file)
                why = "closed" if self._closed else f"took more than {self._limit:g} s"
                self._say(f"{what}: {why}; it was ended")
                return False
            if (code := process.wait()) and not may_fail:
                self._say(f"{what}: exit status {code}")
            return code == 0 or may_fail
        finally:
            os.close(file)

    def _kill(self, process: subprocess.Popen[bytes], file: int) -> None:
        """End the process group.  Until its leader is waited for, no other can have its number."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(OSError):
                os.killpg(process.pid, number)
            has_ended(file, MERCY)
        process.wait()

    def _say(self, what: str) -> None:
        self._note(f"{self._title}: {what}")


class Hook(Commands[QueuedNotice]):
    """A command that is told notices; InputError where it cannot be run, or others could change it.

    `margin`: how long before its lease ends the kernel takes the address away.
    """

    def __init__(
        self,
        command: str,
        limit: float = 10.0,
        note: Callable[[str], None] = LOG.warning,
        *,
        margin: Duration = 0,
    ) -> None:
        title = f"hook {command!r}"
        super().__init__(title, limit, note, name="hook", most=WAITING)
        self._words, self._margin = words(command, title), margin
        self._before: Lease | None = None

    def tell(self, notice: Notice, interface: str, lease: Lease | None) -> None:
        """Run the command for a notice, after those before it; returns at once."""
        self.put(QueuedNotice(notice, interface, lease))

    def close(self, grace: float = 0.0) -> list[QueuedNotice]:
        """As `BackgroundQueue.close`; what is not told any more is noted."""
        if left := super().close(grace):
            self._say(f"not told any more: {', '.join(told.notice.name for told in left)}")
        return left

    def _spare(self, waiting: deque[QueuedNotice]) -> QueuedNotice:
        extended = (each for each in waiting if each.notice is Notice.EXTENDED)
        return next(extended, waiting[0])

    def _left_out(self, thing: QueuedNotice) -> None:
        self._say(f"{WAITING} notices wait; one of them, {thing.notice.name}, is left out")

    def _do(self, thing: QueuedNotice) -> None:
        """The command, for one notice, to its end or its limit."""
        notice, lease = thing.notice, thing.lease
        at = now() + self._margin
        word, said = environment(notice, thing.interface, lease, self._before, at)
        if notice is not Notice.UNANSWERED:  # which changes nothing about what is configured
            self._before = lease if notice in GRANTS else None
        self._command(notice.name, [*self._words, word], said)


@contextmanager
def to_read(text: bytes) -> Iterator[int]:
    """A file that has the text, and whose reader waits for nobody."""
    file = os.memfd_create("text")
    try:
        os.write(file, text)
        os.lseek(file, 0, os.SEEK_SET)
        yield file
    finally:
        os.close(file)


def has_ended(process: int, seconds: float, end: int | None = None) -> bool:
    """Whether a process has ended in so many seconds, and before there was something at `end`."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    if end is not None:
        poll.register(end, select.POLLIN)
    return process in [file for file, _ in poll.poll(seconds * 1000)]


def words(command: str, title: str) -> list[str]:
    """A command, split, its program an absolute path; InputError where it is not to be run."""
    try:
        split = shlex.split(command)
    except ValueError as error:
        raise InputError(f"{title}: not a command: {error}") from None
    if not split or "\0" in command:
        raise InputError(f"{title}: not a command")
    program, *others = split
    path = shutil.which(program)
    if path is None:
        raise InputError(f"{title}: {program}: no such program, or not executable")
    absolute = Path(path).absolute()
    for file in (absolute, *(Path(word) for word in others)):
        if file is absolute or file.is_file():
            try:
                check_safe(file)
            except InputError as error:
                raise InputError(f"{title}: {error}") from None
    return [str(absolute), *others]
