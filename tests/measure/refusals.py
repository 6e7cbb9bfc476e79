"""How long clients keep an address after a DHCPNAK, and what that hangs on.

For some clients it hangs on the lease, for some on whether another address is offered.  So the
DHCPNAKs are played with two leases, one four times as long as the other, and by servers that offer
and such that do not.  A client's figure is then said as a share of the lease or in seconds,
whichever is more nearly the same with both leases.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from holdover.model.seconds import show_offset
from holdover.reference.commands.lab import USUAL
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.verdict import OBEYED
from tests.measure.lab_runs import Cell, cells_of, number

REFUSALS = tuple(name for name in USUAL if FAULTS[name].refuses)
"""The faults that are played with both leases."""

HangsOn = Literal["no NAK", "obeyed", "forever", "one lease", "lease", "time"]


def after_refusal(cells: Sequence[Cell]) -> list[float]:
    """Seconds from a DHCPNAK to the end of the address, where one came while it was held."""
    seen = [cell for cell in cells if cell.get("after_nak") is not None]
    return [number(cell["after_nak"]) for cell in seen]


def by_lease(cells: Sequence[Cell]) -> dict[int, list[float]]:
    """The same for each lease, the shortest first."""
    leases = sorted({cell["lease"] for cell in cells})
    found = {lease: after_refusal(cells_of({"cells": cells}, lease=lease)) for lease in leases}
    return {lease: values for lease, values in found.items() if values}


def hangs_on(cells: Sequence[Cell]) -> HangsOn:
    """What the time after a DHCPNAK is, as far as these leases tell.

    "obeyed": it is heeded at once.  "forever": to the end of the watch.  "one lease": nothing can
    be said.  "lease": the same share of each lease, or rather that than the same time.  "time": the
    reverse.
    """
    found = by_lease(cells)
    values = [value for each in found.values() for value in each]
    if not values:
        return "no NAK"
    if math.inf in values:
        return "forever"
    if max(values) <= OBEYED:
        return "obeyed"
    if len(found) == 1:
        return "one lease"
    (short, first), *_, (long, last) = found.items()
    grown = math.log(max(statistics.median(last), OBEYED) / max(statistics.median(first), OBEYED))
    return "lease" if abs(math.log(long / short) - grown) < abs(grown) else "time"


def kept_for(cells: Sequence[Cell]) -> str:
    """Least to greatest time after a DHCPNAK, as a share of the lease where it hangs on that."""
    found, what = by_lease(cells), hangs_on(cells)
    if what == "no NAK":
        return "none came"
    if what == "lease":
        shares = [value / lease for lease, values in found.items() for value in values]
        text = " to ".join(dict.fromkeys(f"{each:.2f}" for each in (min(shares), max(shares))))
        return f"{text} of the lease"
    values = [value for each in found.values() for value in each]
    text = " to ".join(dict.fromkeys(map(show_offset, (min(values), max(values)))))
    if what == "one lease":
        return f"{text} (lease {min(found)} s)"
    return f"{text} s" if what == "time" else text
