"""Which sums a refutation takes.

Theory of operation.  Z3 is asked for letters that fulfil all clauses (`letters.py`); those of
numbers among them are looked at (`farkas.py`): if a sum says that they contradict each other,
it becomes a clause more, and Z3 is asked again.  Where none does, a product of two is tried, the
values of a data type, and whether two numbers to which a function is applied are equal.

What it does not know: whether there are fewer.  Of what is found that is kept which Z3's core has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdover.proofs.certificates.check import Polynomial, Proof, plus
from holdover.proofs.certificates.farkas import Row, contradictions
from holdover.proofs.certificates.letters import Letters
from holdover.proofs.certificates.written import NoProofError, ProofLine, again, words_of

MOST_ROUNDS = 300

Lemma = tuple[ProofLine, ...]
"""Lines that are of use together: a sum, after the letters that it takes."""


class LemmaSearch:
    """The lemmas that are found so far, and the proof that has them."""

    def __init__(self, start: Proof):
        self.proof, self.lemmas = again(start), list[Lemma]()
        self.given = frozenset(start.letters)
        self.polynomials: dict[int, Polynomial] = {}

    def put(self, lemma: Lemma) -> None:
        """One more."""
        for line in lemma:
            self.proof.line(words_of(self.proof, line))
        self.lemmas.append(lemma)

    def run(self) -> list[Lemma]:
        """Those with which Z3 needs no arithmetic; NoProofError if they are not found."""
        letters = Letters()
        for _ in range(MOST_ROUNDS):
            letters.tell(self.proof)
            if letters.check():
                return self.lemmas
            new = self.against(letters.chosen(self.proof))
            if not new:
                raise NoProofError("nothing fails, and there is nothing more to say")
            for lemma in new:
                self.put(lemma)
        raise NoProofError("too many sums")

    def against(self, chosen: Sequence[int]) -> list[Lemma]:
        """What these letters contradict."""
        proof = again(self.proof)
        for letter in chosen:
            proof.note(letter)
        if proof.propagate():
            raise NoProofError("the checker and Z3 do not know the same of equality")
        rows = list(self.rows(proof))
        found = [self.sum(proof, each) for each in contradictions(rows)]
        if not found and any(len(m) > 1 for row in rows for m in row.polynomial):
            every = [*rows, *products(rows)]
            found = [self.sum(proof, each) for each in contradictions(every, most=1)]
        return found or self.values(proof) or self.equalities(proof)

    def rows(self, proof: Proof) -> Iterator[Row]:
        """What the letters say that are known, and which numbers are equal."""
        for letter, term in enumerate(proof.says):
            if letter in proof.value and proof.keys[term][0] == "<=":
                yield self.row(proof, proof.value[letter], *proof.keys[term][1])
        classes: dict[int, int] = {}
        for term in sorted(proof.met):
            if proof.keys[term][2] in ("Real", "Int"):
                other = classes.setdefault(proof.find(term), term)
                if other != term:
                    yield self.row(proof, True, term, other)
                    yield self.row(proof, True, other, term)

    def row(self, proof: Proof, side: bool, left: int, right: int) -> Row:
        """That left <= right, or that it is not."""
        less = proof.make("<=", "Bool", left, right)
        for term in (left, right):
            if term not in self.polynomials:
                self.polynomials[term] = proof.polynomial(term)
        x, y = self.polynomials[left], self.polynomials[right]
        return Row(((side, less),), plus(y, x, -1) if side else plus(x, y, -1), not side)

    def sum(self, proof: Proof, found: Sequence[tuple[object, Row]]) -> Lemma:
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
        """That a term of a data type is one of its values: of the first of which it is not known."""
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


def needed(start: Proof, lemmas: Sequence[Lemma]) -> list[ProofLine]:
    """The lines of those that are in a core of Z3's from which none can be left out."""
    letters, proof = Letters(), again(start)
    letters.tell(proof)
    guards = [letters.z3.Bool(f"k_{place}", letters.own) for place in range(len(lemmas))]
    for guard, lemma in zip(guards, lemmas, strict=True):
        for line in lemma[:-1]:
            proof.line(words_of(proof, line))
        letters.tell(proof)
        proof.line(words_of(proof, lemma[-1]))
        letters.tell(proof, None if lemma[-1].kind == "atom" else guard)
    kept = dict(enumerate(guards))
    for place in (-1, *reversed(range(len(lemmas)))):
        rest = [guard for other, guard in kept.items() if other != place]
        if (place in kept or place < 0) and letters.check(*rest):
            core = {int(str(name)[2:]) for name in letters.solver.unsat_core()}
            kept = {other: guard for other, guard in kept.items() if other in core}
    lines = [
        line
        for place, lemma in enumerate(lemmas)
        if place in kept or lemma[-1].kind == "atom"
        for line in lemma
    ]
    return list(dict.fromkeys(lines))
