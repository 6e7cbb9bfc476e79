"""A bounded queue whose items one background thread handles in order.

Theory of operation.  `BackgroundQueue.put` puts a thing in a queue and returns.  A thread, begun
with the first, hands them to `_do` in their order.  At most `most` wait; when there are more,
`_spare` says which is left out, and `_left_out` is told.  `close` lets what waits go on for a
while, and then ends it: `_end` can be read from then on, and `_do` is to return when it can.  A
thread and not a task of asyncio: a loop that is stuck keeps none of them alive, and none of them
sticks the loop.

What it does not know: what is done.  A thread that the kernel keeps (a full pipe, a disk that
hangs) is left behind, and ends with the process.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from typing import Generic, TypeVar

CLOSING = 1.0
"""Seconds in which `close` ends what runs."""

T = TypeVar("T")


class BackgroundQueue(ABC, Generic[T]):
    """A thread named `name` that does things; at most `most` wait for it."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._thread: threading.Thread | None = None
        self._busy = self._closed = False
        self._end = os.eventfd(0, os.EFD_CLOEXEC)

    def put(self, thing: T) -> None:
        """Have it done after those before it; returns at once."""
        spared: list[T] = []
        with self._changed:
            if self._closed:
                return
            self._waiting.append(thing)
            if len(self._waiting) > self._most:
                spared.append(self._spare(self._waiting))
                self._waiting.remove(spared[0])
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
        for each in spared:
            self._left_out(each)

    def close(self, grace: float = 0.0) -> list[T]:
        """Let what waits and runs go on for `grace` seconds, then end it within CLOSING.

        What is not done any more.
        """
        with self._changed:
            if self._closed:
                return []
            self._changed.wait_for(lambda: not self._waiting and not self._busy, grace)
            self._closed = True
            left = [*self._waiting]
            self._changed.notify_all()
        os.eventfd_write(self._end, 1)
        if self._thread is not None:
            self._thread.join(CLOSING)
            if self._thread.is_alive():  # what the kernel does not let go of keeps it
                return left
        os.close(self._end)
        return left

    @abstractmethod
    def _do(self, thing: T) -> None:
        """One of them, in the thread."""

    def _spare(self, waiting: deque[T]) -> T:
        """Which of too many is done without: the oldest."""
        return waiting[0]

    def _left_out(self, thing: T) -> None:
        """That it is not done; in whichever thread has put one more."""

    def _work(self) -> None:
        """One thing after another."""
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                thing = self._waiting.popleft()
                self._busy = True
            self._do(thing)
