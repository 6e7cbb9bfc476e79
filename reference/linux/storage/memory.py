"""The lease that a client remembers, where its disk may be full or read-only.

Theory of operation.  An address is in use no longer than what is *durable* says, so that nothing
that a crash leaves behind outstays its lease.  `Memory.store` writes a lease down before it is
used.  Where that fails:

- A lease that ends after the durable one, or for another address, is not used:  NotStoredError.
Whoever
  asked for it goes on as if the DHCPACK had been lost on its way (`client.py`): with what is
  durable until that ends, and asking again.
- A lease for the durable one's address that ends no later is used: what is durable allows that.  It
  is owed, and what says more than the server is taken off the disk if it can be.
- To forget is owed too.  The address is gone by then.  But the server is not told so: it goes on
  believing what the file says (`forgets`).

What is owed is tried again by `retry`, as is whether there is room for what was not used.  Each
failure is said when it begins, and at most once in REMINDED; its end is said too.

What it does not know: how long a disk takes.  A lease that the server has shortened or refused, and
that a disk which is read-only from then on still has: a successor asks for it again (INIT-REBOOT),
and uses what it believes to be left if nobody answers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from holdover.reference.core.events import Lease
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.linux.kernel import clock
from holdover.reference.linux.storage import lease_file
from holdover.reference.linux.storage.lease_file import NotStoredError

RETRY = 5 * SECOND
"""Between two attempts to write."""

REMINDED = 60 * SECOND
"""Between two lines about a disk that goes on failing."""


class Memory:
    """What is remembered of an interface in a directory (None: nothing is written anywhere).

    `stored`: the lease to go on with.  `durable`: what the disk has.  `retry_at`: when to call
    `retry`; None: all is well.  `warn` is given lines for people.
    """

    def __init__(
        self, directory: Path | None, interface: str, hardware: bytes, warn: Callable[[str], None]
    ) -> None:
        self.stored: Lease | None = None
        self.durable: Lease | None = None
        self.retry_at: Instant | None = None
        self._directory, self._interface, self._hardware = directory, interface, hardware
        self._warn = warn
        self._reminded: Instant | None = None

    def recall(self) -> None:
        """What was stored by a predecessor."""
        if self._directory is not None:
            self.stored = self.durable = lease_file.load(
                self._directory, self._interface, hardware=self._hardware, note=self._warn
            )

    @property
    def forgets(self) -> bool:
        """Whether the disk still has a lease that is to be forgotten."""
        return self.stored is None and self.durable is not None

    def store(self, lease: Lease | None) -> None:
        """Durably, before anything that follows; NotStoredError where it may not follow then."""
        try:
            self._save(lease)
        except NotStoredError as error:
            covered = self._covers(lease)
            if covered:
                self.stored = lease
            self._note_failure(f"{error}.  {self._follows(lease, covered)}")
            if not covered:
                raise
            if lease is not None and lease != self.durable:
                with suppress(NotStoredError):
                    self._save(None)
        else:
            self.stored = lease
            self._well(said=lease is not None)

    def rehearse(self, lease: Lease | None) -> None:
        """What `store` does without the disk."""
        if lease is not None:
            lease_file.text_for(self._interface, self._hardware, lease)

    def retry(self) -> bool:
        """Write what is owed, or see whether the disk takes anything; whether it does."""
        try:
            self._save(self.stored)
        except NotStoredError as error:
            self._note_failure(str(error))
            return False
        self._well(said=self.stored is not None)
        return True

    def _save(self, lease: Lease | None) -> None:
        if self._directory is not None:
            lease_file.save(self._directory, self._interface, lease, hardware=self._hardware)
        self.durable = lease

    def _covers(self, lease: Lease | None) -> bool:
        """Whether what is durable allows all that follows from a lease that is not."""
        durable = self.durable
        if lease is None or lease == durable:
            return True
        if durable is None or durable.address != lease.address:
            return False
        return durable.end is None or (lease.end is not None and lease.end <= durable.end)

    def _follows(self, lease: Lease | None, covered: bool) -> str:
        """What comes of it, in words."""
        if lease is None:
            return "It is not given back to its server"
        if covered:
            return "It is used all the same: what is stored ends no earlier"
        stored, now = self.stored, clock.now()
        if stored is None or stored.address != lease.address or not stored.runs(now):
            return f"{lease.address} is not used before it is"
        left = "" if stored.end is None else f", {(stored.end - now) // SECOND} s"
        return f"{lease.address} stays as long as what is stored says{left}; it is asked for again"

    def _note_failure(self, says: str) -> None:
        """Try again; and say so, if it has not been said of late."""
        now = clock.now()
        owed = self.stored is not None or self.forgets
        self.retry_at = now + RETRY if owed else None
        if self._reminded is None or now >= self._reminded + REMINDED:
            self._reminded = now
            self._warn(says)

    def _well(self, *, said: bool) -> None:
        """Nothing is owed; to forget needs no room, and tells nothing of it."""
        self.retry_at = None
        if said and self._reminded is not None:
            self._reminded = None
            self._warn(f"{self._interface}: leases can be stored again in {self._directory}")
