"""The journal: what is read equals what was written, whatever happened to the file."""

import json
import os
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.model.errors import InputError
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Chance,
    Configure,
    Effect,
    Event,
    Gone,
    Heard,
    Lease,
    Notice,
    Notify,
    Received,
    Release,
    Remove,
    Send,
    SendArp,
    Start,
    Stop,
    Store,
    Timer,
)
from holdover.reference.core.server_state import (
    Binding,
    ClientKey,
    ReceivedRequest,
    Recording,
    Reinstate,
    SendReply,
    ServerEffect,
    ServerEvent,
    StartServer,
    StoreBinding,
)
from holdover.reference.linux.malformed import Malformed
from holdover.reference.linux.storage import journal as journals
from holdover.reference.linux.storage.journal import (
    KINDS,
    VERSION,
    AddressSeen,
    Began,
    DryRun,
    Entry,
    Journal,
    Line,
    Lost,
    Unstored,
    Waited,
    read,
)
from holdover.reference.linux.storage.json_values import from_json, to_json
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import LEASE_TIME, Options
from tests.reference.wire.test_messages import replies, requests
from tests.reference.wire.test_packet import options

MAC = b"\2\0\0\0\0\1"
A = IPv4Address("10.0.0.101")

none = st.none()
addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
instants = st.integers(0, 2**64)
chances = st.builds(Chance, st.integers(0, 2**32 - 1), st.integers(0, 1000))
hardware = st.binary(min_size=6, max_size=6)
arps = st.builds(Arp, st.sampled_from(ArpOperation), hardware, addresses, hardware, addresses)
dates = st.tuples(instants, instants, instants) | st.just((None, None, None))
leases = st.builds(
    lambda address, server, at, options: Lease(address, server, at[0], at[1], at[2], options),
    addresses,
    addresses,
    dates,
    options,
)
keys = st.builds(ClientKey, st.binary(max_size=20), given=st.booleans())
bindings = st.builds(Binding, keys, none | instants)

BY_KIND: dict[type, st.SearchStrategy[Any]] = {
    Start: st.builds(Start, none | leases, none | addresses),
    Timer: st.builds(Timer),
    Received: st.builds(Received, replies),
    Heard: st.builds(Heard, arps),
    Gone: st.builds(Gone, addresses),
    Release: st.builds(Release),
    Stop: st.builds(Stop),
    Send: st.builds(Send, requests, none | addresses),
    SendArp: st.builds(SendArp, arps),
    Configure: st.builds(Configure, leases, none | instants),
    Remove: st.builds(Remove, addresses),
    Store: st.builds(Store, none | leases),
    Notify: st.builds(Notify, st.sampled_from(Notice), none | leases),
    ReceivedRequest: st.builds(ReceivedRequest, requests),
    StartServer: st.builds(StartServer, st.lists(st.tuples(addresses, bindings)).map(tuple)),
    Reinstate: st.builds(Reinstate, addresses),
    Recording: st.builds(Recording, st.booleans()),
    SendReply: st.builds(SendReply, replies, none | addresses),
    StoreBinding: st.builds(StoreBinding, addresses, none | bindings),
    ClientConfig: st.builds(
        ClientConfig,
        hardware=hardware,
        client_id=st.none() | st.binary(max_size=20),
        options=options,
        broadcast=st.booleans(),
        margin=instants,
    ),
    Malformed: st.builds(
        Malformed, st.text(max_size=20), st.lists(st.text(max_size=20)).map(tuple), st.booleans()
    ),
    AddressSeen: st.builds(AddressSeen, st.text(max_size=20), addresses),
    Unstored: st.builds(Unstored),
    Waited: st.builds(Waited, instants),
}
values = st.one_of(*BY_KIND.values())
EVENTS, EFFECTS = get_args(Event) + get_args(ServerEvent), get_args(Effect) + get_args(ServerEffect)


def write(journal: Journal, value: Any, now: int, chance: Chance | None) -> None:
    if isinstance(value, EVENTS):
        journal.event(value, now, chance)
    elif isinstance(value, EFFECTS):
        journal.effect(value, now)
    elif isinstance(value, ClientConfig):
        journal.client(value, now)
    elif isinstance(value, Unstored):
        journal.note_unstored(now)
    elif isinstance(value, Malformed):
        journal.note_malformed(value, now)
    elif isinstance(value, Waited):
        journal.note_wait(value.length, now)
    else:
        journal.address(value.what, value.address, now)


def test_every_event_and_effect_of_both_cores_is_tried() -> None:
    assert {*BY_KIND, Began, Lost, DryRun} == set(KINDS.values())


def test_a_dry_run_says_so(tmp_path: Path) -> None:
    journal, config = Journal(tmp_path / "journal"), ClientConfig(hardware=bytes(6))
    journal.client(config, 7, dry=True)
    _, *lines = read(tmp_path / "journal")
    assert [(line.now, line.value) for line in lines] == [(7, config), (7, DryRun())]
    journal.close()


@given(st.lists(st.tuples(values, instants), max_size=8), none | chances)
def test_what_is_read_equals_what_was_written(
    said: list[tuple[Entry, int]], chance: Chance | None
) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, "journal")
        journal = Journal(path)
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.monotonic_ns(), time.time()
        for value, now in said:
            write(journal, value, now, chance)
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.monotonic_ns(), time.time()
        began, *lines = read(path)
        assert isinstance(began.value, Began)
        assert began.value.process == os.getpid()
        assert [(line.value, line.now) for line in lines] == said
        assert [type(line.value) for line in lines] == [type(value) for value, _ in said]
        for line in lines:
            assert line.chance == (chance if isinstance(line.value, EVENTS) else None)
            assert before[0] <= line.boot <= after[0]
            assert before[1] <= line.monotonic <= after[1]
            assert before[2] - 0.001 <= line.wall.timestamp() <= after[2]
            assert line.kind == type(line.value).__name__
        journal.close()


def test_a_line_is_there_before_the_next_thing_is_done(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.address("added", A, 7)
    *_, last = read(path)
    assert last.value == AddressSeen("added", A)
    assert path.stat().st_mode & 0o777 == 0o600
    journal.close()
    journal.address("removed", A, 8)
    assert len([*read(path)]) == 2, "nothing is written to a closed one"


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    journal = Journal(None)
    journal.event(Timer(), 3, Chance(1, 2))
    journal.close()
    assert [*tmp_path.iterdir()] == []


# Damage ------------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Began and three timers."""
    path = tmp_path / "journal"
    writer = Journal(path)
    for xid in range(3):
        writer.event(Timer(), xid, Chance(xid, 0))
    writer.close()
    return path


def xids(path: Path) -> list[int]:
    return [line.chance.xid for line in read(path) if line.chance is not None]


def test_a_torn_last_line_is_passed_over(journal: Path) -> None:
    whole = journal.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole)):
        journal.write_bytes(whole[:size])
        said = sum(end <= size for end in ends)  # all but the line break is all
        assert xids(journal) == [0, 1, 2][: max(said - 1, 0)]


def test_who_comes_after_a_torn_line_begins_a_new_one(journal: Path) -> None:
    journal.write_bytes(journal.read_bytes()[:-5])
    writer = Journal(journal)
    writer.event(Timer(), 9, Chance(9, 0))
    writer.close()
    assert xids(journal) == [0, 1, 9]
    again = Journal(journal)
    again.close()
    assert b"\n\n" not in journal.read_bytes(), "a whole last line is not torn"


def edited(field: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda said: said.update({field: value})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (edited("kind", "Timers"), "unknown kind 'Timers'"),
        (edited("kind", 3), "expected str, got 3"),
        (edited("now", True), "expected int, got True"),
        (edited("boot", 1.5), "expected int, got 1.5"),
        (edited("wall", "yesterday"), "Invalid isoformat"),
        (edited("extra", 1), "got .*extra"),
        (lambda said: said.pop("value"), "expected boot, kind, monotonic, now, value, wall"),
        (edited("value", []), r"expected dict, got \[\]"),
        (edited("value", {"late": 1}), "Timer: expected"),
        (edited("chance", {"xid": 1}), "Chance: expected xid, jitter"),
        (edited("chance", {"xid": "1", "jitter": 0}), "expected int, got '1'"),
    ],
)
def test_a_damaged_line_is_named(
    journal: Path, damage: Callable[[dict[str, Any]], object], says: str
) -> None:
    lines = journal.read_text().splitlines()
    said = json.loads(lines[2])
    damage(said)
    lines[2] = json.dumps(said)
    journal.write_text("\n".join([*lines, ""]))
    found: list[Line] = []
    with pytest.raises(InputError, match=rf"{journal}: line 3: .*{says}"):
        found.extend(read(journal))


def test_a_journal_of_another_version_says_so(journal: Path) -> None:
    text = journal.read_text()
    journal.write_text(text.replace(f'"version": {VERSION}', '"version": 3', 1))
    with pytest.raises(InputError, match=f"line 1: of version 3; .* reads version {VERSION}"):
        list(read(journal))


@pytest.mark.parametrize("text", ["", "{", "[1]", "\0", "\xff", "[" * 100_000, "null"])
def test_what_is_no_line_is_refused_with_its_number(journal: Path, text: str) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], text.encode("latin-1") + b"\n", *lines[2:]]))
    with pytest.raises(InputError, match="line 3: "):
        xids(journal)
    journal.write_bytes(b"".join([*lines[:2], text.encode("latin-1") + b"\n"]))
    with pytest.raises(InputError, match="line 3: "):
        xids(journal)
    journal.write_bytes(text.encode("latin-1") + b"\n" + text.encode("latin-1") + b"\n")
    with pytest.raises(InputError, match="line 1: "):
        xids(journal)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Options, [[51, "00"]]),
        (Options, [[51]]),
        (Options, [["51", "00000001"]]),
        (Options, [[52, "01"]]),
        (Options, [[51, "00000001"], [51, "00000001"]]),
        (MessageType, "HELLO"),
        (MessageType, 5),
        (bytes, "0g"),
        (IPv4Address, "10.0.0.256"),
        (IPv4Address, 5),
        (tuple[int, int], [1]),
        (tuple[int, ...], {"1": 1}),
        (Lease, {"address": "10.0.0.1"}),
    ],
    ids=str,
)
def test_what_is_not_written_as_json_is_not_read(kind: object, said: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each has its own words
        from_json(kind, said)


def test_a_line_without_end_is_refused_before_it_is_read(journal: Path) -> None:
    with journal.open("ab") as file:
        file.truncate(1 << 40)  # one line of zeros, with holes: to read it all would take hours
    with pytest.raises(InputError, match=r"line 5: longer than 1024 KiB; a journal is what `hold"):
        xids(journal)


def test_a_journal_that_is_too_large_is_refused(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "LARGEST", journal.stat().st_size)
    assert xids(journal) == [0, 1, 2]
    monkeypatch.setattr(journals, "LARGEST", journal.stat().st_size - 1)
    with pytest.raises(InputError, match=r"larger than 0 MiB: take the part from a later line"):
        xids(journal)


def test_nesting_is_refused_in_words(journal: Path) -> None:
    journal.write_bytes(b"[" * 100_000 + b"\n")
    with pytest.raises(InputError, match=r"line 1: nested too deeply; a journal is what `holdover"):
        xids(journal)


def test_only_values_of_the_cores_are_written() -> None:
    assert to_json(Options([LEASE_TIME(1)])) == [[51, "00000001"]]
    with pytest.raises(TypeError, match="no value of the cores"):
        to_json(1.5)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: No such file"):
        next(read(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="Is a directory"):
        next(read(tmp_path))


# Full disks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "why"),
    [("/dev/full", "No space left"), ("/nowhere/journal", "No such file"), ("/", "Is a directory")],
)
def test_what_cannot_be_written_is_refused_before_anything_starts(path: str, why: str) -> None:
    files = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(InputError, match=f"^{path}: {why}.*; the journal cannot be written"):
        Journal(Path(path))
    assert len([*Path("/proc/self/fd").iterdir()]) == files


def drained(pipe: int) -> bytes:
    """All that is in a pipe."""
    found = b""
    try:
        while data := os.read(pipe, 1 << 16):
            found += data
    except BlockingIOError:
        pass
    return found


@pytest.mark.parametrize("size", [10, 5000], ids=["lines fit", "a line is torn"])
def test_when_it_is_full_that_is_said_once_and_lines_are_counted(tmp_path: Path, size: int) -> None:
    """A pipe that nobody reads stands for a disk; long lines go in by parts (pipe(7))."""
    fifo, copy = tmp_path / "fifo", tmp_path / "copy"
    os.mkfifo(fifo)
    notes: list[str] = []
    writer = Journal(fifo, notes.append)
    reply = BootReply(MessageType.ACK, 1, MAC, options=Options([(200, bytes(size))]))
    written = 0
    while not notes:
        writer.event(Received(reply), written, Chance(written, 0))
        written += 1
    for _ in range(4):
        writer.event(Received(reply), written, Chance(0, 0))
    pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    text = drained(pipe)
    writer.event(Timer(), 99, Chance(7, 7))
    writer.event(Timer(), 100, Chance(8, 8))
    copy.write_bytes(text + drained(pipe))
    os.close(pipe)
    writer.close()
    _, *lines = read(copy)
    # `Lost` is short, and may fit where the line after it does not: then there are several.
    lost = [line.value for line in lines[written - 1 : -2]]
    kinds = ["Received"] * (written - 1) + ["Lost"] * len(lost) + ["Timer"] * 2
    assert [line.kind for line in lines] == kinds
    assert sum(value.lines for value in lost if isinstance(value, Lost)) == 5
    (note,) = notes
    assert note.startswith(f"{fifo}: ")
