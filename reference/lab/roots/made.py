"""Root file systems that were made: where they are, and what is in each.

Theory of operation.  They are folders of `cache_folder`, below the user's cache, each with its
release's name.  One that is still being made has another name (PARTIAL), so whatever is listed is
whole.

What it does not know: how one is made (`making.py`), and roots that somebody has elsewhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from holdover.model.errors import InputError
from holdover.model.inputs import place_in_cache
from holdover.reference.lab.roots.root import SHELL, Root

PARTIAL = ".partial"
"""What the name of a folder ends with that is no root yet."""


@dataclass(frozen=True, slots=True)
class MadeRoot:
    """A root that was made: what it says of itself, how many packages, bytes, and when."""

    root: Root
    title: str
    packages: int
    size: int
    date: str


def cache_folder() -> Path:
    """Where roots are made, which may not be there; InputError where the user has no home."""
    try:
        return place_in_cache("roots")
    except RuntimeError:
        raise InputError("this user has no home to keep roots in; set XDG_CACHE_HOME") from None


def made_roots(folder: Path | None = None) -> dict[str, Root]:
    """Those that were made, by their names."""
    folder = cache_folder() if folder is None else folder
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        root = Root(path.name, path)
        if not path.name.endswith(PARTIAL) and path.is_dir() and root.has(SHELL):
            found[path.name] = root
    return found


def look_into(root: Root) -> MadeRoot:
    """What is in it; its files are counted, so that takes a moment."""
    return MadeRoot(
        root,
        _title(root.path / "etc/os-release"),
        len(root.packages()),
        sum(_sizes(root.path)),
        f"{datetime.fromtimestamp(root.path.stat().st_mtime, UTC):%Y-%m-%d}",
    )


def _title(release: Path) -> str:
    """What a system calls itself (os-release(5)); "": nothing."""
    try:
        lines = release.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    return said.get("PRETTY_NAME", "").strip('"')


def _sizes(top: Path) -> list[int]:
    """Bytes that each file takes, hard links counted once."""
    seen: dict[tuple[int, int], int] = {}
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            about = (Path(folder) / name).lstat()
            seen[about.st_dev, about.st_ino] = about.st_blocks * 512
    return [*seen.values()]
