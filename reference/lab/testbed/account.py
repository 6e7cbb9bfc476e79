"""What a client has done and said, for who waits for it in vain, and for the record.

Theory of operation.  `never_comes` is why a client will not have an address: it has ended, or it
runs and has asked for nothing for UNASKED seconds.  One that has ended well may have set an address
that is seen a moment later (LOOKED).  `account` is a line of what it did: exit status, messages,
last words.  `keep_output` writes all that programs have said beside the other files of a record.

What it does not know: what the words mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.testbed.client_program import ClientProgram, works_by
from holdover.reference.lab.testbed.process import Process, UnheardError
from holdover.reference.linux.kernel.clock import now

LONGEST, LAST = 200, 3
"""Characters of a program's line, and of its last lines, that are passed on."""

LOOKED = 2 * SECOND
"""How long after its end a client's address may be seen."""

UNASKED = 45
"""Seconds in which a client asks for an address, on a machine that is busy: some wait ten."""


def never_comes(client: Process, begun: Instant, ended: Instant | None, asked: int) -> str | None:
    """Why a client will have no address; None: it still may.

    `begun`, `ended`: when it was started, and first seen to have ended.  `asked`: its messages.
    """
    status = client.running.poll()
    if status or (ended is not None and now() > ended + LOOKED):
        hint = "" if status else "; one that goes into the background has to be told not to"
        return f"the client has ended without an address{hint}"
    if status is None and not asked and now() > begun + UNASKED * SECOND:
        return f"the client has asked for nothing within {UNASKED} s"
    return None


def check_what_works(program: ClientProgram, client: Process) -> None:
    """UnheardError where another program does the client's work than its name says."""
    if program.runs and not works_by(client, program.runs):
        raise UnheardError(
            f"{program.label}: it runs no {program.runs}: this version cannot, or was built without"
        )


def account(client: Process, asked: int) -> str:
    """What a client has done and said so far, in a line."""
    status = client.running.poll()
    is_there = "it runs" if status is None else f"its exit status is {status}"
    words = [line.strip() for _, _, line in client.heard if line.strip()]
    last = " / ".join(line[:LONGEST] for line in words[-LAST:])
    said = f"its last words: {last}" if last else "it said nothing"
    return f"{is_there}; it sent {asked} DHCPDISCOVER and DHCPREQUEST; {said}"


def keep_output(place: Path, programs: Mapping[str, Process | None], born: Instant) -> None:
    """What programs have said, in a file NAME.log each.

    A line each: seconds since the link was there, "out" or "err", the words; at last the exit
    status of one that has ended.
    """
    for name, process in programs.items():
        if process is None:
            continue
        lines = [
            f"{(at - born) / SECOND:9.3f} {stream} {line}"
            for at, stream, line in list(process.heard)
        ]
        if (status := process.running.poll()) is not None:
            lines.append(f"exit status {status}")
        text = "".join(f"{line}\n" for line in lines)
        (place / f"{name}.log").write_text(text, encoding="utf-8")
