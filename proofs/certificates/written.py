"""A certificate as lines, and as the text that `check.py` reads.

A line speaks of terms, not of letters, whose numbers depend on the lines before it: so a line can
be left out, and the text made anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from fractions import Fraction

from holdover.proofs.certificates.check import HEAD, Proof

Literal = tuple[bool, int]
"""Whether it is so, and the term of a letter."""


class NoProofError(Exception):
    """That a certificate was not found, or that lines are none."""


@dataclass(frozen=True)
class ProofLine:
    """A line: the assertion or the terms that it is about, or the letters of a sum or a step."""

    kind: str
    about: tuple[int, ...] = ()
    letters: tuple[tuple[Literal, ...], ...] = ()
    factors: tuple[Fraction, ...] = ()


def literal_of(proof: Proof, letter: int) -> Literal:
    """A letter, for a line."""
    return letter > 0, proof.says[abs(letter)]


def letter_of(proof: Proof, literal: Literal) -> int:
    """The letter that is there for it; NoProofError if there is none."""
    known = len(proof.says)
    found = proof.letter(literal[1])
    if len(proof.says) > known:
        raise NoProofError("no such letter yet")
    return found if literal[0] else -found


def text_of_term(proof: Proof, term: int) -> str:
    """A closed term, as a certificate has it."""
    op, args, _ = proof.keys[term]
    if op == "!":
        return f"!{letter_of(proof, (True, args[0]))}"
    return f"({op} {' '.join(text_of_term(proof, arg) for arg in args)})" if args else str(op)


def words_of(proof: Proof, line: ProofLine) -> str:
    """A line's text, after those before it have been added."""
    if line.kind == "use":
        return f"use {line.about[0]}"
    if line.kind == "some":
        return f"some {letter_of(proof, (True, line.about[0]))}"
    if line.kind == "every":
        forall = letter_of(proof, (True, line.about[0]))
        return f"every {forall} {text_of_term(proof, line.about[1])}"
    if line.kind in ("atom", "values"):
        return f"{line.kind} {text_of_term(proof, line.about[0])}"
    products: list[list[int | Fraction]] = [
        [letter_of(proof, each) for each in product] for product in line.letters
    ]
    if line.kind == "sum":
        for factor, product in zip(line.factors, products, strict=True):
            product.insert(0, factor)
    return " ".join([line.kind, *("*".join(map(str, product)) for product in products)])


SHARED = ("sorts", "declared", "asserted", "numbers", "keys", "free", "polynomials")
"""What a proof knows of terms, which others may use."""


def again(proof: Proof) -> Proof:
    """A second proof that is as far as this one."""
    new = object.__new__(Proof)
    new.__dict__ = {k: v if k in SHARED else copy(v) for k, v in proof.__dict__.items()}
    new.clauses = {letter: list(clauses) for letter, clauses in proof.clauses.items()}
    return new


def replay(start: Proof, lines: Sequence[ProofLine]) -> tuple[Proof, list[str]]:
    """The proof after these lines, and what they say; `start` is as before."""
    proof, said = again(start), list[str]()
    for line in lines:
        said.append(words_of(proof, line))
        add(proof, said[-1])
    return proof, said


def add(proof: Proof, said: str) -> None:
    """One line more."""
    proof.line(said)


def certificate(lines: Sequence[str]) -> str:
    """The text of a certificate."""
    return "\n".join([HEAD, *lines]) + "\n"


def holds(start: Proof, lines: Sequence[ProofLine]) -> bool:
    """Whether these lines, whose sums are known to be right, are the rest of a proof."""
    proof = again(start)
    try:
        for line in lines:
            if line.kind == "sum":
                letters = [each for product in line.letters for each in product]
                proof.add([-letter_of(proof, each) for each in letters])
            else:
                add(proof, words_of(proof, line))
        return proof.propagate()
    except (NoProofError, ValueError):
        return False


def shortest(start: Proof, lines: Sequence[ProofLine]) -> list[ProofLine]:
    """A proof without the lines that it can do without, the last looked at first."""
    before, kept = [again(start)], list[ProofLine]()
    for line in lines:
        before.append(replay(before[-1], [line])[0])
    for place in reversed(range(len(lines))):
        if not holds(before[place], kept):
            kept.insert(0, lines[place])
    return kept
