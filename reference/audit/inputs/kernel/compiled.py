"""How this room is compiled: as the engine's kernel is, and anew when any file of it has changed.

Theory of operation.  numba keeps what it has compiled, and compiles a function again when the file
in which it stands has changed; of the functions that it calls in other files it knows nothing.  So
the room keeps its own in a folder that is named by a fingerprint of all of its files, and of the
engine's, which has the flags.

What it does not know: who removes the folders of earlier versions; they are some hundred kB each,
in the user's cache.
"""

from __future__ import annotations

import zlib
from functools import partial
from pathlib import Path
from typing import Any

from holdover.model.engine import kernel as engine


def fingerprint(folder: Path, flags: Path) -> str:
    """Of all files of Python in it, and of the one that says how they are compiled."""
    known = 0
    for file in (*sorted(folder.glob("*.py")), flags):
        known = zlib.crc32(file.read_bytes(), known)
    return f"{known:08x}"


VERSION = f"audit-{fingerprint(Path(__file__).parent, Path(engine.__file__))}"


def jit(function: Any, *, inner: bool = False) -> Any:
    """As `engine.jit`; kept under VERSION."""
    return engine.jit(function, inner=inner, version=VERSION)


inner: Any = partial(jit, inner=True)
"""For functions that only compiled code calls."""
