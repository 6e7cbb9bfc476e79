"""A run that ends in a defect, made short, and printed as a program that can be run again.

Theory of operation.  A run is the choices that were made in it (`machine.py`); nothing else is
random.  `played` makes them again, leaving out those that are not possible where they come.
`shortest` drops one stretch of choices after another, from half of them down to one at a time, and
keeps what still ends in a defect of the same kind (delta debugging, Zeller and Hildebrandt 2002).

What it does not know: whether another run to the same defect is shorter still.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdover.reference.core import client
from holdover.reference.refinement.client_cores import ClientCore
from holdover.reference.refinement.cores import DefectError
from tests.stateful.compiled import Compiled
from tests.stateful.network import Choice, Network
from tests.stateful.options import possible_steps

TRIES = 300
"""Runs that are tried at most: a long one takes a tenth of a second."""


def played(
    table: Compiled, core: ClientCore, choices: Sequence[Choice]
) -> tuple[list[Choice], DefectError | None]:
    """The choices that could be made, and the defect that the last of them came to."""
    network, made = Network(table, core), []
    for choice in choices:
        if choice.step not in possible_steps(network).get(choice.step[0], ()):
            continue
        made.append(choice)
        try:
            network.take(*choice)
        except DefectError as defect:
            return made, defect
    return made, None


def shortest(
    table: Compiled, core: ClientCore, choices: Sequence[Choice], kind: str
) -> tuple[list[Choice], DefectError | None]:
    """A short run to a defect of that kind; the defect is None where the choices come to none."""
    kept, defect = played(table, core, choices)
    if defect is None or defect.kind != kind:
        return list(choices), None
    size, tries = len(kept) // 2, 0
    while size:
        at, shorter = 0, False
        while at < len(kept) and tries < TRIES:
            tries += 1
            made, found = played(table, core, kept[:at] + kept[at + size :])
            if found is not None and found.kind == kind and len(made) < len(kept):
                kept, defect, shorter = made, found, True
            else:
                at += size
        size = size if shorter and tries < TRIES else size // 2
    return kept, defect


def program(scene: str, choices: Sequence[Choice]) -> str:
    """The run as a program."""
    steps = "".join(f"    {tuple(choice)!r},\n" for choice in choices)
    return f"from tests.stateful.shrink import again\n\nagain({scene!r}, [\n{steps}])\n"


def again(scene: str, choices: Sequence[tuple[Any, int, int]], core: ClientCore = client) -> None:
    """Make these choices in that scene; the defect is raised, and the steps are printed."""
    from tests.stateful.machine import SCENES

    table = Compiled(next(each for each in SCENES if each.name == scene))
    network = Network(table, core)
    for step, xid, jitter in choices:
        print(network.says(step))
        network.take(step, xid, jitter)
