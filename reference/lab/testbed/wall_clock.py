"""A wall clock of its own for the programs of one host, which can be set.

Theory of operation.  No namespace has a wall clock of its own, and the machine's is not ours to
set.  A small library, compiled where it is needed and loaded before libc (LD_PRELOAD), adds an
offset to what a program reads of the wall clock; the offset is a file that all of them have mapped,
so a step reaches them at once.  No other clock is touched, and no timer: libfaketime shifts the
timers of a timerfd whatever their clock.

What it does not know: programs that are linked statically, or ask the kernel without libc; `loaded`
tells.  A timer that was set on the wall clock itself is not moved, as it would be on a real one.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from holdover.reference.lab.testbed.process import PATIENCE, UnheardError, state

COMPILER = "cc"

LIBRARY = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *offset;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("HOLDOVER_WALL");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *there = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  if (there == MAP_FAILED) _exit(127);
  offset = there;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  int status = syscall(SYS_clock_gettime, clock, at);
  if (status == 0 && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    at->tv_sec += *offset;
  return status;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
"""


class WallClock:
    """The clock; `under`: the words that start a program with it."""

    def __init__(self, place: Path) -> None:
        if shutil.which(COMPILER) is None:
            raise UnheardError(f"a wall clock of its own needs the program {COMPILER}")
        self._library, self._offset = place / "wall.so", place / "wall"
        self.step(0)
        source = self._library.with_suffix(".c")
        source.write_text(LIBRARY)
        words = (COMPILER, "-shared", "-fPIC", "-O1", "-o", self._library, source)
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
        if done.returncode != 0:
            raise UnheardError(f"{COMPILER}: {done.stderr}")
        self.under: tuple[str | Path, ...] = (
            "env",
            f"LD_PRELOAD={self._library}",
            f"HOLDOVER_WALL={self._offset}",
        )

    def step(self, seconds: int) -> None:
        """Set it to so many seconds after the machine's."""
        with self._offset.open("r+b" if self._offset.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))

    def step_of(self, processes: Iterable[int], name: str, seconds: int) -> None:
        """The same for programs that read it; UnheardError, with that name, where they do not."""
        programs = [each for each in processes if state(each) != "Z"]
        if not programs or not all(map(self.loaded, programs)):
            raise UnheardError(f"the {name} does not read its wall clock by libc")
        self.step(seconds)

    def loaded(self, process: int) -> bool:
        """Whether a program reads this clock."""
        return str(self._library) in Path(f"/proc/{process}/maps").read_text()
