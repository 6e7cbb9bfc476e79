"""Progress on standard error, and only on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status


class Progress:
    """One line that says what goes on; nothing where nobody looks."""

    def __init__(self, what: str):
        self.what = what
        self.expected = ""
        self.status: Status | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.status import Status
            from rich.text import Text

            self.status = Status(Text(self.what), console=Console(stderr=True))
            self.status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.status is not None:
            self.status.stop()

    def say(self, message: str) -> None:
        """What is being done."""
        if self.status is not None:
            from rich.text import Text

            self.status.update(Text(message))

    def search(self, depth: int, states: int, frontier: int) -> None:
        """How far a search is."""
        self.say(
            f"{self.what}: depth {depth}, {states:,} states, {frontier:,} to expand" + self.expected
        )

    def expect(self, states: float, size: float) -> None:
        """About how many states are to be stored, in how many bytes; 0 where nobody knows."""
        if states:
            self.expected = f"; about {states:.0e} to store, {size / 2**20:,.0f} MiB"
        self.say(f"{self.what}: preparing{self.expected}")

    def count(self, done: int, of: int, message: str) -> None:
        """How many of many are done."""
        self.say(f"{done} of {of}: {message}")
