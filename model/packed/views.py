"""Terms about several components of a state, as tables over what is seen of each of them.

Theory of operation.  What a term asks of one component alone has few values: these are the views of
that component, and a term about several of them is a table over their views.  The closure asks the
same terms again and again, of more values each time.  So a term is taken apart once, and what is
about one component alone is evaluated once for each value that this one has.

What it does not know: rules, and which values there will be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from holdover.model.packed.components import LARGEST, Axis, Component, Joint, TooManyValuesError
from holdover.model.readings.ground import (
    Array,
    Columns,
    Ground,
    compound,
    conjuncts,
    disjuncts,
    evaluate,
    join_parts,
    negate,
    replace_terms,
)

Parts = tuple[Mapping[int, Sequence[Ground]], Sequence[Ground]]
"""For each component the terms about it alone, and the terms over the answers to these."""

NONE_YET: Array = np.array([], dtype=np.int64)


class Views:
    """How terms see the components; `owner` has the component of each item of the state."""

    def __init__(self, components: Sequence[Component], owner: Mapping[int, int]):
        self.components, self.owner = components, owner
        self._parts: dict[tuple[int | None, ...], tuple[Sequence[Ground], Parts]] = {}
        self._answers: dict[int, tuple[Ground, Array]] = {}

    def support(self, term: Ground) -> frozenset[int]:
        """The components that a term is about."""
        return frozenset(self.owner[p] for p in term.places)

    def _regrouped(self, term: Ground) -> Ground:
        """The same term, what is about one component alone standing together."""
        if term.op == "not" and term.args[0].op in ("and", "or"):
            op = "or" if term.args[0].op == "and" else "and"
            return self._regrouped(join_parts(op, [negate(arg) for arg in term.args[0].args]))
        if term.op not in ("and", "or"):
            return term
        parts = (conjuncts if term.op == "and" else disjuncts)(term)
        alone: dict[int, list[Ground]] = {}
        together = []
        for part in parts:
            support = self.support(part)
            if len(support) == 1:
                alone.setdefault(min(support), []).append(part)
            else:
                together.append(self._regrouped(part))
        return compound(term.op, [*(join_parts(term.op, g) for g in alone.values()), *together])

    def _taken_apart(self, terms: Sequence[Ground], whole: int | None) -> Parts:
        """What the terms ask of each component alone, and the terms over the answers to that.

        A rule is applied again and again, so its terms are kept here.
        """
        key = (*map(id, terms), whole)
        if key in self._parts:
            return self._parts[key][1]
        parts: dict[int, list[Ground]] = {} if whole is None else {whole: []}

        def by(term: Ground) -> Ground | None:
            support = self.support(term)
            if len(support) != 1 or (number := min(support)) == whole:
                return None
            found = parts.setdefault(number, [])
            if term not in found:
                found.append(term)
            return Ground("view", (number, found.index(term)), term.places)

        split = [replace_terms(self._regrouped(term), by) for term in terms]
        self._parts[key] = terms, (parts, split)
        return parts, split

    def alone(self, term: Ground, number: int, ids: Array) -> Array:
        """A term about one component alone, for these values of it.

        It is evaluated once for each value that the component has; where it is no whole number of
        ticks for one of them, for these only.
        """
        kind = self.components[number].kind
        _, known = self._answers.get(id(term), (term, NONE_YET))
        if len(known) < len(kind):
            new = np.arange(len(known), len(kind))
            try:
                found = evaluate(term, self._columns(number, new))
            except TypeError:
                return np.broadcast_to(evaluate(term, self._columns(number, ids)), ids.shape)
            known = np.concatenate([known, np.broadcast_to(found, new.shape)])
            self._answers[id(term)] = term, known
        return known[ids]

    def joint(
        self, terms: Sequence[Ground], allowed: Mapping[int, Array], whole: int | None = None
    ) -> Joint:
        """The terms' values over the views of the components they are about.

        `allowed` has the numbers of the values to look at; `whole` is a component that has each of
        them as a view of its own.  The last dimension of `values` is that of the terms.
        """
        parts, split = self._taken_apart(terms, whole)
        axes, columns = [], {}
        for position, number in enumerate(sorted(parts)):
            component, ids = self.components[number], allowed[number]
            if number == whole:
                values = component.kind.matrix[ids]
                codes = list(range(len(ids)))
            else:
                seen = [self.alone(t, number, ids).tolist() for t in parts[number]]
                different: dict[tuple[int, ...], int] = {}
                codes = [different.setdefault(v, len(different)) for v in zip(*seen, strict=True)]
                values = np.array(list(different), dtype=np.int64)
            views = np.zeros(len(component.kind), dtype=np.int64)
            views[ids] = codes
            axes.append(Axis(number, views, len(values)))
            columns[number] = (position, values)
        shape = tuple(axis.size for axis in axes)
        if np.prod([float(n) for n in shape]) > LARGEST:
            raise TooManyValuesError(
                "a guard of the table depends on too many parts of the state at once"
            )

        def column(leaf: Ground) -> Array:
            if leaf.op == "view":
                number, item = leaf.args
            else:
                number = self.owner[leaf.args[0]]
                item = self.components[number].slots.index(leaf.args[0])
            position, values = columns[number]
            line = [1] * len(shape)
            line[position] = shape[position]
            return values[:, item].reshape(line)

        values = np.empty((*shape, len(split)), dtype=np.int64)
        for item, term in enumerate(split):
            values[..., item] = evaluate(term, column)
        return Joint(tuple(axes), values)

    def _columns(self, number: int, ids: Array) -> Columns:
        component = self.components[number]
        return lambda leaf: component.kind.matrix[ids, component.slots.index(leaf.args[0])]
