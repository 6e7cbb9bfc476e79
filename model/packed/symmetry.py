"""Symmetry: which states differ only in the names of hosts, addresses and datagrams.

Theory of operation.  No term of the table names a member: hosts, addresses and datagrams are only
ever compared with each other or quantified over.  So a renaming turns runs into runs, keeps every
property true or false, and it is enough to look at one state of each *orbit*, the states that
renamings make of one another: the canonical one (`kernel.canonical`: hosts and datagrams sorted,
and of the ways to name the addresses the one that gives the least word).  How many states an orbit
has is known from how many renamings leave its canonical state alone, so the search still counts
the states and steps of the whole, and the tests compare them with the unreduced search.

What it rests on is looked at here, not believed: all hosts must have the same client, the initial
state must have no names in it, no term of the table or of a property may name a member, no value of
a host may refer to a host, no value of anything to a datagram, and an address or a datagram may
refer to one host at most.  `NotSymmetricError` says which is not so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from math import factorial
from typing import Any, NamedTuple

import numpy as np

from holdover.model.packed.components import WORD, ValueDomain
from holdover.model.packed.tabulated import Tabulated
from holdover.model.readings.finite import NONE
from holdover.model.readings.ground import Array
from holdover.model.table.expr import Expr
from holdover.model.table.properties import HOLDOVER_CASES, moves
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE


class NotSymmetricError(ValueError):
    """Members have names that matter; the message says where."""


class Symmetry(NamedTuple):
    """Renamings as words; `sizes` are how many hosts, addresses and datagrams there are.

    A row of `parts` is where a component lies in the word, as in a `Program`; `rest` masks what
    belongs to no member.  `placed[r, j]` is where renaming `r` puts address `j`; `host[r, value]`
    and `message[r, value]` are values with addresses renamed.  Hosts count from 1 here, and 0 is
    none: `owner[value]` is the host of an address, and `owned[value, host]` the value with another;
    likewise `client` and `sent` of a datagram, whose value without its host is `bare`.  How the key
    is made up that hosts are sorted by is in `bare_bits`, `key_shift` and `owns`.  `renamings` is
    how many there are in all.
    """

    sizes: tuple[int, int, int]
    parts: Array
    rest: np.uint64
    placed: Array
    host: Array
    message: Array
    owner: Array
    owned: Array
    client: Array
    sent: Array
    bare: Array
    bare_bits: np.uint64
    key_shift: np.uint64
    owns: np.uint64
    renamings: int


def renamings(tabulated: Tabulated) -> Symmetry:
    """Every renaming of hosts, addresses and datagrams; NotSymmetricError where names matter."""
    _check(tabulated)
    bounds = tabulated.instance.bounds
    hosts, addresses, messages = (tabulated.kinds[sort] for sort in (HOST, ADDRESS, MESSAGE))
    orders = list(itertools.permutations(range(bounds.addresses)))
    names = [np.array([NONE, *order]) for order in orders]
    bare_rows = messages.matrix.copy()
    bare_rows[:, _referring(messages, HOST)] = NONE
    bare = np.unique(bare_rows, axis=0, return_inverse=True)[1].ravel()
    bare_bits = int(bare.max() + 1).bit_length()
    key_shift = bounds.addresses + bare_bits * bounds.messages
    if hosts.bits + key_shift > 64:
        raise NotSymmetricError("too much tells hosts apart: their order takes more than 64 bits")
    members = bounds.hosts + bounds.addresses + bounds.messages
    shifts = tabulated.shifts[:members]
    low = [(1 << c.kind.bits) - 1 for c in tabulated.components[:members]]
    taken = sum(mask << shift for mask, shift in zip(low, shifts, strict=True))
    owner, owned = _belonging(addresses, bounds.hosts)
    client, sent = _belonging(messages, bounds.hosts)

    def words(numbers: Any) -> Array:
        return np.array(numbers, dtype=np.uint64)

    return Symmetry(
        (bounds.hosts, bounds.addresses, bounds.messages),
        words(list(zip(shifts, low, strict=True))),
        np.uint64(((1 << WORD) - 1) & ~taken),
        words(orders),
        words([_renamed(hosts, ADDRESS, n) for n in names]),
        words([_renamed(messages, ADDRESS, n) for n in names]),
        words(owner),
        words(owned),
        words(client),
        words(sent),
        words(bare),
        np.uint64(bare_bits),
        np.uint64(key_shift),
        np.uint64(1 << (bare_bits * bounds.messages)),
        factorial(bounds.hosts) * factorial(bounds.addresses) * factorial(bounds.messages),
    )


def _check(tabulated: Tabulated) -> None:
    for term in _terms(tabulated):
        for part in _parts(term):
            named = part.op in ("literal", "constant") and part.sort.indexes
            first = part.args[0] if part.args else None
            ordered = part.op in ("lt", "le") and isinstance(first, Expr) and first.sort.indexes
            if named or ordered:
                raise NotSymmetricError(f"a term tells members apart: {part}")
    each_its_own = [n for n, v in tabulated.instance.constants.items() if isinstance(v, tuple)]
    if each_its_own:
        raise NotSymmetricError(f"hosts have clients of their own: {', '.join(each_its_own)}")
    for sort, most in ((HOST, 0), (ADDRESS, 1), (MESSAGE, 1)):
        kind = tabulated.kinds[sort]
        if len(_referring(kind, HOST)) > most or _referring(kind, MESSAGE):
            raise NotSymmetricError(f"{sort.name}: refers to more than symmetry knows about")
        if any(
            kind.matrix[0, column] != NONE
            for to in (HOST, ADDRESS)
            for column in _referring(kind, to)
        ):
            raise NotSymmetricError(f"{sort.name}: the initial state names a member")
    if any(v.sort.indexes for v in tabulated.kinds[None].variables):
        raise NotSymmetricError("what belongs to no member refers to one")


def _terms(tabulated: Tabulated) -> Iterable[Expr]:
    for prop in (*tabulated.always, *tabulated.steps, *tabulated.sometimes):
        yield prop.term
    yield moves
    yield from HOLDOVER_CASES
    for action in tabulated.instance.table.actions:
        yield from action.when
        for effect in action.then:
            yield effect.where
            yield effect.value


def _parts(term: Expr) -> Iterable[Expr]:
    yield term
    for arg in term.args:
        if isinstance(arg, Expr):
            yield from _parts(arg)


def _referring(kind: ValueDomain, to: object) -> list[int]:
    return [i for i, v in enumerate(kind.variables) if v.sort is to]


def _renamed(kind: ValueDomain, to: object, names: Array) -> Array:
    """The values with references replaced: `names[reference + 1]` for each."""
    rows = kind.matrix.copy()
    columns = _referring(kind, to)
    rows[:, columns] = names[rows[:, columns] + 1]
    return kind.lookup(rows)


def _belonging(kind: ValueDomain, hosts: int) -> tuple[Array, Array]:
    """Which host each value refers to, 0 being none, and the value that refers to another."""
    columns = _referring(kind, HOST)
    owned = np.repeat(np.arange(len(kind))[:, None], hosts + 1, axis=1)
    if not columns:
        return np.zeros(len(kind)), owned
    host = kind.matrix[:, columns[0]]
    for other in range(hosts):
        rows = kind.matrix.copy()
        rows[host != NONE, columns[0]] = other
        owned[:, other + 1] = kind.lookup(rows)
    return host - NONE, owned
