"""`holdover client`: the reference client on a real interface.

Theory of operation.  Options become a `ClientConfig` and `Orders`; a `ClientShell`
(linux/client.py) runs them.  What can be refused is refused before the first frame: an interface
that is not there, a missing capability, a second client for the interface.  Each notice is a line
on standard output: words for people, or JSON.

No reader delays anything.  A thread writes the lines (linux/hooks/line_writer.py); where nobody
reads them, or nobody is there any more, they are counted and left out.  Whoever reads again is told
how many.

What is imported from `linux/` is imported when the command runs: the other commands need no Linux.

What it does not know: sockets, netlink, files, the protocol.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

import click

from holdover.model.errors import InputError, nearest
from holdover.reference.console.options import DURATION, host_name
from holdover.reference.console.output import UNBOUNDED, json_line
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import Notice, Notify
from holdover.reference.core.instants import SECOND
from holdover.reference.linux.units import print_unit
from holdover.reference.signals import interruptible
from holdover.reference.wire.frames import CLIENT_PORT
from holdover.reference.wire.options import (
    BROADCAST_ADDRESS,
    CLASSLESS_ROUTES,
    DOMAIN_NAME,
    HOST_NAME,
    INTERFACE_MTU,
    NAME_SERVERS,
    PARAMETER_REQUEST_LIST,
    REBINDING_TIME,
    RENEWAL_TIME,
    ROUTERS,
    SUBNET_MASK,
    TABLE,
    Option,
    Options,
)

if TYPE_CHECKING:
    from holdover.reference.linux.hooks.background import BackgroundQueue

STATE = Path("/var/lib/holdover")

HOOK_LIMIT = 10.0
"""Seconds that a hook may take."""

PATIENCE = 1.0
"""Seconds for a reader to take the last lines."""

LOST = "{} lines are left out here: nobody read them"

STDOUT, STDERR = 1, 2

BY_SIGNAL = 128
"""Plus its number: how a shell reports a program that a signal has ended."""

LATE = 3
"""Whether there is a server is unknown."""

USUAL: tuple[Option[Any], ...] = (
    SUBNET_MASK,
    CLASSLESS_ROUTES,
    ROUTERS,
    NAME_SERVERS,
    DOMAIN_NAME,
    INTERFACE_MTU,
    BROADCAST_ADDRESS,
    RENEWAL_TIME,
    REBINDING_TIME,
)
"""RFC 3442: classless routes before routers."""

LONGEST_ID = 64
"""Bytes of a client identifier; with the longest host name a message still has room for both."""


@click.command(epilog="Example: holdover client eth0 --hook '/usr/local/sbin/dns-from-lease'")
@click.argument("interface")
@click.option(
    "--once",
    is_flag=True,
    help="End when an address is in use.  It stays until its lease ends, and nobody renews it.",
)
@click.option(
    "--hook",
    metavar="COMMAND",
    help="Run for each notice, after the fact; nobody waits "
    f"for it, and after {HOOK_LIMIT:.0f} s it is ended.",
)
@click.option(
    "--dns",
    metavar="TO",
    help="Give name servers and domain of the lease to "
    "`resolvconf`, or to a file as /etc/resolv.conf; withdrawn with the address.  "
    "[default: nowhere]",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=STATE,
    show_default=True,
    help="Where the lease is remembered.",
)
@click.option("--hostname", metavar="NAME", help="What the server is told as option 12.")
@click.option(
    "--client-id",
    metavar="ID",
    help="Text, or bytes as 01:02:fc.  [default: RFC 4361, from the hardware address]",
)
@click.option(
    "--request",
    metavar="OPTION,...",
    help="Options to ask for, by number or name.  "
    f"[default: {','.join(str(option.code) for option in USUAL)}]",
)
@click.option(
    "--no-probe", is_flag=True, help="Use an address without asking by ARP whether somebody has it."
)
@click.option("--release-on-exit", is_flag=True, help="Give the lease back at the end.")
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append a line for each event, effect and change of the address.",
)
@click.option("--dry-run", is_flag=True, help="Ask for a lease, print it and end.")
@click.option(
    "--timeout",
    type=DURATION,
    metavar="TIME",
    help="End with status 3 where no "
    "address is in use so long after the start: 90, 10m.  [default: never]",
)
@click.option("--verbose", "-v", is_flag=True, help="Say each DHCP message that is sent or heard.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.option(
    "--print-unit",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_unit("holdover-client@.service"),
    help="Print a unit for systemd that runs this installation, and end.",
)
def client(interface: str, **given: Any) -> int:
    """Lease an address, and let go of it in time.

    The kernel is given the address with a lifetime that ends before the lease, so that it goes
    away whatever becomes of this process.  At the end, by Ctrl-C or another signal, the interface
    is left as it was found, and the lease remembered for the next time.

    SIGUSR1 has the lease asked for again at once.  SIGUSR2 gives it back; the client then rests
    until SIGUSR1.  A server that does not answer is a line after 3 s, and then ever more rarely.
    A lease that cannot be stored, since the disk is full or read-only, is not used: what is stored
    is used until it ends.  An address that somebody else takes off the interface is said, and asked
    for again when the lease is to be renewed.

    --dry-run asks as always and is granted a lease, which stays the server's to reuse after its
    time.  But nothing is configured, stored, probed, claimed by ARP or released, no remembered
    lease is asked for, and neither hook nor --dns is told.

    Ends at SIGTERM with status 0, at any other signal with 128 and its number (Ctrl-C: 130).
    Status 2: bad input, or an interface that went away; 3: --timeout.  With --json instants are in
    nanoseconds of CLOCK_BOOTTIME.  Nobody has to read: lines that would have to wait too long are
    left out, and their number is a line.
    """
    from holdover.reference.linux.client import ClientShell, Orders, dry
    from holdover.reference.linux.executor import Executor
    from holdover.reference.linux.hooks.dns import resolver
    from holdover.reference.linux.hooks.hook import Hook
    from holdover.reference.linux.hooks.line_writer import LineWriter
    from holdover.reference.linux.kernel.interface import Interface
    from holdover.reference.linux.kernel.privilege import drop
    from holdover.reference.linux.kernel.secondaries import neighbours_stay
    from holdover.reference.linux.kernel.sockets import LinkSocket, UdpPort
    from holdover.reference.linux.locks import lock_interface, lock_lease_file
    from holdover.reference.linux.storage.journal import Journal
    from holdover.reference.linux.storage.lease_file import path_of
    from holdover.reference.linux.supervisor import Supervisor

    dry_run, directory = given["dry_run"], None if given["dry_run"] else given["state_dir"]
    options = wishes(given["hostname"], given["request"])
    identifier = None if given["client_id"] is None else client_id(given["client_id"])
    with ExitStack() as opened:
        line = partial(format_line, interface, given["as_json"], dry_run)
        lines = LineWriter(
            STDOUT, lambda number: line("LOST", LOST.format(number), {"lines": number})
        )
        errors = LineWriter(STDERR, LOST.format)
        for each in (lines, errors):
            opened.callback(each.close, PATIENCE)
        warn = errors.put
        supervisor = opened.enter_context(closing(Supervisor()))
        there = opened.enter_context(closing(Interface(interface)))
        link = opened.enter_context(closing(LinkSocket(interface, CLIENT_PORT)))

        def there_is_ours() -> bool:
            return any(there.addresses().values())

        if directory is not None:
            there.check_permission()
            opened.enter_context(lock_interface(interface, there.index))
            opened.enter_context(lock_lease_file(directory, interface))
            opened.enter_context(neighbours_stay(interface, there.index, there_is_ours))
        port = opened.enter_context(closing(UdpPort(interface, CLIENT_PORT)))
        journal = opened.enter_context(closing(Journal(given["journal"], warn)))
        drop()  # all that wants more is open; before a hook or a line starts a thread
        config = ClientConfig(
            hardware=link.hardware,
            client_id=identifier or by_hardware(link.hardware),
            options=options,
        )
        if given["no_probe"]:
            config = replace(config, probes=0)
        hook = dns = None
        if given["hook"] is not None and not dry_run:
            hook = Hook(given["hook"], HOOK_LIMIT, warn, margin=config.margin)
            opened.callback(let_finish, hook)  # by then the address is gone
        if given["dns"] is not None and directory is not None:
            dns = resolver(given["dns"], interface, HOOK_LIMIT, warn)
            opened.callback(let_finish, dns)
            if not (there_is_ours() and path_of(directory, interface).exists()):
                dns.withdraw()  # what a killed predecessor has left

        def tell(notify: Notify) -> None:
            if dns is not None:
                dns.tell(notify.notice, notify.lease)
            word, words, about = report(notify, dry_run)
            lines.put(line(word, words, about))
            supervisor.tell(*supervisor_words(notify, words))

        def say(word: str, words: str, about: dict[str, Any]) -> None:
            lines.put(line(word, words, about))
            if word == "SILENT":
                supervisor.tell(words)

        executor = Executor(
            link, there, port, directory=directory, hook=hook, journal=journal, warn=warn, tell=tell
        )
        within = given["timeout"]
        orders = Orders(
            once=given["once"],
            release=given["release_on_exit"],
            dry=dry_run,
            within=None if within is None else int(within * SECOND),
            verbose=given["verbose"],
        )
        shell = ClientShell(dry(config) if dry_run else config, executor, orders, say, warn)
        supervisor.tell("asks for a lease")
        try:
            number = shell.run()
        finally:
            supervisor.tell("ends", "STOPPING=1")
        if shell.too_late:
            warn(
                f"error: {interface}: no address is in use after {float(within):g} s (--timeout); "
                "is there a DHCP server on this link?"
            )
            return LATE
    return 0 if number in (None, SIGTERM) else BY_SIGNAL + number


# What the options mean ---------------------------------------------------------------------------


def wishes(hostname: str | None, request: str | None) -> Options:
    """What each request carries; InputError where it cannot."""
    said: list[tuple[int, Any]] = []
    if hostname is not None:
        said.append(HOST_NAME(host_name("--hostname", hostname)))
    codes = tuple(option.code for option in USUAL)
    if request is not None:
        codes = tuple(dict.fromkeys(code(each.strip()) for each in request.split(",")))
    said.append(PARAMETER_REQUEST_LIST(codes))
    return Options(said)


def code(text: str) -> int:
    """The number of an option; InputError names what is meant instead."""
    if text.isdecimal():
        if not 0 < int(text) < 255:
            raise InputError(f"--request {text}: options have numbers from 1 to 254")
        return int(text)
    names = {option.name.lower().replace(" ", "-"): number for number, option in TABLE.items()}
    name = text.lower().replace(" ", "-").replace("_", "-")
    if name not in names:
        raise InputError(f"--request: no option {text!r}; {nearest(name, tuple(names))}")
    return names[name]


def client_id(text: str) -> bytes:
    """Bytes with colons between them as they are; text as RFC 2132 §9.14 has it, type 0."""
    if re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+", text):
        identifier = bytes.fromhex(text.replace(":", ""))
    else:
        identifier = b"\0" + text.encode()
    if not 2 <= len(identifier) <= LONGEST_ID:
        raise InputError(f"--client-id {text!r}: 2 to {LONGEST_ID} bytes are needed")
    return identifier


def by_hardware(hardware: bytes) -> bytes:
    """RFC 4361 §6.1: type 255, the interface's number, a DUID; all from the hardware address.

    So it is the same after each start, and nothing has to be kept.  Cited from memory, as is
    RFC 8415 §11.4 for the DUID (link-layer address, Ethernet).
    """
    return b"\xff" + hardware[-4:] + b"\0\x03\0\x01" + hardware


def let_finish(told: BackgroundQueue[Any]) -> None:
    """Wait for what is told to be done; Ctrl-C ends it at once."""
    with interruptible():
        try:
            told.close(HOOK_LIMIT)
        except KeyboardInterrupt:
            told.close()


# Lines -------------------------------------------------------------------------------------------


def report(notify: Notify, dry_run: bool) -> tuple[str, str, dict[str, Any]]:
    """One notice, its words and its fields; in a dry run nothing of what it says was done."""
    from holdover.reference.linux.kernel.clock import now
    from holdover.reference.linux.kernel.parameters import parameters
    from holdover.reference.linux.storage.json_values import to_json

    notice, lease = notify.notice, notify.lease
    granted = dry_run and notice is Notice.BOUND
    words = "a lease was granted, and is not used" if granted else notice.value
    if lease is None:
        return notice.name, words, {}
    words += f": {parameters(lease.address, lease.options).address} from {lease.server}"
    if notice in (Notice.BOUND, Notice.EXTENDED):
        left = "ever" if lease.end is None else f"{(lease.end - now()) // SECOND} s"
        words += f", for {left}"
    options = [{"code": code, "hex": data.hex()} for code, data in lease.options.pairs()]
    end = UNBOUNDED if lease.end is None else lease.end
    return notice.name, words, {**to_json(lease), "end": end, "options": options}


def supervisor_words(notify: Notify, words: str) -> tuple[str, ...]:
    """What a supervisor is told of a notice."""
    from holdover.reference.linux.kernel.parameters import parameters

    lease = notify.lease
    if notify.notice in (Notice.BOUND, Notice.EXTENDED) and lease is not None:
        address = parameters(lease.address, lease.options).address
        return f"{address}, leased by {lease.server}", "READY=1"
    return (words,)


def format_line(
    interface: str, as_json: bool, dry_run: bool, event: str, words: str, more: dict[str, Any]
) -> str:
    """What has happened, as a JSON object or for people."""
    from holdover.reference.linux.kernel.clock import now

    if as_json:
        head = {"at": now(), "event": event, "interface": interface, "dry_run": dry_run}
        return json_line("client", head | more)
    return f"{datetime.now():%H:%M:%S} {interface}: {words}"
