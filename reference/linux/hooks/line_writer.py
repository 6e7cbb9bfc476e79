"""Lines for a reader who may be slow, stuck or gone, and who delays nobody.

Theory of operation.  `LineWriter.put` returns at once; a thread (`background.py`) writes one line
after another to a file descriptor.  While it waits for the reader, at most WAITING lines wait for
it; of more the oldest are left out and counted, as is what could not be written.  The number
stands, in words of `lost`, where they would have been.  The file is not made non-blocking: it is
often that of a terminal, or a pipe, which other programs write to as well.

What it does not know: whether what was written is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from holdover.reference.linux.hooks.background import BackgroundQueue

WAITING = 256
"""So many lines may wait."""


class LineWriter(BackgroundQueue[str]):
    """Lines to a file descriptor; `lost` has a line for a number of lines that are missing."""

    def __init__(self, file: int, lost: Callable[[int], str]) -> None:
        super().__init__("lines", WAITING)
        self._file, self._words = file, lost
        self._missing = 0

    def _left_out(self, thing: str) -> None:
        with self._changed:
            self._missing += 1

    def _do(self, thing: str) -> None:
        with self._changed:
            missing, self._missing = self._missing, 0
        try:
            if missing:
                self._write(self._words(missing))
                missing = 0
            self._write(thing)
        except OSError:  # nobody is there to read, or the disk is full
            with self._changed:
                self._missing += missing + 1

    def _write(self, line: str) -> None:
        text, done = f"{line}\n".encode(errors="replace"), 0
        while done < len(text):
            done += os.write(self._file, text[done:])
