"""`holdover lab learn`: a client's profile by measurement; of a device, from the wire alone.

Theory of operation.  The cells that tell one client from another (lab/learn/experiments.py) are
played: of a client all at once, of a device one after another, for there is one.  What follows is
lab/learn/profile.py's.  Exit status: 0, or 3 if something is unknown that was to be measured.

What it does not know: what an answer means.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdover.model.errors import InputError
from holdover.reference.commands.of_lab.device import allow, as_client, device_options, longest
from holdover.reference.commands.of_lab.options import AT_ONCE, ClientType, root_option
from holdover.reference.console.exit import EXIT
from holdover.reference.console.progress import Progress
from holdover.reference.lab.roots.root import Root
from holdover.reference.lab.testbed import sandbox
from holdover.reference.lab.testbed.client_program import ClientProgram

if TYPE_CHECKING:
    from holdover.reference.lab.experiments.experiment import Cell, Outcome


def questions_of(
    client: ClientProgram | None, interface: str | None, hardware: str | None, wait: float
) -> list[Cell]:
    """The cells that tell the profile of a client, or of a device at an interface."""
    from holdover.reference.lab.experiments.experiment import Cable
    from holdover.reference.lab.learn.experiments import LONG, questions

    if client is not None:
        return questions(client)
    assert interface is not None
    cable = Cable(interface=interface, hardware=hardware, patience=wait)
    return questions(as_client(interface, LONG), cable)


@click.command(
    epilog="Example: holdover lab learn --client 'udhcpc -f -i {iface}' -o my.toml && "
    "holdover verify my.toml"
)
@root_option
@click.option(
    "--client", type=ClientType(), help="A name of `holdover lab list`, or a command line."
)
@click.option(
    "--device",
    "interface",
    metavar="INTERFACE",
    help="In its place: a device at the cable of that interface, from the wire alone; some ten "
    "minutes.  As `holdover lab device`.",
)
@device_options
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the profile there.  [default: standard output]",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 200),
    default=AT_ONCE,
    show_default=True,
    help="Cells that are played at the same time.",
)
def learn(
    roots: list[Root],
    client: ClientProgram | None,
    interface: str | None,
    out: Path | None,
    jobs: int,
    wait: int,
    hardware: str | None,
    *,
    yes: bool,
) -> int:
    """Measure a client's profile, for `holdover verify`.

    Plays the cells that tell one client from another, for some two minutes: from what a lease is
    counted, what removes the address, whether a DHCPNAK is heeded, which clock is trusted.  Each
    line of the file says on what it stands; what was not or could not be measured has the worst
    value.  So a verdict that it holds can be trusted.  Of a device the wire does not tell what
    removes an address, which clock it trusts, and whether it waits for a hook: all of this is
    assumed as the worst.

    Exit status: 0, or 3 if something is unknown that was to be measured; no profile is written
    if everything is, as of a client that never gets a lease.
    """
    if (client is None) == (interface is None):
        raise click.UsageError("name one of --client and --device")
    if client is not None and (missing := client.missing()) is not None:
        raise InputError(f"{client.label}: not here: {missing}")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no directory {out.parent}")
    wanted = questions_of(client, interface, hardware, wait)
    if (place := sandbox.inside()) is None:
        if interface is not None:
            allow(interface, yes=yes, seconds=longest(wanted))
        return sandbox.alone(sys.argv[1:], sees_network=interface is not None)
    from holdover.reference.lab.experiments.experiment import play_all
    from holdover.reference.lab.learn.observations import answer
    from holdover.reference.lab.learn.profile import learn_profile, toml
    from holdover.reference.lab.report.files import conditions_of

    with sandbox.tie_to_parent(), Progress("learn") as progress:
        done = 0

        def told(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            progress.count(done, len(wanted), outcome.cell.fault.name)

        answers = [
            answer(outcome)
            for outcome in play_all(wanted, place, jobs if interface is None else 1, told)
        ]
    found = learn_profile(answers)
    about = conditions_of(wanted, jobs, 0)
    text = toml(found, [about["versions"], about["system"], about["date"]])
    if out is None:
        click.echo(text, nl=False)
    else:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:  # minutes went into it
            click.echo(text, nl=False)
            raise InputError(f"--out {out}: {error.strerror}; it is printed instead") from error
        click.echo(f"written: {out}; now: holdover verify {out}", err=True)
    if waited := sum(each.never_renewed for each in answers):
        click.echo(
            f"it was not seen to renew its lease: {waited} of {len(answers)} cells wait for that",
            err=True,
        )
    for each in found.unknown:
        click.echo(f"unknown: {each.key}: {each.why}", err=True)
    return EXIT["unknown"] if found.unknown else 0
