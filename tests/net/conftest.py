"""Hosts on a link of their own: network namespaces, and what runs in them.

Whatever a test has started is ended, and its namespaces are removed, also where it fails or is
interrupted.  Nothing is configured outside of them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import IO, Any

import pytest

COMMANDS = "from holdover.reference.cli import main; main()"
NUMBERS = itertools.count(1)


def boottime() -> int:
    """Nanoseconds, as the cores have them."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def eventually(wanted: Callable[[], Any], seconds: float, what: str) -> Any:
    """What `wanted` gives as soon as it is true; a failure if it is not in time."""
    end = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return found


@dataclass
class Process:
    """A program in a namespace; its lines, each with the instant when it was read."""

    running: subprocess.Popen[str]
    lines: list[tuple[int, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.running.stdout is not None
        assert self.running.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(self.running.stdout, self._line)),
            threading.Thread(target=self._read, args=(self.running.stderr, self.errors.append)),
        ]
        for reader in self._readers:
            reader.start()

    def _line(self, line: str) -> None:
        self.lines.append((boottime(), line))

    @staticmethod
    def _read(stream: IO[str], take: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                take(line.rstrip("\n"))

    def said(self, pattern: str) -> list[tuple[int, str]]:
        """Its lines with that in them, so far."""
        return [(at, line) for at, line in list(self.lines) if re.search(pattern, line)]

    def says(self, pattern: str, seconds: float, *, times: int = 1) -> tuple[int, str]:
        """When it has said it so often, and that line."""
        end = time.monotonic() + seconds
        while len(found := self.said(pattern)) < times:
            over = not any(reader.is_alive() for reader in self._readers)
            found = self.said(pattern)  # it may have been its last line
            if len(found) < times:
                why = "it has ended" if over else f"not within {seconds} s"
                told = f"{pattern}: {why}\n{self.lines}\n{self.errors}"
                assert not over and time.monotonic() < end, told  # noqa: PT018
                time.sleep(0.02)
        return found[times - 1]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The JSON lines about that event."""
        lines = (json.loads(line) for _, line in list(self.lines) if line.startswith("{"))
        return [line for line in lines if line["event"] == name]

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.running.send_signal(number)

    def ended(self, seconds: float = 20) -> int:
        """Its status, when it has ended and everything it said is read."""
        status = self.running.wait(seconds)
        for reader in self._readers:
            reader.join(seconds)
        return status

    def end(self) -> None:
        """End it, whatever state it is in."""
        self.running.kill()
        self.ended()


@dataclass
class Host:
    """A host with an interface eth0, and a cable to a switch."""

    space: str
    switch: str
    port: str
    over: threading.Event
    processes: list[Process] = field(default_factory=list)

    def start(self, *command: str | Path) -> Process:
        """A program that runs until it ends or is ended."""
        assert not self.over.is_set()
        running = subprocess.Popen(
            ["ip", "netns", "exec", self.space, *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        process = Process(running)
        self.processes.append(process)
        return process

    def holdover(self, *arguments: str | Path, under: tuple[str, ...] = ()) -> Process:
        """The command line, started by another program if need be."""
        return self.start(*under, sys.executable, "-u", "-c", COMMANDS, *arguments)

    def ip(self, *arguments: str) -> str:
        """What `ip` says, in the namespace."""
        return run("ip", "-n", self.space, *arguments)

    def cable(self, state: str) -> None:
        """Pull it out ("down") or put it in again ("up")."""
        run("ip", "-n", self.switch, "link", "set", self.port, state)

    def watch(self) -> Process:
        """The kernel's own account of addresses: a line for each change."""
        process = self.start("stdbuf", "-oL", "ip", "-o", "-4", "monitor", "address")
        time.sleep(0.1)
        return process

    def addresses(self) -> dict[IPv4Interface, int]:
        """The IPv4 addresses of eth0, and for how many seconds each is valid."""
        (link,) = json.loads(self.ip("-j", "-4", "addr", "show", "dev", "eth0")) or [{}]
        return {
            IPv4Interface((each["local"], each["prefixlen"])): each["valid_life_time"]
            for each in link.get("addr_info", ())
        }

    def has(self, address: IPv4Address) -> bool:
        """Whether eth0 has it."""
        return any(each.ip == address for each in self.addresses())

    def picture(self) -> tuple[str, str, str]:
        """All that a client may change: addresses, routes, link."""
        link = self.ip("-o", "link", "show", "dev", "eth0")
        return self.ip("-o", "-4", "addr"), self.ip("route"), link.partition("link/")[0]


def run(*command: str) -> str:
    """What a command says; its words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


class Links:
    """Makes links with hosts, and takes them away."""

    def __init__(self) -> None:
        self._prefix = f"ho-{os.getpid()}"
        self._spaces: list[str] = []
        self._hosts: list[Host] = []
        self._over = threading.Event()

    def __call__(self, **hosts: str | None) -> dict[str, Host]:
        """Hosts on one link, each with this address or none."""
        number = next(NUMBERS)
        switch = self._space(f"{number}-sw")
        bridge = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        run(*f"ip -n {switch} link add br0 {bridge}".split())
        run(*f"ip -n {switch} link set br0 up".split())
        made = {}
        for name, address in hosts.items():
            host = made[name] = Host(
                self._space(f"{number}-{name}"), switch, f"p{name}", self._over
            )
            self._hosts.append(host)
            cable = f"p{name} type veth peer name eth0 netns {host.space}"
            run(*f"ip -n {switch} link add {cable}".split())
            run(*f"ip -n {switch} link set p{name} master br0 up".split())
            host.ip("link", "set", "eth0", "up")
            if address is not None:
                host.ip("addr", "add", address, "dev", "eth0")
        return made

    def _space(self, name: str) -> str:
        space = f"{self._prefix}-{name}"
        self._spaces.append(space)
        run("ip", "netns", "add", space)
        for scope in ("all", "default"):
            setting = f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"
            run(
                "ip", "netns", "exec", space, "sh", "-c", f"[ ! -e {setting} ] || echo 1 >{setting}"
            )
        run(*f"ip -n {space} link set lo up".split())
        return space

    def end(self) -> None:
        """End whatever runs; nothing else begins."""
        self._over.set()
        for host in self._hosts:
            for process in list(host.processes):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.end()

    def close(self) -> None:
        """Leave nothing behind."""
        self.end()
        for space in self._spaces:
            subprocess.run(
                ["ip", "netns", "del", space], check=False, capture_output=True, timeout=20
            )


@pytest.fixture(scope="session")
def privileged() -> None:
    """Skips where no namespaces can be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    for program in ("ip", "stdbuf"):
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")


@pytest.fixture(scope="module")
def links(privileged: None) -> Iterator[Links]:
    """A maker of links; taken away when the module is done."""
    made = Links()
    try:
        yield made
    finally:
        made.close()
