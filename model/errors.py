"""What a user is told: bad input, a search that broke off, the nearest name."""

from __future__ import annotations

import difflib


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what, where and what to do."""


class UnfinishedError(RuntimeError):
    """A search broke off, and has nothing to report; the message says why."""


def nearest(word: str, known: tuple[str, ...]) -> str:
    """A hint: the closest names, or all of them."""
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if not known:
        return "there are none"
    return "nearest: " + ", ".join(close) if close else "there are: " + ", ".join(known)
