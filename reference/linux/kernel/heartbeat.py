"""Whether the kernel takes requests about its network now, and how long it has kept one waiting.

Theory of operation.  The kernel has one lock for all changes to its network (RTNL).  Whoever wants
it waits, uninterruptibly; a program that deletes a namespace with hundreds of interfaces holds it
for many seconds.  Meanwhile nobody, nor the kernel itself, removes an address, and a lifetime that
is asked for begins when the lock is free.

A beat is a request that takes the lock and changes nothing.  A thread makes it, for whoever makes
it may be kept: the loop goes on.  `beat` begins one and returns; `answers` begins one and waits for
it for a while.  A beat that was missed makes the file readable when it is back.  `slowest` is the
longest that one was out lately.

Whoever would wait for `LONG` or more makes the beat itself, where none is out: it is kept by the
kernel as long as it would have waited for the thread, and is faster by two switches between
threads; and none of them comes between the kernel's answer and what is asked for next.  But where
the kernel keeps it for longer than it would have waited, it is kept.

A thread that is kept by the kernel cannot be ended: a process that is killed ends when the lock is
free.  But its beat changes nothing, and whatever changes something is asked for after one.

What it does not know: who holds the lock; what happens between a beat and what is asked for next.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.linux.kernel import clock

LONG: Duration = 10 * SECOND
"""Who would wait for so long, as for a new address, has nothing else to do meanwhile."""

EVERY: Duration = SECOND
"""From one beat to the next, while an address is held."""

MISSED: Duration = SECOND // 2
"""A beat that is out for longer is missed; on a loaded machine without such a lock, 0.03 s."""

REMEMBERED: Duration = 3600 * SECOND
"""For so long a missed beat counts: whoever deletes one namespace soon deletes another."""


class Heartbeat:
    """Beats, made by `ask` in a thread that begins with the first.

    One that is out for longer than `missed` is missed.
    """

    def __init__(self, ask: Callable[[], object], missed: Duration = MISSED) -> None:
        self._ask, self._limit = ask, missed
        self._changed = threading.Lock()
        self._orders: SimpleQueue[None] = SimpleQueue()
        self._answers: SimpleQueue[None] = SimpleQueue()
        self._wanted = self._done = self._awaited = 0
        self._began: Instant | None = None
        self._missed: list[tuple[Instant, Duration]] = []
        self._back: list[Duration] = []
        self._closed = self._waited_for = self._rings = False
        self._thread: threading.Thread | None = None
        self._file = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """For who waits until a missed beat is back."""
        return self._file

    def beat(self) -> None:
        """Begin one, if none is out; returns at once."""
        with self._changed:
            if self._done == self._wanted:
                self._want()

    def answers(self, within: Duration | None) -> bool:
        """Whether the kernel takes a request that is made now; waits for so long at most, or ever.

        A beat that is out already was made before: the next one tells.  One thread may wait.
        """
        if (within is None or within >= LONG) and self._makes_it_here():
            return True
        with self._changed:
            self._want()
            mine = self._wanted
            self._awaited = mine
        until = None if within is None else time.monotonic() + max(within, 0) / SECOND
        with suppress(Empty):
            while self._done < mine:  # there may be an answer that nobody waited for any more
                left = None if until is None else max(until - time.monotonic(), 0)
                self._answers.get(timeout=left)
        with self._changed:
            done = self._done >= mine
            self._waited_for = self._waited_for or not done
            return done

    def out(self, now: Instant) -> Duration:
        """For how long the present one has been out; 0: none is."""
        began = self._began
        return 0 if began is None else max(now - began, 0)

    def is_missed(self, now: Instant) -> bool:
        """Whether one is out for longer than one should be."""
        return self.out(now) > self._limit

    def came_back(self) -> list[Duration]:
        """How long those were out that were missed and are back since the last call."""
        if not self._rings and not self._back:
            return []
        with self._changed:
            if self._rings:
                self._rings = False
                os.eventfd_read(self._file)
            back, self._back = self._back, []
            return back

    def slowest(self, now: Instant) -> Duration:
        """The longest that one was, or is, out lately; 0: none was missed."""
        if not self._missed and self._began is None:
            return 0
        with self._changed:
            self._missed = [each for each in self._missed if now - each[0] < REMEMBERED]
            out = self.out(now)
            return max((out if out > self._limit else 0, *(length for _, length in self._missed)))

    def close(self) -> None:
        """Make no more; one that is out is left to itself."""
        with self._changed:
            self._closed = True
            self._orders.put(None)
        thread = self._thread
        if thread is not None:
            thread.join(MISSED / SECOND)
        if thread is None or not thread.is_alive():
            os.close(self._file)

    def _want(self) -> None:
        self._wanted += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)
            self._thread.start()
        self._orders.put(None)

    def _work(self) -> None:
        """One after another, as many as are wanted."""
        while True:
            self._orders.get()
            with self._changed:
                if self._closed:
                    return
                began = self._began = clock.now()
            self._make(began)

    def _makes_it_here(self) -> bool:
        """Whether none is out, so that the caller has made one."""
        with self._changed:
            if self._done != self._wanted:
                return False
            self._wanted += 1
            began = self._began = clock.now()
        self._make(began)
        return True

    def _make(self, began: Instant) -> None:
        try:  # noqa: SIM105 -- a new address waits for it
            self._ask()
        except OSError:  # refused is an answer as well
            pass
        with self._changed:
            now = clock.now()
            length, self._began = now - began, None
            self._done += 1
            if length > self._limit:
                self._missed.append((now, length))
                self._back.append(length)
            if self._done == self._wanted and (length > self._limit or self._waited_for):
                self._waited_for = False
                if not self._rings:
                    self._rings = True
                    os.eventfd_write(self._file, 1)
            if self._done == self._awaited:
                self._answers.put(None)
