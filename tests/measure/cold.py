"""`python -m tests.measure.cold`: how long the client's Python takes after a pause.

Theory of operation.  The parts of an exchange (`bytecodes.py`) are done one after the other, as a
client does them whose server has answered; before each turn is a pause.  Of each part the median of
what it took by the clock is shown, for each length of the pause.  No part waits for anything, and
each executes the same bytecodes in every turn.  So what differs between the columns is the state in
which the pause, and other work meanwhile, leave the processor.

The bare program's parts (`bare.py`) are done in turns of their own.

What it does not know: whether it is caches or the clock; what else the machine does.  `chrt -f 10`
in front of the command keeps other work away while a part is done, not while it pauses.
"""

from __future__ import annotations

import time
from statistics import median

from tests.measure.bytecodes import TWICE, Part, parts

PAUSES = (0, 0.3, 1, 5, 50)
"""In milliseconds."""

TURNS = 60


def taken(these: dict[str, Part], pause: float) -> dict[str, float]:
    """Microseconds for each part, after a pause of so many milliseconds."""
    found: dict[str, list[int]] = {name: [] for name in these}
    for _ in range(TURNS):
        if pause:
            time.sleep(pause / 1000)
        for name, part in these.items():
            begin = time.perf_counter_ns()
            part()
            found[name].append(time.perf_counter_ns() - begin)
    return {name: median(each) / 1000 for name, each in found.items()}


def table() -> str:
    """As Markdown."""
    ours = {name: part for name, (part, _) in parts().items()}
    bare = {f"{name}, bare": part for name, (_, part) in parts().items() if part is not None}
    lines = [
        "| µs | " + " | ".join(f"after {each} ms" if each else "at once" for each in PAUSES) + " |",
        "| --- |" + " --- |" * len(PAUSES),
    ]
    for these in (ours, bare):
        found = [taken(these, pause) for pause in PAUSES]
        times = {name: 2 if name.removesuffix(", bare") in TWICE else 1 for name in these}
        whole = [sum(times[name] * each[name] for name in these) for each in found]
        rows = {name: [each[name] for each in found] for name in these}
        for name, figures in (rows | {"**in an exchange**": whole}).items():
            lines.append(f"| {name} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
