"""A cell of the lab: one client, one server, one lease, one fault, played once and measured.

Theory of operation.  `play` builds a link, has the client get an address, lets the fault act, and
watches until the lease has ended and the address is gone, or `window` seconds longer.  Then it
takes all away and measures the record.  What could not be played is Unknown, with the reason.
Of two hosts with one address no lease end is waited for: they are watched for `window` seconds.

`play_all` plays many at once, each in a thread; most of their time is waiting.  The longest cells
begin first.  At most STARTING links are built at one moment, since that is what takes the machine.
Cells whose fault befalls the whole machine come last, one at a time.

What it does not know: what a measurement is good or bad for.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from holdover.model.errors import InputError
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.device.device_scene import DeviceScene
from holdover.reference.lab.experiments.fault import Fault, whole
from holdover.reference.lab.record import record
from holdover.reference.lab.record.measure import Measurement, Unknown, measure
from holdover.reference.lab.record.premises import measure_device
from holdover.reference.lab.record.sharing import Sharing, measure_sharing
from holdover.reference.lab.stand_ins.replacements import choose
from holdover.reference.lab.testbed.client_program import NO_IDENTITY, ClientProgram
from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.process import UnheardError
from holdover.reference.lab.testbed.scene import LEASED, OWN, Scene, SceneEndedError
from holdover.reference.lab.testbed.servers import ServerProgram
from holdover.reference.lab.warm.warm_python import WarmPython
from holdover.reference.linux.kernel.clock import now

SETTLED = SECOND
"""How long after the lease end a host that has let go is still watched."""

WINDOW = 30.0
"""Seconds that a host that does not let go is watched after its lease end."""

STARTING = 2
"""What they take is the processor, and several labs may run beside each other."""

FAILURES = (UnheardError, InputError, OSError, ValueError, subprocess.SubprocessError)
"""How a cell may fail to be played: a program, a file, the kernel, a word that a program lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """An interface of the machine, with a device at the other end of its cable.

    `hardware`: the device's; None: who asks first.  `patience`: seconds in which it asks.
    """

    interface: str
    hardware: str | None = None
    patience: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is to be played.  `rival` wants the address, where the fault has one.

    `cable`: the client is a device, and the wire alone tells of it.  `questions`: the address is
    asked for all the time, as there, so that the record can be read both ways.
    """

    client: ClientProgram
    server: ServerProgram
    fault: Fault
    lease: int
    repeat: int = 1
    rival: ClientProgram | None = None
    window: float = WINDOW
    cable: Cable | None = None
    questions: bool = False

    @property
    def impossible(self) -> str | None:
        """Why it cannot be played."""
        programs = [self.client, self.server, *([self.rival] if self.rival else ())]
        for program in programs:
            if (missing := program.missing()) is not None:
                return f"missing: {missing}"
        if self.cable is not None and self.fault.needs_access:
            return f"{self.fault.name}: it is done inside of the client's host, where nobody can be"
        if self.fault.needs_own_server and self.server.name != "holdover":
            return f"{self.server.label} cannot be asked for it"
        if self.fault.clones and not self.client.identity:
            return f"{self.client.label} {NO_IDENTITY}"
        if self.fault.server_probes and "probe" in self.server.unsupported:
            return f"{self.server.name} does not ask whether an address is in use"
        if self.fault.grants is not whole and self.fault.grants(self.lease) >= self.lease:
            return f"{self.fault.name}: that is no shorter than a lease of {self.lease} s"
        if self.lease < self.server.shortest:
            return f"{self.server.name} grants no lease shorter than {self.server.shortest} s"
        return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A cell and what was measured.

    `record`: the directory of its record.  `took`: seconds, from the first namespace to the end of
    the watch.
    """

    cell: Cell
    result: Measurement | Sharing | Unknown
    record: Path
    took: float = 0.0


class Run:
    """Cells that are played at the same time.  `warm`: what starts our own programs for them."""

    def __init__(self, warm: WarmPython | None = None) -> None:
        self.stop, self.starting = threading.Event(), threading.Semaphore(STARTING)
        self.warm = warm
        self.links: list[Links] = []

    def end(self) -> None:
        """Each is Interrupted, whatever it waits for, and takes its own away."""
        self.stop.set()
        for links in list(self.links):
            links.end()


def play(cell: Cell, place: Path, run: Run, made: type[Links] = Links) -> Outcome:
    """Play a cell, with its files in `place`; Interrupted where the run is ended meanwhile.

    `made`: what makes its links.
    """
    where = place / "record"
    if (reason := cell.impossible) is not None:
        return Outcome(cell, Unknown(reason), where)
    place.mkdir()
    began = time.monotonic()
    links = made(place, run.warm)
    run.links.append(links)
    try:
        play_cell(cell, links, place, run)
        return Outcome(cell, measure_cell(cell, where), where, time.monotonic() - began)
    except FAILURES as error:
        if run.stop.is_set():
            raise SceneEndedError from error
        why = str(error).partition("\n")[0] or repr(error)
        return Outcome(cell, Unknown(why), where, time.monotonic() - began)
    finally:
        links.close()


def measure_cell(cell: Cell, where: Path) -> Measurement | Sharing | Unknown:
    """What the record of a cell says."""
    made = record.read(where)
    if cell.cable is not None:
        return measure_device(made, LEASED, OWN.ip)
    if cell.fault.shares is None:
        return measure(made, "a", LEASED)
    return measure_sharing(made, "a", "b" if cell.fault.shares == "clone" else "a", LEASED)


def play_cell(cell: Cell, links: Links, place: Path, run: Run) -> None:
    """Build the link, play the cell, close the record; what programs said is kept in any case."""
    with ExitStack() as at_last:
        with run.starting:
            if run.stop.is_set():
                raise SceneEndedError
            scene = build_scene(cell, links, place, run)
            at_last.callback(scene.keep_output)
            begin(cell, scene)
        play_fault(cell, scene)
        scene.close()


def begin(cell: Cell, scene: Scene) -> None:
    """Start the server and the client."""
    fault = cell.fault
    if fault.own_wall_clock:
        scene.own_wall_clock()
    if fault.servers_wall_clock:
        scene.servers_wall_clock()
    if fault.first is None:
        scene.serve()
    else:
        choose(scene, *fault.first(cell.lease))
    if fault.before is not None:
        fault.before(scene)
    scene.begin(cell.client, fault.hook_blocks, cloned=fault.clones, kept=fault.restarts)


def play_fault(cell: Cell, scene: Scene) -> None:
    """The client is BOUND; the fault acts; the lease ends, and is watched."""
    fault = cell.fault
    if fault.before is None:
        scene.bound()
    if cell.rival is not None and scene.b is not None:
        scene.rival = cell.rival
        if fault.gives_away is None:
            scene.begin_rival()
    fault.play(scene)
    scene.mark(f"fault: {fault.name}")
    if fault.shares is None:
        watch_the_lease_end(cell, scene)
    else:
        scene.wait(cell.window)


def build_scene(cell: Cell, links: Links, place: Path, run: Run) -> Scene:
    """The link, with a recorder on it."""
    if cell.cable is not None:
        return DeviceScene(
            links,
            place,
            run.stop,
            interface=cell.cable.interface,
            hardware=cell.cable.hardware,
            patience=cell.cable.patience,
            server=cell.server,
            lease=cell.lease,
            rival=cell.fault.two_hosts,
            server_probes=cell.fault.server_probes,
        )
    return Scene(
        links,
        place,
        run.stop,
        server=cell.server,
        lease=cell.lease,
        rival=cell.fault.two_hosts,
        server_probes=cell.fault.server_probes,
        questions=cell.questions,
    )


def watch_the_lease_end(cell: Cell, scene: Scene) -> None:
    """Watch until the lease has ended and the address is gone, or for the window longer."""
    fault = cell.fault
    window = int((cell.window + (fault.hook_blocks or 0)) * SECOND)

    def over() -> bool:
        end = scene.lease_end()
        return now() >= (end + window if scene.holds() else end + SETTLED)

    # A client that is granted one lease after another has no lease end: `measure` will say so.
    scene.until(over, 4 * cell.lease + window / SECOND + 60, "the lease ends")


def longest(cell: Cell) -> float:
    """About how many seconds a cell takes at most, after its client has its lease."""
    return cell.lease + cell.window + (cell.fault.hook_blocks or 0)


def play_all(
    cells: Sequence[Cell], place: Path, at_once: int, told: Callable[[Outcome], None]
) -> list[Outcome]:
    """Play cells, so many at once, and tell of each; the outcomes are in the order of the cells."""
    outcomes: dict[int, Outcome] = {}
    order = sorted(range(len(cells)), key=lambda number: -longest(cells[number]))
    with WarmPython() as warm:
        run = Run(warm)
        for alone, width in ((False, at_once), (True, 1)):
            with ThreadPoolExecutor(width) as pool:
                try:
                    waiting = {
                        pool.submit(play, cells[number], place / f"cell-{number}", run): number
                        for number in order
                        if cells[number].fault.alone is alone
                    }
                    for each in as_completed(waiting):
                        outcomes[waiting[each]] = each.result()
                        told(each.result())
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    run.end()
                    raise
    return [outcomes[number] for number in range(len(cells))]
