"""What becomes of the names in a directory, told by the kernel (inotify) as soon as it happens.

Theory of operation.  A `Watch` is readable when a name in the directory was made, removed, or given
to another file; which one, it does not say.  Where the kernel has no inotify left, or the file
system is another machine's, it is never readable: whoever must know looks now and then as well.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

NON_BLOCKING, CLOSE_ON_EXEC = os.O_NONBLOCK, os.O_CLOEXEC
MOVED_FROM, MOVED_TO, CREATED, DELETED = 0x40, 0x80, 0x100, 0x200
"""IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE."""


class Watch:
    """Of the names in one directory."""

    def __init__(self, directory: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._file = int(library.inotify_init1(NON_BLOCKING | CLOSE_ON_EXEC))
        if self._file >= 0:
            changes = MOVED_FROM | MOVED_TO | CREATED | DELETED
            library.inotify_add_watch(self._file, os.fsencode(directory), changes)

    def fileno(self) -> int:
        """For who waits; negative where there is nothing to wait for."""
        return self._file

    def clear(self) -> bool:
        """Whether anything has changed since the last time."""
        changed = False
        with suppress(OSError):
            while os.read(self._file, 1 << 16):
                changed = True
        return changed

    def close(self) -> None:
        """Watch no more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
