"""Shapes: what a term is, place by place, whether a formula or what Z3 or cvc5 reads.

Theory of operation.  A shape is a number.  Two terms have the same one if they are the same
operators on the same arguments; what is shared in a text does not show, nor do the names of bound
variables: a variable is how many are bound around its quantifier.  So a text says a formula if and
only if what is read has the formula's shape, and no solver is asked what it means.

A number that is written as an operation on numbers, (- (/ 1.0 3.0)), is that number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import cvc5
import z3
from cvc5 import Kind

BY_KIND = {
    Kind.AND: "and",
    Kind.OR: "or",
    Kind.NOT: "not",
    Kind.ITE: "ite",
    Kind.EQUAL: "=",
    Kind.LT: "<",
    Kind.LEQ: "<=",
    Kind.ADD: "+",
    Kind.SUB: "-",
    Kind.NEG: "-",
    Kind.MULT: "*",
    Kind.DIVISION: "/",
}

OPERATORS = {
    z3.Z3_OP_AND: "and",
    z3.Z3_OP_OR: "or",
    z3.Z3_OP_NOT: "not",
    z3.Z3_OP_ITE: "ite",
    z3.Z3_OP_EQ: "=",
    z3.Z3_OP_LT: "<",
    z3.Z3_OP_LE: "<=",
    z3.Z3_OP_ADD: "+",
    z3.Z3_OP_SUB: "-",
    z3.Z3_OP_UMINUS: "-",
    z3.Z3_OP_MUL: "*",
    z3.Z3_OP_DIV: "/",
}

Bound = tuple[tuple[object, int], ...]
"""Each variable that is bound around a term, and how many were bound before it."""

Known = dict[object, int]


class Shapes:
    """Shapes of terms; what one of these calls alike is alike."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}
        self._parts: list[tuple[object, ...]] = []

    def formula(self, term: Any) -> int:
        """That of a formula."""
        return self._formula(term, (), {})

    def z3(self, term: Any) -> int:
        """That of a term of Z3's."""
        return self._z3(term, 0, {})

    def cvc5(self, term: Any) -> int:
        """That of a term of cvc5's."""
        return self._cvc5(term, (), {})

    def _formula(self, term: Any, bound: Bound, known: Known) -> int:
        key = (term.number, bound)
        if key not in known:
            known[key] = self._of_formula(term, bound, known)
        return known[key]

    def _of_formula(self, term: Any, bound: Bound, known: Known) -> int:
        if term.op == "variable":
            return self._shape("variable", dict(bound)[term.of])
        if term.op == "forall":
            body = self._formula(term.args[0], _inside(bound, [name for name, _ in term.of]), known)
            return self._shape("forall", *[domain.name for _, domain in term.of], body)
        if term.op == "literal":
            return self._shape("literal", term.domain.name, _value(term))
        args = [self._formula(arg, bound, known) for arg in term.args]
        if term.op in ("symbol", "apply"):
            name = term.of if term.op == "symbol" else term.of.name
            return self._shape("apply", name, term.domain.name, *args)
        return self._shape(term.op, *args)

    def _z3(self, term: Any, depth: int, known: Known) -> int:
        key = (term.get_id(), depth)
        if key not in known:
            known[key] = self._of_z3(term, depth, known)
        return known[key]

    def _of_z3(self, term: Any, depth: int, known: Known) -> int:
        if z3.is_var(term):
            return self._shape("variable", depth - 1 - z3.get_var_index(term))
        if z3.is_quantifier(term):
            assert term.is_forall()
            sorts = [term.var_sort(number).sexpr() for number in range(term.num_vars())]
            return self._shape("forall", *sorts, self._z3(term.body(), depth + len(sorts), known))
        kind, name, sort = term.decl().kind(), term.decl().name(), term.sort().sexpr()
        if kind in (z3.Z3_OP_TRUE, z3.Z3_OP_FALSE):
            return self._shape("literal", sort, kind == z3.Z3_OP_TRUE)
        if z3.is_bv_value(term):
            return self._shape("literal", sort, term.as_long())
        if z3.is_int_value(term) or z3.is_rational_value(term):
            return self._shape("literal", sort, Fraction(term.as_string()))
        if kind == z3.Z3_OP_DT_CONSTRUCTOR:
            return self._shape("literal", sort, name)
        args = [self._z3(arg, depth, known) for arg in term.children()]
        if kind == z3.Z3_OP_UNINTERPRETED:
            return self._shape("apply", name, sort, *args)
        return self._operation(OPERATORS.get(kind, name), sort, args)

    def _cvc5(self, term: Any, bound: Bound, known: Known) -> int:
        key = (term.getId(), bound)
        if key not in known:
            known[key] = self._of_cvc5(term, bound, known)
        return known[key]

    def _of_cvc5(self, term: Any, bound: Bound, known: Known) -> int:
        kind, sort = term.getKind(), str(term.getSort())
        if kind == Kind.VARIABLE:
            return self._shape("variable", dict(bound)[term.getId()])
        if kind == Kind.FORALL:
            names, body = term
            sorts = [str(name.getSort()) for name in names]
            inside = _inside(bound, [name.getId() for name in names])
            return self._shape("forall", *sorts, self._cvc5(body, inside, known))
        if kind == Kind.CONST_BOOLEAN:
            return self._shape("literal", sort, term.getBooleanValue())
        if kind == Kind.CONST_BITVECTOR:
            return self._shape("literal", sort, int(term.getBitVectorValue(), 2))
        if kind in (Kind.CONST_INTEGER, Kind.CONST_RATIONAL):
            return self._shape("literal", sort, Fraction(term.getRealValue()))
        if kind == Kind.APPLY_CONSTRUCTOR:
            return self._shape("literal", sort, str(term[0]))
        if kind == Kind.CONSTANT:
            return self._shape("apply", term.getSymbol(), sort)
        args = [self._cvc5(arg, bound, known) for arg in term if not _is_function(arg)]
        if kind == Kind.APPLY_UF:
            return self._shape("apply", term[0].getSymbol(), sort, *args)
        return self._operation(BY_KIND.get(kind, str(kind)), sort, args)

    def _operation(self, op: str, sort: str, args: Sequence[int]) -> int:
        """An operation; a number's opposite, or a quotient of numbers, is a number."""
        numbers = [value for *_, value in map(self._parts.__getitem__, args)]
        if all(isinstance(number, Fraction) for number in numbers):
            return self._of_numbers(op, sort, args, numbers)
        return self._shape(op, *args)

    def _of_numbers(self, op: str, sort: str, args: Sequence[int], numbers: Sequence[Any]) -> int:
        if op == "-" and len(numbers) == 1:
            return self._shape("literal", sort, -numbers[0])
        if op == "/" and numbers[1]:
            return self._shape("literal", sort, numbers[0] / numbers[1])
        return self._shape(op, *args)

    def _shape(self, *parts: object) -> int:
        named = tuple((type(part), part) for part in parts)  # so that 1 is not True
        if named not in self._numbers:
            self._numbers[named] = len(self._parts)
            self._parts.append(parts)
        return self._numbers[named]


def _inside(bound: Bound, names: Sequence[object]) -> Bound:
    """What is bound within a quantifier: of one name the inner."""
    first = 1 + max((place for _, place in bound), default=-1)
    inner = {name: first + place for place, name in enumerate(names)}
    return (*((name, place) for name, place in bound if name not in inner), *inner.items())


def _value(literal: Any) -> object:
    if literal.domain.members or isinstance(literal.of, bool):
        return literal.of
    width = literal.domain.width
    return literal.of % (1 << width) if width else Fraction(literal.of)


def _is_function(term: Any) -> bool:
    return bool(term.getSort().isFunction())


# What solvers read -------------------------------------------------------------------------------


def read_by_z3(text: str) -> list[Any]:
    """The assertions of a text as Z3 reads them."""
    return list(z3.parse_smt2_string(text, ctx=z3.Context()))


def read_by_cvc5(text: str) -> list[Any]:
    """The assertions of a text as cvc5 reads them."""
    solver = cvc5.Solver(cvc5.TermManager())
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "text")
    symbols = parser.getSymbolManager()
    while not (command := parser.nextCommand()).isNull():
        if command.getCommandName() != "check-sat":
            command.invoke(solver, symbols)
    return list(solver.getAssertions())


def misread(text: str, terms: Iterable[Any]) -> list[str]:
    """Who does not read these terms, each in its place, in a text that asserts them."""
    shapes = Shapes()
    wanted = [shapes.formula(term) for term in terms]

    def reads(read: Callable[[str], list[Any]], shape: Callable[[Any], int]) -> bool:
        try:
            return [shape(term) for term in read(text)] == wanted
        except (z3.Z3Exception, RuntimeError):  # it cannot read it
            return False

    readings = {"z3": reads(read_by_z3, shapes.z3), "cvc5": reads(read_by_cvc5, shapes.cvc5)}
    return [name for name, as_wanted in readings.items() if not as_wanted]
