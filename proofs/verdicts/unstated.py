"""The bound of T3 for a client of which not every fact is stated: what its verdict hangs on.

Theory of operation.  A profile that leaves facts out stands for every client that has those that it
states and does not contradict itself (`holdover.model.clients.rules`).  The bound is a term over
facts; those that are not stated stay open in it, and Z3 says which clients of these there are.

* The need of them all is that of the worst of them: the greatest holdover, the greatest grace.
* The grace is enough for all of them, for none, or for some.  For some, the verdict hangs on facts:
  a set of them such that, with RFC 2131's values for these, it is the same whatever the others are,
  and of which none can be left out.

Not here: what is stated and not true.  That a grace below the bound is too short is shown for one
way to hold an address back at a time (T3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import Environment
from holdover.model.clients.rules import RULES
from holdover.model.readings.constants import holds
from holdover.model.table import bound
from holdover.model.table.expr import DURATION, Expr
from holdover.model.table.vocabulary import CONSTANTS, HOST, grace, h
from holdover.proofs.logic import formula
from holdover.proofs.logic.first_order import ALIKE, Logic, domain, literal
from holdover.proofs.logic.formula import TRUTH, Formula, Value
from holdover.proofs.logic.read_by_z3 import Questions, greatest
from holdover.proofs.verdicts.by_bound import HangsOn, Need, need_of_stated

LIMITED = bound.bounded(h) & bound.server_keeps
ENOUGH = LIMITED & (bound.safe_grace(h) <= grace)


class Clients:
    """The clients that a profile leaves open, in given surroundings; `said` is asked of them."""

    def __init__(self, client: ClientKind, environment: Environment, said: Expr):
        self.facts = client.in_seconds(environment)
        self.open = client.profile.unstated
        self.usually = holds(said, self.facts)
        self._host = {h: formula.symbol("h", domain(HOST))}
        self._logic = Logic({**self.facts, **dict.fromkeys(self.open, ALIKE)})
        lengths = (name for name in self.open if CONSTANTS[name].sort is DURATION)
        self._consistent = [
            *(self._read(rule.term) for rule in RULES),
            *(_fact(name) >= 0 for name in lengths),
        ]
        so, limited = self._read(said), self._read(LIMITED)
        self._questions = Questions(
            [
                *self._consistent,
                _when(OTHERWISE, ~so if self.usually else so),
                _when(UNLIMITED, ~limited),
                *(_when(usual(name), self._has_usual(name)) for name in self.open),
            ]
        )

    def _read(self, term: Expr) -> Formula:
        return self._logic.read(term, self._host)

    def _has_usual(self, name: str) -> Formula:
        return formula.equal(_fact(name), literal(CONSTANTS[name].sort, self.facts[name]))

    def other(self, *, except_for: Iterable[str]) -> dict[str, Value] | None:
        """A client of which it is not as usually, RFC 2131's but for these facts; None if none."""
        free = set(except_for)
        return self._questions.model(
            [OTHERWISE, *(usual(name) for name in self.open if name not in free)]
        )

    def most(self, term: Expr) -> Fraction | None:
        """The greatest that a term can be; None if it has no limit."""
        if self._questions.model([UNLIMITED]) is not None:
            return None
        return greatest(self._read(term), self._consistent)


OTHERWISE, UNLIMITED = "otherwise", "unlimited"


def usual(name: str) -> str:
    """The assumption that a fact is as RFC 2131 has it."""
    return f"usual_{name}"


def _fact(name: str) -> Formula:
    return formula.symbol(name, domain(CONSTANTS[name].sort))


def _when(assumed: str, term: Formula) -> Formula:
    return formula.symbol(assumed, TRUTH).implies(term)


def need_of_all(client: ClientKind, environment: Environment) -> Need:
    """The need of the worst of the clients that a profile leaves open, and on what that hangs."""
    clients = Clients(client, environment, ENOUGH)
    worst, enough = clients.most(bound.worst_holdover(h)), clients.most(bound.safe_grace(h))
    if worst is None or enough is None:
        worst = enough = None
    met = enough is not None and enough <= environment.grace
    return Need(client, worst, enough, met, None if met else hangs_on(clients))


def any_grace(client: ClientKind, environment: Environment) -> HangsOn | None:
    """On which facts it hangs whether the grace is enough that would do for RFC 2131's values.

    Where none would, whether any is; None if it is the same for all clients.
    """
    usually = need_of_stated(client, environment).grace
    if usually is None:
        return hangs_on(Clients(client, environment, LIMITED))
    return hangs_on(Clients(client, replace(environment, grace=usually), ENOUGH))


def hangs_on(clients: Clients) -> HangsOn | None:
    """On which facts it hangs; None if it is the same for all clients."""
    if clients.other(except_for=clients.open) is None:
        return None
    needed = list(clients.open)
    for name in reversed(clients.open):
        fewer = [each for each in needed if each != name]
        if clients.other(except_for=set(clients.open).difference(fewer)) is None:
            needed = fewer
    return HangsOn(tuple(needed), clients.usually, example(clients, needed))


def example(clients: Clients, needed: Sequence[str]) -> tuple[tuple[str, object], ...]:
    """Facts with which it is otherwise: as few as suffice are not RFC 2131's."""
    differ = list(clients.open)
    for name in (*(each for each in clients.open if each not in needed), *reversed(needed)):
        fewer = [each for each in differ if each != name]
        if clients.other(except_for=fewer) is not None:
            differ = fewer
    values = clients.other(except_for=differ)
    assert values is not None, "the last one asked for was found"
    return tuple((name, as_fact(name, values[name])) for name in differ)


def as_fact(name: str, value: Value) -> object:
    """A solver's value as a profile has it."""
    sort = CONSTANTS[name].sort
    if sort is DURATION:
        return Fraction(value)
    return str(value).removeprefix(f"{sort.name}_") if sort.values else value
