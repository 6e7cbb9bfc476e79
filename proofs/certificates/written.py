"""A certificate as lines, and as the text that `check.py` reads.

A line speaks of terms, not of letters, whose numbers depend on the lines before it: so a line can
be left out, and the text made anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdover.proofs.certificates.check import HEAD, Proof, RejectedError, Text, check

Literal = tuple[bool, int]
"""Whether it is so, and the term of a letter."""


@dataclass(frozen=True)
class Line:
    """A line: the assertion or the terms that it is about, or the letters of a sum or a step."""

    kind: str
    about: tuple[int, ...] = ()
    letters: tuple[tuple[Literal, ...], ...] = ()
    factors: tuple[Fraction, ...] = ()


def literal_of(proof: Proof, letter: int) -> Literal:
    """A letter, for a line."""
    return letter > 0, proof.says[abs(letter)]


def letter_of(proof: Proof, literal: Literal) -> int:
    """The letter that is there for it; RejectedError if there is none."""
    known = len(proof.says)
    found = proof.letter(literal[1])
    if len(proof.says) > known:
        raise RejectedError("no such letter yet")
    return found if literal[0] else -found


def text_of_term(proof: Proof, term: int) -> str:
    """A closed term without quantifiers, as a certificate has it."""
    op, parts, args, sort = proof.terms.keys[term]
    if op == "num":
        return f"{parts[0]}.0" if sort == "Real" else f"{parts[0]}"
    if op == "some":
        return f"!{letter_of(proof, (True, parts[0]))}"
    if op in ("true", "false"):
        return str(op)
    head = str(parts[0]) if op in ("app", "sym", "val") else str(op)
    if not args:
        return head
    return f"({head} {' '.join(text_of_term(proof, arg) for arg in args)})"


def words_of(proof: Proof, line: Line) -> str:
    """A line's text, after those before it have been added."""
    if line.kind == "use":
        return f"use {line.about[0]}"
    if line.kind == "some":
        return f"some {letter_of(proof, (True, line.about[0]))}"
    if line.kind == "every":
        forall = letter_of(proof, (True, line.about[0]))
        return f"every {forall} {text_of_term(proof, line.about[1])}"
    if line.kind == "order":
        return f"order {letter_of(proof, (True, line.about[0]))}"
    if line.kind in ("atom", "values", "quotient"):
        return f"{line.kind} {text_of_term(proof, line.about[0])}"
    words = [line.kind]
    for place, product in enumerate(line.letters):
        letters = "*".join(str(letter_of(proof, each)) for each in product)
        factor = line.factors[place] if line.factors else Fraction(1)
        words.append(letters if factor == 1 else f"{factor}*{letters}")
    return " ".join(words)


def replay(text: Text, lines: Sequence[Line]) -> tuple[Proof, list[str]]:
    """The proof after these lines, and what they say."""
    proof, said = Proof(text), []
    for line in lines:
        said.append(words_of(proof, line))
        add(proof, said[-1])
    return proof, said


def add(proof: Proof, said: str) -> None:
    """One line more."""
    proof.line(said.split(), said.partition(" ")[2])


def certificate(lines: Sequence[str]) -> str:
    """The text of a certificate; neighbours of a kind that takes several stand on one line."""
    kept: list[str] = [HEAD]
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind in ("use", "some") and kept[-1].partition(" ")[0] == kind:
            kept[-1] += f" {rest}"
        else:
            kept.append(line)
    return "\n".join(kept) + "\n"


def holds(text: Text, lines: Sequence[Line]) -> bool:
    """Whether these lines are a proof."""
    try:
        proof, _ = replay(text, lines)
        return proof.propagate()
    except RejectedError:
        return False


def shortest(text: Text, lines: Sequence[Line]) -> list[Line]:
    """A proof without the lines that it can do without, the last looked at first."""
    kept = list(lines)
    for place in reversed(range(len(kept))):
        less = kept[:place] + kept[place + 1 :]
        if holds(text, less):
            kept = less
    return kept


def accepted(obligation: str, said: str) -> bool:
    """Whether the checker accepts it, asked as a reader would."""
    try:
        check(obligation, said)
    except RejectedError:
        return False
    return True
