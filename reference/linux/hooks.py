"""A command that is told what has happened, in a process of its own, and that nobody waits for.

Theory of operation.  `Hook.tell` puts a notice in a queue and returns.  A thread takes them out in
their order and runs the command once for each, in a session and process group of its own, without
standard input; what it prints goes to standard error.  A command that is still running after
`limit` seconds is ended with its group: SIGTERM, shortly after SIGKILL.  At most WAITING notices
wait.  When there are more, the oldest EXTENDED is left out, since a later one has all that it had,
or else the oldest; `note` is told, as it is of a command that fails.  `note` is called in whichever
thread it comes from.  A thread and not a task of asyncio: a loop that is stuck keeps no hook alive.

The command is split as a shell does it (shlex) and run without one.  Its one further argument and
its variables are those of scripts for dhclient and udhcpc (`environment.py`).  They come from the
network and stand in values of variables only, never in a command.  Of this process's own variables
the command sees INHERITED.  A command that others could replace is refused (`check_safe`): its
program, and each file that an argument names.

What it does not know: what a hook does, and whether it does too much.  A process that leaves the
group is not ended; one that is left in the group by a command that ended in time, neither.  A
program on a disk that hangs stops this process while it is started, and then the kernel's lifetime
is what takes the address away.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdover.model.profile import BadInput
from holdover.reference.events import Lease, Notice
from holdover.reference.linux.clock import now
from holdover.reference.linux.environment import GRANTS, environment
from holdover.reference.linux.journal import LOG
from holdover.reference.linux.privilege import check_safe
from holdover.reference.options import Options

WAITING = 16
"""So many notices may wait."""

LIMIT_MOST = 86400
"""Seconds that a command may be given."""

MERCY = 0.3
"""Seconds between SIGTERM and SIGKILL."""

CLOSING = 1.0
"""Seconds in which `close` ends what runs."""

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")

LASTING = frozenset({Notice.INFORMED, Notice.UNANSWERED})
"""Notices that change nothing about what is configured."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice that waits for its turn."""

    notice: Notice
    interface: str
    lease: Lease | None
    options: Options | None


class Hook:
    """A command that is told notices; BadInput where it cannot be run, or others could change it.

    `limit`: seconds that it may take.  `note` is told what goes wrong.
    """

    def __init__(
        self, command: str, limit: float = 10.0, note: Callable[[str], None] = LOG.warning
    ) -> None:
        if not 0 < limit <= LIMIT_MOST:
            raise BadInput(
                f"hook {command!r}: a limit of {limit:g} s: expected more than 0 and at most "
                f"{LIMIT_MOST}"
            )
        self._words = words(command)
        self._command, self._limit, self._note = command, limit, note
        self._changed = threading.Condition()
        self._waiting: deque[Told] = deque()
        self._thread: threading.Thread | None = None
        self._busy = self._closed = False
        self._before: Lease | None = None
        self._end = os.eventfd(0, os.EFD_CLOEXEC)

    def tell(
        self, notice: Notice, interface: str, lease: Lease | None, options: Options | None
    ) -> None:
        """Run the command for a notice, after those before it; returns at once."""
        dropped: Told | None = None
        with self._changed:
            if self._closed:
                return
            self._waiting.append(Told(notice, interface, lease, options))
            if len(self._waiting) > WAITING:
                extended = (each for each in self._waiting if each.notice is Notice.EXTENDED)
                dropped = next(extended, self._waiting[0])
                self._waiting.remove(dropped)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="hook", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        if dropped is not None:
            self._say(f"{WAITING} notices wait; one of them, {dropped.notice.name}, is left out")

    def close(self, grace: float = 0.0) -> None:
        """Let what waits and runs go on for `grace` seconds, then end it within a second."""
        with self._changed:
            if self._closed:
                return
            self._changed.wait_for(lambda: not self._waiting and not self._busy, grace)
            self._closed = True
            left = [told.notice.name for told in self._waiting]
            self._changed.notify_all()
        os.eventfd_write(self._end, 1)
        if left:
            self._say(f"not told any more: {', '.join(left)}")
        if self._thread is not None:
            self._thread.join(CLOSING)
            if self._thread.is_alive():  # a process that SIGKILL does not end keeps it
                return
        os.close(self._end)

    # In the thread -------------------------------------------------------------------------------

    def _work(self) -> None:
        """One notice after another."""
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                told = self._waiting.popleft()
                self._busy = True
            self._run(told)

    def _run(self, told: Told) -> None:
        """The command, for one notice, to its end or its limit."""
        notice, lease = told.notice, told.lease
        before = self._before
        word, said = environment(notice, told.interface, lease, told.options, before, now())
        if notice not in LASTING:
            self._before = lease if notice in GRANTS else None
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        try:
            process = subprocess.Popen(
                [*self._words, word],
                env=inherited | said,
                stdin=subprocess.DEVNULL,
                stdout=2,
                start_new_session=True,
            )
            file = os.pidfd_open(process.pid)
        except OSError as error:
            self._say(f"{notice.name}: cannot be run: {error.strerror}")
            return
        try:
            if not ended(file, self._limit, self._end):
                self._kill(process, file)
                why = "closed" if self._closed else f"took more than {self._limit:g} s"
                self._say(f"{notice.name}: {why}; it was ended")
            elif code := process.wait():
                self._say(f"{notice.name}: exit status {code}")
        finally:
            os.close(file)

    def _kill(self, process: subprocess.Popen[bytes], file: int) -> None:
        """End the process group.  Until its leader is waited for, no other can have its number."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(OSError):
                os.killpg(process.pid, number)
            ended(file, MERCY)
        process.wait()

    def _say(self, what: str) -> None:
        self._note(f"hook {self._command!r}: {what}")


def ended(process: int, seconds: float, end: int | None = None) -> bool:
    """Whether a process has ended in so many seconds, and before there was something at `end`."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    if end is not None:
        poll.register(end, select.POLLIN)
    return process in [file for file, _ in poll.poll(seconds * 1000)]


def words(command: str) -> list[str]:
    """A command, split, its program an absolute path; BadInput where it is not to be run."""
    try:
        split = shlex.split(command)
    except ValueError as error:
        raise BadInput(f"hook {command!r}: not a command: {error}") from None
    if not split or "\0" in command:
        raise BadInput(f"hook {command!r}: not a command")
    program, *others = split
    path = shutil.which(program)
    if path is None:
        raise BadInput(f"hook {command!r}: {program}: no such program, or not executable")
    absolute = Path(path).absolute()
    for file in (absolute, *(Path(word) for word in others)):
        if file is absolute or file.is_file():
            try:
                check_safe(file)
            except BadInput as error:
                raise BadInput(f"hook {command!r}: {error}") from None
    return [str(absolute), *others]
