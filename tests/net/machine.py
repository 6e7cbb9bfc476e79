"""A machine of its own, which can be suspended: QEMU, a Linux kernel, and a root in memory.

Theory of operation.  A namespace cannot be suspended: its clocks are the machine's.  QEMU emulates
a whole machine, without KVM, on a cable of the lab's switch (a tap).  Its root is an archive
(cpio) of this machine's own programs: busybox, clients, and the libraries that they name.  The
kernel is one of Debian's, with the modules that a network card needs.  The guest starts a client
and `ip monitor`; what they say comes out of the serial console.  `SLEEPS` says how it is put to
sleep and woken; the control socket (QMP) does that.

To boot, and to import what our client needs, takes most of what a guest computes.  So one guest
does it (`prepared`): its clients wait, and its memory becomes a file.  Each `Machine` goes on from
there, and is told which client is to begin; only then has it a link.

`Files` finds QEMU and the kernel on this machine, or in a folder into which their packages were
unpacked (`dpkg -x`): so nothing has to be installed to try it.

The guest's clock is QEMU's HPET: an emulated TSC was seen to run fifty times too fast on a computer
that was busy.  Linux reads 32 bits of it, which is 42 s; so QEMU is never stopped by a signal.

What it does not know: leases.  A real machine's firmware may need seconds to suspend and to wake.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click as click_package
import pyroute2 as pyroute2_package

from holdover.reference.lab.testbed.netns import Host, run
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, eventually
from tests.checkout import ROOT

QEMU = "qemu-system-x86_64"
PACKAGES = "qemu-system-x86 linux-image-cloud-amd64"
"""Debian's."""

CARD = "virtio_net"
BUS = "virtio_pci"
"""The modules of the network card; what they need is found by modules.dep."""

HARDWARE = "02:68:6f:6c:64:02"
TAP, CONTROL, ORDERS = "ptap", "qmp", "tty"
"""The guest's port of a switch; sockets, in a folder of its own."""

MEMORY = "512M"

SUSPENDS, WOKEN, CLOCKS, WAITS = "suspends", "has woken", "clocks are", "waits at"
"""What the guest says."""

BEGIN = "/run/begin-"
"""A pipe of a guest, with a client's number: when it is opened for writing, the client begins."""

FIFO = 8
"""Bytes of an order that a serial line takes at once."""

SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"

BOOT = (
    "console=ttyS0 no_console_suspend quiet panic=-1 clocksource=hpet no_timer_check "
    "mitigations=off init_on_alloc=0"
)
"""What the kernel is told; it ends where its timer is late at the start, if it checks that.  Nobody
attacks it, and what protects it from that is costly to emulate."""

BEGINS = """#!/bin/sh
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root PYTHONDONTWRITEBYTECODE=1
/bin/busybox --install -s /usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
for each in {modules}; do insmod /modules/$each.ko; done
"""
"""How the first program of a guest begins."""

INIT = (
    BEGINS
    + """ip link set lo up
ip -o -4 monitor address &
exec 3</dev/ttyS1  # kept open: what comes while nobody has it open is lost
{clients}
while read -r word number <&3; do
  case $word in
  begin)
    ip link set eth0 up
    : >{begin}$number
    ;;
  suspend)
    echo {suspend}
    echo mem >/sys/power/state
    echo {woken}
    ;;
  clocks)
    now=$(grep '^now at' /proc/timer_list | tr -dc 0-9)
    read -r up idle </proc/uptime
    echo "{clocks} $now $up $(date +%s) $(cat {source})"
    ;;
  esac
done
"""
)


@dataclass(frozen=True)
class Files:
    """Where QEMU and the kernel are; `under`: a folder of unpacked packages, None: this machine."""

    under: Path | None = None

    @property
    def top(self) -> Path:
        """What their paths begin with."""
        return self.under or Path("/")

    def kernel(self) -> Path | None:
        """The newest kernel that has its modules; None: there is none."""
        found = [
            each
            for each in (self.top / "boot").glob("vmlinuz-*")
            if (self.modules(each) / "modules.dep").exists() or list(self.modules(each).glob("*"))
        ]
        return max(found, key=lambda each: each.stat().st_mtime, default=None)

    def modules(self, kernel: Path) -> Path:
        """The folder of its modules."""
        return self.top / "lib" / "modules" / kernel.name.removeprefix("vmlinuz-")

    def qemu(self) -> tuple[str, ...] | None:
        """How QEMU is started; None: it is not there."""
        if self.under is None:
            return (QEMU,) if shutil.which(QEMU) else None
        program = self.under / "usr" / "bin" / QEMU
        libraries = f"LD_LIBRARY_PATH={self.under / 'usr/lib/x86_64-linux-gnu'}"
        share = [self.under / "usr" / "share" / name for name in ("qemu", "seabios")]
        firmware = [word for each in share for word in ("-L", str(each))]
        more = f":{self.under / 'lib/x86_64-linux-gnu'}"
        return ("env", libraries + more, str(program), *firmware) if program.exists() else None

    def missing(self) -> str | None:
        """What is not there, and what brings it."""
        gone = [QEMU] if self.qemu() is None else []
        gone += ["a kernel in /boot with its modules"] if self.kernel() is None else []
        if not shutil.which("busybox"):
            gone.append("busybox")
        return f"needs {' and '.join(gone)} (Debian: {PACKAGES} busybox)" if gone else None


# The root ----------------------------------------------------------------------------------------


def libraries(*programs: Path) -> set[Path]:
    """The files that the loader needs for programs, or libraries."""
    words = ["ldd", *map(str, programs)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    return {Path(each) for each in re.findall(r"(/\S+) \(0x", said.stdout)}


def copy(path: Path, root: Path) -> None:
    """A file with what it needs, where it is here; a link becomes the file."""
    for each in (path, *(libraries(path) if os.access(path, os.X_OK) else ())):
        there = root / str(each).lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        if not there.exists():
            shutil.copy(each, there)


def needed_modules(folder: Path, names: Iterable[str]) -> list[Path]:
    """Files of modules, each after what it needs."""
    files = {each.name.split(".")[0]: each for each in (folder / "kernel").rglob("*.ko*")}
    found: list[Path] = []

    def add(name: str) -> None:
        file = files[name]
        said = re.search(rb"\0depends=([\w,-]*)\0", file.read_bytes())
        for need in said[1].decode().split(",") if said else []:
            if need:
                add(need.replace("-", "_"))
        if file not in found:
            found.append(file)

    for name in names:
        add(name)
    return found


UNNEEDED = ("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages")

IMPORTS = "from holdover.reference.cli import main; main()"
"""What has all imported that a client needs, when it has refused an interface."""

BEFORE = (
    "commands.client",
    "linux.client",
    "linux.supervisor",
    "linux.hooks.dns",
    "linux.kernel.secondaries",
)
"""What imports most of that before it is told to begin."""


def python_that_waits(python: str) -> str:
    """A shell's words: our command line, when it has imported what it needs and is to begin."""
    imports = ", ".join(f"holdover.reference.{each}" for each in BEFORE)
    waits = f'pipe = os.environ["begin"]; print("{WAITS}", pipe); open(pipe).close()'
    return f"{python} -u -c 'import os, {imports}; {waits}; {IMPORTS}'"


def that_waits(command: str) -> str:
    """A shell's words: a command line, when it is to begin."""
    return f"{{ echo {WAITS} $begin; read -r _ <$begin; exec {command}; }}"


def python_and_holdover(root: Path) -> str:
    """Python and the project, as an embedded device has them; the words that start it.

    All is compiled here: an emulated machine would take four times as long for that as for the
    rest.
    """
    program = Path(sys.executable).resolve()
    copy(program, root)
    library = Path(os.__file__).parent
    there = root / str(library).lstrip("/")
    shutil.copytree(library, there, ignore=shutil.ignore_patterns(*UNNEEDED, "config-*", "*.a"))
    for needed in libraries(*(library / "lib-dynload").glob("*.so")):
        copy(needed, root)
    packages = root / "packages"
    for package in (click_package, pyroute2_package):
        folder = Path(str(package.__file__)).parent
        shutil.copytree(folder, packages / folder.name)
    for room in ("model", "proofs", "reference"):
        shutil.copytree(ROOT / room, packages / "holdover" / room)
    compile_needed(packages, root)
    return f"env PYTHONPATH=/packages {program}"


def compile_needed(packages: Path, root: Path) -> None:
    """Have what a client imports be compiled in its place: a client that is refused imports it."""
    variables = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
    words = ("-c", IMPORTS, "client", "nosuch", "--state-dir", root / "state")
    done = subprocess.run(
        [Path(sys.executable).resolve(), "-S", *words],
        env={**variables, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no interface 'nosuch'" in done.stderr, done


def make_root(
    root: Path, files: Files, prepare: Sequence[Callable[[Path], str]], programs: Iterable[str] = ()
) -> Path:
    """The archive of the root of a guest that has clients on a network card.

    `prepare` puts each client into it, and gives the words that start it, and have it wait
    (`that_waits`); `programs`: what they run.
    """

    def init(modules: str) -> str:
        clients = [
            f"export begin={BEGIN}{number}\nmkfifo $begin\n{put(root)} &"
            for number, put in enumerate(prepare)
        ]
        return INIT.format(
            modules=modules,
            clients="\n".join(clients),
            begin=BEGIN,
            suspend=SUSPENDS,
            woken=WOKEN,
            clocks=CLOCKS,
            source=SOURCE,
        )

    return archive_of(root, files, (BUS, CARD), init, programs)


def archive_of(
    root: Path,
    files: Files,
    modules: Iterable[str],
    init: Callable[[str], str],
    programs: Iterable[str] = (),
) -> Path:
    """The archive of a guest's root.

    `init` gives its first program, when all else is there: told the names of the modules that are
    in /modules, in the order in which they need each other.
    """
    kernel = files.kernel()
    assert kernel is not None
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "bin", "usr/bin", "var/lib", "etc"):
        (root / name).mkdir(parents=True)
    (root / "modules").mkdir()
    for name in ("busybox", "ip", *programs):
        found = shutil.which(name)
        assert found is not None, name
        copy(Path(found), root)
    busybox = Path(str(shutil.which("busybox")))
    for name in ("bin/busybox", "bin/sh"):
        if not (root / name).exists():
            shutil.copy(busybox, root / name)
    names = []
    for module in needed_modules(files.modules(kernel), modules):
        shutil.copy(module, root / "modules")
        names.append(module.name.removesuffix(".ko"))
    (root / "init").write_text(init(" ".join(names)))
    (root / "init").chmod(0o755)
    archive = root.with_suffix(".cpio")
    made = f"cd '{root}' && find . | busybox cpio -o -H newc >'{archive}'"
    subprocess.run(["sh", "-c", made], check=True, capture_output=True)
    return archive


# The machine -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clocks:
    """CLOCK_MONOTONIC, CLOCK_BOOTTIME and the wall clock, in seconds."""

    monotonic: float
    boottime: float
    wall: float

    def since(self, before: Clocks) -> Clocks:
        """How far they have gone."""
        return Clocks(
            self.monotonic - before.monotonic,
            self.boottime - before.boottime,
            self.wall - before.wall,
        )


def boots(files: Files, archive: Path) -> tuple[str | Path, ...]:
    """The words that start a guest; its first serial line is what they say."""
    kernel, qemu = files.kernel(), files.qemu()
    assert kernel is not None
    assert qemu is not None
    return (
        *qemu,
        *("-accel", "tcg", "-m", MEMORY, "-nographic", "-nodefaults", "-no-reboot"),
        *("-serial", "stdio", "-kernel", kernel, "-initrd", archive, "-append", BOOT),
    )


def devices(place: Path, link: str) -> tuple[str, ...]:
    """QEMU's words for a guest's orders, its control and its network card at a link."""
    return (
        *("-serial", f"unix:{place / ORDERS},server=on,wait=off"),
        *("-qmp", f"unix:{place / CONTROL},server=on,wait=off"),
        *("-netdev", f"{link},id=n"),
        *("-device", f"virtio-net-pci,netdev=n,mac={HARDWARE},romfile="),
    )


def ask(place: Path, command: str, **arguments: str | int) -> Any:
    """What QEMU's control socket answers to a command; UnheardError where it refuses."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE)
        line.connect(str(place / CONTROL))
        with line.makefile("rw", encoding="utf-8") as spoken:
            spoken.readline()  # the greeting
            answer: dict[str, Any] = {}
            for each, more in (("qmp_capabilities", {}), (command, arguments)):
                spoken.write(json.dumps({"execute": each, "arguments": more}) + "\n")
                spoken.flush()
                answers = (json.loads(text) for text in spoken)
                answer = next(each for each in answers if each.keys() & {"return", "error"})
                if "error" in answer:
                    raise UnheardError(f"{command}: {answer['error']}")
            return answer["return"]


@dataclass(frozen=True)
class Prepared:
    """A guest's memory in a file, from where these clients waited for `Machine` to begin one."""

    files: Files
    archive: Path
    clients: Sequence[str]
    memory: Path


def prepared(files: Files, archive: Path, clients: Sequence[str], place: Path) -> Prepared:
    """Boot a guest until its clients wait; UnheardError where it does not."""
    guest = Process((*boots(files, archive), *devices(place, "hubport,hubid=0")))
    try:
        for number in range(len(clients)):
            guest.says(f"{WAITS} {BEGIN}{number}", PATIENCE)
        memory = place / "memory"
        ask(place, "migrate-set-parameters", **{"max-bandwidth": 1 << 32})
        ask(place, "migrate", uri=f"exec:cat >'{memory}'")
        eventually(lambda: migrated(place), PATIENCE, "the guest's memory is a file")
    finally:
        guest.end()
    return Prepared(files, archive, clients, memory)


def migrated(place: Path) -> bool:
    """Whether it is all written; UnheardError where it cannot be."""
    status = ask(place, "query-migrate").get("status")
    if status == "failed":
        raise UnheardError("the guest's memory cannot be written")
    return bool(status == "completed")


class Machine:
    """A guest on a switch; its console is `said` as a program is.  `place`: for its sockets."""

    def __init__(self, srv: Host, ready: Prepared, place: Path) -> None:
        self._place, self._clients = place, ready.clients
        run(*f"ip -n {srv.switch} tuntap add dev {TAP} mode tap".split())
        run(*f"ip -n {srv.switch} link set {TAP} master br0 up".split())
        self.console: Process = srv.start_at_switch(
            *boots(ready.files, ready.archive),
            *devices(place, f"tap,ifname={TAP},script=no,downscript=no"),
            *("-incoming", f"exec:cat '{ready.memory}'"),
        )

    def begin(self, client: str) -> None:
        """Have a client begin, when the guest is where it was when its memory was written."""
        eventually(self._runs, PATIENCE, "the guest goes on")
        self._order(f"begin {self._clients.index(client)}")

    def _runs(self) -> bool:
        return (self._place / CONTROL).exists() and ask(self._place, "query-status")["running"]

    def control(self, command: str) -> None:
        """Say a command of QEMU's control socket; UnheardError where it refuses."""
        ask(self._place, command)

    def _order(self, words: str) -> None:
        """Have the guest do something; what its serial line does not take at once is lost."""
        assert len(words) < FIFO, words
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self._place / ORDERS))
            line.sendall(f"{words}\n".encode())

    def suspend(self) -> None:
        """The guest suspends itself to memory (ACPI S3)."""
        self._order("suspend")
        self.console.says(SUSPENDS, PATIENCE)

    def wake(self) -> None:
        """It goes on; an order that comes before it says so is lost."""
        self.control("system_wakeup")
        self.console.says(WOKEN, PATIENCE)

    def clocks(self) -> Clocks:
        """What the guest's clocks say now."""
        times = len(self.console.said(CLOCKS)) + 1
        self._order("clocks")
        _, line = self.console.says(f"{CLOCKS} .* [a-z]", PATIENCE, times=times)
        monotonic, up, wall, _ = line.partition(CLOCKS)[2].split()
        return Clocks(int(monotonic) / 1e9, float(up), float(wall))


@dataclass(frozen=True)
class Sleep:
    """A way to sleep: in words; how it begins and ends.

    `counted`: the guest's CLOCK_BOOTTIME has gone on when it is over; CLOCK_MONOTONIC never has.
    """

    sentence: str
    counted: bool
    begin: Callable[[Machine], None]
    end: Callable[[Machine], None]


SLEEPS: Mapping[str, Sleep] = MappingProxyType(
    {
        "suspended": Sleep(
            "the guest suspends to memory (ACPI S3)",
            True,
            lambda machine: machine.suspend(),
            lambda machine: machine.wake(),
        ),
        "paused": Sleep(
            "its machine is paused, as by a snapshot that is restored; it does not learn of it",
            False,
            lambda machine: machine.control("stop"),
            lambda machine: machine.control("cont"),
        ),
    }
)
"""Each by its name."""
