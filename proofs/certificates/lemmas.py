"""Which sums a refutation takes.

Theory of operation.  Z3 is asked for letters that fulfil all clauses (`letters.py`); those of
numbers among them are looked at (`farkas.py`): if a sum says that they contradict each other,
it becomes a clause more, and Z3 is asked again.  Where none does, a product of two is tried, the
values of a data type, and whether two numbers to which a function is applied are equal.

What it does not know: whether there are fewer.  Of what is found that is kept which Z3's core has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from holdover.proofs.certificates.check import Polynomial, Proof, plus
from holdover.proofs.certificates.farkas import Row, Sums
from holdover.proofs.certificates.letters import Letters
from holdover.proofs.certificates.written import NoProofError, ProofLine, again, words_of

MOST_LEMMAS = 1000

Lemma = tuple[ProofLine, ...]
"""Lines that are of use together: a sum, after the letters that it takes."""


class LemmaSearch:
    """The lemmas that are found so far, and the proof that has them."""

    def __init__(self, start: Proof):
        self.proof, self.lemmas = again(start), list[Lemma]()
        self.sums = Sums()
        self.given = frozenset(start.letters)

    def put(self, lines: Lemma) -> None:
        """Lines more."""
        for line in lines:
            self.proof.line(words_of(self.proof, line))

    def run(self) -> list[ProofLine]:
        """Those after which Z3 needs no arithmetic; NoProofError if they are not found."""
        letters, guards = Letters(), list[Any]()
        letters.tell(self.proof)
        while not letters.check(*guards):
            new = self.against(letters.chosen(self.proof))
            if not new or len(guards) > MOST_LEMMAS:
                raise NoProofError("too many sums" if new else "there is nothing more to say")
            for lemma in new:
                guards.append(letters.guard(len(guards)))
                self.put(lemma[:-1])
                letters.tell(self.proof)
                self.put(lemma[-1:])
                letters.tell(self.proof, None if lemma[-1].kind == "atom" else guards[-1])
                self.lemmas.append(lemma)
        return self.needed(letters)

    def needed(self, letters: Letters) -> list[ProofLine]:
        """The lines of those lemmas that are in a core of Z3's from which none can be left out."""
        kept = letters.core()
        for place in sorted(kept, reverse=True):
            rest = [letters.guard(other) for other in sorted(kept - {place})]
            if place in kept and letters.check(*rest):
                kept = letters.core()
        lines = [
            line
            for place, lemma in enumerate(self.lemmas)
            if place in kept or lemma[-1].kind == "atom"
            for line in lemma
        ]
        return list(dict.fromkeys(lines))

    def against(self, chosen: Sequence[int]) -> list[Lemma]:
        """What these letters contradict."""
        proof = again(self.proof)
        for letter in chosen:
            proof.note(letter)
        if proof.propagate():
            raise NoProofError("the checker and Z3 do not know the same of equality")
        return self.sums_against(proof) or self.values(proof) or self.equalities(proof)

    def sums_against(self, proof: Proof) -> list[Lemma]:
        """The sums that contradict what a proof knows of numbers."""
        rows = list(self.rows(proof))
        found = self.sums.contradictions(rows)
        if not found and any(len(m) > 1 for row in rows for m in row.polynomial):
            found = self.sums.contradictions([*rows, *products(rows)], most=1)
        return [self.sum(proof, each) for each in found]

    def rows(self, proof: Proof) -> Iterator[Row]:
        """What the letters say that are known, and which numbers are equal."""
        for letter, term in enumerate(proof.says):
            if letter in proof.value and proof.keys[term][0] == "<=":
                yield self.row(proof, proof.value[letter], *proof.keys[term][1])
        alike: dict[tuple[str, tuple[int, ...]], int] = {}
        for term in proof.functions:  # equal since their arguments are
            op, args, sort = proof.keys[term]
            if sort in ("Real", "Int") and op not in "+-":
                other = alike.setdefault((op, tuple(map(proof.find, args))), term)
                if other != term:
                    yield self.row(proof, True, term, other)
                    yield self.row(proof, True, other, term)

    def row(self, proof: Proof, side: bool, left: int, right: int) -> Row:
        """That left <= right, or that it is not."""
        less = proof.make("<=", "Bool", left, right)
        x, y = proof.polynomial(left), proof.polynomial(right)
        return Row(((side, less),), plus(y, x, -1) if side else plus(x, y, -1), not side)

    def sum(self, proof: Proof, found: Sequence[tuple[Fraction, Row]]) -> Lemma:
        """A sum that contradicts itself, after the letters that it takes."""
        lines = list[ProofLine]()
        for _, row in found:
            for _, less in row.about:
                if less not in self.given:
                    left, right = sorted(proof.keys[less][1])
                    same = proof.make("=", "Bool", left, right)
                    lines.append(ProofLine("atom", (same,)))
        letters = tuple(row.about for _, row in found)
        factors = tuple(factor for factor, _ in found)
        return (*dict.fromkeys(lines), ProofLine("sum", letters=letters, factors=factors))

    def values(self, proof: Proof) -> list[Lemma]:
        """That a term of a data type is one of its values: the first of which it is not known."""
        fixed = {proof.find(constant) for constant in proof.constants}
        done = {line.about for lemma in self.lemmas for line in lemma if line.kind == "values"}
        for term in sorted(proof.met):
            wide = proof.sorts[proof.keys[term][2]] and proof.find(term) not in fixed
            if wide and (term,) not in done:
                return [(ProofLine("values", (term,)),)]
        return []

    def equalities(self, proof: Proof) -> list[Lemma]:
        """Letters for what may be equal: numbers to which the same function is applied."""
        found: list[Lemma] = []
        by_place: dict[tuple[str, int], list[int]] = {}
        for term in proof.functions:
            op, args, _ = proof.keys[term]
            for place, arg in enumerate(args):
                if op in proof.declared and proof.keys[arg][2] in ("Real", "Int"):
                    by_place.setdefault((op, place), []).append(arg)
        for terms in by_place.values():
            kept = sorted(set(terms))
            for i, left in enumerate(kept):
                for right in kept[i + 1 :]:
                    same = proof.make("=", "Bool", left, right)
                    if same not in self.proof.letters and proof.find(left) != proof.find(right):
                        found.append((ProofLine("atom", (same,)),))
        return found


def products(rows: Sequence[Row]) -> Iterator[Row]:
    """The products of two rows."""
    for place, row in enumerate(rows):
        for other in rows[place:]:
            product: Polynomial = {}
            for monomial, number in row.polynomial.items():
                product = plus(product, other.polynomial, number, monomial)
            yield Row((*row.about, *other.about), product, row.strict and other.strict)
