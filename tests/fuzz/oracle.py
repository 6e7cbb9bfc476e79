"""What a message's options are, read a second time: by code that shares nothing with the project's.

RFC 2131 §4.1, RFC 2132 §3.1, §3.2, §9.3 and RFC 3396 §7, as short as they can be said.
"""

from __future__ import annotations

SIZES = {50: range(4, 5), 51: range(4, 5), 53: range(1, 2), 54: range(4, 5), 61: range(2, 65536)}


class Heard:
    """The options of a payload, joined; `broken`: codes that are cut off; `whole`: none is lost."""

    def __init__(self, data: bytes) -> None:
        self.values: dict[int, bytes] = {}
        self.broken: set[int] = set()
        self.whole = True
        self._field(data[240:])
        use = self.values.pop(52, None)
        if 52 in self.broken or use not in (None, b"\1", b"\2", b"\3"):
            self.whole = False
        elif use is not None:
            if use[0] & 1:
                self._field(data[108:236])
            if use[0] & 2:
                self._field(data[44:108])

    def _field(self, rest: bytes) -> None:
        while rest and rest[0] != 255:
            if rest[0] == 0:
                rest = rest[1:]
            elif len(rest) < 2 or len(rest) < 2 + rest[1]:
                self.broken.add(rest[0])
                self.whole = False
                return
            else:
                code, size = rest[0], rest[1]
                self.values[code] = self.values.get(code, b"") + rest[2 : 2 + size]
                rest = rest[2 + size :]

    def sound(self, code: int) -> bool:
        """The option is absent, or as long as it has to be."""
        if code in self.broken:
            return False
        return code not in self.values or len(self.values[code]) in SIZES[code]

    def has(self, code: int) -> bool:
        """The option is there and as long as it has to be."""
        return code in self.values and self.sound(code)
