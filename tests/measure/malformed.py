"""`python -m tests.measure.malformed [CLIENT ...]`: who is bound where an option is malformed.

Each row is a link in network namespaces of its own, with a server (tests/net/odd.py) all of whose
replies have one option that is not as its RFC has it, and with every client
(reference/lab/testbed/clients.py).  A cell says whether the kernel had the address that was
granted.  Exit status 1: the reference client was not bound where the lease does not rest on the
option, or was where it does.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from holdover.reference.console.exit import EXIT
from holdover.reference.docs.markdown import table
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PAUSE, Process
from tests.net import odd

NET, LEASED = "10.77.0.0", "10.77.0."
LONG = 60
"""Seconds in which a client is bound, if it ever is: three times what the slowest one took."""

AT_ONCE = 40
"""Clients that two cores bear."""

ODD = (sys.executable, "-u", "-c", inspect.getsource(odd))
"""What runs `tests/net/odd.py`."""

TYPE = "TYPE"
SERVER, LEASE, MASK, ROUTER = "36040a4d0001", "330400000258", "0104ffffff00", "03040a4d0001"
GOOD = TYPE + SERVER + LEASE + MASK


@dataclass(frozen=True, slots=True)
class Case:
    """The options of each reply; `rests`: a lease rests on the one that is malformed."""

    options: str
    rests: bool = False


CASES: Mapping[str, Case] = {
    # The ten that a foreign reader tried, word for word.
    "option 6 of length 0": Case(GOOD + "0600"),
    "option 43 of length 0": Case(GOOD + "2b00"),
    "option 42 of length 0": Case(GOOD + "2a00"),
    "option 3 of length 0": Case(GOOD + "0300"),
    "option 60 of length 0": Case(GOOD + "3c00"),
    "option 2 of length 3": Case(GOOD + "0203000e10"),
    "option 26 of length 1": Case(GOOD + "1a01dc"),
    "option 28 of length 3": Case(GOOD + "1c030a4d00"),
    "option 58 of length 3": Case(GOOD + "3a03000005"),
    "option 121 with a mask of 33 bits": Case(GOOD + ROUTER + "7909210a0000000a4d0001"),
    # Of the same sort.
    "option 1 of length 3": Case(TYPE + SERVER + LEASE + "0103ffffff"),
    "option 59 of length 5": Case(GOOD + "3b050000000500"),
    "option 6 in two pieces of 3 bytes in all": Case(GOOD + "06020a4d060100"),
    "option 12 goes on past the end": Case(GOOD + "0cff6162"),
    "option 52 of value 4": Case(GOOD + "340104"),
    # On these a lease rests.
    "option 51 of length 3": Case(TYPE + SERVER + MASK + "3303000258", rests=True),
    "option 51 twice": Case(GOOD + LEASE, rests=True),
    "option 53 of length 2": Case(SERVER + LEASE + MASK + "35020205", rests=True),
    "option 54 of length 3": Case(TYPE + LEASE + MASK + "36030a4d00", rests=True),
    "option 54 goes on past the end": Case(TYPE + LEASE + MASK + "36ff0a4d0001", rests=True),
    "option 61 of length 1": Case(GOOD + "3d0101", rests=True),
}


def ended(name: str) -> str:
    """The case's options with an end, where it is to have one."""
    options = CASES[name].options
    return options if "past the end" in name else options + "ff"


def play(links: Links, place: Path, name: str, clients: Sequence[str]) -> dict[str, bool]:
    """Who is bound in a case.  A lease rests on an option that nobody took: told after `LONG`."""
    hosts = links(srv="10.77.0.1/24", **{f"c{number}": None for number in range(len(clients))})
    serve(hosts["srv"], ended(name))
    mine = {client: hosts[f"c{number}"] for number, client in enumerate(clients)}
    running = {client: start(host, place, client) for client, host in mine.items()}
    end = time.monotonic() + LONG
    bound: set[str] = set()
    while time.monotonic() < end and len(bound) < len(clients):
        bound |= {client for client, host in mine.items() if has_lease(host)}
        time.sleep(PAUSE)
    for process in running.values():
        process.end()
    return {client: client in bound for client in clients}


def serve(host: Host, options: str, tag: str = "") -> Process:
    """A server whose messages have these options and this tag."""
    server = host.start(*ODD, "serve", NET, options, tag)
    server.says("serves", LONG)
    return server


def start(host: Host, place: Path, client: str) -> Process:
    """A client of the lab's."""
    return CLIENTS[client].start(host, place / f"{host.space}")


def has_lease(host: Host) -> bool:
    """Whether the kernel has an address of the server's."""
    return any(str(address.ip).startswith(LEASED) for address in host.addresses())


def play_all(
    links: Links, place: Path, clients: Sequence[str], cases: Sequence[str]
) -> dict[str, dict[str, bool]]:
    """Every case; most of the time they wait."""
    with ThreadPoolExecutor(max(1, AT_ONCE // len(clients))) as pool:
        played = {name: pool.submit(play, links, place, name, clients) for name in cases}
        return {name: future.result() for name, future in played.items()}


def page(seen: Mapping[str, Mapping[str, bool]], clients: Sequence[str]) -> str:
    """The table."""
    rows = [
        [f"{name}{', on which a lease rests' if CASES[name].rests else ''}"]
        + ["bound" if seen[name][client] else "not" for client in clients]
        for name in seen
    ]
    return table(["a reply with", *clients], rows)


@click.command()
@click.argument("clients", nargs=-1, type=click.Choice(list(CLIENTS)))
def main(clients: tuple[str, ...]) -> None:
    """Play every case with these clients, or with all that are on the machine."""
    chosen = clients or tuple(
        name for name, each in CLIENTS.items() if each.usual and each.missing() is None
    )
    with tempfile.TemporaryDirectory() as place, closing(Links(Path(place))) as links:
        seen = play_all(links, Path(place), chosen, list(CASES))
    click.echo(page(seen, chosen))
    wrong = [name for name in seen if seen[name].get("reference") is CASES[name].rests]
    sys.exit(EXIT["violated"] if wrong else EXIT["holds"])


if __name__ == "__main__":
    main()
