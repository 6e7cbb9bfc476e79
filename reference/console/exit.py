"""How a command ends, in its status."""

from __future__ import annotations

from holdover.proofs.result import Outcome

EXIT: dict[Outcome, int] = {"holds": 0, "violated": 1, "unknown": 3}


INTERRUPTED = 130


UNREAD = 141
"""As a shell reports a program that wrote into a closed pipe; 0 or 1 would be a verdict."""


INTERNAL = 70
"""An error of holdover itself (EX_SOFTWARE, sysexits(3)); Python's own 1 would be a verdict."""
