"""How the tests of the model come by a small instance: times in ticks, by default no fault."""

from dataclasses import replace
from fractions import Fraction
from typing import Protocol

import pytest

from holdover.model.clients.profile import Environment, Profile, in_ticks, load
from holdover.model.readings.finite import Instance, bounds_for
from holdover.model.readings.interpreter import Interpreter
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE

# So long a tick makes each of a profile's own durations one tick, and instances small.
TICK = Fraction(1000)


class Build(Protocol):
    """Makes an instance; `lease` and the like are in ticks, `faults` are those that happen."""

    def __call__(
        self,
        profile: str | Profile,
        *faults: str,
        hosts: int = 2,
        addresses: int = 1,
        messages: int = 1,
        lease: int = 3,
        past: int = 0,
        table: Table = LEASE_TABLE,
        **surroundings: object,
    ) -> Instance: ...


@pytest.fixture(scope="session")
def build() -> Build:
    """The maker of small instances.  The user may never answer, unless the test says otherwise."""

    def make(
        profile: str | Profile,
        *faults: str,
        hosts: int = 2,
        addresses: int = 1,
        messages: int = 1,
        lease: int = 3,
        past: int = 0,
        table: Table = LEASE_TABLE,
        **surroundings: object,
    ) -> Instance:
        scaled = {
            name: value * TICK if type(value) is int else value
            for name, value in {"acknowledge_within": None, **surroundings}.items()
        }
        environment = replace(Environment(lease * TICK, faults=frozenset(faults)), **scaled)  # type: ignore[arg-type]
        client = load(profile) if isinstance(profile, str) else profile
        constants = in_ticks(client, environment, TICK)
        bounds = bounds_for(constants, hosts, addresses, messages, past=past)
        return Instance(table, constants, bounds)

    return make


class Say(Protocol):
    """Gives the concrete world of an instance."""

    def __call__(self, instance: Instance) -> Interpreter: ...


@pytest.fixture(scope="session")
def concrete() -> Say:
    """The concrete reading of an instance's table, constants and sizes."""

    def world(instance: Instance) -> Interpreter:
        sizes = {sort: instance.bounds.size(sort) for sort in (HOST, ADDRESS, MESSAGE)}
        return Interpreter(instance.table, instance.constants, sizes)

    return world
