"""The lines that refute instances: sums, and the cases of a proof by cases.

Theory of operation.  The checker itself says what follows from what is known (`Proof.propagate`).
Where that does not fail, sums are looked for among what is known of numbers (`farkas.py`).  Where
there is none, a letter is taken to be true, and then to be false: the one of which most follows.
A case that fails becomes a `step`: one of what was assumed is false.

What it does not know: whether there is a shorter proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdover.proofs.certificates.check import Polynomial, Proof, plus
from holdover.proofs.certificates.farkas import Row, contradiction
from holdover.proofs.certificates.written import NoProofError, ProofLine, add, literal_of, words_of

MOST_CASES, MOST_LOOKED_AT = 400, 60


class ProofSearch:
    """A proof that is being completed, and the lines that complete it."""

    def __init__(self, proof: Proof):
        self.proof, self.lines, self.cases = proof, list[ProofLine](), 0
        self.polynomials: dict[int, Polynomial] = {}

    def put(self, line: ProofLine) -> None:
        """One line more, at the root."""
        add(self.proof, words_of(self.proof, line))
        self.lines.append(line)

    def assume(self, path: Sequence[int]) -> bool:
        """Whether these letters fail; what is known then stays known until `forget`."""
        self.mark = len(self.proof.trail)
        for letter in path:
            self.proof.note(letter)
        return self.proof.propagate()

    def forget(self) -> None:
        """Back to the root."""
        proof = self.proof
        for letter in proof.trail[self.mark :]:
            del proof.value[letter], proof.value[-letter]
        del proof.trail[self.mark :]
        proof.head, proof.failed = len(proof.trail), False

    def close(self, path: tuple[int, ...]) -> None:
        """Shows that these letters fail; NoProofError if that is not found."""
        while True:
            if self.proof.propagate():
                return
            failed = self.assume(path)
            lemma = [] if failed else list(self.sum())
            self.forget()
            if failed:
                if path:
                    self.put(ProofLine("step", letters=self.clause(path)))
                return
            if lemma:
                for line in lemma:
                    self.put(line)
                continue
            split = self.split(path)
            if split:
                self.cases += 1
                if self.cases > MOST_CASES:
                    raise NoProofError("too many cases")
                self.close((*path, split))
            elif not self.more(path):
                raise NoProofError("nothing fails, and there is no case left")

    def clause(self, path: tuple[int, ...]) -> tuple[tuple[tuple[bool, int], ...], ...]:
        """The negations of those of these letters that fail together."""
        kept = list(path)
        for letter in path:
            less = [each for each in kept if each != letter]
            if less and self.assume(less):
                kept = less
            self.forget()
        return tuple((literal_of(self.proof, -letter),) for letter in kept)

    def split(self, path: tuple[int, ...]) -> int:
        """The letter of which most follows, whether it is true or false; 0 if there is none."""
        self.assume(path)
        open_letters: dict[int, int] = {}
        value = self.proof.value
        for letter, clauses in self.proof.clauses.items():
            if letter not in value:
                held = sum(any(value.get(each) for each in clause) for clause in clauses)
                count = open_letters.get(abs(letter), 0) + len(clauses) - held
                open_letters[abs(letter)] = count
        self.forget()
        ranked = [letter for letter, count in open_letters.items() if count]
        ranked.sort(key=lambda letter: (-open_letters[letter], letter))
        best, most = 0, -1
        for letter in ranked[:MOST_LOOKED_AT]:
            follows = []
            for side in (letter, -letter):
                failed = self.assume((*path, side))
                follows.append(len(self.proof.trail) - self.mark)
                self.forget()
                if failed:
                    return side
            if follows[0] * follows[1] > most:
                best = letter if follows[0] >= follows[1] else -letter
                most = follows[0] * follows[1]
        return best

    # What is known of numbers

    def rows(self) -> Iterator[Row]:
        """What the letters say that are known, and which numbers are equal."""
        proof = self.proof
        for letter, term in enumerate(proof.says):
            if letter in proof.value and proof.keys[term][0] == "<=":
                yield self.row(proof.value[letter], *proof.keys[term][1])
        classes: dict[int, int] = {}
        for term in sorted(proof.met):
            if proof.keys[term][2] in ("Real", "Int"):
                other = classes.setdefault(proof.find(term), term)
                if other != term:
                    yield self.row(True, term, other)
                    yield self.row(True, other, term)

    def polynomial(self, term: int) -> Polynomial:
        """A number's term, taken apart once."""
        if term not in self.polynomials:
            self.polynomials[term] = self.proof.polynomial(term)
        return self.polynomials[term]

    def row(self, side: bool, left: int, right: int) -> Row:
        """That left <= right, or that it is not."""
        less = self.proof.make("<=", "Bool", left, right)
        x, y = map(self.polynomial, (left, right))
        return Row(((side, less),), plus(y, x, -1) if side else plus(x, y, -1), not side)

    def products(self) -> Iterator[Row]:
        """The products of two rows."""
        rows = list(self.rows())
        for place, row in enumerate(rows):
            for other in rows[place:]:
                product: Polynomial = {}
                for monomial, number in row.polynomial.items():
                    product = plus(product, other.polynomial, number, monomial)
                yield Row((*row.about, *other.about), product, row.strict and other.strict)

    def sum(self, *, products: bool = False) -> Iterator[ProofLine]:
        """A sum that contradicts itself, with the letters that it takes; nothing if none does."""
        rows, said = list(self.rows()), set[int]()
        found = contradiction([*rows, *(self.products() if products else ())])
        for _, row in found or ():
            for _, less in row.about:
                if less not in self.proof.letters and less not in said:
                    said.add(less)
                    left, right = self.proof.keys[less][1]
                    same = self.proof.make("=", "Bool", left, right)
                    other = self.proof.make("=", "Bool", right, left)
                    if not {same, other} & {*self.proof.letters, *said}:
                        said.add(same)
                        yield ProofLine("atom", (same,))
        if found:
            letters = tuple(row.about for _, row in found)
            yield ProofLine("sum", letters=letters, factors=tuple(factor for factor, _ in found))

    def more(self, path: tuple[int, ...]) -> bool:
        """What may be said where no case is left; whether there was anything."""
        proof = self.proof
        self.assume(path)
        fixed = {proof.find(constant) for constant in proof.constants}
        wide = [
            term
            for term in sorted(proof.met)
            if proof.sorts[proof.keys[term][2]] and proof.find(term) not in fixed
        ]
        lines = list(self.sum(products=True))
        self.forget()
        done = {line.about for line in self.lines if line.kind == "values"}
        new = [ProofLine("values", (term,)) for term in wide if (term,) not in done]
        for line in lines or new[:1]:
            self.put(line)
        return bool(lines or new)


def refutation(proof: Proof) -> list[ProofLine]:
    """The lines that are missing; NoProofError if they are not found."""
    search = ProofSearch(proof)
    search.close(())
    return search.lines
