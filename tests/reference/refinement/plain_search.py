"""The referee of `ProductSearch`: the same worlds, node after node; it remembers nothing else.

Every rule is asked about every node as it is.  Only the names of hosts and slots are put in order
here too, by the text of the nodes: which of them stands for all does not matter, but there must be
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

from holdover.model.table.properties import ALWAYS
from holdover.reference.refinement.cores import DefectError
from holdover.reference.refinement.world import Node, Value, World


class PlainSearch:
    """All nodes of a world, layer by layer; `states`, `steps`, `depth` as in `ProductSearch`."""

    def __init__(self, world: World):
        self.world, table = world, world.rows.table
        self._rules, self._quiet = world.rules(), world.quiet()
        self._wanted = [(p, table.predicate(p.term)) for p in ALWAYS]
        self._step_checks = [(p, table.step_predicate(p.term)) for p in world.steps]
        hosts = range(len(world.hosts))
        self._orders = [tuple(hosts)] if world.named else [*permutations(hosts)]
        self.steps, self.depth = 0, -1
        self.known: set[Node] = set()
        self._came: set[Node] = set()  # in any order
        self._first = world.first()
        layer = [self._first]
        while layer:
            layer = [*self._new(layer)]
            self.depth += bool(layer)
            layer = [then for node in layer for then in self._following(node)]

    @property
    def states(self) -> int:
        """How many nodes there are."""
        return len(self.known)

    def _new(self, nodes: list[Node]) -> Iterator[Node]:
        come = [node for node in dict.fromkeys(nodes) if node not in self._came]
        self._came.update(come)
        for node in map(self._in_order, come):
            if node not in self.known:
                self.known.add(node)
                for wanted, check in self._wanted:
                    if not check(node[0]):
                        raise DefectError(wanted.name, f"not so: {wanted.says}")
                yield node

    def _following(self, node: Node) -> Iterator[Node]:
        before = self.steps
        for rule in self._rules:
            for _, _, then in rule.moves(node):
                yield self._step(node, then)
        if all(holds(node) for _, holds in self._quiet):
            if all(holds(node) for _, holds in self.world.allowed):
                values = [part.value(node) for part in self.world.parts]
                older = [self.world.older(n, value) for n, value in enumerate(values)]
                yield self._step(node, self._joined(older))
            else:
                self.world.not_allowed()
        if self.steps == before:
            raise DefectError("stuck", "nothing can happen any more, not even time")

    def _step(self, node: Node, then: Node) -> Node:
        self.steps += 1
        for wanted, check in self._step_checks:
            if not check(node[0], then[0]):
                raise DefectError(wanted.name, f"not so: {wanted.says}")
        return then

    def _joined(self, values: list[Value]) -> Node:
        members: list[list[Any]] = [list(member) for member in self._first]
        for part, value in zip(self.world.parts, values, strict=True):
            for member, places, those in zip(members, part.members, value, strict=True):
                for place, v in zip(places, those, strict=True):
                    member[place] = v
        state, locals_, taken = map(tuple, members)
        return state, locals_, taken

    def _in_order(self, node: Node) -> Node:
        return min((self._reordered(node, order) for order in self._orders), key=repr)

    def _reordered(self, node: Node, order: tuple[int, ...]) -> Node:
        parts = self.world.parts
        values = [part.value(node) for part in parts]
        at = {(part.kind, part.host): n for n, part in enumerate(parts)}
        moved = [
            self.world.renamed(n, values[n], order)
            if part.host is None
            else values[at[part.kind, order[part.host]]]
            for n, part in enumerate(parts)
        ]
        slots = sorted(moved[n] for n in self.world.slot.values())
        return self._joined([*moved[: self.world.server + 1], *slots])
