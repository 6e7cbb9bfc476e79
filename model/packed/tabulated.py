"""The tabulated reading: the lease table as arrays of numbers that a small kernel looks up.

Theory of operation.  A state falls into *components*: what belongs to one host, to one address, to
one datagram, and what belongs to none of them.  Each component takes few values, so a component is
stored as the number of its value, and a state is these numbers side by side in one machine word.

A row with its binding (a *rule*) becomes three kinds of arrays:

* `masks`: for each value of a component, one bit for each rule, which says whether what the rule
  asks of this component alone is so.  The rules that may fire are the conjunction over components.
* conditions: what a rule asks of several components together.  Each component has few *views* as
  far as such a condition goes (the values of the largest subterms about it alone); the condition is
  a table over views.
* updates: what a rule makes of a component, as a difference to be added to the word, by the
  component's value and by the views of the others that it depends on.

What values there are is found by closure: from the initial ones, and those of a thousand states of
the finite reading (`sampled.py`), every rule on every combination that its guards allow, component
by component.  It may find values that no run reaches; that costs memory and nothing else.
Properties become rules that change nothing: *watches* that see a broken property (or a wanted
sight), and *measures*, whose value the search keeps the largest of.

Nothing of the lease life is written here: all is read off the table by `Grounded` and `evaluate`.

What it does not know: states wider than a word (WORD bits), and conditions on so many components
that their table would have more than LARGEST entries; both are refused (TooLarge).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from holdover.model.packed.components import (
    BESIDE,
    MEASURE,
    STEP,
    WATCH,
    WORD,
    Component,
    Joint,
    PackedRule,
    TooManyValuesError,
    ValueDomain,
    read,
)
from holdover.model.packed.sampled import said_by_rows, sample
from holdover.model.packed.views import Views
from holdover.model.readings.finite import Instance, State
from holdover.model.readings.ground import (
    NO,
    UNSET,
    Array,
    Ground,
    Grounded,
    conjuncts,
    disjuncts,
    negate,
    place,
    replace_terms,
    value,
)
from holdover.model.table.expr import Sort
from holdover.model.table.properties import HOLDOVER_CASES, Property, moves
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE, NOW, a, h

SAMPLED = 1000
"""States whose values are numbered before the closure begins, or some more."""


Checked = tuple[dict[int, Array], list[Joint]]
"""For each component the values that a rule's guards let through, and what they ask jointly."""

Results = dict[int, tuple[Joint, Array]]
"""For each component that a rule changes: by what, and the values it takes."""


@dataclass(frozen=True)
class KnownTables:
    """Of each kind of component the values, and of each rule its form, name and label."""

    values: Sequence[Array]
    rules: Sequence[tuple[int, str, int]]


class Tabulated:
    """An instance as arrays.  `TooLarge` where it cannot be.

    `beside`: an instance of the same states, whose rows are rules as well, of the form BESIDE.
    KeyError if one leads to a value of a component that no row of this one leads to.
    `known`: what was found of it before.  It then has no tables, which `program` has.
    """

    def __init__(
        self,
        instance: Instance,
        always: Sequence[Property] = (),
        steps: Sequence[Property] = (),
        sometimes: Sequence[Property] = (),
        *,
        beside: Instance | None = None,
        known: KnownTables | None = None,
    ):
        self.instance = instance
        self.always, self.steps, self.sometimes = always, steps, sometimes
        self.reading = Grounded(instance.place, instance.constants, instance.bounds)
        self.mixed = [v for v in instance.constants.values() if isinstance(v, tuple)]
        self._guards: dict[Ground, Ground] = {}
        self._applied: dict[int, tuple[PackedRule, Checked, Results]] = {}
        self.kinds: dict[object, ValueDomain] = {}
        self.components: list[Component] = []
        self.owner: dict[int, int] = {}
        self.rules: list[PackedRule] = []
        self.masks_of: list[dict[int, Array]] = []
        self.conditions: list[list[Joint]] = []
        self.updates: list[dict[int, Joint]] = []
        self._split()
        if known is not None:
            for kind, values in zip(self.kinds.values(), known.values, strict=True):
                kind.add(values)
            self.rules = [PackedRule(*rule, (), {}) for rule in known.rules]
            return
        self.views = Views(self.components, self.owner)
        rules = list(self._rows(STEP, instance, self.reading))
        self._sample()
        self._close(rules)
        rules += self._watches(rules.copy())
        if beside is not None:
            reading = Grounded(beside.place, beside.constants, beside.bounds)
            rules += self._rows(BESIDE, beside, reading)
        for rule in rules:
            self._tabulate(rule)

    # Components ----------------------------------------------------------------------------------

    def _split(self) -> None:
        """The state's items by what they belong to."""
        initial = [UNSET if v is None else int(v) for v in self.instance.initial]
        sorts: tuple[Sort | None, ...] = (HOST, ADDRESS, MESSAGE, None)
        for sort in sorts:
            variables = [
                v for v in self.instance.table.variables if v.index is sort and v is not NOW
            ]
            for member in range(self.instance.bounds.size(sort) if sort else 1):
                slots = tuple(self.instance.place[v.name, member] for v in variables)
                values = [initial[slot] for slot in slots]
                own = sort is HOST and self.mixed
                alike = (sort, self._like(member)) if own else sort
                kind = self.kinds.setdefault(alike, ValueDomain(sort, variables, values))
                for slot in slots:
                    self.owner[slot] = len(self.components)
                self.components.append(Component(len(self.components), kind, member, slots))

    def _like(self, host: int) -> int:
        """The first host that has the same client as this one."""
        own = [each[host] for each in self.mixed]
        return next(h for h in range(host + 1) if [each[h] for each in self.mixed] == own)

    # Rules ---------------------------------------------------------------------------------------

    def _rows(self, form: int, instance: Instance, reading: Grounded) -> Iterator[PackedRule]:
        labels, said = enumerate(instance.labels), said_by_rows(instance, reading)
        for (number, label), (guards, changes) in zip(labels, said, strict=True):
            yield PackedRule(form, label.action.name, number, self._live(guards), changes)

    def _live(self, guards: Sequence[Ground]) -> tuple[Ground, ...]:
        """The guards without those that are always so; NO alone if one never is.

        Guards that say the same are one object: `Views` looks at each once.
        """
        if any(guard == NO for guard in guards):
            return (NO,)
        return tuple(self._guards.setdefault(guard, guard) for guard in guards if not guard.known)

    def _watches(self, rules: Sequence[PackedRule]) -> Iterator[PackedRule]:
        """Properties as rules: broken ones, wanted sights, and how long a host outstays."""
        for wanted, properties in ((False, self.always), (True, self.sometimes)):
            for prop in properties:
                term = self.reading.read(prop.term, {})
                for case in disjuncts(term if wanted else negate(term)):
                    yield PackedRule(WATCH, prop.name, -1, self._live(conjuncts(case)), {})
        of_steps = [(p.name, negate(self.reading.read(p.term, {}))) for p in self.steps]
        of_steps.append(("address moves", self.reading.read(moves, {})))
        for name, seen in of_steps:
            yield from self._step_watches(name, seen, rules)
        condition, measured = HOLDOVER_CASES
        for i, j in itertools.product(
            range(self.instance.bounds.hosts), range(self.instance.bounds.addresses)
        ):
            bound = {h: value(i), a: value(j)}
            yield PackedRule(
                MEASURE,
                "holdover",
                -1,
                self._live(conjuncts(self.reading.read(condition, bound))),
                {},
                self.reading.read(measured, bound),
            )

    def _step_watches(
        self, name: str, seen: Ground, rules: Sequence[PackedRule]
    ) -> Iterator[PackedRule]:
        """What is to be seen of a step, for each rule that may take it."""
        later = sorted(~p for p in seen.places if p < 0)
        alike: dict[tuple[Ground, ...], list[PackedRule]] = {}
        for rule in rules:
            alike.setdefault(tuple(rule.after.get(p, place(p)) for p in later), []).append(rule)
        for same in alike.values():
            for case in disjuncts(self._before(seen, same[0])):
                asked = self._live(conjuncts(case))
                # Most rules leave alone what the property is about; no state has such a case.
                if self._allowed(PackedRule(WATCH, name, -1, asked, {})) is None:
                    continue
                for rule in same:
                    guards = self._live((*rule.guards, *asked))
                    yield PackedRule(WATCH, name, rule.label, guards, {})

    @staticmethod
    def _before(term: Ground, rule: PackedRule) -> Ground:
        """A statement about a step as one about the state that the rule is applied to."""

        def earlier(leaf: Ground) -> Ground | None:
            if leaf.op == "place" and leaf.args[0] < 0:
                slot = ~leaf.args[0]
                return rule.after.get(slot, place(slot))
            return None

        return replace_terms(term, earlier)

    # Closure -------------------------------------------------------------------------------------

    def _alone(self, rule: PackedRule) -> tuple[dict[int, Array], list[Ground]] | None:
        """For each component the values that its own guards let through, and the other guards.

        None if there are no such values.
        """
        if NO in rule.guards:
            return None
        allowed = {c.number: np.arange(len(c.kind)) for c in self.components}
        together = []
        for guard in rule.guards:
            support = self.views.support(guard)
            if len(support) > 1:
                together.append(guard)
                continue
            (number,) = support
            ids = allowed[number]
            allowed[number] = ids[read(self.views.alone(guard, number, ids), rule) == 1]
            if not len(allowed[number]):
                return None
        return allowed, together

    def _allowed(self, rule: PackedRule) -> Checked | None:
        """What the guards let through."""
        checked = self._alone(rule)
        return None if checked is None else self._together(rule, *checked)

    def _together(
        self, rule: PackedRule, allowed: dict[int, Array], together: Sequence[Ground]
    ) -> Checked | None:
        """The same, where each component's own guards have been asked."""
        joints = []
        for guard in together:
            joint = self.views.joint([guard], allowed)
            values = read(joint.values[..., 0], rule) == 1
            keep = []
            for position, axis in enumerate(joint.axes):
                others = tuple(i for i in range(values.ndim) if i != position)
                possible = values.any(axis=others)
                ids = allowed[axis.component]
                allowed[axis.component] = ids[possible[axis.views[ids]]]
                if not len(allowed[axis.component]):
                    return None
                # A guard that does not depend on this component once it may hold at all
                usable = values.compress(possible, axis=position)
                first = usable.take([0], axis=position)
                if not (usable == first).all():
                    keep.append(position)
            if len(keep) > 1:
                joints.append(Joint(joint.axes, values))
        return allowed, joints

    def _results(self, rule: PackedRule, allowed: Mapping[int, Array]) -> Results:
        """What the rule makes of what it changes."""
        found = {}
        for component in self.components:
            changed = [s for s in component.slots if s in rule.after]
            if not changed:
                continue
            terms = [rule.after.get(slot, place(slot)) for slot in component.slots]
            joint = self.views.joint(terms, allowed, whole=component.number)
            rows = read(joint.values.reshape(-1, len(component.slots)), rule)
            found[component.number] = (joint, rows)
        return found

    def _sample(self) -> None:
        """The values of the components in some states: they save many rounds.

        The closure does not believe them: it has every value that a rule leads to all the same.
        """
        found = sample(self.instance, [c.slots for c in self.components], SAMPLED)
        states = np.array(
            [[UNSET if v is None else int(v) for v in state] for state in found], dtype=np.int64
        )
        for component in self.components:
            component.kind.add(states[:, component.slots])

    def _close(self, rules: Sequence[PackedRule]) -> None:
        """All values that the components may take."""
        canonical = [rule for rule in rules if rule.form == STEP and self._first(rule)]
        about = [self._about(rule) for rule in canonical]
        sizes: list[list[int]] = [[] for _ in canonical]
        grown = True
        while grown:
            grown = False
            for rule, numbers, known in zip(canonical, about, sizes, strict=True):
                while self._apply(rule, numbers, known):  # a tick leads to what the next one moves
                    grown = True
            for kind in self.kinds.values():
                grown |= self._permuted(kind)

    def _apply(self, rule: PackedRule, about: Sequence[int], known: list[int]) -> bool:
        """Apply a rule to the values that its guards let through; whether it leads to new ones.

        Of the components that it is `about`, `known` has how many values it was applied to.
        """
        alone = self._alone(rule)
        if alone is None:
            return False
        sizes = [len(alone[0][component]) for component in about]
        if sizes == known:
            return False
        known[:] = sizes
        checked = self._together(rule, *alone)
        if checked is None:
            return False
        results = self._results(rule, checked[0])
        self._applied[id(rule)] = rule, checked, results
        added = [self.components[changed].kind.add(rows) for changed, (_, rows) in results.items()]
        return any(added)

    def _about(self, rule: PackedRule) -> list[int]:
        """The components that decide what a rule does, and that it changes."""
        terms = (*rule.guards, *rule.after.values())
        numbers = {number for term in terms for number in self.views.support(term)}
        return sorted(numbers | {self.owner[slot] for slot in rule.after})

    def _first(self, rule: PackedRule) -> bool:
        """Whether the rule's members are the first of their sorts: others are it, renamed.

        Where hosts have clients of their own, no host stands for another.
        """
        label = self.instance.labels[rule.label]
        next_of: dict[Sort, int] = {}
        for parameter, member in zip(label.action.given, label.binding, strict=True):
            if parameter.sort.indexes and not (self.mixed and parameter.sort is HOST):
                highest = next_of.get(parameter.sort, 0)
                if member > highest:
                    return False
                next_of[parameter.sort] = max(highest, member + 1)
        return True

    def _permuted(self, kind: ValueDomain) -> bool:
        """Add the values in which two members that are referred to have changed names."""
        grown = False
        for sort in (HOST, ADDRESS):
            columns = [i for i, v in enumerate(kind.variables) if v.sort is sort]
            for i in range(self.instance.bounds.size(sort) - 1 if columns else 0):
                swap = np.arange(-1, self.instance.bounds.size(sort))
                swap[[i + 1, i + 2]] = swap[[i + 2, i + 1]]
                rows = kind.matrix.copy()
                rows[:, columns] = swap[rows[:, columns] + 1]
                grown |= kind.add(rows)
        return grown

    # Tables --------------------------------------------------------------------------------------

    def _tabulate(self, rule: PackedRule) -> None:
        if id(rule) in self._applied:  # in the closure, to all values that it is about
            _, checked, results = self._applied[id(rule)]
            about = self._about(rule)
            allowed, joints = checked
            for component in self.components:
                if component.number not in about:
                    allowed[component.number] = np.arange(len(component.kind))
        else:
            found = self._allowed(rule)
            if found is None:
                return
            allowed, joints = found
            results = self._results(rule, allowed)
        self.rules.append(rule)
        self.masks_of.append(allowed)
        self.conditions.append(joints)
        updates = {}
        for number, (joint, rows) in results.items():
            after = self.components[number].kind.lookup(rows).reshape(joint.values.shape[:-1])
            position = [axis.component for axis in joint.axes].index(number)
            line = [1] * after.ndim
            line[position] = -1
            change = after - allowed[number].reshape(line)
            updates[number] = Joint(joint.axes, change)
        if rule.measured is not None:
            joint = self.views.joint([rule.measured], allowed)
            updates[-1] = Joint(joint.axes, joint.values[..., 0])
        self.updates.append(updates)

    @cached_property
    def shifts(self) -> list[int]:
        """Where each component begins in the word."""
        widths = [component.kind.bits for component in self.components]
        if sum(widths) > WORD:
            raise TooManyValuesError(f"a state takes {sum(widths)} bits, more than {WORD}")
        return [sum(widths[:i]) for i in range(len(widths))]

    def pack(self, state: State) -> int:
        """A state as a word."""
        items = np.array([UNSET if v is None else v for v in state], dtype=np.int64)
        return sum(
            c.kind.numbers[items[list(c.slots)].tobytes()] << shift
            for c, shift in zip(self.components, self.shifts, strict=True)
        )

    def unpack(self, word: int) -> State:
        """The state of a word."""
        state: list[bool | int | None] = [None] * len(self.instance.slots)
        for component, shift in zip(self.components, self.shifts, strict=True):
            number = (word >> shift) & ((1 << component.kind.bits) - 1)
            for slot, v in zip(component.slots, component.kind.matrix[number], strict=True):
                kept = self.instance.initial[slot]
                state[slot] = None if v == UNSET else bool(v) if isinstance(kept, bool) else int(v)
        return tuple(state)
