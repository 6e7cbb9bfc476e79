"""An explorer written from the documentation alone: it imports nothing of the project.

Theory of operation.  `docs/lease-table.md` has every row as guards and effects in formulas, and
every named term; `docs/words.md` the variables with their sorts and first values;
`docs/properties.md` what must hold.  A formula is parsed by a grammar of its own, with the signs
that "How to read a row" explains, then written as Python for one choice of the row's parameters,
and searched breadth first.
The constants of a configuration come from outside, and so do its bounds: how many hosts, addresses
and slots there are, which lengths and skews are tried, and how far back instants are told apart.

If the page and the table differ in one row, so do the searches.  That is what it is for: the
readers of the table share its terms and the recursion over them; this one shares neither.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Node = tuple[Any, ...]
State = tuple[Any, ...]
Environment = Mapping[Node, str]

SORTS = {"h": "Host", "g": "Host", "a": "Address", "m": "Message", "n": "Message"}
"""What the letters stand for that are chosen freely: "any host, any address, any slot"."""

VALUES = {"true": "True", "false": "False", "none": "None", "unset": "None", "now": "0"}
COMPARISONS = {"=": "==", "≠": "!=", "<": "<", "≤": "<=", ">": ">", "≥": ">="}

# The grammar -------------------------------------------------------------------------------------

TOKEN = re.compile(r"\s*(:=|[A-Za-z_][A-Za-z_0-9]*|\d+(?:\.\d+)?|[^\sA-Za-z_0-9])")


class Formula:
    """A text of the page, read token by token."""

    def __init__(self, text: str):
        self.text, self.tokens, self.at = text, TOKEN.findall(text), 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise SyntaxError(f"{expected or 'more'} expected at {self.at} in: {self.text}")
        self.at += 1
        return token

    def has(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self.at += 1
        return True

    def whole(self) -> Node:
        node = self.term()
        self.done()
        return node

    def done(self) -> None:
        if self.peek():
            raise SyntaxError(f"{self.peek()} is left over in: {self.text}")

    def term(self) -> Node:
        if self.has("if"):
            condition = self.term()
            self.take("then")
            then = self.term()
            self.take("else")
            return ("if", condition, then, self.term())
        for sign, op in (("∀", "all"), ("∃", "any")):
            if self.has(sign):
                return self.quantified(op)
        left = self.chain("∨", lambda: self.chain("∧", self.negation))
        return ("implies", left, self.term()) if self.has("⇒") else left

    def quantified(self, op: str) -> Node:
        name = ("name", self.take())
        limit: Node = ("name", "true")
        if self.has("≠"):
            limit = ("≠", name, self.sum())
        elif self.has("with"):
            limit = self.term()
        self.take(":")
        return (op, name, limit, self.term())

    def chain(self, sign: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self.has(sign):
            parts.append(part())
        return parts[0] if len(parts) == 1 else (sign, *parts)

    def negation(self) -> Node:
        if self.has("¬"):
            return ("¬", self.negation())
        left = self.sum()
        if self.peek() in COMPARISONS:
            return (self.take(), left, self.sum())
        for sign in "∈∉":
            if self.has(sign):
                return (sign, left, *self.listed("{", "}"))
        return left

    def sum(self) -> Node:
        return self.arithmetic(("+", "−"), lambda: self.arithmetic(("×", "/"), self.atom))

    def arithmetic(self, signs: Sequence[str], part: Callable[[], Node]) -> Node:
        node = part()
        while self.peek() in signs:
            node = (self.take(), node, part())
        return node

    def atom(self) -> Node:
        if self.has("("):
            inner = self.term()
            self.take(")")
            return inner
        token = self.take()
        if token[0].isdigit():
            return ("number", token)
        if not token.isidentifier():
            raise SyntaxError(f"{token} is no name in: {self.text}")
        if self.has("["):
            member = self.term()
            self.take("]")
            return ("after" if self.has("′") else "at", token, member)
        if self.peek() == "(":
            return ("call", token, *self.listed("(", ")"))
        return ("name", token)

    def listed(self, opening: str, closing: str) -> list[Node]:
        self.take(opening)
        parts = [self.term()]
        while self.has(","):
            parts.append(self.term())
        self.take(closing)
        return parts

    def effect(self) -> tuple[Node | None, Node, list[tuple[Node, Node]]]:
        """Over which member and under which condition, and what becomes what."""
        every: Node | None = None
        limit: Node = ("name", "true")
        if self.has("for"):
            self.take("each")
            every = ("name", self.take())
            limit = self.term() if self.has("with") else limit
            self.take(":")
        becomes = [self.assignment()]
        while self.has(","):
            becomes.append(self.assignment())
        self.done()
        return every, limit, becomes

    def assignment(self) -> tuple[Node, Node]:
        target = self.atom()
        self.take(":=")
        return target, self.term()


# The pages ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of the page."""

    name: str
    given: tuple[str, ...]
    when: tuple[str, ...]
    then: tuple[str, ...]
    due: tuple[str, ...]


@dataclass(frozen=True)
class Pages:
    """What the documentation says."""

    rows: tuple[Row, ...]
    names: Mapping[str, list[tuple[list[Node], Node]]]
    variables: Mapping[str, tuple[str, str, str]]
    """Index sort (or nothing), sort, first value."""
    always: Mapping[str, Node]
    steps: Mapping[str, Node]


def table_of(text: str, region: str) -> Iterator[list[str]]:
    """The cells of a generated table, below its head."""
    body = text.split(f"<!-- generated: {region} -->")[1].split("<!-- end -->")[0]
    lines = [line for line in body.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]


def rows_of(text: str) -> Iterator[Row]:
    """Every row of the lease table, from its heading and its block."""
    pattern = re.compile(r"^### `(\w+)\(([^)]*)\)`\n.*?^```text\n(.*?)^```$", re.S | re.M)
    for name, given, block in pattern.findall(text.split("<!-- generated: lease-table -->")[1]):
        parts: dict[str, list[str]] = {"when": [], "then": [], "due": []}
        label = ""
        for line in block.splitlines():
            label = line[:5].strip() or label
            parts[label].append(line[5:])
        yield Row(name, tuple(given.replace(",", " ").split()), *map(tuple, parts.values()))


def statements(text: str, title: str) -> dict[str, Node]:
    """The properties below a heading."""
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    found = re.findall(r"^### `(\w+)`\n.*?^```text\n(.*?)\n^```$", section, re.S | re.M)
    return {name: Formula(term).whole() for name, term in found}


def pages(table: str, words: str, properties: str) -> Pages:
    """The three pages, read."""
    names: dict[str, list[tuple[list[Node], Node]]] = {}
    for head, body, _ in table_of(table, "definitions"):
        called = Formula(head).whole()
        names.setdefault(called[1], []).append((list(called[2:]), Formula(body).whole()))
    variables = {}
    for said, sort, first, *_ in table_of(words, "variables"):
        name, _, index = said.rstrip("]").partition("[")
        variables[name] = (index, sort, first)
    return Pages(
        tuple(rows_of(table)),
        names,
        variables,
        statements(properties, "Of every state"),
        statements(properties, "Of every step"),
    )


# From a formula to Python ------------------------------------------------------------------------


@dataclass
class Writer:
    """Formulas as Python over the tuples `s`, before a step, and `t`, after it."""

    pages: Pages
    constants: Mapping[str, object]
    sizes: Mapping[str, int]
    slots: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (index, _, _) in self.pages.variables.items():
            if name != "now":
                for member in range(self.sizes[index] if index else 1):
                    self.slots[name, member] = len(self.slots)

    def initial(self) -> State:
        names = self.pages.variables
        first = [names[name][2] for name, _ in self.slots]
        return tuple(eval(VALUES.get(value, repr(value))) for value in first)

    def write(self, node: Node, given: Environment) -> str:
        """The formula, with its parameters replaced by what is given."""
        if node in given:
            return given[node]
        op, *parts = node
        if op in ("all", "any"):
            name, limit, body = parts
            return self.quantified(op, name, limit, body, given)
        if op in ("name", "call"):
            return self.named(node, given)
        if op == "number":
            return f"F('{parts[0]}')" if "." in parts[0] else str(parts[0])
        if op in ("at", "after"):
            return self.place("s" if op == "at" else "t", parts[0], parts[1], given)
        said = [self.write(part, given) for part in parts]
        match op:
            case "if":
                return f"({said[1]} if {said[0]} else {said[2]})"
            case "implies":
                return f"(not {said[0]} or {said[1]})"
            case "∧" | "∨":
                return "(" + (" and " if op == "∧" else " or ").join(said) + ")"
            case "¬":
                return f"(not {said[0]})"
            case "∈" | "∉":
                return f"({said[0]} {'in' if op == '∈' else 'not in'} ({', '.join(said[1:])},))"
            case "/":
                return f"(F({said[0]}) / {said[1]})"
        sign = {**COMPARISONS, "+": "+", "−": "-", "×": "*"}[op]
        return f"({said[0]} {sign} {said[1]})"

    def place(self, state: str, name: str, member: Node, given: Environment) -> str:
        at = int(self.write(member, given))
        if name in self.constants:
            return self.fixed(name, at)
        return f"{state}[{self.slots[name, at]}]"

    def fixed(self, name: str, member: int = 0) -> str:
        value = self.constants[name]
        of = value[member] if isinstance(value, tuple) else value
        return f"F('{of}')" if isinstance(of, Fraction) else repr(of)

    def quantified(self, op: str, name: Node, limit: Node, body: Node, given: Environment) -> str:
        said = []
        for member in range(self.sizes[SORTS[name[1]]]):
            here = {**given, name: str(member)}
            within, then = self.write(limit, here), self.write(body, here)
            said.append(f"(not {within} or {then})" if op == "all" else f"({within} and {then})")
        return "(" + (" and " if op == "all" else " or ").join(said) + ")"

    def named(self, node: Node, given: Environment) -> str:
        _, name, *arguments = node
        for wanted, body in self.pages.names.get(name, ()):
            pairs = list(zip(wanted, arguments, strict=True))
            fixed = [(w, a) for w, a in pairs if is_value(w)]
            if all(w == a for w, a in fixed):
                more = {w: self.write(a, given) for w, a in pairs if not is_value(w)}
                return self.write(body, {**given, **more})
        if arguments:
            raise LookupError(f"{name} is called so nowhere: {node}")
        if name in VALUES:
            return VALUES[name]
        if name.isupper():
            return repr(name)
        if name in self.constants:
            return self.fixed(name)
        return f"s[{self.slots[name, 0]}]"


def is_value(node: Node) -> bool:
    """Whether a parameter of a definition is a fixed word, not a place for any term."""
    return node[0] == "name" and (node[1].isupper() or node[1] in ("first", "later"))


# The search --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What the search came to, in the terms of the manifest."""

    states: int
    steps: int
    depth: int
    broken: Mapping[str, int]
    fired: frozenset[str]


@dataclass(frozen=True)
class Bounds:
    """How much is looked at: members of a sort, values of a parameter, ticks into the past."""

    sizes: Mapping[str, int]
    values: Mapping[str, Sequence[int]]
    past: int


def search(
    said: Pages, constants: Mapping[str, object], bounds: Bounds, most: int = 1_000_000
) -> Seen:
    """Every state within reach, breadth first; at most so many, or a few more."""
    writer = Writer(said, constants, bounds.sizes)
    successors = compiled(successors_text(writer, bounds), "successors")
    always = {
        n: compiled(f"def p(s): return {writer.write(p, {})}", "p") for n, p in said.always.items()
    }
    steps = {
        n: compiled(f"def p(s, t): return {writer.write(p, {})}", "p")
        for n, p in said.steps.items()
    }
    first = writer.initial()
    known, layer, broken = {first}, [first], {n: 0 for n, p in always.items() if not p(first)}
    depth = taken = 0
    fired: set[str] = set()
    while layer and len(known) <= most:
        following = []
        for state in layer:
            for name, after, shifted in successors(state):
                taken += 1
                fired.add(name)
                for n, p in steps.items():
                    if n not in broken and not p(state, after):
                        broken[n] = depth + 1
                if shifted not in known:
                    known.add(shifted)
                    following.append(shifted)
                    for n, p in always.items():
                        if n not in broken and not p(shifted):
                            broken[n] = depth + 1
        layer = following
        depth += bool(layer)
    return Seen(len(known), taken, depth, dict(sorted(broken.items())), frozenset(fired))


def compiled(text: str, name: str) -> Any:
    scope: dict[str, Any] = {"F": Fraction}
    exec(compile(text, f"<{name}>", "exec"), scope)
    return scope[name]


def successors_text(writer: Writer, bounds: Bounds) -> str:
    """A function from a state to (row, state after, the same counted from its own now)."""
    instants = [
        at for (name, _), at in writer.slots.items() if writer.pages.variables[name][1] == "Instant"
    ]
    lines = ["def successors(s):", "    out = []"]
    for row in writer.pages.rows:
        when = [Formula(line).whole() for line in row.when]
        then = [Formula(line).effect() for line in row.then]
        for choice in itertools.product(*(domain(bounds, name) for name in row.given)):
            given = {("name", n): str(v) for n, v in zip(row.given, choice, strict=True)}
            guards = [writer.write(guard, given) for guard in when]
            lines.append(f"    if {' and '.join(guards) or 'True'}:")
            lines.append("        t = list(s)")
            passed = "0"
            for every, limit, becomes in then:
                members = range(writer.sizes[SORTS[every[1]]]) if every else (0,)
                for member in members:
                    here = {**given, every: str(member)} if every else given
                    for target, value in becomes:
                        said = writer.write(value, here)
                        if target == ("name", "now"):
                            passed = said
                            continue
                        place = (
                            writer.place("t", target[1], target[2], here)
                            if target[0] == "at"
                            else f"t[{writer.slots[target[1], 0]}]"
                        )
                        lines.append(f"        if {writer.write(limit, here)}: {place} = {said}")
            lines.append("        u = t")
            if passed != "0":
                lines += ["        u = list(t)", f"        for i in {instants}:"]
                moved = f"max(u[i] - {passed}, -{bounds.past})"
                lines.append(f"            if u[i] is not None: u[i] = {moved}")
            lines.append(f"        out.append(({row.name!r}, tuple(t), tuple(u)))")
    return "\n".join([*lines, "    return out"])


def domain(bounds: Bounds, name: str) -> Sequence[int]:
    """What a parameter may be: a member of its sort, or a whole number of ticks."""
    return range(bounds.sizes[SORTS[name]]) if name in SORTS else bounds.values[name]
