"""The lines that refute instances: sums, and the cases of a proof by cases.

Theory of operation.  `lemmas.py` finds sums after which no more arithmetic is needed.  Then Z3
refutes the clauses once more, and each clause that it learns on the way is offered to the checker
as a `step`: it is one, if the checker's own propagation fails without it.  Where that does not end
in a contradiction, a letter is taken to be true, and then to be false: the one of which most
follows.

What it does not know: whether there is a shorter proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdover.proofs.certificates.check import Proof
from holdover.proofs.certificates.lemmas import LemmaSearch
from holdover.proofs.certificates.letters import Letters
from holdover.proofs.certificates.trim import trim_lines
from holdover.proofs.certificates.written import (
    NoProofError,
    ProofLine,
    add,
    literal_of,
    replay,
    words_of,
)

MOST_CASES, MOST_LOOKED_AT, MOST_RETRIES = 400, 30, 5


class ProofSearch:
    """A proof that is being completed, and the lines that complete it."""

    def __init__(self, proof: Proof):
        self.proof, self.lines, self.cases = proof, list[ProofLine](), 0

    def put(self, line: ProofLine) -> None:
        """One line more, at the root."""
        add(self.proof, words_of(self.proof, line))
        self.lines.append(line)

    def assume(self, path: Sequence[int]) -> bool:
        """Whether these letters fail; what is known then stays known until `forget`."""
        self.failed = self.proof.propagate()
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
        proof.head, proof.failed = len(proof.trail), self.failed

    def learn(self, clauses: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        """The steps that are clauses which Z3 has learned."""
        waiting = list[tuple[int, ...]]()
        for kind, clause in clauses:
            if self.proof.propagate():
                return
            if kind == "smt":
                waiting.append(clause)
            elif not self.offer(clause):
                for each in waiting:
                    self.offer(each)
                waiting.clear()
                self.offer(clause)

    def offer(self, clause: Sequence[int]) -> bool:
        """Whether a clause is a step, or known; it becomes one."""
        path = [-letter for letter in clause]
        failed = self.assume(path)
        self.forget()
        if failed:
            self.put(self.step(path))
        return failed

    def close(self, path: tuple[int, ...]) -> None:
        """Shows that these letters fail; NoProofError if that is not found."""
        while not self.proof.propagate():
            failed = self.assume(path)
            self.forget()
            if failed:
                if path:
                    self.put(self.step(self.smaller(path)))
                return
            split = self.split(path)
            self.cases += 1
            if not split or self.cases > MOST_CASES:
                raise NoProofError("too many cases" if split else "there is no case left")
            self.close((*path, split))

    def step(self, path: Sequence[int]) -> ProofLine:
        """That one of these letters is false."""
        letters = tuple((literal_of(self.proof, -letter),) for letter in path)
        return ProofLine("step", letters=letters)

    def smaller(self, path: Sequence[int]) -> list[int]:
        """Those of these letters that fail together."""
        kept = list(path)
        for letter in path:
            less = [each for each in kept if each != letter]
            if less and self.assume(less):
                kept = less
            self.forget()
        return kept

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


def take_learned(proof: Proof) -> tuple[list[tuple[str, tuple[int, ...]]], list[ProofLine]]:
    """The clauses that Z3 learns while it refutes these, in order; and letters that it lacks.

    A clause is `rup`, if propagation from its negation fails, or `smt`, if it is of equality.
    """
    letters, found = Letters(), list[tuple[str, tuple[int, ...]]]()

    def clause(said: Any, _: Any, literals: Any) -> None:
        kind = said.decl().name()
        if kind in ("smt", "rup") and len(literals):
            own = letters.clause(literals)
            if own and (kind, own) not in found[-1:]:
                found.append((kind, own))

    watcher = letters.z3.OnClause(letters.solver, clause)
    letters.tell(proof)
    letters.check()
    del watcher
    same = (proof.make("=", "Bool", *pair) for pair in letters.missing)
    return found, [ProofLine("atom", (term,)) for term in same]


def refutation(proof: Proof) -> list[ProofLine]:
    """The lines that are missing; NoProofError if they are not found."""
    if proof.propagate():
        return []
    lines = LemmaSearch(proof).run()
    for _ in range(MOST_RETRIES):
        search = ProofSearch(replay(proof, lines)[0])
        clauses, missing = take_learned(search.proof)
        if not missing:
            break
        lines += missing
    search.learn(clauses)
    search.close(())
    return trim_lines(proof, lines + search.lines)
