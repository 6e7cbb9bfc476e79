"""A link with a server, a client and another host, on which most scenes are played."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import NamedTuple

from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process
from tests.net.scenes import Site

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
OURS = IPv4Interface(f"{LEASED}/24")

Picture = tuple[str, str, str]
"""Addresses, routes, link (`Host.picture`)."""


class Explained(NamedTuple):
    """What `holdover explain` says of a journal."""

    status: int
    lines: list[str]


@dataclass(frozen=True)
class Stage(Site):
    """A link with a server, a client and another host, and a place for files."""

    srv: Host
    cli: Host
    other: Host

    @classmethod
    def on(cls, links: Links, place: Path) -> Stage:
        """A new link, on which the server has its address."""
        return cls(links, place, **links(srv=f"{SERVER}/24", cli=None, other=None))

    @property
    def state(self) -> Path:
        """Where the client keeps its lease."""
        return self.place / "state"

    @property
    def stored(self) -> Path:
        """The file that has the lease."""
        return self.state / "eth0.json"

    @property
    def journal(self) -> Path:
        """The client's, where it is told to keep one."""
        return self.place / "journal"

    def server(self, *more: str | Path, lease: int = 10, under: tuple[str, ...] = ()) -> Process:
        """`holdover server` with one address, when it serves; `under`: words that start it."""
        words = f"server eth0 --pool {LEASED} --lease {lease} --router {SERVER} --no-probe --json"
        process = self.srv.holdover(*words.split(), *more, under=under)
        process.says("started", PATIENCE)
        return process

    def client(self, *more: str | Path, under: tuple[str, ...] = ()) -> Process:
        """`holdover client`, which probes unless it is told not to."""
        words = ("client", "eth0", "--state-dir", self.state, "--json")
        return self.cli.holdover(*words, *more, under=under)

    def bound(self, *more: str | Path, under: tuple[str, ...] = ()) -> Process:
        """A client that does not probe, when it has an address."""
        process = self.client("--no-probe", *more, under=under)
        process.says("BOUND", PATIENCE)
        return process

    def explain(self) -> Explained:
        """What is to be said of the client's journal."""
        process = self.cli.holdover("explain", self.journal)
        return Explained(process.ended(PATIENCE), [line for _, line in process.lines])

    def stop(self, client: Process, before: Picture) -> None:
        """Ctrl-C: the client ends with its status, and its host is as it was before."""
        client.signal(signal.SIGINT)
        assert client.ended(PATIENCE) == 130
        assert self.cli.picture() == before
