"""Formulas: what a solver is asked, as terms of which each exists once.

Theory of operation.  A `Formula` is an operator, its arguments and its domain (a solver's sort).
Two formulas that are written alike are one object, so that a term which many obligations share is
built once, and printed once.  Python's operators build formulas and never decide anything, as with
`expr.Expr`; what constants decide is decided when a formula is built: `x & FALSE` is `FALSE`, and
`ite(c, 1, 2) == 1` is `c`.

The solvers read SMT-LIB 2.6 (`text_of`, `declarations`): what both are asked is one text.
In it a subterm that occurs more than once stands once, in a `let` of the assertion or, where it
speaks of a quantifier's variables, of the innermost quantifier that binds one of them.

Not here: what terms of the lease table mean (`first_order.py`, `unrolled.py`), and solvers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import is_
from weakref import WeakValueDictionary, ref


@dataclass(frozen=True, eq=False)
class Domain:
    """A solver's sort: one of the three below, words, named values, or things of any number.

    `members` are the names of an enumeration's values, and `width` is in bits.  Of the same parts
    there is one, as of formulas, in which it is looked for by its address.
    """

    name: str
    members: tuple[str, ...] = ()
    width: int = 0

    def __new__(cls, name: str, members: tuple[str, ...] = (), width: int = 0) -> Domain:
        """The one of these parts."""
        parts = (name, members, width)
        found = _domains.get(parts)
        if found is None:
            found = _domains[parts] = object.__new__(cls)
        return found

    def __reduce__(self) -> tuple[object, ...]:
        return Domain, (self.name, self.members, self.width)


_domains: WeakValueDictionary[tuple[object, ...], Domain] = WeakValueDictionary()

TRUTH, REAL, WHOLE = Domain("Bool"), Domain("Real"), Domain("Int")


def words(width: int) -> Domain:
    """Machine words of so many bits."""
    return Domain(f"(_ BitVec {width})", (), width)


@dataclass(frozen=True, eq=False)
class Function:
    """A name for what is open: `Function(...)(x)` is its value at x.  Of the same parts is one."""

    name: str
    of: tuple[Domain, ...]
    to: Domain

    def __new__(cls, name: str, of: tuple[Domain, ...], to: Domain) -> Function:
        """The one of these parts."""
        parts = (name, of, to)
        found = _functions.get(parts)
        if found is None:
            found = _functions[parts] = object.__new__(cls)
        return found

    def __reduce__(self) -> tuple[object, ...]:
        return Function, (self.name, self.of, self.to)

    def __call__(self, *args: Formula) -> Formula:
        """Its value; TypeError for arguments from other domains."""
        if tuple([arg.domain for arg in args]) != self.of:
            raise TypeError(f"{self.name} is a function of {[d.name for d in self.of]}")
        return _once("apply", args, self, self.to)


_functions: WeakValueDictionary[tuple[object, ...], Function] = WeakValueDictionary()

Value = bool | int | Fraction | str
Number = int | Fraction


class Formula:
    """A term.  `of` is what a leaf stands for, the function applied, or the variables bound.

    `open` names the quantifiers' variables that occur in it and are not bound in it.  What is
    `known` is a literal, of which `of` is the value.
    """

    __slots__ = ("__weakref__", "args", "domain", "known", "number", "of", "op", "open", "text")

    op: str
    args: tuple[Formula, ...]
    of: object
    domain: Domain
    known: bool
    number: int
    open: frozenset[str]
    text: str | None

    def __bool__(self) -> bool:
        raise TypeError("a formula has no truth value: write & | ~, and `is TRUE`")

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return _Printer().assertion(self)

    def __eq__(self, other: object) -> Formula:  # type: ignore[override]
        return equal(self, _lift(other, self.domain))

    def __ne__(self, other: object) -> Formula:  # type: ignore[override]
        return ~equal(self, _lift(other, self.domain))

    def __lt__(self, other: Formula | Number) -> Formula:
        return _compare("<", self, _lift(other, self.domain))

    def __le__(self, other: Formula | Number) -> Formula:
        return _compare("<=", self, _lift(other, self.domain))

    def __gt__(self, other: Formula | Number) -> Formula:
        return _compare("<", _lift(other, self.domain), self)

    def __ge__(self, other: Formula | Number) -> Formula:
        return _compare("<=", _lift(other, self.domain), self)

    def __and__(self, other: Formula) -> Formula:
        return all_of((self, other))

    def __or__(self, other: Formula) -> Formula:
        return any_of((self, other))

    def __invert__(self) -> Formula:
        if self.domain is not TRUTH:
            raise TypeError(f"not takes a truth value, not {self.domain.name}")
        if self.op == "literal":
            return FALSE if self.of else TRUE
        return self.args[0] if self.op == "not" else _once("not", (self,), None, TRUTH)

    def implies(self, other: Formula) -> Formula:
        """`other` wherever `self`."""
        return any_of((~self, other))

    def __add__(self, other: Formula | Number) -> Formula:
        return _arithmetic("+", self, _lift(other, self.domain))

    def __sub__(self, other: Formula | Number) -> Formula:
        return _arithmetic("-", self, _lift(other, self.domain))

    def __rsub__(self, other: Number) -> Formula:
        return _arithmetic("-", _lift(other, self.domain), self)

    def __mul__(self, other: Formula | Number) -> Formula:
        return _arithmetic("*", self, _lift(other, self.domain))

    def __truediv__(self, other: Formula | Number) -> Formula:
        return _arithmetic("/", self, _lift(other, self.domain))

    def __reduce__(self) -> tuple[object, ...]:
        return _once, (self.op, self.args, self.of, self.domain)  # in another process, once too


class _Kept(ref[Formula]):
    """A formula by its parts, as long as somebody has it."""

    __slots__ = ("key",)

    key: tuple[object, ...]


def _gone(kept: ref[Formula]) -> None:
    """Nobody has it any more."""
    assert isinstance(kept, _Kept)
    if _formulas.get(kept.key) is kept:
        del _formulas[kept.key]


_formulas: dict[tuple[object, ...], _Kept] = {}
_numbers = itertools.count()
_CLOSED: frozenset[str] = frozenset()


def _once(op: str, args: tuple[Formula, ...], of: object, domain: Domain) -> Formula:
    """The formula of these parts, which is made if there is none yet."""
    key = (op, of, domain, *[arg.number for arg in args])
    kept = _formulas.get(key)
    found = None if kept is None else kept()
    if found is None:
        found = Formula()
        found.op, found.args, found.of, found.domain = op, args, of, domain
        found.number, found.text = next(_numbers), None
        found.known, found.open = op == "literal", _CLOSED
        for arg in args:
            if arg.open:
                found.open = found.open | arg.open if found.open else arg.open
        if op == "variable":
            found.open = frozenset((str(of),))
        elif op == "forall" and isinstance(of, tuple):
            found.open -= {name for name, _ in of}
        kept = _formulas[key] = _Kept(found, _gone)
        kept.key = key
    return found


# Leaves ------------------------------------------------------------------------------------------


def literal(domain: Domain, value: object) -> Formula:
    """A value of a domain: a bool, an exact number, a member's name.  TypeError if it is none.

    Machine words are in two's complement; ValueError for a number that needs more bits.
    """
    exact = type(value)
    if (exact is int and domain is not TRUTH) or (exact is Fraction and domain is REAL):
        kept = _formulas.get(("literal", value, domain))  # 3 and Fraction(3) are one key
        found = None if kept is None else kept()
        if found is not None:
            return found
    if domain is TRUTH and isinstance(value, bool):
        return _once("literal", (), value, TRUTH)
    if domain.members:
        if value in domain.members:
            return _once("literal", (), value, domain)
    elif isinstance(value, int | Fraction) and not isinstance(value, bool):
        if domain is REAL:
            return _once("literal", (), Fraction(value), REAL)
        if domain is WHOLE and isinstance(value, int):
            return _once("literal", (), value, WHOLE)
        if domain.width and isinstance(value, int):
            if not -1 << domain.width - 1 <= value < 1 << domain.width - 1:
                raise ValueError(f"{value} does not fit into {domain.width} bits")
            return _once("literal", (), value, domain)
    raise TypeError(f"{value!r} is no value of {domain.name}")


TRUE, FALSE = literal(TRUTH, True), literal(TRUTH, False)


def _lift(value: object, domain: Domain) -> Formula:
    return value if isinstance(value, Formula) else literal(domain, value)


def symbol(name: str, domain: Domain) -> Formula:
    """A name for a value that is open."""
    return _once("symbol", (), name, domain)


def variable(name: str, domain: Domain) -> Formula:
    """A name that a quantifier binds."""
    return _once("variable", (), name, domain)


# Compounds ---------------------------------------------------------------------------------------


def all_of(terms: Iterable[Formula]) -> Formula:
    """The conjunction."""
    return _joined("and", terms, TRUE, FALSE)


def any_of(terms: Iterable[Formula]) -> Formula:
    """The disjunction."""
    return _joined("or", terms, FALSE, TRUE)


def _joined(op: str, terms: Iterable[Formula], neutral: Formula, deciding: Formula) -> Formula:
    """A conjunction or disjunction, flat, of different terms."""
    parts: dict[Formula, None] = {}
    for term in terms:
        if term.domain is not TRUTH:
            raise TypeError(f"{op} takes truth values, not {term.domain.name}")
        if term is deciding:
            return deciding
        if term is not neutral:
            for part in term.args if term.op == op else (term,):
                parts[part] = None
    for part in parts:
        if part.op == "not" and part.args[0] in parts:
            return deciding
    if len(parts) < 2:
        return next(iter(parts), neutral)
    return _once(op, tuple(parts), None, TRUTH)


def ite(condition: Formula, then: Formula, otherwise: Formula) -> Formula:
    """`then` where `condition`, else `otherwise`."""
    if condition.domain is not TRUTH or then.domain != otherwise.domain:
        raise TypeError(f"ite({condition.domain}, {then.domain}, {otherwise.domain})")
    if condition.known:
        return then if condition.of else otherwise
    if then is otherwise:
        return then
    if condition.op == "not":
        return ite(condition.args[0], otherwise, then)
    if then.domain is TRUTH:
        if then.known:
            return condition | otherwise if then.of else ~condition & otherwise
        if otherwise.known:
            return ~condition | then if otherwise.of else condition & then
    return _once("ite", (condition, then, otherwise), None, then.domain)


def equal(left: Formula, right: Formula) -> Formula:
    """Whether they are the same."""
    if left.domain != right.domain:
        raise TypeError(f"{left.domain.name} is no {right.domain.name}")
    if left is right:
        return TRUE
    if left.known and right.known:
        return FALSE
    if left.known:
        left, right = right, left
    if right.known:
        if left.domain is TRUTH:
            return left if right.of else ~left
        if left.op == "ite" and (left.args[1].known or left.args[2].known):
            condition, then, otherwise = left.args
            return ite(condition, equal(then, right), equal(otherwise, right))
    return _once("=", (left, right), None, TRUTH)


def distinct(terms: Sequence[Formula]) -> Formula:
    """No two are the same."""
    return all_of(x != y for x, y in itertools.combinations(terms, 2))


def _compare(op: str, left: Formula, right: Formula) -> Formula:
    _check_numbers(op, left, right)
    if left is right:
        return TRUE if op == "<=" else FALSE
    if left.known and right.known:
        x, y = _value(left), _value(right)
        return literal(TRUTH, x <= y if op == "<=" else x < y)
    return _once(op, (left, right), None, TRUTH)


def _arithmetic(op: str, left: Formula, right: Formula) -> Formula:
    _check_numbers(op, left, right)
    if op == "/" and left.domain is not REAL:
        raise TypeError("only reals have a quotient")
    if right.known:
        if _value(right) == (0 if op in "+-" else 1):
            return left
        if left.known and not (op == "/" and _value(right) == 0):
            x, y = _value(left), _value(right)
            done = {"+": x + y, "-": x - y, "*": x * y, "/": Fraction(x, y or 1)}[op]
            return literal(left.domain, done)
    if op == "-" and left is right:
        return literal(left.domain, 0)
    if left.known and op in "+*" and _value(left) == (0 if op == "+" else 1):
        return right
    return _once(op, (left, right), None, left.domain)


def _check_numbers(op: str, left: Formula, right: Formula) -> None:
    if left.domain != right.domain or left.domain not in (REAL, WHOLE):
        raise TypeError(f"{op} takes numbers, not {left.domain.name} and {right.domain.name}")


def _value(term: Formula) -> Number:
    assert isinstance(term.of, int | Fraction)
    return term.of


def forall(bound: Sequence[Formula], body: Formula) -> Formula:
    """`body` for every value of these variables; no domain is empty."""
    if body.domain is not TRUTH or any(name.op != "variable" for name in bound):
        raise TypeError("forall(variables, truth value)")
    if not body.open & {str(name.of) for name in bound}:
        return body
    return _once("forall", (body,), tuple((str(x.of), x.domain) for x in bound), TRUTH)


# Rebuilding --------------------------------------------------------------------------------------


def replace(term: Formula, by: Callable[[Formula], Formula | None]) -> Formula:
    """The term with each subterm that `by` gives another for replaced by it, leaves first.

    Variables may be given another term only from outside of their quantifier.
    """
    done: dict[Formula, Formula] = {}

    def rebuilt(one: Formula) -> Formula:
        found = done.get(one)
        if found is None:
            args = [rebuilt(arg) for arg in one.args]
            found = again(one, args) if args else one
            other = by(found)
            found = done[one] = found if other is None else other
        return found

    return rebuilt(term)


def again(term: Formula, args: Sequence[Formula]) -> Formula:
    """The same operator on other arguments."""
    if all(map(is_, args, term.args)):
        return term
    match term.op:
        case "and":
            return all_of(args)
        case "or":
            return any_of(args)
        case "not":
            return ~args[0]
        case "ite":
            return ite(*args)
        case "=":
            return equal(*args)
        case "<" | "<=":
            return _compare(term.op, *args)
        case "+" | "-" | "*" | "/":
            return _arithmetic(term.op, *args)
        case "forall":
            assert isinstance(term.of, tuple)
            return forall([variable(name, domain) for name, domain in term.of], args[0])
    assert isinstance(term.of, Function)
    return term.of(*args)


def with_values(term: Formula, values: Mapping[str, Value]) -> Formula:
    """The term with values for its symbols: one that has none is 0, false or a first member."""

    def valued(one: Formula) -> Formula | None:
        if one.op != "symbol":
            return None
        domain = one.domain
        usual = False if domain is TRUTH else domain.members[0] if domain.members else 0
        return literal(domain, values.get(str(one.of), usual))

    return replace(term, valued)


# SMT-LIB -----------------------------------------------------------------------------------------


def declarations(assertions: Iterable[Formula]) -> str:
    """What assertions have to declare, as SMT-LIB 2.6: in the order of names, sorts first.

    TypeError if one name stands for two things, a quantifier's variable among them.
    """
    sorts: dict[str, str] = {}
    functions: dict[str, str] = {}
    names: dict[str, str] = {}

    def told(name: str, line: str) -> None:
        known = names.setdefault(name, line)
        if known != line or name.startswith("$"):
            raise TypeError(f"{name} is two things: {known.strip()} and {line.strip()}")

    def declare(domain: Domain) -> None:
        if domain.members:
            members = " ".join(f"({member})" for member in domain.members)
            sorts[domain.name] = f"(declare-datatypes (({domain.name} 0)) (({members})))\n"
            for name in (domain.name, *domain.members):
                told(name, sorts[domain.name])
        elif domain not in (TRUTH, REAL, WHOLE) and not domain.width:
            sorts[domain.name] = f"(declare-sort {domain.name} 0)\n"
            told(domain.name, sorts[domain.name])

    done = set[object]()
    for term in _subterms(assertions):
        if term.domain not in done:
            done.add(term.domain)
            declare(term.domain)
        if term.op == "apply":
            if term.of in done:
                continue
            done.add(term.of)
        of: tuple[Domain, ...] = ()
        if term.op == "symbol":
            name = str(term.of)
        elif isinstance(term.of, Function):
            name, of = term.of.name, term.of.of
        elif term.op == "forall" and isinstance(term.of, tuple):
            for name, domain in term.of:
                declare(domain)
                told(name, "a quantifier's variable")
            continue
        else:
            continue
        written = " ".join(domain.name for domain in of)
        line = f"(declare-fun {name} ({written}) {term.domain.name})\n"
        told(name, line)
        functions[name] = line
    declared = [sorts[name] for name in sorted(sorts)]
    declared += [functions[name] for name in sorted(functions)]
    return "".join(declared)


def text_of(term: Formula) -> str:
    """A closed formula as SMT-LIB; its text is made once."""
    if term.text is None:
        term.text = _Printer().assertion(term)
    return term.text


def _subterms(terms: Iterable[Formula]) -> Iterator[Formula]:
    """Every term in these, once."""
    seen = set[int]()
    waiting = list(terms)
    while waiting:
        term = waiting.pop()
        if term.number not in seen:
            seen.add(term.number)
            waiting += term.args
            yield term


class _Printer:
    """One assertion's text: `names` are those of the subterms that a `let` around has."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.count = 0

    def assertion(self, term: Formula) -> str:
        """The text, with its shared subterms first."""
        return self.scope(term, _CLOSED, None)

    def scope(self, body: Formula, around: frozenset[str], new: frozenset[str] | None) -> str:
        """A body in which variables are `new`, among those bound `around` it; None: an assertion.

        What occurs more than once, and speaks of nothing that only a quantifier within it binds,
        stands in a `let`; those that need others come after them.
        """
        bound = around | (new or _CLOSED)
        if new is not None and around & new:
            raise TypeError(f"{sorted(around & new)} is bound within its own quantifier")
        levels: list[list[Formula]] = []
        for term, level in self._shared(body, bound, new):
            while len(levels) <= level:
                levels.append([])
            levels[level].append(term)
        outer = dict(self.names)
        opened = ""
        for together in levels:
            texts = [self.compound(term, bound) for term in together]
            lets = []
            for term, text in zip(together, texts, strict=True):
                self.count += 1
                self.names[term.number] = f"${self.count}"
                lets.append(f"(${self.count} {text})")
            opened += f"(let ({' '.join(lets)}) "
        said = opened + self.term(body, bound) + ")" * len(levels)
        self.names = outer
        return said

    def _shared(
        self, body: Formula, bound: frozenset[str], new: frozenset[str] | None
    ) -> Iterator[tuple[Formula, int]]:
        """The terms that a `let` of this scope has, each with how many others it stands on."""
        if not body.args or body.number in self.names:
            return
        names = self.names
        uses: dict[int, int] = {}
        order: list[Formula] = []
        waiting: list[Formula | None] = [body]
        while waiting:
            term = waiting.pop()
            if term is None:  # all that the next one stands on has been seen
                done = waiting.pop()
                assert done is not None
                order.append(done)
            elif term.number in uses:
                uses[term.number] += 1
            else:
                uses[term.number] = 1
                waiting += (term, None)
                for arg in reversed(term.args):
                    if arg.args and arg.number not in names:
                        waiting.append(arg)
        if max(uses.values()) == 1:
            return
        height: dict[int, int] = {}
        for term in order:
            below = 0
            for arg in term.args:
                if (of := height.get(arg.number, 0)) > below:
                    below = of
            mine = term.open <= bound and (new is None or bool(term.open & new))
            if mine and uses[term.number] > 1 and term is not body:
                yield term, below
                below += 1
            height[term.number] = below

    def term(self, term: Formula, bound: frozenset[str]) -> str:
        """A term's name where it has one, else what it is."""
        return self.names.get(term.number) or self.compound(term, bound)

    def compound(self, term: Formula, bound: frozenset[str]) -> str:
        """What a term is, its parts by name where they have one."""
        if not term.args:
            return _leaf(term)
        if term.op == "forall":
            assert isinstance(term.of, tuple)
            names = frozenset(name for name, _ in term.of)
            written = " ".join(f"({name} {domain.name})" for name, domain in term.of)
            return f"(forall ({written}) {self.scope(term.args[0], bound, names)})"
        op = term.of.name if isinstance(term.of, Function) else term.op
        known = self.names
        said = [known.get(arg.number) or self.compound(arg, bound) for arg in term.args]
        return f"({op} {' '.join(said)})"


def _leaf(term: Formula) -> str:
    if not term.known or term.domain.members:
        return str(term.of)
    if term.domain is TRUTH:
        return "true" if term.of else "false"
    number = _value(term)
    if term.domain.width:
        return f"(_ bv{number % (1 << term.domain.width)} {term.domain.width})"
    dot = ".0" if term.domain is REAL else ""
    above, below = abs(number.numerator), number.denominator
    said = f"{above}{dot}" if below == 1 else f"(/ {above}.0 {below}.0)"
    return f"(- {said})" if number < 0 else said
