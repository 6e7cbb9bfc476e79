"""The lease table: all rows, and the row of time, whose guard is read off the others.

`tick` lets time pass.  It may not pass the instant at which a prompt action is due, nor keep a
datagram in flight longer than `delay`.  While a host sleeps, the clocks that stand still in suspend
fall behind: their deadlines move away as fast as time passes.
"""

from dataclasses import dataclass
from functools import cache

from holdover.model.table.client import CLIENT_ACTIONS, NO_ADDRESS, counts, leased
from holdover.model.table.environment import WORLD_ACTIONS, in_flight
from holdover.model.table.expr import (
    DURATION,
    INSTANT,
    Action,
    Due,
    Expr,
    Variable,
    becomes,
    everywhere,
    forall,
    lift,
    parameter,
)
from holdover.model.table.server import SERVER_ACTIONS
from holdover.model.table.vocabulary import (
    VARIABLES,
    asked,
    asleep,
    clock,
    enforcer,
    h,
    holds,
    kernel_end,
    kind,
    lease_end,
    m,
    now,
    rebind_at,
    refused,
    refused_at,
    renew_at,
)

passing = parameter("passing", DURATION)


def not_overdue(due: Due, given: tuple[Expr, ...]) -> Expr:
    """No instance of a prompt action would be overdue after `passing`."""
    term = due.condition.implies(now + passing <= due.instant)
    for name in reversed([name for name in given if name.sort.indexes]):
        term = forall(name, term)
    return term


def tick(actions: tuple[Action, ...]) -> Action:
    """The row of time for these rows."""
    stopped = asleep[h] & (clock[h] == "MONOTONIC")
    shift = lift(0, DURATION) < passing
    waits = [
        not_overdue(action.due, tuple(p for p in action.given if mentions(action.due, p)))
        for action in actions
        if action.due is not None
    ]
    return Action(
        "tick", "RFC 2131 §3.3; time passes, prompt actions first", "time passes", (passing,),
        when=(shift, *waits, not_overdue(in_flight, (m,))),
        then=(
            becomes(now, now + passing),
            *everywhere(h, stopped & counts(h),
                        becomes(asked[h], asked[h] + passing)),
            *everywhere(h, stopped & leased(h),
                        becomes(renew_at[h], renew_at[h] + passing),
                        becomes(rebind_at[h], rebind_at[h] + passing)),
            *everywhere(h, stopped & (leased(h) | (holds[h] != NO_ADDRESS)),
                        becomes(lease_end[h], lease_end[h] + passing)),
            *everywhere(h, stopped & (refused[h]),
                        becomes(refused_at[h], refused_at[h] + passing)),
            *everywhere(h, asleep[h] & (enforcer[h] == "KERNEL") & (holds[h] != NO_ADDRESS),
                        becomes(kernel_end[h], kernel_end[h] + passing)),
        ),
    )  # fmt: skip


def mentions(due: Due, name: Expr) -> bool:
    """Whether the parameter occurs in the condition or the instant."""
    return any(p is name for term in (due.condition, due.instant) for p in term.free)


@cache
def sends(row: Action) -> frozenset[str]:
    """The kinds of datagram that the row puts on its way."""
    put = (e.value for e in row.then if e.variable is kind and not e.every)
    return frozenset(str(value.args[0]) for value in put if value.op == "literal") - {"FREE"}


@dataclass(frozen=True)
class Table:
    """Variables and rows.  Mutants are tables too: hence a value, not a module."""

    variables: tuple[Variable, ...]
    actions: tuple[Action, ...]

    def action(self, name: str) -> Action:
        """The row of that name."""
        return next(action for action in self.actions if action.name == name)

    def instants(self) -> tuple[Variable, ...]:
        """The variables that are instants."""
        return tuple(v for v in self.variables if v.sort is INSTANT)


ROWS = CLIENT_ACTIONS + SERVER_ACTIONS + WORLD_ACTIONS
LEASE_TABLE = Table(VARIABLES, (*ROWS, tick(ROWS)))


@cache
def constants_of(action: Action) -> tuple[str, ...]:
    """The names of the constants that a row reads."""
    names: dict[str, None] = {}

    def look(term: Expr) -> None:
        if term.op == "constant":
            names[str(term.args[0])] = None
        for part in term.operands:
            look(part)

    effects = (term for e in action.then for term in (e.value, e.where, e.at) if term is not None)
    for term in (*action.when, *effects):
        look(term)
    return tuple(names)
