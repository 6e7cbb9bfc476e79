"""Checks that a certificate proves an obligation: `python check.py OBLIGATION.smt2 CERTIFICATE`.

It stands alone: the standard library, and no solver.  `python check.py DIR` checks each file
`*.smt2` below a directory against the file `*.cert` beside it.  Exit: 0 accepted, 1 rejected,
2 what was given is no such file.

What you have to believe.  *Accepted* says that the assertions of the SMT-LIB text have no model in
which each sort has a member.  For that this file must be right, and Python; neither who wrote the
certificate nor how it was found matters.  That the text says what is claimed is another matter.

Theory of operation.  A *letter* is a number for a truth-valued term without free variables, made
when the term is first met: the term, then its parts from left to right.  `-7` is the negation of
letter 7.  What `and`, `or`, `not`, `ite` and `=` say of letters is written as clauses.  A
comparison of numbers is a polynomial: `x < y` is the negation of `y - x <= 0`, scaled so that the
first coefficient is 1 or -1, whatever is not `+ - *` being an unknown.  A certificate is lines:

  use N ...            the N-th assertion is true
  some Q ...           letter Q is a `forall`: it is true, or its body false of the new constant !Q
  every Q TERM ...     if Q is true, its body is true of TERM; with more terms, so on with the first
                       `forall` that stands in that body
  values TERM          a term of a data type is one of its values
  atom TERM            gives a truth-valued term a letter
  order E              letter E is x = y of numbers: true, or x <= y is false, or y <= x
  quotient TERM        the term x / y times y is x, or y is 0
  sum M*L ...          not all of these letters can be true: for the sum of g, times M each, is a
                       number less than 0 (or 0, where a comparison in it is strict).  Of a letter
                       that says p <= 0 g is -p, of its negation p; of x = y it is x - y, and M may
                       be negative.  M*L*K is the product of two.  L alone is 1*L.
  step L ...           one of these letters is true, since propagation from their negations fails

Propagation takes what follows from a clause of which one letter is left, and from equality: a
union-find over all terms met, closed under functions; different values of a data type, different
numbers, true and false are not equal.  In the end propagation alone must fail.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

HEAD = "holdover certificate 1"
MOST = 30_000_000  # units of work for one certificate; what takes more is rejected
MOST_TERMS = 2_000  # of a polynomial
TOKEN = re.compile(r"[()]|[^\s()]+")
NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
NUMBER = re.compile(r"([0-9]{1,40})(\.0)?")
FACTOR = re.compile(r"(?:(-?[0-9]{1,300}(?:/[0-9]{1,300})?)\*)?(-?[0-9]{1,9}(?:\*-?[0-9]{1,9})*)")

Key = tuple[object, ...]
Tree = str | list["Tree"]
Monomial = tuple[int, ...]
Polynomial = dict[Monomial, Fraction]
Signature = tuple[tuple[str, ...], str]


class RejectedError(Exception):
    """Why a certificate proves nothing."""


def need(condition: bool, why: str) -> None:
    """`RejectedError` unless."""
    if not condition:
        raise RejectedError(why)


class Terms:
    """Terms by number, each once; what is remembered here depends on nothing but the term."""

    def __init__(self) -> None:
        self.numbers: dict[Key, int] = {}
        self.keys: list[tuple] = []  # type: ignore[type-arg]
        self.sorts: list[str] = []
        self.open: list[frozenset[int]] = []
        self.replaced: dict[tuple[int, int], dict[int, int]] = {}
        self.polynomials: dict[int, Polynomial] = {}
        self.lines: dict[str, tuple[int, dict[str, Signature]]] = {}
        self.true, self.false = self.make("true", sort="Bool"), self.make("false", sort="Bool")

    def make(self, op: str, *parts: object, sort: str, args: tuple[int, ...] = ()) -> int:
        """The number of a term: an operator, what else it says, and its arguments."""
        key = (op, parts, args, sort)
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self.keys)
            self.keys.append(key)
            self.sorts.append(sort)
            free: frozenset[int] = frozenset().union(*[self.open[arg] for arg in args])
            if op == "var":
                free = frozenset((number,))
            elif op == "forall":
                free -= {int(str(parts[0]))}
            self.open.append(free)
        return number

    def replace(self, term: int, variable: int, by: int) -> int:
        """The term with a closed term for a variable."""
        done = self.replaced.setdefault((variable, by), {variable: by})

        def rebuilt(one: int) -> int:
            if variable not in self.open[one]:
                return one
            found = done.get(one)
            if found is None:
                op, parts, args, sort = self.keys[one]
                found = self.make(op, *parts, sort=sort, args=tuple(map(rebuilt, args)))
                done[one] = found
            return found

        return rebuilt(term)

    def polynomial(self, term: int) -> Polynomial:
        """A number's term as a sum of products of unknowns."""
        found = self.polynomials.get(term)
        if found is None:
            op, parts, args, _ = self.keys[term]
            of = [self.polynomial(arg) for arg in args] if op in ("+", "-", "*", "/") else []
            if op == "num":
                found = {(): parts[0]} if parts[0] else {}
            elif op == "+":
                found = plus(of[0], of[1], 1)
            elif op == "-":
                found = plus(of[0], of[1], -1) if len(of) == 2 else plus({}, of[0], -1)
            elif op == "*":
                found = times(of[0], of[1])
            elif op == "/" and list(of[1]) == [()]:
                found = times(of[0], {(): 1 / of[1][()]})
            else:
                found = {(term,): Fraction(1)}
            self.polynomials[term] = found
        return found


def plus(left: Polynomial, right: Polynomial, factor: Fraction | int) -> Polynomial:
    """`left` and so many times `right`."""
    found = dict(left)
    for monomial, number in right.items():
        found[monomial] = found.get(monomial, Fraction(0)) + factor * number
        if not found[monomial]:
            del found[monomial]
    return found


def times(left: Polynomial, right: Polynomial) -> Polynomial:
    """The product."""
    need(len(left) * len(right) <= MOST_TERMS, "a polynomial is too long")
    for monomial, number in (*left.items(), *right.items()):
        short = len(monomial) < 20 and number.numerator.bit_length() < 10_000
        need(short and number.denominator.bit_length() < 10_000, "a polynomial is too large")
    found: Polynomial = {}
    for monomial, number in left.items():
        shifted = {tuple(sorted(monomial + other)): n for other, n in right.items()}
        found = plus(found, shifted, number)
    return found


def tree_of(text: str) -> Tree:
    """One term's or command's parentheses."""
    stack: list[list[Tree]] = [[]]
    for token in TOKEN.findall(text):
        if token == "(":
            stack.append([])
        elif token == ")":
            need(len(stack) > 1, "a parenthesis too many")
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            stack[-1].append(token)
    need(len(stack) == 1 and len(stack[0]) == 1, f"no term: {text[:60]}")
    return stack[0][0]


class Text:
    """What an obligation's text declares, and its assertions, which are read when they are used."""

    def __init__(self, text: str, terms: Terms):
        self.terms = terms
        self.sorts: dict[str, tuple[str, ...]] = {"Bool": (), "Real": (), "Int": ()}
        self.declared: dict[str, Signature] = {}
        self.asserted: list[str] = []
        self.used: dict[str, Signature] = {}
        first, *lines = text.removesuffix("\n").split("\n")
        for line in lines if first.startswith(";") else [first, *lines]:
            need(not set('|";') & set(line), "a quotation or a comment")
            if line.startswith("(assert "):
                self.asserted.append(line)
            elif line.startswith("(declare-"):
                self.declare(tree_of(line))
            else:
                plain = ("(set-logic ALL)", "(set-info :status unsat)", "(check-sat)")
                need(line in plain, f"no such command: {line[:60]}")

    def declare(self, tree: Tree) -> None:
        """A sort, a data type whose values are names, or a function."""
        match tree:
            case ["declare-sort", str(name), "0"]:
                self.new_sort(name, ())
            case ["declare-datatypes", [[str(name), "0"]], [list(values)]]:
                self.new_sort(name, tuple(str(*value) for value in values))
                for value in self.sorts[name]:
                    self.new(value, ((), name))
            case ["declare-fun", str(name), list(of), str(to)]:
                need(all(sort in self.sorts for sort in (*map(str, of), to)), "no such sort")
                self.new(name, (tuple(map(str, of)), to))
            case _:
                raise RejectedError("no such declaration")

    def new_sort(self, name: str, values: tuple[str, ...]) -> None:
        """Its name, which is new."""
        need(bool(NAME.fullmatch(name)) and name not in self.sorts, f"two sorts are {name}")
        self.sorts[name] = values

    def new(self, name: str, signature: Signature) -> None:
        """A name for a function, constant or value, which is new."""
        known = name in self.declared or name in ("true", "false")
        need(bool(NAME.fullmatch(name)) and not known, f"two things are {name}")
        self.declared[name] = signature

    def assertion(self, number: int) -> int:
        """The term that is asserted there."""
        need(1 <= number <= len(self.asserted), f"no assertion {number}")
        line = self.asserted[number - 1]
        known = self.terms.lines.get(line)
        if known is None or any(self.declared.get(n) != what for n, what in known[1].items()):
            self.used = {}
            tree = tree_of(line)
            need(isinstance(tree, list) and len(tree) == 2, "no assertion")
            term = self.term(tree[1], {}, lets=True)
            need(self.terms.sorts[term] == "Bool", "an assertion is true or false")
            known = self.terms.lines[line] = term, self.used
        return known[0]

    def term(self, tree: Tree, scope: dict[str, int], lets: bool = False) -> int:
        """A term; `scope` has what its names stand for that are not declared."""
        terms = self.terms
        if isinstance(tree, str):
            return self.leaf(tree, scope)
        need(len(tree) > 1 and isinstance(tree[0], str), "no term")
        op = str(tree[0])
        if op == "let" and lets and len(tree) == 3:
            inner = dict(scope)
            for name, value in tree[1]:  # type: ignore[misc]
                need(isinstance(name, str), "a name is a word")
                inner[str(name)] = self.term(value, scope, lets)
            return self.term(tree[2], inner, lets)
        if op == "forall" and len(tree) == 3:
            inner, bound = dict(scope), []
            for name, sort in tree[1]:  # type: ignore[misc]
                need(sort in self.sorts and bool(NAME.fullmatch(str(name))), "no such sort")
                need(name not in inner and name not in self.declared, "bound, and known")
                inner[str(name)] = terms.make("var", str(name), sort=str(sort))
                bound.append(inner[str(name)])
            body = self.term(tree[2], inner, lets)
            need(terms.sorts[body] == "Bool", "a quantifier's body is true or false")
            for variable in reversed(bound):
                body = terms.make("forall", variable, sort="Bool", args=(body,))
            return body
        args = tuple(self.term(part, scope, lets) for part in tree[1:])
        of = tuple(terms.sorts[arg] for arg in args)
        if op in self.declared:
            self.used[op] = self.declared[op]
            need(self.declared[op][0] == of and op not in scope, f"{op} takes other arguments")
            return terms.make("app", op, sort=self.declared[op][1], args=args)
        same, numbers = len(set(of)) == 1, of[0] in ("Real", "Int")
        if op in ("and", "or", "not") and set(of) == {"Bool"} and (op != "not" or len(of) == 1):
            return terms.make(op, sort="Bool", args=args)
        if op == "ite" and len(of) == 3 and of[0] == "Bool" and of[1] == of[2]:
            return terms.make(op, sort=of[1], args=args)
        if op == "=" and len(of) == 2 and same:
            return terms.make(op, sort="Bool", args=args)
        if op in ("<", "<=") and len(of) == 2 and same and numbers:
            return terms.make(op, sort="Bool", args=args)
        arithmetic = op in ("+", "*", "-") or (op == "/" and of[0] == "Real")
        need(arithmetic and same and numbers, f"no such operator on these: {op}")
        need(len(of) == 2 or (op == "-" and len(of) == 1), f"{op} takes two")
        return terms.make(op, sort=of[0], args=args)

    def leaf(self, name: str, scope: dict[str, int]) -> int:
        """A name's or a number's term."""
        terms = self.terms
        if name in scope:
            return scope[name]
        if name in ("true", "false"):
            return terms.true if name == "true" else terms.false
        if found := NUMBER.fullmatch(name):
            return terms.make("num", Fraction(int(found[1])), sort="Real" if found[2] else "Int")
        need(name in self.declared and not self.declared[name][0], f"unknown: {name[:60]}")
        self.used[name] = self.declared[name]
        sort = self.declared[name][1]
        return terms.make("val" if name in self.sorts[sort] else "sym", name, sort=sort)


class Proof:
    """Letters, clauses, and what is known to be true so far."""

    def __init__(self, text: Text):
        self.text, self.terms, self.left = text, text.terms, MOST
        self.letters: dict[int, int] = {}  # by term
        self.says: list[int] = [0]  # by letter, its term
        self.compared: dict[tuple[object, ...], int] = {}  # by polynomial
        self.below: dict[int, Polynomial] = {}  # by letter p <= 0: p
        self.watched: dict[int, list[list[int]]] = {}
        self.value: dict[int, bool] = {}  # by letter, negations too
        self.trail: list[int] = []
        self.head = 0
        self.failed = False
        self.equalities: list[tuple[int, int, int]] = []
        self.predicates: list[int] = []
        self.met: set[int] = set()
        self.above: dict[int, int] = {}
        self.functions: list[int] = []
        self.constants = [self.terms.true, self.terms.false]
        self.witnesses: dict[str, int] = {}

    def spend(self, work: int) -> None:
        """So much work is done."""
        self.left -= work
        need(self.left > 0, "too much work")

    # Letters and clauses

    def letter(self, term: int) -> int:
        """The letter of a closed truth-valued term, with the clauses that say what it means."""
        op, _, args, _ = self.terms.keys[term]
        if op == "not":
            return -self.letter(args[0])
        if op in ("<", "<="):
            return self.comparison(*args) if op == "<=" else -self.comparison(args[1], args[0])
        found = self.letters.get(term)
        if found is None:
            need(self.terms.sorts[term] == "Bool" and not self.terms.open[term], "no letter")
            found = self.letters[term] = len(self.says)
            self.says.append(term)
            self.spend(1 + len(args))
            self.define(found, term, op, args)
        return found

    def define(self, new: int, term: int, op: str, args: tuple[int, ...]) -> None:
        """The clauses of a new letter."""
        bools = bool(args) and self.terms.sorts[args[0]] == "Bool"
        if op in ("and", "or"):
            sign = 1 if op == "and" else -1
            parts = [self.letter(arg) for arg in args]
            for part in parts:
                self.add([-sign * new, sign * part])
            self.add([sign * new, *(-sign * part for part in parts)])
        elif op == "ite":
            when, then, other = map(self.letter, args)
            for sign in (1, -1):
                self.add([-when, -sign * new, sign * then])
                self.add([when, -sign * new, sign * other])
        elif op == "=" and bools:
            left, right = map(self.letter, args)
            for sign in (1, -1):
                self.add([new, sign * left, sign * right])
                self.add([-new, sign * left, -sign * right])
        elif op == "=":
            self.equalities.append((new, *args))
        elif op != "forall":
            self.predicates.append(new)
        if op in ("=", "app") and not (op == "=" and bools):
            for arg in args:
                self.meet(arg)
            if op == "app":
                self.functions.append(term)

    def comparison(self, left: int, right: int) -> int:
        """The letter of left <= right."""
        for side in (left, right):
            self.meet(side)
        polynomial = plus(self.terms.polynomial(left), self.terms.polynomial(right), -1)
        self.spend(1 + len(polynomial))
        unknown = sorted(monomial for monomial in polynomial if monomial)
        scale = abs(polynomial[unknown[0]]) if unknown else Fraction(1)
        scaled = {monomial: number / scale for monomial, number in polynomial.items()}
        key = tuple(sorted(scaled.items()))
        found = self.compared.get(key)
        if found is None:
            found = self.compared[key] = len(self.says)
            self.says.append(self.terms.make("<=", sort="Bool", args=(left, right)))
            self.below[found] = scaled
            if not unknown:
                self.add([found if scaled.get((), 0) <= 0 else -found])
        return found

    def meet(self, term: int) -> None:
        """A term that equality speaks of: its parts, and what an `ite` says of it."""
        if term in self.met:
            return
        self.met.add(term)
        self.spend(1)
        op, _, args, sort = self.terms.keys[term]
        if sort == "Bool":
            self.letter(term)
            return
        if op in ("val", "num"):
            self.constants.append(term)
        elif op == "ite":
            when = self.letter(args[0])
            for sign, arg in ((-1, args[1]), (1, args[2])):
                same = self.terms.make("=", sort="Bool", args=(term, arg))
                self.add([sign * when, self.letter(same)])
        elif args:
            for arg in args:
                self.meet(arg)
            self.functions.append(term)

    def add(self, clause: Sequence[int]) -> None:
        """A clause; what it decides is noted."""
        self.spend(len(clause))
        clause = list(dict.fromkeys(clause))
        if any(-letter in clause for letter in clause):
            return
        clause.sort(key=lambda letter: self.value.get(letter) is False)
        if not clause or self.value.get(clause[0]) is False:
            self.failed = True
        elif len(clause) == 1 or self.value.get(clause[1]) is False:
            self.note(clause[0])
        if len(clause) > 1:
            for letter in clause[:2]:
                self.watched.setdefault(letter, []).append(clause)

    def note(self, letter: int) -> None:
        """This letter is true."""
        known = self.value.get(letter)
        if known is None:
            self.value[letter], self.value[-letter] = True, False
            self.trail.append(letter)
        elif not known:
            self.failed = True

    # Propagation

    def propagate(self) -> bool:
        """Whether what is known so far fails."""
        while not self.failed:
            while self.head < len(self.trail) and not self.failed:
                self.head += 1
                self.visit(-self.trail[self.head - 1])
            if self.failed or not self.equal():
                break
        return self.failed

    def visit(self, false: int) -> None:
        """The clauses that watch a letter that has become false."""
        value, kept, watching = self.value, [], self.watched.get(false, [])
        self.spend(1 + len(watching))
        for clause in watching:
            if clause[0] == false:
                clause[0], clause[1] = clause[1], false
            if value.get(clause[0]) is not True:
                for place in range(2, len(clause)):
                    if value.get(clause[place]) is not False:
                        clause[1], clause[place] = clause[place], false
                        self.watched.setdefault(clause[1], []).append(clause)
                        break
                else:
                    kept.append(clause)
                    self.note(clause[0])
                continue
            kept.append(clause)
        self.watched[false] = kept

    def find(self, term: int) -> int:
        """What stands for all terms that are known to be equal to this one."""
        while term in self.above:
            term = self.above[term]
        return term

    def join(self, left: int, right: int) -> bool:
        """They are equal; whether that is new."""
        left, right = self.find(left), self.find(right)
        if left != right:
            self.above[left] = right
        return left != right

    def equal(self) -> bool:
        """Notes what follows from equality; whether that is anything new."""
        keys, find, join = self.terms.keys, self.find, self.join
        self.above.clear()
        before, sides = len(self.trail), (self.terms.false, self.terms.true)
        for letter, left, right in self.equalities:
            if self.value.get(letter):
                join(left, right)
        for letter in self.predicates:
            if letter in self.value:
                join(self.says[letter], sides[self.value[letter]])
        more = True
        while more:
            more, alike = False, dict[tuple[object, ...], int]()
            self.spend(len(self.functions))
            for term in self.functions:
                op, parts, args, _ = keys[term]
                same = alike.setdefault((op, parts, *map(find, args)), term)
                more = (same != term and join(same, term)) or more
        fixed: dict[int, int] = {}
        for constant in dict.fromkeys(self.constants):
            if fixed.setdefault(find(constant), constant) != constant:
                self.failed = True
        apart = set[tuple[int, int]]()
        for letter, left, right in self.equalities:
            if self.value.get(letter) is False:
                apart |= {(find(left), find(right)), (find(right), find(left))}
        self.spend(len(self.equalities) + len(self.predicates))
        for letter, left, right in self.equalities:
            left, right = find(left), find(right)
            if left == right:
                self.note(letter)
            elif (left in fixed and right in fixed) or (left, right) in apart:
                self.note(-letter)
        for letter in self.predicates:
            side = fixed.get(find(self.says[letter]))
            if side is not None:
                self.note(letter if side == self.terms.true else -letter)
        return len(self.trail) > before

    # The lines of a certificate

    def line(self, words: list[str], rest: str) -> None:
        """What a line of a certificate adds; RejectedError if it may not."""
        self.spend(100)
        kind = words[0]
        if kind == "use":
            for number in words[1:]:
                need(NUMBER.fullmatch(number) is not None, "an assertion has a number")
                self.add([self.letter(self.text.assertion(int(number)))])
        elif kind == "some":
            for word in words[1:]:
                self.witness(self.known(word))
        elif kind == "every":
            bindings = tree_of(f"({rest})")
            need(len(bindings) > 1 and isinstance(bindings, list), "every Q TERM ...")
            self.instance(self.known(words[1]), [self.closed(each) for each in bindings[1:]])
        elif kind == "atom":
            self.letter(self.closed(tree_of(rest)))
        elif kind == "values":
            self.values(self.closed(tree_of(rest)))
        elif kind == "quotient":
            self.quotient(self.closed(tree_of(rest)))
        elif kind == "order" and len(words) == 2:
            same = self.known(words[1])
            left, right = self.sides(same)
            self.add([same, -self.comparison(left, right), -self.comparison(right, left)])
        elif kind == "sum":
            self.sum(words[1:])
        elif kind == "step":
            self.step([self.known(word) for word in words[1:]])
        else:
            raise RejectedError(f"no such line: {rest[:60]}")

    def known(self, word: str) -> int:
        """A letter, or its negation, of a certificate."""
        need(re.fullmatch(r"-?[1-9][0-9]{0,8}", word) is not None, f"no letter: {word[:60]}")
        need(abs(int(word)) < len(self.says), f"no letter {word} yet")
        return int(word)

    def closed(self, tree: Tree) -> int:
        """A term of a certificate."""
        term = self.text.term(tree, self.witnesses)
        need(not self.terms.open[term], "a term with a variable")
        return term

    def quantified(self, letter: int) -> tuple[int, int]:
        """Variable and body of the `forall` that a letter is."""
        op, parts, args, _ = self.terms.keys[self.says[letter]] if letter > 0 else ("", (), (), "")
        need(op == "forall", f"{letter} is no forall")
        return parts[0], args[0]

    def witness(self, letter: int) -> None:
        """A new constant, of which a body is false if it is false of anything."""
        variable, body = self.quantified(letter)
        new = self.terms.make("some", self.says[letter], sort=self.terms.sorts[variable])
        self.witnesses[f"!{letter}"] = new
        self.add([letter, -self.letter(self.terms.replace(body, variable, new))])

    def instance(self, letter: int, bindings: list[int]) -> None:
        """A body is true of a term; and so on within it."""
        for place, by in enumerate(bindings):
            variable, body = self.quantified(letter)
            need(self.terms.sorts[by] == self.terms.sorts[variable], "a term of another sort")
            body = self.terms.replace(body, variable, by)
            self.add([-letter, self.letter(body)])
            if place + 1 < len(bindings):
                inner = next((t for t in self.parts(body) if self.terms.keys[t][0] == "forall"), -1)
                need(inner >= 0, "no forall within")
                letter = self.letters[inner]

    def parts(self, term: int) -> Iterator[int]:
        """A truth-valued term and those that it is made of, from left to right, once."""
        waiting, seen = [term], set[int]()
        while waiting:
            one = waiting.pop()
            if one not in seen and self.terms.sorts[one] == "Bool":
                seen.add(one)
                self.spend(1)
                yield one
                if self.terms.keys[one][0] != "forall":
                    waiting += reversed(self.terms.keys[one][2])

    def values(self, term: int) -> None:
        """A term of a data type is one of its values."""
        sort = self.terms.sorts[term]
        need(bool(self.text.sorts[sort]), "only a data type has values")
        clause = []
        for value in self.text.sorts[sort]:
            args = (term, self.terms.make("val", value, sort=sort))
            clause.append(self.letter(self.terms.make("=", sort="Bool", args=args)))
        self.add(clause)

    def quotient(self, term: int) -> None:
        """A quotient times its divisor is what was divided, unless the divisor is 0."""
        op, _, args, sort = self.terms.keys[term]
        need(op == "/", "no quotient")
        product = self.terms.make("*", sort=sort, args=(term, args[1]))
        zero = self.terms.make("num", Fraction(0), sort=sort)
        pairs = ((args[1], zero), (product, args[0]))
        self.add([self.letter(self.terms.make("=", sort="Bool", args=pair)) for pair in pairs])

    def sides(self, letter: int) -> tuple[int, int]:
        """The two numbers that a letter says are equal."""
        op, _, args, _ = self.terms.keys[self.says[letter]] if letter > 0 else ("", (), (), "")
        number = op == "=" and self.terms.sorts[args[0]] in ("Real", "Int")
        need(number, f"{letter} is no equality of numbers")
        return args

    def known_sign(self, letter: int) -> tuple[Polynomial, bool, bool]:
        """What is not negative if the letter is true; whether it is positive; whether it is 0."""
        if abs(letter) in self.below:
            return plus({}, self.below[abs(letter)], -1 if letter > 0 else 1), letter < 0, False
        left, right = map(self.terms.polynomial, self.sides(letter))
        return plus(left, right, -1), False, True

    def sum(self, words: list[str]) -> None:
        """Letters that are not all true, since a sum of what they say would be below itself."""
        total: Polynomial = {}
        strictly, clause = False, []
        for word in words:
            found = FACTOR.fullmatch(word)
            need(found is not None, f"no multiple of a letter: {word[:60]}")
            assert found is not None
            factor, product = Fraction(found[1] or 1), {(): Fraction(1)}
            letters = [self.known(each) for each in found[2].split("*")]
            signs = [self.known_sign(letter) for letter in letters]
            for polynomial, _, _ in signs:
                product = times(product, polynomial)
            if not any(zero for _, _, zero in signs):
                need(factor > 0, "a comparison is multiplied by a number above 0")
                strictly = strictly or all(positive for _, positive, _ in signs)
            total = plus(total, product, factor)
            self.spend(len(product) + len(total))
            clause += [-letter for letter in letters]
        end = total.pop((), Fraction(0))
        need(not total, "unknowns are left in the sum")
        need(end < 0 or (end == 0 and strictly), "the sum does not contradict itself")
        self.add(clause)

    def step(self, clause: list[int]) -> None:
        """A clause, since propagation from its negation fails."""
        self.propagate()
        before = len(self.trail)
        if not self.failed:
            for letter in clause:
                self.note(-letter)
            need(self.propagate(), f"propagation does not fail: step {clause}")
            for letter in self.trail[before:]:
                del self.value[letter], self.value[-letter]
            del self.trail[before:]
            self.head, self.failed = len(self.trail), False
            self.add(clause)


def check(obligation: str, certificate: str, terms: Terms | None = None) -> None:
    """RejectedError, unless the certificate proves that the obligation's assertions have no model."""
    try:
        head, *lines = certificate.removesuffix("\n").split("\n")
        need(head == HEAD, f"the first line is not: {HEAD}")
        proof = Proof(Text(obligation, terms or Terms()))
        for line in lines:
            need(len(line) <= 20_000, "a line is too long")
            words = line.split()
            need(bool(words), "an empty line")
            proof.line(words, line.partition(" ")[2])
        need(proof.propagate(), "nothing fails in the end")
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise RejectedError(f"{type(error).__name__}: {error}") from error


def main(arguments: list[str]) -> int:
    """Checks a file, or all below a directory."""
    where = [Path(argument) for argument in arguments]
    if len(where) == 1 and where[0].is_dir():
        pairs = [(file, file.with_suffix(".cert")) for file in sorted(where[0].rglob("*.smt2"))]
    else:
        pairs = [(where[0], where[1])] if len(where) == 2 else []
    terms, bad = Terms(), 0
    for obligation, certificate in pairs:
        try:
            texts = [file.read_text("ascii") for file in (obligation, certificate)]
            check(*texts, terms)
        except RejectedError as error:
            bad += 1
            sys.stdout.write(f"rejected: {certificate}: {error}\n")
        except (OSError, UnicodeError) as error:
            sys.stderr.write(f"{error}\n")
            return 2
    if not pairs:
        sys.stderr.write("python check.py OBLIGATION.smt2 CERTIFICATE, or python check.py DIR\n")
        return 2
    sys.stdout.write(f"{len(pairs) - bad} accepted, {bad} rejected\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
