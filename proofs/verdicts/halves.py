"""Z3's first answers by two processes: who judges one client waits for half of them.

Theory of operation.  The obligations of a case are asked in a few contexts, each answer for itself.
So a forked process answers the second half and writes what it proved, by name; the obligations are
the same here and there.  What it does not prove, or say, is asked again like all that the first
question did not prove (`solvers.answers`): a process that fails costs time and no verdict.

Where other threads run none is forked, for a lock that one of them holds would stay locked: on a
terminal, which is shown progress, one process answers all.  The thread that waits for an
interruption (`reference/signals.py`) holds none.
"""

from __future__ import annotations

import marshal
import os
import signal
import threading
from collections.abc import Sequence

from holdover.proofs.logic.obligations import Obligation
from holdover.proofs.logic.solvers import Answer, first_answers

LEAST = 100
"""So many obligations are worth a process."""

WAITS = "interrupt"
"""The name of the thread that waits for an interruption."""


def alone() -> bool:
    """Whether no other thread computes."""
    others = set(threading.enumerate()) - {threading.current_thread()}
    return all(thread.name == WAITS for thread in others)


def first_answers_of_two(solver: str, together: Sequence[Obligation]) -> dict[str, Answer]:
    """As `first_answers`, half of them by another process."""
    if len(together) < LEAST or not hasattr(os, "fork") or not alone():
        return first_answers(solver, together)
    middle = len(together) // 2
    other = together[middle:]
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _tell(writing, solver, other)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            found = first_answers(solver, together[:middle])
            said = pipe.read()
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        status = os.waitpid(child, 0)[1]
    if status:
        return found | first_answers(solver, other)
    by_name = {each.name: each for each in other}
    for name, result, seconds in marshal.loads(said):
        found[name] = Answer(by_name[name], solver, result, seconds)
    return found


def _tell(writing: int, solver: str, together: Sequence[Obligation]) -> None:
    """Write the answers, and end this process; with another status than 0 if it has none."""
    status = 1
    try:
        found = first_answers(solver, together)
        told = [(name, each.result, each.seconds) for name, each in found.items()]
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(marshal.dumps(told))
        status = 0
    finally:
        os._exit(status)
