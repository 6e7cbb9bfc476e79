"""A picture as PNG, for slides: drawn by a browser of this machine.

Theory of operation.  The lanes are SVG with a style sheet (variables for colours, hatches, outlines
of letters), and Chromium or Chrome draws it as the page does.  It runs without a window, with a
profile of its own that goes with it, and reads one file.  The picture is light and twice as large
as the SVG says, which is sharp on a slide.

What it does not know: other programs that draw SVG.  Those that were looked at do not know
variables in style sheets (decision 58).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from holdover.model.errors import InputError

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chromium-headless-shell",
)
"""Looked for in this order; the last is Debian's Chromium without windows, for a server."""

SCALE = 2
"""Pixels of the PNG for one of the SVG."""

PATIENCE = 60
"""Seconds for a browser that may be starting for the first time."""

SIZE = re.compile(r'^<svg [^>]*?width="(?P<width>\d+)" height="(?P<height>\d+)"')

PNG = b"\x89PNG\r\n\x1a\n"


def png_of(svg: str) -> bytes:
    """The picture as PNG; InputError where no browser is found, or it draws nothing.

    `svg` begins with an element that has `width` and `height` in pixels.
    """
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise InputError(
            "a PNG needs Chromium or Chrome, and neither is on the path (apt-get install "
            "chromium); or take --svg, which most programs for slides read"
        )
    size = SIZE.match(svg)
    assert size is not None, "a picture without a size"
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        (place / "picture.svg").write_text(svg, encoding="utf-8")
        drawn = place / "picture.png"
        given = [
            program,
            "--headless",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={place / 'profile'}",
            f"--force-device-scale-factor={SCALE}",
            f"--window-size={size['width']},{size['height']}",
            f"--screenshot={drawn}",
            # Chromium's own sandbox refuses to begin as root; the file is ours.
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            (place / "picture.svg").as_uri(),
        ]
        try:
            done = subprocess.run(
                given, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{program} has drawn nothing within {PATIENCE} s") from None
        if not drawn.is_file() or not drawn.read_bytes().startswith(PNG):
            said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise InputError(f"{program} has drawn nothing: {said[-1]}")
        return drawn.read_bytes()
