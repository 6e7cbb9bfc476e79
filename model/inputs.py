"""Text from outside: of bounded size, UTF-8, and harmless on a terminal; and the user's cache.

A file is read up to a limit that is said, so that none costs memory or minutes.  A control
character can move a terminal's cursor, hide what is before it or start a command, and a direction
mark can show text in another order than it has: in what a user gives such characters are refused
where they have no business, and escaped wherever text of the user's is shown.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from tempfile import TemporaryFile

BOM = b"\xef\xbb\xbf"
HARMFUL = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
"""Unicode's categories of control and format characters, line separators, and halves of pairs."""

SHOWN = 80
"""Characters of a value that an error repeats."""


def text_of(path: Path, most: int, what: str) -> str:
    """The text of a file of at most `most` bytes; ValueError says what is wrong, and what to do."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"larger than {most >> 10} KiB, the limit for {what}: shorten it")
    if data.startswith(BOM):
        raise ValueError("line 1: a byte order mark: save the file as UTF-8 without one")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        hint = "UTF-16? " if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise ValueError(f"byte {error.start}: not UTF-8; {hint}save the file as UTF-8") from error


def harmful(text: str, allowed: str = "") -> str | None:
    """The first control or direction character, as U+XXXX; None where there is none."""
    if text.isprintable():
        return None
    for character in text:
        if character not in allowed and unicodedata.category(character) in HARMFUL:
            return f"U+{ord(character):04X}"
    return None


def printable(text: str) -> str:
    """The text with each control and direction character escaped; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in HARMFUL
        else character.encode("unicode_escape").decode()
        for character in text
    )


def show_value(value: object) -> str:
    """A value as an error repeats it: escaped, and not all of a long one."""
    try:
        text = repr(value)
    except RecursionError:
        return "something nested too deeply to be shown"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def place_in_cache(*names: str) -> Path:
    """Where a folder in the user's cache is, or would be; RuntimeError where the user has no home.

    By the XDG Base Directory Specification, which has a path ignored that is not absolute.  What is
    there may be deleted at any time, and is then made again.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(given) if Path(given).is_absolute() else Path("~/.cache").expanduser()
    return cache.joinpath("holdover", *names)


def folder_in_cache(*names: str) -> Path | None:
    """A folder in the user's cache, made if need be; None where nothing can be written."""
    try:
        return writable(place_in_cache(*names))
    except RuntimeError:
        return None


def writable(folder: Path) -> Path | None:
    """The folder, made if need be; None where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None
