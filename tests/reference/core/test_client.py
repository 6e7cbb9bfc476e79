"""The client core where no rule speaks: each cell of its table, and what holds whatever happens.

Theory of operation.  The first half drives a client into each phase and feeds it each event.  The
second half feeds random events, in and out of order, to clients with random constants, and watches:
a `Watched` client has an interface and a lease file, carries out the effects on them one by one,
and checks after each what must hold then.

What it does not know: the lease table; that the two agree is checked by `refinement/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from ipaddress import IPv4Address
from typing import Any, TypeVar

import pytest
from hypothesis import Phase as Part
from hypothesis import given, settings
from hypothesis import strategies as st

from holdover.reference.core.client import COLUMNS, TABLE, Client, deadline, ignore, step, trim
from holdover.reference.core.client_state import Effects
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Configure,
    Effect,
    Event,
    Gone,
    Heard,
    Lease,
    Notice,
    Notify,
    Phase,
    Release,
    Remove,
    Send,
    SendArp,
    Start,
    Stop,
    Store,
    Timer,
)
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE, Options
from tests.reference.core.clients import (
    ACK,
    CONFIG,
    HOUR,
    IDENTIFIER,
    MAC,
    NAK,
    OFFER,
    OTHER,
    PEER,
    SERVER,
    A,
    B,
    C,
    Driver,
    driven,
    of,
    packets,
    used_by_other,
)

# Each cell ---------------------------------------------------------------------------------------

FEEDS: dict[object, Callable[[Driver], Effects]] = {
    Start: lambda driver: driver.start(driver.remembered()),
    Timer: lambda driver: driver.timer(),
    OFFER: lambda driver: driver.receive(OFFER),
    ACK: lambda driver: driver.receive(ACK),
    NAK: lambda driver: driver.receive(NAK),
    Heard: lambda driver: driver.hear(used_by_other()),
    Gone: lambda driver: driver.gone(),
    Release: lambda driver: driver.release(),
    Stop: lambda driver: driver.feed(Stop()),
}


def name_of(column: object) -> str:
    return column.name if isinstance(column, MessageType) else getattr(column, "__name__", "")


cells = pytest.mark.parametrize(
    ("phase", "column"),
    [(phase, column) for phase in Phase for column in COLUMNS],
    ids=lambda each: each.name if isinstance(each, Phase) else name_of(each),
)
phases = pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name)


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(Phase)
    assert set(FEEDS) == set(COLUMNS)
    for row in TABLE.values():
        assert tuple(row) == COLUMNS


@cells
def test_each_cell_does_what_it_says(phase: Phase, column: object) -> None:
    """What is not ignored does something, what is ignored changes nothing.

    INIT has two halves: `Start` is for a client that has nothing to wait for.
    """
    driver = driven(phase)
    if phase is Phase.INIT and column is Start:
        driver = Driver()
    if column is Timer:
        driver.now = max(driver.now, deadline(driver.client) or 0)
    before = driver.client
    effects = FEEDS[column](driver)
    if column is ACK and TABLE[phase][column] is trim:
        assert (effects, driver.client) == ((), before), "the same answer again says nothing new"
        assert before.answered is not None
        effects = driver.receive(ACK, xid=before.answered.xid, lease=10)
    idle = effects == () and driver.client == before
    assert idle is (TABLE[phase][column] is ignore)


def test_while_it_waits_to_begin_it_has_been_told_already() -> None:
    driver = driven(Phase.INIT)
    before = driver.client
    assert driver.start() == ()
    assert driver.client == before


@phases
def test_what_only_clients_say_is_no_reply(phase: Phase) -> None:
    for kind in set(MessageType) - {OFFER, ACK, NAK}:
        driver = driven(phase)
        before = driver.client
        assert driver.receive(kind) == ()
        assert driver.client == before


@phases
@pytest.mark.parametrize("kind", [OFFER, ACK, NAK], ids=name_of)
@pytest.mark.parametrize(
    "wrong", [{"chaddr": PEER}, {"server": None}], ids=["hardware address", "no server"]
)
def test_a_reply_that_is_not_for_it_is_not_looked_at(
    phase: Phase, kind: MessageType, wrong: dict[str, Any]
) -> None:
    driver = driven(phase)
    before = driver.client
    assert driver.receive(kind, **wrong) == ()
    assert driver.client == before


@pytest.mark.parametrize("phase", [Phase.REQUESTING, Phase.REBOOTING, Phase.RENEWING])
@pytest.mark.parametrize("lacking", [{"lease": None}, {"address": NO_ADDRESS}])
def test_a_dhcpack_without_lease_is_no_answer(phase: Phase, lacking: dict[str, Any]) -> None:
    """RFC 2131 Table 3 MUST: lease time and address; a lease of no length is one: `cut_off`."""
    driver = driven(phase)
    before = driver.client
    assert driver.receive(ACK, **lacking) == ()
    assert driver.client == before


# Choices that RFC 2131 leaves open ---------------------------------------------------------------


COLLECTING = replace(CONFIG, offer_wait=SECOND)


def test_the_first_offer_is_taken() -> None:
    """RFC 2131 §3.1(3): the client may choose to wait for multiple responses; this one does not."""
    driver = driven(Phase.SELECTING)
    (asked,) = driver.receive(OFFER, server=OTHER, lease=5)
    assert isinstance(asked, Send)
    assert (asked.request.type, asked.request.server) == (MessageType.REQUEST, OTHER)
    assert driver.client.phase is Phase.REQUESTING


def test_the_longest_lease_is_chosen_and_of_equals_the_first() -> None:
    driver = driven(Phase.SELECTING, COLLECTING)
    for server, lease in ((OTHER, None), (SERVER, 60), (OTHER, 60), (SERVER, 5)):
        driver.receive(OFFER, server=server, lease=lease)
    driver.tick()
    (chosen,) = driver.client.offers
    assert (chosen.server, chosen.lease) == (SERVER, 60)


def test_offers_are_collected_from_the_first_one_on() -> None:
    driver = driven(Phase.SELECTING, COLLECTING)
    driver.now += 2 * SECOND
    driver.receive(OFFER)
    first = driver.now
    driver.now += SECOND // 2
    driver.receive(OFFER)
    driver.tick()
    assert driver.now == first + driver.client.config.offer_wait
    assert driver.client.phase is Phase.REQUESTING


def test_a_flood_of_offers_costs_no_more_than_eight() -> None:
    driver = driven(Phase.SELECTING, COLLECTING)
    for length in range(100):
        driver.receive(OFFER, lease=length)
    assert [offer.lease for offer in driver.client.offers] == list(range(8))


def test_an_offer_without_address_offers_nothing() -> None:
    driver = driven(Phase.SELECTING)
    assert driver.receive(OFFER, address=NO_ADDRESS) == ()
    assert driver.client.offers == ()


UNUSABLE = ("0.1.2.3", "127.0.0.1", "224.0.0.5", "239.9.9.9", "240.0.0.1", "255.255.255.255")
unusable = pytest.mark.parametrize(
    "address", [*map(IPv4Address, UNUSABLE), SERVER], ids=[*UNUSABLE, "the server's own"]
)


@unusable
def test_what_no_host_can_have_is_not_offered(address: IPv4Address) -> None:
    """RFC 1122 §3.2.1.3, from memory: no host has an address of these."""
    driver = driven(Phase.SELECTING)
    assert driver.receive(OFFER, address=address) == ()
    assert driver.client.offers == ()


@unusable
@pytest.mark.parametrize("phase", [Phase.REQUESTING, Phase.REBOOTING])
def test_what_no_host_can_have_is_not_taken(phase: Phase, address: IPv4Address) -> None:
    """Where another address than was asked for would be."""
    driver = driven(phase)
    before = driver.client
    assert driver.receive(ACK, address=address) == ()
    assert driver.client == before
    driver.receive(ACK, address=B)
    assert driver.client.phase is Phase.PROBING


@pytest.mark.parametrize("address", ["1.0.0.0", "126.0.0.1", "128.0.0.1", "223.255.255.255"])
def test_the_addresses_beside_them_are_taken(address: str) -> None:
    driver = Driver().acknowledged(address=IPv4Address(address))
    assert driver.client.leased.address == IPv4Address(address)


@phases
def test_at_its_end_it_lets_go_tells_and_remembers(phase: Phase) -> None:
    """The address goes first; nothing is sent or stored, and the client is as before `Start`."""
    driver = driven(phase)
    lease, held = driver.client.lease, driver.client.holds
    removed = () if held is None else (Remove(held),)
    told = () if lease is None else (Notify(Notice.STOPPED, lease),)
    assert driver.feed(Stop()) == (*removed, *told)
    assert driver.client == Client(driver.client.config)
    assert driver.feed(Stop()) == ()
    if lease is not None and held is not None:
        assert driver.start(lease) == ()
        assert driver.client.phase is Phase.INIT_REBOOT


def test_at_its_end_a_lease_that_is_over_lapses() -> None:
    """Then there is nothing left to remember, and one notice says so."""
    driver = driven(Phase.BOUND)
    lease = driver.client.leased
    driver.now += HOUR * SECOND
    assert driver.feed(Stop()) == (Remove(A), Store(None), Notify(Notice.LAPSED, lease))
    assert driver.client == Client(driver.client.config)


def test_neither_its_end_nor_a_dhcprelease_before_shortens_the_rest() -> None:
    driver = driven(Phase.BOUND)
    driver.release()
    rests = driver.client.rests
    driver.feed(Stop())
    assert driver.client.rests == rests is not None


def test_what_was_left_on_the_interface_goes() -> None:
    """RFC 2131 §3.2: only the remembered address, and only while its lease runs, is kept."""
    driver = Driver()
    lease = driver.remembered()
    assert Driver().start(None, B) == (Remove(B),)
    assert Driver().start(lease, B) == (Remove(B),)
    assert Driver().start(lease, A) == ()
    assert Driver().start(lease, None) == ()
    assert Driver(now=driver.now + 1800 * SECOND).start(lease, A) == (Remove(A), Store(None))
    assert Driver(now=driver.now + 1800 * SECOND - 1).start(lease, A) == ()


def test_the_address_may_go_before_the_lease_is_over() -> None:
    """Then it is held no more, not defended, and used again after a probe only."""
    driver = driven(Phase.REBINDING)
    assert driver.gone(B) == ()
    assert driver.client == driven(Phase.REBINDING).client
    assert driver.gone() == ()
    assert driver.client == replace(driven(Phase.REBINDING).client, holds=None)
    assert driver.hear(used_by_other()) == ()
    driver.receive(ACK)
    driver.until(Phase.PROBING).until(Phase.BOUND)
    assert driver.client.holds == A


def test_no_dhcpdiscover_overtakes_a_dhcprelease() -> None:
    """RFC 2131 is silent: the wait after DHCPDECLINE serves here too."""
    driver = driven(Phase.BOUND)
    driver.release()
    driver.start()
    assert driver.wait(10 * SECOND - 1) == []
    assert driver.until(Phase.SELECTING).now >= driver.said[-2][0] + 10 * SECOND


def test_nor_when_it_is_released_again() -> None:
    driver = driven(Phase.BOUND)
    driver.release()
    released = driver.now
    driver.release()
    driver.start()
    assert driver.until(Phase.SELECTING).now >= released + 10 * SECOND


def test_a_lease_too_short_to_be_probed_for_lapses_unused() -> None:
    """RFC 2131 is silent: the kernel would have to remove the address at once."""
    driver = Driver().acknowledged(lease=7)
    lease, before = driver.client.leased, len(driver.said)
    driver.until(Phase.INIT)
    assert driver.now == lease.end
    *probing, (_, lapsed) = driver.said[before:]
    assert [type(each) for _, effects in probing for each in effects] == [SendArp] * 3
    assert lapsed == (Store(None), Notify(Notice.LAPSED, lease))


def test_an_address_that_has_left_is_not_announced() -> None:
    """RFC 5227 §2.3: an announcement says that the sender uses the address.

    The kernel's lifetime of a short lease is over before the second announcement.
    """
    driver = Driver(jitter=200).acknowledged(lease=9, t1=7, t2=8).until(Phase.BOUND)
    lease = driver.client.leased
    assert lease.end is not None
    driver.wait(lease.end - driver.client.config.margin - driver.now)
    driver.gone()
    assert packets(driver.wait(2 * SECOND)) == []


@pytest.mark.parametrize("phase", [Phase.BOUND, Phase.RENEWING, Phase.REBINDING])
def test_an_address_that_has_left_is_not_the_clients_own(phase: Phase) -> None:
    """RFC 2131 Table 1: `ciaddr` only "if client ... can respond to ARP requests"."""
    driver = driven(phase)
    driver.gone()
    driver.tick()
    ((_, effects),) = driver.said[-1:]
    assert [sent.request.ciaddr for sent in of(Send, effects)] in ([], [NO_ADDRESS])


# Whatever happens --------------------------------------------------------------------------------

T = TypeVar("T")


def shifted(value: T, length: Duration) -> T:
    """The same value, with each `Instant` in it later by `length`; fields say what they are."""
    if isinstance(value, tuple):
        return tuple(shifted(each, length) for each in value)  # type: ignore[return-value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes: dict[str, Any] = {}
    for field in fields(value):
        old = getattr(value, field.name)
        dated = "Instant" in str(field.type) and old is not None
        changes[field.name] = old + length if dated else shifted(old, length)
    return replace(value, **changes)


SHIFT = 86_400 * SECOND + 11


class Watched(Driver):
    """A client whose effects are carried out on its interface and lease file, and watched."""

    def __init__(self, config: ClientConfig):
        super().__init__(config)
        self.left: IPv4Address | None = None
        self.phases: set[Phase] = set()

    def feed(self, event: Event) -> Effects:
        host, before, self.left = self.host, self.client, None
        idle = before.phase is Phase.INIT and before.due is None
        match event:
            case Start(remembered, found) if idle:
                host.address, host.stored = found, remembered
            case Gone(address) if address == host.address:
                self.left = host.lose_address()
        probed, held = host.has_sent_probes, host.address
        effects = super().feed(event)
        for at, effect in enumerate(host.carry_out(effects, probed=probed)):
            self.watch(effect, effects[:at], held)
            held = host.address
        if isinstance(event, Stop):
            host.stored = None  # the next process's
        self.check()
        self.phases.add(self.client.phase)
        later = step(shifted(before, SHIFT), shifted(event, SHIFT), self.now + SHIFT, self.drawn)
        assert later == shifted((self.client, effects), SHIFT)
        return effects

    def watch(self, effect: Effect, before: Effects, held: IPv4Address | None) -> None:
        """What holds of an effect now carried out, after those before it in the same step.

        `held`: what was on the interface before it.
        """
        match effect:
            case Remove(address):
                # The lease lapses before its `Gone` is looked at: then it is gone already.
                assert address in (held, self.left)
            case Store(lease):
                assert held is None or lease is not None
            case Configure(lease, until):
                assert Store(lease) in before
                assert (until is None) is (lease.end is None)
                if until is not None and lease.end is not None:
                    assert self.now < until == lease.end - self.client.config.margin
            case Notify(Notice.STOPPED, lease):
                assert lease is not None
                assert self.host.stored in (None, lease)
            case Notify(Notice.LAPSED, lease):
                assert lease is not None
                assert lease.end is not None
                assert lease.end <= self.now
                assert self.host.stored is None
            case Notify(Notice.BOUND | Notice.EXTENDED, lease):
                assert lease is not None
                assert (held, self.host.stored) == (lease.address, lease)

    def check(self) -> None:
        """What holds between two events."""
        client = self.client
        assert client.holds == self.host.address
        if client.lease is not None and client.lease.end is not None:
            assert self.now < client.lease.end
        if self.host.address is not None:
            assert client.lease is not None
            assert client.lease.address == self.host.address
            assert client.lease == self.host.stored
        assert self.host.stored in (None, client.lease)
        due = deadline(client)
        if due is not None and due > self.now:
            for early in {self.now, due - 1}:
                assert step(client, Timer(), early, self.chance()) == (client, ())


# A move is how long after the one before, by whose clock, and what then happens.
Delay = Callable[[Driver], Duration]
Move = Callable[[Watched], object]


def due(driver: Driver, more: Duration = 0) -> Duration:
    """How long until the deadline, and so much more."""
    at = deadline(driver.client)
    return max(0, (driver.now if at is None else at) + more - driver.now)


def end(driver: Driver, more: Duration) -> Duration:
    """How long until the end of the lease, and so much more."""
    lease = driver.client.lease
    at = driver.now if lease is None or lease.end is None else lease.end
    return max(0, at + more - driver.now)


few = st.integers(0, 12)
delays: st.SearchStrategy[Delay] = st.one_of(
    st.just(lambda driver: 0),
    st.just(lambda driver: due(driver)),
    few.map(lambda more: lambda driver: more),
    st.integers(-1, 60).map(lambda more: lambda driver: due(driver, more)),
    st.integers(-3, 3).map(lambda more: lambda driver: end(driver, more)),
    st.integers(0, 10**6).map(lambda more: lambda driver: more),
)
addresses = st.sampled_from([A, A, A, B, C, NO_ADDRESS])
numbers = st.one_of(st.integers(0, 60), st.just(INFINITE), st.integers(0, INFINITE))
hostile: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "xid": st.integers(0, 2**32 - 1),
        "chaddr": st.sampled_from([PEER, MAC]),
        "client_id": st.sampled_from([None, IDENTIFIER, b"another"]),
        "server": st.sampled_from([None, SERVER, OTHER]),
        "address": addresses,
        "lease": st.one_of(st.none(), numbers),
        "t1": st.one_of(st.none(), numbers),
        "t2": st.one_of(st.none(), numbers),
    },
)
terms = st.fixed_dictionaries(
    {"lease": st.one_of(st.integers(5, 200), st.integers(30, 200), st.just(INFINITE))},
    optional={"t1": few, "t2": few},
)
arps = st.builds(
    Arp,
    st.sampled_from(ArpOperation),
    st.sampled_from([MAC, PEER, PEER]),
    addresses,
    st.just(bytes(6)),
    addresses,
)


@st.composite
def leases(draw: st.DrawFn) -> Callable[[Instant], Lease]:
    """A lease as a lease file may have it: running, just over, or without end."""
    address, server = draw(st.sampled_from([A, B])), draw(st.sampled_from([SERVER, OTHER]))
    begin, *lengths = draw(st.integers(-30, 0)), *draw(st.tuples(few, few, st.integers(0, 100)))
    if draw(st.integers(0, 4)) == 0:
        return lambda now: Lease(address, server, None, None, None, Options())
    t1, t2, last = (begin + sum(lengths[:i]) + i for i in (1, 2, 3))
    return lambda now: Lease(address, server, now + t1, now + t2, now + last, Options())


ASKS = (Phase.REQUESTING, Phase.RENEWING, Phase.REBINDING, Phase.REBOOTING)


def go_on(driver: Watched, more: dict[str, Any]) -> None:
    """The server answers what it was asked; else the deadline comes."""
    if driver.client.phase is Phase.SELECTING and not driver.client.offers:
        driver.receive(OFFER, **more)
    elif driver.client.phase in ASKS:
        driver.receive(ACK, **more)
    else:
        driver.now += due(driver)
        driver.timer()


def started(driver: Watched, lease: Callable[[Instant], Lease] | None, found: object) -> None:
    remembered = None if lease is None else lease(driver.now)
    left = remembered.address if found is True and remembered is not None else found
    driver.start(remembered, left if isinstance(left, IPv4Address) else None)


def leaves(driver: Watched, address: IPv4Address | None) -> None:
    """The kernel's lifetime is over; or some other address has left."""
    driver.gone(address or driver.host.address or A)


def insists(driver: Watched, times: int) -> None:
    """Another host uses the client's address, and goes on."""
    for _ in range(times):
        driver.hear(used_by_other(driver.client.holds or A))


starts: st.SearchStrategy[Move] = st.builds(
    lambda lease, found: lambda driver: started(driver, lease, found),
    st.one_of(st.none(), st.none(), leases()),
    st.sampled_from([None, True, True, B]),
)
ticks: st.SearchStrategy[Move] = st.just(lambda driver: driver.timer())
answers: st.SearchStrategy[Move] = terms.map(lambda more: lambda driver: go_on(driver, more))
conflicts: st.SearchStrategy[Move] = st.integers(1, 2).map(
    lambda times: lambda driver: insists(driver, times)
)
moves: st.SearchStrategy[Move] = st.one_of(
    ticks,
    answers,
    conflicts,
    starts,
    st.builds(
        lambda kind, more: lambda driver: driver.receive(kind, **more),
        st.one_of(st.sampled_from([OFFER, ACK, NAK]), st.sampled_from(MessageType)),
        hostile,
    ),
    st.just(lambda driver: driver.receive(NAK)),
    arps.map(lambda packet: lambda driver: driver.hear(packet)),
    st.sampled_from([None, None, B]).map(lambda address: lambda driver: leaves(driver, address)),
    st.just(lambda driver: driver.release()),
    st.just(lambda driver: driver.feed(Stop())),
)
at_once: st.SearchStrategy[Delay] = st.just(lambda driver: 0)
on_time: st.SearchStrategy[Delay] = st.just(lambda driver: due(driver))
soon: st.SearchStrategy[Delay] = st.one_of(at_once, few.map(lambda more: lambda driver: more))


def taken(
    delay: st.SearchStrategy[Delay], move: st.SearchStrategy[Move]
) -> st.SearchStrategy[tuple[Delay, int, Move]]:
    return st.tuples(delay, st.integers(0, 1000), move)


# Most steps lead on: with equal shares few runs would ever come to use an address.
steps = st.one_of(
    *[taken(on_time, ticks)] * 4,
    *[taken(at_once, answers)] * 4,
    *[taken(soon, moves)] * 2,
    taken(delays, moves),
)
runs = st.builds(
    lambda first, rest: [first, *rest],
    taken(at_once, starts),
    st.lists(steps, min_size=10, max_size=40),
)


@st.composite
def configs(draw: st.DrawFn) -> ClientConfig:
    """Small constants; a client that asks again has to wait for it, and at least one unit."""
    low, high = sorted(draw(st.tuples(few, few)))
    probe_least, probe_most = sorted(draw(st.tuples(few, few)))
    jitter = draw(st.integers(0, 3))
    return ClientConfig(
        hardware=MAC,
        client_id=draw(st.sampled_from([None, IDENTIFIER])),
        broadcast=draw(st.booleans()),
        second=draw(st.sampled_from([1, 1, 2, 10])),
        start_least=low,
        start_most=high,
        offer_wait=draw(few),
        offers_most=draw(st.integers(1, 3)),
        backoff_least=jitter + 1 + draw(few),
        backoff_most=jitter + 13 + draw(st.integers(0, 60)),
        backoff_jitter=jitter,
        ask_time=draw(st.integers(0, 60)),
        retry_floor=1 + draw(few),
        fuzz=draw(st.integers(0, 1000)),
        decline_wait=draw(few),
        margin=draw(few),
        probes=draw(st.integers(0, 3)),
        probe_wait=draw(few),
        probe_least=probe_least,
        probe_most=probe_most,
        announce_wait=draw(few),
        announcements=draw(st.integers(0, 3)),
        announce_interval=draw(few),
        defend_interval=draw(few),
        conflicts_most=draw(st.integers(1, 3)),
        conflicts_wait=draw(few),
    )


def run(config: ClientConfig, moves: Sequence[tuple[Delay, int, Move]]) -> Watched:
    """The moves, one after the other; `Watched` checks."""
    driver = Watched(config)
    for delay, jitter, move in moves:
        driver.now += delay(driver)
        driver.jitter = jitter
        move(driver)
    return driver


@settings(max_examples=300)
@given(configs(), runs)
def test_whatever_happens(config: ClientConfig, moves: Sequence[tuple[Delay, int, Move]]) -> None:
    """It never raises, and between any two events what `Watched` checks holds."""
    run(config, moves)


@settings(max_examples=100)
@given(configs(), runs, st.integers(0, 1000))
def test_left_alone_it_is_never_busy(
    config: ClientConfig, moves: Sequence[tuple[Delay, int, Move]], jitter: int
) -> None:
    """A `Timer` at each deadline, and nothing else: time goes on; `tick` counts."""
    driver = run(config, moves)
    driver.jitter = jitter
    for _ in range(60):
        if deadline(driver.client) is None:
            return
        driver.tick()


class EverywhereError(Exception):
    """Each phase, notice and kind of effect has been seen."""


def test_the_random_runs_get_everywhere() -> None:
    """Else what holds of them would say little: each phase, each notice, each way to send.

    Hypothesis draws from the constants of the modules that are loaded, too, and which are loaded
    depends on the tests that ran before: so other runs come each time. The bound on them is ten
    times what a search for all of it takes; it ends once all has been seen.
    """
    said = {MessageType(kind) for kind in (1, 3, 4, 7)}
    unseen: set[object] = {*Phase, *Notice, *said, Send, SendArp, Configure, Remove, Store, Notify}

    @settings(max_examples=5000, derandomize=True, database=None, phases=[Part.generate])
    @given(configs(), runs)
    def look(config: ClientConfig, moves: Sequence[tuple[Delay, int, Move]]) -> None:
        driver = run(config, moves)
        unseen.difference_update(driver.phases)
        for _, effects in driver.said:
            unseen.difference_update(type(effect) for effect in effects)
            unseen.difference_update(effect.notice for effect in of(Notify, effects))
            unseen.difference_update(effect.request.type for effect in of(Send, effects))
        if not unseen:
            raise EverywhereError

    with suppress(EverywhereError):
        look()
    assert unseen == set()
