r"""The TLA+ reading: the lease table as a module for TLC, so that nobody has to take our word.

Theory of operation.  The module is written for people who know TLA+ and not this project.  A row
becomes an operator of its parameters: guards are conjuncts, effects are primed variables, and what
no effect names is UNCHANGED.  Quantifiers stay quantifiers; a variable with an index is a function;
enumerations are strings, members of an index sort are 1..N, `None` and `Unset` are model values.
What the table's modules have a name for (`named.DEFINITIONS`) is an operator here as well; it is
recognised by the shape of the term, so a changed table gets other text and never another meaning.
Constants and sizes are in TLC's configuration file; what `length` and `skew` are tried at is in the
module, since TLC 2.15 reads no negative number from a configuration file.

Time is that of the finite reading: `now` is 0, instants are relative to it, `Later` shifts them
when a row moves `now`, and what lies more than `Past` ticks back stays there.  Hence both readings
have the same states, and what TLC counts is what the explorer counts: distinct states; generated
states are steps and the initial state; TLC's depth counts states, ours counts steps.  That the
depth is exact and a counterexample shortest takes one worker.

TLC decides how a formula is evaluated, and three things are written for it:

* A disjunction among the conjuncts of an action is a choice to TLC: both sides are followed, the
  successor is generated twice, and an instant is compared that the left side said is unset.
  `Test(p)` is p, as a value.  Prose's `p => q` for `~p \/ q` needs none.
* There are no fractions.  A ratio r is two constants, r_num and r_den; comparisons are multiplied
  out.  This needs positive denominators: a ratio that is divided by must be positive.
* `Unset` is a model value: counting from it or ordering it stops TLC with an error, as it raises in
  the finite reading.  Equality with it is false in both.

A bound name that is already in scope is renamed: TLA+ has no shadowing.

What it does not know: `eventually` properties (fairness is not in the table), effects that give a
variable a fraction (ValueError), symmetry, numbers beyond TLC's 32 bits (TLC stops), and TLAPS:
nothing here is written to be proved.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdover.model.readings.definitions import DEFINITIONS, Definition
from holdover.model.readings.finite import Bounds, Constants
from holdover.model.readings.prose import AND, COMPARE, IMPLIES, NOT, Phrase, Prose, shape
from holdover.model.table import client
from holdover.model.table.expr import (
    BOOL,
    DURATION,
    INSTANT,
    RATIO,
    TRUE,
    Action,
    Bindings,
    Effect,
    Expr,
    Sort,
    Variable,
    parameter,
)
from holdover.model.table.properties import ALWAYS, STEPS
from holdover.model.table.table import Table
from holdover.model.table.vocabulary import CONSTANTS, INDEX_SORTS, MEANINGS, NOW, h

WIDTH = 100
TYPE_OK = "TypeOK"
SIZES = {"Host": "Hosts", "Address": "Addresses", "Message": "Messages"}
SYMBOLS = {"eq": "=", "ne": "#", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
SETS = {BOOL: "BOOLEAN", INSTANT: "{Unset} \\cup Int", DURATION: "{Unset} \\cup Int"}
INITIAL = {"true": "TRUE", "false": "FALSE", "unset": "Unset", "none": "None"}
FIXED = ("None", "Unset", "Past", "now", "vars", "Test", "Later", "Init", "Next", "Spec", TYPE_OK)
INTEGERS = ("Int", "Nat")  # of the module Integers


def camel(name: str) -> str:
    """within_lease as an operator is called: WithinLease."""
    parts = re.findall(r"[A-Za-z0-9]+", name)
    return "".join(p.capitalize() if p.isupper() else p[0].upper() + p[1:] for p in parts)


def value_of(value: object) -> str:
    """A literal or a constant's value.  ValueError for a time that is no whole number."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, int | Fraction) and value == int(value):
        return str(int(value))
    raise ValueError(f"{value!r} is no whole number of ticks: TLA+'s numbers for TLC are integers")


# Terms -------------------------------------------------------------------------------------------


def parameters(term: Expr) -> tuple[Expr, ...]:
    """The parameters of a term that it does not bind itself, in order."""
    if term.op == "parameter":
        return (term,)
    found = [p for part in term.args if isinstance(part, Expr) for p in parameters(part)]
    bound = term.args[0] if term.op == "forall" else None
    return tuple(dict.fromkeys(p for p in found if p is not bound))


Match = dict[Expr, Expr]


def matches(pattern: Expr, term: Expr, free: Match, bound: tuple[Expr, ...] = ()) -> bool:
    """Whether `term` is `pattern` for some choice of its free parameters, which goes to `free`."""
    if pattern.op == "parameter" and not any(pattern is b for b in bound):
        if pattern.sort != term.sort or not set(bound).isdisjoint(parameters(term)):
            return False
        return shape(free.setdefault(pattern, term)) == shape(term)
    if (pattern.op, pattern.sort, len(pattern.args)) != (term.op, term.sort, len(term.args)):
        return False
    if pattern.op == "forall":
        assert isinstance(pattern.args[0], Expr)
        bound = (*bound, pattern.args[0])
    return all(
        matches(p, t, free, bound)
        if isinstance(p, Expr) and isinstance(t, Expr)
        else p is t or (type(p) is type(t) and not isinstance(p, Expr) and p == t)
        for p, t in zip(pattern.args, term.args, strict=True)
    )


def _wider(build: Callable[[Expr, Expr], Expr], name: str, sort: Sort) -> Definition:
    said = (build.__doc__ or "").partition("\n")[0]
    return Definition(f"{build.__name__}(h, {name})", build(h, parameter(name, sort)), said)


WIDER = (_wider(client.in_time, "end", INSTANT), _wider(client.honoured, "length", DURATION))
"""Names for more arguments than `named.DEFINITIONS` has them for."""


@dataclass(frozen=True)
class Named:
    """A term with a name, as an operator of its free parameters."""

    name: str
    given: tuple[Expr, ...]
    term: Expr
    meaning: str


class Names:
    """What names of the module are taken."""

    def __init__(self, taken: Sequence[str]):
        self.taken = set(taken)

    def claim(self, name: str, suffix: str = "_") -> str:
        """The name, or another one that is free; taken from now on."""
        while name in self.taken:
            name += suffix
        self.taken.add(name)
        return name

    def within(self, name: str, scope: Sequence[str]) -> str:
        """A name for something bound here: not taken, nor bound further out."""
        number, free = 1, name
        while free in self.taken or free in scope:
            number += 1
            free = f"{name}{number}"
        return free


class Terms(Prose):
    """Terms as phrases of TLA+; a parameter is bound to the phrase of its name."""

    def __init__(self, names: Names, named: Sequence[Named] = (), mixed: Container[str] = ()):
        super().__init__()
        self.taken, self.named, self.mixed = names, tuple(named), mixed
        self.used: set[str] = set()
        self.scope: list[str] = []

    def read(self, term: Expr, bound: Bindings[Phrase]) -> Phrase:
        """As `Reading.read`, but a term that has a name is an operator applied to its arguments."""
        for named in self.named if term.op not in ("parameter", "literal", "constant") else ():
            free: Match = {}
            if matches(named.term, term, free):
                self.used.add(named.name)
                given = [text(self.read(free[p], bound)) for p in named.given]
                return Phrase("name", word=applied(named.name, given))
        return super().read(term, bound)

    def leaf(self, term: Expr) -> Phrase:
        """A literal, or the model value that stands for nothing."""
        if term.op == "none":
            return Phrase("value", word="None" if term.sort.indexes else "Unset")
        (value,) = term.args
        if term.sort is RATIO:
            assert isinstance(value, int | Fraction)
            top, bottom = Fraction(value).as_integer_ratio()
            parts = (Phrase("value", word=str(top)), Phrase("value", word=str(bottom)))
            return Phrase("ratio", parts)
        return Phrase("value", word=value_of(value))

    def constant(self, name: str, sort: Sort, at: Sequence[Phrase]) -> Phrase:
        """The name of a constant; with its index where hosts differ in it."""
        if sort is RATIO:
            parts = (Phrase("value", word=f"{name}_num"), Phrase("value", word=f"{name}_den"))
            return Phrase("ratio", parts)
        index = f"[{text(at[0])}]" if name in self.mixed else ""
        return Phrase("name", word=name + index)

    def after(self, term: Expr, bound: Bindings[Phrase]) -> Phrase:
        """A primed variable; TypeError for instants, which are counted from another zero there."""
        if term.sort is INSTANT:
            raise TypeError("instants before and after a step are counted from different zeros")
        if term.op != "state":
            raise TypeError("only a state variable is read after the step")
        variable, *at = term.args
        assert isinstance(variable, Variable)
        index = [text(self.read(a, bound)) for a in at if isinstance(a, Expr)]
        return Phrase("name", word=f"{variable.name}'" + (f"[{index[0]}]" if index else ""))

    def state(self, variable: Variable, at: Sequence[Phrase]) -> Phrase:
        """A variable, applied to its index."""
        index = f"[{', '.join(text(member) for member in at)}]" if at else ""
        return Phrase("name", word=variable.name + index)

    def every(self, bound: Expr, body: Callable[[Phrase], Phrase]) -> Phrase:
        """The quantifier, over the set that is called like the sort."""
        name = self.taken.within(str(bound.args[0]), self.scope)
        self.scope.append(name)
        inner = body(Phrase("name", word=name))
        self.scope.pop()
        return Phrase("every", (Phrase("bound", word=f"{name} \\in {bound.sort}"), inner))

    def node(self, term: Expr, args: Sequence[Callable[[], Phrase]]) -> Phrase:
        """An operator, said shortly where prose knows how."""
        if term.op == "ite" and (condition := args[0]()).word in ("TRUE", "FALSE"):
            return args[1]() if condition.word == "TRUE" else args[2]()
        return super().node(term, args)


def applied(name: str, given: Sequence[str]) -> str:
    """An operator with its arguments, or alone."""
    return f"{name}({', '.join(given)})" if given else name


def splits(phrase: Phrase) -> bool:
    """Whether TLC, meeting this among the conjuncts of an action, would follow several branches."""
    if phrase.op in ("and", "every", "ite"):
        return any(splits(part) for part in phrase.parts)
    if phrase.op == "implies":
        return splits(phrase.parts[1])
    return phrase.op in ("or", "some")


def rank(phrase: Phrase) -> int:
    """How tightly the text binds.  TLA+ has no order between conjunction and disjunction."""
    return AND if phrase.op == "or" else phrase.rank


def within(phrase: Phrase, outer: int) -> str:
    """The text as an operand of something that binds at `outer`."""
    return text(phrase) if rank(phrase) > outer else f"({text(phrase)})"


def text(phrase: Phrase) -> str:
    """A phrase as TLA+."""
    op, parts = phrase.op, phrase.parts
    if op in ("and", "or"):
        return (" /\\ " if op == "and" else " \\/ ").join(within(p, AND) for p in parts)
    if op == "not":
        return f"~{within(parts[0], NOT)}"
    if op == "implies":
        right = parts[1]
        plain = right.op in ("every", "some")
        return f"{within(parts[0], IMPLIES)} => {text(right) if plain else within(right, IMPLIES)}"
    if op in ("in", "not in"):
        sign = "\\in" if op == "in" else "\\notin"
        return f"{within(parts[0], COMPARE)} {sign} {{{', '.join(text(p) for p in parts[1:])}}}"
    if op == "ite":
        condition, then, otherwise = (text(part) for part in parts)
        return f"IF {condition} THEN {then} ELSE {otherwise}"
    if op in ("every", "some"):
        names = [parts[0].word]
        while (inner := parts[1]).op == op:
            parts = inner.parts
            names.append(parts[0].word)
        sign = "\\A" if op == "every" else "\\E"
        return f"{sign} {', '.join(names)} : {text(inner)}"
    if op in SYMBOLS:
        (left, under_left), (right_, under_right) = (fraction(part) for part in parts)
        left, right_ = times(left, under_right), times(right_, under_left)
        return f"{within(left, COMPARE)} {SYMBOLS[op]} {within(right_, COMPARE)}"
    if op in ("add", "sub", "mul"):
        sign = {"add": "+", "sub": "-", "mul": "*"}[op]
        left_rank = rank(phrase) - (parts[0].op == op)
        return f"{within(parts[0], left_rank)} {sign} {within(parts[1], rank(phrase))}"
    if op in ("div", "ratio"):
        raise ValueError("a fraction can only be compared: TLC's numbers are integers")
    return phrase.word


ONE = Phrase("value", word="1")


def times(left: Phrase, right: Phrase) -> Phrase:
    """The product, said shortly."""
    if ONE in (left, right):
        return right if left == ONE else left
    return Phrase("mul", (left, right))


def fraction(phrase: Phrase) -> tuple[Phrase, Phrase]:
    """An arithmetical phrase as numerator and denominator, neither with a division in it."""
    if phrase.op == "ratio":
        return phrase.parts[0], phrase.parts[1]
    if phrase.op not in ("add", "sub", "mul", "div"):
        return phrase, ONE
    (a, b), (c, d) = (fraction(part) for part in phrase.parts)
    if phrase.op == "mul":
        return times(a, c), times(b, d)
    if phrase.op == "div":
        return times(a, d), times(b, c)
    if b == d:
        return Phrase(phrase.op, (a, c)), b
    return Phrase(phrase.op, (times(a, d), times(c, b))), times(b, d)


# The module --------------------------------------------------------------------------------------


def tla(
    table: Table, constants: Constants, bounds: Bounds, *, name: str = "Lease", title: str = ""
) -> str:
    """The table as a TLA+ module; `tlc_config` gives it these constants and bounds.

    TLC wants it in a file of the module's name.  ValueError for a name that TLA+ cannot have.
    """
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise ValueError(f"{name!r} is no name for a TLA+ module: letters, digits and _ make one")
    return _Module(table, constants, bounds).written(name, title)


def tlc_config(constants: Constants, bounds: Bounds, *, invariants: Sequence[str] = ()) -> str:
    """TLC's configuration file; `invariants` are names of properties, or `TypeOK`."""
    known = [TYPE_OK, *(p.name for p in ALWAYS)]
    steps = [p.name for p in STEPS]
    for asked in invariants:
        if asked not in known + steps:
            raise ValueError(f"no invariant {asked!r}; there are: {', '.join(known + steps)}")
    lines = ["\\* Run TLC with -deadlock, which means that a state may be the last one.",
             "SPECIFICATION Spec", "", "CONSTANTS"]  # fmt: skip
    given = {"None": "None", "Unset": "Unset", "Past": str(bounds.past)}
    given |= {SIZES[sort.name]: str(bounds.size(sort)) for sort in INDEX_SORTS}
    for constant, value in alike(constants).items():
        given |= dict(zip(_declared(constant, value), _values(constant, value), strict=True))
    lines += [f"    {constant} = {value}" for constant, value in given.items()]
    for word, chosen in (("INVARIANTS", known), ("PROPERTIES", steps)):
        names = [asked for asked in chosen if asked in invariants]
        if names:
            lines += ["", word, *(f"    {camel(asked)}" for asked in names)]
    return "\n".join(lines) + "\n"


def alike(constants: Constants) -> Constants:
    """Those that are the same for all hosts: only these can a configuration file give."""
    return {name: value for name, value in constants.items() if not isinstance(value, tuple)}


def _sort(constant: str, value: object) -> Sort:
    if constant in CONSTANTS:
        return CONSTANTS[constant].sort
    return BOOL if isinstance(value, bool) else DURATION


def _declared(constant: str, value: object) -> tuple[str, ...]:
    ratio = _sort(constant, value) is RATIO
    return (f"{constant}_num", f"{constant}_den") if ratio else (constant,)


def _values(constant: str, value: object) -> tuple[str, ...]:
    if _sort(constant, value) is not RATIO:
        return (value_of(value),)
    assert isinstance(value, int | Fraction)
    return tuple(str(part) for part in Fraction(value).as_integer_ratio())


def comment(said: str, indent: str = "") -> list[str]:
    """A remark in lines that are not too long."""
    head = indent + "\\* "
    return textwrap.wrap(" ".join(said.split()), WIDTH, initial_indent=head, subsequent_indent=head)


def broken(line: str, indent: str) -> list[str]:
    """A conjunct in lines that are not too long, each but the first ending in an operator.

    No line begins with a junction: TLA+ would take it for one more conjunct.
    """
    glued = re.sub(r"(?<!/\\)(?<!\\/)(?<!=>)(?<!==)(?<![:,]) (?!THEN|ELSE)", "\x00", line)
    glued = re.sub(r"^(\S\S) ", "\\1\x00", glued)  # a bullet and what follows it
    lines = textwrap.wrap(
        glued, WIDTH, initial_indent=indent, subsequent_indent=indent + " " * 7,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [part.replace("\x00", " ") for part in lines]


def laid(phrase: Phrase, indent: str) -> list[str]:
    """A formula in lines that are not too long: junctions as lists, as TLA+ is written by hand."""
    line = indent + text(phrase)
    if len(line) <= WIDTH:
        return [line]
    deeper = indent + " " * 4
    if phrase.op in ("and", "or"):
        bullet = "/\\ " if phrase.op == "and" else "\\/ "
        lines = []
        for part in phrase.parts:
            first, *more = laid(part, indent + " " * len(bullet))
            lines += [indent + bullet + first.lstrip(), *more]
        return lines
    if phrase.op in ("every", "some"):
        head, _, _ = text(phrase).partition(" : ")
        while (inner := phrase.parts[1]).op == phrase.op:
            phrase = inner
        return [f"{indent}{head} :", *laid(inner, deeper)]
    if phrase.op == "implies":
        left, right = phrase.parts
        return [*broken(within(left, IMPLIES) + " =>", indent), *laid(right, deeper)]
    return broken(text(phrase), indent)


def defined(head: str, body: Phrase) -> list[str]:
    """An operator, on one line if it fits."""
    line = f"{head} == {text(body)}"
    return [line] if len(line) <= WIDTH else [f"{head} ==", *laid(body, "    ")]


class _Module:
    def __init__(self, table: Table, constants: Constants, bounds: Bounds):
        self.table, self.constants, self.bounds = table, constants, bounds
        self.variables = [v for v in table.variables if v is not NOW]
        declared = [n for c, v in constants.items() for n in _declared(c, v)]
        names = Names([*FIXED, *INTEGERS, *SIZES, *SIZES.values(), *declared])
        names.taken |= {v.name for v in table.variables} | {camel(p.name) for p in ALWAYS + STEPS}
        self.rows = {a.name: names.claim(camel(a.name), "Row") for a in table.actions}
        sorts = [v.sort for v in self.variables]
        sorts += [_sort(c, v) for c, v in constants.items()]
        self.enumerations = {
            s: names.claim(s.name, "Set") for s in dict.fromkeys(sorts) if s.values
        }
        others = (p for a in table.actions for p in a.given if not p.sort.indexes)
        self.domains = {p: names.claim(camel(str(p.args[0])), "Set") for p in dict.fromkeys(others)}
        self.mixed = {n: v for n, v in constants.items() if isinstance(v, tuple)}
        self.plain = Terms(names, mixed=self.mixed)
        named = []
        for d in (*WIDER, *DEFINITIONS):
            given = parameters(d.term)
            words = [w for w in re.findall(r"\w+", d.text) if w not in {p.args[0] for p in given}]
            if d.term.op not in ("literal", "constant", "parameter"):
                called = names.claim(camel("_".join(words)))
                order = re.findall(r"\w+", d.text)
                given = tuple(sorted(given, key=lambda p: _place(str(p.args[0]), order)))
                named.append(Named(called, given, d.term, d.meaning))
        self.names, self.terms = names, Terms(names, named, self.mixed)

    def written(self, name: str, title: str) -> str:
        """The module; definitions stand before the first that uses them."""
        rows = [self._row(action) for action in self.table.actions]
        properties = list(self._properties())
        lines = [f" MODULE {name} ".center(WIDTH, "-")]
        lines += comment(title)
        lines += [*HEADER, "", "EXTENDS Integers", "", *self._constants()]
        lines += ["", *self._variables(), "", *AUXILIARY]
        lines += section("What the rows speak of")[:-1] + self._definitions()
        lines += section("Where every run begins") + self._initial()
        lines += section("The rows of the lease table")
        lines += [line for row in rows for line in (*row, "")]
        lines += self._next() + section("What must hold") + properties
        return "\n".join([*lines, "=" * WIDTH, ""])

    # Declarations

    def _constants(self) -> list[str]:
        lines = ["CONSTANTS", *BOUNDS, "    " + ", ".join(SIZES.values()) + ","]
        for constant, value in alike(self.constants).items():
            lines += self._remark(constant, "    ")
            lines.append("    " + ", ".join(_declared(constant, value)) + ",")
        lines[-1] = lines[-1].rstrip(",")
        lines.append("")
        lines += [f"{s} == 1..{size}" for s, size in SIZES.items()]
        for sort, called in self.enumerations.items():
            lines += broken(f"{called} == {{{', '.join(value_of(v) for v in sort.values)}}}", "")
        for domain, called in self.domains.items():
            values = ", ".join(str(v) for v in self.bounds.domain(domain))
            lines.append(f"{called} == {{{values}}}")
        for constant, value in self.mixed.items():
            items = ", ".join(value_of(of) for of in value)
            lines += ["", *self._remark(constant, ""), f"{constant} == <<{items}>>"]
        lines += ["", "ASSUME"]
        members: dict[str, list[str]] = {}
        for constant, value in alike(self.constants).items():
            sort = _sort(constant, value)
            kind = self.enumerations.get(sort, "BOOLEAN" if sort is BOOL else "Nat")
            members.setdefault(kind, []).extend(_declared(constant, value))
        for kind, each in members.items():
            few = f"{each[0]} \\in" if len(each) == 1 else f"{{{', '.join(each)}}} \\subseteq"
            lines += broken(f"/\\ {few} {kind}", "    ")
        return lines

    @staticmethod
    def _remark(constant: str, indent: str) -> list[str]:
        meaning, source = MEANINGS.get(constant, ("", ""))
        return comment(f"{meaning} ({source})", indent) if meaning else []

    def _variables(self) -> list[str]:
        lines = ["VARIABLES"]
        for variable in self.variables:
            lines += comment(f"{variable.meaning} ({variable.source})", "    ")
            lines.append(f"    {variable.name},")
        lines[-1] = lines[-1].rstrip(",")
        every = ", ".join(v.name for v in self.variables)
        lines += ["", *broken(f"vars == << {every} >>", ""), "", f"{TYPE_OK} =="]
        for variable in self.variables:
            values = self.enumerations.get(variable.sort) or SETS.get(variable.sort)
            values = values or f"{{None}} \\cup {variable.sort}"
            shown = f"[{variable.index} -> {values}]" if variable.index else values
            lines.append(f"    /\\ {variable.name} \\in {shown}")
        return lines

    def _initial(self) -> list[str]:
        lines = ["Init =="]
        for v in self.variables:
            value = value_of(v.initial) if v.initial in v.sort.values else INITIAL[v.initial]
            shown = f"[{self._bound(v.index)} |-> {value}]" if v.index else value
            lines.append(f"    /\\ {v.name} = {shown}")
        return lines

    def _bound(self, sort: Sort) -> str:
        return f"{self.names.within(sort.name[0].lower(), ())} \\in {sort}"

    def _definitions(self) -> list[str]:
        written: dict[str, list[str]] = {}
        order = {named.name: named for named in self.terms.named}

        def write(named: Named) -> list[str]:
            others = [n for n in self.terms.named if n is not named]
            inside = Terms(self.names, others, self.mixed)
            bound = self._parameters(inside, named.given)
            body = inside.read(named.term, bound)
            before = [line for used in order if used in inside.used for line in visit(order[used])]
            head = applied(named.name, [bound[p].word for p in named.given])
            return [*before, "", *comment(named.meaning), *defined(head, body)]

        def visit(named: Named) -> list[str]:
            if named.name in written:
                return []
            written[named.name] = []
            written[named.name] = write(named)
            return written[named.name]

        return [line for name in order if name in self.terms.used for line in visit(order[name])]

    # Rows

    def _parameters(self, terms: Terms, given: Sequence[Expr]) -> dict[Expr, Phrase]:
        terms.scope = []
        for p in given:
            terms.scope.append(self.names.within(str(p.args[0]), terms.scope))
        return {p: Phrase("name", word=w) for p, w in zip(given, terms.scope, strict=True)}

    def _row(self, action: Action) -> list[str]:
        bound = self._parameters(self.terms, action.given)
        self.plain.scope = self.terms.scope
        lines = comment(f"{action.name}: {re.sub(r'[{}]', '', action.says)}.")
        lines += comment(action.source)
        lines.append(applied(self.rows[action.name], [bound[p].word for p in action.given]) + " ==")
        for guard in action.when:
            phrase = self.terms.read(guard, bound)
            if splits(self.plain.read(guard, bound)):
                phrase = Phrase("name", word=f"Test({text(phrase)})")
            first, *more = laid(phrase, " " * 7)
            lines += [f"    /\\ {first.lstrip()}", *more]
        passed = next((e.value for e in reversed(action.then) if e.variable is NOW), None)
        kept = []
        for variable in self.variables:
            effects = [e for e in action.then if e.variable is variable]
            shifts = passed is not None and variable.sort is INSTANT
            if not effects and not shifts:
                kept.append(variable.name)
                continue
            changed = _Changed(self.terms, variable, bound)
            for effect in effects:
                changed.apply(effect)
            if passed is not None and shifts:
                changed.shift(text(self.terms.read(_passing(passed), bound)))
            lines += broken(f"/\\ {variable.name}' = {changed}", "    ")
        if kept:
            lines += broken(f"/\\ UNCHANGED << {', '.join(kept)} >>", "    ")
        return lines

    def _next(self) -> list[str]:
        lines = ["Next =="]
        for action in self.table.actions:
            names = self._parameters(self.terms, action.given)
            over = ", ".join(
                f"{names[p].word} \\in {p.sort if p.sort.indexes else self.domains[p]}"
                for p in action.given
            )
            row = applied(self.rows[action.name], [names[p].word for p in action.given])
            lines += broken("\\/ " + (f"\\E {over} : {row}" if over else row), "    ")
        return [*lines, "", "Spec == Init /\\ [][Next]_vars"]

    def _properties(self) -> Iterator[str]:
        for held in (*ALWAYS, *STEPS):
            self.terms.scope = []
            body = self.terms.read(held.term, {})
            yield from comment(f"{held.says} ({held.source})")
            if held in STEPS:
                lines = laid(body, " " * len("    []["))
                lines[0] = "    [][" + lines[0].lstrip()
                yield from (f"{camel(held.name)} ==", *lines[:-1], lines[-1] + "]_vars")
            else:
                yield from defined(camel(held.name), body)
            yield ""


def _place(word: str, order: Sequence[str]) -> int:
    return order.index(word) if word in order else len(order)


def _passing(then: Expr) -> Expr:
    """How long passes where `now` becomes this: `now` is 0, and `now + p` is p."""
    first, *rest = then.args
    counted = then.op == "add" and isinstance(first, Expr) and first.args == (NOW,)
    return rest[0] if counted and isinstance(rest[0], Expr) else then


class _Changed:
    """What a variable becomes; later effects win, and all read the state before."""

    def __init__(self, terms: Terms, variable: Variable, bound: Mapping[Expr, Phrase]):
        self.terms, self.variable, self.bound = terms, variable, bound
        self.whole = variable.name
        self.exceptions: dict[str, str] = {}
        self.member, self.body = "", ""  # of a function that is given member by member

    def apply(self, effect: Effect) -> None:
        """One more effect."""
        if effect.at is None:
            self.whole = text(self.terms.read(effect.value, self.bound))
        elif not effect.every:
            at, value = (text(self.terms.read(t, self.bound)) for t in (effect.at, effect.value))
            self.exceptions.pop(at, None)
            self.exceptions[at] = value
        else:
            self._each(str(effect.at.args[0]))
            inner = {**self.bound, effect.at: Phrase("name", word=self.member)}
            self.terms.scope.append(self.member)
            value = text(self.terms.read(effect.value, inner))
            if effect.where is not TRUE:
                where = text(self.terms.read(effect.where, inner))
                value = f"IF {where} THEN {value} ELSE {self.body}"
            self.terms.scope.pop()
            self.body = value

    def shift(self, passed: str) -> None:
        """Time passes after the effects."""
        if self.variable.index is None:
            self.whole = f"Later({self.whole}, {passed})"
        else:
            self._each(self.variable.index.name[0].lower())
            self.body = f"Later({self.body}, {passed})"

    def _each(self, name: str) -> None:
        if self.member and not self.exceptions:
            return
        before = str(self)
        self.member = self.terms.taken.within(name, self.terms.scope)
        self.exceptions, self.body = {}, f"{before}[{self.member}]"

    def __str__(self) -> str:
        index = self.variable.index
        whole = f"[{self.member} \\in {index} |-> {self.body}]" if self.member else self.whole
        if not self.exceptions:
            return whole
        changes = ", ".join(f"![{at}] = {value}" for at, value in self.exceptions.items())
        return f"[{whole} EXCEPT {changes}]"


def section(title: str) -> list[str]:
    """A line across the module, with a heading."""
    return ["", "-" * WIDTH, f"\\* {title}.", ""]


HEADER = [
    "\\* Written by holdover from its lease table (docs/lease-table.md there).",
    "\\* Time is counted in ticks and from now on; an instant in the past is negative.",
]
BOUNDS = [
    "    \\* no member of a set; no time",
    "    None, Unset,",
    "    \\* how far back instants are told apart",
    "    Past,",
    "    \\* how many members the sets have",
]
AUXILIARY = [
    "now == 0",
    "",
    "\\* An instant as it is counted once `passed` ticks have passed.",
    "Later(instant, passed) ==",
    "    IF instant = Unset THEN Unset",
    "    ELSE IF instant - passed < -Past THEN -Past ELSE instant - passed",
    "",
    "\\* p as a value: a bare disjunction in an action is a choice to TLC, which follows both.",
    "Test(p) == p = TRUE",
]
