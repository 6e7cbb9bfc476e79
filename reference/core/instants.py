"""Instants and durations: whole nanoseconds of a clock that does not stop in suspend."""

from __future__ import annotations

Instant = int


Duration = int


SECOND: Duration = 1_000_000_000
"""Units of time in a second where the clock counts nanoseconds."""
