"""What is said of messages with options that could not be read, to who reads the lines.

Theory of operation.  `Malformed` is a value: which message, what was dropped and why, and whether
the message was refused for it.  The journal has a line for each.  Who reads the lines is told
sparingly, since anybody on the link can send such messages: what was said lately is not said again,
and of the rest BURST lines in SPELL; more are counted, and the next line has their number.

What it does not know: bytes (`option_layout.py`), and on what a message rests (`messages.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.wire.option_layout import Dropped

SPELL: Duration = 60 * SECOND
BURST = 8

REMEMBERED = 64
"""So many different lines are known to have been said."""

MOST = 3
"""Options named in a line; the journal has them all."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message, by its type and sender, with each option that was dropped and why."""

    message: str
    dropped: tuple[str, ...]
    refused: bool

    def __str__(self) -> str:
        named = list(self.dropped[:MOST])
        if len(self.dropped) > MOST:
            named.append(f"and {len(self.dropped) - MOST} more")
        return f"{self.message}: {'refused for' if self.refused else 'read without'} " + (
            "; ".join(named)
        )


def describe_malformed(
    message: str, dropped: Sequence[Dropped], refused_for: str | None
) -> Malformed:
    """The value; where the message was refused, only for what."""
    why = tuple(map(str, dropped)) if refused_for is None else (refused_for,)
    return Malformed(message, why, refused=refused_for is not None)


class Sparing:
    """Which of many lines are to be said."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}
        self._spell: list[Instant] = []
        self._unsaid = 0

    def line(self, said: Malformed, now: Instant) -> str | None:
        """The line, with the number of those that were not said before it; None: it is not said."""
        text = str(said)
        if text in self._said:
            return None
        self._spell = [at for at in self._spell if now - at < SPELL]
        if len(self._spell) == BURST:
            self._unsaid += 1
            return None
        self._spell.append(now)
        self._said[text] = None
        if len(self._said) > REMEMBERED:
            del self._said[next(iter(self._said))]
        more, self._unsaid = self._unsaid, 0
        return text + (f" ({more} other lines about malformed messages are left out)" * bool(more))
