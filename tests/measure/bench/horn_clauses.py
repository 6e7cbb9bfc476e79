"""Spacer, Z3's engine for Horn clauses, on the formulas of bounded model checking: a referee.

It asks for an inductive invariant of the same rows (Komuravelli et al., CAV 2014).
"""

from __future__ import annotations

import time
from math import ceil

import z3

from holdover.model.readings.finite import Instance
from holdover.model.table.properties import Property
from holdover.proofs.logic.bitvectors import Symbolic
from holdover.proofs.logic.model_checking import BoundedResult
from holdover.proofs.result import Outcome


def spacer(instance: Instance, prop: Property, timeout: float) -> BoundedResult:
    """Whether any run breaks a property of states or of steps; unknown after `timeout` seconds.

    UnlimitedError, if the instance cannot be read.
    """
    start = time.perf_counter()
    reading = Symbolic(instance)
    good, of_steps = reading.property(prop)
    engine = z3.Fixedpoint()
    engine.set(engine="spacer")
    reached = z3.Function("reached", *(item.sort() for item in reading.before), z3.BoolSort())
    broken = z3.Function("broken", z3.BoolSort())
    engine.register_relation(reached, broken)
    engine.declare_var(*reading.before)
    engine.rule(reached(*reading.start))
    here = reached(*reading.before)
    for guard, changes in zip(reading.guards, reading.changes, strict=True):
        after = [changes.get(slot, item) for slot, item in enumerate(reading.before)]
        engine.rule(reached(*after), [here, guard])
        if of_steps:
            bad = z3.Not(reading.at(good, reading.before, reading.row, after))
            engine.rule(broken(), [here, guard, bad])
    if not of_steps:
        engine.rule(broken(), [here, z3.Not(good)])
    left = timeout - (time.perf_counter() - start)
    answer = z3.unknown
    if left > 0:
        engine.set(timeout=ceil(left * 1000))
        try:
            answer = engine.query(broken())
        except z3.Z3Exception as error:
            if str(error) not in OUT_OF_TIME:
                raise
    outcomes: dict[str, Outcome] = {"sat": "violated", "unsat": "holds"}
    return BoundedResult(outcomes.get(str(answer), "unknown"), time.perf_counter() - start)


OUT_OF_TIME = ("canceled", "b'canceled'", "timeout", "b'timeout'")
"""What the engine raises when its time is over, instead of answering; z3py hands on the bytes."""
