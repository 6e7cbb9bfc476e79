"""What is so in every reachable state, and proved: it tells mutants that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3

from holdover.model.table.client import NO_ADDRESS, UNSET, runs
from holdover.model.table.client import counts as asking_counts
from holdover.model.table.expr import DURATION, Variable, forall, is_in, none
from holdover.model.table.properties import Property
from holdover.model.table.server import NOBODY
from holdover.model.table.vocabulary import (
    address,
    asked,
    client,
    clock,
    contested,
    current,
    full,
    h,
    holds,
    kind,
    lease,
    least,
    m,
    phase,
    probing_since,
    process,
    refused,
    refused_at,
    sent,
    stepped,
    wants,
)
from holdover.proofs.logic.first_order import Initially
from holdover.proofs.logic.formula import Formula
from holdover.proofs.logic.obligations import Case, obligations
from holdover.proofs.logic.read_by_z3 import Read, read_by_z3
from holdover.proofs.theorems.t2_safety import numbers

FACTS = (
    Property(
        "a free slot is empty",
        "RFC 2131 §2",
        "a slot without a datagram has no client, address, time, lease or xid",
        forall(
            m,
            (kind[m] == "FREE").implies(
                (client[m] == NOBODY)
                & (address[m] == NO_ADDRESS)
                & (sent[m] == UNSET)
                & ~current[m]
            ),
        ),
    ),
    Property(
        "only an ACK has a lease",
        "RFC 2132 §9.2",
        "no other datagram carries option 51",
        forall(m, (kind[m] != "ACK").implies(lease[m] == none(DURATION))),
    ),
    Property(
        "an ACK has a granted lease",
        "RFC 2131 §4.3.1",
        "its length is between the shortest and the longest that is granted",
        forall(m, (kind[m] == "ACK").implies((least <= lease[m]) & (lease[m] <= full))),
    ),
    Property(
        "a DISCOVER names no address",
        "RFC 2131 §3.1(1)",
        "the client does not suggest one",
        forall(m, (kind[m] == "DISCOVER").implies(address[m] == NO_ADDRESS)),
    ),
    Property(
        "who probes does not hold",
        "RFC 5227 §2.1",
        "an address is probed before use",
        forall(h, (phase[h] == "PROBING").implies(holds[h] == NO_ADDRESS)),
    ),
    Property(
        "only an exchange has a request time",
        "RFC 2131 §4.4.1",
        "only an exchange that an ACK may still say something in has a time of its request",
        forall(h, asking_counts(h) | (asked[h] == UNSET)),
    ),
    Property(
        "who has selected nothing wants nothing",
        "RFC 2131 §4.3.2",
        "a client wants no address before it has selected one",
        forall(h, is_in(phase[h], "INIT", "SELECTING").implies(wants[h] == NO_ADDRESS)),
    ),
    Property(
        "a dead client has no exchange",
        "RFC 2131 §3.2",
        "a killed process leaves a lease to reboot with, or nothing",
        forall(h, (process[h] == "DEAD").implies(is_in(phase[h], "INIT", "INIT_REBOOT"))),
    ),
    Property(
        "only who probes knows since when",
        "RFC 5227 §2.1.1",
        "no other client has a time at which its probing began",
        forall(h, (phase[h] == "PROBING") | (probing_since[h] == UNSET)),
    ),
    Property(
        "who is refused an address has not begun a lease since",
        "RFC 2131 §4.4.5",
        "it asks for more time on one, or for another; and it is there",
        forall(
            h,
            refused[h].implies(
                is_in(phase[h], "INIT", "SELECTING", "REQUESTING", "RENEWING", "REBINDING")
                & (process[h] != "DEAD")
            ),
        ),
    ),
    Property(
        "only a refusal has a time",
        "RFC 2131 §4.4.5",
        "who is refused no address has no time at which it was",
        forall(h, refused[h] | (refused_at[h] == UNSET)),
    ),
    Property(
        "who knows of a conflict runs",
        "RFC 5227 §2.4",
        "a client that stands still or is gone knows of none",
        forall(h, contested[h].implies(runs(h))),
    ),
    Property(
        "only a wall clock steps",
        "the environment's switches",
        "no other clock can be set back",
        forall(h, stepped[h].implies(clock[h] == "WALL")),
    ),
)
"""Invariants of every client in every environment."""


OPEN = Case("facts", "every client in every environment", FACTS, {}, numbers())


EFFORT = 3_000_000
"""What Z3 may spend at once, in its own deterministic units."""


def solver_with(
    assertions: Sequence[Formula], *others: Sequence[Formula]
) -> tuple[Any, list[Read]]:
    """A solver that gives up after its effort, and other terms to ask it about."""
    own, (before, *rest) = read_by_z3(assertions, *others)
    solver = z3.Solver(ctx=own)
    solver.set("rlimit", EFFORT)
    solver.add(*before)
    return solver, rest


class Unset(Initially):
    """The initial state, what is unset being just that: facts may say that something is unset."""

    def state(self, variable: Variable, at: Sequence[Formula]) -> Formula:
        """What `vocabulary.py` says."""
        if variable.initial == "unset":
            return self.leaf(none(variable.sort))
        return super().state(variable, at)


def prove_facts(facts: Case) -> bool:
    """Whether they hold initially and every row keeps them."""
    start = Unset(facts.fixed)
    assumed = [start.read(term, {}) for term in facts.assumptions]
    initially = [[*assumed, ~start.read(fact.term, {})] for fact in facts.invariant]
    kept = (step.assertions for step in obligations(facts) if step.row != "initially")
    return all(solver_with(goal)[0].check() == z3.unsat for goal in (*initially, *kept))
