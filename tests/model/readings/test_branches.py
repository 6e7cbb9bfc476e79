"""Nested branches against rules that are asked one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.model.readings.branches import BranchRule, Code, branches

ITEMS = 3
VALUES = range(4)

State = tuple[int | None, ...]


def conjuncts() -> st.SearchStrategy[Code]:
    """An item is one of some values, or it is not 0, or above 1: which None is not."""
    items = st.integers(0, ITEMS - 1)
    among = st.lists(st.sampled_from(VALUES), min_size=1, max_size=3, unique=True)

    def one_of(item: int, values: Sequence[int]) -> Code:
        text = " or ".join(f"(s[{item}] == {value})" for value in values)
        return Code(f"({text})", safe=True, item=item, among=tuple(values))

    return st.one_of(
        st.builds(one_of, items, among),
        items.map(lambda item: Code(f"(not s[{item}])", safe=True)),
        items.map(lambda item: Code(f"(s[{item}] > 1)")),
    )


def compiled(rules: Sequence[BranchRule]) -> Callable[[State], list[int]]:
    lines = ["def f(s):", "    out = []", *branches(rules), "    out.sort()", "    return out"]
    scope: dict[str, Callable[[State], list[int]]] = {}
    exec("\n".join(lines), scope)
    return scope["f"]


def asked_in_order(rules: Sequence[Sequence[Code]], state: State) -> list[int]:
    return [
        number
        for number, rule in enumerate(rules)
        if all(eval(test.text, {"s": state}) for test in rule)
    ]


@given(
    st.lists(st.lists(conjuncts(), max_size=4), max_size=12),
    st.tuples(*[st.sampled_from(VALUES)] * ITEMS),
)
def test_the_same_rules_follow_once_each(rules: list[list[Code]], state: State) -> None:
    built = [BranchRule.of(rule, [f"out.append({n})"]) for n, rule in enumerate(rules)]
    assert compiled(built)(state) == asked_in_order(rules, state)


def test_what_may_fail_is_asked_after_what_stands_before_it() -> None:
    known, more, later = (
        Code("(s[0] == 1)", safe=True, item=0, among=(1,)),
        Code("(s[1] > 1)"),
        Code("(s[2] == 0)", safe=True, item=2, among=(0,)),
    )
    rules = [BranchRule.of([known, more, later], [f"out.append({n})"]) for n in range(5)]
    assert [rule.first for rule in rules] == [(known,)] * 5
    assert compiled(rules)((0, None, 1)) == []
    with pytest.raises(TypeError):
        compiled(rules)((1, None, 1))


def test_what_is_known_never_to_follow() -> None:
    never, known = Code("False", safe=True), Code("(s[0] == 1)", safe=True)
    assert BranchRule.of([known, never], []).never
    assert not BranchRule.of([known], []).never
