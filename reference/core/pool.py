"""What a server knows of the addresses of its pool: entries, and the pool of them as a value.

Theory of operation.  A pool may have 65,000 addresses, and most requests are about one.  `Entries`
is cut into blocks: a change makes one block anew, and each block remembers what was asked of all of
it, such as when something is due.  So a request costs about the root of the pool, and what a server
knows is still a value, equal where the same is known.

What it does not know: how an entry changes (`server.py`).  § alone is a section of RFC 2131.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address
from operator import itemgetter

from holdover.reference.core.instants import Instant
from holdover.reference.wire.messages import BootReply, BootRequest

# One address -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class ClientKey:
    """Who a client is to a server (§4.2 MUST): `identifier` is option 61 if `given`, else `chaddr`.

    The two never mean the same client, even where their bytes are the same.
    """

    identifier: bytes
    given: bool


def key_of(request: BootRequest) -> ClientKey:
    """§4.2 MUST: the client identifier, if there is one, else `chaddr`."""
    if request.client_id is None:
        return ClientKey(request.chaddr, given=False)
    return ClientKey(request.client_id, given=True)


@dataclass(frozen=True, slots=True)
class Binding:
    """A lease as the server records it (§3.1(4)); `end` is None where it is infinite (§3.3).

    It stays on record after its end, until the address is given to another (§4.3.1).
    """

    key: ClientKey
    end: Instant | None


@dataclass(frozen=True, slots=True)
class Reservation:
    """An address kept for a client until an instant: offered (§4.3.1), or probed for it (§3.1(2)).

    `discover`: the DHCPDISCOVER that waits for the probe; None: the offer has been made.
    """

    key: ClientKey
    until: Instant
    discover: BootRequest | None = None


@dataclass(frozen=True, slots=True)
class SendReply:
    """Send a BOOTREPLY; port 67 where `to` is the relay's address, else 68 (§4.1).

    `to`: None is the broadcast address; where it is the reply's `address`, the frame goes to
    `chaddr`, since the client does not answer ARP yet.
    """

    reply: BootReply
    to: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Late:
    """A DHCPACK whose record is made and which leaves at `due`: a misbehaviour."""

    due: Instant
    send: SendReply


@dataclass(frozen=True, slots=True)
class Withheld:
    """An address is not available (§4.3.3) until an instant at which the server looks into it.

    `seen`: somebody answered the server's own probe; else it is a client's word.  `probed`: the
    probe is out, and `until` is when it is over; the address is given back if nobody answers.
    """

    since: Instant
    until: Instant
    seen: bool
    probed: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What the server knows of one address; `Entry()`: nothing.

    `conflicts`: how often it was withheld since it was last renewed, as far as that makes the next
    time longer.
    """

    binding: Binding | None = None
    offer: Reservation | None = None
    withheld: Withheld | None = None
    conflicts: int = 0
    late: Late | None = None

    @property
    def is_free(self) -> bool:
        """It is on record for nobody, reserved for nobody, and not withheld."""
        return self.binding is None and self.offer is None and self.withheld is None

    def is_of(self, key: ClientKey) -> bool:
        """The client is on record for the address, be the lease over or not."""
        return self.binding is not None and self.binding.key == key

    def runs(self, now: Instant) -> bool:
        """There is a lease, and it is not over."""
        return self.binding is not None and (self.binding.end is None or now < self.binding.end)

    def concerns(self, key: ClientKey) -> bool:
        """The client is on record for the address, or it is reserved for it."""
        return self.is_of(key) or (self.offer is not None and self.offer.key == key)

    @property
    def due(self) -> Instant | None:
        """When something about it is due."""
        instants = (
            None if self.withheld is None else self.withheld.until,
            None if self.offer is None else self.offer.until,
            None if self.late is None else self.late.due,
        )
        return earliest(instants)


NOTHING = Entry()

Known = tuple[IPv4Address, Entry]

# The pool ----------------------------------------------------------------------------------------

BLOCK = 256
"""Places in a block: the root of the largest pool (server.py)."""


def earliest(instants: Iterable[Instant | None]) -> Instant | None:
    """The first of those that come at all."""
    return min((instant for instant in instants if instant is not None), default=None)


@dataclass(frozen=True)
class Block:
    """Entries of neighbours in a pool; what is asked of all of them is worked out once."""

    entries: tuple[Entry, ...]

    @cached_property
    def due(self) -> Instant | None:
        """When something is due."""
        return earliest(entry.due for entry in self.entries if entry is not NOTHING)

    @cached_property
    def identifiers(self) -> frozenset[bytes]:
        """Of the clients that its entries concern."""
        known = [entry for entry in self.entries if entry is not NOTHING]
        bound = [entry.binding.key.identifier for entry in known if entry.binding is not None]
        return frozenset(bound + [e.offer.key.identifier for e in known if e.offer is not None])

    @cached_property
    def unused(self) -> tuple[int, int] | None:
        """The first free place of those that were withheld least: how often, place."""
        free = ((e.conflicts, place) for place, e in enumerate(self.entries) if e.is_free)
        return min(free, default=None)

    @cached_property
    def oldest(self) -> tuple[bool, Instant, int] | None:
        """The lease that ends first, of those with nothing else in the way: endless, end, place."""
        return min(
            (
                (entry.binding.end is None, entry.binding.end or 0, place)
                for place, entry in enumerate(self.entries)
                if entry.binding is not None and entry.offer is None and entry.withheld is None
            ),
            default=None,
        )

    @cached_property
    def doubted(self) -> tuple[Instant, int] | None:
        """The one that is withheld longest on a client's word, and for nobody yet: since, place."""
        return min(
            (
                (entry.withheld.since, place)
                for place, entry in enumerate(self.entries)
                if entry.withheld is not None and not entry.withheld.seen and entry.offer is None
            ),
            default=None,
        )


@dataclass(frozen=True, repr=False)
class Entries(Collection[Known]):
    """What is known of a pool: pairs in the order of addresses, without those that know nothing."""

    pool: tuple[IPv4Address, ...] = field(compare=False)
    places: Mapping[IPv4Address, int] = field(compare=False)
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, pool: tuple[IPv4Address, ...], known: Iterable[Known]) -> Entries:
        """From pairs; what is not of the pool is left out."""
        pool = tuple(dict.fromkeys(pool))
        places = {address: place for place, address in enumerate(pool)}
        entries = [NOTHING] * len(pool)
        for address, entry in known:
            if address in places:
                entries[places[address]] = entry
        starts = range(0, len(pool), BLOCK)
        return cls(pool, places, tuple(Block(tuple(entries[at : at + BLOCK])) for at in starts))

    def __iter__(self) -> Iterator[Known]:
        entries = (entry for block in self.blocks for entry in block.entries)
        pairs = zip(self.pool, entries, strict=True)
        return iter(sorted((pair for pair in pairs if pair[1] != NOTHING), key=itemgetter(0)))

    def __len__(self) -> int:
        return sum(entry != NOTHING for block in self.blocks for entry in block.entries)

    def __contains__(self, known: object) -> bool:
        return known in list(self)

    def __repr__(self) -> str:
        return repr(tuple(self))

    def entry(self, address: IPv4Address) -> Entry:
        """What is known of an address."""
        place = self.places.get(address)
        return NOTHING if place is None else self.blocks[place // BLOCK].entries[place % BLOCK]

    def put(self, address: IPv4Address, entry: Entry) -> Entries:
        """With this for an address of the pool."""
        number, place = divmod(self.places[address], BLOCK)
        before = self.blocks[number].entries
        block = Block((*before[:place], entry, *before[place + 1 :]))
        blocks = (*self.blocks[:number], block, *self.blocks[number + 1 :])
        return Entries(self.pool, self.places, blocks)

    @property
    def due(self) -> Instant | None:
        """When something is due."""
        return earliest(block.due for block in self.blocks)

    def due_by(self, now: Instant) -> list[Known]:
        """Those about which something is due, in the order of addresses."""
        found = [
            (self.pool[number * BLOCK + place], entry)
            for number, block in enumerate(self.blocks)
            if block.due is not None and block.due <= now
            for place, entry in enumerate(block.entries)
            if entry.due is not None and entry.due <= now
        ]
        return sorted(found, key=itemgetter(0))

    def concerning(self, key: ClientKey) -> list[IPv4Address]:
        """The addresses that a client is on record for, or that are reserved for it."""
        return [
            self.pool[number * BLOCK + place]
            for number, block in enumerate(self.blocks)
            if key.identifier in block.identifiers
            for place, entry in enumerate(block.entries)
            if entry.concerns(key)
        ]

    def candidates(self, key: ClientKey, asked: IPv4Address | None) -> list[IPv4Address]:
        """What may be the best to offer to a client, in the order of the pool.

        Where it neither has an address nor asks for one, the first unused is as good as any other,
        and of those that are on record for others, none is over before the oldest.
        """
        addresses = [*self.concerning(key), *(() if asked is None else (asked,))]
        found = {self.places[address] for address in addresses if address in self.places}
        firsts = (
            (block.unused[0], number * BLOCK + block.unused[1])
            for number, block in enumerate(self.blocks)
            if block.unused is not None
        )
        found.update(place for _, place in [min(firsts, default=(0, -1))] if place >= 0)
        ends = (
            (*block.oldest[:2], number * BLOCK + block.oldest[2])
            for number, block in enumerate(self.blocks)
            if block.oldest is not None
        )
        found.update(place for _, _, place in [min(ends, default=(False, 0, -1))] if place >= 0)
        return [self.pool[place] for place in sorted(found)]

    @property
    def doubted(self) -> IPv4Address | None:
        """The address that is withheld longest on a client's word, and for nobody yet."""
        since = (
            (block.doubted[0], number * BLOCK + block.doubted[1])
            for number, block in enumerate(self.blocks)
            if block.doubted is not None
        )
        oldest = min(since, default=None)
        return None if oldest is None else self.pool[oldest[1]]

    @property
    def withheld(self) -> list[tuple[IPv4Address, Withheld]]:
        """What is not available, in the order of addresses."""
        return [(a, entry.withheld) for a, entry in self if entry.withheld is not None]
