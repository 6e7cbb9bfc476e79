"""Rules as nested `if`s: what many of them ask of a state is asked once.

Theory of operation.  A rule is a conjunction and what follows from it.  Most of a table's rules ask
the same few questions first: in which phase a host is, whether it is awake, what a datagram is.  So
the question that most rules have is asked before all others, once, and what is left of them stands
within; where it is which of some values an item has, each value has its branch.

A conjunct may be asked earlier than it stands only if asking it is safe, and so is every one before
it: what guards a comparison that may fail still stands before it.

What it does not know: what an item means.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from types import CodeType

FEW = 3
"""So many rules are asked one by one, and so many values a rule may allow to have a branch each."""

INDENT = "    "


@dataclass(frozen=True)
class Code:
    """Python source, or a value that is already known.

    `safe`: it never raises.  `item`: it is this item of the state, or, with values in `among`, it
    says that the item is one of them.  `parts`: what it joins by `and`.
    """

    text: str
    known: bool = False
    value: bool | int | Fraction | None = None
    safe: bool = field(default=False, compare=False)
    item: int | None = field(default=None, compare=False)
    among: tuple[object, ...] = field(default=(), compare=False)
    parts: tuple[Code, ...] = field(default=(), compare=False)

    @property
    def conjuncts(self) -> tuple[Code, ...]:
        """What it joins by `and`, in its order, or itself."""
        return self.parts or (self,)


def constant_code(value: bool | int | Fraction | None) -> Code:
    """The code of a value."""
    if isinstance(value, Fraction) and value.denominator == 1:
        value = int(value)
    return Code(repr(value), True, value, safe=True)


@dataclass(frozen=True)
class BranchRule:
    """What is asked, in order, and the lines that follow where all is so.

    `first` may be asked in any order, and before `then`.
    """

    first: tuple[Code, ...]
    then: tuple[Code, ...]
    body: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, tests: Sequence[Code], body: Sequence[str]) -> BranchRule:
        """A rule by its conjuncts in their order."""
        safe = next((i for i, test in enumerate(tests) if not test.safe), len(tests))
        return cls(tuple(dict.fromkeys(tests[:safe])), tuple(tests[safe:]), tuple(body))

    @property
    def never(self) -> bool:
        """It is known that nothing follows."""
        return any(test.text == "False" for test in (*self.first, *self.then[:1]))

    def without(self, test: Code) -> BranchRule:
        """The same where a test has been asked."""
        return BranchRule(tuple(t for t in self.first if t is not test), self.then, self.body)

    def about(self, item: int) -> Code | None:
        """The test that tells which values of an item are allowed, if these are few."""
        fits = (t for t in self.first if t.item == item and 0 < len(t.among) <= FEW)
        return next(fits, None)

    def asked(self, text: str) -> Code | None:
        """The test that is written so."""
        return next((t for t in self.first if t.text == text), None)


def branches(rules: Sequence[BranchRule], depth: int = 1) -> Iterator[str]:
    """The lines of the rules; those of one that holds are run once, in no certain order."""
    while len(rules) > FEW:
        texts = Counter(test.text for rule in rules for test in rule.first)
        items = Counter(
            item
            for rule in rules
            for item in {
                t.item for t in rule.first if t.item is not None and 0 < len(t.among) <= FEW
            }
        )
        text, shared = max(texts.items(), key=lambda each: each[1], default=("", 0))
        item, alike = max(items.items(), key=lambda each: each[1], default=(0, 0))
        if max(shared, alike) < FEW:
            break
        asked = [rule.about(item) if alike >= shared else rule.asked(text) for rule in rules]
        within = [(rule, test) for rule, test in zip(rules, asked, strict=True) if test]
        if alike >= shared:
            yield from _by_value(item, within, depth)
        else:
            yield f"{INDENT * depth}if {text}:"
            yield from branches([rule.without(test) for rule, test in within], depth + 1)
        rules = [rule for rule, test in zip(rules, asked, strict=True) if test is None]
    for rule in rules:
        said = " and ".join(test.text for test in (*rule.first, *rule.then))
        inner = depth + bool(said)
        if said:
            yield f"{INDENT * depth}if {said}:"
        yield from (INDENT * inner + line for line in rule.body)


def _by_value(item: int, rules: Sequence[tuple[BranchRule, Code]], depth: int) -> Iterator[str]:
    """A branch for each value of an item that one of these rules allows."""
    name, word = f"v{depth}", "if"
    yield f"{INDENT * depth}{name} = s[{item}]"
    for value in dict.fromkeys(value for _, test in rules for value in test.among):
        yield f"{INDENT * depth}{word} {name} == {value!r}:"
        within = [rule.without(test) for rule, test in rules if value in test.among]
        yield from branches(within, depth + 1)
        word = "elif"


def conjuncts(guard: ast.expr) -> Iterator[str]:
    """The source of what a condition joins by `and`, at any depth."""
    if isinstance(guard, ast.BoolOp) and isinstance(guard.op, ast.And):
        for part in guard.values:
            yield from conjuncts(part)
    else:
        yield ast.unparse(guard)


@cache
def code_of(text: str, name: str) -> CodeType:
    """Python source, compiled.  Many instances have the same properties, and some the same rows."""
    return compile(text, f"<{name}>", "exec")
