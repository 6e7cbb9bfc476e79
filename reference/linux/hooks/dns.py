"""Name servers and search domains of a lease, given to resolvconf or written to a file; if asked.

Theory of operation.  A `Resolver` is told each notice after the fact, and returns at once: a thread
of its own (`background.py`) does what follows from the latest one.  While an address is in use,
what its lease says is there, if it names a server; otherwise it is withdrawn.  What has not changed
is not done again; what has failed is, at the next notice.

`Resolvconf` hands lines to `resolvconf -a INTERFACE.holdover` and takes them back by `-d`, with a
time limit.  `File` puts a file in the place of another: written aside, synced, renamed, and the
directory synced.  What was there is kept beside, by a hard link, so that the same file with the
same owner and mode comes back.  The first line says whose the file is; only what has it is
replaced or withdrawn, so that what somebody else has written meanwhile stays.  A symbolic link is
refused: who made it writes what it leads to.  So is a file that cannot be renamed to, as one that
is mounted by itself in a container.

A killed client leaves what it has written; the next one finds it by that first line, and
resolvconf by the interface's name.

Values are the network's: only addresses of hosts, and names as in `environment.py`, become lines.

What it does not know: what resolvconf does with the lines; two clients that are to write one file,
but that the second leaves it alone.  Search domains of RFC 3397 (option 119), which `options.py`
has only as bytes.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from holdover.model.errors import InputError
from holdover.reference.core.events import Lease, Notice
from holdover.reference.linux.hooks.hook import Commands, words
from holdover.reference.linux.hooks.hook_variables import GRANTS, name
from holdover.reference.linux.kernel.privilege import check_safe
from holdover.reference.linux.storage.journal import LOG
from holdover.reference.linux.storage.lease_file import sync, write
from holdover.reference.wire.options import DOMAIN_NAME, NAME_SERVERS

MANAGERS = {
    "/run/systemd/resolve/": "systemd-resolved",
    "/usr/lib/systemd/": "systemd-resolved",
    "/run/resolvconf/": "resolvconf",
    "/etc/resolvconf/": "resolvconf",
    "/run/NetworkManager/": "NetworkManager",
    "/run/connman/": "connman",
    "/run/netconfig/": "netconfig",
}
"""Who writes what a /etc/resolv.conf in these directories leads to."""


MARK = "# from holdover client "
"""How a file of ours begins."""


class Resolver(Commands[Lease | None]):
    """Whoever is to know the name servers; `limit` and `note` as of a hook."""

    def __init__(
        self, title: str, interface: str, limit: float, note: Callable[[str], None]
    ) -> None:
        super().__init__(title, limit, note, name="dns", most=1)
        self._interface = interface
        self._known, self._text = False, b""
        self._refused: set[IPv4Address] = set()

    def tell(self, notice: Notice, lease: Lease | None) -> None:
        """What follows from a notice; returns at once."""
        self.put(lease if notice in GRANTS else None)

    def withdraw(self) -> None:
        """Nothing of ours is to be there; returns at once."""
        self.put(None)

    def _do(self, thing: Lease | None) -> None:
        self._check(() if thing is None else name_servers(thing))
        text = b"" if thing is None else lines(thing)
        if not self._known or text != self._text:
            self._known, self._text = self._publish(text) if text else self._take_back(), text

    def _check(self, servers: tuple[IPv4Address, ...]) -> None:
        """Say once of each that cannot be a name server."""
        for each in servers:
            if not is_host(each) and each not in self._refused and len(self._refused) < 16:
                self._refused.add(each)
                self._say(f"the server names {each}, which cannot be a name server; it is left out")

    @abstractmethod
    def _publish(self, text: bytes) -> bool:
        """Put the lines there; whether it could be done."""

    @abstractmethod
    def _take_back(self) -> bool:
        """Leave nothing of ours there; whether it could be done."""


class Resolvconf(Resolver):
    """The program resolvconf; InputError where it is missing, or others could change it."""

    def __init__(
        self, interface: str, limit: float = 10.0, note: Callable[[str], None] = LOG.warning
    ) -> None:
        title = "--dns resolvconf"
        super().__init__(title, interface, limit, note)
        self._words, self._record = words("resolvconf", title), f"{interface}.holdover"

    def _publish(self, text: bytes) -> bool:
        return self._command("-a", [*self._words, "-a", self._record], {}, text)

    def _take_back(self) -> bool:
        """Where nothing is known to be there, some fail at what they do not find."""
        unknown = not self._known
        return self._command("-d", [*self._words, "-d", self._record], {}, may_fail=unknown)


class File(Resolver):
    """A file as /etc/resolv.conf; InputError where another cannot be put in its place."""

    def __init__(
        self,
        path: Path,
        interface: str,
        limit: float = 10.0,
        note: Callable[[str], None] = LOG.warning,
    ) -> None:
        super().__init__(f"--dns {path}", interface, limit, note)
        self._path = path
        self._kept = path.with_name(f"{path.name}.before-{interface}")
        self._aside = path.with_name(f"{path.name}.{interface}-new")
        check_replaceable(path, self._aside, interface)

    def _publish(self, text: bytes) -> bool:
        try:
            if not self._ours():
                self._keep()
            self._aside.unlink(missing_ok=True)
            write(self._aside, mark(self._interface).encode() + b"\n" + text)
            self._aside.chmod(0o644)
            self._aside.rename(self._path)
            sync(self._path.parent)
        except (OSError, InputError) as error:
            return self._note_failure("not written", error)
        return True

    def _keep(self) -> None:
        """What is there before, beside it; InputError where it is not to be replaced."""
        check_own(self._path, self._interface)
        self._kept.unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # then there was none
            os.link(self._path, self._kept)
        sync(self._path.parent)

    def _take_back(self) -> bool:
        try:
            if not self._ours():
                if self._known and self._text:
                    self._say("somebody else has written it; it stays as it is")
                return True
            if self._kept.exists():
                self._kept.rename(self._path)
            else:
                self._path.unlink()
            sync(self._path.parent)
        except OSError as error:
            return self._note_failure("not restored", error)
        return True

    def _ours(self) -> bool:
        """Whether a client for the interface has written what is there."""
        return first_line(self._path) == mark(self._interface).encode() + b"\n"

    def _note_failure(self, what: str, error: OSError | InputError) -> bool:
        self._say(f"{what}: {error.strerror if isinstance(error, OSError) else error}")
        return False


def resolver(where: str, interface: str, limit: float, note: Callable[[str], None]) -> Resolver:
    """What `--dns` names; InputError where that cannot be."""
    if where == "resolvconf":
        return Resolvconf(interface, limit, note)
    if "/" not in where:
        raise InputError(f"--dns {where}: expected `resolvconf`, or a path as /etc/resolv.conf")
    return File(Path(where).absolute(), interface, limit, note)


# Values and files --------------------------------------------------------------------------------


def lines(lease: Lease) -> bytes:
    """What a lease says, as resolv.conf(5) has it; nothing where it names no server."""
    servers = [f"nameserver {each}\n" for each in name_servers(lease) if is_host(each)]
    if not servers:
        return b""
    domain = name(str(lease.options.get(DOMAIN_NAME.code, "")))
    return "".join([f"search {domain}\n"] * bool(domain) + servers).encode()


def mark(interface: str) -> str:
    """The first line of the file of a client."""
    return f"{MARK}{interface}; it goes with the lease"


def name_servers(lease: Lease) -> tuple[IPv4Address, ...]:
    """The name servers of a lease, whatever they are."""
    given: Any = lease.options.get(NAME_SERVERS.code, ())
    return tuple(given)


def is_host(address: IPv4Address) -> bool:
    """Whether a host beside this one can have it: RFC 1122 §3.2.1.3.

    Neither of this network (0), nor loopback (127), nor multicast, broadcast or reserved.
    """
    return 0 < address.packed[0] < 224 and not address.is_loopback


def check_replaceable(path: Path, aside: Path, interface: str) -> None:
    """InputError where no file of ours can be put in its place."""
    check_safe(path.parent)
    check_own(path, interface)
    try:
        aside.unlink(missing_ok=True)
        if path.exists():
            os.link(path, aside)
        else:
            aside.touch()
        aside.unlink()
    except OSError as error:
        raise InputError(
            f"--dns {path}: no file can be put in its place: {error.strerror}.  Name another, or "
            "use --dns resolvconf, or a hook"
        ) from None


def check_own(path: Path, interface: str) -> None:
    """InputError where it is a symbolic link, no file, or another client's."""
    if path.is_symlink():
        target = os.path.normpath(path.parent / path.readlink())
        plain = target.removeprefix("/var") if target.startswith("/var/run/") else target
        who = [who for where, who in MANAGERS.items() if plain.startswith(where)]
        whose = f", which {who[0]} writes" if who else ""
        raise InputError(
            f"--dns {path}: it is a symbolic link to {target}{whose}.  Use --dns resolvconf, or a "
            "hook that tells whoever made the link"
        )
    if path.exists() and not path.is_file():
        raise InputError(f"--dns {path}: it is no file")
    line = first_line(path).decode(errors="replace").strip()
    if line.startswith(MARK) and line != mark(interface):
        raise InputError(f"--dns {path}: it begins with {line!r}: name another for {interface}")


def first_line(path: Path) -> bytes:
    """The first line of a file; empty where there is none, or a symbolic link."""
    if path.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.readline(1 << 10)
