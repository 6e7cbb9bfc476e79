"""That nobody answers: what was sent since the last answer, and when to say so.

Theory of operation.  RFC 2131 has a client send again and again, and tell nobody.  `Silence` counts
the messages that want an answer, from the first one after the last answer on.  It is to be told
FIRST after that, and then after twice as long each time, up to MOST: who starts a client by hand
hears of a missing server soon, and a log does not fill.

What it does not know: clocks, lines, the protocol; why nobody answers.
"""

from __future__ import annotations

from collections import Counter

from holdover.reference.events import SECOND, Duration, Instant

FIRST: Duration = 3 * SECOND
MOST: Duration = 3600 * SECOND


class Silence:
    """What was sent and not answered; `tell_at`: when to say so."""

    def __init__(self) -> None:
        self.tell_at: Instant | None = None
        self.since: Instant = 0
        self.sent: Counter[str] = Counter()
        self._wait = FIRST

    def asked(self, message: str, now: Instant) -> None:
        """A message that wants an answer has been sent."""
        if not self.sent:
            self.since, self._wait = now, FIRST
            self.tell_at = now + FIRST
        self.sent[message] += 1

    def answered(self) -> None:
        """An answer has come, or none is wanted any more."""
        self.tell_at = None
        self.sent.clear()

    def told(self, now: Instant) -> None:
        """It has been said."""
        self._wait = min(2 * self._wait, MOST)
        self.tell_at = now + self._wait
