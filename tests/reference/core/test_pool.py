"""A pool in blocks answers as a look at each of its addresses would."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.core import pool as module
from holdover.reference.core.config import ServerConfig
from holdover.reference.core.pool import (
    NOTHING,
    Binding,
    ClientKey,
    Entries,
    Entry,
    Reservation,
    Withheld,
)
from holdover.reference.core.server_state import Server

POOL = tuple(IPv4Address("10.0.0.2") + n for n in (4, 0, 7, 1, 2, 3, 5, 6, 8))
KEYS = [ClientKey(name, given) for name in (b"a", b"b", b"c") for given in (True, False)]
INSTANTS = st.integers(0, 5)
ENTRIES = st.builds(
    Entry,
    binding=st.none() | st.builds(Binding, st.sampled_from(KEYS), st.none() | INSTANTS),
    offer=st.none() | st.builds(Reservation, st.sampled_from(KEYS), INSTANTS),
    withheld=st.none() | st.builds(Withheld, st.integers(0, 9), INSTANTS, st.booleans()),
    conflicts=st.integers(0, 2),
)
CHANGES = st.lists(st.tuples(st.sampled_from(POOL), ENTRIES | st.just(NOTHING)), max_size=30)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)


@given(CHANGES)
def test_what_was_put_is_there_and_servers_that_know_the_same_are_equal(changes: Any) -> None:
    config = ServerConfig(identifier=POOL[0] - 1, hardware=bytes(6), pool=POOL)
    server, expected = Server(config), dict[IPv4Address, Entry]()
    for address, entry in changes:
        server = server.put(address, entry)
        expected[address] = entry
    known = tuple(sorted((a, e) for a, e in expected.items() if e != NOTHING))
    assert tuple(server.entries) == known
    assert len(server.entries) == len(known)
    assert all(server.entry(address) == expected.get(address, NOTHING) for address in POOL)
    again = Server(config, known)
    assert (server, hash(server)) == (again, hash(again))
    assert server == Server(config, [*known, (POOL[-1] + 1, Entry(conflicts=1))])


@given(CHANGES, INSTANTS, st.sampled_from(KEYS))
def test_what_is_due_and_whom_it_concerns(changes: Any, now: int, key: ClientKey) -> None:
    entries = Entries.of(POOL, dict(changes).items())
    dues = {address: due for address, entry in entries if (due := entry.due) is not None}
    assert entries.due == min(dues.values(), default=None)
    assert [address for address, _ in entries.due_by(now)] == [a for a in dues if dues[a] <= now]
    bound = {a for a, e in entries if e.binding is not None and e.binding.key == key}
    offered = {a for a, e in entries if e.offer is not None and e.offer.key == key}
    assert set(entries.concerning(key)) == bound | offered


@given(CHANGES, st.sampled_from(KEYS), st.none() | st.sampled_from(POOL))
def test_candidates_have_the_first_unused_and_the_oldest_lease(
    changes: Any, key: ClientKey, asked: IPv4Address | None
) -> None:
    known = dict(changes)
    candidates = Entries.of(POOL, known.items()).candidates(key, asked)
    assert candidates == sorted(set(candidates), key=POOL.index)
    concerned = {a for a, e in known.items() if e.concerns(key)} | ({asked} - {None})
    free = [a for a in POOL if known.get(a, NOTHING).is_free]
    unused = sorted(free, key=lambda a: known.get(a, NOTHING).conflicts)[:1]
    ends = [
        (e.binding.end is None, e.binding.end or 0, POOL.index(a))
        for a, e in known.items()
        if e.binding is not None and e.offer is None and e.withheld is None
    ]
    oldest = [POOL[place] for _, _, place in sorted(ends)[:1]]
    assert set(candidates) == concerned | set(unused) | set(oldest)


@given(CHANGES)
def test_the_one_to_doubt_is_withheld_longest_on_a_clients_word(changes: Any) -> None:
    known = dict(changes)
    entries = Entries.of(POOL, known.items())
    doubted = [
        (e.withheld.since, POOL.index(a))
        for a, e in known.items()
        if e.withheld is not None and not e.withheld.seen and e.offer is None
    ]
    assert entries.doubted == next((POOL[place] for _, place in sorted(doubted)), None)
    withheld = ((a, e.withheld) for a, e in sorted(known.items()))
    assert entries.withheld == [(a, why) for a, why in withheld if why is not None]
