"""What is said of an internal error: one line, and where the report of it lies.

Theory of operation.  A traceback is for who mends the program, so it goes into a file, with what
else they ask for; the user is told in a line that there is no verdict.  The report lies in the
user's cache.  Its name is made of the error and of the places that it passed: a service that is
restarted and fails again writes the same file, and does not fill the disk.  Where there is no
cache, it lies in the directory for temporary files, and where that takes nothing, it is printed.

What it does not know: which errors are internal (`cli.py`).
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import sys
import tempfile
import traceback
from importlib import metadata
from pathlib import Path

from holdover.model.inputs import folder_in_cache, printable

LONGEST = 200
"""Characters of an error's message in the line; the report has all of it."""


def describe_crash(error: Exception) -> str:
    """Write the report; the line that says so, or the report itself where no file takes it."""
    known = traceback.TracebackException.from_exception(error)
    line = printable(" ".join("".join(known.format_exception_only()).split()))
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
    text = report(known)
    path = write(text, name_of(error))
    if path is None:
        return f"{text}\ninternal error: {line}; no verdict. Please report it, with what is above"
    return f"internal error: {line}; no verdict. Please report it, with {path}"


def report(known: traceback.TracebackException) -> str:
    """The versions, the command line and the traceback."""
    try:
        version = metadata.version("holdover")
    except metadata.PackageNotFoundError:
        version = "(not installed)"
    return (
        f"holdover {version}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{shlex.join(sys.argv)}\n\n{''.join(known.format())}"
    )


def name_of(error: Exception) -> str:
    """The same for the same error in the same place."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__}-{hashlib.sha256(repr(places).encode()).hexdigest()[:8]}"


def write(text: str, name: str) -> Path | None:
    """Write it where only its user reads it; None where no place takes it."""
    data = text.encode(errors="backslashreplace")
    folder = folder_in_cache("reports")
    try:
        if folder is not None:
            path = folder / f"{name}.txt"
            path.unlink(missing_ok=True)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        else:  # everybody writes there: a name that nobody knows before
            file, made = tempfile.mkstemp(prefix=f"holdover-{name}-", suffix=".txt")
            path = Path(made)
        with open(file, "wb") as opened:  # noqa: PTH123 -- a descriptor
            opened.write(data)
    except OSError:
        return None
    return path
