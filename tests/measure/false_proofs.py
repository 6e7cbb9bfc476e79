"""`python -m tests.measure.false_proofs [--tries N] [--seed N] [--jobs N]`: no false one is taken.

Theory of operation.  A try is a random obligation that has a model, and a random certificate for
it.  The model comes first: two or three members of each sort, random functions; then formulas are
made at random, with quantifiers, data types, `ite`, sums and products, and each is asserted if it
is true of the model, else its negation.  The certificate is made by the rules, line by line, as an
attacker would: assertions used, witnesses and instances taken, letters given, sums that a search
for multipliers finds or that are made up, steps that are tried; then, now and then, a letter, a
sign or a character is changed.

Two things must be so: the checker rejects it; and each clause that it has made, and each letter
that it takes for true, is true in the model, with witnesses as they are meant.  The second finds a
rule that is wrong before there is a whole proof by it.  Exit 1: one of them is not so.

What it does not know: quantifiers over numbers, of which a finite model says nothing.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import click

from holdover.proofs.certificates.check import HEAD, Proof, check
from holdover.proofs.certificates.lemmas import LemmaSearch
from holdover.proofs.certificates.written import again, words_of
from tests.proofs.certificates.structures import Structure

DECLARED = """\
(declare-sort A 0)
(declare-sort B 0)
(declare-datatypes ((K 0)) (((K_1) (K_2) (K_3))))
(declare-fun a () A)
(declare-fun b () B)
(declare-fun f (A) A)
(declare-fun g (A) B)
(declare-fun k (A) K)
(declare-fun p (A) Bool)
(declare-fun q (A B) Bool)
(declare-fun r (A) Real)
(declare-fun s (Real) Real)
(declare-fun t () Bool)
(declare-fun x () Real)
(declare-fun y () Real)
"""
FUNCTIONS = {
    "A": (("a",), ("f", "A")),
    "B": (("b",), ("g", "A")),
    "K": (("K_1",), ("K_2",), ("K_3",), ("k", "A"), ("k", "A")),
    "Bool": (("t",), ("p", "A"), ("q", "A", "B"), ("true",)),
    "Real": (("x",), ("y",), ("r", "A"), ("s", "Real"), ("0.0",), ("1.0",), ("2.0",)),
}


PART = 2500
"""So many tries have one seed."""


class Maker:
    """Random terms; `names` are variables and witnesses by sort."""

    def __init__(self, luck: random.Random):
        self.luck = luck

    def term(self, sort: str, depth: int, names: dict[str, str]) -> str:
        """A term of a sort."""
        own = [name for name, of in names.items() if of == sort]
        if own and self.luck.random() < 0.5:
            return self.luck.choice(own)
        if depth > 0 and sort == "Real" and self.luck.random() < 0.3:
            op = self.luck.choice("++--*/")
            return f"({op} {self.term(sort, depth - 1, names)} {self.term(sort, depth - 1, names)})"
        if depth > 0 and self.luck.random() < 0.15:
            parts = [self.term(each, depth - 1, names) for each in ("Bool", sort, sort)]
            return f"(ite {' '.join(parts)})"
        if depth > 0 and sort == "Bool" and self.luck.random() < 0.7:
            return self.formula(depth, names)
        name, *of = self.luck.choice([f for f in FUNCTIONS[sort] if depth > 0 or len(f) == 1])
        args = " ".join(self.term(each, depth - 1, names) for each in of)
        return f"({name} {args})" if of else name

    def formula(self, depth: int, names: dict[str, str]) -> str:
        """A compound truth value."""
        op = self.luck.choice(("and", "or", "not", "=", "=", "<", "<=", "forall", "forall"))
        if op == "forall":
            name, sort = f"v_{len(names)}", self.luck.choice("AAB")
            return (
                f"(forall (({name} {sort})) {self.term('Bool', depth - 1, {**names, name: sort})})"
            )
        sort = "Real" if op in ("<", "<=") else "Bool"
        sort = self.luck.choice(("A", "B", "K", "Real", "Bool")) if op == "=" else sort
        count = 1 if op == "not" else 2 if op[0] in "=<" else self.luck.choice((2, 3))
        return f"({op} {' '.join(self.term(sort, depth - 1, names) for _ in range(count))})"


def model(proof: Proof, luck: random.Random) -> Structure:
    """Random functions on a few members."""
    members: dict[str, list[Any]] = {
        "A": list(range(luck.choice((1, 2, 3)))),
        "B": ["u", "v"][: luck.choice((1, 2))],
        "Bool": [False, True],
        "K": ["K_1", "K_2", "K_3"],
    }
    known: dict[tuple[str, tuple[Any, ...]], Any] = {}

    def function(name: str, args: tuple[Any, ...], sort: str) -> Any:
        if (name, args) not in known:
            number = Fraction(luck.randint(-2, 3), luck.choice((1, 1, 2)))
            known[name, args] = number if sort == "Real" else luck.choice(members[sort])
        return known[name, args]

    return Structure(proof, members, function)


@dataclass
class Try:
    """An obligation with a model, and a certificate for it."""

    obligation: str
    certificate: list[str]
    proof: Proof
    model: Structure

    def wrong(self) -> list[str]:
        """Clauses and letters that are not true in the model."""
        proof, said = self.proof, list[str]()

        def is_true(letter: int) -> bool:
            return bool(self.model.value(proof.says[abs(letter)])) is (letter > 0)

        clauses = {id(c): c for each in proof.clauses.values() for c in each}.values()
        said += [f"clause {clause}" for clause in clauses if not any(map(is_true, clause))]
        return said + [f"letter {letter}" for letter in proof.trail if not is_true(letter)]


def attempt(luck: random.Random) -> Try:
    """One try."""
    maker = Maker(luck)
    asserted = [maker.formula(luck.choice((2, 3, 4)), {}) for _ in range(luck.randint(1, 5))]
    first = Proof(DECLARED + "".join(f"(assert {each})\n" for each in asserted))
    structure = model(first, luck)
    for place, line in enumerate(first.asserted):
        term = first.term(_tree(line), {})
        if not structure.value(term):
            asserted[place] = f"(not {asserted[place]})"
    obligation = DECLARED + "".join(f"(assert {each})\n" for each in asserted) + "(check-sat)\n"
    proof = Proof(obligation)
    found = Try(obligation, [], proof, Structure(proof, structure.members, structure.function))
    for number in range(1, len(asserted) + 1):
        extend(found, f"use {number}")
    for _ in range(luck.randint(1, 25)):
        extend(found, line_of(found.proof, maker))
    search(found)
    return found


def _tree(line: str) -> Any:
    from holdover.proofs.certificates.check import tree_of

    return tree_of(line)[1]


def extend(found: Try, line: str) -> None:
    """A line more, if the checker takes it."""
    proof = again(found.proof)
    try:
        proof.line(line)
    except ValueError:
        return
    found.proof = proof
    found.certificate.append(line)


def line_of(proof: Proof, maker: Maker) -> str:
    """A random line that speaks of what is there."""
    luck = maker.luck
    foralls = [n for n, term in enumerate(proof.says) if n and proof.keys[term][0] == "forall"]
    less = [n for n, term in enumerate(proof.says) if n and proof.keys[term][0] == "<="]
    names = {name: proof.keys[term][2] for name, term in proof.scope.items()}
    kind = luck.choice(("some", "every", "every", "every", "atom", "values", "sum", "step", "step"))
    if kind == "some" and foralls:
        return f"some {luck.choice(foralls)}"
    if kind == "every" and foralls:
        letter = luck.choice(foralls)
        variable, _ = proof.keys[proof.says[letter]][1]
        return f"every {letter} {maker.term(proof.keys[variable][2], 2, names)}"
    if kind == "values":
        return f"values {maker.term('K', 2, names)}"
    if kind == "sum" and less:
        chosen = luck.sample(less, min(len(less), luck.choice((1, 2, 2, 3))))
        factors = (luck.choice(("1", "2", "1/2")) for _ in chosen)
        words = (f"{m}*{luck.choice((n, -n))}" for m, n in zip(factors, chosen, strict=True))
        return "sum " + " ".join(words)
    if kind == "step":
        letters = [luck.choice((n, -n)) for n in range(1, len(proof.says))]
        return "step " + " ".join(map(str, luck.sample(letters, min(len(letters), 3))))
    return f"atom {maker.term('Bool', 3, names)}"


def search(found: Try) -> None:
    """The sums that a search finds for what is known, once without and once with a guess."""
    start = found.proof
    letters = [n for n in range(1, len(start.says)) if n not in start.value]
    for path in ((), tuple(letters[:1]), tuple(-n for n in letters[-2:])):
        proof = again(start)
        for letter in path:
            proof.note(letter)
        if proof.propagate():
            extend(found, " ".join(["step", *(str(-letter) for letter in path)]))
            continue
        finder = LemmaSearch(start)
        for lemma in finder.sums_against(proof):
            for line in lemma:
                extend(found, words_of(again(found.proof), line))


def spoil(certificate: list[str], luck: random.Random) -> list[str]:
    """The same with a letter, a sign, a word or a line changed."""
    lines = list(certificate)
    place = luck.randrange(len(lines))
    words = lines[place].split(" ")
    which = luck.randrange(len(words))
    change = luck.randrange(5)
    if change == 0:
        del lines[place]
        return lines
    if change == 1:
        words[which] = (
            words[which].removeprefix("-") if words[which][0] == "-" else f"-{words[which]}"
        )
    elif change == 2:
        words[which] = str(luck.randint(-9, 40))
    elif change == 3:
        words[which] = luck.choice(luck.choice(lines).split(" "))
    else:
        words = words[:which]
    lines[place] = " ".join(words)
    return lines


@dataclass
class Count:
    """What was tried, what lines were taken, and what was wrong."""

    tries: int = 0
    lines: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def hunt(tries: int, seed: int | str) -> Count:
    """So many tries; half of them are spoilt ones, of which only the end counts."""
    luck, count = random.Random(seed), Count()
    while count.tries < tries and not count.wrong:
        found = attempt(luck)
        for line in found.certificate:
            kind = line.partition(" ")[0]
            count.lines[kind] = count.lines.get(kind, 0) + 1
        wrong = found.wrong()
        for lines in (found.certificate, spoil(found.certificate, luck)):
            count.tries += 1
            text = "\n".join([HEAD, *lines]) + "\n"
            if not check(found.obligation, text):
                wrong.append("accepted")
            if wrong:
                count.wrong.append(f"{', '.join(wrong)}:\n{found.obligation}{text}")
                break
    return count


def hunt_in_parts(tries: int, seed: int, jobs: int) -> Count:
    """So many tries, in parts that have seeds of their own: the same on any number of processes."""
    sizes = [min(PART, tries - done) for done in range(0, tries, PART)]
    seeds = [f"{seed}/{part}" for part in range(len(sizes))]
    spawned = multiprocessing.get_context("spawn")  # Z3 does not survive a fork
    whole = Count()
    with ProcessPoolExecutor(jobs, mp_context=spawned) as pool:
        for count in pool.map(hunt, sizes, seeds):
            whole.tries += count.tries
            whole.wrong += count.wrong
            for kind, number in count.lines.items():
                whole.lines[kind] = whole.lines.get(kind, 0) + number
    return whole


@click.command()
@click.option("--tries", default=100_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
def main(tries: int, seed: int, jobs: int) -> None:
    """Look for a proof of what is not so."""
    count = hunt_in_parts(tries, seed, jobs)
    taken = ", ".join(f"{number} {kind}" for kind, number in sorted(count.lines.items()))
    print(f"{count.tries} certificates for what has a model; lines taken: {taken}")
    for wrong in count.wrong:
        print(wrong)
    sys.exit(1 if count.wrong else 0)


if __name__ == "__main__":
    main(prog_name="python -m tests.measure.false_proofs")
