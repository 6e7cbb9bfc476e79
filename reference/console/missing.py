"""What is said where a package is not installed: which, and what brings it.

A lean installation has what client and server need, and no solver (docs/embedding.md).  Whoever
asks it for a proof is told in a line, as of bad input.

What it does not know: which command needs which package.  Python says so, when it imports one.
"""

from __future__ import annotations

import re
from importlib import metadata


def describe_missing(error: Exception) -> str | None:
    """The line for a package of others that is not there; None for any other error.

    A missing module of holdover's own is a broken installation, which is an internal error.
    """
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    package = error.name.partition(".")[0]
    if package == "holdover":
        return None
    others = [name for name in lacking() if name != package]
    also = f" (nor are {', '.join(others)})" if others else ""
    return (
        f"this command needs {package}, which is not installed{also}; "
        "`pip install .` in a clone of holdover brings all that its commands need"
    )


def lacking() -> list[str]:
    """The packages that a whole installation has on each system, and this one has not."""
    try:
        required = metadata.requires("holdover") or []
    except metadata.PackageNotFoundError:  # the sources alone, on somebody's path
        return []
    names = [re.split(r"[^\w.-]", each)[0] for each in required if ";" not in each]
    return [name for name in names if not is_installed(name)]


def is_installed(name: str) -> bool:
    """Whether there is such a package."""
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
