"""Every conjunct of an invariant is needed, and what is claimed follows from the others.

`WITNESSES` names for each conjunct, and for each part of one that has several, an obligation that
fails without it: the case, the row, and the conjunct that the row then breaks.  "Fails" means that
Z3 gives a state and a step.  Where the drift is open it can only be unable to prove, so T3 is asked
here for perfect clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

import pytest
import z3

from holdover.model.bound import PREMISES, bounded, server_keeps
from holdover.model.expr import Expr, all_of, forall
from holdover.model.profile import FAULTS
from holdover.model.properties import EXCLUSIVE, Property
from holdover.model.table import LEASE_TABLE, Table
from holdover.proofs.grace import sufficient
from holdover.proofs.invariants import LEASED, OWNED, PROBED
from holdover.proofs.obligations import Case, Obligation, by_z3, decide, obligations, premises
from holdover.proofs.parametric import Logic
from holdover.proofs.safety import case, cases, numbers

CLAIMED = (EXCLUSIVE, OWNED)
"""What the invariant is for; the rest of it is the argument."""

ARGUMENT = tuple(p for p in LEASED if p not in CLAIMED)

PROBING = Case(
    "probing", "clients that probe", PROBED,
    {"probes": True, "drift": 0, "in_order": True, **{f: f != "suspends" for f in FAULTS}},
    numbers(),
)  # fmt: skip

Witness = tuple[str, str, str]

WITNESSES: Mapping[str, Witness] = {
    "held_under_lease": ("rfc2131", "resume", "leaves_in_time"),
    "held_as_leased": ("reference", "crash", "covered"),
    "leaves_in_time": ("rfc2131", "reuse", "owned"),
    "covered": ("rfc2131", "reuse", "owned"),
    "asked_before": ("rfc2131", "bind", "not_too_far"),
    "ack_covered": ("rfc2131", "bind", "covered"),
    "granted": ("rfc2131", "bind", "not_too_far"),
    "not_too_far": ("T3", "prolong", "covered"),
    "answers_follow": ("rfc2131", "select", "ack_covered"),
    "given_up": ("rfc2131", "free", "covered"),
    "in_flight": ("T3", "bind", "covered"),
    "kernel_set": ("T3", "kernel_removes", "exclusive"),
    "faults_only": ("T3", "use", "owned"),
}


@cache
def claim(name: str) -> Case:
    """A case of T2 or, for perfect clocks, of T3."""
    if name == "T3":
        enough = sufficient()
        return replace(enough, fixed={**enough.fixed, "drift": 0})
    return PROBING if name == "probing" else case(name, TOLERATED_BY[name])


TOLERATED_BY = {name: claimed.says.split(" among ")[1].split(", ") for name, claimed in cases()}


def without(witness: Witness, invariant: tuple[Property, ...]) -> str:
    """What Z3 says of the witness's obligation with another invariant."""
    name, row, broken = witness
    only = Table(LEASE_TABLE.variables, (LEASE_TABLE.action(row),))
    asked = replace(claim(name), invariant=invariant, table=only)
    (obligation,) = (o for o in obligations(asked) if (o.row, o.conjunct) == (row, broken))
    return by_z3(obligation).result


def test_every_conjunct_has_a_witness() -> None:
    assert [p.name for p in ARGUMENT] == list(WITNESSES)


if __name__ == "__main__":
    for n, w in WITNESSES.items():
        rest = tuple(p for p in LEASED if p.name != n)
        try:
            print(n, w, without(w, rest), without(w, LEASED))
        except ValueError as e:
            print(n, w, e)
