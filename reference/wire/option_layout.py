"""Where options stand in a message: up to three fields, and values in pieces (RFC 3396).

Theory of operation.  Options stand in up to three fields, read in the order options, file, sname
(RFC 2131 §4.1); what has the same code is one value cut into pieces (RFC 3396 §7), so that a value
can be read only when all fields are.  `read_options` joins the pieces; where a value is refused, it
looks again for where they stood, and says which byte is wrong.  What cannot be read is no exception
there: it is `Dropped`, a value beside the options, and who reads decides (`packet.py`).
`lay_out` goes the other way: it takes the first of these layouts that has room: options alone, with
file, with sname, with both; only when none has room for uncut values it cuts them at the end of a
field (RFC 3396 §4: SHOULD NOT unless there is no choice).  The order of options is kept, so a field
may be left before it is full.  Each byte is looked at a bounded number of times.

What is dropped, and with how much of what stands around it:

- a value that its kind refuses: all pieces of that option, and no other (RFC 3396 §7: they are one
  value; so an option of fixed length that is given twice is refused, as one of twice the length);
- an option that goes on past the end of its field: that option, with the pieces that came before,
  and `hides` is true, for what followed it in the field is lost;
- option 52 that says no 1, 2 or 3: it, and `hides` is true: no field besides `options` is read, for
  nothing says that one holds options (RFC 2131 §4.1);
- option 52 in `file` or `sname` (RFC 2132 §9.3 is about the options field only): it alone.

What it does not know: the other fields of a message (`packet.py`), and on which options it rests
(`messages.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntFlag

from holdover.reference.wire.option_values import U8, Value, WireError
from holdover.reference.wire.options import (
    END,
    OVERLOAD,
    PAD,
    RELAY_INFORMATION,
    TABLE,
    Options,
    option_of,
)

SNAME_AT, FILE_AT, COOKIE_AT, OPTIONS_AT = 44, 108, 236, 240
"""Where the fields begin (RFC 2131 Figure 1); each ends where the next begins."""


class TooLargeError(ValueError):
    """A message that has no layout within its limit."""


class Overload(IntFlag):
    """The fields besides `options` that hold options (RFC 2132 §9.3)."""

    NONE = 0
    FILE = 1
    SNAME = 2
    BOTH = 3


ROOMS = {
    use: (
        COOKIE_AT - FILE_AT - 1 if Overload.FILE in use else 0,
        FILE_AT - SNAME_AT - 1 if Overload.SNAME in use else 0,
    )
    for use in Overload.__members__.values()
}
"""How many bytes of options, and an end behind them, `file` and `sname` hold in each case."""

# Reading -----------------------------------------------------------------------------------------

Field = tuple[int, int]
"""Where it begins, and ends."""

FIELDS = ((Overload.FILE, (FILE_AT, COOKIE_AT)), (Overload.SNAME, (SNAME_AT, FILE_AT)))
"""In the order in which they are read after `options`."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An option that could not be read: its code, why, and the byte of the message that is wrong.

    `hides`: what other options the message had is not known, for they cannot be found.
    """

    code: int
    why: str
    offset: int
    hides: bool = False

    def __str__(self) -> str:
        return f"{option_of(self.code)}: {self.why}"

    @property
    def error(self) -> WireError:
        """The same, to be raised by who takes no message with an option dropped."""
        return WireError(str(self), self.offset)


def read_options(data: bytes) -> tuple[Overload, Options, tuple[Dropped, ...]]:
    """The options of a message of 240 bytes or more, where they stood, and what was dropped.

    Where: which fields besides `options` held some.  RFC 2131 §4.1: options are interpreted first,
    then file, then sname.
    """
    found: dict[int, bytes] = {}
    fields = [(OPTIONS_AT, len(data))]
    dropped = _scan(data, OPTIONS_AT, len(data), found)
    use = Overload.NONE  # whose members Python combines slowly: what is asked of them is asked once
    if OVERLOAD in found:
        try:
            use = _read_overload(found.pop(OVERLOAD))
        except WireError as error:
            dropped.append(_misread(data, fields, OVERLOAD, error, hides=True))
    if use:
        fields += [field for each, field in FIELDS if each in use]
        for begin, end in fields[1:]:
            dropped += _scan(data, begin, end, found)
        if OVERLOAD in found:
            begin, _ = next(_places(data, fields[1:], OVERLOAD))
            dropped.append(Dropped(OVERLOAD, "expected in the options field", begin - 2))
    for each in dropped:
        found.pop(each.code, None)
    read: dict[int, Value] = {}
    for code, value in found.items():
        row = TABLE.get(code)
        try:
            read[code] = value if row is None else row.kind.read(value)
        except WireError as error:
            dropped.append(_misread(data, fields, code, error))
    return use, Options.known(read, found), tuple(dropped)


def _scan(data: bytes, at: int, end: int, found: dict[int, bytes]) -> list[Dropped]:
    """Add the values that one field holds, up to one that is cut off (RFC 2132 §2, §3.1, §3.2)."""
    more: dict[int, list[bytes]] = {}
    dropped: list[Dropped] = []
    while at < end and (code := data[at]) != END:
        if code == PAD:
            at += 1
            continue
        if at + 1 == end:
            why = "expected a length, got the end of the field"
            dropped.append(Dropped(code, why, end, hides=True))
            break
        begin, at = at + 2, at + 2 + data[at + 1]
        if at > end:
            why = f"expected {at - begin} bytes, got {end - begin} to the field's end"
            dropped.append(Dropped(code, why, begin - 1, hides=True))
            break
        if code in found:
            more.setdefault(code, []).append(data[begin:at])
        else:
            found[code] = data[begin:at]
    if more:
        _join(found, more)
    return dropped


def _join(found: dict[int, bytes], more: dict[int, list[bytes]]) -> None:
    """Values of which there were more pieces (RFC 3396 §7)."""
    for code, pieces in more.items():
        found[code] = b"".join((found[code], *pieces))


def _read_overload(data: bytes) -> Overload:
    """RFC 2132 §9.3."""
    number = U8.read(data)
    if not 1 <= number <= 3:
        raise WireError(f"expected 1, 2 or 3, got {number}", 0)
    return Overload(number)


def _misread(
    data: bytes, fields: Sequence[Field], code: int, error: WireError, *, hides: bool = False
) -> Dropped:
    """A value that its kind refuses; the error's offset into it becomes one into the message."""
    offset, end = error.offset, len(data)
    for begin, end in _places(data, fields, code):
        if offset < end - begin:
            return Dropped(code, error.message, begin + offset, hides)
        offset -= end - begin
    return Dropped(code, error.message, end, hides)


def _places(data: bytes, fields: Sequence[Field], code: int) -> Iterator[Field]:
    """Where the pieces of a value begin and end, in the order of RFC 3396 §5."""
    for at, end in fields:
        while at < end and data[at] != END:
            begin = at + 2
            if data[at] == PAD:
                at += 1
                continue
            if begin > end or begin + data[at + 1] > end:
                break
            if data[at] == code:
                yield begin, begin + data[at + 1]
            at = begin + data[at + 1]


# Writing -----------------------------------------------------------------------------------------


def lay_out(
    options: Options, room: int, uses: Sequence[Overload]
) -> tuple[Overload, tuple[bytes, bytes, bytes]]:
    """The first of `uses` that has room: which it is, and the bytes of options, file and sname.

    The options field has `room` bytes; of file and sname, count those that the use names.
    Relay information is last in the options field and never in another (RFC 3046 §2.2); option 52
    is just before it.
    """
    pieces = [(code, piece) for code, data in options.pairs() for piece in _split(data)]
    relay = b"".join([_tlv(*piece) for piece in pieces if piece[0] == RELAY_INFORMATION.code])
    movable = [piece for piece in pieces if piece[0] != RELAY_INFORMATION.code]
    for cutting in (False, True):
        for use in uses:
            tail = (_tlv(OVERLOAD, bytes((use,))) if use else b"") + relay + bytes((END,))
            rooms = (room - len(tail), *ROOMS[use])
            if (filled := _fill(movable, rooms, cutting=cutting)) is not None:
                first, file, sname = filled
                return use, (first + tail, file + bytes((END,)), sname + bytes((END,)))
    needed = sum(len(_tlv(*piece)) for piece in pieces)
    raise TooLargeError(f"options of {needed} bytes: no layout with {room} bytes of options field")


def in_one(options: Options, room: int) -> bytes | None:
    """The options field, where it has room for all, uncut, and none has to be last: as mostly."""
    written = options.written()
    if RELAY_INFORMATION.code in written:
        return None
    try:
        parts = [bytes((code, len(data))) + data for code, data in written.items()]
    except ValueError:  # one of more than 255 bytes
        return None
    field = b"".join(parts) + bytes((END,))
    return field if len(field) <= room else None


def _split(data: bytes) -> list[bytes]:
    """A value in pieces of 255 bytes at most (RFC 3396 §6); an empty one is a piece too."""
    return [data[at : at + 255] for at in range(0, len(data), 255)] or [data]


def _tlv(code: int, piece: bytes) -> bytes:
    """Code, length, value (RFC 2132 §2)."""
    return bytes((code, len(piece))) + piece


def _fill(
    pieces: Sequence[tuple[int, bytes]], rooms: tuple[int, int, int], *, cutting: bool
) -> list[bytes] | None:
    """The fields' contents, pieces in their order, none across a boundary (RFC 3396 §5).

    A piece that finds no room goes to the next field; `cutting`, the part that has room stays.
    """
    fields: list[list[bytes]] = [[], [], []]
    at, left = 0, rooms[0]
    for code, piece in pieces:
        while (space := left - 2) < len(piece):
            if cutting and space > 0:
                fields[at].append(_tlv(code, piece[:space]))
                piece = piece[space:]
            if at == len(rooms) - 1:
                return None
            at, left = at + 1, rooms[at + 1]
        fields[at].append(_tlv(code, piece))
        left = space - len(piece)
    return [b"".join(field) for field in fields] if rooms[0] >= 0 else None
