"""Python's search for circles of objects, made rare while an audit is under way.

Theory of operation.  An observation is freed when nobody has it any more; so is all that a monitor
lets go of, for nothing here points back in a circle.  Python all the same looks through the young
objects whenever there are 700 more of them, which was a third of the time of a reading.  Meanwhile
it looks when there are RARELY more; a circle that somebody else makes is found then.

What it does not know: threads, whose objects count as well.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = 1 << 19
"""Objects that are made and not freed, from one search to the next: some 50 MB."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Search for circles rarely meanwhile."""
    before = gc.get_threshold()
    gc.set_threshold(RARELY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
