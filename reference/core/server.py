"""The reference server: RFC 2131 from the server's side, as a pure function on values.

Theory of operation.  `step(server, event, now)` gives the server after an event and the effects
that its surroundings are to carry out, in their order; `deadline(server)` is the instant at which
it wants a `Timer`.  No sockets, no clock, no threads, no randomness.

`TABLE` has a line for each message of a client, `FLAVOURS` one for each kind of DHCPREQUEST, told
apart by RFC 2131 Table 4.  Before either comes what is due: probes and reservations that are over,
declined addresses that come back.  Only ARP goes before that: who answers a probe is not to lose
to a late `Timer`.

The discipline.  A binding is stored before its DHCPACK leaves, and a running one ends earlier only
if its client gives it up.  Whoever was bound stays on record after the end, until the address goes
to another; that takes a strictly longer time than the grace.  A reservation binds nobody: whoever
is on record for an address goes before whom it was offered to.

Where the RFC is silent.  A renewal of an address that is on record for nobody gets no answer: it
may be another server's.  One that is on record for another is refused.  RENEWING and REBINDING look
alike here, also where option 50 is filled in besides `ciaddr`; any other DHCPREQUEST that Table 4
does not know gets no answer.  Who may decline: whom the address is leased or on offer to.  How long
it is withheld: for longer each time, and until nobody answers a probe.  Where nothing else is left,
what is withheld on a client's word only is doubted; what was seen in use is not.

Where it deviates.  DHCPOFFER promises a whole lease where §4.3.1 wants the rest of a running one.
Parameters go out whether asked for or not.  No reply has a message for humans (SHOULD, Table 3),
none has T1 and T2: the client computes them.

What it does not know: who carries out its effects, and whether they succeeded, but for records that
cannot be stored (`Recording`); subnets but that of its link, so that an address on the wrong one is
just none of its pool; relays' options (RFC 3046) and links, so that it probes a relay's clients in
vain; who was declined or offered what before a restart.

What it does wrong on request is `Misbehaviour`; the lease table has no rows for `nak` to a client
on record, nor for wrong replies.  § alone is a section of RFC 2131.  RFC 6842 is cited from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from holdover.reference.core.config import ServerConfig
from holdover.reference.core.events import Heard, SendArp, Timer
from holdover.reference.core.instants import Instant
from holdover.reference.core.pool import earliest
from holdover.reference.core.server_state import (
    Binding,
    ClientKey,
    Entry,
    Late,
    ReceivedRequest,
    Recording,
    Reinstate,
    Reservation,
    Server,
    ServerEffects,
    ServerEvent,
    ServerStepped,
    StartServer,
    StoreBinding,
    Withheld,
    abstract,
    key_of,
    reply,
)
from holdover.reference.wire.arp import probe
from holdover.reference.wire.messages import BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE

__all__ = ["FLAVOURS", "TABLE", "Server", "abstract", "deadline", "step"]

# The core ----------------------------------------------------------------------------------------


def step(server: Server, event: ServerEvent, now: Instant) -> ServerStepped:
    """The server after the event, and what its surroundings are to do, in this order."""
    if isinstance(event, Heard | StartServer):
        server, effects = act(server, event, now)
        server, more = catch_up(server, now)
    else:
        server, effects = catch_up(server, now)
        server, more = act(server, event, now)
    effects += more
    if is_mute(server.config, now):
        effects = tuple(effect for effect in effects if isinstance(effect, StoreBinding))
    return server, effects


def act(server: Server, event: ServerEvent, now: Instant) -> ServerStepped:
    """What is done about the event itself."""
    if isinstance(event, ReceivedRequest | Heard) and is_mute(server.config, now):
        return server, ()
    return EVENTS[type(event)](server, event, now)


def deadline(server: Server) -> Instant | None:
    """When to hand in a `Timer`; None: nothing to wait for but events."""
    forget_at = None if server.forgotten else server.config.misbehave.forget_at
    return earliest((forget_at, server.known.due))


# What comes before the tables --------------------------------------------------------------------


def catch_up(server: Server, now: Instant) -> ServerStepped:
    """What is due: late answers leave, what was withheld or reserved is so no longer."""
    server, effects = forget(server, now)
    for address, entry in server.known.due_by(now):
        after = entry
        if entry.late is not None and entry.late.due <= now:
            effects += (entry.late.send,)
            after = replace(after, late=None)
        if entry.withheld is not None and entry.withheld.until <= now:
            after, more = verify(server.config, address, after, now)
            effects += more
        if entry.offer is not None and entry.offer.until <= now:
            after = replace(after, offer=None)
        server = server.put(address, after)
        if entry.offer != after.offer and entry.offer is not None and entry.offer.discover:
            server, more = offer(server, entry.offer.discover, address, now)
            effects += more
    return server, effects


def forget(server: Server, now: Instant) -> ServerStepped:
    """A misbehaviour: leases are lost, on the disk as well, reservations and quarantines too."""
    forget_at = server.config.misbehave.forget_at
    if server.forgotten or forget_at is None or now < forget_at:
        return server, ()
    lost = (address for address, entry in server.entries if entry.binding is not None)
    after = Server(server.config, forgotten=True, recording=server.recording)
    return after, tuple(StoreBinding(address, None) for address in lost)


def is_mute(config: ServerConfig, now: Instant) -> bool:
    """A misbehaviour: it neither answers nor takes anything."""
    begin, end = config.misbehave.mute_from, config.misbehave.mute_until
    return begin is not None and begin <= now and (end is None or now < end)


# Events ------------------------------------------------------------------------------------------


def receive(server: Server, event: ReceivedRequest, now: Instant) -> ServerStepped:
    """What the table says of the message; without identifier or `chaddr` it is nobody's (§4.2).

    Nor is what a relay on another link has sent: an address is "selected based on [...] the address
    of the relay agent" (§4.3.1), and none of the pool is of use there.
    """
    request, subnet = event.request, server.config.subnet
    relayed = request.giaddr != NO_ADDRESS
    if not key_of(request).identifier or (
        relayed and (subnet is None or request.giaddr not in subnet)
    ):
        return server, ()
    return TABLE.get(request.type, ignore)(server, request, now)


def hear(server: Server, event: Heard, now: Instant) -> ServerStepped:
    """§2.2, §3.1(2): another host uses the address that is probed; the next one is tried.

    Only the client for which it is probed may have it.
    """
    address = event.arp.sender
    entry = server.entry(address)
    waits = None if entry.offer is None else entry.offer.discover
    probed = entry.withheld is not None and entry.withheld.probed
    if (waits is None and not probed) or (
        waits is not None and event.arp.sender_hardware == waits.chaddr
    ):
        return server, ()
    after = withhold(server, address, replace(entry, offer=None), now, seen=True)
    return (after, ()) if waits is None else discover(after, waits, now)


def start(server: Server, event: StartServer, now: Instant) -> ServerStepped:
    """§4, §3.1(4): the leases are what was stored; nothing else survives, as far as RFCs say."""
    stored = [(address, Entry(binding)) for address, binding in event.bindings]
    return replace(server, entries=stored), ()


def reinstate(server: Server, event: Reinstate, now: Instant) -> ServerStepped:
    """§4.3.3 is silent on how long an address is not available: it is looked into at once."""
    entry = server.entry(event.address)
    if entry.withheld is None or entry.withheld.probed:
        return server, ()
    after, effects = verify(server.config, event.address, entry, now)
    return server.put(event.address, after), effects


def recording(server: Server, event: Recording, now: Instant) -> ServerStepped:
    """§3.1(4), §4: what cannot be stored is not promised (`confirm_rest`)."""
    return replace(server, recording=event.works), ()


def ignore(server: Server, event: object, now: Instant) -> ServerStepped:
    """Nothing happens."""
    return server, ()


# Offering ----------------------------------------------------------------------------------------


def discover(server: Server, request: BootRequest, now: Instant) -> ServerStepped:
    """§4.3.1: an address is chosen, probed, and offered; where there is none, silence.

    Before that, one that is not available on a client's word only is doubted: the oldest is probed.
    """
    config, key = server.config, key_of(request)

    def preference(address: IPv4Address) -> tuple[int, ...]:
        """§4.3.1: on record for it, reserved for it, asked for, never used, longest over."""
        entry = server.entry(address)
        end = None if entry.binding is None else entry.binding.end
        mine, endless = entry.is_of(key), entry.binding is not None and end is None
        return (
            not mine,
            entry.offer is None or entry.offer.key != key,
            address != request.requested,
            entry.binding is not None,
            endless != mine,
            (end or 0) * (-1 if mine else 1),
        )

    candidates = server.known.candidates(key, request.requested)
    entries = ((address, server.entry(address)) for address in candidates)
    on_offer = [a for a, e in entries if is_open(config, e, key, now) or is_awaited(e, key)]
    if not server.recording:
        on_offer = [a for a in on_offer if seconds_left(config, server.entry(a), key, now)]
    address = min(on_offer, key=preference, default=None)
    if address is None and server.recording:
        address = server.known.doubted
    return (server, ()) if address is None else propose(server, request, address, now)


def is_open(config: ServerConfig, entry: Entry, key: ClientKey, now: Instant) -> bool:
    """It may be offered to the client; §4.3.1 SHOULD NOT: while it is on offer to another."""
    unreserved = entry.offer is None or entry.offer.key == key
    mine = entry.is_of(key) or reusable(config, entry, now)
    return entry.withheld is None and unreserved and mine


def is_awaited(entry: Entry, key: ClientKey) -> bool:
    """The client waits for a probe of it."""
    return entry.offer is not None and entry.offer.key == key and entry.offer.discover is not None


def reusable(config: ServerConfig, entry: Entry, now: Instant) -> bool:
    """§2.2: nobody's, or the lease is over and so is the grace, strictly."""
    if entry.binding is None or config.misbehave.reuse_early:
        return True
    return entry.binding.end is not None and now - entry.binding.end > config.grace


def propose(
    server: Server, request: BootRequest, address: IPv4Address, now: Instant
) -> ServerStepped:
    """§3.1(2) SHOULD: probe first, be it new or on record for the client: records may be wrong.

    A DHCPDISCOVER that comes again while its probe is out waits in the place of the first.  What is
    withheld stays so until its probe is over.
    """
    config, key, entry = server.config, key_of(request), server.entry(address)
    if entry.offer is not None and entry.offer.discover is not None:
        waits = replace(entry.offer, discover=request)
        return server.put(address, replace(entry, offer=waits)), ()
    wait = config.probe_wait
    if entry.withheld is not None:
        wait = max(wait, config.verify_wait)
    if not wait:
        return offer(server, request, address, now)
    entry = replace(entry, offer=Reservation(key, now + wait, request))
    if entry.withheld is not None:
        entry = replace(entry, withheld=replace(entry.withheld, until=now + wait, probed=True))
    return server.put(address, entry), (SendArp(probe(config.hardware, address)),)


def offer(
    server: Server, request: BootRequest, address: IPv4Address, now: Instant
) -> ServerStepped:
    """§4.3.1: DHCPOFFER; the address is kept for the client for a while."""
    config, key, entry = server.config, key_of(request), server.entry(address)
    seconds = length(config, request, entry, now)
    if not server.recording and not (seconds := seconds_left(config, entry, key, now)):
        return server, ()
    kept = Reservation(key, now + config.offer_time)
    after = server.put(address, replace(entry, offer=kept, withheld=None))
    return after, (reply(server, request, MessageType.OFFER, address, seconds),)


# DHCPREQUEST -------------------------------------------------------------------------------------


def answer_request(server: Server, request: BootRequest, now: Instant) -> ServerStepped:
    """§4.3.2: which of its flavours it is, Table 4 says."""
    if server.config.misbehave.nak:
        return refuse(server, request, now)
    flavour = (
        request.server is not None, request.requested is not None, request.ciaddr != NO_ADDRESS,
    )  # fmt: skip
    return FLAVOURS.get(flavour, ignore)(server, request, now)


def selecting(server: Server, request: BootRequest, now: Instant) -> ServerStepped:
    """§4.3.2 SELECTING: an offer is taken; another server's is a refusal of ours (§3.1(4)).

    It need not be on offer still: §4.3.2 lets the server choose when to reuse what it offered.
    """
    config, key, address = server.config, key_of(request), request.requested
    if request.server != config.identifier:
        return server.unreserve(key), ()
    assert address is not None
    entry = server.entry(address)
    if server.leases(address) and (is_open(config, entry, key, now) or is_granted(entry, key)):
        return commit(server, request, address, length(config, request, entry, now), now)
    return refuse(server, request, now)


def reboot(server: Server, request: BootRequest, now: Instant) -> ServerStepped:
    """§4.3.2 INIT-REBOOT: silence where there is no record of the client (MUST)."""
    key, address = key_of(request), request.requested
    assert address is not None
    if not any(server.entry(known).is_of(key) for known in server.known.concerning(key)):
        return server, ()
    entry = server.entry(address)
    if is_granted(entry, key):
        return commit(server, request, address, length(server.config, request, entry, now), now)
    return refuse(server, request, now)


def renew(server: Server, request: BootRequest, now: Instant) -> ServerStepped:
    """§4.3.2 RENEWING, REBINDING: silence where there is no record of the address."""
    key, address, shorten = key_of(request), request.ciaddr, server.config.misbehave.shorten
    entry = server.entry(address)
    if entry.binding is None:
        return server, ()
    if not is_granted(entry, key):
        return refuse(server, request, now)
    seconds = length(server.config, request, entry, now) if shorten is None else shorten
    return commit(server, request, address, seconds, now)


def is_granted(entry: Entry, key: ClientKey) -> bool:
    """The client is on record for it, be the lease over or not, and may have it."""
    return entry.is_of(key) and entry.withheld is None


def commit(
    server: Server, request: BootRequest, address: IPv4Address, seconds: int, now: Instant
) -> ServerStepped:
    """§3.1(4): the record first, then DHCPACK; the lease runs from now.

    While an answer is late, the same client's next request for the address gets none of its own.
    """
    config, key, entry = server.config, key_of(request), server.entry(address)
    if not server.recording:
        return confirm_rest(server, request, address, now)
    if entry.late is not None and entry.is_of(key):
        return server, ()
    binding = Binding(key, None if seconds == INFINITE else now + seconds * config.second)
    ack = reply(server, request, MessageType.ACK, address, seconds)
    late = Late(now + config.misbehave.ack_delay, ack) if config.misbehave.ack_delay else None
    conflicts = entry.conflicts if request.ciaddr == NO_ADDRESS else 0
    bound = Entry(binding, conflicts=conflicts, late=late)
    after = server.unreserve(key).put(address, bound)
    return after, (StoreBinding(address, binding), *(() if late else (ack,)))


def confirm_rest(
    server: Server, request: BootRequest, address: IPv4Address, now: Instant
) -> ServerStepped:
    """§4.3.2: it "may choose not to extend the lease", and "should return a DHCPACK": of the rest.

    More cannot be stored, and so not be kept (§3.1(4)).  Who has nothing on record is refused
    (§3.1(4) SHOULD: "unable to satisfy"); whose lease is over hears nothing, and goes on asking.
    """
    key, entry = key_of(request), server.entry(address)
    if not entry.is_of(key):
        return refuse(server, request, now)
    seconds = seconds_left(server.config, entry, key, now)
    if not seconds:
        return server, ()
    return server, (reply(server, request, MessageType.ACK, address, seconds),)


def seconds_left(config: ServerConfig, entry: Entry, key: ClientKey, now: Instant) -> int:
    """Whole seconds that the client has on record."""
    if not entry.is_of(key) or not entry.runs(now):
        return 0
    assert entry.binding is not None
    end = entry.binding.end
    return INFINITE if end is None else (end - now) // config.second


def refuse(server: Server, request: BootRequest, now: Instant) -> ServerStepped:
    """§4.3.2, §3.1(4): DHCPNAK."""
    return server, (reply(server, request, MessageType.NAK),)


def length(config: ServerConfig, request: BootRequest, entry: Entry, now: Instant) -> int:
    """§4.3.1: what is asked for, as far as it is configured, and never less than is left."""
    asked = min(request.lease or config.lease, config.lease)
    if not entry.is_of(key_of(request)) or not entry.runs(now):
        return asked
    assert entry.binding is not None
    end = entry.binding.end
    return INFINITE if end is None else max(asked, -((now - end) // config.second))


def withhold(
    server: Server, address: IPv4Address, entry: Entry, now: Instant, *, seen: bool
) -> Server:
    """§4.3.3 "not available", and silent on how long: each time twice as long, up to a most."""
    least, most = server.config.decline_time, server.config.decline_most
    time = min(least << entry.conflicts, most)
    conflicts = entry.conflicts + (time < most)
    kept = replace(entry, withheld=Withheld(now, now + time, seen), conflicts=conflicts)
    return server.put(address, kept)


def verify(
    config: ServerConfig, address: IPv4Address, entry: Entry, now: Instant
) -> tuple[Entry, ServerEffects]:
    """Whether it is given back: first it is probed (§2.2); nobody has answered, so it is."""
    assert entry.withheld is not None
    if entry.withheld.probed or not config.verify_wait:
        return replace(entry, withheld=None), ()
    probed = replace(entry.withheld, until=now + config.verify_wait, probed=True)
    return replace(entry, withheld=probed), (SendArp(probe(config.hardware, address)),)


# Other messages ----------------------------------------------------------------------------------


def decline(server: Server, request: BootRequest, now: Instant) -> ServerStepped:
    """§4.3.3 MUST: "the suggested network address" is not available.

    It is suggested to whom it is on record or on offer, and by the server that is named (Table 5
    MUST).  Of anybody else's word an address would be lost to all.
    """
    key, address = key_of(request), request.requested
    if address is None or request.server != server.config.identifier:
        return server, ()
    entry = server.entry(address)
    if entry.binding is None:
        if entry.offer is None or entry.offer.key != key or entry.offer.discover is not None:
            return server, ()
    elif not entry.is_of(key):
        return server, ()
    unbound = () if entry.binding is None else (StoreBinding(address, None),)
    return withhold(server, address, Entry(conflicts=entry.conflicts), now, seen=False), unbound


def release(server: Server, request: BootRequest, now: Instant) -> ServerStepped:
    """§4.3.4: not allocated.  Its parameters (SHOULD) need no record: all clients' are alike.

    Table 5 MUST: option 54; a client that leaves it out is believed.
    """
    entry = server.entry(request.ciaddr)
    named = request.server in (None, server.config.identifier)
    if not entry.is_of(key_of(request)) or not named:
        return server, ()
    after = server.put(request.ciaddr, replace(entry, binding=None, late=None))
    return after, (StoreBinding(request.ciaddr, None),)


def inform(server: Server, request: BootRequest, now: Instant) -> ServerStepped:
    """§4.3.5: DHCPACK to `ciaddr`, relay or not; no lease time (MUST NOT), no `yiaddr`."""
    if request.ciaddr == NO_ADDRESS:
        return server, ()
    return server, (replace(reply(server, request, MessageType.ACK), to=request.ciaddr),)


# The tables --------------------------------------------------------------------------------------

Handler = Callable[[Server, BootRequest, Instant], ServerStepped]

EVENTS: Mapping[type, Callable[[Server, Any, Instant], ServerStepped]] = {
    ReceivedRequest: receive,
    Heard: hear,
    Timer: ignore,
    StartServer: start,
    Reinstate: reinstate,
    Recording: recording,
}

TABLE: Mapping[MessageType, Handler] = {
    MessageType.DISCOVER: discover,
    MessageType.REQUEST: answer_request,
    MessageType.DECLINE: decline,
    MessageType.RELEASE: release,
    MessageType.INFORM: inform,
}

FLAVOURS: Mapping[tuple[bool, bool, bool], Handler] = {
    # server identifier, requested address, ciaddr (Table 4)
    (True, True, False): selecting,
    (False, True, False): reboot,
    (False, False, True): renew,
    # §4.3.2: it "will trust the value in 'ciaddr'"; dhcping fills in option 50 as well
    (False, True, True): renew,
}
