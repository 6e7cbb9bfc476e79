"""Ctrl-C while sources are read: it ends the reading, and the report is of what was read so far.

Theory of operation.  The signal comes at any moment.  While a source is waited for, it raises
KeyboardInterrupt out of the read, for a pipe may say nothing for hours; while an observation is
being thought about it is only noted, so that no thought is left half done.  A second Ctrl-C, while
the report is made, ends the program.  SIGTERM is the same.

Where no signal can be caught, as in a thread, nothing is interrupted.

What it does not know: what is read, and what is reported.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether the reading is to end; `stop` is set then, for a source that looks at it."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.came = False
        self._waiting = False
        self._stop = stop

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Meanwhile signals are for this."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._take) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        again, self.came = self.came, True
        if self._stop is not None:
            self._stop.set()
        if self._waiting or again:
            raise KeyboardInterrupt

    def is_over(self) -> bool:
        """Whether it came."""
        return self.came

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Meanwhile it raises KeyboardInterrupt out of whatever is waited for."""
        self._waiting = True
        try:
            if self.came:  # it came before
                raise KeyboardInterrupt
            yield
        finally:
            self._waiting = False

    def until(self, source: Iterator[T]) -> Iterator[T]:
        """What a source gives, until its end or the interruption."""
        try:
            while True:
                self._waiting = True
                if self.came:
                    return
                each = next(source)
                self._waiting = False
                yield each
        except StopIteration:
            return
        except KeyboardInterrupt:
            if not self.came:
                raise
        finally:
            self._waiting = False
