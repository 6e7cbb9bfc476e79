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

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

FEW = 3
"""So many rules are asked one by one, and so many values a rule may allow to have a branch each."""

INDENT = "    "


@dataclass(frozen=True)
class Conjunct:
    """A condition as Python source.

    `safe`: asking it never raises.  `item`: it only says that this item of the state is one of
    `among`.
    """

    text: str
    safe: bool = False
    item: int | None = None
    among: tuple[object, ...] = ()


@dataclass(frozen=True)
class BranchRule:
    """What is asked, in order, and the lines that follow where all is so.

    `first` may be asked in any order, and before `then`.
    """

    first: tuple[Conjunct, ...]
    then: tuple[Conjunct, ...]
    body: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, tests: Sequence[Conjunct], body: Sequence[str]) -> BranchRule:
        """A rule by its conjuncts in their order."""
        safe = next((i for i, test in enumerate(tests) if not test.safe), len(tests))
        return cls(tuple(dict.fromkeys(tests[:safe])), tuple(tests[safe:]), tuple(body))

    @property
    def never(self) -> bool:
        """It is known that nothing follows."""
        return any(test.text == "False" for test in (*self.first, *self.then[:1]))

    def without(self, test: Conjunct) -> BranchRule:
        """The same where a test has been asked."""
        return BranchRule(tuple(t for t in self.first if t is not test), self.then, self.body)

    def about(self, item: int) -> Conjunct | None:
        """The test that tells which values of an item are allowed, if these are few."""
        fits = (t for t in self.first if t.item == item and len(t.among) <= FEW)
        return next(fits, None)

    def asked(self, text: str) -> Conjunct | None:
        """The test that is written so."""
        return next((t for t in self.first if t.text == text), None)


def branches(rules: Sequence[BranchRule], depth: int = 1) -> Iterator[str]:
    """The lines of the rules; those of one that holds are run once, in no certain order."""
    while len(rules) > FEW:
        texts = Counter(test.text for rule in rules for test in rule.first)
        items = Counter(
            item
            for rule in rules
            for item in {t.item for t in rule.first if t.item is not None and len(t.among) <= FEW}
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


def _by_value(item: int, rules: Sequence[tuple[BranchRule, Conjunct]], depth: int) -> Iterator[str]:
    """A branch for each value of an item that one of these rules allows."""
    name, word = f"v{depth}", "if"
    yield f"{INDENT * depth}{name} = s[{item}]"
    for value in dict.fromkeys(value for _, test in rules for value in test.among):
        yield f"{INDENT * depth}{word} {name} == {value!r}:"
        within = [rule.without(test) for rule, test in rules if value in test.among]
        yield from branches(within, depth + 1)
        word = "elif"
