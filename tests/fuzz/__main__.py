"""`python -m tests.fuzz`: damaged messages and random bytes at whatever reads from a network.

In process: a frame is read, and the message in it, and handed to the client core or the server
core (`targets.py`, which says what is checked).  A seed gives the same packets again.  Exit status
1: something was raised, or must not be; the packet and the command that repeats it are printed.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

import click

from holdover.reference.console.exit import EXIT, INTERRUPTED
from holdover.reference.console.progress import Progress
from tests.fuzz.targets import ClientTarget, ServerTarget

USUAL = 700_000


@dataclass
class Run:
    """What a run has come to; `failed`: what was wrong with the last packet, and where."""

    seed: int
    packets: int = 0
    seconds: float = 0.0
    failed: str | None = None
    packet: bytes = b""
    counts: Mapping[str, Counter[str]] = field(default_factory=dict)
    digest: str = ""


def fuzz(seed: int, packets: int | None, seconds: float | None = None) -> Iterator[Run]:
    """A run, after every thousand packets and at its end."""
    random = Random(seed)
    targets = {"client": ClientTarget(random), "server": ServerTarget(random)}
    run, began = Run(seed), time.monotonic()
    run.counts = {name: target.counts for name, target in targets.items()}
    while (packets is None or run.packets < packets) and (seconds is None or run.seconds < seconds):
        target = targets["client" if random.random() < 0.5 else "server"]
        run.packets += 1
        try:
            run.packet = b""
            run.packet = target.packet()
            target.take(run.packet)
        except Exception:
            run.failed = traceback.format_exc()
            break
        if run.packets % 1000 == 0:
            run.seconds = time.monotonic() - began
            yield run
    run.seconds = time.monotonic() - began
    both = b"".join(target.digest.digest() for target in targets.values())
    run.digest = hashlib.sha256(both).hexdigest()[:16]
    yield run


@click.command()
@click.option("--packets", type=click.IntRange(1), help=f"How many.  [default: {USUAL}]")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="For how long instead.")
@click.option("--seed", type=int, help="The same packets again.  [default: a new one, printed]")
def main(packets: int | None, seconds: float | None, seed: int | None) -> None:
    """Throw damaged messages and random bytes at decoder, client core and server core."""
    if packets is None and seconds is None:
        packets = USUAL
    seed = secrets.randbits(32) if seed is None else seed
    click.echo(f"seed {seed}")
    with Progress("fuzz") as progress:
        try:
            for run in fuzz(seed, packets, seconds):
                progress.say(f"{run.packets:,} packets in {run.seconds:.0f} s")
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
    for name, counts in run.counts.items():
        click.echo(f"{name}: " + ", ".join(f"{what} {n:,}" for what, n in sorted(counts.items())))
    rate = run.packets / max(run.seconds, 1e-9)
    click.echo(
        f"{run.packets:,} packets in {run.seconds:.1f} s, {rate:,.0f} a second; digest {run.digest}"
    )
    if run.failed is None:
        click.echo("no packet was taken wrongly, and none led to an exception")
        sys.exit(EXIT["holds"])
    click.echo(
        f"{run.failed}packet {run.packets}: {run.packet.hex()}\n"
        f"again: python -m tests.fuzz --seed {seed} --packets {run.packets}"
    )
    sys.exit(EXIT["violated"])


if __name__ == "__main__":
    main()
