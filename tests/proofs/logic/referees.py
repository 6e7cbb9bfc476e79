"""Solvers of other makers and other years are asked the exported obligations, file by file.

`holdover prove` asks Z3 and cvc5 as libraries.  Debian's `cvc4` (1.8) and `z3` (4.8.12) are other
programs: they read the SMT-LIB text that `holdover prove --smtlib DIR` writes, and share nothing
with the project.  Each file is a process of its own; what is no plain `sat` or `unsat` in time -
`unknown`, an error, a timeout - is *unknown*.

`python -m tests.proofs.logic.referees DIR` asks all files below a directory and prints the counts;
exit status 0 if each is answered as its `:status` says, 1 if one is answered otherwise, 3 if one is
not answered.  With `--keep` it asks those only that have no kept answer (`kept_answers.py`), and
keeps what is said of them; it drops the answers to what nobody asks any more.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TypeAlias

from tests.proofs.logic import kept_answers

SECONDS = (5, 30, 300)
"""For one file, each time it is asked: in a first round and, of who said nothing, in the others.
They take less than a tenth of a second each, but for some of T6 that take Debian's z3 up to twenty,
and on a busy machine a multiple of that.  With another seed (`AGAIN`) most of these take no time:
so each is tried soon."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "cvc4": ("--lang", "smt2", "--full-saturate-quant"),
    "z3": ("-smt2",),
}

AGAIN: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "z3": tuple((f"smt.random_seed={seed}",) for seed in (2, 3, 5, 7))
}
"""What a program is asked with when it gave no answer in time: z3 4.8.12 chooses the instances of
a quantifier by chance, and says at once of a file with one seed what it does not find with another
(T0/ACK/may: `z3 -smt2 smt.random_seed=2`).  `sat` and `unsat` mean the same with each seed."""


def programs() -> dict[str, tuple[str, ...]]:
    """The programs that are installed: not those of this environment, where z3-solver has its own.

    That one is the solver that proved the obligations in the first place.
    """
    own = Path(sys.prefix, "bin").resolve()
    places = [place for place in os.get_exec_path() if place and Path(place).resolve() != own]
    found = {name: shutil.which(name, path=os.pathsep.join(places)) for name in OPTIONS}
    return {name: (path, *OPTIONS[name]) for name, path in found.items() if path is not None}


PROGRAMS: Mapping[str, tuple[str, ...]] = programs()

Answers: TypeAlias = Mapping[str, Mapping[str, str]]
"""Of each program, by a question's key."""


@dataclass(frozen=True)
class Said:
    """What a program said of a file: sat, unsat or unknown; `expected` is the file's status.

    `kept`: it said so when it was asked before, and was not asked now.
    """

    program: str
    file: Path
    answer: str
    expected: str
    kept: bool = False

    @property
    def outcome(self) -> str:
        """Whether the answer is the expected one: holds, violated or unknown."""
        if self.answer == "unknown":
            return "unknown"
        return "holds" if self.answer == self.expected else "violated"


def status(file: Path) -> str:
    """What the file says that the answer should be."""
    (found,) = re.findall(r"^\(set-info :status (sat|unsat)\)$", file.read_text("utf-8"), re.M)
    return str(found)


def answer(command: Sequence[str], seconds: float) -> str:
    """What a process says: sat or unsat, and unknown for all else."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return "unknown"
    said = done.stdout.strip()
    return said if said in ("sat", "unsat") else "unknown"


def asked(program: str, file: Path, rounds: Sequence[float] = SECONDS) -> Said:
    """One program's answer to one file: the first that is no *unknown*, of `AGAIN` too."""
    said = "unknown"
    for seconds, more in product(rounds, ((), *AGAIN.get(program, ()))):
        said = answer([*PROGRAMS[program], *more, str(file)], seconds)
        if said != "unknown":
            break
    return Said(program, file, said, status(file))


def question(file: Path) -> str:
    """What a file asks, without the comment that names it."""
    return re.sub(r"^;.*\n", "", file.read_text("utf-8"))


def all_asked(
    files: Iterable[Path],
    programs: Iterable[str] = tuple(PROGRAMS),
    kept: Answers | None = None,
    turn: int | None = None,
) -> Iterator[Said]:
    """Every program's answer to every file, as many at a time as there are processors.

    Files that ask the same are one question, asked once.  With kept answers, for each program by
    the question's key, what has one is not asked, unless it is its turn: any number.
    """
    alike: dict[str, list[Path]] = {}
    for file in files:
        alike.setdefault(question(file), []).append(file)
    keys = {text: kept_answers.key(text) for text in alike}

    def one(pair: tuple[str, str]) -> Said:
        program, text = pair
        file, before = alike[text][0], (kept or {}).get(program, {})
        if keys[text] in open_ones[program]:
            return asked(program, file)
        return Said(program, file, before[keys[text]], status(file), kept=True)

    open_ones = {
        program: kept_answers.still_open(keys.values(), (kept or {}).get(program, {}), turn)
        for program in programs
    }
    pairs = list(product(open_ones, alike))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for (_, text), said in zip(pairs, pool.map(one, pairs), strict=True):
            yield from (replace(said, file=file) for file in alike[text])


def below(folder: Path) -> list[Path]:
    """The obligations in a directory."""
    return sorted(folder.rglob("*.smt2"))


def identities() -> dict[str, str]:
    """What each installed program is, for its kept answers."""
    return {
        name: kept_answers.identity(command, AGAIN.get(name, ()))
        for name, command in PROGRAMS.items()
    }


def kept_by_program() -> dict[str, dict[str, str]]:
    """The kept answers of the programs that are installed, as they are."""
    return {name: kept_answers.read(name, who) for name, who in identities().items()}


def keep(said: Iterable[Said]) -> None:
    """Keeps these answers and no others."""
    answers: dict[str, dict[str, str]] = {name: {} for name in PROGRAMS}
    for each in said:
        answers[each.program][kept_answers.key(question(each.file))] = each.answer
    for name, who in identities().items():
        kept_answers.write(name, who, answers[name])


def main(folder: Path, keeps: bool = False) -> int:
    """Ask all, or those without a kept answer; print the counts and what is not as expected."""
    files, start = below(folder), time.monotonic()
    said = list(all_asked(files, tuple(PROGRAMS), kept_by_program() if keeps else None))
    if keeps and files:
        keep(said)
    for each in said:
        if each.outcome != "holds":
            print(
                f"{each.outcome}: {each.program} says {each.answer}, {each.expected} expected: "
                f"{each.file}"
            )
    for program in PROGRAMS:
        counts = Counter(each.outcome for each in said if each.program == program)
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        before = sum(each.kept for each in said if each.program == program)
        print(f"{program}: {len(files)} files: {told}" + (f"; {before} as kept" if before else ""))
    print(f"{time.monotonic() - start:.0f} s")
    outcomes = {each.outcome for each in said}
    return 1 if "violated" in outcomes else 0 if outcomes == {"holds"} else 3


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:] == ["--keep"]))
