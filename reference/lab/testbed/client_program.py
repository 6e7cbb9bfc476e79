"""How a DHCP client is started: its command line, and what is prepared for it.

Theory of operation.  A `ClientProgram` is a command line, and what a shell prepares for it in its
own view of files: a configuration below /run, a read-only /sys, a bus.  `start` fills in the words
in braces and starts it by `Host.apart`: in mount and pid namespaces of its own, so that no file of
the machine changes and none of its processes outlives it.  What it keeps (a lease, a journal) it
keeps in `place`.

    {iface}    the interface          {place}  its own directory
    {python}   this interpreter       {hook}   nothing, or what gives it a hook that blocks
    {identity} nothing, or what gives it the client identifier that another host has as well

A command line of the user's may have {hook} where its client wants the path of a program, or
{hook:PATH} where that is to run another one: {hook:/etc/udhcpc/default.script}.

A hook that blocks is the dialog that nobody clicks: it is told that an address goes and takes its
time before it does what is usually done.  For a client that has removed the address by then, it
comes too late to do harm.  At other events it does not block, so that a lease begins as always.

The shell that has prepared all stays as process 1, and ends with the client.  `processes` are the
client's own: they are what a fault kills or a test asks to end.  Addresses belong to the host and
stay, whoever dies.

What it does not know: which clients there are (`clients.py`), faults, servers, and what a client
has done.  `place` must not be below /run, where the client would not see it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from holdover.model.errors import InputError
from holdover.reference.lab.roots.root import Root, upstream
from holdover.reference.lab.testbed.netns import Host
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, read_bytes

INTERFACE = "eth0"
"""Every host's (netns.py)."""


BUS = "dbus-daemon"
"""A helper that is started for some clients, and is none of their processes."""


CLONE = "00:63:6c:6f:6e:65"
"""The client identifier (option 61) of hosts that have one and the same: type 0, and "clone"."""

SHELL_HOOK = """#!/bin/sh
case ${reason:-$1} in
EXPIRE | NAK | RELEASE | STOP) sleep {seconds} ;;
deconfig) [ -z "$(ip -4 -o addr show dev "$interface")" ] || sleep {seconds} ;;
esac
exec {script} "$@"
"""
"""What it blocks is `script`; udhcpc says `deconfig` at its start too, when there is no address."""


NOTHING = "true"
"""The program that does nothing, and does it well."""


@dataclass(frozen=True, slots=True)
class HookWords:
    """How a client is given a hook: words of its command line, a file in its place, and its text.

    `script` is what the client runs otherwise.  `always`: the file is there in any case, and blocks
    where that is the fault.
    """

    words: str
    script: str = NOTHING
    file: str = "hook"
    text: str = SHELL_HOOK
    always: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientProgram:
    """A DHCP client, and how it is started.

    `needs`: programs, or files, that must be there; `package` has them: Debian's or PyPI's, "" for
    our own.  `lease`: seconds, short, and such that it does what it does with longer ones.
    `profile`: the built-in one that describes it.  `version_command`: prints its version.
    `setup`: a shell's, in its view of files.  `script`: the text of {place}/script.  `identity`:
    what gives it the client identifier CLONE; "": it takes none from its user.  `usual`: it is
    played where no client is named.  `former_package`: Debian's that had it once.  `root`: the root
    file system that it is of; None: the machine's.  `runs`: a program that it starts to do the
    work, or else it is not what its name says.  `others`: from which version on, before which, and
    which profile describes those ("": from the first, to the last).
    """

    name: str
    title: str
    command: str
    needs: tuple[str, ...] = ()
    package: str = ""
    lease: int
    profile: str | None = None
    version_command: tuple[str, ...] = ()
    setup: str = ""
    script: str = ""
    hook: HookWords | None = None
    identity: str = ""
    usual: bool = True
    former_package: str = ""
    root: Root | None = None
    runs: str = ""
    others: tuple[tuple[str, str, str], ...] = ()

    @property
    def label(self) -> str:
        """Its name, with that of the root file system that it is of: trixie/udhcpc."""
        return self.name if self.root is None else f"{self.root.name}/{self.name}"

    def in_root(self, root: Root) -> ClientProgram:
        """The client of a root file system, with the profile of the version that is there."""
        there = replace(self, root=root)
        with suppress(UnheardError):
            numbers = version_numbers(there.version())
            for since, before, profile in self.others:
                is_older = not before or numbers < version_numbers(before)
                if version_numbers(since) <= numbers and is_older:
                    return replace(there, profile=profile)
        return there

    def missing(self) -> str | None:
        """The programs and files that are not here, or not in its root."""
        if self.root is not None:
            return self._missing_in(self.root)
        gone = (each for each in self.needs if not (shutil.which(each) or Path(each).is_file()))
        return ", ".join(gone) or None

    def _missing_in(self, root: Root) -> str | None:
        if not self.needs:
            return f"{self.name} in {root.name}: it is of no root file system"
        gone = [each for each in self.needs if not root.has(each)]
        return f"{', '.join(gone)} in {root.path}" if gone else None

    def version(self) -> str:
        """Its version, as it says itself, or its package in its root; UnheardError: none says."""
        if self.root is not None:
            return upstream(self._package_version(self.root))
        said = ""
        if self.version_command:
            done = subprocess.run(
                self.version_command, capture_output=True, text=True, check=False, timeout=PATIENCE
            )
            said = done.stdout + done.stderr
        if (found := re.search(r"\d+(\.\d+)*(-P\d+)?", said)) is None:
            raise UnheardError(f"{self.name} says no version: {said}")
        return found[0]

    def _package_version(self, root: Root) -> str:
        for package in filter(None, (self.package, self.former_package)):
            if (version := root.version(package)) is not None:
                return version
        raise UnheardError(f"{self.label}: {root.path} has no package {self.package}")

    def start(
        self,
        host: Host,
        place: Path,
        *,
        hook_blocks: float | None = None,
        cloned: bool = False,
        kept: bool = False,
    ) -> Process:
        """Start it on a host; `hook_blocks`: seconds that its hook takes before an address goes.

        `cloned`: with the client identifier CLONE.  `kept`: it may be started again, and then finds
        what it has written.  InputError where it is to have a hook, or that identifier, and knows
        none.
        """
        if hook_blocks is not None and self.hook is None:
            raise InputError(f"{self.name} has no hook that could block")
        if cloned and not self.identity:
            raise InputError(f"{self.name} {NO_IDENTITY}")
        place = place.absolute()
        place.mkdir(parents=True, exist_ok=True)
        values = {
            "iface": INTERFACE,
            "place": str(place),
            "python": sys.executable if self.root is None else "python3",
            "hook": "",
            "identity": self.identity if cloned else "",
        }
        if self.script:
            _write(place / "script", self.script)
        if self.hook is not None and (hook_blocks is not None or self.hook.always):
            values["hook"] = _filled(self.hook.words, values)
            script = _filled(self.hook.script, values)
            text = _filled(self.hook.text, {"seconds": f"{hook_blocks or 0:g}", "script": script})
            _write(place / self.hook.file, text)
        setup = _filled(self.setup, values)
        command = shlex.split(_filled(self.command, values))
        files = "client" if kept else ""
        return host.apart(*command, setup=setup, root=self.root, kept=files)


def version_numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with, to compare it: 1.30.1 is before 1.34."""
    return tuple(map(int, re.findall(r"\d+", version.partition("-")[0])))


PLAIN = ("hook", "identity")
"""Several words, or the line of a file."""

NO_IDENTITY = "takes no client identifier from its user"


def _filled(text: str, values: Mapping[str, str]) -> str:
    """A text with values for words in braces, as one word of a shell each; but for PLAIN."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value if name in PLAIN else shlex.quote(value))
    return text


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def client_from_command(command: str) -> ClientProgram:
    """A client by its command line, as `udhcpc -f -i {iface}`; InputError where it is none."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"client {command!r}: {error}") from None
    if not words:
        raise InputError("client: a command line is needed, as 'udhcpc -f -i {iface}'")
    given, hook = take_hook(command)
    for word in re.findall(r"\{(\w+)", given):
        if word not in OWN_WORDS:
            raise InputError(f"client {command!r}: no {{{word}}}; there are {OWN_WORDS_SHOWN}")
    program = "" if "{" in words[0] else words[0]
    needs = (program,) if program else ()
    return ClientProgram(
        name=command, title=command, command=given, needs=needs, lease=30, hook=hook
    )


OWN_WORDS = ("iface", "place", "python", "hook")
OWN_WORDS_SHOWN = "{iface}, {place}, {python}, {hook}, {hook:PATH}"
"""What a command line of the user's may have."""

HOOK_WORD = re.compile(r"\{hook(?::([^{}]*))?\}")


def take_hook(command: str) -> tuple[str, HookWords | None]:
    """A command line with {hook} in the place of {hook:PATH}, and what the hook is; None: none."""
    found = HOOK_WORD.search(command)
    if found is None:
        return command, None
    script = shlex.quote(found[1]) if found[1] else NOTHING
    hook = HookWords("{place}/hook", script, always=True)
    return HOOK_WORD.sub("{hook}", command), hook


def processes(client: Process) -> list[int]:
    """The pids of a client's own processes, parents first: without what has started it, and a bus.

    None where it has ended, or has not begun.
    """
    return [each for each in client.tree()[2:] if _program(each) != BUS]


def works_by(client: Process, program: str) -> bool:
    """Whether a program is among a client's own processes."""
    return any(_program(each) == program for each in processes(client))


def _program(process: int) -> str | None:
    with suppress(OSError):
        return read_bytes(f"/proc/{process}/comm").decode(errors="replace").strip()
    return None
