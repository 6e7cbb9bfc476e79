"""Ten thousand random runs of our cores, audited: how many are accused, how many are found.

    python -m tests.measure.audit_runs [RUNS [FIRST SEED]]

Three kinds (tests/reference/audit/verdicts.py): everybody conforms, and the capture point may miss
frames; a host overstays, and it misses none; a host overstays for long, and it misses one in
twenty.  Prints what came out, and the seeds that went wrong; ends with 1 if there is one.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from holdover.reference.audit.monitor.results import Audit
from tests.reference.audit.town import Town
from tests.reference.audit.verdicts import (
    conforming_run,
    finds,
    is_visible,
    planted_run,
    planted_run_with_losses,
)

RUNS = 10_000


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
        if planted:
            self.of["visible"] += is_visible(town)
            self.of["found"] += finds(town, audit)
        good = finds(town, audit) or not is_visible(town) if planted else not audit.findings
        if not good:
            self.wrong.append(seed)

    def __str__(self) -> str:
        counts = ", ".join(f"{what} {count:,}" for what, count in self.of.items())
        wrong = f"wrong {len(self.wrong)}" + "".join(f" {seed}" for seed in self.wrong[:20])
        return f"{self.name}: {counts}; {wrong}"


def main(arguments: Sequence[str]) -> int:
    """Play, audit and print."""
    runs = int(arguments[0]) if arguments else RUNS
    first = int(arguments[1]) if len(arguments) > 1 else 0
    counts = [Count("conforming"), Count("overstay"), Count("overstay, frames missed")]
    for seed in range(first, first + runs):
        plays = (conforming_run, planted_run, planted_run_with_losses)
        for number, (play, count) in enumerate(zip(plays, counts, strict=True)):
            count.take(seed, *play(seed), planted=number > 0)
    for count in counts:
        print(count)
    return int(any(count.wrong for count in counts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
