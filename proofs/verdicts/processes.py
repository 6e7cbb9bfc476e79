"""What a process is told before its first task: one of several, or a program of its own."""

import gc

from holdover.model.readings.kept import keep


def begin() -> None:
    """Look for no circles of garbage, and keep what is made of the table's sources.

    What a task builds is kept until its end, and is then freed without that: circles are few.
    """
    gc.disable()
    keep()


RARELY = 200_000
"""Objects that are made and not freed, from one search for circles to the next."""


def begin_alone() -> None:
    """Look for garbage rarely, and keep what is made of the table's sources.

    Who judges clients builds formulas and states, which are kept to the end: to traverse them each
    few hundred objects frees nothing.  Of several clients each frees its circles in the end.
    """
    gc.freeze()
    gc.set_threshold(RARELY, *gc.get_threshold()[1:])
    keep()
