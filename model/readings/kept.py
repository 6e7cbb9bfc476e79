"""What was made of the lease table's sources is kept on disk, and made anew when one has changed.

Theory of operation.  To read the table for an instance and to compile what was read takes longer
than many a search.  It depends on the sources of `holdover.model` and on what the instance fixes,
and on nothing else.  So it is kept as Python keeps compiled modules, and numba its kernels: in the
user's cache, in a folder that is named by the digest of all these sources and of the versions of
Python and numpy, in a file that is named by the digest of what is fixed.  A file has its own digest
before it, and is not read where the two differ.  It is put in its place whole, so that it does not
matter who else writes it.

Nothing that was *found* is kept: no state, no count and no verdict.

Who does not call `keep` keeps nothing and finds nothing.  The programs `holdover verify` and
`holdover matrix` do, whose own instances are a few hundred.  Each client that a user describes adds
some: of so many files (`FILES`) the older half is removed.  Of the folders of other sources some
are left (`FOLDERS`).  So it stays at some tens of megabytes.

What it does not know: changes of the sources in the memory of a process.  One that makes some must
not call `keep`.  If a file is younger than the process, nothing is kept.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from holdover.model.inputs import folder_in_cache

T = TypeVar("T")

BEGAN = time.time()
"""Since when this process has had these sources; an import later some may be others."""

MARGIN = 2.0
"""Seconds that the process may have taken to come here."""

MODEL = Path(__file__).parents[1]
SOURCES = ("*.py", "*.toml")
SUMMED = 32
"""Bytes of a digest."""

NUMPY = "version.py"
"""The file in which numpy has its version."""

FILES = 1024
"""Where there are more files, of some 30 kB each, the older half goes."""

FOLDERS = 3
"""Of so many versions of the sources something is kept: two clones leave each other's alone."""


class Folder:
    """Where things are kept; nowhere until somebody says so."""

    path: Path | None = None


def sources(model: Path = MODEL) -> list[Path]:
    """All that the readings are made of."""
    return sorted(file for kind in SOURCES for file in model.rglob(kind))


def digest(files: list[Path], model: Path = MODEL) -> str:
    """Of the files with their names, and of who compiles them."""
    summed = hashlib.sha256(sys.version.encode() + version_of_numpy())
    for file in files:
        data = file.read_bytes()
        summed.update(f"{file.relative_to(model)} {len(data)}\n".encode() + data)
    return summed.hexdigest()


def version_of_numpy() -> bytes:
    """What numpy says of its version; it is read, since to import it takes a tenth of a second.

    FileNotFoundError where there is no such file.
    """
    found = find_spec("numpy")
    if found is None or found.origin is None:
        raise FileNotFoundError("numpy")
    return Path(found.origin).with_name(NUMPY).read_bytes()


def keep(model: Path = MODEL) -> None:
    """From now on what this process makes is kept, and what was kept is found."""
    files = sources(model)
    if any(file.stat().st_mtime > BEGAN - MARGIN for file in files):
        return
    everything = folder_in_cache("tables")
    if everything is None:
        return
    import shutil

    try:
        own = everything / digest(files, model)
        own.mkdir(exist_ok=True)
        os.utime(own)
        for other in sorted(everything.iterdir(), key=_used, reverse=True)[FOLDERS:]:
            shutil.rmtree(other, ignore_errors=True)
        there = list(own.iterdir())
        if len(there) > FILES:
            for file in sorted(there, key=_used, reverse=True)[FILES // 2 :]:
                file.unlink(missing_ok=True)
    except OSError:
        return
    Folder.path = own


def _used(folder: Path) -> float:
    """When a folder was last used, or a file written; 0 where another has just removed it."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0


def find_or_make(key: tuple[object, ...] | None, make: Callable[[], T]) -> T:
    """What was kept for this key, or what is made then.

    A key is told by its `repr`, and None is kept under no key.  What is made must be of the types
    that `marshal` writes: numbers, texts, bytes, tuples, lists, code.
    """
    if Folder.path is None or key is None:
        return make()
    file = Folder.path / hashlib.sha256(repr(key).encode()).hexdigest()
    try:
        data = file.read_bytes()
    except OSError:
        data = b""
    if data and data[:SUMMED] == hashlib.sha256(data[SUMMED:]).digest():
        found: T = marshal.loads(data[SUMMED:])
        return found
    made = make()
    written = marshal.dumps(made)  # type: ignore[arg-type]  # of whose types, the caller knows
    new = file.with_suffix(f".{os.getpid()}")
    try:
        new.write_bytes(hashlib.sha256(written).digest() + written)
        new.replace(file)
    except OSError:  # a full disk: it is made anew next time
        new.unlink(missing_ok=True)
    return made
