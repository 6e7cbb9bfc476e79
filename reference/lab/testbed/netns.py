"""Hosts on links of their own: network namespaces around a switch, and programs in them.

Theory of operation.  A link is a bridge in a namespace, and a cable (veth) to each host's `eth0`.
An interface of the machine may lead there too, with whatever is at the other end of its cable.
`Links` makes them and takes them away, with all that runs on the hosts.  Their names begin with
`ho-` and the pid of who made them.  Nothing is configured outside of them.

`Host.apart` starts a program in mount, pid and UTS namespaces of its own, with overlays on /etc and
/var/lib and an empty /run, so that no file of the machine is touched, and so that nothing it has
started outlives it.  Or in a root file system of another release, of which it sees nothing else.

What it does not know: DHCP.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING

from holdover.reference.lab.roots.root import ENTERED, HERE, KEPT, Root
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, eventually
from holdover.reference.linux.kernel.namespace import inside

if TYPE_CHECKING:  # the list of what can be played is there at once
    from holdover.reference.lab.warm.warm_python import WarmPython

COMMANDS = "from holdover.reference.cli import main; main()"
NUMBERS = itertools.count(1)
BRIDGE = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"

APART = (
    "unshare",
    "--mount",
    "--uts",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)

PREPARED = f"""
{HERE}
for place in etc var/lib; do
  mkdir -p "$1/$place/upper" "$1/$place/work"
  mount -t overlay -o "lowerdir=/$place,upperdir=$1/$place/upper,workdir=$1/$place/work" \\
    overlay "/$place"
done
mount --bind "$1/run" /run
eval "$2"
shift 2
"$@"
"""
"""What a shell does before the program: it stays as process 1, for that one ignores SIGTERM."""


class Host:
    """A host with an interface eth0, and a cable to a switch.

    `under`: words that start whatever is started on it from now on, as `env NAME=VALUE`.
    """

    def __init__(
        self,
        space: str,
        switch: str,
        port: str,
        place: Path,
        over: threading.Event,
        warm: WarmPython | None = None,
    ) -> None:
        self.space, self.switch, self.port = space, switch, port
        self.processes: list[Process] = []
        self.under: tuple[str | Path, ...] = ()
        self._place, self._over, self._warm = place, over, warm

    def start(self, *command: str | Path) -> Process:
        """A program that runs until it ends or is ended."""
        return self._start(self.space, *self.under, *command)

    def start_at_switch(self, *command: str | Path) -> Process:
        """The same at the other end of the cable."""
        return self._start(self.switch, *command)

    def _start(self, space: str, *command: str | Path) -> Process:
        if self._over.is_set():
            raise UnheardError(f"{space} is being taken away")
        words = [str(word) for word in command]
        if self._warm is not None and self._warm.runs(words):
            process = Process(self._warm.start(space, words))
        else:
            process = Process(("ip", "netns", "exec", space, *words))
        self.processes.append(process)
        return process

    def apart(
        self, *command: str | Path, setup: str = "", root: Root | None = None, kept: str = ""
    ) -> Process:
        """A program that sees files of its own; `setup` is a shell's, in its view of them.

        `root`: it is of that root file system, and sees that one's and the lab's.  `kept`: what it
        writes is kept under that name, and who is started with it later finds it.
        """
        place = self._place.absolute() / f"{self.space}-{kept or len(self.processes)}"
        place.mkdir(exist_ok=bool(kept))
        if kept:
            (place / KEPT).touch()
        if root is None:
            return self.start(*APART, "sh", "-ec", PREPARED, "sh", place, setup, *command)
        theirs = (root.path, self._place.absolute())
        return self.start(*APART, "sh", "-ec", ENTERED, "sh", place, setup, *theirs, *command)

    def holdover(self, *arguments: str | Path, under: tuple[str, ...] = ()) -> Process:
        """Our command line, started by another program if need be."""
        return self.start(*under, sys.executable, "-u", "-c", COMMANDS, *arguments)

    def run(self, *command: str | Path, seconds: float = PATIENCE) -> str:
        """What a program says on the host; UnheardError with its words where it fails."""
        process = self.start(*command)
        if process.ended(seconds) != 0:
            raise UnheardError(f"{' '.join(map(str, command))}: {process.errors}")
        return "\n".join(line for _, line in process.lines)

    def ip(self, *arguments: str) -> str:
        """What `ip` says, in the namespace."""
        return run("ip", "-n", self.space, *arguments)

    def cable(self, state: str) -> None:
        """Pull it out ("down") or put it in again ("up")."""
        run("ip", "-n", self.switch, "link", "set", self.port, state)

    def isolate(self, state: str) -> None:
        """While "on", isolated ports of the switch do not hear each other; carrier stays."""
        run("bridge", "-n", self.switch, "link", "set", "dev", self.port, "isolated", state)

    def watch(self) -> Process:
        """The kernel's own account of addresses: a line for each change from now on."""
        process = self.start("stdbuf", "-oL", "ip", "-o", "-4", "monitor", "address")
        eventually(lambda: _listens(process.running.pid), PATIENCE, "ip monitor listens")
        return process

    @property
    def hardware(self) -> str:
        """The hardware address of eth0."""
        return str(json.loads(self.ip("-j", "link", "show", "dev", "eth0"))[0]["address"])

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

    def end(self) -> None:
        """End whatever runs on it."""
        for process in list(self.processes):
            with contextlib.suppress(UnheardError):
                process.end()


class Links:
    """Makes links with hosts, and takes them away; `place` is where programs keep files.

    `warm`: what starts our own programs there; None: each starts a Python.
    """

    def __init__(self, place: Path, warm: WarmPython | None = None) -> None:
        self._prefix, self._place, self._warm = f"ho-{os.getpid()}", place, warm
        self._spaces: list[str] = []
        self._hosts: list[Host] = []
        self._over = threading.Event()

    def __call__(self, plugged: str | None = None, /, **hosts: str | None) -> dict[str, Host]:
        """Hosts on one link, each with this address ("10.0.0.1/24") or none.

        `plugged`: an interface of where this is called, whose cable leads into the switch as well.
        """
        number = next(NUMBERS)
        switch, *spaces = (f"{self._prefix}-{number}-{name}" for name in ("sw", *hosts))
        self._spaces += [switch, *spaces]
        run_batch(f"netns add {each}" for each in (switch, *spaces))
        for each in (switch, *spaces):
            switch_off_ipv6(each)
        ports = [f"p{name}" for name in hosts]
        cables = [
            f"link add {port} master br0 up type veth peer name eth0 netns {space}"
            for port, space in zip(ports, spaces, strict=True)
        ]
        run_batch(["link set lo up", f"link add br0 up {BRIDGE}", *cables], switch)
        made = {}
        for name, space, port in zip(hosts, spaces, ports, strict=True):
            made[name] = Host(space, switch, port, self._place, self._over, self._warm)
            self._hosts.append(made[name])
            own = [f"addr add {hosts[name]} dev eth0"] if hosts[name] is not None else []
            run_batch(["link set lo up", "link set eth0 up", *own], space)
        if plugged is not None:
            plug_in(plugged, switch)
        return made

    def end(self) -> None:
        """End whatever runs; nothing else begins."""
        self._over.set()
        for host in self._hosts:
            host.end()

    def close(self) -> None:
        """Leave nothing behind."""
        self.end()
        with contextlib.suppress(UnheardError):
            run_batch((f"netns del {space}" for space in self._spaces), None, "-force")


PLUGGED = "pdevice"
"""The port of a switch that an interface of the machine leads to."""


def plug_in(interface: str, switch: str) -> None:
    """The cable of an interface leads into a switch, for as long as that is there.

    A macvlan in passthru mode takes whatever the interface hears, and sends as whoever it likes;
    the interface itself stays where it is, as it is.  UnheardError where the kernel does not.
    """
    cable = f"link add link {interface} name {PLUGGED} netns {switch} type macvlan mode passthru"
    run("ip", *cable.split())
    run(*f"ip -n {switch} link set {PLUGGED} master br0 up".split())


def run(*command: str, said: str | None = None) -> str:
    """What a command says, to which this is said; UnheardError with its words where it fails."""
    done = subprocess.run(
        command, input=said, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    if done.returncode != 0:
        raise UnheardError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def run_batch(lines: Iterable[str], space: str | None = None, *options: str) -> None:
    """Have one `ip` do several things, in a namespace or here; UnheardError where one fails."""
    where = () if space is None else ("-n", space)
    run("ip", *options, *where, "-batch", "-", said="".join(f"{line}\n" for line in lines))


def switch_off_ipv6(space: str) -> None:
    """Nothing but IPv4 is on a link of the lab, where the kernel has more."""
    with inside(space):
        for scope in ("all", "default"):
            setting = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
            if setting.exists():
                setting.write_text("1\n")


def _listens(process: int) -> bool:
    """Whether it hears of changes; once it has ended, what it said tells more."""
    with contextlib.suppress(OSError):
        sockets = Path(f"/proc/{process}/net/netlink").read_text().splitlines()[1:]
        return any(_is_monitor(line.split(), process) for line in sockets)
    return True


def _is_monitor(socket: list[str], process: int) -> bool:
    """A line of /proc/net/netlink: rtnetlink, of that process, with multicast groups."""
    _, protocol, port, groups, *_ = socket
    return (protocol, port) == ("0", str(process)) and int(groups, 16) != 0
