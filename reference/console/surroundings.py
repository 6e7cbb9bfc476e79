"""Options of the commands about the model: surroundings, networks, solvers, memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from holdover.model.clients.network import Network
from holdover.model.clients.profile import FAULTS, STANDARD, Environment
from holdover.model.errors import InputError, nearest
from holdover.model.seconds import show_seconds
from holdover.reference.console.options import DURATION, Command, complete_names


class DriftType(click.ParamType[Fraction]):
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


class MemoryType(click.ParamType[int]):
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
        if sys.platform != "win32":  # which does not say how much there is
            there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
            if size > max(there, 1 << 30):
                self.fail(f"{value} MiB: this machine has {there >> 20}", param, ctx)
        return size


def memory_option(command: Command) -> Command:
    """`--memory`."""
    return click.option(
        "--memory",
        type=MemoryType(),
        default="1024",
        show_default=True,
        help="What a search may use; what it did not see by then is unknown.",
    )(command)


def network_option(command: Command) -> Command:
    """`--network`."""
    return click.option(
        "--network",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.toml",
        help="A network of several kinds of client, each as [[client]] with its profile, and "
        "faults of its hosts alone; [surroundings] has these options, written with _, and a list "
        "of faults.",
    )(command)


def solver_option(default: str) -> Callable[[Command], Command]:
    """`--solver`."""
    return click.option(
        "--solver",
        type=click.Choice(["z3", "cvc5", "both"]),
        default=default,
        show_default=True,
        help="Who decides the obligations.",
    )


def solvers(name: str) -> tuple[str, ...]:
    """The solvers asked for."""
    return ("z3", "cvc5") if name == "both" else (name,)


def world_options(command: Command) -> Command:
    """The surroundings: lease, grace, drift, delay, and faults."""
    options = [
        click.option("--lease", type=DURATION, help="Lease the server grants.  [default: 1h]"),
        click.option(
            "--grace",
            type=DURATION,
            help="How long the server waits after its lease end before it reuses.  [default: 0]",
        ),
        click.option(
            "--drift-ppm",
            "drift",
            type=DriftType(),
            help="Every clock runs within ± this many parts per million.  [default: 0]",
        ),
        click.option(
            "--ack-delay",
            type=DURATION,
            help="How long a datagram is in flight at most.  [default: 1 s]",
        ),
        click.option(
            "--acknowledge-within",
            type=DURATION,
            help="How late the user or a hook answers a notice at most.  [default: perhaps never]",
        ),
        click.option(
            "--step",
            type=DURATION,
            help="How far a wall clock may be set back (with --fault steps), or the server's "
            "forward (with --fault jumps).  [default: 1h]",
        ),
        click.option(
            "--shortest",
            type=DURATION,
            help="Shortest lease a renewal may grant (with --fault shortens).",
        ),
        click.option(
            "--situation",
            metavar="NAME",
            shell_complete=complete_names(situation_names),
            help="The faults, and where it matters lease and grace, of what people report: see "
            "`holdover situations`.",
        ),
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="FAULT",
            shell_complete=complete_names(lambda: FAULTS),
            help="Add a fault to "
            "the usual ones, "
            + ", ".join(sorted(STANDARD.faults))
            + ": "
            + ", ".join(fault for fault in FAULTS if fault not in STANDARD.faults)
            + ".  May be given several times.",
        ),
        click.option(
            "--answers-arrive",
            is_flag=True,
            help="No datagram is lost, and no client "
            "asks anew while one of its last exchange is in flight: it hears of a lease "
            "that was shortened.",
        ),
        click.option("--server-probes", is_flag=True, help="The server probes before it offers."),
        click.option(
            "--authoritative",
            is_flag=True,
            help="The server never falls silent, and refuses with DHCPNAK what it has no record "
            "of.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def situation_names() -> list[str]:
    """Imported when a shell asks for them: few commands are given a situation."""
    from holdover.model.clients.situations import situations

    return [each.name for each in situations()]


def surroundings(given: dict[str, Any], of_hosts: Sequence[str] = ()) -> Environment:
    """The environment that the options describe; STANDARD where they are silent.

    `of_hosts`: faults that befall some hosts of a network alone.
    """
    world = STANDARD
    changes: dict[str, Any] = {}
    for option, name in (
        ("lease", "lease"),
        ("grace", "grace"),
        ("ack_delay", "delay"),
        ("acknowledge_within", "acknowledge_within"),
        ("step", "step"),
        ("shortest", "shortest"),
        ("drift", "drift"),
    ):
        if given[option] is not None:
            changes[name] = given[option]
    given = {**given, "faults": known_faults(given["faults"])}
    faults = world.faults | set(given["faults"])
    if given["situation"] is not None:
        from holdover.model.clients.situations import find_situation

        situation = find_situation(given["situation"])
        changes = {"lease": situation.lease, "grace": situation.grace, **changes}
        faults |= set(situation.faults)
    changes["faults"] = faults
    stepped = not {"steps", "jumps"}.isdisjoint(faults | set(of_hosts))
    if "step" in changes and not stepped:
        raise InputError("--step: clocks are set only with --fault steps or jumps")
    if stepped:
        changes.setdefault("step", Fraction(3600))
    if given["answers_arrive"]:
        if "loses" in given["faults"]:
            raise InputError("--answers-arrive: with --fault loses they do not")
        changes |= {"faults": faults - {"loses"}, "patient": True}
    if given["authoritative"]:
        if "mutes" in given["faults"]:
            raise InputError("--authoritative: with --fault mutes the server falls silent")
        changes |= {"faults": changes["faults"] - {"mutes"}, "authoritative": True}
    world = replace(world, server_probes=given["server_probes"], **changes)
    if world.lease <= 0:
        raise InputError("--lease: a lease of no length; give seconds above 0")
    if "shortens" in faults and world.shortest is None:
        world = replace(world, shortest=world.lease / 3)
    if world.shortest is not None and not 0 < world.shortest <= world.lease:
        lease = show_seconds(world.lease)
        raise InputError(f"--shortest: must be above 0 and at most the lease, {lease}")
    if world.shortest is not None and "shortens" not in faults:
        raise InputError("--shortest: renewals shorten only with --fault shortens")
    return world


def known_faults(names: Sequence[str]) -> Sequence[str]:
    """The faults, if there are such, by the lab's names too; InputError otherwise."""
    found = []
    for name in names:
        if name in FAULTS:
            found.append(name)
            continue
        from holdover.model.clients.fault_names import IN_THE_TABLE

        if (row := IN_THE_TABLE.get(name)) is not None:
            click.echo(f"--fault {name}: that is the lab's name; here it is {row}", err=True)
            found.append(row)
        else:
            raise InputError(f"--fault: no fault {name!r}; {nearest(name, FAULTS)}")
    return found


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
    except InputError as error:
        raise InputError(
            f"{error} (on the command line, or in [surroundings] of the file)"
        ) from None
