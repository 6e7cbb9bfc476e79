"""What a term is in a finite structure: SMT-LIB as the checker reads it, said as plainly as can be.

Theory of operation.  A structure has members for each sort, and a function from a name and
arguments to a value.  A quantifier goes over all members; a witness `!` is the first member of
which its body is false, else any.  Truth values are bools, numbers exact, all else is what it is.

What it does not know: quantifiers over numbers.  A quotient by 0 is 0.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from holdover.proofs.certificates.check import NUMBER, Proof

BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    "+": operator.add,
    "*": operator.mul,
    "/": lambda x, y: Fraction(x) / y if y else Fraction(0),
}


class Structure:
    """Members of sorts, and what names are; values of closed terms are remembered."""

    def __init__(
        self,
        proof: Proof,
        members: Mapping[str, Sequence[Any]],
        function: Callable[[str, tuple[Any, ...], str], Any],
    ):
        self.proof, self.members, self.function = proof, members, function
        self.known: dict[int, Any] = {}

    def value(self, term: int, bound: Mapping[int, Any] | None = None) -> Any:
        """What the term is."""
        closed = not self.proof.free[term]
        if closed and term in self.known:
            return self.known[term]
        found = self._value(term, {} if closed or bound is None else bound)
        if closed:
            self.known[term] = found
        return found

    def _value(self, term: int, bound: Mapping[int, Any]) -> Any:
        op, args, sort = self.proof.keys[term]
        if op[0] == "?":
            return bound[term]
        if op in ("true", "false"):
            return op == "true"
        if re.fullmatch(NUMBER, op):
            return Fraction(op)
        if op == "forall":
            variable, body = args
            each = self.members[self.proof.keys[variable][2]]
            return all(self.value(body, {**bound, variable: member}) for member in each)
        if op == "!":
            variable, body = self.proof.keys[args[0]][1]
            each = self.members[sort]
            bad = (member for member in each if not self.value(body, {variable: member}))
            return next(bad, each[0])
        if op == "ite":
            return self.value(args[1] if self.value(args[0], bound) else args[2], bound)
        if op == "and":
            return all(self.value(arg, bound) for arg in args)
        if op == "or":
            return any(self.value(arg, bound) for arg in args)
        values = [self.value(arg, bound) for arg in args]
        if op == "not":
            return not values[0]
        if op == "-":
            return -values[0] if len(values) == 1 else values[0] - values[1]
        if op in BINARY:
            return BINARY[op](*values)
        return op if op in self.proof.sorts[sort] else self.function(op, tuple(values), sort)
