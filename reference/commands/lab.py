"""`holdover lab`: how long real clients keep an address that is no longer theirs.

Theory of operation.  Options become cells (lab/experiments/experiment.py).  The command then runs
itself again in namespaces of its own (lab/testbed/sandbox.py), plays the cells there, many at once,
holds each to the lease and to its client's profile (lab/experiments/verdict.py), and reports
(lab/report/report.py, lab/report/page.py).

Exit status: 0 each cell holds, 1 a client was late, or the model was wrong, 3 a cell is unknown.

What plays and reports is imported by who plays: `list` and the helps are there at once.

What it does not know: namespaces, clients, measurements.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from holdover.model.clients.fault_names import PLAYED_AS
from holdover.model.errors import InputError, nearest
from holdover.reference.commands.of_lab.device import device
from holdover.reference.commands.of_lab.learn import learn
from holdover.reference.commands.of_lab.options import (
    AT_ONCE,
    ClientsType,
    find_servers,
    flat,
    of_roots,
    root_option,
)
from holdover.reference.commands.of_lab.roots import roots as roots_command
from holdover.reference.console.assumed import assume_option, load_whole
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import complete_names, profile_names
from holdover.reference.console.output import document, write_file
from holdover.reference.console.progress import Progress
from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.faults import FAULTS, find_fault
from holdover.reference.lab.report.programs import list_data, print_programs
from holdover.reference.lab.roots.root import Root
from holdover.reference.lab.testbed import sandbox
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.clients import CLIENTS, RIVALS
from holdover.reference.lab.testbed.servers import SERVERS, ServerProgram

if TYPE_CHECKING:
    from holdover.reference.lab.experiments.experiment import Cell, Outcome

USUAL = (
    *("server killed", "frozen", "kill -9", "hook"),
    *("NAK", "NAK and offer", "NAK unicast", "link flap"),
)
BESIDE = ("holdover", "kea")
"""The default matrix: these faults, and those of these servers that are here."""

OUT = "holdover-lab"
MOST_LEASE = 3600

Command = Callable[..., Any]


def look_up(what: str, known: Mapping[str, Any], find: Callable[[str], Any]) -> Any:
    """What looks a name up, and tells the nearest."""

    def convert(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> list[Any]:
        found = [find(name) for name in given]
        for name, one in zip(given, found, strict=True):
            if one is None:
                raise click.BadParameter(f"no {what} {name!r}; {nearest(name, tuple(known))}")
        return found

    return convert


def find_fault_by_any_name(name: str) -> Fault | None:
    """A fault of the lab; by the name that the lease table has, with a hint."""
    found = find_fault(name)
    if found is None and (played := PLAYED_AS.get(name)) is not None:
        if sandbox.inside() is None:
            click.echo(
                f"--fault {name}: that is the lease table's name; here it is {played}", err=True
            )
        return FAULTS[played]
    return found


def cell_options(command: Command) -> Command:
    """What is played, and what is written."""
    options = (
        root_option,
        click.option(
            "--client",
            "clients",
            type=ClientsType(),
            multiple=True,
            callback=lambda ctx, param, given: flat(given),
            help="One of `holdover lab list`, or a command line: 'udhcpc -f -i {iface}'.  "
            "May be repeated, as --server and --fault.  [default: the usual, if here]",
        ),
        click.option(
            "--server",
            "servers",
            multiple=True,
            metavar="NAME",
            shell_complete=complete_names(lambda: SERVERS),
            callback=find_servers,
            help="The machine's, or ROOT/NAME.  [default: holdover, and kea if it is here]",
        ),
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="NAME",
            shell_complete=complete_names(lambda: FAULTS),
            callback=look_up("fault", FAULTS, find_fault_by_any_name),
            help="One of `holdover lab list`; a server that shortens may be told to what: "
            f"'shortened=2s'.  [default: {', '.join(USUAL)}]",
        ),
        click.option(
            "--lease",
            type=click.IntRange(1, MOST_LEASE),
            help="Seconds.  [default: each client's own, short]",
        ),
        click.option("--repeat", type=click.IntRange(1, 100), default=1, show_default=True),
        click.option(
            "--jobs",
            type=click.IntRange(1, 200),
            default=AT_ONCE,
            show_default=True,
            help="Cells that are played at the same time.",
        ),
        click.option(
            "--watch",
            type=click.IntRange(1, 3600),
            default=15,
            show_default=True,
            help="Seconds that an address is watched after its lease.",
        ),
        click.option(
            "--again",
            type=click.IntRange(0, 10),
            default=0,
            show_default=True,
            help="How often to play a cell again that another program's hold of the kernel's "
            "networking lock made unknown.",
        ),
        click.option(
            "--out",
            type=click.Path(file_okay=False, path_type=Path),
            help="Write lab.html, lab.json, lab.xml (JUnit) and the records there.  "
            f"[default: `holdover lab` {OUT}, `holdover lab run` none]",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, not the table."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(invoke_without_command=True, epilog="Example: holdover lab --client udhcpc --repeat 3")
@cell_options
@click.pass_context
def lab(context: click.Context, /, out: Path | None, **given: Any) -> int | None:
    """Measure how long clients keep an address after their lease.

    Without a command: every usual client that is here, the usual faults.  Each cell is a link of
    its own in network namespaces: a client gets a lease, a fault acts, and the kernel says when the
    address went.  Nothing of this machine is touched.  Root, or user namespaces.

    Exit status: 0 each cell holds, 1 some client was late, 2 bad input, 3 some cell is unknown.
    """
    if context.invoked_subcommand is not None:
        refuse_options(context)
        return None
    return measure(out=out or Path(OUT), **given)


def refuse_options(context: click.Context) -> None:
    """Options in front of a command would be lost."""
    for param in context.command.params:
        if context.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE:
            name = context.invoked_subcommand
            raise click.UsageError(f"{param.opts[0]} has no meaning in front of {name}", context)


@lab.command(
    epilog="Example: holdover lab run --client 'udhcpc -f -i {iface}' --fault frozen "
    "--lease 10 --server kea --repeat 5"
)
@cell_options
def run(**given: Any) -> int:
    """Play chosen cells."""
    return measure(**given)


def measure(
    roots: Sequence[Root],
    clients: Sequence[ClientProgram],
    servers: Sequence[ServerProgram],
    faults: Sequence[Fault],
    lease: int | None,
    repeat: int,
    watch: int,
    jobs: int,
    again: int,
    out: Path | None,
    *,
    as_json: bool,
) -> int:
    """Play cells, report, and the exit status."""
    from holdover.reference.lab.experiments.again import play_until_known
    from holdover.reference.lab.experiments.verdict import combine_verdicts, verdict
    from holdover.reference.lab.report import report
    from holdover.reference.lab.report.files import check_directory, conditions_of, write

    wanted = cells(clients or of_each(roots), servers, faults, lease, repeat, watch)
    if out is not None:
        check_directory(out)
    if (place := sandbox.inside()) is None:
        return sandbox.alone(sys.argv[1:])
    began = time.perf_counter()
    with sandbox.tie_to_parent(), Progress("lab") as progress:
        progress.say(f"{len(wanted)} cells: the first leases are asked for")
        done = 0

        def told(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            progress.count(done, max(done, len(wanted)), report.name_cell(verdict(outcome)))

        verdicts, repeated = play_until_known(wanted, place, jobs, again, told)
        conditions = conditions_of(wanted, jobs, time.perf_counter() - began, repeated)
        if out is not None:
            progress.say("writing")
            write(out, verdicts, conditions)
    if as_json:
        document("lab", report.data(verdicts, conditions))
    else:
        report.table(verdicts)
        if out is not None:
            click.echo(f"written: {out}/lab.html, lab.json, lab.xml, records/", err=True)
    return EXIT[combine_verdicts(verdicts)]


def of_each(roots: Sequence[Root]) -> list[ClientProgram]:
    """The usual clients of root file systems, as far as they are there."""
    usual_ones = [each for each in CLIENTS.values() if each.usual]
    found = [each for client in usual_ones for each in of_roots(client, roots)]
    if roots and not (there := [each for each in found if each.missing() is None]):
        raise InputError(
            f"--root {', '.join(str(each.path) for each in roots)}: no client is there; "
            "`holdover lab list` tells their packages"
        )
    return there if roots else []


def cells(
    clients: Sequence[ClientProgram],
    servers: Sequence[ServerProgram],
    faults: Sequence[Fault],
    lease: int | None,
    repeat: int,
    watch: int,
) -> list[Cell]:
    """What is to be played.  What was not asked for and is impossible is left out."""
    from holdover.reference.lab.experiments.experiment import Cell

    chosen = clients or [each for each in CLIENTS.values() if each.usual and each.missing() is None]
    beside = servers or [SERVERS[name] for name in BESIDE if SERVERS[name].missing() is None]
    rival = next(CLIENTS[name] for name in RIVALS if CLIENTS[name].missing() is None)
    return [
        Cell(
            client=client,
            server=server,
            fault=fault,
            repeat=number,
            window=watch,
            lease=lease or max(client.lease, server.shortest),
            rival=rival if fault.rival else None,
        )
        for number in range(1, repeat + 1)
        for client in chosen
        for server in beside
        for fault in faults or usual(client)
    ]


def usual(client: ClientProgram) -> list[Fault]:
    """The usual faults, but for a hook's, where the client has no hook that could block."""
    return [FAULTS[name] for name in USUAL if client.hook or not FAULTS[name].hook_blocks]


lab.add_command(device)
lab.add_command(learn)
lab.add_command(roots_command)


# list --------------------------------------------------------------------------------------------


@lab.command("list", epilog="Example: holdover lab list --json")
@click.option("--versions", is_flag=True, help="Ask each program for its version: a second.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_programs(*, versions: bool, as_json: bool) -> None:
    """List clients, servers and faults; which are here, and how to get the others."""
    found = list_data(USUAL, versions=versions)
    if as_json:
        document("lab-list", found)
        return
    print_programs(found)


# replay ------------------------------------------------------------------------------------------


@lab.command(
    epilog="Example: holdover lab replay wfwg311 --beside wfwg311-fixed --html replay.html"
)
@click.argument("profile", shell_complete=profile_names)
@click.option(
    "--beside",
    metavar="PROFILE",
    shell_complete=profile_names,
    help="Play this one after it: a fix beside the bug.",
)
@assume_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the record there (frames.pcap), that of --beside in its folder beside; it is made.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page: the model's run to step through, and what was recorded of it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(
    profile: str,
    beside: str | None,
    assume: str | None,
    out: Path | None,
    html: Path | None,
    *,
    as_json: bool,
) -> int:
    """Play the model's collision on a real kernel.

    What `holdover explain PROFILE` tells, two hosts do on a link: with real datagrams, a real
    server and a lease of ten seconds.  Then somebody asks by ARP who has the address.  Where the
    client does not collide, server and second host do what makes a client collide that stays.

    Exit status, of PROFILE: 0 one host answers, 1 both do, 2 bad input, 3 it cannot be told.
    """
    clients = [load_whole(name, assume) for name in (profile, beside) if name is not None]
    if out is not None and out.exists():
        raise InputError(f"--out {out}: it is there; name another directory")
    if (place := sandbox.inside()) is None:
        return sandbox.alone(sys.argv[1:])
    from holdover.reference.explanation.replayed import replay_page
    from holdover.reference.lab.collision import collision
    from holdover.reference.lab.collision.plan import SURROUNDINGS, plan_course
    from holdover.reference.lab.report import report
    from holdover.reference.lab.report.files import make_directory

    if out is not None:
        make_directory(out)
    played = []
    with sandbox.tie_to_parent(), Progress(profile) as progress:
        plans = [plan_course(client, SURROUNDINGS, progress.say) for client in clients]
        for plan, folder in zip(plans, ("", "beside"), strict=False):
            played.append(collision.play(plan, place / f"replay{folder}", progress.say))
            if out is not None and played[-1].record.is_dir():
                shutil.copytree(played[-1].record, out / folder, dirs_exist_ok=True)
    report.print_replay(played, as_json)
    if html is not None:
        try:
            write_file("html", html, replay_page(played))
        except ValueError as error:
            raise InputError(f"--html: {error}") from error
    return EXIT[played[0].seen.outcome]
