"""Journals against the lease table: what clients may do holds, what defective ones do does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import pytest

from holdover.model.errors import InputError
from holdover.model.table.client import CLIENT_ACTIONS
from holdover.reference.core.events import Configure, Event, Heard, Notify, Stop, Timer
from holdover.reference.core.instants import SECOND
from holdover.reference.core.server_state import StartServer
from holdover.reference.linux.malformed import Malformed
from holdover.reference.linux.storage.journal import Line, Lost, Unstored
from holdover.reference.refinement.defects import Seeded, defects_of, mutant
from holdover.reference.validation.calls import Call, Undone, calls
from holdover.reference.validation.explain import CLIENT
from holdover.reference.validation.findings import JournalVerdict
from holdover.reference.validation.follower import Follower, replay
from holdover.reference.wire.arp import announcement
from tests.reference.validation.rehearsal import (
    ADDRESS,
    SCENES,
    Rehearsal,
    ended,
    frozen,
    other_address,
    rehearsed,
    renewed,
)

NEVER = {
    "acknowledge": "the notice of this client waits for nobody",
    "disregard_nak": "this client heeds each DHCPNAK",
    "drop_refused": "and removes the address with it",
    "hear_conflict": "of a conflict about an address in use nobody knows how it ended",
    "conflict_ends": "likewise",
    "yield_address": "likewise",
    "relinquish": "this client holds no lapsed address",
}


@cache
def sound(scene: Callable[[Rehearsal], float]) -> Rehearsal:
    return rehearsed(scene)


@cache
def replayed(scene: Callable[[Rehearsal], float]) -> JournalVerdict:
    return replay(sound(scene).parts)


# What holds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", [each for each in SCENES if each is not frozen])
def test_each_call_of_the_reference_client_is_a_step(scene: Callable[[Rehearsal], float]) -> None:
    seen = replayed(scene)
    assert seen.violation is None
    assert seen.outcome == "holds", seen.unknown
    assert seen.calls > 5
    assert seen.conforming == rehearsed(scene).lines[-1].number


def test_the_scenes_take_every_row_of_the_client() -> None:
    taken = sum((replayed(scene).taken for scene in SCENES), Counter())
    assert {row.name for row in CLIENT_ACTIONS} - taken.keys() == NEVER.keys()
    assert {"ignore", "restart", "stop", "kernel_removes"} <= taken.keys()


def unstored(apart: Sequence[int]) -> list[Line]:
    """A client that has probed and cannot store its lease, tries again, and then can.

    `apart`: the seconds from one attempt to the next.
    """
    lines = rehearsed(renewed).lines
    used = next(i for i, line in enumerate(lines) if isinstance(line.value, Configure))
    called = max(i for i in range(used) if lines[i].kind == "Timer")
    calls_until_stored = lines[called:used]
    assert [line.kind for line in calls_until_stored] == ["Timer", "Store"]
    late, made = 0, lines[:called]
    for wait in apart:
        failed = [*calls_until_stored, replace(calls_until_stored[-1], value=Unstored())]
        made += [later(line, late) for line in failed]
        late += wait
    done = next(i for i in range(used, len(lines)) if lines[i].kind == "Timer")
    return made + [later(line, late) for line in lines[called:done]]


def later(line: Line, seconds: int) -> Line:
    by = seconds * SECOND
    return replace(line, now=line.now + by, boot=line.boot + by, monotonic=line.monotonic + by)


def test_a_client_that_waits_for_room_on_its_disk_stands_still() -> None:
    seen = replay(list(calls(unstored([5] * 10))))
    assert (seen.outcome, seen.violation, seen.taken["use"]) == ("holds", None, 1), seen.unknown
    assert len(seen.remarks) == 10


def test_one_that_does_not_try_again_was_frozen_or_late() -> None:
    seen = replay(list(calls(unstored([5, 30]))))
    assert (seen.outcome, seen.violation) == ("unknown", None)
    (finding,) = seen.unknown
    assert finding.why.row == "use"


def test_a_process_that_has_ended_does_not_run_again_because_a_lease_was_not_stored() -> None:
    """No client writes that line there; but a file may have any line."""
    lines = rehearsed(ended).lines
    stopped = next(i for i, line in enumerate(lines) if isinstance(line.value, Stop))
    told = next(i for i in range(stopped, len(lines)) if isinstance(lines[i].value, Notify))
    parts = list(calls([*lines[: told + 1], lines[told]]))
    last = parts[-1]
    assert isinstance(last, Call)
    follower = Follower({a: n for n, a in enumerate(sorted(last.addresses()))})
    for part in (*parts, Undone(last.line)):
        follower.take(part)
    assert {state["process", CLIENT] for state in follower.states} == {"DEAD"}


# What the journal cannot tell --------------------------------------------------------------------


def test_whether_a_process_was_frozen_or_late_is_unknown() -> None:
    seen = replayed(frozen)
    assert (seen.outcome, seen.violation) == ("unknown", None)
    (finding,) = seen.unknown
    assert finding.why.row == "lapse"
    assert "the process was frozen, or late" in finding.why.says


def test_lines_that_were_lost_are_unknown_and_what_follows_the_next_start_is_judged() -> None:
    made = rehearsed(renewed)
    lines = made.lines
    lost = [*lines[:20], replace(lines[20], value=Lost(3)), *lines[24:]]
    seen = replay(list(calls(lost)))
    assert (seen.outcome, seen.violation) == ("unknown", None)
    assert seen.taken["restart"] == 1
    assert seen.taken["renew"] == 0, "without a start nothing is known"


def test_a_malformed_message_is_no_call() -> None:
    lines = rehearsed(renewed).lines
    said = replace(lines[10], value=Malformed("DHCPACK from 10.0.0.1", ("option 6",), True))
    seen = replay(list(calls([*lines[:10], said, *lines[10:]])))
    assert (seen.outcome, seen.calls) == ("holds", replayed(renewed).calls)


def test_a_journal_without_a_call_has_shown_nothing() -> None:
    assert replay([]).outcome == "unknown"


@pytest.mark.parametrize("event", [Timer(), Heard(announcement(bytes(6), ADDRESS)), Stop()])
def test_a_call_before_any_start_has_shown_nothing(event: Event) -> None:
    """Such a line may be a server's as well: both cores have timers and hear ARP."""
    line = replace(rehearsed(renewed).lines[1], value=event)
    verdict = replay(list(calls([line])))
    assert verdict.outcome == "unknown"
    assert "no `Start`" in str(verdict.unknown[0].why)


def test_a_servers_journal_is_refused() -> None:
    line = replace(rehearsed(renewed).lines[1], value=StartServer())
    with pytest.raises(InputError, match="line 2: StartServer is a server's"):
        list(calls([line]))


# What is violated --------------------------------------------------------------------------------

FAMILY = "seeded defects, by their journals"

UNSEEN = {
    "lapse-a-unit-late": "a nanosecond is within what a process may be late",
    "coarse-timer": "likewise",
    "due-and-idle": "called again a turn later, it renews",
    "lapse-by-timer-only": "the shell looks at the deadline before it hands in anything else",
    "no-wait-after-decline": "of waiting the table has no more than that nothing overtakes",
    "no-rest-after-release": "likewise",
}
"""What a journal does not show, and why."""


@pytest.mark.kept(FAMILY)
@pytest.mark.parametrize("defect", defects_of("client"), ids=lambda defect: defect.name)
def test_a_defective_client_is_found_out(
    defect: Seeded, record_property: Callable[[str, object], None]
) -> None:
    """Each defect of `refinement/defects.toml`, by what it writes into its journal.

    Up to the first scene whose journal convicts it; one that none convicts is seen in all.  A
    journal that is line by line the reference client's has the verdict of that one.
    """
    core, seen = mutant(defect), {}
    for scene in SCENES:
        made = rehearsed(scene, core)
        same = made.lines == sound(scene).lines
        seen[scene] = replayed(scene) if same else replay(made.parts)
        if (found := seen[scene].violation) is not None:
            verdict = f"violated: {found.why.says} ({found.why.source})"
            break
    else:
        unknown = any(seen[scene].outcome == "unknown" for scene in SCENES if scene is not frozen)
        verdict = "unknown" if unknown else "not seen"
    record_property(FAMILY, f"{defect.name:30} {verdict}")
    assert (found is not None) == (defect.name not in UNSEEN), verdict


def test_the_longest_conforming_prefix_and_the_guard_are_named() -> None:
    """A DHCPREQUEST for more time before T1."""
    made = rehearsed(other_address)
    begun = next(i for i, line in enumerate(made.lines) if line.kind == "Configure")
    later = next(
        i
        for i in range(begun, len(made.lines))
        if made.lines[i].kind == "Timer" and made.lines[i + 1].kind == "Send"
    )
    early = [replace(line, now=made.lines[begun].now + 1) for line in made.lines[later : later + 2]]
    seen = replay(list(calls([*made.lines[:later], *early])))
    assert seen.outcome == "violated"
    assert seen.violation is not None
    assert seen.conforming < seen.violation.number == made.lines[later].number
    assert seen.violation.why.row == "renew"
    assert "now ≥ renew_at[h]" in seen.violation.why.guard
    assert seen.violation.why.source == "RFC 2131 §4.4.5 RENEWING, §4.3.2"
