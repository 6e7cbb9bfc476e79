"""The journal of a search: what was committed, level by level, so that a killed search resumes.

Theory of operation.  A directory holds the logs of the partitions and `journal.jsonl`.  Its first
line says which search it is of: a hash of the tabulated instance and of how states are dealt out
and renamed.  Each further line is one level: how many states each partition has, and what the
expansions came to.  A level counts once its line is whole and on the disk; what a log has beyond
the last whole line was found by a level that did not end, and is found again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from holdover.model.engine.system import lock, sync
from holdover.model.errors import InputError
from holdover.model.packed.program import LEAST_VALUE, NOTHING, Tally, empty_tally

NAME = "journal.jsonl"


class NotThisSearchError(InputError):
    """The directory cannot be used for this search; the message says why."""


class Checkpoint:
    """The journal in a directory, which is made if need be.  NotThisSearchError if it is another's.

    `levels` has for each level that was committed the partitions' counts and its tally.
    """

    def __init__(self, directory: Path, key: str, rules: int):
        try:
            directory.mkdir(exist_ok=True)
            self._file = (directory / NAME).open("a+b")
        except OSError as error:
            raise NotThisSearchError(f"{directory}: {error.strerror}") from error
        self.directory, self.rules = directory, rules
        self.levels: list[tuple[list[int], Tally]] = []
        try:
            self._read(directory, key)
        except BaseException:
            self.close()
            raise

    def _read(self, directory: Path, key: str) -> None:
        try:
            lock(self._file.fileno())
        except BlockingIOError:
            raise NotThisSearchError(f"{directory}: another search is writing there") from None
        self._file.seek(0)
        whole = 0
        lines = self._file.read().splitlines(keepends=True)
        for number, line in enumerate(lines):
            if not line.endswith(b"\n"):
                break  # the line that was being written when the search was killed
            self._take(directory, number, line, key)
            whole += len(line)
        self._file.truncate(whole)
        if not whole:
            self._write({"search": key})

    def _take(self, directory: Path, number: int, line: bytes, key: str) -> None:
        try:
            entry = json.loads(line)
            if number == 0:
                if entry["search"] != key:
                    raise NotThisSearchError(
                        f"{directory}: has a search of something else, or by another version of "
                        "holdover. Take another directory"
                    )
                return
            self.levels.append((entry["counts"], self._tally(entry)))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            if isinstance(error, NotThisSearchError):
                raise
            raise NotThisSearchError(
                f"{directory / NAME}, line {number + 1}: damaged. Take another directory"
            ) from error

    def commit(self, counts: list[int], tally: Tally) -> None:
        """A level has ended; the logs are on the disk."""
        self.levels.append((counts, tally))
        pairs = {
            "fired": [(r, int(n)) for r, n in enumerate(tally.fired) if n],
            "example": [(r, int(n)) for r, n in enumerate(tally.example) if n != NOTHING],
            "largest": [(r, int(n)) for r, n in enumerate(tally.largest) if n != LEAST_VALUE],
        }
        self._write({"counts": counts, "covered": int(tally.covered[0]), **pairs})

    def _tally(self, entry: dict[str, Any]) -> Tally:
        tally = empty_tally(self.rules)
        tally.covered[0] = entry["covered"]
        for name in ("fired", "example", "largest"):
            array = getattr(tally, name)
            for rule, number in entry[name]:
                array[rule] = np.array(number, dtype=array.dtype)
        return tally

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        sync(self._file.fileno())

    def close(self) -> None:
        """Close the journal, and let others have the directory."""
        self._file.close()
