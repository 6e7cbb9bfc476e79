"""What is kept from an earlier day: of which sources it is, and what is found again.

Theory of operation.  What takes minutes to find, and is the same whenever it is looked for, is
found once and kept in the repository.  Either it says itself of what it is true (a certificate is
checked against its obligation), or it is kept with the digest of all that it depends on, and is
taken only where this digest is the same.  Of each fifty, in their order, one is found again all
the same: a number of any size says whose turn it is, and who counts up has found all again after
fifty times.

What it does not know: whether something matters that is not in the digest.  What is found again
looks for that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

OF_EACH = 50
"""Of so many one is found again."""


def names_in_turn(names: Sequence[str], turn: int | None) -> list[str]:
    """The names whose turn it is at any number; all, where none is given."""
    return list(names if turn is None else names[turn % OF_EACH :: OF_EACH])


def digest_of(packages: Mapping[str, Path], versions: Iterable[str]) -> str:
    """SHA-256 of the Python files and tables in folders, by name and content; and of versions.

    `packages`: the folder of each package.  Which files there are counts as well.
    """
    found = hashlib.sha256(" ".join(versions).encode())
    for package, folder in packages.items():
        for path in sorted(each for each in folder.rglob("*") if each.suffix in (".py", ".toml")):
            found.update(f"{package}/{path.relative_to(folder)}\0".encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
