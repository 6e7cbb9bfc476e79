"""Formulas over few hosts, addresses and datagrams: what has a model among these has one.

Theory of operation.  A sort of any size becomes an enumeration, of none and of so many members.  A
quantifier over it becomes a conjunction.  Formulas that speak of no quantifier a solver decides at
once, by a model or by there being none.  The model is one of the formulas as they were, in which a
sort may have any size.

What it does not know: larger models.  That there is none of this size says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import product

from holdover.proofs.logic import formula
from holdover.proofs.logic.formula import REAL, TRUTH, WHOLE, Domain, Formula, Function

Binding = Mapping[str, Formula]


def among(members: int, terms: Iterable[Formula]) -> list[Formula]:
    """The terms, where each sort of any size has so many members beside none."""
    reading = _Among(members)
    return [reading.read(term, {}) for term in terms]


@cache
def enumeration(domain: Domain, members: int) -> Domain:
    """A domain of any size as one of so many members; another as it is."""
    if domain.members or domain.width or domain in (TRUTH, REAL, WHOLE):
        return domain
    named = (f"{domain.name}_{number}" for number in range(1, members + 1))
    return Domain(domain.name, (f"no_{domain.name}", *named))


class _Among:
    """The terms of one size; a term is read once for what its open variables stand for."""

    def __init__(self, members: int):
        self.members = members
        self.known: dict[tuple[object, ...], Formula] = {}

    def read(self, term: Formula, bound: Binding) -> Formula:
        """A term where the variables bound around it stand for these members."""
        key = (term, *(bound[name] for name in sorted(term.open) if name in bound))
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._read(term, bound)
        return found

    def _read(self, term: Formula, bound: Binding) -> Formula:
        domain = enumeration(term.domain, self.members)
        if term.op == "variable":
            return bound.get(str(term.of), term)
        if term.op == "symbol":
            name = str(term.of)
            is_none = domain.members and name == domain.members[0]
            return formula.literal(domain, name) if is_none else formula.symbol(name, domain)
        if term.op == "forall":
            return self._every(term, bound)
        args = [self.read(arg, bound) for arg in term.args]
        if isinstance(term.of, Function):
            of = tuple(arg.domain for arg in args)
            return Function(term.of.name, of, domain)(*args)
        return formula.again(term, args) if args else term

    def _every(self, term: Formula, bound: Binding) -> Formula:
        """The conjunction over the members; a quantifier over what has no members stays one."""
        assert isinstance(term.of, tuple)
        stay = [formula.variable(n, d) for n, d in term.of if enumeration(d, self.members) is d]
        places = {n: enumeration(d, self.members) for n, d in term.of}
        names = [name for name, domain in term.of if places[name] is not domain]
        every = product(
            *([formula.literal(places[n], m) for m in places[n].members] for n in names)
        )
        said = [
            self.read(term.args[0], {**bound, **dict(zip(names, at, strict=True))}) for at in every
        ]
        return formula.forall(stay, formula.all_of(said))
