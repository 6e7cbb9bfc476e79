"""Ten thousand random runs of our cores, audited: how many are accused, how many are found.

    python -m tests.measure.audit_runs [RUNS [FIRST SEED [KIND]]]

A run is written as a capture, and that is audited as `holdover audit` does.  Three kinds
(tests/reference/audit/verdicts.py): everybody conforms, and the capture point may miss
frames (a finding, or a broken rule, is wrong); a host overstays, and it misses none; a host
overstays for long, and it misses one in twenty.  KIND: 0, 1 or 2; else all of them.  Prints what
came out (so far, every 500 runs), and the seeds that went wrong; ends with 1 if there is one.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from holdover.reference.audit.monitor.results import Audit
from tests.reference.audit.town import Town
from tests.reference.audit.verdicts import (
    broken_rules,
    conforming_run,
    finds,
    is_clean,
    is_visible,
    planted_run,
    planted_run_with_losses,
)

RUNS = 10_000

KINDS = (
    ("conforming", conforming_run),
    ("overstay", planted_run),
    ("overstay, frames missed", planted_run_with_losses),
)


class Count:
    """What came out of runs of one kind."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.of: Counter[str] = Counter()
        self.wrong: list[int] = []

    def take(self, seed: int, town: Town, audit: Audit, *, planted: bool) -> None:
        """One run."""
        self.of["runs"] += 1
        self.of["frames"] += len(town.frames)
        self.of["frames missed"] += town.missed
        self.of["verdict " + audit.verdict] += 1
        self.of["findings"] += len(audit.findings)
        self.of["rules broken"] += len(broken_rules(audit))
        if planted:
            self.of["visible"] += is_visible(town)
            self.of["found"] += finds(town, audit)
        good = finds(town, audit) or not is_visible(town) if planted else is_clean(audit)
        if not good:
            self.wrong.append(seed)

    def __str__(self) -> str:
        counts = ", ".join(f"{what} {count:,}" for what, count in self.of.items())
        wrong = f"wrong {len(self.wrong)}" + "".join(f" {seed}" for seed in self.wrong[:20])
        return f"{self.name}: {counts}; {wrong}"


def play(kind: int, seeds: range) -> Count:
    """All runs of a kind; what came out so far goes to stderr."""
    name, run = KINDS[kind]
    count = Count(name)
    for number, seed in enumerate(seeds, 1):
        count.take(seed, *run(seed), planted=kind > 0)
        if number % 500 == 0:
            print(count, file=sys.stderr, flush=True)
    return count


def main(arguments: Sequence[str]) -> int:
    """Play, audit and print."""
    runs, first, *kinds = (*map(int, arguments), *(RUNS, 0)[len(arguments) :])
    counts = [play(kind, range(first, first + runs)) for kind in kinds or range(len(KINDS))]
    for count in counts:
        print(count)
    return int(any(count.wrong for count in counts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
