"""The commands about the model: verify, explore, export, prove, explain, grace, matrix, profiles.

What is printed is made in `show.py`; this module knows options and exit codes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from holdover.model.clients.network import Network, load_network
from holdover.model.clients.profile import (
    FAULTS,
    BadInput,
    Environment,
    Profile,
    builtin_names,
    load,
    nearest,
)
from holdover.model.table.properties import ALWAYS
from holdover.proofs import claims as claims_
from holdover.proofs.result import combined
from holdover.proofs.theorems.t5_state_graph import FITS
from holdover.proofs.verdicts import matrix as matrix_
from holdover.proofs.verdicts.judge import STANDARD, Size, judge, judge_network
from holdover.reference import export as export_
from holdover.reference import show, show_journal, show_network
from holdover.reference.cli import DURATION, EXIT
from holdover.reference.linux.storage.journal import read
from holdover.reference.progress import Progress
from holdover.reference.refinement.conformance import conformance
from holdover.reference.search import (
    HERE,
    Search,
    check_graph_file,
    found_by,
    outcome,
    write_graph,
)
from holdover.reference.show_graph import EXPLAINED, agreement, of_judgement, of_search
from holdover.reference.validation.calls import calls
from holdover.reference.validation.follower import replay

Command = Callable[..., Any]


class Drift(click.ParamType[Fraction]):
    """Parts per million."""

    name = "ppm"
    most = 500_000

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        """The rate, exactly."""
        if isinstance(value, Fraction):
            return value
        try:
            rate = Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no number of parts per million: write 100 or 0.5", param, ctx)
        if not 0 <= rate <= self.most:
            self.fail(f"{value!r} is not between 0 and {self.most} parts per million", param, ctx)
        return rate / 1_000_000


class Memory(click.ParamType[int]):
    """MiB, as much as there is."""

    name = "MiB"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        try:
            size = int(value) << 20
        except ValueError:
            self.fail(f"{value!r} is no whole number of MiB", param, ctx)
        if size <= 0:
            self.fail(f"{value!r}: at least 1 MiB is needed", param, ctx)
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if size > max(there, 1 << 30):
            self.fail(f"{value} MiB: this machine has {there >> 20}", param, ctx)
        return size


def memory_option(command: Command) -> Command:
    """`--memory`."""
    return click.option(
        "--memory", type=Memory(), default="1024", show_default=True,
        help="What a search may use; what it did not see by then is unknown.",
    )(command)  # fmt: skip


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def jobs_option(command: Command) -> Command:
    """`--jobs`."""
    return click.option(
        "--jobs", type=click.IntRange(1, 64), default=2, show_default=True,
        help="Processes to use.",
    )(command)  # fmt: skip


def network_option(command: Command) -> Command:
    """`--network`."""
    return click.option(
        "--network", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.toml",
        help="A network of several kinds of client, each as [[client]] with its profile, and "
        "faults of its hosts alone; [surroundings] has these options, written with _, and a list "
        "of faults.",
    )(command)  # fmt: skip


def solver_option(default: str) -> Callable[[Command], Command]:
    """`--solver`."""
    return click.option(
        "--solver", type=click.Choice(["z3", "cvc5", "both"]), default=default, show_default=True,
        help="Who decides the obligations.",
    )  # fmt: skip


def solvers(name: str) -> tuple[str, ...]:
    """The solvers asked for."""
    return ("z3", "cvc5") if name == "both" else (name,)


def world_options(command: Command) -> Command:
    """The surroundings: lease, grace, drift, delay, and faults."""
    options = [
        click.option("--lease", type=DURATION, help="Lease the server grants.  [default: 1h]"),
        click.option("--grace", type=DURATION, help="How long the server waits after its lease "
                     "end before it reuses.  [default: 0]"),
        click.option("--drift-ppm", "drift", type=Drift(), help="Every clock runs within ± this "
                     "many parts per million.  [default: 0]"),
        click.option("--ack-delay", type=DURATION, help="How long a datagram is in flight at "
                     "most.  [default: 1 s]"),
        click.option("--acknowledge-within", type=DURATION, help="How late the user or a hook "
                     "answers a notice at most.  [default: perhaps never]"),
        click.option("--step", type=DURATION, help="How far a wall clock may be set back (with "
                     "--fault steps).  [default: 1h]"),
        click.option("--shortest", type=DURATION, help="Shortest lease a renewal may grant (with "
                     "--fault shortens)."),
        click.option("--fault", "faults", multiple=True, metavar="FAULT", help="Add a fault to "
                     "the usual ones, " + ", ".join(sorted(STANDARD.faults)) + ": " + ", ".join(
                         fault for fault in FAULTS if fault not in STANDARD.faults)
                     + ".  May be given several times."),
        click.option("--answers-arrive", is_flag=True, help="No datagram is lost, and no client "
                     "asks anew while one of its last exchange is in flight: it hears of a lease "
                     "that was shortened."),
        click.option("--server-probes", is_flag=True, help="The server probes before it offers."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def surroundings(given: dict[str, Any], of_hosts: Sequence[str] = ()) -> Environment:
    """The environment that the options describe; STANDARD where they are silent.

    `of_hosts`: faults that befall some hosts of a network alone.
    """
    world = STANDARD
    changes: dict[str, Any] = {}
    for option, name in (("lease", "lease"), ("grace", "grace"), ("ack_delay", "delay"),
                         ("acknowledge_within", "acknowledge_within"), ("step", "step"),
                         ("shortest", "shortest"), ("drift", "drift")):  # fmt: skip
        if given[option] is not None:
            changes[name] = given[option]
    faults = world.faults | set(known_faults(given["faults"]))
    changes["faults"] = faults
    stepped = "steps" in faults | set(of_hosts)
    if "step" in changes and not stepped:
        raise BadInput("--step: clocks are set back only with --fault steps")
    if stepped:
        changes.setdefault("step", Fraction(3600))
    if given["answers_arrive"]:
        if "loses" in given["faults"]:
            raise BadInput("--answers-arrive: with --fault loses they do not")
        changes |= {"faults": faults - {"loses"}, "patient": True}
    world = replace(world, server_probes=given["server_probes"], **changes)
    if world.lease <= 0:
        raise BadInput("--lease: a lease of no length; give seconds above 0")
    if "shortens" in faults and world.shortest is None:
        world = replace(world, shortest=world.lease / 3)
    if world.shortest is not None and not 0 < world.shortest <= world.lease:
        lease = show.plain(world.lease)
        raise BadInput(f"--shortest: must be above 0 and at most the lease, {lease} s")
    if world.shortest is not None and "shortens" not in faults:
        raise BadInput("--shortest: renewals shorten only with --fault shortens")
    return world


def known_faults(names: Sequence[str]) -> Sequence[str]:
    """The faults, if there are such; BadInput otherwise."""
    for name in names:
        if name not in FAULTS:
            raise BadInput(f"--fault: no fault {name!r}; {nearest(name, FAULTS)}")
    return names


# verify ------------------------------------------------------------------------------------------


@click.command(epilog="Example: holdover verify wfwg311 my.toml --lease 1d --fault freezes")
@click.argument("names", nargs=-1, metavar="[PROFILE | FILE.toml]...")
@network_option
@world_options
@memory_option
@solver_option("z3")
@jobs_option
@json_option
def verify(
    names: tuple[str, ...], network: Path | None, memory: int, solver: str, jobs: int,
    as_json: bool, **given: Any,
) -> int:  # fmt: skip
    """Judge clients, or, with no name, check every claim.

    A client is a built-in profile (see `holdover profiles`) or a TOML file.  It is judged among
    clients of its kind, a server that may fall silent, a network that loses, duplicates and delays,
    and a user who may never answer; options change that.  Of several clients the worst verdict
    decides the exit status.

    With `reference`, and no other option of the surroundings, the code of the reference client is
    explored as well: its steps are steps of the lease table, in every state of every setting.

    With --network, hosts of several kinds are judged together, around one server: whether any two
    of them can hold an address at once, and the grace that each kind needs.

    The claims are those of the specification: theorems T0 to T5, the verdict on each built-in
    profile, and the pinned searches.  Exit status 0 if each comes out as stated.
    """
    if network is not None:
        if names:
            raise BadInput("--network names the clients: leave PROFILE")
        return verify_network(load_network(network), Size(memory=memory), solver, as_json, given)
    world = surroundings(given)
    if not names:
        if world != STANDARD:
            raise BadInput("options of the surroundings need a profile to judge: name one")
        return check_claims(list(claims_.claims(solvers(solver))), solver, jobs, as_json)
    profiles = [load(name) for name in names]
    found, commons = [], []
    for profile in profiles:
        with Progress(profile.name) as progress:
            found.append(
                judge(profile, world, Size(memory=memory), solvers(solver), progress.say,
                      progress.search)
            )  # fmt: skip
            commons.append(of_judgement(found[-1], FITS))
    code = None
    if "reference" in names and world == STANDARD:
        with Progress("reference") as progress:
            code = conformance(jobs, progress.count)
    show.judgements(found, commons, code, as_json)
    outcomes = [judgement.outcome for judgement in found]
    return EXIT[combined(outcomes if code is None else [*outcomes, code.outcome])]


def verify_network(
    network: Network, size: Size, solver: str, as_json: bool, given: dict[str, Any]
) -> int:
    """The verdict on a network of several kinds of client."""
    world = around(network, given)
    with Progress(network.title) as progress:
        found = judge_network(network, world, size, solvers(solver), progress.say, progress.search)
    show_network.verdict(found, as_json)
    return EXIT[found.outcome]


def around(network: Network, given: dict[str, Any]) -> Environment:
    """The surroundings of a network: what no option says is as its file has it."""
    said = dict(network.surroundings)
    if "drift_ppm" in said:
        said["drift"] = Fraction(str(said.pop("drift_ppm"))) / 1_000_000
    options = {
        name: said.get(name, value) if value is None or value is False or value == () else value
        for name, value in given.items()
    }
    try:
        return surroundings(options, [f for client in network.clients for f in client.faults])
    except BadInput as error:
        raise BadInput(f"{error} (on the command line, or in [surroundings] of the file)") from None


def check_claims(todo: Sequence[claims_.Claim], solver: str, jobs: int, as_json: bool) -> int:
    """Check claims and report."""
    with Progress("claims") as progress:
        results = claims_.check_all(todo, jobs, solvers(solver), progress.count)
    show.results(results, as_json)
    return EXIT[combined(result.outcome for result in results)]


# explore -----------------------------------------------------------------------------------------


def instance_options(command: Command) -> Command:
    """A small network: its size, a lease in ticks, its faults."""
    options = [
        click.option("--beside", multiple=True, metavar="PROFILE", help="Another client: the hosts "
                     "have PROFILE and these in turn.  May be given several times."),
        click.option("--hosts", type=click.IntRange(1, 12), default=2, show_default=True,
                     help="Clients."),
        click.option("--addresses", type=click.IntRange(1, 12), default=1, show_default=True,
                     help="Addresses in the server's pool."),
        click.option("--messages", type=click.IntRange(1, 12), default=1, show_default=True,
                     help="Datagrams in flight at once."),
        click.option("--lease", "ticks", type=click.IntRange(2, 64), default=3, show_default=True,
                     help="How many ticks a lease of one hour has."),
        click.option("--delay", type=click.IntRange(0, 64), default=0, show_default=True,
                     help="Ticks that a datagram may be in flight."),
        click.option("--fault", "faults", multiple=True, metavar="FAULT", default=("mutes",),
                     show_default=True, help="Only these faults: none, or of "
                     + ", ".join(FAULTS) + ".  May be given several times."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def small_network(profile: str, given: dict[str, Any]) -> Search:
    """The instance that the options describe; hosts with different clients have names."""
    given["faults"] = () if given["faults"] == ("none",) else known_faults(given["faults"])
    given["beside"] = tuple(load(name) for name in given["beside"])
    if given["beside"]:
        given["symmetry"] = False
    return Search(load(profile), **given)


@click.command(epilog="Example: holdover explore wfwg311 --hosts 2 --addresses 2 --lease 3")
@click.argument("profile")
@instance_options
@memory_option
@click.option("--graph", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the state graph: .graphml, .dot or .svg.  Implies --plain.")  # fmt: skip
@click.option("--plain", is_flag=True, help="Search with the explorer: slower, and shares nothing "
              "with the engine but the lease table.")  # fmt: skip
@click.option("--symmetry/--no-symmetry", default=True, show_default=True,
              help="Store one state of those that differ in the names of hosts, addresses and "
              "datagrams only; all are counted.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1, 256), help="[default: as many as processors]")
@click.option("--checkpoint", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Keep the search there, and go on with it if it is there.")  # fmt: skip
@click.option("--cluster", is_flag=False, flag_value=HERE, metavar="[ADDRESS]",
              help="Search by the workers of a Dask cluster, each with --memory: that of the "
              "scheduler at ADDRESS, or one of processes of this machine.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 16), help="[default: as many as processors]")
@json_option
def explore(profile: str, graph: Path | None, as_json: bool, **given: Any) -> int:
    """Search every state of a small network.

    Breadth first, so each run shown is a shortest one.  What does not fit into --memory goes to
    disk; what was not seen in the end is called unknown.  The exit status tells whether two hosts
    were seen to hold one address.
    """
    search = small_network(profile, given)
    if graph is not None:
        search = replace(search, plain=True)
        check_graph_file(graph)
    if search.plain:
        search = replace(search, symmetry=False)
    search.check_options()
    read_off, every = None, None
    with Progress(search.name) as progress:
        progress.say(f"{search.name}: estimating")
        estimate = search.estimate()
        search.refuse_hopeless(estimate)
        progress.expect(estimate, estimate * search.bytes_each)
        if graph is not None:
            explored = search.explored(progress.search, keep_steps=True)
            seen = found_by(explored)
            progress.say(f"{search.name}: networkx reads the graph")
            read_off = agreement(explored, search.memory)
            every = of_search(explored, search.memory)
        else:
            seen = search.run(progress.search, lambda text: click.echo(text, err=True))
    show.exploration(search, seen, as_json, read_off, every)
    if graph is not None:
        write_graph(explored, graph, search.memory)
    disagrees = read_off is not None and read_off.differences
    return EXIT["unknown" if disagrees else outcome(seen)]


# export ------------------------------------------------------------------------------------------


@click.command(epilog="Example: holdover export tla wfwg311 --addresses 2 -o Lease.tla")
@click.argument("form", metavar="FORMAT", type=click.Choice(export_.FORMATS))
@click.argument("profile")
@instance_options
@memory_option
@click.option("--check", multiple=True, metavar="PROPERTY", help="What TLC, SPIN or the run is "
              "about: " + ", ".join(p.name for p in ALWAYS) + ".  [default: all]")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="The file to write, or the directory.  [default: standard output]")  # fmt: skip
def export(
    form: str, profile: str, check: tuple[str, ...], output: Path | None, **given: Any
) -> None:
    """Hand the model to other tools.

    \b
    tla       a TLA+ module, and TLC's configuration beside it (-o Lease.tla)
    promela   a model for SPIN
    smtlib    the obligations of the profile's proof (a directory)
    dot       the graph of all states, for Graphviz
    graphml   the same with all variables, for graph tools
    itf       a shortest run that breaks a property, for Apalache and its kin

    TLC and SPIN find as many states as `holdover explore` with the same options.
    """  # noqa: D301 -- click's mark for lines that stay as they are
    search = small_network(profile, given)
    if form == "smtlib":
        folder = output_for(form, output)
        written = show.write_smtlib(search.profile, folder, "--output")
        click.echo(f"{written} obligations in {folder}", err=True)
        return
    if form in ("dot", "graphml"):
        search = replace(search, plain=True, symmetry=False)
        path = output_for(form, output)
        if path.suffix != f".{form}":
            raise BadInput(f"--output {path}: the name must end in .{form}")
        search.refuse_hopeless(search.estimate())
        with Progress(search.name) as progress:
            export_.graph(search, path, progress.search)
        return
    if form == "tla" and output is not None and output.name != f"{export_.NAME}.tla":
        raise BadInput(f"--output {output}: TLA+ wants the file to be named {export_.NAME}.tla")
    if form == "itf":
        search.refuse_hopeless(search.estimate())
    with Progress(search.name) as progress:
        files = export_.WRITERS[form](search, check, progress.search)
    if output is None:
        click.echo(files[""], nl=False)
    else:
        for path in export_.write(files, output):
            click.echo(f"written: {path}", err=True)


def output_for(form: str, output: Path | None) -> Path:
    """The path given; BadInput if there is none."""
    if output is None:
        raise BadInput(f"{form}: -o PATH is needed")
    return output


# prove -------------------------------------------------------------------------------------------


@click.command(epilog="Example: holdover prove rfc2131 --solver both --smtlib obligations/")
@click.argument("profile", required=False)
@click.option("--smtlib", type=click.Path(file_okay=False, path_type=Path),
              help="Write each obligation as an SMT-LIB file below this directory.")  # fmt: skip
@solver_option("both")
@jobs_option
@json_option
def prove(profile: str | None, smtlib: Path | None, solver: str, jobs: int, as_json: bool) -> int:
    """Prove the theorems, or one profile's invariant.

    The theorems are T0 to T5; the invariant is that of a client with the profile's own numbers.
    """
    if smtlib is not None:
        written = show.write_smtlib(load(profile) if profile else None, smtlib)
        click.echo(f"{written} obligations written to {smtlib}", err=True)
    if profile is not None:
        return prove_profile(load(profile), solvers(solver), as_json)
    todo = [c for c in claims_.claims(solvers(solver)) if c.group.startswith("T")]
    return check_claims(todo, solver, jobs, as_json)


def prove_profile(profile: Profile, names: tuple[str, ...], as_json: bool) -> int:
    """The obligations for one profile in the standard surroundings."""
    with Progress(profile.name) as progress:
        progress.say(f"{profile.name}: proving")
        verdict = show.proved(profile, names)
    outcome = show.show_obligations(profile, verdict, as_json)
    return EXIT[outcome]


# explain, grace, matrix, profiles ----------------------------------------------------------------


@click.command(epilog="Example: holdover explain wfwg311")
@click.argument("subject", metavar="PROFILE|JOURNAL")
@world_options
@json_option
def explain(subject: str, as_json: bool, **given: Any) -> int:
    """Tell a client's shortest collision, or judge a journal.

    PROFILE: in sentences and as a sequence chart.  JOURNAL, what `holdover client --journal` wrote:
    each call of the client against the lease table; up to which line it conforms, and the guard
    that blocked.  A file is a journal, unless its name ends in .toml.
    """
    path = Path(subject)
    if subject not in builtin_names() and path.suffix != ".toml" and path.exists():
        no_world_given(subject)
        with Progress(subject) as progress:
            parts = list(calls(read(path)))
            seen = replay(parts, lambda done, of: progress.count(done, of, "replay"))
        show_journal.journal(path, seen, as_json)
        return EXIT[seen.outcome]
    client = load(subject)
    with Progress(client.name) as progress:
        found = judge(client, surroundings(given), progress=progress.say, searched=progress.search)
        progress.say(f"{client.name}: asking networkx what every collision has in common")
        every = of_judgement(found, EXPLAINED)
    show.explanation(found, every, as_json)
    return EXIT[found.outcome]


def no_world_given(subject: str) -> None:
    """A journal tells its own constants, and where it was: no option does."""
    context = click.get_current_context()
    for param in context.command.params:
        given = context.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        if given and param.name not in ("subject", "as_json"):
            raise BadInput(f"{param.opts[0]} is of a profile, and {subject} is a journal: leave it")


@click.command(epilog="Example: holdover grace --lease 86400 --drift-ppm 100")
@click.option("--profile", default="rfc2131", show_default=True, help="A profile or FILE.toml.")
@network_option
@world_options
@json_option
def grace(profile: str, network: Path | None, as_json: bool, **given: Any) -> int:
    """Print how long a server must wait before reuse.

    With --network, how long for each kind of client; the longest of them is enough for all.

    Or the shorter lease to hand out instead (RFC 2131 §3.3), or that neither helps.  Exit status 0
    if the grace given with --grace (or in the network's file) is enough, 1 if not or if none is;
    without --grace, 0 if there is one.
    """
    if network is not None:
        source = click.get_current_context().get_parameter_source("profile")
        if source is not ParameterSource.DEFAULT:
            raise BadInput("--network names the clients: leave --profile")
        site = load_network(network)
        said = given["grace"] is not None or "grace" in site.surroundings
        return EXIT[show_network.graces(site, around(site, given), said, as_json)]
    client, world = load(profile), surroundings(given)
    return EXIT[show.graces(client, world, given["grace"], as_json)]


@click.command(epilog="Example: holdover matrix --json")
@jobs_option
@json_option
def matrix(jobs: int, as_json: bool) -> int:
    """Print which safeguard cures which fault.

    Takes some minutes.  Exit status 0 if every cell was decided, 3 if some are unknown.
    """
    with Progress("cells") as progress:
        found = matrix_.whole(jobs, lambda done, of: progress.count(done, of, "matrix"))
    show.matrix(found, as_json)
    return EXIT["unknown" if any(cell.outcome == "unknown" for cell in found) else "holds"]


@click.command(epilog="Example: holdover profiles udhcpc > my.toml")
@click.argument("name", required=False)
@json_option
def profiles(name: str | None, as_json: bool) -> int:
    """List the built-in profiles, or print one as TOML.

    What is printed is a file to start from.
    """
    if name is not None:
        show.profile(load(name), as_json)
    else:
        show.profiles([load(known) for known in builtin_names()], as_json)
    return 0
