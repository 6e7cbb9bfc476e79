"""Formulas over few hosts, addresses and datagrams, without quantifiers.

Theory of operation.  *Among few, what has a model has one* (`among`).  A sort of any size becomes
an enumeration, of none and of so many members.  A quantifier over it becomes a conjunction.
Formulas that speak of no quantifier a solver decides at once, by a model or by there being none.
The model is one of the formulas as they were, in which a sort may have any size.  That there is
none of this size says nothing.

*Instances: what premises say of the members of which a step speaks* (`at_witnesses`).  A solver
finds out by itself at which terms it needs what is said of all members, and that is most of its
work.  Of a step it is nearly always known: where the conjunct is said to fail after it, and at the
row's own parameters.  So a solver is asked first about the instances there, which are a question
without a quantifier.

*Why the step is proved where these have no model.*  Each `forall` has a *witness*: a member of
which its body is false, if there is one, else any.  So `forall x: B(x)` is as true as
`B(witness)`, and as `B(witness) & B(t)`, whatever closed term `t` is.  Such a conjunction stands
here in its place.  Where the `forall` is asserted the witness may be left out, and where it is
denied the others, for both say less then.  So a model of premises and goal is one of what is made
of them here, if it says of each witness what it is.  Where that has no model, they have none.

Nothing is made but by putting a closed term in the place of a bound variable of its domain, and
the name of a witness is one that no assertion has.

*Whether that member is the row's own* (`in_cases`).  What a conjunct says after a step is full of
conditions that ask whether the witness is the row's parameter, and nearly all else depends on it.
So the goal is said for each case, without them: it is as true as `(c & goal where c is true) |
(~c & goal where c is false)`, whatever truth value c is.  A case that denies each part of a premise
has no model with it, and is left out: most steps change nothing of a member that is not the row's
own, and there the conjunct is as it was.

What it does not know: models that are larger than those among few; and whether there is a model,
where the instances have one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import product

from holdover.proofs.logic import formula
from holdover.proofs.logic.formula import FALSE, REAL, TRUE, TRUTH, WHOLE, Domain, Formula, Function

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


# Instances ----------------------------------------------------------------------------------------

MARK = "!"
"""How the name of a witness begins, and no other name."""

VALUES = ("holds", "word", "request")
"""Functions whose values are members that steps speak of: what a host holds, the server's last word
on an address, and the request by which a client asks for more time."""

KEPT = 1 << 16
"""Of so many terms it is kept whether they have quantifiers, and which of these functions."""

PLACES, TERMS = 1 << 10, 1 << 12
"""At so many choices of members it is kept what so many terms are there."""

Bound = Mapping[str, Formula]
Side = bool | None
"""Whether a term is asserted or denied where it stands; None where it may be either."""

Told = tuple[Sequence[Formula], Formula]
"""Premises, and what is not to follow from them."""


def as_they_are(premises: Sequence[Formula], goal: Formula) -> Told:
    """What they say of all members."""
    return premises, goal


def at_witnesses(premises: Sequence[Formula], goal: Formula) -> Told:
    """What they say of the witnesses of what the guards and the goal deny, without quantifiers.

    These are the members of which the conjunct fails after the step.
    """
    return _Instances(premises, goal).said()


def at_symbols(premises: Sequence[Formula], goal: Formula) -> Told:
    """The same of all that symbols stand for in guards and goal, such as a row's parameters.

    And of the values that `VALUES` have of these.  Of numbers, which have no such symbols: of those
    of which a function is taken there, and of symbols with which these are compared.
    """
    read = _Instances(premises, goal)
    read.know(_members(read.particular()))
    functions = dict.fromkeys(each for term in (*premises, goal) for each in _valued(term))
    read.know([f(at) for f in functions for at in read.members.get(f.of[0], ())])
    return read.said()


class _Instances:
    """Premises and a goal at some members, which are those of the witnesses at first."""

    def __init__(self, premises: Sequence[Formula], goal: Formula):
        self.premises, self.goal = premises, goal
        for term in (*premises, goal):
            if _looks(term) >= MARKED:
                raise ValueError(f"{MARK} begins a name that is no witness's")
        self.witnesses: dict[tuple[object, ...], Formula] = {}
        self.members: dict[Domain, dict[Formula, None]] = {}
        self.known: dict[tuple[object, ...], Formula] = {}
        self.lasting: dict[tuple[object, ...], Formula] = {}
        self.looked = False  # whether what is being read is said of the members that there are now
        self.particular()
        self.know(self.witnesses.values())

    def particular(self) -> list[Formula]:
        """What is not said of all members: the guards and the goal."""
        some = [term for term in (*self.premises, self.goal) if term.op != "forall"]
        return [self.read(term, {}, True) for term in some]

    def know(self, members: Iterable[Formula]) -> None:
        """These as well are members of which premises are said."""
        for term in members:
            self.members.setdefault(term.domain, {})[term] = None
        self.known.clear()

    def said(self) -> Told:
        """The premises' instances, each once, and the goal's."""
        goal = self.read(self.goal, {}, True)
        read = [self.read(term, {}, True) for term in self.premises]
        told = dict.fromkeys(part for term in read for part in _parts(term) if part is not TRUE)
        left = in_cases(goal, tuple(told))
        return (() if left is FALSE else tuple(told)), left

    def read(self, term: Formula, bound: Bound, side: Side) -> Formula:
        """A term without its quantifiers, where the variables bound around it are these members."""
        if not _looks(term):
            return _with(term, bound)
        key = (term, side, *[bound[name] for name in sorted(term.open)])
        found = self.lasting.get(key)
        if found is not None:
            return found
        found = self.known.get(key)
        if found is None:
            before, self.looked = self.looked, False
            found = self._read(term, bound, side)
            if not self.looked:
                self.lasting[key], self.looked = found, before
                return found
            self.known[key] = found
        self.looked = True
        return found

    def _read(self, term: Formula, bound: Bound, side: Side) -> Formula:
        if term.op == "forall":
            at = self._places(term, bound, side)
            return formula.all_of(self.read(term.args[0], inner, side) for inner in at)
        if term.op == "not":
            return ~self.read(term.args[0], bound, None if side is None else not side)
        inside = side if term.op in ("and", "or") else None
        return formula.again(term, [self.read(arg, bound, inside) for arg in term.args])

    def _places(self, term: Formula, bound: Bound, side: Side) -> Iterator[Bound]:
        """What the variables stand for of which the body is said."""
        assert isinstance(term.of, tuple)
        names = [name for name, _ in term.of]
        if bound.keys() & set(names):
            raise ValueError(f"one of {names} is bound within its own quantifier")
        if side is not True:
            own = [self._witness(term, bound, name, domain) for name, domain in term.of]
            yield {**bound, **dict(zip(names, own, strict=True))}
        if side is not False:
            self.looked = True
            for some in product(*(self.members.get(domain, ()) for _, domain in term.of)):
                yield {**bound, **dict(zip(names, some, strict=True))}

    def _witness(self, term: Formula, bound: Bound, name: str, domain: Domain) -> Formula:
        """The witness of a `forall` with these members, named by how many there were before."""
        key = (term, name, *(bound[each] for each in sorted(term.open)))
        if key not in self.witnesses:
            sort = "".join(filter(str.isalnum, domain.name))
            named = f"{MARK}{sort}{len(self.witnesses)}"
            self.witnesses[key] = formula.symbol(named, domain)
        return self.witnesses[key]


def in_cases(goal: Formula, premises: Sequence[Formula] = ()) -> Formula:
    """The same, without conditions on whether a witness is another symbol: a case for each.

    Those are left out that deny each part of a premise.
    """
    return formula.any_of(case for case in _cases(goal) if not _denies(case, premises))


@lru_cache(KEPT)
def _cases(goal: Formula) -> tuple[Formula, ...]:
    """What is so in each case, the conditions first."""
    asked = _identities(goal)
    if not asked:
        return () if goal is FALSE else (goal,)
    first = min(asked, key=formula.text_of)
    return tuple(
        case & other
        for case, value in ((first, TRUE), (~first, FALSE))
        for other in _cases(_where(goal, first, value))
    )


def _denies(case: Formula, premises: Sequence[Formula]) -> bool:
    """Whether the case says of each part of a premise that it is not so."""
    true, false = _said(case)

    def is_false(part: Formula) -> bool:
        return part.args[0] in true if part.op == "not" else part in false

    clauses = (term.args if term.op == "or" else (term,) for term in premises)
    return any(all(map(is_false, parts)) for parts in clauses)


@lru_cache(KEPT)
def _said(case: Formula) -> tuple[frozenset[Formula], frozenset[Formula]]:
    """What a case says to be so, part by part, and what not to be so."""
    true, false = set[Formula](), set[Formula]()
    waiting = [(case, True)]
    while waiting:
        term, holds = waiting.pop()
        if term.op == "not":
            term, holds = term.args[0], not holds
        (true if holds else false).add(term)
        if term.op == ("and" if holds else "or"):
            waiting += [(arg, holds) for arg in term.args]
    return frozenset(true), frozenset(false)


def _parts(term: Formula) -> tuple[Formula, ...]:
    """What a conjunction says, one by one."""
    return term.args if term.op == "and" else (term,)


@lru_cache(KEPT)
def _identities(term: Formula) -> frozenset[Formula]:
    """What it says of whether a witness is another symbol."""
    if term.op == "=" and all(arg.op == "symbol" for arg in term.args):
        return frozenset([term] if any(_looks(arg) == MARKED for arg in term.args) else ())
    return frozenset().union(*map(_identities, term.args))


def _where(term: Formula, asked: Formula, value: Formula) -> Formula:
    """The term where what is asked has this truth value."""
    if term is asked:
        return value
    if asked not in _identities(term):
        return term
    done = _decided(asked, value)
    found = done.get(term)
    if found is None:
        found = formula.again(term, [_where(arg, asked, value) for arg in term.args])
        if len(done) == TERMS:
            done.clear()
        done[term] = found
    return found


@lru_cache(PLACES)
def _decided(asked: Formula, value: Formula) -> dict[Formula, Formula]:
    """What terms are where that is so, filled by who asks."""
    return {}


QUANTIFIED, MARKED = 1, 2


@lru_cache(KEPT)
def _looks(term: Formula) -> int:
    """Whether a quantifier occurs in it, and a name that begins as that of a witness."""
    if term.op == "symbol" and str(term.of).startswith(MARK):
        return MARKED
    found = QUANTIFIED if term.op == "forall" else 0
    for arg in term.args:
        found |= _looks(arg)
    return found


@lru_cache(KEPT)
def _valued(term: Formula) -> tuple[Function, ...]:
    """Those of `VALUES` that occur in it."""
    of = term.of
    found = [of] if isinstance(of, Function) and of.name in VALUES else []
    return tuple(dict.fromkeys([*found, *(each for arg in term.args for each in _valued(arg))]))


def _with(term: Formula, bound: Bound) -> Formula:
    """A term without quantifiers, where its variables stand for these members."""
    if not term.open:
        return term
    members = tuple([(name, bound[name]) for name in sorted(term.open)])
    done = _placed(members)
    found = done.get(term)
    if found is None:
        if term.op == "variable":
            found = bound[str(term.of)]
            if found.domain is not term.domain or found.open:
                raise TypeError(f"{found} is no closed term of {term.domain.name}")
        else:
            found = formula.again(term, [_with(arg, bound) for arg in term.args])
        if len(done) == TERMS:
            done.clear()
        done[term] = found
    return found


@lru_cache(PLACES)
def _placed(members: tuple[tuple[str, Formula], ...]) -> dict[Formula, Formula]:
    """What terms are at these members, filled by who asks: conjuncts have many parts in common."""
    return {}


def _members(terms: Iterable[Formula]) -> list[Formula]:
    """Symbols of sorts of any size, and the numbers of which a function is taken, by their text.

    With these numbers, symbols that they are compared with.  None is no member.
    """
    found, seen, waiting = dict[str, Formula](), set[Formula](), list(terms)
    compared: list[tuple[Formula, ...]] = []
    while waiting:
        term = waiting.pop()
        if term in seen:
            continue
        seen.add(term)
        waiting += term.args
        some = [arg for arg in term.args if term.op == "apply" and arg.domain in (REAL, WHOLE)]
        few = term.domain.members or term.domain.width or term.domain in (TRUTH, REAL, WHOLE)
        if term.op == "symbol" and not few and term.of != f"no_{term.domain.name}":
            some.append(term)
        if term.op in ("<", "<="):
            compared += [term.args, term.args[::-1]]
        found.update((formula.text_of(each), each) for each in some)
    numbers = set(found.values())
    other = [y for x, y in compared if x in numbers and y.op == "symbol"]
    found.update((formula.text_of(each), each) for each in other)
    return [found[text] for text in sorted(found)]
