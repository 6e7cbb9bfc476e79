"""The pages of the site that a command of holdover writes: the collision, to step through.

Theory of operation.  Each is what the command writes for a user, byte for byte: the command runs
while the site is built, and its file goes beside the other pages.

What it does not know: what is on them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from holdover.reference.console.exit import EXIT

WRITTEN = {"bug.html": ("explain", "wfwg311", "--beside", "wfwg311-fixed", "--html")}
"""Name of the page, and the command; the file is its last argument."""


def write_pages(folder: Path) -> None:
    """Have each page written into a folder.

    Raises:
        subprocess.CalledProcessError: where a command ends with neither *holds* nor *violated*.
    """
    for name, command in WRITTEN.items():
        run = [sys.executable, "-m", "holdover.reference", *command, str(folder / name)]
        done = subprocess.run(run, stdout=subprocess.DEVNULL, check=False)
        if done.returncode not in (EXIT["holds"], EXIT["violated"]):
            raise subprocess.CalledProcessError(done.returncode, run)
