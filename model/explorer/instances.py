"""Small instances of the lease table: a few hosts, a lease in ticks, and what may go wrong."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from holdover.model.clients.network import Clients, of_hosts_in_ticks
from holdover.model.clients.profile import Environment
from holdover.model.readings.finite import Instance, bounds_for
from holdover.model.table.table import LEASE_TABLE

HOUR = Fraction(3600)


def environment_of(ticks: int, delay: int, faults: Iterable[str]) -> Environment:
    """A lease of an hour in so many ticks; `delay` is in ticks, and a user may never answer."""
    tick, may_happen = HOUR / ticks, frozenset(faults)
    return Environment(
        delay=delay * tick,
        acknowledge_within=None,
        step=tick,
        shortest=tick if "shortens" in may_happen else None,
        faults=may_happen,
    )


def small_instance(
    clients: Clients, environment: Environment, ticks: int, addresses: int, messages: int
) -> Instance:
    """The lease table for these hosts, a lease in so many ticks; durations are rounded up."""
    constants = of_hosts_in_ticks(clients, environment, environment.lease / ticks)
    constants["margin"] = 0  # less than a tick; rounded up it would eat the lease
    bounds = bounds_for(constants, len(clients), addresses, messages)
    return Instance(LEASE_TABLE, constants, bounds)
