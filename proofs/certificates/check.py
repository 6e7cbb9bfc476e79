"""Checks that a certificate proves an obligation: `python check.py OBLIGATION.smt2 CERTIFICATE`.

It needs nothing but Python.  `python check.py DIR` checks each `*.smt2` below a directory against
the `*.cert` beside it.  Exit: 0 all accepted, 1 one rejected, 2 what was given is no such file.

What you have to believe.  *Accepted* says: the assertions of the SMT-LIB text have no model, if
this file and Python are right, whoever made the certificate; not that the text says what is meant.

Theory of operation.  A *letter* is a number for a truth-valued term without free variables: 1 for
the first that is met, then its parts from left to right, and so on; `-7` is the negation of 7.
What `and`, `or`, `not`, `ite` and `=` say of letters becomes clauses.  `x < y` is the negation of
`y <= x`, and x = y of numbers is x <= y and y <= x.  A certificate is lines:

  use N          the N-th assertion is true
  some Q         letter Q is a `forall`: it is true, or its body is false of the new constant !Q
  every Q TERM   letter Q is a `forall`: it is false, or its body is true of TERM
  atom TERM      gives a truth-valued term a letter
  values TERM    a term of a data type is one of its values
  sum M*L ...    not all these letters L are true: the sum of what each says is not negative, M
                 times, is a number below 0 (or 0, where one of them is strict).  x <= y says it of
                 the polynomial y - x, its negation strictly of x - y; M*L*K of the product of two.
  step L ...     one of these letters is true, since propagation from their negations fails

Propagation takes the last letter of a clause of which the others are false, and what equality
says: a union-find of all terms met, closed under functions, in which two values of a data type, two
numbers, true and false are never the same, nor what a false letter equates.  It must fail at last.
"""

import re
import sys
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

HEAD, MOST_WORK, MOST_LINE = "holdover certificate 1", 10_000_000, 20_000  # units, characters
NAME, NUMBER = "[A-Za-z_$][A-Za-z0-9_$]*", r"(0|[1-9][0-9]{0,39})(\.0)?"  # 01 would be another 1
MULTIPLE = r"(?=0*[1-9])[0-9]{1,300}(/[0-9]{1,300})?(\*-?[0-9]{1,9}){1,2}"
OPERATORS = {"and": "(Bool )+", "or": "(Bool )+", "not": "Bool ", "ite": r"Bool (\S+ )\1"}
OPERATORS |= dict.fromkeys(("<", "<=", "+", "*"), r"(Real |Int )\1")  # by their arguments' sorts
OPERATORS |= {"=": r"(\S+ )\1", "-": r"(Real |Int )\1?", "/": "Real Real ", "let": "", "forall": ""}
FITS = lru_cache(999)(lambda op, of: re.fullmatch(OPERATORS.get(op, ""), " ".join((*of, ""))))
Polynomial = dict[tuple[int, ...], Fraction | int]  # by monomial: its unknowns' terms, in order


def need(condition: object, why: str) -> None:
    """ValueError, by which a certificate is rejected, unless."""
    if not condition:
        raise ValueError(why)


@lru_cache(999)
def tree_of(text: str) -> Any:
    """A term's words, in lists for parentheses."""
    stack: list[list[Any]] = [[]]
    for token in re.findall(r"[()]|[^\s()]+", text):
        if token == "(":
            stack.append([])
        else:
            word = stack.pop() if token == ")" else token
            stack[-1].append(word)
    ((tree,),) = stack
    return tree


def plus(left: Polynomial, right: Polynomial, factor: Any, by: tuple[int, ...] = ()) -> Polynomial:
    """`left` and so many times `right`, all of which is also multiplied `by` unknowns."""
    found = dict(left)
    for monomial, number in right.items():
        key = tuple(sorted(monomial + by))
        found[key] = found.get(key, 0) + factor * number
    return {monomial: number for monomial, number in found.items() if number}


class Proof:
    """An obligation's text; terms by number, each once; letters, and which are known to be true."""

    def __init__(self, text: str):
        self.sorts: dict[str, tuple[str, ...]] = {"Bool": (), "Real": (), "Int": ()}  # with values
        self.declared: dict[str, Any] = {"true": ((), "Bool"), "false": ((), "Bool")}
        self.asserted, self.left = list[str](), MOST_WORK
        self.numbers, self.keys, self.free = dict[Any, int](), list[Any](), list[frozenset[int]]()
        self.letters, self.says, self.polynomials = dict[int, int](), [-1], dict[int, Polynomial]()
        self.clauses = dict[int, list[list[int]]]()  # by letter, or negation, that is in them
        self.value, self.trail = dict[int, bool](), list[int]()  # by letter, and by negation
        self.head, self.failed, self.scope = 0, False, dict[str, int]()  # scope: !Q
        self.equalities, self.met = list[Any](), set[int]()  # letter, left, right; terms
        self.functions, self.constants, self.above = list[int](), list[int](), dict[int, int]()
        self.true, self.false = self.make("true", "Bool"), self.make("false", "Bool")
        self.meet(self.true, self.false)
        need(not any(sign in text[1:] for sign in '|";'), "a quotation, or a comment below")
        for line in re.sub(r"\A;.*\n", "", text).removesuffix("\n").split("\n"):
            if line.startswith("(assert "):
                self.asserted.append(line)
            elif line not in ("(set-logic ALL)", "(set-info :status unsat)", "(check-sat)"):
                self.declare(tree_of(line))

    def _spend(self, work: int) -> None:
        self.left -= work
        need(self.left > 0, "too much work")

    def new(self, name: Any) -> str:
        """A name that stands for nothing yet."""
        known = name in self.sorts or name in self.declared or name in OPERATORS
        need(re.fullmatch(NAME, name) and not known, f"no name, or of two things: {name}")
        return str(name)

    def declare(self, tree: Any) -> None:
        """A sort, a data type whose values are names, or a function."""
        match tree:
            case ["declare-sort", name, "0"]:
                self.sorts[self.new(name)] = ()
            case ["declare-datatypes", [[name, "0"]], [values]]:
                self.sorts[self.new(name)] = tuple(self.new(value) for (value,) in values)
                self.declared |= {value: ((), name) for (value,) in values}
            case ["declare-fun", name, of, sort] if {sort, *of} <= self.sorts.keys():
                self.declared[self.new(name)] = (tuple(of), sort)
            case _:
                raise ValueError(f"no such command: {tree[0]}")

    def make(self, op: str, sort: str, *args: int) -> int:
        """The number of a term.  A variable is `?name`, a `forall` of a variable and a body."""
        key = (op, args, sort)
        if key not in self.numbers:
            self._spend(1)
            new = self.numbers[key] = len(self.keys)
            free = frozenset({new} if op[0] == "?" else ()).union(*[self.free[x] for x in args])
            self.free.append(free - {args[0]} if op == "forall" else free)
            self.keys.append(key)
        return self.numbers[key]

    def replace(self, term: int, by: dict[int, int]) -> int:
        """The term with a closed term for a variable; `by` also has what has been replaced."""
        if term not in by and self.free[term] & by.keys():
            op, args, sort = self.keys[term]
            by[term] = self.make(op, sort, *[self.replace(arg, by) for arg in args])
        return by.get(term, term)

    def polynomial(self, term: int) -> Polynomial:
        """A number's term as a sum of products of unknowns."""
        if term in self.polynomials:
            return self.polynomials[term]
        self._spend(1)
        found, (op, args, _) = Polynomial({(term,): 1}), self.keys[term]
        if re.fullmatch(NUMBER, op):
            found = plus({}, {(): int(op.removesuffix(".0"))}, 1)
        elif op in ("+", "-", "*"):
            x, y = [{}, *map(self.polynomial, args)][-2:]
            found = self._times(x, y) if op == "*" else plus(x, y, 1 if op == "+" else -1)
        elif op == "/" and list(y := self.polynomial(args[1])) == [()]:
            found = self._times(self.polynomial(args[0]), {(): 1 / Fraction(y[()])})
        return self.polynomials.setdefault(term, found)

    def _times(self, left: Polynomial, right: Polynomial) -> Polynomial:
        self._spend(len(left) * len(right))
        found: Polynomial = {}
        for monomial, number in left.items():
            found = plus(found, right, number, monomial)
        return found

    def term(self, tree: Any, scope: dict[str, int]) -> int:
        """The term that is written so; `scope` has the names that are not declared."""
        if isinstance(tree, str):
            if tree in scope:
                return scope[tree]
            number = "Real" if tree.endswith(".0") else "Int"
            of, sort = self.declared.get(tree) or (re.fullmatch(NUMBER, tree) and (), number)
            need(of == (), f"unknown: {tree[:60]}")
            return self.make(tree, sort)
        op, *parts = tree
        if op == "let":
            values = {name: self.term(value, scope) for name, value in parts[0]}
            return self.term(parts[1], {**scope, **values})
        if op == "forall":
            (name, sort), *others = parts[0]
            need(self.new(name) not in scope and sort in self.sorts, f"no variable: {name}")
            inner = [op, others, parts[1]] if others else parts[1]
            variable = self.make(f"?{name}", sort)
            return self.make(op, "Bool", variable, self.term(inner, {**scope, name: variable}))
        args = [self.term(part, scope) for part in parts]
        of = tuple([self.keys[arg][2] for arg in args])
        if op in self.declared:
            need(args and self.declared[op][0] == of, f"{op} is of other sorts")
            return self.make(op, self.declared[op][1], *args)
        need(args and FITS(op, of), f"no such operator for these sorts: {op}")
        return self.make(op, "Bool" if op in ("=", "<", "<=") else of[-1], *args)

    def letter(self, term: int) -> int:
        """The letter of a closed truth-valued term, or its negation, with the clauses on it."""
        if term in self.letters:
            return self.letters[term]
        op, args, sort = self.keys[term]
        need(sort == "Bool" and not self.free[term], "a letter is of a closed truth value")
        if op in ("not", "<"):
            return -self.letter(args[0] if op == "not" else self.make("<=", sort, *args[::-1]))
        new = self.letters[term] = len(self.says)
        self.says.append(term)
        side, parts = -1 if op == "or" else 1, list[int]()
        if op in ("and", "or"):
            parts = [side * self.letter(arg) for arg in args]
        elif op == "ite" or (op == "=" and self.keys[args[0]][2] == "Bool"):
            when, then, *other = map(self.letter, args)
            for sign in (1, -1):
                self.add([-when, -sign * new, sign * then])
                self.add([when, -sign * new, sign * (other[0] if other else -then)])
        elif op in ("=", "<="):
            self.meet(*args)
            if op == "=":
                self.equalities.append((new, *args))
                if self.keys[args[0]][2] in ("Real", "Int"):
                    parts = [self.letter(self.make("<=", sort, *x)) for x in (args, args[::-1])]
        elif op != "forall":
            self.equalities.append((new, term, self.true))
            self.meet(term)
        for part in parts:  # it is true where all these are
            self.add([-side * new, part])
        if parts:
            self.add([side * new, *(-part for part in parts)])
        return new

    def meet(self, *terms: int) -> None:
        """Terms that equality speaks of, with their parts; what an `ite` or a quotient is."""
        for term in terms:
            if term not in self.met:
                self.met.add(term)
                op, args, sort = self.keys[term]
                if op == "ite" and sort != "Bool":
                    when = self.letter(args[0])
                    self.add([-when, self.letter(self.make("=", "Bool", term, args[1]))])
                    self.add([when, self.letter(self.make("=", "Bool", term, args[2]))])
                elif args and op not in ("!", "ite", "forall"):
                    self.meet(*args)
                    self.functions.append(term)
                elif op in ("true", "false", *self.sorts[sort]) or re.fullmatch(NUMBER, op):
                    self.constants.append(term)
                if op == "/" and list(self.polynomial(term)) == [(term,)]:
                    zero, product = self.make("0.0", sort), self.make("*", sort, term, args[1])
                    pairs = (args[1], zero), (product, args[0])
                    self.add([self.letter(self.make("=", "Bool", *pair)) for pair in pairs])

    def add(self, clause: list[int]) -> None:
        """A clause; what is left of it is noted."""
        for letter in clause:
            self.clauses.setdefault(letter, []).append(clause)
        self.last(clause)

    def last(self, clause: list[int]) -> None:
        """The last letter of a clause of which all others are false; it fails if there is none."""
        self._spend(1 + len(clause))
        left = {letter for letter in clause if self.value.get(letter) is not False}
        if len(left) == 1:
            self.note(*left)
        self.failed = self.failed or not left

    def note(self, letter: int) -> None:
        """That a letter, or a negation, is true."""
        if letter not in self.value:
            self.value[letter], self.value[-letter] = True, False
            self.trail.append(letter)
        self.failed = self.failed or not self.value[letter]

    def propagate(self) -> bool:
        """Whether what is known fails."""
        while not self.failed and (self.head < len(self.trail) or self.equal()):
            self.head += 1
            for clause in self.clauses.get(-self.trail[self.head - 1], ()):
                self.last(clause)
        return self.failed

    def find(self, term: int) -> int:
        """What stands for all terms that are known to be equal to this one."""
        while term in self.above:
            term = self.above[term]
        return term

    def _join(self, left: int, right: int) -> bool:
        if (left := self.find(left)) != (right := self.find(right)):
            self.above[left] = right
        return left != right

    def equal(self) -> bool:
        """Notes what follows from equality; whether that is anything new."""
        before, more, fixed, self.above = len(self.trail), True, dict[int, int](), dict[int, int]()
        for letter, left, right in self.equalities:
            if letter in self.value and (self.value[letter] or right == self.true):
                self._join(left, right if self.value[letter] else self.false)
        while more:
            more, alike = False, dict[Any, int]()
            self._spend(1 + len(self.functions) + len(self.equalities))
            for term in self.functions:
                op, args, _ = self.keys[term]
                first = alike.setdefault((op, *map(self.find, args)), term)
                more = (first != term and self._join(first, term)) or more
        for term in self.constants:
            self.failed = self.failed or fixed.setdefault(self.find(term), term) != term
        open_ones = [each for each in self.equalities if not self.value.get(each[0])]
        pairs = [(n, frozenset(map(self.find, terms))) for n, *terms in open_ones]
        apart = {pair for letter, pair in pairs if letter in self.value}
        for letter, pair in pairs:
            if len(pair) == 1 or pair <= fixed.keys() or pair in apart:
                self.note(letter if len(pair) == 1 else -letter)
        return len(self.trail) > before

    def line(self, line: str) -> None:
        """What a line of a certificate adds."""
        self._spend(1000)
        kind, _, rest = line.partition(" ")
        if kind == "use":
            need(0 < int(rest) <= len(self.asserted), f"no assertion {rest[:60]}")
            self.add([self.letter(self.term(tree_of(self.asserted[int(rest) - 1])[1], {}))])
        elif kind in ("some", "every"):
            word, _, text = rest.partition(" ")
            letter = self._known(word)
            op, args, _ = self.keys[self.says[abs(letter)]]
            need(letter > 0 and op == "forall", f"{letter} is no forall")
            if kind == "some":
                text = f"!{letter}"
                self.scope[text] = self.make("!", self.keys[args[0]][2], self.says[letter])
            by = self.term(tree_of(text), self.scope)
            need(self.keys[by][2] == self.keys[args[0]][2], "a term of another sort")
            body = self.letter(self.replace(args[1], {args[0]: by}))
            self.add([letter, -body] if kind == "some" else [-letter, body])
        elif kind == "atom":
            self.letter(self.term(tree_of(rest), self.scope))
        elif kind == "values":
            term = self.term(tree_of(rest), self.scope)
            need(values := self.sorts[self.keys[term][2]], "only a data type has values")
            self.add([self.letter(self.make("=", "Bool", term, self.term(x, {}))) for x in values])
        elif kind == "sum":
            self.sum(rest.split())
        else:
            need(kind == "step", f"no such line: {line[:60]}")
            clause = [self._known(word) for word in rest.split()]
            if not self.propagate():
                before = len(self.trail)
                for letter in clause:
                    self.note(-letter)
                need(self.propagate(), f"propagation does not fail: {line[:60]}")
                for letter in self.trail[before:]:
                    del self.value[letter], self.value[-letter]
                del self.trail[before:]
                self.head, self.failed = before, False
                self.add(clause)

    def _known(self, word: str) -> int:
        need(0 < abs(int(word)) < len(self.says), f"no such letter: {word[:60]}")
        return int(word)

    def sum(self, words: list[str]) -> None:
        """Letters that are not all true, since a sum of what they say contradicts itself."""
        total, strictly, clause = Polynomial(), False, list[int]()
        for word in words:
            need(re.fullmatch(MULTIPLE, word), f"no multiple: {word[:60]}")
            (factor, *letters), product = word.split("*"), Polynomial({(): 1})
            for letter in map(self._known, letters):
                clause.append(-letter)
                op, args, _ = self.keys[self.says[abs(letter)]]
                need(op == "<=", f"{letter} is no comparison")
                x, y = map(self.polynomial, args[:: 1 if letter > 0 else -1])
                product = self._times(product, plus(y, x, -1))
            strictly = strictly or all(int(letter) < 0 for letter in letters)
            total = plus(total, product, Fraction(factor) if "/" in factor else int(factor))
            self._spend(len(total))
        end = total.pop((), 0)
        need(not total and (end < 0 or (end == 0 and strictly)), "a sum without contradiction")
        self.add(clause)


def check(obligation: str, certificate: str) -> str:
    """Why the certificate does not prove that the assertions have no model; empty if it does."""
    try:
        head, *lines = certificate.removesuffix("\n").split("\n")
        need(head == HEAD, f"the first line is not: {HEAD}")
        proof = Proof(obligation)
        for line in lines:
            need(len(line) <= MOST_LINE and not re.search(r"\blet\b", line), "too long, or a let")
            proof.line(line)
        return "" if proof.propagate() else "nothing fails in the end"
    except Exception as error:  # whatever it is, it is no proof
        return f"{type(error).__name__}: {error}"


def main(*files: str) -> int:
    """Checks a file, or all below a directory."""
    found, bad = sorted(Path(*files).rglob("*.smt2")) if len(files) == 1 else [], list[str]()
    pairs = [[x, x.with_suffix(".cert")] for x in found] or [[Path(x) for x in files]]
    try:
        need(len(pairs[0]) == 2, "no such pair of files")
        for pair in pairs:
            if why := check(*(file.read_text("ascii", "replace") for file in pair)):
                bad.append(f"rejected: {pair[1]}: {why}\n")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"check.py OBLIGATION.smt2 CERTIFICATE, or check.py DIR: {error}\n")
        return 2
    sys.stdout.write(f"{''.join(bad)}{len(pairs) - len(bad)} accepted, {len(bad)} rejected\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
