"""How many steps are left at least until a property breaks, and a search that this leads.

Theory of operation.  A bound is a term of the lease table, a number, about some members: so many
steps are left at least until the property breaks through them.  It may come from anywhere, since
`proved_bounds` has a solver prove it, of any state that the lemmas allow and that has the property:

* a step after which the property is broken starts where some bound is one at most;
* any other step lowers no bound by more than one.

So where a run breaks the property after n steps and not before, one of the bounds is at most
n - k in its state after k steps: the one that was at most one before the last step.  Of the initial
state this says, without a search, that no run is shorter.  And whoever looks for a run (`Led`) need
not go where every bound is above what the run has left.

`Led` goes from state to state and has the solver find one step at a time.  Where bounds are far
below the truth that is many states: then it is better to give none.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import z3

from holdover.model.readings.finite import State
from holdover.model.table.expr import Expr
from holdover.proofs.logic.bitvectors import Symbolic
from holdover.proofs.logic.intervals import Term, signed_width, widen
from holdover.proofs.logic.unrolled import choices

Ask = Callable[..., Any]
"""What a solver answers: the solver, and what it is to assume."""


class UndecidedError(RuntimeError):
    """The solver gave up."""


def proved_bounds(
    reading: Symbolic,
    good: Term,
    left: Expr,
    known: Sequence[Term],
    ask: Ask = lambda solver: solver.check(),
    fresh: Callable[[], Any] = lambda: z3.SolverFor("QF_BV"),
) -> tuple[Term, ...]:
    """The bounds as numbers of one width, over `before`; none if the solver does not prove them.

    `left` has parameters, and is a bound for each choice of members; `good` is the property and
    `known` what is proved of every state, over `before`.
    """
    members = choices(left.free, reading.instance.bounds.size)
    found = [reading.amount(left, given) for given in members]
    width = max((bits.size() for bits in found), default=0) + 1
    bounds = tuple(widen(bits, width) for bits in found)
    steady = z3.And([bound <= reading.later(bound) + 1 for bound in bounds])
    last = z3.Or([bound <= 1 for bound in bounds])
    solver = fresh()
    solver.add(*known, good, reading.relation, z3.Not(z3.If(reading.later(good), steady, last)))
    return bounds if ask(solver) == z3.unsat else ()


class Led:
    """A search for a run that breaks a property, from state to state, by proved bounds.

    `least` is what the bounds say of the initial state: no run is shorter.
    """

    def __init__(
        self,
        reading: Symbolic,
        good: Term,
        bounds: Sequence[Term],
        most: int,
        solver: Any,
        ask: Ask,
    ):
        """`most`: no run is longer that is looked for; `solver` is asked nothing else."""
        self.reading, self.solver, self.ask = reading, solver, ask
        here = (z3.simplify(reading.initially(bound)) for bound in bounds)
        self.least = min(int(literal.as_signed_long()) for literal in here)
        self._good = reading.later(good)
        width = max(bounds[0].size(), signed_width(most))
        self._remaining = z3.BitVec("remaining", width)
        later = [widen(reading.later(bound), width) for bound in bounds]
        within = z3.Or([bound <= self._remaining for bound in later])
        solver.add(reading.relation, z3.Or(z3.Not(self._good), within))
        self._tried: dict[State, int] = {}
        self._numbers = itertools.count()

    def run(self, state: State, steps: int) -> list[tuple[int, State]] | None:
        """The steps of a run that breaks the property from here, at most so many; None: none does.

        Each step is the number of a label, and the state after it.  UndecidedError, if the solver
        gives up.
        """
        if steps <= self._tried.get(state, 0):
            return None
        self._tried[state] = steps
        here = z3.Bool(f"from_{next(self._numbers)}")
        items = zip(self.reading.before, self._codes(state), strict=True)
        self._say(here, self._remaining == steps - 1, *(item == code for item, code in items))
        while (answer := self.ask(self.solver, here)) == z3.sat:
            model = self.solver.model()
            row = int(model.eval(self.reading.row, True).as_long())
            after = self.reading.decoded([model.eval(item, True) for item in self.reading.after])
            if z3.is_false(model.eval(self._good, True)):
                return [(row, after)]
            rest = self.run(after, steps - 1)
            if rest is not None:
                return [(row, after), *rest]
            items = zip(self.reading.after, self._codes(after), strict=True)
            self._say(here, z3.Or([item != code for item, code in items]))
        if answer == z3.unknown:
            raise UndecidedError(self.solver.reason_unknown())
        return None

    def _codes(self, state: State) -> list[Term]:
        return [self.reading.code(slot, item) for slot, item in enumerate(state)]

    def _say(self, where: Term, *terms: Term) -> None:
        """Have the solver know this of the steps from one state."""
        self.solver.add(*(z3.Implies(where, term) for term in terms))
