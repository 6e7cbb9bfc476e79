"""cvc5's proofs of the theorems, by what it has said of the same texts (decision 64).

Theory of operation.  `holdover prove --solver cvc5 --no-search` asks cvc5 by text, with an effort
and options, and with nothing else (`cvc5_says`, `proofs/logic/solvers.py`).  Here the same command
runs, and in the place of cvc5 stands `Listener`: it takes the kept answer of a text (`answers/`,
as for solvers of other makers), where there is one of the same version; else cvc5 is asked, and so
it is where it is a text's turn.  So obligations are made, grouped and counted as they always are,
and a claim comes out as cvc5's answers say.  All processes of the command write into one log what
they asked and what they took, from which it is counted and kept.  Tests that ask cvc5 much, and the
same at each commit, have it so too (`ASKING`; the fixture `kept_cvc5`, `tests/proofs/conftest.py`).

`python -m tests.proofs.logic.kept_cvc5 --turn N` is a check of `.ci/check`; exit status as that of
`holdover prove`, and 1 where cvc5 says now what is not the kept answer.  Where all claims came out
as stated, and no byte has changed since of what makes them or has the answers (`tests/kept.py`),
one claim is made, another one at each commit, and a quarter of its texts are asked again.
With `--keep` it runs those tests too, asks what has no kept answer, keeps what it is told, and
drops the answers to what nobody asks any more.

What it does not know: see `kept_answers.py`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click
import pytest

from holdover.proofs.kept import OF_EACH
from holdover.proofs.logic import solvers
from holdover.proofs.verdicts import claims
from holdover.reference.commands.prove import prove
from tests import kept as kept_checks
from tests.proofs.logic import kept_answers

COMMAND = ("--solver", "cvc5", "--no-search")
PROGRAM = "cvc5"
FAMILY = "theorems by cvc5"

TESTS = Path(__file__).parents[1]
ASKING = ("logic/test_reasons.py", "theorems/test_t3_grace.py", "verdicts/test_judge.py")
"""The tests that have kept answers stand for cvc5."""

Says = Callable[[str, int, Sequence[str]], list[str]]


def identity() -> str:
    """What cvc5 is; with which effort and options it is asked stands in each question."""
    return f"cvc5 {metadata.version('cvc5')}"


def question(text: str, most: int, options: Sequence[str]) -> str:
    """All that cvc5 is handed."""
    return f"{most} {' '.join(options)}\n{text}"


@dataclass(frozen=True)
class Heard:
    """An answer to a question's key, and whether it was taken from what is kept."""

    key: str
    kept: bool
    said: str


@dataclass(frozen=True)
class Listener:
    """Stands in the place of cvc5: its kept answers, whose turn it is, and the log."""

    says: Says
    kept: Mapping[str, str]
    again: frozenset[str]
    log: Path

    def __call__(self, text: str, most: int, options: Sequence[str]) -> list[str]:
        """What cvc5 said of this text, or says now."""
        key = kept_answers.key(question(text, most, options))
        taken = key in self.kept and key not in self.again
        said = self.kept[key].split() if taken else self.says(text, most, options)
        line = f"{key} {'kept' if taken else 'asked'} {' '.join(said)}".replace("\n", " ")
        with self.log.open("ab", buffering=0) as file:  # one write, so lines of processes are whole
            file.write(f"{line}\n".encode())
        return said

    def heard(self) -> Iterator[Heard]:
        """What was asked and taken, by this process and those that it has forked."""
        for line in self.log.read_text("utf-8").splitlines():
            key, how, said = line.split(" ", 2)
            yield Heard(key, how == "kept", said)

    def differing(self) -> list[str]:
        """Where cvc5 says now what is not the kept answer."""
        found = {each.key: each.said for each in self.heard() if not each.kept}
        return [
            f"{key}: cvc5 says now {said}, and {self.kept[key]} is kept"
            for key, said in found.items()
            if said != self.kept.get(key, said)
        ]


@contextmanager
def listening(
    turn: int | None, kept: Mapping[str, str] | None = None, of_each: int = OF_EACH
) -> Iterator[Listener]:
    """Has kept answers stand for cvc5, in this process and those that it forks meanwhile.

    Which are asked again is counted in the order of the keys: one `of_each`.
    """
    kept = read_kept() if kept is None else kept
    again = sorted(kept)[turn % of_each :: of_each] if turn is not None else []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "heard"
        log.touch()
        before = solvers.cvc5_says
        listener = Listener(before, kept, frozenset(again), log)
        solvers.cvc5_says = listener
        try:
            yield listener
        finally:
            solvers.cvc5_says = before


QUARTERS = 4
"""So often is a claim made before all of its texts have been asked again: in fewer commits than
fifty, where there are no more than twelve claims."""


def made() -> list[claims.Claim]:
    """The claims that the command makes."""
    every = claims.claims((PROGRAM,), combined=True)
    return [each for each in every if each.group.startswith("T") and each.kind in claims.BY_SOLVERS]


@contextmanager
def only(claim: claims.Claim) -> Iterator[None]:
    """Has the command make that claim alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "claims", lambda *_, **__: iter([claim]))
        yield


@contextmanager
def in_turn(turn: int) -> Iterator[Listener]:
    """The same for one claim, another one at each number; a quarter of its texts are asked."""
    every = made()
    before, number = divmod(turn, len(every))
    with only(every[number]), listening(before, of_each=QUARTERS) as listener:
        yield listener


def read_kept() -> dict[str, str]:
    """What this version of cvc5 has said, by the questions' keys."""
    return kept_answers.read(PROGRAM, identity())


def keep(heard: Iterable[Heard]) -> None:
    """Keeps these answers and no others."""
    kept_answers.write(PROGRAM, identity(), {each.key: each.said for each in heard})


@click.command()
@click.option("--turn", type=int, help="Which of each fifty is asked again: any number.")
@click.option("--keep", "keeps", is_flag=True, help="Keep what cvc5 says, and drop what is old.")
def main(turn: int | None, keeps: bool) -> None:
    """The theorems by cvc5, by what it said of the same texts."""
    few = turn is not None and kept_checks.unchanged(FAMILY)
    with in_turn(turn) if few and turn is not None else listening(turn) as listener:
        status = prove.main([*COMMAND], "holdover prove", standalone_mode=False)
        if keeps and not status:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(kept_checks.ANEW, "1")
                status = int(pytest.main(["-q", *(str(TESTS / name) for name in ASKING)]))
        heard = list(listener.heard())
        differing = listener.differing()
    for line in differing:
        click.echo(line)
    if keeps and not status:
        keep(heard)
    asked = {each.key for each in heard if not each.kept}
    taken = {each.key for each in heard} - asked
    click.echo(f"cvc5: {len(asked)} texts asked now, {len(taken)} as it said before")
    sys.exit(status or (1 if differing else 0))


if __name__ == "__main__":
    from tests.proofs.logic import kept_cvc5  # the module that tests have, and not a second one

    kept_cvc5.main(prog_name="python -m tests.proofs.logic.kept_cvc5")
