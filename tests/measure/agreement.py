"""How near predictions come to what was measured, and which of them were fitted to it.

Theory of operation.  A prediction rests on a constant if it is another one where that constant has
another value: no time at all, the other truth, another choice.  A constant that a profile's `why`
calls fitted was set to what measurements like these had shown, so that a prediction that rests on
it says nothing new: it is counted apart.  Tightness is what was measured over what was predicted,
where both are above nothing and have an end: 1 is a bound that was reached.

What it does not know: whether a constant that names its source was taken from it first.  That the
value stands there is all it says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

from holdover.model.clients.profile import Profile, load
from holdover.model.seconds import show_offset
from holdover.model.table.expr import BOOL, DURATION
from holdover.model.table.vocabulary import CONSTANTS
from holdover.reference.docs.markdown import table
from holdover.reference.lab.experiments.faults import find_fault
from holdover.reference.lab.experiments.verdict import predict_holdover
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.measure.lab_runs import Cell, number, spread

Predicts = Callable[[Profile], float | None]
"""Seconds that a profile predicts in a cell; infinite: no bound; None: nothing."""

LONG_ENOUGH = Fraction(3600)
"""Seconds: a value that no profile has of a time which it says is nothing."""


def fitted_of(profile: Profile, predicts: Predicts) -> tuple[str, ...]:
    """The fitted constants on which a prediction rests."""
    said = predicts(profile)
    return tuple(
        name
        for name in profile.fitted
        if any(predicts(other) != said for other in with_another(profile, name))
    )


def with_another(profile: Profile, name: str) -> Iterator[Profile]:
    """The profile with each other value of a constant; of a time with none, or with an hour."""
    sort, value = CONSTANTS[name].sort, getattr(profile, name)
    others: Sequence[object] = [each for each in sort.values if each != value]
    if sort is DURATION:
        others = [Fraction(0) if value else LONG_ENOUGH]
    elif sort is BOOL:
        others = [not value]
    for other in others:
        yield replace(profile, **{name: other})  # type: ignore[arg-type]


def fitted_in(cell: Cell) -> tuple[str, ...]:
    """The fitted constants on which the prediction of a cell of lab.json rests."""
    return fitted_in_all_such(cell["client"], cell["fault"], Fraction(cell["lease"]))


@cache
def fitted_in_all_such(client: str, fault: str, lease: Fraction) -> tuple[str, ...]:
    """The same of all cells of a client, a fault and a lease."""
    profile, known = CLIENTS[client].profile, find_fault(fault)
    if profile is None or known is None:
        raise ValueError(f"{client}, {fault}: there is no such client, or fault")
    return fitted_of(load(profile), lambda each: predict_holdover(each, known, lease))


def tightness(measured: float, predicted: float) -> float | None:
    """Measured over predicted; None where either is not above nothing, or has no end."""
    if measured <= 0 or predicted <= 0 or math.inf in (measured, predicted):
        return None
    return measured / predicted


def agreement_table(data: Any) -> str:
    """For each client, lease, and set of fitted constants: cells, slack and tightness."""
    groups: dict[tuple[str, int, tuple[str, ...]], list[tuple[float, float]]] = {}
    for cell in sorted(bounded(data), key=place_of(data)):
        key = (cell["client"], cell["lease"], fitted_in(cell))
        pair = (number(cell["holdover"]), number(cell["predicted"]))
        groups.setdefault(key, []).append(pair)
    rows = []
    for (client, lease, fitted), pairs in groups.items():
        slack = spread([predicted - seen for seen, predicted in pairs], show_offset)
        tight = [each for pair in pairs if (each := tightness(*pair)) is not None]
        names = ", ".join(f"`{name}`" for name in fitted)
        near = spread(tight, "{:.2f}".format) if tight else ""
        rows.append([client, f"{lease:g} s", names, str(len(pairs)), slack, near])
    return table(["client", "lease", "fitted", "cells", "slack", "measured / predicted"], rows)


def bounded(data: Any) -> list[Cell]:
    """The cells of which something is known, with a bound and an end."""
    return [
        cell
        for cell in data["cells"]
        if cell["outcome"] != "unknown"
        and isinstance(cell.get("predicted"), float)
        and isinstance(cell.get("holdover"), float)
    ]


def place_of(data: Any) -> Callable[[Cell], tuple[int, int]]:
    """Where a cell stands: in the order of clients, and of leases."""
    clients = list(dict.fromkeys(cell["client"] for cell in data["cells"]))
    return lambda cell: (clients.index(cell["client"]), cell["lease"])


def counted(data: Any) -> str:
    """How many predictions rest on fitted constants, and how near each kind comes, in words."""
    kinds: dict[bool, list[Cell]] = {False: [], True: []}
    for cell in bounded(data):
        kinds[bool(fitted_in(cell))].append(cell)
    told = []
    for fitted, cells in kinds.items():
        pairs = ((number(cell["holdover"]), number(cell["predicted"])) for cell in cells)
        tight = [each for pair in pairs if (each := tightness(*pair)) is not None]
        above = sum(cell["as_predicted"] is False for cell in cells)
        near = f"; measured / predicted: {spread(tight, '{:.2f}'.format)}" if tight else ""
        what = "rest on a constant that was fitted" if fitted else "rest on none that was fitted"
        told.append(f"- {len(cells)} {what}: {above} above their prediction{near}.")
    return "\n".join(told)
