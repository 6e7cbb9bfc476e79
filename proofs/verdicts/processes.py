"""What each process of several is told before its first task."""

import gc


def pause_collection() -> None:
    """Have cyclic garbage collected between tasks alone.

    What a task builds is kept until its end: to traverse it again and again frees nothing.
    """
    gc.freeze()
    gc.disable()
