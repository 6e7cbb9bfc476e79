"""The fuzzer, shortly: with a seed nothing is found, and what is planted is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from holdover.reference.core import client, server
from holdover.reference.core.instants import SECOND
from holdover.reference.wire import messages, option_layout, options
from holdover.reference.wire.option_values import BYTES, Kind
from tests.fuzz.__main__ import Run, fuzz, main
from tests.fuzz.oracle import Heard

SEED, PACKETS = 7, 4000


def last(seed: int, packets: int) -> Run:
    *_, run = fuzz(seed, packets)
    return run


def test_nothing_is_found_and_everything_was_reached() -> None:
    run = last(SEED, PACKETS)
    assert run.failed is None
    assert run.packets == PACKETS
    for name, reached in {
        "client": (
            "no frame",
            "no message",
            "with an option dropped",
            "refused",
            "a lease taken",
            "a lease given up",
            "ARP",
            "other frames",
            "taken in SELECTING",
            "taken in REQUESTING",
            "taken in PROBING",
            "taken in RENEWING",
            "taken in REBINDING",
        ),
        "server": (
            "no frame",
            "no message",
            "with an option dropped",
            "refused",
            "a lease recorded",
            "ARP",
            "DHCPOFFER sent",
            "DHCPACK sent",
            "DHCPNAK sent",
        ),
    }.items():
        assert not [what for what in reached if run.counts[name][what] < 5], run.counts[name]


def test_a_seed_gives_the_same_packets_and_the_same_came_of_them() -> None:
    first, second, other = last(1, 500), last(1, 500), last(2, 500)
    assert (first.digest, first.packet, first.counts) == (
        second.digest,
        second.packet,
        second.counts,
    )
    assert first.digest != other.digest


# What is planted ---------------------------------------------------------------------------------


def lenient(code: int) -> Callable[[pytest.MonkeyPatch], None]:
    """An option of four bytes is read from as many as there are."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        row = options.TABLE[code]
        kind: Kind[Any] = replace(row.kind, read=lambda data: row.kind.read(data[:4].ljust(4)))
        patch.setitem(options.TABLE, code, replace(row, kind=kind))

    return plant


def rests_on_less(side: str, code: int) -> Callable[[pytest.MonkeyPatch], None]:
    """A message is acted upon without an option on which it rests."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(messages, side, getattr(messages, side) - {code})

    return plant


def unbounded(patch: pytest.MonkeyPatch) -> None:
    """The end of a field is not looked at."""

    def scan(data: bytes, at: int, end: int, found: Any) -> list[option_layout.Dropped]:
        while at < end and (code := data[at]) != 255:
            size = data[at + 1]
            found[code] = found.get(code, b"") + data[at + 2 : at + 2 + size]
            at += 2 + size
        return []

    patch.setattr(option_layout, "_scan", scan)


def not_hidden(patch: pytest.MonkeyPatch) -> None:
    """A server takes what it cannot find for absent."""
    dropped = option_layout.Dropped
    patch.setattr(option_layout, "Dropped", lambda *words, hides=False: dropped(*words))


def last_wins(patch: pytest.MonkeyPatch) -> None:
    """Of an option that is there twice the last is read (RFC 3396 §7: they are one)."""
    patch.setattr(
        option_layout,
        "_join",
        lambda found, more: found.update({code: pieces[-1] for code, pieces in more.items()}),
    )


def chances(patch: pytest.MonkeyPatch) -> None:
    """The client core draws a random number of its own."""
    random = Random(0)
    patch.setattr(client, "soon", lambda core, now, chance: now + random.randrange(10**9))


def other_identity(patch: pytest.MonkeyPatch) -> None:
    """The server takes every client for its hardware address."""
    usual = messages.request_from_wire
    patch.setattr(
        messages,
        "request_from_wire",
        lambda message: (
            None if (request := usual(message)) is None else replace(request, client_id=None)
        ),
    )


def longer(patch: pytest.MonkeyPatch) -> None:
    """The client gives its lease a second more than the reply does."""
    usual = client.read_lease

    def read_lease(core: Any, reply: Any, asked: int, chance: Any) -> Any:
        lease = usual(core, reply, asked, chance)
        if lease is None or lease.end is None:
            return lease
        return replace(lease, end=lease.end + SECOND)

    patch.setattr(client, "read_lease", read_lease)


def raises(patch: pytest.MonkeyPatch) -> None:
    """The server has no answer to a message."""
    patch.delitem(server.TABLE, next(iter(server.TABLE)))
    patch.setattr(server, "ignore", lambda core, event, now: 1 // 0)


PLANTED: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "51 of any length": (lenient(51), "a lease from a malformed option 51"),
    "54 of any length": (lenient(54), "malformed option 54|another server"),
    "50 of any length": (lenient(50), "a record for a malformed option 50"),
    "61 is not rested on": (
        rests_on_less("REQUEST_RESTS_ON", 61),
        "a record for a malformed option 61",
    ),
    "61 is not rested on by a reply": (
        rests_on_less("REPLY_RESTS_ON", 61),
        "a lease from a malformed option 61",
    ),
    "no end of a field": (unbounded, "IndexError|ValueError|hidden|malformed"),
    "nothing is hidden": (not_hidden, "a record for a request part of which is hidden"),
    "the last of two": (last_wins, "malformed option|option 53"),
    "a core that draws": (chances, "two steps differ"),
    "a client by its hardware": (other_identity, "a record for another client"),
    "a lease from its reply": (longer, "a lease with more time than the reply says"),
    "a message without an answer": (raises, "ZeroDivisionError"),
}


@pytest.mark.kept("what is planted for the fuzzer")
@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, says = PLANTED[name]
    plant(monkeypatch)
    run = last(SEED, 20 * PACKETS)
    assert run.failed is not None
    assert re.search(says, run.failed)


# The command -------------------------------------------------------------------------------------


def test_the_command_says_what_it_did_and_the_seed() -> None:
    done = CliRunner().invoke(main, ["--packets", "300", "--seed", "5"])
    assert done.exit_code == 0
    assert done.output.startswith("seed 5\nclient: ")
    assert "300 packets in " in done.output
    assert "none led to an exception" in done.output
    new = CliRunner().invoke(main, ["--seconds", "0.01"])
    assert new.exit_code == 0
    assert new.output.startswith("seed ")


def test_the_command_prints_the_packet_and_how_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raises(monkeypatch)
    done = CliRunner().invoke(main, ["--packets", "5000", "--seed", "5"])
    assert done.exit_code == 1
    assert "ZeroDivisionError" in done.output
    assert "again: python -m tests.fuzz --seed 5 --packets " in done.output


# The oracle --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tail", "sound", "whole"),
    [
        ("33040000003cff", True, True),
        ("330200003302003cff", True, True),
        ("330300003cff", False, True),
        ("3304000000", False, False),
        ("0cff61", True, False),
        ("ff33", True, True),
        ("340101ff", True, True),
        ("340104ff", True, False),
        ("33", False, False),
    ],
)
def test_the_oracle_reads_options_by_itself(tail: str, sound: bool, whole: bool) -> None:
    heard = Heard(bytes(240) + bytes.fromhex(tail))
    assert (heard.sound(51), heard.whole) == (sound, whole)


def test_the_kind_of_an_unknown_option_is_bytes() -> None:
    """So that `lenient` is about rows of the table."""
    assert options.option_of(224).kind is BYTES
