"""What solvers of other makers have said of the exported obligations: kept, and asked in turn.

Theory of operation.  What a program of a given version, with given options, says of a given text is
a fact, and stays one.  So `answers/NAME.txt` has it for the program NAME: first what the program is
(its version line and its options), then each answer before the questions that were answered so; a
question of several rounds is answered by a word for each.
A question is the first half of its SHA-256.  A kept answer is taken only if the program is the same
and the question is the same in each letter.  All else is asked, and so is of each fifty
questions one, whatever is kept: a number of any size says which, and who counts up has asked all
after fifty times (`proofs/kept.py`, as certificates are built again).

What it does not know: whether two programs that print the same version are the same, and whether
a program would say the same today; what is asked again looks for that.  An *unknown* is
never kept: a busy machine may have caused it.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from holdover.proofs.kept import names_in_turn

FOLDER = Path(__file__).with_name("answers")
DECIDED = ("sat", "unsat")


def key(question: str) -> str:
    """A question's name: 32 hexadecimal digits."""
    return hashlib.sha256(question.encode("utf-8")).hexdigest()[:32]


def identity(command: Sequence[str], seeds: Sequence[Sequence[str]] = ()) -> str:
    """What a program is: its version line, and the options with which it is asked."""
    done = subprocess.run(
        [command[0], "--version"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    options = [" ".join(command[1:]), *(" ".join(each) for each in seeds)]
    return " | ".join([done.stdout.strip().partition("\n")[0], *options])


def decides(answer: str) -> bool:
    """Whether it says sat or unsat, and in each round."""
    return bool(answer) and set(answer.split(" ")) <= set(DECIDED)


def read(program: str, who: str, folder: Path | None = None) -> dict[str, str]:
    """The kept answers of a program, by key; none where they are another program's.

    Raises ValueError with file and line for what is no answer and no key.
    """
    file = (folder or FOLDER) / f"{program}.txt"
    lines = file.read_text("ascii").splitlines() if file.exists() else []
    if lines[:1] != [who]:
        return {}
    found, answer = dict[str, str](), ""
    for number, line in enumerate(lines[1:], 2):
        if decides(line):
            answer = line
        elif answer and len(line) == 32 and not set(line) - set("0123456789abcdef"):
            found[line] = answer
        else:
            raise ValueError(f"{file}, line {number}: no answer and no key: {line!r}")
    return found


def write(program: str, who: str, answers: Mapping[str, str], folder: Path | None = None) -> None:
    """Keeps these answers and no others; an answer that decides nothing is not kept."""
    lines = [who]
    for answer in sorted(filter(decides, {*DECIDED, *answers.values()})):
        lines += [answer, *sorted(each for each, said in answers.items() if said == answer)]
    folder = folder or FOLDER
    folder.mkdir(exist_ok=True)
    (folder / f"{program}.txt").write_text("\n".join(lines) + "\n", "ascii")


def still_open(keys: Iterable[str], kept: Mapping[str, str], turn: int | None) -> set[str]:
    """Which questions are asked: those without an answer, and at a number those in turn."""
    names = list(dict.fromkeys(keys))
    again = names_in_turn(names, turn) if turn is not None else []
    return {*again, *(name for name in names if name not in kept)}


@cache
def number_of_commits() -> int:
    """Whose turn it is; 0 outside of a repository."""
    done = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout) if done.returncode == 0 else 0
