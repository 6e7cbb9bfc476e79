"""The bytes of a source: of a file, or what comes through a pipe, unpacked where it is packed.

Theory of operation.  `Bytes` is a window on a source: `data[:end]` is there, and `more(at)` asks
for what comes after it, when all before `at` is done with.  It is a small buffer, which stays in
the processor's cache, and grows only where one record needs it: so a capture of any size takes as
much memory as a small one, and is read faster than if it were mapped (decision 42).  Whether it is
packed, the first bytes say.  gzip is unpacked by zlib; for zstd, which Python has only since 3.14,
the program `zstd` is asked.

What ends before its time, or cannot be unpacked any further, sets `broken`; what came before is
read.

What it does not know: what the bytes are.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, cast

import numpy as np

from holdover.model.errors import InputError

Source = Path | Literal["-"]
"""A file, or standard input."""

BUFFER = 1 << 20
"""Bytes: of the buffer at first."""

GZIP_FORMAT = 31
"""zlib's `wbits` of a gzip member with the largest window."""

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def name_of(source: Source) -> str:
    """As findings name it."""
    return "standard input" if source == "-" else str(source)


class Readable(Protocol):
    """What a buffer is filled from."""

    def readinto(self, room: Any, /) -> int | None:
        """Fill `room`; how many bytes it got, 0 at the end."""


class Bytes:
    """A window on a source: `data[:end]`, which stands `base` bytes into what was unpacked."""

    def __init__(self, source: Readable, *to_close: Any) -> None:
        self._source, self._to_close = source, to_close
        self._room = bytearray(BUFFER)
        self.data: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(self._room, np.uint8)
        self.end = self.base = 0
        self.broken: str | None = None
        self._over = False

    def head(self, size: int) -> bytes:
        """The first bytes, at most so many."""
        while self.end < size and self.more(0) is not None:
            pass
        return self.data[: min(size, self.end)].tobytes()

    def more(self, at: int) -> int | None:
        """Forget what is before `at`, get more; where `at` is now, None where no more comes.

        Either way, what stood at `at` is in front now.
        """
        left = self.end - at
        if left == len(self._room):
            larger = bytearray(2 * len(self._room))
            larger[:left] = self._room
            self._room, self.data = larger, np.frombuffer(larger, np.uint8)
        elif at:
            self.data[:left] = self.data[at : self.end].copy()
        self.base += at
        self.end = left
        if self._over:
            return None
        try:
            got = self._source.readinto(memoryview(self._room)[left:]) or 0
        except (EOFError, zlib.error) as error:
            self.broken = f"cannot be unpacked any further: {error}"
            got = 0
        except OSError as error:
            self.broken = f"cannot be read any further: {error.strerror}"
            got = 0
        if not got:
            self._over = True
            return None
        self.end += got
        return 0

    def close(self) -> None:
        """Let go of the source."""
        for thing in self._to_close:
            thing.close()


class Gunzip:
    """What zlib unpacks of a file, of one member or several."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._packed = file, b""
        self._member = zlib.decompressobj(GZIP_FORMAT)

    def readinto(self, room: Any, /) -> int:
        """As of a file; EOFError where it is cut off, zlib.error where it is damaged."""
        space = memoryview(room)
        while True:
            self._packed = self._packed or self._file.read(BUFFER // 4)
            if self._member.eof:
                if not self._packed.startswith(GZIP):  # the end, or padding
                    return 0
                self._member = zlib.decompressobj(GZIP_FORMAT)
            if not self._packed:
                raise EOFError("gzip: the file is cut off")
            unpacked = self._member.decompress(self._packed, len(space))
            left = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            self._packed = left
            if unpacked:
                space[: len(unpacked)] = unpacked
                return len(unpacked)


class Zstd:
    """What the program `zstd` unpacks of a file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        if shutil.which("zstd") is None:
            raise InputError(
                f"{name}: is packed by zstd, and the program `zstd` is not there: install it, "
                "or unpack the file elsewhere"
            )
        words = ["zstd", "-dcq", "--memory=1024MB"]
        self._program = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._file = file
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()

    def _feed(self) -> None:
        """What the file has, to the program: part of it may be in Python's buffer already."""
        into = cast(BinaryIO, self._program.stdin)
        with suppress(OSError, ValueError):
            shutil.copyfileobj(self._file, into, BUFFER)
        with suppress(OSError):
            into.close()

    def readinto(self, room: Any, /) -> int:
        """As of a file; at the end, OSError where the program had something to complain about."""
        got = cast(io.BufferedReader, self._program.stdout).readinto1(room)
        if not got and self._program.wait():
            words = cast(BinaryIO, self._program.stderr).read().decode(errors="replace").split("\n")
            raise OSError(self._program.returncode, words[0] or "zstd failed")
        return got

    def close(self) -> None:
        """End the program."""
        if self._program.poll() is None:
            self._program.kill()
            self._program.wait()
        self._feeder.join()
        for pipe in (self._program.stdout, self._program.stderr):
            cast(BinaryIO, pipe).close()


def open_bytes(source: Source) -> Bytes:
    """A window on what is in a source, unpacked; InputError where it cannot be opened."""
    name = name_of(source)
    try:
        file: Any = sys.stdin.buffer if source == "-" else Path(source).open("rb")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from None
    try:
        first = file.peek(4)[:4]
        if first.startswith(GZIP):
            return Bytes(Gunzip(file), file)
        if first == ZSTD:
            unpacked = Zstd(file, name)
            return Bytes(unpacked, unpacked, file)
    except OSError as error:
        file.close()
        raise InputError(f"{name}: cannot be read: {error.strerror}") from None
    except InputError:
        file.close()
        raise
    return Bytes(file, file)
