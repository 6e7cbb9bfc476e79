"""`python -m tests.measure.given_away [--write]`: how long clients keep what was given to another.

`holdover lab` plays the faults in which a server gives an address away that a client holds, with
every client that is on the machine.  What is measured stands beside the bound of T6.  `--write`:
the page and what it is made of.  Exit status 1: a client kept an address for longer than predicted.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from holdover.model.clients.profile import load
from holdover.model.seconds import show_number
from holdover.reference.console.exit import EXIT
from holdover.reference.docs.markdown import table
from holdover.reference.lab.experiments import faults as lab_faults
from holdover.reference.lab.experiments.verdict import predict_kept
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.measure import lab_runs
from tests.measure.agreement import fitted_of
from tests.measure.lab_runs import (
    Cell,
    cells_of,
    clients_here,
    conditions_table,
    number,
    run_lab,
    spread,
)

PAGE = Path("docs/given-away.md")
RAW = PAGE.with_suffix(".json")
LEASE = 40
FAULTS = ("given away", "server clock set forward")
SERVERS = ("kea", "isc")
RUN = (
    *("lab", "run", "--lease", str(LEASE), "--repeat", "3", "--watch", "60", "--jobs", "40"),
    *(f"--fault={name}" for name in FAULTS),
    *(f"--server={name}" for name in SERVERS),
)
"""And each client that is here, by its name."""

KEPT = (
    "client",
    "server",
    "fault",
    "lease",
    "repeat",
    "outcome",
    "as_predicted",
    "reason",
    "displaced",
    "predicted_displaced",
    "after_nak",
    "duplicate",
)
"""What the page needs of a cell of lab.json."""


def shown(value: float) -> str:
    """A time; infinite is what had no end while it was watched."""
    return "forever" if value == math.inf else show_number(value)


def row(cells: Sequence[Cell]) -> list[str]:
    """The repeats of one client with one fault and all servers."""
    known = [cell for cell in cells if cell.get("displaced") is not None]
    if not known:
        return ["unknown", "", "", "; ".join(sorted({cell["reason"] for cell in cells}))]
    kept = [number(cell["displaced"]) for cell in known]
    allowed = number(known[0]["predicted_displaced"])
    fitted = fitted_in(known[0])
    tight = "" if math.inf in (allowed, max(kept)) else f"{max(kept) / allowed:.2f}"
    said = ["**longer than predicted**"] if max(kept) > allowed else []
    said += [f"fitted: {', '.join(f'`{name}`' for name in fitted)}"] if fitted else []
    if not said:
        said += sorted({cell["reason"] for cell in known if cell["as_predicted"] is False})
    said += [f"n = {len(known)} of {len(cells)}"] if len(known) < len(cells) else []
    predicted = "no bound" if allowed == math.inf else show_number(allowed)
    return [spread(kept, shown), predicted, tight, "; ".join(said)]


def fitted_in(cell: Cell) -> tuple[str, ...]:
    """The fitted constants on which the bound of T6 rests."""
    fault, profile = lab_faults.FAULTS[cell["fault"]], CLIENTS[cell["client"]].profile
    assert profile is not None, "each client here has a profile"
    lease = Fraction(cell["lease"])
    return fitted_of(load(profile), lambda each: predict_kept(each, fault, lease))


def page(data: Any) -> str:
    """docs/given-away.md."""
    cells = data["cells"]
    parts = []
    for fault in FAULTS:
        clients = dict.fromkeys(cell["client"] for cell in cells)
        rows = [[name, *row(cells_of(data, client=name, fault=fault))] for name in clients]
        head = ["client", "kept", "predicted, at most", "measured / predicted", ""]
        parts.append(f"## {fault.capitalize()}\n\n{table(head, rows)}")
    told = "\n".join(parts)
    return f"""# Given away

This page says how long real clients kept an address that their server had given to another host.
The second host takes the address without a probe.

- *Kept*: seconds from the DHCPACK to the other host, as least / median / greatest of three runs
  with each of {" and ".join(SERVERS)}, with a lease of {LEASE} s.  *Forever*: to the end of the
  watch.
- *Predicted, at most*: the longest time that [T6](theorems/t6.md) allows the client's
  [profile](profiles.md), on a link that loses nothing, with a server that refuses what it has given
  away.  It includes the time for which the kernel kept requests about its network waiting.  That
  time differs from run to run.
- *Fitted*: constants of the profile that were set to measurements like these.  The bound rests on
  them, so it is no prediction of these measurements.

Figures like these have shown that connman hears nothing at T1, and that other clients do
(`hears_renewing`).  So for connman the bound is no prediction.  For the other clients the bound is
the same as before the profiles had that fact.  If a profile says that the client does not hear a
DHCPNAK that is broadcast, the bound is the time to its lease end.  Servers refuse some of these
clients sooner all the same.  That is no contradiction.

```sh
python -m tests.measure.given_away --write
```

This command runs the following, with each client that is on the machine, by its name:

```sh
{shlex.join(("holdover", *RUN))}
```

{told}
## What connman hears

When a server answers connman's renewal, by DHCPACK or DHCPNAK, connman goes on as before and asks
again at T2.  connman hears the answer to that second request.  It listens on a UDP socket while
RENEWING, and on a packet socket while REBINDING (gdhcp/client.c, continue_renew,
continue_rebound).  We have not found out why it hears nothing on the UDP socket.  Runs like these
have shown it.  Its profile (`hears_renewing = false`) is younger than the first of these runs, and
so the bound is no prediction for connman.  How long it waits after a DHCPNAK (`nak_late`) was
fitted to the [league](league.md).

## Conditions

{conditions_table(data)}"""


def kept(data: Any) -> str:
    """docs/given-away.json."""
    return lab_runs.kept(data, KEPT)


@click.command()
@click.option("--write", is_flag=True, help=f"Write {PAGE} and {RAW}.")
@click.option("--again", is_flag=True, help=f"Of what {RAW} has: measure nothing.")
def main(*, write: bool, again: bool) -> None:
    """Measure, and print the page."""
    data = json.loads(RAW.read_text("utf-8")) if again else run_lab((RUN,), clients_here())
    click.echo(page(data))
    if write:
        RAW.write_text(kept(data), encoding="utf-8")
        PAGE.write_text(page(data), encoding="utf-8")
    wrong = any(cell["as_predicted"] is False for cell in data["cells"])
    sys.exit(EXIT["violated"] if wrong else 0)


if __name__ == "__main__":
    main()
