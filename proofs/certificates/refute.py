"""The lines that refute instances: sums, and the cases of a proof by cases.

Theory of operation.  The checker itself says what follows from what is known (`Proof.propagate`).
Where that does not fail, sums are looked for among what is known of numbers (`farkas.py`).  Where
there is none, a letter is taken to be true, and then to be false: the one of which most follows.
A case that fails becomes a `step`: one of what was assumed is false.

What it does not know: whether there is a shorter proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdover.proofs.certificates.check import Proof, RejectedError
from holdover.proofs.certificates.farkas import Row, contradiction
from holdover.proofs.certificates.written import Line, add, letter_of, literal_of, words_of

MOST_CASES, MOST_LOOKED_AT = 400, 60


class Search:
    """A proof that is being completed, and the lines that complete it."""

    def __init__(self, proof: Proof):
        self.proof, self.lines, self.cases = proof, list[Line](), 0

    def put(self, line: Line) -> None:
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
        """Shows that these letters fail; RejectedError if that is not found."""
        while True:
            if self.proof.propagate():
                return
            failed = self.assume(path)
            lemma = None if failed else list(self.sum())
            self.forget()
            if failed:
                if path:
                    self.put(Line("step", letters=self.clause(path)))
                return
            if lemma:
                for line in lemma:
                    self.put(line)
                continue
            split = self.split(path)
            if split:
                self.cases += 1
                if self.cases > MOST_CASES:
                    raise RejectedError("too many cases")
                self.close((*path, split))
            elif not self.more(path):
                raise RejectedError("nothing fails, and there is no case left")

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
        for letter in {abs(each) for each in self.proof.watched}:
            for clause in (*self.proof.watched.get(letter, ()), *self.proof.watched.get(-letter, ())):
                if not any(value.get(each) for each in clause):
                    for each in clause:
                        if each not in value:
                            open_letters[abs(each)] = open_letters.get(abs(each), 0) + 1
        self.forget()
        ranked = sorted(open_letters, key=lambda letter: (-open_letters[letter], letter))
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
        """What the letters say that are known, and which unknowns are equal."""
        proof = self.proof
        for letter in proof.below:
            if letter in proof.value:
                known = letter if proof.value[letter] else -letter
                polynomial, strict, _ = proof.known_sign(known)
                yield Row((known,), polynomial, strict, False)
        for letter, left, _ in proof.equalities:
            if proof.value.get(letter) and proof.terms.sorts[left] in ("Real", "Int"):
                yield Row((letter,), proof.known_sign(letter)[0], False, True)
        classes: dict[int, int] = {}
        for term in sorted(proof.met):
            if proof.terms.sorts[term] in ("Real", "Int"):
                other = classes.setdefault(proof.find(term), term)
                if other != term:
                    known = self.proof.terms.polynomial
                    difference = {**known(term)}
                    for monomial, number in known(other).items():
                        difference[monomial] = difference.get(monomial, 0) - number
                    difference = {m: n for m, n in difference.items() if n}
                    if difference:
                        yield Row((0, term, other), difference, False, True)

    def sum(self) -> Iterator[Line]:
        """A sum that contradicts itself, with the letters that it takes; nothing if none does."""
        found = contradiction(list(self.rows()))
        if found is None:
            return
        letters, factors = [], []
        for factor, row in found:
            if row.letters[0]:
                literals = tuple(literal_of(self.proof, letter) for letter in row.letters)
            else:
                same = self.proof.terms.make("=", sort="Bool", args=row.letters[1:])
                if same not in self.proof.letters:
                    yield Line("atom", (same,))
                literals = ((True, same),)
            letters.append(literals)
            factors.append(factor)
        yield Line("sum", letters=tuple(letters), factors=tuple(factors))

    def more(self, path: tuple[int, ...]) -> bool:
        """What may be said where no case is left; whether there was anything."""
        proof = self.proof
        self.assume(path)
        apart = [
            proof.says[letter]
            for letter, left, _ in proof.equalities
            if proof.value.get(letter) is not True and proof.terms.sorts[left] in ("Real", "Int")
        ]
        fixed = {proof.find(constant) for constant in proof.constants}
        wide = [
            term
            for term in sorted(proof.met)
            if proof.text.sorts[proof.terms.sorts[term]] and proof.find(term) not in fixed
        ]
        self.forget()
        done = {line.about for line in self.lines if line.kind in ("order", "values")}
        new = [Line("order", (same,)) for same in apart if (same,) not in done]
        new += [Line("values", (term,)) for term in wide if (term,) not in done]
        for line in new[:1]:
            self.put(line)
        return bool(new)


def refutation(proof: Proof) -> list[Line]:
    """The lines that are missing; RejectedError if they are not found."""
    search = Search(proof)
    search.close(())
    return search.lines


__all__ = ["Search", "letter_of", "refutation"]
