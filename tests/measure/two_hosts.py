"""`python -m tests.measure.two_hosts [--write]`: for how long two hosts have one address.

`holdover lab` plays clones, and hosts that somebody configures by hand, with every client that is
on the machine.  What is measured stands beside what the client's profile allows.  `--write`: the
page and what it is made of.  Exit status 1: two hosts had an address for longer than predicted.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from holdover.model.clients.profile import load
from holdover.model.seconds import show_number
from holdover.reference.console.exit import EXIT
from holdover.reference.docs.markdown import table
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.verdict import ANSWERED_BY, predict_sharing
from holdover.reference.lab.testbed.client_program import CLONE
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.measure import agreement, lab_runs
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

PAGE = Path("docs/two-hosts.md")
RAW = PAGE.with_suffix(".json")
LEASE, LONGER = 40, 120
"""Seconds; dnsmasq grants none that is shorter than the second."""

CLONES, BEFORE, PROBED, AFTER = (
    "clones",
    "static host before",
    "static host before, server probes",
    "static host after",
)
PLAYED = (
    (LEASE, (CLONES, BEFORE, AFTER), ("kea", "isc")),
    (LEASE, (PROBED,), ("isc", "udhcpd", "holdover")),
    (LONGER, (CLONES, PROBED), ("dnsmasq",)),
)
"""What is run: a lease, faults, servers.  Kea asks nobody whether an address is in use."""

KEPT = (
    "client",
    "server",
    "fault",
    "lease",
    "repeat",
    "outcome",
    "as_predicted",
    "reason",
    "predicted_shared",
    "shared",
    "total",
    "spells",
    "at_end",
    "answered",
    "told",
    "offered",
    "granted",
    "declined",
)
"""What the page needs of a cell of lab.json."""


def runs(repeat: int, jobs: int | None = None) -> list[tuple[str, ...]]:
    """What is run of `holdover`, with each client that is here, by its name."""
    at_once = () if jobs is None else ("--jobs", str(jobs))
    each = ("--repeat", str(repeat), "--watch", "30", *at_once)
    return [
        (
            *("lab", "run", "--lease", str(lease), *each),
            *(f"--fault={name}" for name in faults),
            *(f"--server={name}" for name in servers),
        )
        for lease, faults, servers in PLAYED
    ]


def shown(value: float) -> str:
    """A time; infinite is what had no end while it was watched."""
    if value == 0:
        return "never"
    return "forever" if value == math.inf else show_number(value)


def known_of(cells: Sequence[Cell]) -> list[Cell]:
    """Those of which something is known."""
    return [cell for cell in cells if cell["outcome"] != "unknown"]


def measured(cells: Sequence[Cell]) -> str:
    """The repeats of one client, fault and server."""
    known = known_of(cells)
    if not known:
        return "unknown" if cells else ""
    count = f" (n = {len(known)} of {len(cells)})" if len(known) < len(cells) else ""
    return spread([number(cell["shared"]) for cell in known], shown) + count


def remarks(cells: Sequence[Cell]) -> Iterator[str]:
    """What is to be said of one client and fault, with all servers."""
    known = known_of(cells)
    if any(cell["as_predicted"] is False for cell in known):
        yield "**longer than predicted**"
    declined = [cell["declined"] for cell in known]
    if any(declined):
        few_to_many = dict.fromkeys(map(str, (min(declined), max(declined))))
        yield f"DHCPDECLINEs: {' to '.join(few_to_many)}"
    if (most := max((cell["spells"] for cell in known), default=0)) > 1:
        yield f"in up to {most} parts"
    if nobody := sum(cell["at_end"] == 0 for cell in known):
        yield f"at the end nobody had it: {nobody} of {len(known)}"
    if fitted := sorted({name for cell in known for name in fitted_in(cell)}):
        yield f"fitted: {', '.join(f'`{name}`' for name in fitted)}"
    yield from sorted({cell["reason"] for cell in cells if cell["outcome"] == "unknown"})


def fitted_in(cell: Cell) -> tuple[str, ...]:
    """The fitted constants on which a prediction rests."""
    fault, profile = FAULTS[cell["fault"]], CLIENTS[cell["client"]].profile
    assert profile is not None, "each client here has a profile"
    return fitted_of(load(profile), lambda each: predict_sharing(each, fault))


def tightness(cells: Sequence[Cell]) -> str:
    """The longest time over the longest that the profile allows, where both are some time."""
    pairs = [(number(cell["shared"]), number(cell["predicted_shared"])) for cell in known_of(cells)]
    found = [each for pair in pairs if (each := agreement.tightness(*pair)) is not None]
    return f"{max(found):.2f}" if found else ""


def predicted(cells: Sequence[Cell]) -> str:
    """The longest time that the profile allows."""
    allowed = [number(cell["predicted_shared"]) for cell in known_of(cells)]
    if not allowed:
        return ""
    return "no bound" if max(allowed) == math.inf else shown(max(allowed))


def section(data: Any, fault: str) -> str:
    """What was measured with one fault: a line a client, a column a server."""
    mine = cells_of(data, fault=fault)
    servers = list(dict.fromkeys(cell["server"] for cell in mine))
    rows = []
    for client in dict.fromkeys(cell["client"] for cell in mine):
        cells = [cell for cell in mine if cell["client"] == client]
        each = [measured([c for c in cells if c["server"] == server]) for server in servers]
        rows.append([client, *each, predicted(cells), tightness(cells), "; ".join(remarks(cells))])
    name, what = fault[:1].upper() + fault[1:], FAULTS[fault].sentence
    head = ["client", *servers, "predicted, at most", "measured / predicted", ""]
    return f"## {name}\n\n{what[:1].upper()}{what[1:]}.\n\n{table(head, rows)}"


def identities() -> str:
    """How each client is made a clone."""
    rows = [
        [each.name, f"`{' '.join(each.identity.split())}`" if each.identity else "*not played*"]
        for each in CLIENTS.values()
        if each.profile is not None  # the others were not played
    ]
    return table(["client", "told its identifier by"], rows)


def page(data: Any) -> str:
    """docs/two-hosts.md."""
    repeats = max(cell["repeat"] for cell in data["cells"])
    told = "\n".join(section(data, fault) for fault in (CLONES, BEFORE, PROBED, AFTER))
    lines = "\n".join(shlex.join(("holdover", *words)) for words in runs(repeats))
    return f"""# Two hosts with one address

This page says for how many seconds two hosts had one address at once, with real clients.  Figures
are least / median / greatest of {repeats} {"run" if repeats == 1 else "runs"} with each server.
The lease is {LEASE} s, and with dnsmasq {LONGER} s.  The figure of a run is its longest time
without a break.  *Forever*: to the end of the watch, which is one and a half leases and 30 s after
the two met.  If two hosts had the address for more than {ANSWERED_BY:g} s, both answered ARP for
it.  Otherwise the cell is *unknown*.

The page also says what the client's [profile](profiles.md) allows.  If a host probes before use, or
if its server probes, the host takes no address that another host has.  (No ARP is lost here.)  A
client whose profile says that it gives way (RFC 5227 §2.4) may have the address together with
another host for as long as [T7](theorems/t7.md) says, each time.  Every other client has *no
bound*.  We read from a first run of these cells that dhcpcd gives way and that other clients do
not.  So that is no prediction (*fitted*).  The time within which a client gives way is that of RFC
5227, and was not fitted.

```sh
python -m tests.measure.two_hosts --write
```

This command runs the following, with each client that is on the machine, by its name:

```sh
{lines}
```

{told}
## How a client is made a clone

Both hosts have the client identifier `{CLONE}` (option 61), and each has a hardware address of its
own.  systemd-networkd makes its own identifier from a number (IAID) and from the machine-id, which
is the same on all hosts of the lab.  The lab does not play a client that takes no identifier from
its user.  It could only give both hosts one hardware address, and that is another situation: a
switch knows only one of the two hosts, and ARP cannot tell them apart.

{identities()}
## What the records show

- A probe keeps a clone from the address, at a price.  The clone's DHCPDECLINE is in the name of
  both hosts.  Kea then withholds the address, and refuses the first host's next renewal.  So nobody
  has the address.  ISC dhcpd and dnsmasq offer it again and again.  If the first host gives way,
  each host may find the probes of the other, and the two may decline by turns.
- ISC dhcpd sends the DHCPACK of a renewal to the hardware address that its kernel has for the
  address.  If that is the hardware address of the other host, the host that asked does not hear the
  DHCPACK.  Its lease ends, and it asks anew.  For this reason one of two hosts lets go for a
  moment, or a client whose address the kernel removes loses the address.
- The host that somebody has configured by hand announces its address twice, two seconds apart.
  Then it asks for the server every five seconds (testbed/stranger.py).  A client that gives way
  does so when it hears the second conflict within ten seconds, as RFC 5227 §2.4(b) says.  That is
  after some two seconds.

## Conditions

{conditions_table(data)}"""


def kept(data: Any) -> str:
    """docs/two-hosts.json."""
    return lab_runs.kept(data, KEPT)


@click.command()
@click.option("--write", is_flag=True, help=f"Write {PAGE} and {RAW}.")
@click.option("--again", is_flag=True, help=f"Of what {RAW} has: measure nothing.")
@click.option("--repeat", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--jobs", type=click.IntRange(1, 200), help="Cells at once.  [default: the lab's]")
def main(*, write: bool, again: bool, repeat: int, jobs: int | None) -> None:
    """Measure, and print the page; some twenty minutes."""
    if again:
        data = json.loads(RAW.read_text("utf-8"))
    else:
        data = run_lab(runs(repeat, jobs), clients_here())
    click.echo(page(data))
    if write:
        RAW.write_text(kept(data), encoding="utf-8")
        PAGE.write_text(page(data), encoding="utf-8")
    wrong = any(cell["as_predicted"] is False for cell in data["cells"])
    sys.exit(EXIT["violated"] if wrong else 0)


if __name__ == "__main__":
    main()
