"""`python -m tests.measure.second_reading [--samples N] [--seed N]`: the text is the table.

Theory of operation.  Each guard and each effect of each row is written as SMT-LIB, as proofs have
it, read back by the checker's parser, and evaluated in random finite structures
(`tests/proofs/certificates/structures.py`); the same state is given to the concrete reading
(`model/readings/interpreter.py`), which shares neither formulas nor text.  A sample is one guard,
or one variable after a step, in one structure: both must say the same.  Where the concrete reading
has no value, for it asks for the state of nobody or for a time that is unset, nothing is compared,
and the sample is counted apart.  Exit 1: they differ.

So are the conjuncts of the invariants.  What it does not know: structures with more than two
members of a sort.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

import click

from holdover.model.readings.interpreter import Interpreter, State, UnsetError
from holdover.model.table.expr import BOOL, DURATION, INSTANT, RATIO, Action, Expr, Sort
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import ADDRESS, CONSTANTS, HOST, MESSAGE
from holdover.proofs.certificates.check import Proof, tree_of
from holdover.proofs.logic import formula
from holdover.proofs.logic.beside import formulas
from holdover.proofs.logic.first_order import Logic
from holdover.proofs.logic.formula import Formula
from holdover.proofs.logic.invariants import HEARING, PROBED, given_at, remembering, request, word
from tests.proofs.certificates.structures import Structure

SIZES = {HOST: 2, ADDRESS: 2, MESSAGE: 2}
TABLE = Table(
    variables=(*LEASE_TABLE.variables, word, given_at, request),
    actions=tuple(remembering(row) for row in LEASE_TABLE.actions),
)


@dataclass(frozen=True)
class Part:
    """A formula as the checker reads it, and what the concrete reading has for it."""

    name: str
    proof: Proof
    term: int
    given: tuple[Expr, ...]
    concrete: Callable[[Interpreter, State, dict[str, Any]], Any]


def read(term: Formula) -> tuple[Proof, int]:
    """The text of a formula, as the checker reads it."""
    declared = formula.declarations([term])
    says = f"(assert (= the_part {formula.text_of(term)}))"
    proof = Proof(f"{declared}(declare-fun the_part () {term.domain.name})\n{says}\n(check-sat)\n")
    _, tree = tree_of(proof.asserted[0])
    return proof, proof.keys[proof.term(tree, {})][1][1]


def parts() -> Iterator[Part]:
    """Each guard and effect of each row, with the drift open and all else; and each conjunct."""
    for row in TABLE.actions:
        given = {str(each.args[0]): each for each in row.given}
        members = sum(bool(each.sort.indexes) for each in row.given)
        for place, (says, term, variable) in enumerate(formulas(row, {})):
            proof, read_term = read(term)
            if place < members:
                continue  # that a member is one is no term of the table
            if not variable:
                guard = row.when[place - members]
                part = partial(of_guard, guard)
            else:
                part = partial(of_effect, replace(row, when=()), variable.removesuffix("[x]"))
            yield Part(f"{row.name}: {says}", proof, read_term, tuple(given.values()), part)
    for conjunct in (*HEARING, *PROBED):
        proof, read_term = read(Logic({}).read(conjunct.term, {}))
        yield Part(conjunct.name, proof, read_term, (), partial(of_guard, conjunct.term))


def of_guard(guard: Expr, world: Interpreter, state: State, bound: dict[str, Any]) -> Any:
    """A guard's value."""
    return world.value(guard, state, {each: bound[str(each.args[0])] for each in guard.free})


def of_effect(
    row: Action, variable: str, world: Interpreter, state: State, bound: dict[str, Any]
) -> Any:
    """A variable's value after the step."""
    row = replace(row, then=tuple(e for e in row.then if e.variable.name == variable))
    after = world.step(state, row, [bound[str(each.args[0])] for each in row.given])
    at = bound["x"] if (variable, 1) in state.places else 0
    return after[variable, at]


class World:
    """A random structure: constants, a state, and what the names of formulas are in it."""

    def __init__(self, luck: random.Random):
        self.luck, self.others = luck, dict[Any, Any]()
        self.constants: dict[str, Any] = {
            name: self.any(each.sort)
            if isinstance(each, Expr)
            else tuple(self.any(each.sort) for _ in range(SIZES[HOST]))
            for name, each in CONSTANTS.items()
        }
        self.constants["drift"] = luck.choice((Fraction(0), Fraction(1, 4)))
        self.concrete = Interpreter(TABLE, self.constants, SIZES)
        start = self.concrete.initial()
        sorts = {v.name: v.sort for v in TABLE.variables}
        self.state = start.but({slot: self.any(sorts[slot[0]]) for slot in start.places})

    def any(self, sort: Sort) -> Any:
        """A random value of a sort."""
        if sort.values:
            return self.luck.choice(sort.values)
        if sort is BOOL:
            return self.luck.random() < 0.5
        if sort in (INSTANT, DURATION, RATIO):
            return Fraction(
                self.luck.randint(-2 if sort is INSTANT else 0, 4), self.luck.choice((1, 2))
            )
        return self.luck.choice((None, *range(SIZES[sort])))

    def bound(self, part: Part) -> dict[str, Any]:
        """Values for a row's parameters, which are members, and for the index `x` of an effect."""
        found = {str(each.args[0]): self.any(each.sort) for each in part.given}
        for each in part.given:
            if each.sort.indexes:
                found[str(each.args[0])] = self.luck.randrange(SIZES[each.sort])
        found["x"] = self.luck.randrange(2)
        return found

    def name(self, bound: dict[str, Any], name: str, args: tuple[Any, ...], sort: str) -> Any:
        """What a formula's name is."""
        if name in bound and not args:
            return bound[name]
        if name.startswith(("no_", "unset_")):
            return None
        if name in ("slowest", "fastest"):
            rate = self.constants["drift"]
            return args[0] / (1 - rate if name == "slowest" else 1 + rate)
        value: Any
        if name in self.constants:
            value = self.constants[name]
            if isinstance(value, tuple):
                value = value[args[0]] if args[0] is not None else self.other(name, sort)
        elif args and args[0] is None:
            return self.other(name, sort)
        else:
            value = self.state[name, args[0] if args else 0]
        return f"{sort}_{value}" if isinstance(value, str) else value

    def other(self, name: str, sort: str) -> Any:
        """The state of nobody, which is anything, and always the same."""
        if (name, sort) not in self.others:
            known = {each.name: each for each in (BOOL, *SIZES, *(v.sort for v in TABLE.variables))}
            any_of = {"Bool": BOOL, "Real": INSTANT}.get(sort) or known.get(sort)
            any_of = any_of or next(c.sort for c in CONSTANTS.values() if c.sort.name == sort)
            value = self.any(any_of)
            self.others[name, sort] = f"{sort}_{value}" if isinstance(value, str) else value
        return self.others[name, sort]


@dataclass
class Count:
    """How many samples were alike, and not compared; and those that differ."""

    alike: int = 0
    without: int = 0
    true: int = 0
    differ: list[str] = field(default_factory=list)


def compare(samples: int, seed: int, each: Sequence[Part] | None = None) -> Count:
    """So many samples, the parts in turn; a structure serves each part once."""
    luck, count = random.Random(seed), Count()
    found = list(parts() if each is None else each)
    while count.alike + count.without < samples and not count.differ:
        world = World(luck)
        for part in found:
            bound = world.bound(part)
            try:
                concrete = part.concrete(world.concrete, world.state, bound)
            except UnsetError:
                count.without += 1
                continue
            members = {sort.name: (None, *range(size)) for sort, size in SIZES.items()}
            structure = Structure(part.proof, members, partial(world.name, bound))
            said = structure.value(part.term)
            sort = part.proof.keys[part.term][2]
            if said != (f"{sort}_{concrete}" if isinstance(concrete, str) else concrete):
                count.differ.append(f"{part.name}: {said} in SMT-LIB, {concrete} in the table")
            count.alike += 1
            count.true += said is True
    return count


@click.command()
@click.option("--samples", default=1_000_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(samples: int, seed: int) -> None:
    """Compare the text with the table."""
    count = compare(samples, seed)
    print(f"{count.alike} samples alike ({count.true} of them true), {count.without} without value")
    for line in count.differ:
        print(f"differ: {line}")
    sys.exit(1 if count.differ else 0)


if __name__ == "__main__":
    main(prog_name="python -m tests.measure.second_reading")
