"""What SPIN and TLC have said of an export: kept, and of each fifty one is asked again.

Theory of operation.  What a program of one version says of a text, with given options, is a fact
(decisions 60 and 64).  So `verdicts/` has for each program, and for each text that a test hands to
it, the numbers that came of it.  A text is named by its digest, and all stand under what the
program is: its version, and the digest of `tests/measure/bench/referees.py`, which reads what it
prints.  Where any of these is another, the program is asked.  Of each fifty kept verdicts, in the
order of their digests, one is asked again (`proofs/kept.py`); it fails if it is another now.

`python -m tests.model.export.kept_verdicts` runs the tests in `ASKING`, and keeps what they were
told; it drops what nobody asks any more.

What it does not know: whether two programs of one version are the same.  A search that came to no
end, and found nothing broken, is never kept.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from holdover.proofs.kept import names_in_turn
from tests.measure.bench import referees
from tests.measure.bench.referees import Verdict, tlc_jar, version_of
from tests.proofs.logic.kept_answers import key, number_of_commits

FOLDER = Path(__file__).with_name("verdicts")
ASKING = ("test_tla.py", "test_promela.py")

NUMBERS = ("states", "steps", "depth", "errors")


def digest(file: Path) -> str:
    """The first half of a file's SHA-256."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:32]


def identity(program: str) -> str:
    """What a program is, and what reads its output."""
    reader = f"read by {digest(Path(referees.__file__))}"
    if program == "tlc":
        jar = tlc_jar()
        return f"TLC {digest(jar) if jar else 'not there'}; {reader}"
    spin = version_of(["spin", "-V"], r"(Spin Version \S+)")
    gcc = version_of(["gcc", "--version"], r"(gcc.*)")
    return f"{spin}, {gcc}; {reader}"


def decided(verdict: Verdict) -> bool:
    """Whether the search came to its end, or to a broken property."""
    return not verdict.cut and (verdict.complete or bool(verdict.broken))


def as_data(verdict: Verdict) -> dict[str, object]:
    """What a verdict says, without what it cost."""
    numbers = {name: getattr(verdict, name) for name in NUMBERS}
    return {**numbers, "broken": dict(verdict.broken), "complete": verdict.complete}


@dataclass
class Keeper:
    """Stands before a program: its kept verdicts, by key, and whose turn it is."""

    program: str
    kept: Mapping[str, Mapping[str, Any]]
    turn: int | None
    heard: dict[str, Mapping[str, object]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def ask(self, question: str, program: Callable[[], Verdict]) -> Verdict:
        """What the program said of a question, or says now; ValueError if these are different."""
        name = key(question)
        taken = name in self.kept and name not in self.again
        if taken:
            verdict = self.remembered(name)
        else:
            verdict = program()
            self.asked.append(name)
            if name in self.kept and as_data(verdict) != self.kept[name]:
                raise ValueError(
                    f"{self.program} says now {as_data(verdict)}, and {self.kept[name]} is kept"
                    f" of this question in {FOLDER / self.program}.json: {name}"
                )
        if decided(verdict):
            self.heard[name] = as_data(verdict)
        return verdict

    @property
    def again(self) -> set[str]:
        """The kept verdicts whose turn it is."""
        return set() if self.turn is None else set(names_in_turn(sorted(self.kept), self.turn))

    def remembered(self, name: str) -> Verdict:
        """A kept verdict; what it cost is not known."""
        data = self.kept[name]
        return Verdict(
            tool=self.program,
            configuration="",
            **data,
            cut="",
            prepare=0.0,
            seconds=0.0,
            cpu=0.0,
            peak=0,
            output="as it said before",
        )


def read(program: str, who: str, folder: Path | None = None) -> dict[str, dict[str, object]]:
    """The kept verdicts of a program, by key; none where they are another program's."""
    file = (folder or FOLDER) / f"{program}.json"
    data = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return dict(data["verdicts"]) if data.get("who") == who else {}


def write(
    program: str, who: str, verdicts: Mapping[str, Mapping[str, object]], folder: Path | None = None
) -> None:
    """Keeps these verdicts and no others, one a line."""
    lines = (f"{json.dumps(name)}: {json.dumps(verdicts[name])}" for name in sorted(verdicts))
    body = ",\n".join(lines)
    text = f'{{"who": {json.dumps(who)},\n"verdicts": {{\n{body}\n}}}}\n'
    folder = folder or FOLDER
    folder.mkdir(exist_ok=True)
    (folder / f"{program}.json").write_text(text, "utf-8")


KEEPERS: dict[str, Keeper] = {}


def keeper_of(program: str) -> Keeper:
    """The one of this process."""
    if program not in KEEPERS:
        KEEPERS[program] = Keeper(program, read(program, identity(program)), number_of_commits())
    return KEEPERS[program]


def main(words: Sequence[str] = ASKING) -> int:
    """Run the tests, and keep what they were told; exit status as that of the tests."""
    status = int(pytest.main(["-q", *(str(Path(__file__).with_name(each)) for each in words)]))
    if not status:
        for program, keeper in KEEPERS.items():
            write(program, identity(program), keeper.heard)
            print(f"{program}: {len(keeper.heard)} kept, {len(keeper.asked)} asked now")
    return status


if __name__ == "__main__":
    from tests.model.export import kept_verdicts  # the module that tests have, and no second one

    sys.exit(kept_verdicts.main())
