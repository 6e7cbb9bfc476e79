"""The cells that tell a client's profile: what is asked of it, and what its records answer.

Theory of operation.  Each cell is a fault of the lab (`faults.py`), or one of the few here that are
of use for this alone, on a lease of LONG seconds; one of them is asked with SHORT seconds as well,
for what a client does with a lease that is shorter than it likes.  All are played against our own
server, at the same time (`cell.play_all`), and last two minutes at most.

    server killed, SHORT and LONG   the first lease, after probing: floor, probing, lateness
    renewed                         a lease that was renewed, without probing: what the others are
                                    compared with
    ACK delayed, delayed less       whether a lease is counted from the DHCPREQUEST; the second for
                                    clients that have given up when the first one comes
    frozen, kill -9                 who else removes an address
    NAK, NAK unicast                which DHCPNAK is heeded
    foreign xid                     whether a DHCPACK of another exchange is taken
    clock set back, set forward     whether deadlines follow the wall clock
    hook, NAK with hook             whether the address waits for a hook; for clients whose hooks
                                    are known.  The second, because a kernel that removes the
                                    address at its end leaves nothing to be seen then

What it does not know: what the answers mean (`observations.py`, `inference.py`).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from holdover.reference.lab.experiments.experiment import Cable, Cell
from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.faults import BLOCKED, FAULTS
from holdover.reference.lab.stand_ins.replacements import refuse_from_next_ack
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.scene import Scene
from holdover.reference.lab.testbed.servers import SERVERS

SHORT, LONG = 10, 30
"""Seconds: shorter than what real clients stretch (20 and 27.5 were seen), and longer."""

WATCHED = 90.0
"""Seconds that a short lease is watched after its end: a floor up to SHORT more is seen."""

LESS = Fraction(1, 10)
"""Of a lease, the delay that a client bears which gives up soon."""

JUST_AFTER = 3.0
"""Seconds in which a kernel that is to remove an address at its end has done so."""


def renew_once(scene: Scene) -> None:
    """One renewal, then the server is gone."""
    scene.next_ack()
    scene.end_server()


def foreign(scene: Scene) -> None:
    """One more renewal is granted, under another xid than the client's; then nothing."""
    refuse_from_next_ack(scene, "foreign xid")
    scene.next_ack()
    scene.end_server()


def delay_less(scene: Scene) -> None:
    """A renewal is heard a tenth of the lease late; then the server is gone."""
    scene.misbehave_from_next_ack(f"ack-delay={float(LESS * scene.lease):g}s")
    scene.next_ack()
    scene.end_server()


RENEWED = Fault("renewed", "after one renewal the server is gone", renew_once)
DELAYED_LESS = Fault(
    "ACK delayed less",
    "a renewal is heard less late; then the server is gone",
    delay_less,
    delays=LESS,
    needs_own_server=True,
)
FOREIGN = Fault(
    "foreign xid", "a renewal is granted under another xid; then the server is gone", foreign
)
NAK_WITH_HOOK = replace(
    FAULTS["NAK unicast"],
    name="NAK with hook",
    hook_blocks=BLOCKED,
    sentence="a hook blocks for a minute; the server refuses to renew, by unicast",
    surroundings=FAULTS["hook"].surroundings,
)


def questions(client: ClientProgram, cable: Cable | None = None) -> list[Cell]:
    """The cells that tell its profile.

    `cable`: the client is a device, of which what is done inside of its host is not asked.
    """
    cells = all_questions(client)
    if cable is None:
        return cells
    return [replace(cell, cable=cable) for cell in cells if not cell.fault.needs_access]


def all_questions(client: ClientProgram) -> list[Cell]:
    """The cells that tell the profile of a client into which one can look."""
    usual = Cell(client=client, server=SERVERS["holdover"], fault=RENEWED, lease=LONG)
    of_faults = (
        "server killed",
        "ACK delayed",
        "frozen",
        "kill -9",
        "NAK",
        "NAK unicast",
        "clock set back",
        "clock set forward",
    )
    cells = [
        replace(usual, fault=FAULTS["server killed"], lease=SHORT, window=WATCHED),
        usual,
        *(replace(usual, fault=FAULTS[name]) for name in of_faults),
        replace(usual, fault=DELAYED_LESS),
        replace(usual, fault=FOREIGN),
    ]
    if client.hook is not None:
        # By the lease end the second has told all it can, though the hook may block on.
        cells += [
            replace(usual, fault=FAULTS["hook"]),
            replace(usual, fault=NAK_WITH_HOOK, window=JUST_AFTER - BLOCKED),
        ]
    return cells
