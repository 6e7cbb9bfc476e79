"""Whether a quotation stands in an RFC, told without its text.

Theory of operation.  Of the text of an RFC, without the lines at the top and bottom of its pages, a
checksum of 24 bits is kept for each four words in a row, in their order: `rfc2131.checksums`.  A
quotation of n words stands there if its n - 3 checksums stand there one after another.  By chance a
quotation of eight words that is not there is taken for one that is in one case of 2^100.

Of RFC 6842 it is sections 2 and 3 that are kept, of the others the whole.

`python -m tests.model.clients.wording RFC.txt` writes the checksums of a text.  What it does not
know: punctuation, for a quotation may end within a sentence.
"""

from __future__ import annotations

import re
import sys
import zlib
from pathlib import Path

RUN = 4
"""Words under one checksum."""

SIZE = 3
"""Bytes of a checksum."""

FURNITURE = re.compile(r".*\[Page \d+\]\s*|RFC \d+ .* (?:19|20)\d\d\s*")


def words(text: str) -> list[str]:
    """The words of a text, without those at the top and bottom of its pages."""
    lines = text.replace("\f", "").splitlines()
    return re.findall(r"\w+", " ".join(line for line in lines if not FURNITURE.fullmatch(line)))


def checksums(text: str) -> bytes:
    """Of each run of words, in order."""
    read = words(text)
    runs = [" ".join(read[i : i + RUN]) for i in range(len(read) - RUN + 1)]
    return b"".join((zlib.crc32(run.encode()) >> 8).to_bytes(SIZE, "big") for run in runs)


def stands_in(quotation: str, kept: bytes) -> bool:
    """Whether a text with these checksums has this quotation, of at least `RUN` words."""
    wanted = checksums(quotation)
    if not wanted:
        raise ValueError(f"fewer than {RUN} words: {quotation!r}")
    at = kept.find(wanted)
    while at >= 0 and at % SIZE:
        at = kept.find(wanted, at + 1)
    return at >= 0


def kept(name: str) -> bytes | None:
    """The checksums of an RFC, by its name ("RFC 2131"); None if nobody has kept them."""
    path = Path(__file__).with_name(f"{name.lower().replace(' ', '')}.checksums")
    return path.read_bytes() if path.exists() else None


def main() -> None:
    """Write the checksums of each text that is named."""
    for each in map(Path, sys.argv[1:]):
        found = checksums(each.read_text(encoding="utf-8"))
        Path(__file__).with_name(f"{each.stem}.checksums").write_bytes(found)


if __name__ == "__main__":
    main()
