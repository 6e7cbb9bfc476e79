"""`holdover server`: the reference server on a real interface, with whatever it is to do wrong.

Theory of operation.  Options become a `ServerConfig`; a `Service` (linux/server.py) runs it.  What
is about instants (`--misbehave mute-from=15s`) is counted from the start of the program.  Each
lease event is a line on standard output, written out at once: words for people, or JSON.

What it does not know: sockets, files, the protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, fields
from datetime import datetime
from fractions import Fraction
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from signal import SIGINT
from typing import Any

import click

from holdover.model.errors import InputError, nearest
from holdover.reference.console.exit import INTERRUPTED
from holdover.reference.console.options import DURATION, host_name
from holdover.reference.console.output import json_line
from holdover.reference.core.config import Misbehaviour, ServerConfig
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.linux.kernel.clock import now as boottime
from holdover.reference.linux.kernel.interface import Interface
from holdover.reference.linux.kernel.privilege import drop
from holdover.reference.linux.kernel.sockets import LinkSocket, UdpPort
from holdover.reference.linux.server import LeaseEvent, Service, check_port
from holdover.reference.linux.signal_orders import ending
from holdover.reference.linux.storage.journal import Journal
from holdover.reference.linux.storage.lease_database import LeaseFile
from holdover.reference.linux.supervisor import Supervisor
from holdover.reference.linux.units import print_unit
from holdover.reference.wire.frames import SERVER_PORT
from holdover.reference.wire.messages import BootReply, reply_to_wire
from holdover.reference.wire.option_layout import TooLargeError
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import (
    BROADCAST_ADDRESS,
    DOMAIN_NAME,
    INFINITE,
    NAME_SERVERS,
    ROUTERS,
    SUBNET_MASK,
    Options,
)
from holdover.reference.wire.packet import encode

LARGEST_POOL = 1 << 16
"""Addresses; each message costs the core a look at each of them that it knows of."""

FLAGS = frozenset({"nak", "reuse_early", "wrong_xid", "wrong_server", "wrong_client_id"})
INSTANTS = frozenset({"mute_from", "mute_until", "forget_at"})
SECONDS = frozenset({"shorten"})
"""How `--misbehave` reads a field of Misbehaviour; a length where it is none of these."""


class Pool(click.ParamType[tuple[IPv4Address, ...]]):
    """A range of addresses: 10.0.0.50-10.0.0.99, or one."""

    name = "first-last"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[IPv4Address, ...]:
        """The addresses, in order."""
        if isinstance(value, tuple):
            return value
        first_, dash, last_ = str(value).partition("-")
        try:
            first = IPv4Address(first_.strip())
            last = IPv4Address(last_.strip()) if dash else first
        except ValueError:
            self.fail(f"{value!r} is no range: write 10.0.0.50-10.0.0.99", param, ctx)
        size = int(last) - int(first) + 1
        if size < 1:
            self.fail(f"{value!r} ends before it begins", param, ctx)
        if size > LARGEST_POOL:
            self.fail(f"{value!r} has {size} addresses, more than {LARGEST_POOL}", param, ctx)
        return tuple(first + more for more in range(size))


# The command -------------------------------------------------------------------------------------


@click.command(epilog="Example: holdover server eth0 --pool 10.0.0.50-10.0.0.99 --lease 1h")
@click.argument("interface")
@click.option(
    "--pool",
    type=Pool(),
    required=True,
    metavar="FIRST-LAST",
    help="The addresses to lease, in the subnet of the interface.",
)
@click.option(
    "--lease",
    type=DURATION,
    default="1h",
    show_default=True,
    help="What a client gets, and the most it gets.",
)
@click.option(
    "--grace",
    type=DURATION,
    default="60s",
    show_default=True,
    help="How long an "
    "address waits after the end of its lease before another client may have it; "
    "`holdover grace` says what is safe.",
)
@click.option(
    "--leases",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep leases there, stored before a DHCPACK leaves.  [default: in memory only]",
)
@click.option("--router", metavar="ADDRESS", help="What clients are told.")
@click.option("--dns", metavar="ADDRESS,...", help="What clients are told.")
@click.option("--domain", metavar="NAME", help="What clients are told.")
@click.option(
    "--no-probe",
    is_flag=True,
    help="Offer without asking by ARP whether somebody uses the address.",
)
@click.option(
    "--misbehave",
    multiple=True,
    metavar="WHAT",
    help="Do wrong: nak, reuse-early, "
    "wrong-xid, wrong-server, wrong-client-id; mute-from=15s, mute-until=1m, "
    "forget-at=20s (after the start); ack-delay=3s, shorten=10s.  May be given several "
    "times.",
)
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append every event and effect of the core, as JSON lines.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.option(
    "--print-unit",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_unit("holdover-server.service"),
    help="Print a unit for systemd that runs this installation, and end.",
)
def server(
    interface: str,
    pool: tuple[IPv4Address, ...],
    leases: Path | None,
    journal: Path | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Serve leases on an Ethernet interface.

    The server's identifier is the interface's address in the subnet of the pool.  Every message
    that is sent, every lease that is given up and every address that turns out to be in use is a
    line; with --json a JSON object, `at` in nanoseconds of CLOCK_BOOTTIME.

    SIGUSR1: a line for each address that is withheld, since its client declined it or it is in use,
    and when it is looked into.  SIGUSR2: that is done now; where nobody answers for it, it is given
    back.

    While leases cannot be stored, those on record are confirmed for the time that they have left,
    and nobody gets a new one; it is said, and tried again.

    Ends at SIGTERM with status 0, at Ctrl-C with 130.  Status 2: bad input, or port 67 in use.
    """
    start = boottime()
    with ExitStack() as opened:
        with closing(Interface(interface)) as there:
            own = choose_address(interface, pool, list(there.addresses()))
        link = opened.enter_context(closing(LinkSocket(interface, SERVER_PORT)))
        config = ServerConfig(
            identifier=own.ip,
            hardware=link.hardware,
            pool=pool,
            subnet=own.network,
            options=parameters(own, given["router"], given["dns"], given["domain"]),
            lease=whole(given["lease"], "--lease"),
            grace=int(given["grace"] * SECOND),
            probe_wait=0 if given["no_probe"] else SECOND,
            misbehave=misbehaviour(given["misbehave"], start),
        )
        check_room(config)
        check_port(interface, SERVER_PORT)
        port = opened.enter_context(closing(UdpPort(interface, SERVER_PORT)))
        kept = None
        if leases is not None:
            kept = opened.enter_context(closing(LeaseFile(leases, own.ip, start)))
        written = opened.enter_context(closing(Journal(journal)))
        drop()  # all that wants more is open
        ended = opened.enter_context(ending())  # before anybody is told that there is a server
        begin(start, interface, config, kept, as_json)
        service = Service(config, link, port, own, kept, written, partial(report, as_json=as_json))
        supervisor = opened.enter_context(closing(Supervisor()))
        supervisor.tell(f"serves {pool[0]} to {pool[-1]}", "READY=1")
        number = service.run(ended)
        supervisor.tell("ends", "STOPPING=1")
        unsent = service.unsent + link.lost + port.lost
        end(service.unread + link.refused, unsent, as_json)
    return INTERRUPTED if number == SIGINT else 0


# What the options mean ---------------------------------------------------------------------------


def choose_address(
    interface: str, pool: Sequence[IPv4Address], there: Sequence[IPv4Interface]
) -> IPv4Interface:
    """The interface's address in whose subnet the pool is; InputError where there is none."""
    if not there:
        raise InputError(f"{interface} has no IPv4 address: give it one, as clients are to see it")
    own = next((a for a in there if pool[0] in a.network and pool[-1] in a.network), None)
    shown = f"{pool[0]}-{pool[-1]}"
    if own is None:
        nets = ", ".join(str(address.network) for address in there)
        raise InputError(f"--pool {shown}: not in a subnet of {interface}: {nets}")
    for address in there:
        if pool[0] <= address.ip <= pool[-1]:
            raise InputError(f"--pool {shown}: it has {address.ip}, which is {interface}'s own")
    net = own.network
    if net.prefixlen < 31 and {net.network_address, net.broadcast_address} & {pool[0], pool[-1]}:
        raise InputError(f"--pool {shown}: the first and last of {net} are no host's addresses")
    return own


def parameters(
    own: IPv4Interface, router: str | None, dns: str | None, domain: str | None
) -> Options:
    """What clients are told besides their lease; InputError where it is no such thing."""
    said: list[tuple[int, Any]] = [
        SUBNET_MASK(own.network.netmask),
        BROADCAST_ADDRESS(own.network.broadcast_address),
    ]
    if router is not None:
        routers = addresses("--router", router)
        if not all(each in own.network for each in routers):
            raise InputError(f"--router {router}: clients in {own.network} cannot reach it")
        said.append(ROUTERS(routers))
    if dns is not None:
        said.append(NAME_SERVERS(addresses("--dns", dns)))
    if domain is not None:
        said.append(DOMAIN_NAME(host_name("--domain", domain)))
    return Options(said)


def addresses(option: str, text: str) -> tuple[IPv4Address, ...]:
    """Addresses with commas between them; InputError for anything else."""
    try:
        return tuple(IPv4Address(each.strip()) for each in text.split(","))
    except ValueError as error:
        raise InputError(f"{option} {text}: {error}") from None


def check_room(config: ServerConfig) -> None:
    """InputError where the options leave a client's identifier no room."""
    usual = BootReply(
        MessageType.ACK,
        0,
        config.hardware,
        bytes(255),
        server=config.identifier,
        lease=1,
        options=config.options,
    )
    try:
        encode(reply_to_wire(usual))
    except TooLargeError as error:
        raise InputError(f"--dns, --domain: too much for one message: {error}") from None


def whole(length: Fraction, option: str, least: int = 1) -> int:
    """A length in whole seconds, as DHCP has it; InputError for another, or a shorter one."""
    if length.denominator != 1 or not least <= length < INFINITE:
        at_least = ", and at least one" if least else ""
        raise InputError(f"{option}: whole seconds are needed{at_least}")
    return int(length)


def misbehaviour(given: Sequence[str], start: Instant) -> Misbehaviour:
    """What is to be done wrong; InputError names what is meant instead."""
    names = {field.name.replace("_", "-"): field.name for field in fields(Misbehaviour)}
    found: dict[str, Any] = {}
    for text in given:
        word, has_value, value = text.partition("=")
        if (name := names.get(word)) is None:
            raise InputError(f"--misbehave: no {word!r}; {nearest(word, tuple(names))}")
        if name in found:
            raise InputError(f"--misbehave {word}: given twice")
        if name in FLAGS:
            if has_value:
                raise InputError(f"--misbehave {text}: {word} takes no value")
            found[name] = True
            continue
        if not has_value:
            raise InputError(f"--misbehave {word}: say how long, as {word}=10s")
        try:
            length = DURATION.convert(value, None, None)
        except click.BadParameter as error:
            raise InputError(f"--misbehave {text}: {error.message}") from None
        if name in SECONDS:
            found[name] = whole(length, f"--misbehave {text}", least=0)
        else:
            found[name] = int(length * SECOND) + (start if name in INSTANTS else 0)
    if "mute_until" in found and found["mute_until"] <= found.setdefault("mute_from", start):
        raise InputError("--misbehave mute-until: it is not after mute-from")
    return Misbehaviour(**found)


# Lines -------------------------------------------------------------------------------------------


def begin(
    start: Instant, interface: str, config: ServerConfig, kept: LeaseFile | None, as_json: bool
) -> None:
    """Say what is served, now that all of it is open."""
    first, last, wrong = config.pool[0], config.pool[-1], asdict(config.misbehave)
    usual = asdict(Misbehaviour())
    wrongs = [name.replace("_", "-") for name, value in wrong.items() if value != usual[name]]
    stored = None if kept is None else len(kept.bindings)
    if as_json:
        say(
            {
                "at": start,
                "event": "started",
                "interface": interface,
                "server": str(config.identifier),
                "first": str(first),
                "last": str(last),
                "lease": config.lease,
                "grace": config.grace / SECOND,
                "stored": stored,
                "misbehave": wrongs,
            }
        )
        return
    where = "leases in memory only" if kept is None else f"leases stored in {kept.path}: {stored}"
    bad = f"; misbehaves: {', '.join(wrongs)}" if wrongs else ""
    what = f"serving {first} to {last} as {config.identifier} on {interface}"
    click.echo(f"{what}, for {config.lease} s; {where}{bad}")


def report(told: LeaseEvent, as_json: bool) -> None:
    """One lease event."""
    if as_json:
        say(asdict(told))
        return
    lease = None if told.lease is None else f"for {told.lease} s"
    away = None if told.withheld is None else f"withheld for {told.withheld} s"
    time = f"{datetime.now():%H:%M:%S}"
    words = (time, told.event, told.address, told.hardware, lease, away, told.note)
    click.echo(" ".join(word for word in words if word is not None))


def end(unread: int, unsent: int, as_json: bool) -> None:
    """What came to nothing meanwhile."""
    if as_json:
        say({"at": boottime(), "event": "ended", "unread": unread, "unsent": unsent})
    else:
        click.echo(f"ended; {unread} messages could not be read, {unsent} could not be sent")


def say(line: dict[str, Any]) -> None:
    """A line of JSON; `echo` writes it out at once."""
    click.echo(json_line("server", line))
