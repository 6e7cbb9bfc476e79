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
from collections.abc import Iterator, Sequence
from fractions import Fraction

from holdover.model.export.tla_layout import WIDTH, break_lines, comment, define, laid, section
from holdover.model.export.tla_terms import (
    INTEGERS,
    WIDER,
    Named,
    Names,
    Terms,
    _Changed,
    _passing,
    _place,
    apply_operator,
    camel,
    parameters,
    splits,
    text,
    value_of,
)
from holdover.model.readings.definitions import DEFINITIONS
from holdover.model.readings.finite import Bounds, Constants
from holdover.model.readings.prose import Phrase
from holdover.model.table.expr import BOOL, DURATION, INSTANT, RATIO, Action, Expr, Sort
from holdover.model.table.properties import ALWAYS, STEPS
from holdover.model.table.table import Table
from holdover.model.table.vocabulary import CONSTANTS, INDEX_SORTS, MEANINGS, NOW

TYPE_OK = "TypeOK"
SIZES = {"Host": "Hosts", "Address": "Addresses", "Message": "Messages"}
SETS = {BOOL: "BOOLEAN", INSTANT: "{Unset} \\cup Int", DURATION: "{Unset} \\cup Int"}
INITIAL = {"true": "TRUE", "false": "FALSE", "unset": "Unset", "none": "None"}
FIXED = ("None", "Unset", "Past", "now", "vars", "Test", "Later", "Init", "Next", "Spec", TYPE_OK)


# Terms -------------------------------------------------------------------------------------------


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
    lines = [
        "\\* Run TLC with -deadlock, which means that a state may be the last one.",
        "SPECIFICATION Spec",
        "",
        "CONSTANTS",
    ]
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
            lines += break_lines(
                f"{called} == {{{', '.join(value_of(v) for v in sort.values)}}}", ""
            )
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
            lines += break_lines(f"/\\ {few} {kind}", "    ")
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
        lines += ["", *break_lines(f"vars == << {every} >>", ""), "", f"{TYPE_OK} =="]
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
            head = apply_operator(named.name, [bound[p].word for p in named.given])
            return [*before, "", *comment(named.meaning), *define(head, body)]

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
        lines.append(
            apply_operator(self.rows[action.name], [bound[p].word for p in action.given]) + " =="
        )
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
            lines += break_lines(f"/\\ {variable.name}' = {changed}", "    ")
        if kept:
            lines += break_lines(f"/\\ UNCHANGED << {', '.join(kept)} >>", "    ")
        return lines

    def _next(self) -> list[str]:
        lines = ["Next =="]
        for action in self.table.actions:
            names = self._parameters(self.terms, action.given)
            over = ", ".join(
                f"{names[p].word} \\in {p.sort if p.sort.indexes else self.domains[p]}"
                for p in action.given
            )
            row = apply_operator(self.rows[action.name], [names[p].word for p in action.given])
            lines += break_lines("\\/ " + (f"\\E {over} : {row}" if over else row), "    ")
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
                yield from define(camel(held.name), body)
            yield ""


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
