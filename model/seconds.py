"""Seconds as people read them.

A number that was computed is exact (a Fraction or an int), and loses nothing above a thousandth:
`3600`, `17.282`, `0.07`.  One that was measured (a float) has hundredths, and thousandths below a
tenth of a second, where they matter to a reader: `3.00`, `0.017`.  The nearest is written, never a
bound; who needs a bound rounds up or down before (`reference/console/output.py`).
"""

from __future__ import annotations

import math
from fractions import Fraction

FINE = 0.1
"""Seconds below which the thousandths of a measurement matter to a reader."""


def show_number(seconds: Fraction | float) -> str:
    """Seconds without their unit; "forever" where there is no end."""
    if seconds < 0:
        return f"−{show_number(-seconds)}"
    if seconds == math.inf:
        return "forever"
    if isinstance(seconds, Fraction | int) or seconds == 0:
        return f"{float(seconds):.3f}".rstrip("0").rstrip(".")
    return f"{seconds:.{2 if seconds >= FINE else 3}f}"


def show_offset(seconds: Fraction | float) -> str:
    """Seconds after (+) or before (−) an instant, without their unit."""
    return f"{'+' if 0 < seconds < math.inf else ''}{show_number(seconds)}"


def show_seconds(seconds: Fraction | float, *, sign: bool = False) -> str:
    """Seconds with their unit; with `sign`, after (+) or before (−) an instant."""
    number = show_offset(seconds) if sign else show_number(seconds)
    return number if seconds == math.inf else f"{number} s"
