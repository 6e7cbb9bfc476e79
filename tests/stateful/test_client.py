"""The reference client against the lease table at random: real seconds, real datagrams.

The counterpart of `tests/refinement`, which sees every state of tiny worlds: here the constants are
the RFCs', time is nanoseconds, datagrams are bytes, and there are up to three hosts.  `network.py`
says what is checked and what is not, `machine.py` what is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import process_time
from types import ModuleType

import pytest
from hypothesis import settings

from holdover.reference.core import client
from tests.stateful.compiled import Compiled
from tests.stateful.machine import ROUND, SCENES, compiled, expected, hunt, not_allowed, play, taken

ROUNDS = 14
"""For the coverage: of each scene at most, as far as `SECONDS` let them; fewer, where `ENOUGH` is
reached before: `test_no_run_ends_in_a_defect` goes on, and with other seeds each time."""

ENOUGH = 0.9
"""The exploration takes each edge.  Most that are left out here are a DHCPACK that leaves nothing
of a lease in its last eighth.  For an answer to be under way for so long, a scene needs a lease so
short that its T1 is before the DHCPREQUEST, and no option 58 can say that."""

SECONDS = 120.0


@pytest.mark.kept("runs with fixed seeds")
def test_the_client_takes_nearly_every_edge_that_the_table_has(
    record_property: Callable[[str, object], None],
) -> None:
    """Each round aims at what no earlier one took, in the scene whose last round took most of that.

    The rest is listed.
    """
    begun, wanted = process_time(), expected()
    tables = [Compiled(scene) for scene in SCENES]
    missing, rounds, gains = sorted(wanted), [0] * len(tables), [len(wanted)] * len(tables)
    while len(missing) > (1 - ENOUGH) * len(wanted) and process_time() - begun < SECONDS:
        left = [index for index, number in enumerate(rounds) if number < ROUNDS]
        if not left:
            break
        best = max(left, key=lambda index: (gains[index], -rounds[index]))
        play(tables[best], rounds[best], missing)
        rounds[best] += 1
        before, missing = missing, sorted(wanted - taken(tables).keys())
        gains[best] = len(before) - len(missing)
    took, seen = process_time() - begun, taken(tables)
    covered = wanted & seen.keys()
    title = "edges of the lease table that clients took in random runs"
    share = f"{len(covered)} of {len(wanted)} edges, {100 * len(covered) / len(wanted):.1f} %"
    record_property(title, f"{share}; {sum(seen.values())} rows in {took:.1f} s")
    for edge in sorted(wanted - covered):
        record_property(title, f"not taken: {edge}")
    assert len(covered) >= ENOUGH * len(wanted)
    assert not_allowed(seen) == set(), "an edge that the table does not have, or that is excused"


@pytest.mark.parametrize("number", range(len(SCENES)), ids=[scene.name for scene in SCENES])
def test_no_run_ends_in_a_defect(number: int) -> None:
    """As the profile has it: in CI with other seeds each time, and what reproduces a failure."""
    play(compiled()[number], None, sorted(expected()), how=settings(ROUND, max_examples=20))


MUTANTS = {
    "the lease counts from the DHCPACK": (
        "read_lease(client, event.reply, client.asking.asked, chance)\n",
        "read_lease(client, event.reply, now, chance)\n",
    ),
    "a DHCPNAK is ignored": (
        "    if not from_asked(client, event.reply):\n        return client, ()\n    after, e",
        "    return client, ()\n    after, e",
    ),
    "the notice comes before the address is removed": (
        "    return after, (*effects, Notify(Notice.LAPSED, client.lease))",
        "    return after, (Notify(Notice.LAPSED, client.lease), *effects)",
    ),
    "nobody is told of a lapse": (
        "    return after, (*effects, Notify(Notice.LAPSED, client.lease))",
        "    return after, effects",
    ),
    "the timer is a second late": (
        "        instants.append(client.lease.end)\n",
        "        instants.append(client.lease.end and client.lease.end + 10**9)\n",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_client_that_does_otherwise_is_found_out(name: str) -> None:
    """The harness can go red."""
    kill = hunt(changed(*MUTANTS[name]), SECONDS)
    assert kill is not None
    assert kill.kind == KINDS[name], kill


KINDS = {
    "the lease counts from the DHCPACK": "refinement",
    "a DHCPNAK is ignored": "refinement",
    "the notice comes before the address is removed": "released_first",
    "nobody is told of a lapse": "told",
    "the timer is a second late": "late",
}


def changed(old: str, new: str) -> ModuleType:
    """The client with another passage in its text."""
    text = Path(client.__file__).read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    module = ModuleType("changed_client")
    exec(compile(text.replace(old, new), "<changed client>", "exec"), module.__dict__)
    return module
