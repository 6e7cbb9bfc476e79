"""Whom an observation concerns, and who has to be judged together.

Theory of operation.  A key is a hardware address, an IPv4 address, or a client identifier.  Keys
that a message of DHCP, ARP, a host's log or a server's record names together belong together, for
the monitor may connect them: a client and each of its addresses, the clients that were given one
address, the hosts with one client identifier.  A *component* is all that belongs together so; what
one component shows has no bearing on another.  So components can be judged by different workers.

An IP packet joins nothing: every router sends as the whole world.  It goes to its hardware address,
where an address that this host has by DHCP or by ARP is as well; the monitor takes no other one.

What it does not know: what follows from anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address

from holdover.reference.audit.observations import (
    DhcpMessage,
    Held,
    Observation,
    Probe,
    Recorded,
    Use,
)
from holdover.reference.wire.messages import BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS

Key = bytes
"""A letter for what it is, and its bytes."""


def keys_of(seen: Observation) -> tuple[Key, ...]:
    """Whom it concerns; the keys belong together; none: it concerns everybody."""
    match seen:
        case DhcpMessage(message=message):
            found = [b"h" + message.chaddr]
            if message.client_id is not None:
                found.append(b"c" + message.client_id)
            own = message.requested if isinstance(message, BootRequest) else message.address
            named = [each for each in (message.ciaddr, own) if each is not None]
            found += [b"a" + each.packed for each in named if each != NO_ADDRESS]
            return tuple(found)
        case Use(how="IP", hardware=hardware):
            return (b"h" + hardware,)
        case Use(hardware=hardware, address=address) | Probe(hardware=hardware, address=address):
            return (b"h" + hardware, b"a" + address.packed)
        case Held(hardware=owner, address=address):
            return named_keys(owner, None, address)
        case Recorded(hardware=owner, client_id=client_id, address=address):
            return named_keys(owner, client_id, address)
        case _:
            return ()


def named_keys(
    hardware: bytes | None, client_id: bytes | None, address: IPv4Address
) -> tuple[Key, ...]:
    """The keys of what is known."""
    found = [b"a" + address.packed]
    if hardware is not None:
        found.append(b"h" + hardware)
    if client_id is not None:
        found.append(b"c" + client_id)
    return tuple(found)


class Components:
    """Which keys belong together; each key has a number, from 0 in the order in which they came."""

    def __init__(self) -> None:
        self.numbers: dict[Key, int] = {}
        self._parents: list[int] = []

    def join(self, keys: Sequence[Key]) -> int:
        """Put keys together; the number of the first."""
        numbers = [self._number(each) for each in keys]
        first = self.root(numbers[0])
        for each in numbers[1:]:
            other = self.root(each)
            if other != first:
                self._parents[other] = first
        return numbers[0]

    def root(self, number: int) -> int:
        """The number that stands for its component."""
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def groups(self) -> Iterable[Sequence[Key]]:
        """The keys of each component."""
        found: dict[int, list[Key]] = {}
        for key, number in self.numbers.items():
            found.setdefault(self.root(number), []).append(key)
        return found.values()

    def _number(self, key: Key) -> int:
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self._parents)
            self._parents.append(number)
        return number


def deal(sizes: Sequence[int], partitions: int) -> list[int]:
    """For each component, of so many observations, a partition: the largest first, evenly."""
    loads = [0] * partitions
    found = [0] * len(sizes)
    for each in sorted(range(len(sizes)), key=lambda number: (-sizes[number], number)):
        least = min(range(partitions), key=lambda number: (loads[number], number))
        found[each] = least
        loads[least] += sizes[each]
    return found
