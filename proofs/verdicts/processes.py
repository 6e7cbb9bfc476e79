"""What each process of several is told before its first task."""

import gc

from holdover.model.readings.kept import keep


def pause_collection() -> None:
    """Have cyclic garbage collected between tasks alone.

    What a task builds is kept until its end: to traverse it again and again frees nothing.
    """
    gc.freeze()
    gc.disable()


def begin() -> None:
    """Look for garbage between tasks alone, and keep what is made of the table's sources."""
    pause_collection()
    keep()
