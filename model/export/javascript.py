"""The JavaScript reading: an instance as functions by which a page goes from state to state.

Theory of operation.  A state is an array in the order of `Instance.slots`, with the numbers that
the finite reading has: an enumeration is its place in its sort, a reference is a number or -1, an
instant is in whole ticks from now, and `null` is unset.  A row for one binding is a function from a
state to the state after it, or to `false` where a guard forbids it; a property is a function from a
state, or from the states before and after a step, to a truth value.  Terms are those of the Promela
reading: quantifiers are unrolled, what the constants decide is decided, and there are no fractions.

`put` copies a state and sets places of the copy; `pass` shifts every instant.  Both are in
`HELPERS`, which the page needs once.

What it does not know: comparing an unset instant is a mistake in the table, which the finite
reading raises; JavaScript takes `null` for 0 there.  A number of edges that is too large for a
page is its caller's to refuse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction

from holdover.model.explorer.sequence_chart import fill_sentence
from holdover.model.export.promela_terms import Place, Promela, Written
from holdover.model.readings.finite import Instance, Label
from holdover.model.table.expr import BOOL, INSTANT, Expr, Sort, Variable

HELPERS = """\
const put = (s, changes) => {
  const t = s.slice();
  for (let i = 0; i < changes.length; i += 2) t[changes[i]] = changes[i + 1];
  return t;
};
const pass = (t, ticks, instants, past) => {
  for (const i of instants) if (t[i] !== null) t[i] = Math.max(t[i] - ticks, -past);
  return t;
};
"""

Asked = tuple[Expr, Mapping[Expr, int]]
"""A term, and the members that its parameters stand for."""


class JavaScript(Promela):
    """Terms as JavaScript over the arrays `s` (before) and `t` (after)."""

    conditional = "({condition} ? {then} : {otherwise})"

    def __init__(self, instance: Instance):
        super().__init__(instance.constants, instance.bounds)
        self.places, self.array = instance.place, "s"

    def known(self, value: object, sort: Sort) -> Written:
        """A value that does not depend on the state."""
        if value is None:
            return Written("null", known=True)
        if isinstance(value, Fraction):
            return super().known(value, sort)
        if sort is BOOL:
            return Written("true" if value else "false", known=True, value=value)
        number = sort.values.index(value) if isinstance(value, str) else value
        return Written(str(number), known=True, value=value)

    def place(self, variable: Variable, member: int) -> str:
        """An item of an array."""
        return f"{self.array}[{self.slot((variable, member))}]"

    def slot(self, place: Place) -> int:
        """Where it is in the array."""
        variable, member = place
        return self.places[variable.name, member]

    def after(self, term: Expr, bound: Mapping[Expr, Written]) -> Written:
        """The same after the step; TypeError for instants."""
        if term.sort is INSTANT:
            raise TypeError("instants before and after a step are counted from different zeros")
        self.array = "t"
        try:
            return self.read(term, bound)
        finally:
            self.array = "s"


def javascript(
    instance: Instance, states: Mapping[str, Sequence[Asked]], steps: Mapping[str, Sequence[Asked]]
) -> str:
    """The instance as an object: `initial`, `edges`, `take`, and a function for each thing asked.

    `edges`: of each edge the row, the host that it is about or -1, its sentence, in which `{0}`
    stands for what is in slot 0 before the step, and its parameters.  `take`: its function.
    `states` and `steps`: names, and the terms that the function of that name gives the values of,
    in an array.
    """
    terms = JavaScript(instance)
    edges, functions = [], []
    for label in instance.labels:
        host = -1 if label.host is None else label.host
        edges.append([label.action.name, host, tell_edge(label), label.given])
        functions.append(write_edge(instance, terms, label))
    of_a_state = [f"{name}: s => {write_values(terms, asked)}" for name, asked in states.items()]
    of_a_step = [f"{name}: (s, t) => {write_values(terms, asked)}" for name, asked in steps.items()]
    parts = [
        f"initial: {json.dumps(instance.initial)}",
        f"past: {instance.bounds.past}",
        f"edges: {json.dumps(edges, ensure_ascii=False, separators=(',', ':'))}",
        "take: [\n" + ",\n".join(functions) + "]",
        *of_a_state,
        *of_a_step,
    ]
    return "{" + ",\n".join(parts) + "}"


def tell_edge(label: Label) -> str:
    """The row's sentence, with a number in braces for what is in a slot."""
    return fill_sentence(label.action, label.binding, lambda slot: f"{{{slot}}}")[0]


def write_values(terms: JavaScript, asked: Sequence[Asked]) -> str:
    """The values of terms as an array."""
    found = []
    for term, members in asked:
        bound = {p: terms.known(value, p.sort) for p, value in members.items()}
        found.append(terms.read(term, bound).text)
    return f"[{', '.join(found)}]"


def write_edge(instance: Instance, terms: JavaScript, label: Label) -> str:
    """An edge as a function from a state to the next one, or to false."""
    pairs = zip(label.action.given, label.binding, strict=True)
    bound = {p: terms.known(value, p.sort) for p, value in pairs}
    guard = terms.joined("and", (terms.read(when, bound) for when in label.action.when))
    changes, passed = terms.changes(label.action, bound)
    text = ", ".join(f"{terms.slot(place)}, {value.text}" for place, value in changes.items())
    after = f"put(s, [{text}])"
    if passed:
        instants = [i for i, (v, _) in enumerate(instance.slots) if v.sort is INSTANT]
        after = f"pass({after}, {passed}, {instants}, {instance.bounds.past})"
    return f"s => {guard.text} && {after}"
