"""The league over releases: which cells are played of each root file system, and in which runs.

Theory of operation.  `runs` gives the words of `holdover`, for the clients that are in each root.
Most are played with a watch of thirty seconds; one whose lease cannot be shorter than two minutes
(udhcpc before 1.34) is watched for as long.  Clients that were seen not to start are played once,
so that the page can say why, in their own last words.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence

from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.roots.root import Root
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.clients import CLIENTS

PLAYED = (
    *("dhclient", "udhcpc", "dhcpcd", "networkd"),
    *("networkmanager", "networkmanager-dhclient", "networkmanager-dhcpcd"),
    *("connman", "klibc-ipconfig"),
)
"""As a release has them, without the options and scripts that make variants of them."""

ENDED = {"server killed": "server gone", "frozen": "process frozen", "kill -9": "process killed"}
"""What leaves a client without an answer, and the columns of the page."""

REPEAT = 5
EACH = ("lab", "run", "--server", "holdover", "--lease", "10", "--again", "2")
LONG_WATCH = 130
"""Seconds: a client that counts less than 122 s as 122."""

NEVER_ASKS = ("klibc-ipconfig",)
"""It ends with its lease, so nobody can refuse it a renewal."""


def here(roots: Sequence[Root]) -> list[ClientProgram]:
    """The clients that are in these roots, and may start."""
    found = [CLIENTS[name].in_root(root) for name in PLAYED for root in roots]
    return [each for each in found if each.missing() is None and not built_without(each)]


BUILT_WITH = {
    "networkmanager-dhclient": ("bullseye", "bookworm"),
    "networkmanager-dhcpcd": ("trixie",),
}
"""In which releases one can start the other; `ClientProgram.runs` tells where it does not."""


def built_without(client: ClientProgram) -> bool:
    """Whether a program of that release, or the machine's, cannot start the one it should run."""
    if client.root is None:
        release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    else:
        release = client.root.name
    return release not in BUILT_WITH.get(client.name, (release,))


def not_started(roots: Sequence[Root]) -> list[ClientProgram]:
    """Those that are in these roots and were seen not to start."""
    names = (*PLAYED, "iwd", "dhcpcanon")
    found = [CLIENTS[name].in_root(root) for name in names for root in roots]
    there = [each for each in found if each.missing() is None]
    return [each for each in there if each.name not in PLAYED or built_without(each)]


def split(
    roots: Sequence[Root], names: Sequence[str] = ()
) -> tuple[list[ClientProgram], list[ClientProgram]]:
    """The clients of roots; apart, those whose leases last two minutes at least.

    `names`: these clients alone.
    """
    all_of_them = [each for each in here(roots) if not names or each.name in names]
    long = [each for each in all_of_them if each.profile == "udhcpc-1.30"]
    return [each for each in all_of_them if each not in long], long


def of_roots(roots: Sequence[Root], clients: Sequence[ClientProgram]) -> list[str]:
    """The words for clients of roots."""
    there = [f"--root={root.name}={root.path}" for root in roots]
    return [*there, *(f"--client={each.label}" for each in clients)]


def runs(roots: Sequence[Root], names: Sequence[str] = ()) -> Iterator[list[str]]:
    """The words of each run; `names`: of these clients alone."""
    usual, long = split(roots, names)
    asks = [each for each in usual if each.name not in NEVER_ASKS]
    hooked = [each for each in usual if each.hook is not None]
    for clients, faults, watch, repeat in (
        (usual, tuple(ENDED), 30, REPEAT),
        (long, (*ENDED, "hook", "NAK"), LONG_WATCH, REPEAT),
        (hooked, ("hook",), 30, REPEAT),
        (asks, ("NAK",), 30, REPEAT),
        (not_started(roots) if not names else [], ("server killed",), 5, 1),
    ):
        assert all(name in FAULTS for name in faults)
        if clients:
            yield [
                *EACH,
                *("--watch", str(watch), "--repeat", str(repeat)),
                *of_roots(roots, clients),
                *(f"--fault={name}" for name in faults),
            ]
