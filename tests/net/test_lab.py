"""The lab on real namespaces: the reference client is never late, and a late one is seen; as root.

All cells play at once; a test looks at one of them.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.experiments.chosen_terms import EARLY
from holdover.reference.lab.experiments.experiment import Cell, Outcome, Run, play, play_all
from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.verdict import GIVES_WAY, OBEYED, latest_in_time, verdict
from holdover.reference.lab.record import record
from holdover.reference.lab.record.measure import FOREVER, Measurement, Unknown
from holdover.reference.lab.record.sharing import Sharing
from holdover.reference.lab.report.report import cell_data
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import COMMANDS
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.lab.testbed.scene import ANOTHER, LEASED, Scene
from holdover.reference.lab.testbed.servers import SERVERS
from holdover.reference.lab.testbed.stranger import ANNOUNCE_INTERVAL
from holdover.reference.lab.warm.warm_python import WarmPython
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.frames import decode_frame
from holdover.reference.wire.messages import BootRequest, message_in
from holdover.reference.wire.option_values import MessageType, WireError
from tests.checkout import ROOT
from tests.measure.never_late import QUICK, cells, each_fault
from tests.measure.never_late_page import LATE, UNKNOWN, late, status, tables
from tests.slow import stretched

LEASE = QUICK[0]
IN_TIME = (
    "server killed",
    "frozen",
    "kill -9",
    "hook",
    "NAK",
    "NAK unicast",
    "NAK and offer",
    "link flap",
    "clock set back",
    "clock set forward",
    "ended",
    "restarted",
    "restarted late",
    "link moved",
    "another address",
    "infinite then finite",
    "T1 early",
    "T1 with T2",
    "T1 after the end",
    "T2 after the end",
)
SHORTENED = ("shortened=0s", "shortened=2s", "shortened", "shortened thawed=5s")
UNREAD = ("shortened frozen=2s", "shortened killed=2s", "shortened lost=2s")
ENOUGH = 20
"""Seconds of a lease that is shortened: half of it is left, so the difference is seen."""


def ours(lease: int, *names: str) -> dict[str, Cell]:
    """Cells of the reference client, by their faults."""
    faults = [each_fault(name) for name in names]
    return {each.fault.name: each for each in cells((lease,), faults, 1, "reference", "holdover")}


OURS = {**ours(LEASE, *IN_TIME), **ours(ENOUGH, *SHORTENED)}
LATE_AS_IT_MUST = ours(ENOUGH, *UNREAD)

PLANTED = "from holdover.reference.core.config import ClientConfig as c; c.__init__.__kwdefaults__"
PLANTED_LATE = 5
LATE_MARGIN = CLIENTS["reference"].command.replace(
    COMMANDS, f'{PLANTED}["margin"] = -{PLANTED_LATE} * 10**9; {COMMANDS}'
)
LATE_CLIENT = replace(CLIENTS["reference"], command=LATE_MARGIN)
"""The reference client, but that the kernel is told to remove the address 5 s after the end."""


def lose_the_recorder(scene: Scene) -> None:
    (recorder,) = [each for each in scene.srv.processes if each.said('"recording"')]
    recorder.signal(signal.SIGKILL)


def watch_twice(scene: Scene) -> None:
    """What the kernel itself says, beside the recorder."""
    watch = scene.a.watch()
    scene.end_server()
    watch.says("Deleted", PATIENCE)
    scene.mark(f"deleted {watch.said('Deleted')[0][0]}")


def restart_soon(scene: Scene) -> None:
    """The client is killed, and started again while its server is there."""
    scene.signal_client(signal.SIGKILL)
    scene.begin_again()
    scene.next_ack()
    scene.end_server()


UDHCPC = replace(OURS["frozen"], client=CLIENTS["udhcpc"], window=3)
MOVES = replace(UDHCPC, client=CLIENTS["pyroute2"], fault=FAULTS["NAK and offer"], lease=ENOUGH)
OTHERS = {
    "moves": MOVES,
    # So long that the freeze does not come between the server's DHCPACK to a renewal and its use.
    "planted": replace(OURS["frozen"], client=LATE_CLIENT, lease=2 * ENOUGH),
    "after": replace(UDHCPC, fault=FAULTS["static host after"]),
    "gives way": replace(OURS["frozen"], fault=FAULTS["static host after"], window=3),
    "before": replace(OURS["frozen"], fault=FAULTS["static host before"], window=3),
    "server probes": replace(UDHCPC, fault=FAULTS["static host before, server probes"]),
    "other": replace(UDHCPC, client=replace(CLIENTS["udhcpc"], runs="dhcpcd")),
    # So long that it can ask a second time, and the old lease is far from its end.
    "takes another": replace(UDHCPC, fault=FAULTS["another address"], lease=2 * ENOUGH),
    "renews by another": replace(
        MOVES, fault=FAULTS["another address"], rival=CLIENTS["pyroute2"], window=60
    ),
    # So long that half of it is not over while the client still probes.
    "asks early": replace(OURS["T1 early"], lease=3 * ENOUGH),
    "asks at half": replace(OURS["T1 after the end"], lease=3 * ENOUGH),
    "left": replace(UDHCPC, fault=FAULTS["ended"]),
    "stored": replace(
        OURS["frozen"], fault=replace(FAULTS["restarted"], play=restart_soon), lease=ENOUGH
    ),
    "clones": replace(UDHCPC, server=SERVERS["kea"], fault=FAULTS["clones"], lease=ENOUGH),
    "our clones": replace(
        OURS["frozen"], server=SERVERS["kea"], fault=FAULTS["clones"], window=3, lease=ENOUGH
    ),
    "no recorder": replace(UDHCPC, fault=Fault("no recorder", "it is killed", lose_the_recorder)),
    **{
        name: replace(
            UDHCPC,
            server=SERVERS["kea"],
            rival=CLIENTS["pyroute2"],
            fault=FAULTS[name],
            lease=ENOUGH,
        )
        for name in ("given away", "server clock set forward")
    },
    "watched": replace(OURS["frozen"], fault=Fault("watched", "twice", watch_twice)),
}


@dataclass(frozen=True)
class Interrupted:
    """How a run has ended, what it said, and what is left: namespaces, files, processes."""

    status: int
    said: str
    spaces: list[str]
    files: list[Path]
    processes: list[str]


@dataclass(frozen=True)
class Playing:
    """The cells that are played, by their names, and a run that is interrupted."""

    cells: dict[str, Future[Outcome]]
    interrupted: Future[Interrupted]


def play_until_told(cell: Cell, place: Path, run: Run) -> Outcome:
    """Play a cell; again, at most twice, where another program held the kernel's lock."""
    for number in range(2):
        outcome = play(cell, place.with_name(f"{place.name}-{number}"), run)
        result = outcome.result
        told = not isinstance(result, Measurement) or not result.kept
        if told or verdict(outcome).says != "unknown":
            return outcome
    return play(cell, place, run)


@pytest.fixture(scope="module")
def playing(privileged: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playing]:
    """All cells, and a run that is interrupted, from when one is first wanted."""
    place = tmp_path_factory.mktemp("lab")
    every = {**OURS, **LATE_AS_IT_MUST, **OTHERS}
    missing = [cell.impossible for cell in every.values() if cell.impossible]
    if missing:
        pytest.skip("; ".join(map(str, missing)))
    with WarmPython() as warm, ThreadPoolExecutor(len(every) + 1) as pool:
        run = Run(warm)
        try:
            cells = {
                name: pool.submit(play_until_told, cell, place / name.replace(" ", "-"), run)
                for name, cell in every.items()
            }
            yield Playing(cells, pool.submit(interrupted, tmp_path_factory.mktemp("interrupted")))
        finally:
            run.end()  # a cell that is still played fails at once


@pytest.fixture
def played(playing: Playing, request: pytest.FixtureRequest) -> Outcome:
    """The outcome of the cell named by the test's marker."""
    return playing.cells[request.param].result(PATIENCE)


def cell(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("played", names, indirect=True)


def measured(outcome: Outcome) -> Measurement:
    assert isinstance(outcome.result, Measurement), outcome.result
    return outcome.result


def said(outcome: Outcome) -> dict[str, Any]:
    """The same as the page of `never_late` has it."""
    return cell_data(verdict(outcome))


# The reference client ----------------------------------------------------------------------------


@cell(*OURS)
def test_the_reference_client_is_never_late(
    played: Outcome, record_property: Callable[[str, object], None]
) -> None:
    """Of a lease of no length, it is in time that lets go as fast as after a DHCPNAK."""
    result = measured(played)
    record_property("holdover", f"{result.holdover:+.2f} s, by the {result.enforcer}")
    assert -played.cell.lease < result.holdover <= latest_in_time(result)
    assert not late(said(played))


@cell(*LATE_AS_IT_MUST)
def test_who_cannot_read_that_its_lease_is_shorter_keeps_the_longer_one(
    played: Outcome, record_property: Callable[[str, object], None]
) -> None:
    """It is late by what was left, less the margin and what it was granted, as is predicted."""
    result, found = measured(played), verdict(played)
    record_property("holdover", f"{result.holdover:+.2f} s, by the {result.enforcer}")
    assert (found.says, result.lease, result.enforcer) == ("late", 2, "kernel")
    assert found.worst is not None
    assert 2 < result.holdover <= found.worst
    assert status([said(played)]) == 0, "it is late where it is not said to be in time"


@cell("shortened=0s", "shortened=2s")
def test_a_lease_that_is_shortened_to_less_than_the_margin_goes_at_once(played: Outcome) -> None:
    """The process does it: the kernel would have to, at once."""
    result = measured(played)
    assert result.enforcer == "process"
    assert result.holdover + result.lease <= OBEYED


@cell("other")
def test_a_client_that_leaves_the_work_to_another_than_it_says_is_unknown(played: Outcome) -> None:
    assert isinstance(played.result, Unknown)
    assert played.result.reason.startswith("udhcpc: it runs no dhcpcd")


@cell("left")
def test_a_client_that_is_asked_to_end_may_leave_its_address(played: Outcome) -> None:
    result = measured(played)
    assert (result.holdover, result.released) == (FOREVER, False)
    assert verdict(played).worst == FOREVER, "as the model says of one that leaves it"


@cell("stored")
def test_a_client_that_is_started_again_finds_what_it_has_stored(played: Outcome) -> None:
    """It asks for the address that it had, and does not begin anew (RFC 2131 §3.2)."""
    asked = []
    for frame in record.read(played.record).frames:
        with suppress(WireError):
            content = decode_frame(frame.data).content
            said = None if isinstance(content, Arp) else message_in(content)
            if isinstance(said, BootRequest):
                asked.append((said.type, said.requested, said.server))
    assert [each[0] for each in asked].count(MessageType.DISCOVER) == 1
    assert (MessageType.REQUEST, LEASED, None) in asked, "that is INIT-REBOOT"


@cell("moves")
def test_who_is_refused_may_be_offered_another_address(played: Outcome) -> None:
    seen = [
        each.address.ip
        for each in record.read(played.record).seen
        if isinstance(each, record.Change) and each.there
    ]
    assert seen[0] == LEASED
    assert seen[-1] == ANOTHER


@cell("takes another")
def test_another_address_may_be_taken_at_once(played: Outcome) -> None:
    """Not when it renews next, nor when the old lease ends: each is half a lease later.

    udhcpc renews from a socket that it closes then.  An answer that comes before that is lost, as
    on a busy machine: it asks again three seconds later.
    """
    result = measured(played)
    assert result.next_address == ANOTHER
    assert result.replaced is not None
    assert result.replaced < played.cell.lease / 4
    assert verdict(played).says == "holds"


@cell("renews by another")
def test_a_client_that_takes_any_dhcpack_for_its_renewal_has_the_address_with_another_host(
    played: Outcome,
) -> None:
    """It never looks whose address the DHCPACK has; the server has leased the old one anew."""
    result, found = measured(played), verdict(played)
    assert (result.holdover, result.replaced) == (FOREVER, FOREVER)
    assert (found.says, found.worst) == ("late", None)
    assert result.duplicate > 1
    assert result.answered == 2


@cell("asks early")
def test_a_server_may_say_when_it_is_to_be_asked(played: Outcome) -> None:
    result = measured(played)
    told, usual = played.cell.lease / EARLY, played.cell.lease / 2
    assert result.asked is not None
    assert told - ENOUGH / 4 < result.asked < (told + usual) / 2


@cell("asks at half")
def test_a_t1_that_comes_too_late_is_none(played: Outcome) -> None:
    """RFC 2131 §4.4.5: T1 comes before the lease is over; without one it is at half.

    And not at T2, when seven eighths are over.
    """
    result = measured(played)
    usual, rebinds = played.cell.lease / 2, played.cell.lease * 7 / 8
    assert result.asked is not None
    assert usual - ENOUGH / 4 < result.asked < (usual + rebinds) / 2


@cell("frozen", "kill -9")
def test_the_kernel_removes_it_where_no_process_can(played: Outcome) -> None:
    assert measured(played).enforcer == "kernel"
    marks = [mark.what for mark in record.read(played.record).marks]
    state = {"frozen": "client stopped", "kill -9": "client dead"}[played.cell.fault.name]
    assert state in marks


@cell("NAK", "NAK unicast")
def test_a_nak_is_obeyed_at_once(played: Outcome) -> None:
    result = measured(played)
    assert result.after_nak is not None
    assert 0 <= result.after_nak <= OBEYED
    assert result.enforcer == "process"


@cell("watched")
def test_the_recorder_and_ip_monitor_agree(played: Outcome) -> None:
    """Each reads the kernel's word by itself; on a busy machine one may be late."""
    kept = record.read(played.record)
    (told,) = [mark.what.split()[1] for mark in kept.marks if mark.what.startswith("deleted")]
    gone = [each for each in kept.seen if isinstance(each, record.Change) and not each.there]
    assert gone[-1].since <= int(told) < gone[-1].at + stretched() * SECOND


@cell("frozen")
def test_each_frame_is_recorded_once(played: Outcome) -> None:
    """At a switch it could be seen as it comes in, as it goes out, and at the bridge itself."""
    frames = record.read(played.record).frames
    assert len(frames) > 6
    last: dict[bytes, int] = {}
    for frame in frames:
        assert frame.at - last.get(frame.data, 0) > 10**8
        last[frame.data] = frame.at


# A late one --------------------------------------------------------------------------------------


@cell("planted")
def test_a_client_with_a_margin_on_the_wrong_side_is_late(played: Outcome) -> None:
    """The kernel is up to 2.1 s late and rounds down; the margin is 5 s."""
    result = measured(played)
    assert 2 < result.holdover < 2 * PLANTED_LATE + result.kept
    assert result.enforcer == "kernel"
    assert status([said(played)]) == LATE
    assert "Late on these premises: 1 of 1.\n\n- frozen, 40 s, run 1" in tables([said(played)])


# Two hosts with one address ----------------------------------------------------------------------


def shared(outcome: Outcome) -> Sharing:
    assert isinstance(outcome.result, Sharing), outcome.result
    return outcome.result


@cell("after", "clones")
def test_two_hosts_that_have_one_address_are_seen_to_answer(played: Outcome) -> None:
    """A host that somebody configures, and a clone, beside a client that looks out for neither."""
    result, found = shared(played), verdict(played)
    assert (found.says, found.shared_for) == ("late", FOREVER)
    assert (result.shared, result.at_end, result.answered) == (FOREVER, 2, 2)
    assert result.total > 5


@cell("gives way")
def test_the_reference_client_gives_way_to_who_comes_later(played: Outcome) -> None:
    """RFC 5227 §2.4(b): once it defends its address; at the second announcement it lets go."""
    result = shared(played)
    assert verdict(played).says == "holds"
    assert ANNOUNCE_INTERVAL / 2 < result.shared <= GIVES_WAY
    assert (result.answered, result.at_end) == (2, 1)


@cell("before", "our clones")
def test_the_reference_client_declines_what_another_host_has(played: Outcome) -> None:
    result, found = shared(played), verdict(played)
    assert (found.says, found.shared_for) == ("holds", 0)
    assert (result.shared, result.spells) == (0, 0)
    assert result.granted > 0
    assert result.declined > 0
    assert result.one_identity is played.cell.fault.clones


@cell("server probes")
def test_a_server_that_asks_offers_nothing_that_another_host_has(played: Outcome) -> None:
    """The client would not ask."""
    result, found = shared(played), verdict(played)
    assert (found.says, found.shared_for) == ("holds", 0)
    assert (result.shared, result.offered, result.at_end) == (0, 0, 1)
    assert result.told > 0


# Nothing is known --------------------------------------------------------------------------------


@cell("given away", "server clock set forward")
def test_what_is_given_away_is_kept_no_longer_than_predicted(played: Outcome) -> None:
    """By a server that forgets and one that thinks it is later; both hosts answer meanwhile."""
    result, judged = measured(played), verdict(played)
    assert result.displaced is not None
    assert judged.kept is not None
    assert 0 < result.displaced <= judged.kept + result.uncertainty
    assert (result.duplicate > 0, result.answered) == (True, 2)


@cell("no recorder")
def test_without_a_recorder_nothing_is_known(played: Outcome) -> None:
    assert isinstance(played.result, Unknown)
    assert "the recorder has ended" in played.result.reason
    assert status([said(played)]) == UNKNOWN
    assert record.read(played.record).gap == "the recorder did not come to its end"


def test_what_cannot_be_played_is_unknown_and_builds_nothing(tmp_path: Path) -> None:
    usual = OURS["frozen"]
    impossible = [
        replace(usual, client=replace(usual.client, needs=("no-such-program",))),
        replace(usual, fault=FAULTS["ACK lost"], server=replace(SERVERS["kea"], needs=())),
        replace(usual, server=replace(SERVERS["dnsmasq"], needs=())),
    ]
    told: list[Outcome] = []
    outcomes = play_all(impossible, tmp_path, 3, told.append)
    reasons = [outcome.result.reason for outcome in outcomes if isinstance(outcome.result, Unknown)]
    assert [
        words in reason
        for words, reason in zip(
            ("no-such-program", "cannot be asked for it", "no lease shorter than 120 s"),
            reasons,
            strict=True,
        )
    ] == [True] * 3
    assert len(told) == 3
    assert not list(tmp_path.iterdir())


def test_a_nak_that_never_came_is_unknown_and_no_pass() -> None:
    quiet = Measurement(
        address=LEASED,
        lease=10,
        holdover=-2.0,
        at_least=-2.0,
        uncertainty=0.0,
        enforcer="kernel",
        after_nak=None,
        duplicate=0.0,
        answered=0,
    )
    heeded = replace(quiet, after_nak=0.1)
    for name, result, expected in (
        ("NAK", quiet, UNKNOWN),
        ("NAK", heeded, 0),
        ("NAK", replace(heeded, after_nak=1.5), LATE),
        ("NAK", replace(heeded, holdover=math.inf), LATE),
        ("frozen", quiet, 0),
    ):
        assert status([said(Outcome(OURS[name], result, Path()))]) == expected


# The end -----------------------------------------------------------------------------------------


def interrupted(place: Path) -> Interrupted:
    """Ctrl-C in the middle of everything: some cells have begun, others wait for their turn."""
    words = (sys.executable, "-m", "tests.measure.never_late", "--quick", "--at-once", "6")
    running = subprocess.Popen(
        words,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    mine = f"ho-{running.pid}-"
    try:
        eventually(lambda: any(place.glob("*/*/client/state")), PATIENCE, "a client has begun")
        assert spaces(mine)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    finally:
        running.kill()
    left = list(place.iterdir())
    return Interrupted(running.returncode, out + err, spaces(mine), left, using(str(place)))


def test_ctrl_c_leaves_nothing_behind(playing: Playing) -> None:
    seen = playing.interrupted.result(PATIENCE)
    assert (seen.status, seen.said) == (130, "")
    assert (seen.spaces, seen.files, seen.processes) == ([], [], [])


def spaces(beginning: str) -> list[str]:
    return [path.name for path in Path("/run/netns").glob(f"{beginning}*")]


def using(place: str) -> list[str]:
    """Command lines of processes that name a place."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            line = (process / "cmdline").read_text() if process.name.isdecimal() else ""
        except OSError:
            continue
        found += [line] if place in line else []
    return found
