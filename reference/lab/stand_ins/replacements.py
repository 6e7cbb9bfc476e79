"""What takes the place of a scene's server: one that refuses, or one that chooses what to grant.

Theory of operation.  Each is a program of its own (`stand_in.py`), started before it is wanted, so
that no message falls between the server and its successor.

What it does not know: what the client makes of it.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from ipaddress import IPv4Address

from holdover.reference.lab.stand_ins.choosing_server import ChosenTerms, choosing_server
from holdover.reference.lab.stand_ins.nak_server import BESIDE
from holdover.reference.lab.stand_ins.stand_in import ANSWERS, READY
from holdover.reference.lab.testbed.process import Process
from holdover.reference.lab.testbed.scene import ANOTHER, LEASED, OWN, START, Scene
from holdover.reference.lab.testbed.servers import wait_until_serving


def refuse_from_next_ack(scene: Scene, way: str, *, offers: bool = False) -> None:
    """One more renewal; from then on a program in the place of the server refuses each.

    `offers`: our own server is beside it, without leases, and offers another address.
    """
    refuser = scene.srv.start(
        sys.executable,
        "-m",
        "holdover.reference.lab.stand_ins.nak_server",
        way,
        str(OWN.ip),
        str(LEASED),
        *((BESIDE,) if offers else ()),
    )
    refuser.says(READY, START)
    another = replace(scene.order, first=ANOTHER, last=ANOTHER)
    other = scene.prepare_server(scene.place / "offers", another) if offers else None
    scene.next_ack()
    scene.end_server()
    what = f"refuses by {way}" + (f", offers {ANOTHER}" if offers else "")
    take_over(scene, refuser, what)
    if other is not None:
        scene.offers = wait_until_serving(other)


def choose(scene: Scene, lease: int, t1: int | None = None, t2: int | None = None) -> None:
    """A program in the place of the server grants the client these terms, in seconds.

    T1 or T2 that is None is unsaid.
    """
    terms = ChosenTerms(LEASED, lease, t1, t2)
    take_over(scene, start_choosing(scene, terms), f"grants {terms}")


def grant_another_from_next_ack(scene: Scene) -> None:
    """One more renewal; from then on the client is granted another address.

    Whoever else asks is granted the address that it has had, when that lease is over.
    """
    terms = ChosenTerms(ANOTHER, scene.lease)
    chooser = start_choosing(scene, terms, LEASED)
    scene.next_ack()
    scene.end_server()
    take_over(scene, chooser, f"grants {terms}")


def take_over(scene: Scene, program: Process, what: str) -> None:
    """A program that was started beforehand is the server from now on."""
    program.signal(signal.SIGUSR1)
    program.says(ANSWERS, START)  # so it has the port
    scene.server, scene.first_server = program, scene.first_server or program
    scene.mark(f"server {what}")


def begin_again_until_granted(scene: Scene) -> None:
    """The client is started again, and is granted the address."""
    granted = len(scene.acks())
    scene.begin_again()
    patience = 2 * scene.lease + START
    scene.until(lambda: len(scene.acks()) > granted, patience, "the address is granted again")


def start_choosing(scene: Scene, terms: ChosenTerms, old: IPv4Address | None = None) -> Process:
    """The program that grants terms, not yet asked to answer."""
    process = scene.srv.start(*choosing_server(OWN.ip, scene.client_hardware, terms, old))
    process.says(READY, START)
    return process
