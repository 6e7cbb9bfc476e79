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
from click.shell_completion import CompletionItem

from holdover.model.errors import InputError, nearest
from holdover.reference.console.assumed import assume_option, load_whole
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import complete_names, profile_names
from holdover.reference.console.output import document, write_file
from holdover.reference.console.progress import Progress
from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.faults import FAULTS, find_fault
from holdover.reference.lab.report.programs import list_data, print_programs
from holdover.reference.lab.testbed import sandbox
from holdover.reference.lab.testbed.client_program import ClientProgram, client_from_command
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS, ServerProgram

if TYPE_CHECKING:
    from holdover.reference.lab.experiments.experiment import Cell, Outcome

USUAL = (
    *("server killed", "frozen", "kill -9", "hook"),
    *("NAK", "NAK and offer", "NAK unicast", "link flap"),
)
BESIDE = ("holdover", "kea")
"""The default matrix: these faults, and those of these servers that are here."""

AT_ONCE = 40
"""Cells that two cores bear: most of the time they wait."""

RIVALS = ("dhclient", "pyroute2")
"""Who wants the address as well; the first of them that is here.  Neither asks who has it."""

OUT = "holdover-lab"
MOST_LEASE = 3600

Command = Callable[..., Any]


class ClientType(click.ParamType[ClientProgram]):
    """A client's name, or a command line with {iface}."""

    name = "name|command"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names."""
        return complete_names(lambda: CLIENTS)(ctx, param, incomplete)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ClientProgram:
        """The client."""
        if isinstance(value, ClientProgram):
            return value
        if value in CLIENTS:
            return CLIENTS[value]
        if "{iface}" not in value:
            self.fail(
                f"no client {value!r}; {nearest(value, tuple(CLIENTS))}; or a command line with "
                "{iface}, as 'udhcpc -f -i {iface}'",
                param,
                ctx,
            )
        return client_from_command(value)


def look_up(what: str, known: Mapping[str, Any], find: Callable[[str], Any]) -> Any:
    """What looks a name up, and tells the nearest."""

    def convert(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> list[Any]:
        found = [find(name) for name in given]
        for name, one in zip(given, found, strict=True):
            if one is None:
                raise click.BadParameter(f"no {what} {name!r}; {nearest(name, tuple(known))}")
        return found

    return convert


def cell_options(command: Command) -> Command:
    """What is played, and what is written."""
    options = (
        click.option(
            "--client",
            "clients",
            type=ClientType(),
            multiple=True,
            help="One of `holdover lab list`, or a command line: 'udhcpc -f -i {iface}'.  "
            "May be repeated, as --server and --fault.  [default: the usual, if here]",
        ),
        click.option(
            "--server",
            "servers",
            multiple=True,
            metavar="NAME",
            shell_complete=complete_names(lambda: SERVERS),
            callback=look_up("server", SERVERS, SERVERS.get),
            help="[default: holdover, and kea if it is here]",
        ),
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="NAME",
            shell_complete=complete_names(lambda: FAULTS),
            callback=look_up("fault", FAULTS, find_fault),
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
    clients: Sequence[ClientProgram],
    servers: Sequence[ServerProgram],
    faults: Sequence[Fault],
    lease: int | None,
    repeat: int,
    watch: int,
    jobs: int,
    out: Path | None,
    *,
    as_json: bool,
) -> int:
    """Play cells, report, and the exit status."""
    from holdover.reference.lab.experiments.experiment import play_all
    from holdover.reference.lab.experiments.verdict import combine_verdicts, verdict
    from holdover.reference.lab.report import report
    from holdover.reference.lab.report.files import check_directory, conditions_of, write

    wanted = cells(clients, servers, faults, lease, repeat, watch)
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
            progress.count(done, len(wanted), report.name_cell(verdict(outcome)))

        outcomes = play_all(wanted, place, jobs, told)
        verdicts = [verdict(outcome) for outcome in outcomes]
        conditions = conditions_of(wanted, jobs, time.perf_counter() - began)
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


# learn -------------------------------------------------------------------------------------------


@lab.command(
    epilog="Example: holdover lab learn --client 'udhcpc -f -i {iface}' -o my.toml && "
    "holdover verify my.toml"
)
@click.option(
    "--client",
    type=ClientType(),
    required=True,
    help="A name of `holdover lab list`, or a command line.",
)
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
def learn(client: ClientProgram, out: Path | None, jobs: int) -> int:
    """Measure a client's profile, for `holdover verify`.

    Plays the cells that tell one client from another, for some two minutes: from what a lease is
    counted, what removes the address, whether a DHCPNAK is heeded, which clock is trusted.  Each
    line of the file says on what it stands; what was not or could not be measured has the worst
    value.  So a verdict that it holds can be trusted.

    Exit status: 0, or 3 if something is unknown that was to be measured; no profile is written
    if everything is, as of a client that never gets a lease.
    """
    if (missing := client.missing()) is not None:
        raise InputError(f"{client.name}: not here: {missing}")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no directory {out.parent}")
    if (place := sandbox.inside()) is None:
        return sandbox.alone(sys.argv[1:])
    from holdover.reference.lab.experiments.experiment import play_all
    from holdover.reference.lab.learn.experiments import questions
    from holdover.reference.lab.learn.observations import answer
    from holdover.reference.lab.learn.profile import learn_profile, toml
    from holdover.reference.lab.report.files import conditions_of

    wanted = questions(client)
    with sandbox.tie_to_parent(), Progress("learn") as progress:
        done = 0

        def told(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            progress.count(done, len(wanted), outcome.cell.fault.name)

        answers = [answer(outcome) for outcome in play_all(wanted, place, jobs, told)]
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
