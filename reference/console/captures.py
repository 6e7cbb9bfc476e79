"""What is said where a capture is handed to a command that takes none: that `audit` reads it.

Theory of operation.  The command line asks once, when any command has refused its input, whether
one of the words is a file that begins as a capture does: pcap in each byte order and resolution,
pcapng, or one of them under gzip.  So no command has to know of captures.

What it does not know: whether the rest of the file is a capture, and zstd, for which it takes the
file's name.
"""

from __future__ import annotations

import gzip
import shlex
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from holdover.model.inputs import printable

AUDIT = "audit"
"""The command that reads captures."""

BEGINNINGS = (
    b"\xa1\xb2\xc3\xd4",
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)
"""Of pcap, microseconds and nanoseconds, big and little endian; and of pcapng."""

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

NAMES = (".pcap.zst", ".pcapng.zst", ".cap.zst")


def hint(arguments: Sequence[str]) -> str | None:
    """The line that tells of `audit`; None where no word is a capture, or it was asked already."""
    if AUDIT in arguments[:1]:
        return None
    for word in arguments:
        path = Path(word.partition("=")[2] if word.startswith("--") else word)
        if is_capture(path):
            return f"{path} is a capture of a network; read it by: holdover audit {quote(path)}"
    return None


def quote(path: Path) -> str:
    """A path as a word of a shell; what cannot be shown is escaped."""
    return shlex.quote(printable(str(path)))


def is_capture(path: Path) -> bool:
    """Whether a file is there that begins as a capture does."""
    with suppress(OSError, EOFError, ValueError, zlib.error):
        if not path.is_file():
            return False
        with path.open("rb") as file:
            begin = file.read(4)
        if begin[:2] == GZIP:
            with gzip.open(path) as file:
                begin = file.read(4)
        return begin in BEGINNINGS or (begin == ZSTD and path.name.endswith(NAMES))
    return False
