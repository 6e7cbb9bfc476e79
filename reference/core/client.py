"""The reference client: RFC 2131 from the client's side, as a pure function on values.

Theory of operation.  `step(client, event, now, chance)` gives the client after an event and the
effects that its surroundings are to carry out, in their order; `deadline(client)` is the instant at
which it wants a `Timer`.  No sockets, no clock, no threads, no randomness: `now` and `chance` come
in.

`ROWS` has a line for each phase of Figure 5 and a column for each event; what is ignored is written
there.  Two things come before it.  A lease that is over lapses first, whatever the event, so that
no order of events finds a client that uses an address after its end (§4.4.5 MUST).  And a reply
that is not for this exchange is not looked at (§4.4.1, RFC 6842 §3).

A DHCPACK is the server's word: what it leaves is what the client has, if that is nothing too.  The
first answer to a DHCPREQUEST may give more time than there was; a second one, to a DHCPREQUEST that
was sent or delivered twice, only less: the server's record ends by the later of the two.

The discipline.  A lease counts from the sending of its DHCPREQUEST.  An address is first removed,
then forgotten, then the user is told; it is written down before it is used, and forgotten before
the server hears that it is given up.  The kernel is told to remove it by itself, `margin` before
the end, since it may be that late.  A frozen client is none the worse.

What it does not know: who carries out its effects, and whether they succeeded; more than one
address; option 108 (RFC 8925) and DHCPFORCERENEW (RFC 3203), which it does not ask for and drops.
§ alone is a section of RFC 2131.  RFC 1122, 5227 and 6842 are cited from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from holdover.reference.core.client_state import (
    Answered,
    Client,
    Effects,
    Exchange,
    Stepped,
    abstract,
)
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Chance,
    Configure,
    Event,
    Gone,
    Heard,
    Lease,
    Notice,
    Notify,
    Phase,
    Received,
    Release,
    Remove,
    Send,
    SendArp,
    Start,
    Stop,
    Store,
    Timer,
)
from holdover.reference.core.instants import Duration, Instant
from holdover.reference.wire.arp import announcement, probe
from holdover.reference.wire.messages import NO_OPTIONS, BootReply, BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE

__all__ = ["COLUMNS", "TABLE", "Client", "abstract", "deadline", "step"]

# The core ----------------------------------------------------------------------------------------


def step(client: Client, event: Event, now: Instant, chance: Chance) -> Stepped:
    """The client after the event, and what its surroundings are to do, in this order."""
    if not has_lapsed(client, now):
        return act(client, event, now, chance)
    client, effects = lapse(client, now, chance)
    client, more = act(client, event, now, chance)
    return client, effects + more


def act(client: Client, event: Event, now: Instant, chance: Chance) -> Stepped:
    """What the table says of the event."""
    column: object = type(event)
    if isinstance(event, Received):
        if not is_answer(client, event.reply):
            return client, ()
        column = event.reply.type
    return TABLE[client.phase].get(column, ignore)(client, event, now, chance)


def deadline(client: Client) -> Instant | None:
    """When to hand in a `Timer`; None: nothing to wait for but events."""
    instants = [client.due]
    if client.exchange is not None and not (client.phase is Phase.SELECTING and client.offers):
        instants.append(client.exchange.send_at)
    if client.lease is not None:
        instants.append(client.lease.end)
        if client.phase is Phase.BOUND:
            instants.append(client.lease.renew_at)
        if client.phase is Phase.RENEWING:
            instants.append(client.lease.rebind_at)
    return min([instant for instant in instants if instant is not None], default=None)


# What comes before the table ---------------------------------------------------------------------


def has_lapsed(client: Client, now: Instant) -> bool:
    """The lease is over, at its end itself (§4.4.5)."""
    return client.lease is not None and not client.lease.runs(now)


def lapse(client: Client, now: Instant, chance: Chance) -> Stepped:
    """§4.4.5 "MUST immediately stop"; §3.7: inform the user, never wait.

    Figure 5 draws it from REBINDING only; who was frozen or asleep finds it due in any phase.
    """
    after, effects = begin_again(client, soon(client, now, chance))
    return after, (*effects, Notify(Notice.LAPSED, client.lease))


def is_answer(client: Client, reply: BootReply) -> bool:
    """Whether a reply is for this exchange, and complete.

    §4.4.1: another xid is discarded.  RFC 6842 §3: so is another client's identifier; a server that
    echoes none is an old one.  Table 3 MUST: each reply names its server.
    """
    asking = client.exchange or client.answered
    return (
        asking is not None
        and reply.xid == asking.xid
        and reply.chaddr == client.config.hardware
        and reply.client_id in (None, client.config.client_id)
        and reply.server is not None
    )


# Beginning ---------------------------------------------------------------------------------------


def start(client: Client, event: Start, now: Instant, chance: Chance) -> Stepped:
    """§3.2: go on with what is remembered and not over; nothing else stays on the interface."""
    if client.due is not None:
        return client, ()
    lease = event.remembered
    if lease is None or not lease.runs(now):
        forgets = () if lease is None else (Store(None),)
        due = max(soon(client, now, chance), now if client.rests is None else client.rests)
        return initial(client, due), (*remove(event.found), *forgets)
    kept = lease.address if event.found == lease.address else None
    after = replace(client, phase=Phase.INIT_REBOOT, due=now, lease=lease, holds=kept)
    return after, () if kept else remove(event.found)


def soon(client: Client, now: Instant, chance: Chance) -> Instant:
    """§4.4.1 has a random wait at startup; here it is before each beginning.

    A server that refuses everything is then not asked without pause.
    """
    return now + chance.between(client.config.start_least, client.config.start_most)


def initial(client: Client, due: Instant | None) -> Client:
    """INIT, to begin when it is due; None: not before `Start`."""
    rests = client.rests if due is None else None
    return Client(client.config, due=due, conflicts=client.conflicts, rests=rests)


def begin_again(client: Client, due: Instant | None) -> Stepped:
    """INIT with nothing held and nothing remembered."""
    return initial(client, due), (*remove(client.holds), *forget(client))


def is_due(client: Client, now: Instant) -> bool:
    """What the client waits for is over."""
    return client.due is not None and client.due <= now


def remove(address: IPv4Address | None) -> Effects:
    """Off the interface, if it is there."""
    return () if address is None else (Remove(address),)


def forget(client: Client) -> Effects:
    """Out of the lease file, if it may be there."""
    return () if client.lease is None else (Store(None),)


def begin(client: Client, event: Timer, now: Instant, chance: Chance) -> Stepped:
    """INIT: the wait is over; DHCPDISCOVER (§4.4.1)."""
    if not is_due(client, now):
        return client, ()
    exchange = new_exchange(client, now, chance)
    after = replace(client, phase=Phase.SELECTING, due=None, exchange=exchange)
    return after, (Send(message(after, MessageType.DISCOVER)),)


# Selecting and requesting ------------------------------------------------------------------------


def selecting(client: Client, event: Timer, now: Instant, chance: Chance) -> Stepped:
    """SELECTING: the offers are in; or nobody has offered anything, and DHCPDISCOVER goes again.

    Under the same xid, so that a slow server's offer still counts; §4.1 leaves it open.
    """
    if client.offers:
        due = is_due(client, now)
        return select(client, client.offers, now, chance) if due else (client, ())
    if now < client.asking.send_at:
        return client, ()
    after = replace(client, exchange=replace(back_off(client, now, chance), stamped=now))
    return after, (Send(message(after, MessageType.DISCOVER)),)


def gather(client: Client, event: Received, now: Instant, chance: Chance) -> Stepped:
    """§4.4.1: DHCPOFFER; they are collected for a while from the first one on."""
    if not is_usable(event.reply) or len(client.offers) == client.config.offers_most:
        return client, ()
    due = now + client.config.offer_wait if client.due is None else client.due
    offers = *client.offers, event.reply
    if due <= now:
        return select(client, offers, now, chance)
    return replace(client, offers=offers, due=due), ()


def select(client: Client, offers: tuple[BootReply, ...], now: Instant, chance: Chance) -> Stepped:
    """§3.1(3): DHCPREQUEST, under the xid and with the `secs` of the DHCPDISCOVER.

    §4.4.1 leaves the choice open: the longest lease, of equals the first offered.
    """
    exchange = new_exchange(client, now, chance, follows=client.asking)
    due, chosen = now + client.config.ask_time, max(offers, key=lambda offer: offer.lease or 0)
    after = Client(
        client.config, Phase.REQUESTING, due, exchange, offers=(chosen,), conflicts=client.conflicts
    )
    return after, (ask_selected(after),)


def ask_selected(client: Client) -> Send:
    """§4.3.2 SELECTING: server identifier and requested address, `ciaddr` zero."""
    chosen = client.offers[0]
    asked = message(client, MessageType.REQUEST, requested=chosen.address, server=chosen.server)
    return Send(asked)


def requesting(client: Client, event: Timer, now: Instant, chance: Chance) -> Stepped:
    """REQUESTING: §3.1(5), the same message until it is no use, then INIT."""
    if is_due(client, now):
        due = soon(client, now, chance)
        return initial(client, due), (Notify(Notice.UNANSWERED),)
    return again(client, now, chance, ask_selected)


def again(
    client: Client, now: Instant, chance: Chance, message: Callable[[Client], Send]
) -> Stepped:
    """§4.1: retransmit when its time has come."""
    if now < client.asking.send_at:
        return client, ()
    return replace(client, exchange=back_off(client, now, chance)), (message(client),)


def bind(client: Client, event: Received, now: Instant, chance: Chance) -> Stepped:
    """DHCPACK, where one server was asked, from that one (§4.3.2, §4.4.5).

    In REQUESTING and REBOOTING it may grant another address than was asked for; the old one goes
    (§4.4.5 MUST NOT).  In RENEWING and REBINDING another address is no answer.
    """
    lease = read_lease(client, event.reply, client.asking.asked, chance)
    if lease is None or not from_asked(client, event.reply):
        return client, ()
    if client.phase in (Phase.RENEWING, Phase.REBINDING) and lease.address != client.leased.address:
        return client, ()
    if not lease.runs(now + client.config.margin):
        return cut_off(client, now, chance)
    return take(client, lease, now, chance)


def cut_off(client: Client, now: Instant, chance: Chance) -> Stepped:
    """DHCPACK for a lease of which nothing is left to use: it is over (§4.4.5), and INIT follows.

    The kernel would have to remove the address at once, `margin` before the end.
    """
    after, effects = begin_again(client, soon(client, now, chance))
    return after, (*effects, Notify(Notice.TOO_SHORT, client.lease))


def trim(client: Client, event: Received, now: Instant, chance: Chance) -> Stepped:
    """Another DHCPACK to the same DHCPREQUEST takes time away, and never gives any.

    The RFC is silent (§4.1: any message may be sent twice; Figure 5 discards it in BOUND).  The
    server has moved its record back with it, so to discard it is to hold what may be another's.
    """
    assert client.answered is not None
    lease = read_lease(client, event.reply, client.answered.asked, chance)
    had = client.leased
    if lease is None or lease.address != had.address or not from_asked(client, event.reply):
        return client, ()
    if lease.end is None or (had.end is not None and had.end <= lease.end):
        return client, ()
    if not lease.runs(now + client.config.margin):
        return cut_off(client, now, chance)
    after = replace(client, lease=lease)
    if client.phase is Phase.PROBING:
        return after, ()
    if client.holds is None:
        return after, (Store(lease),)
    until = lease.end - client.config.margin
    return after, (Store(lease), Configure(lease, until), Notify(Notice.EXTENDED, lease))


def obey_nak(client: Client, event: Received, now: Instant, chance: Chance) -> Stepped:
    """DHCPNAK, unicast or broadcast: stop using any address, INIT (§3.1(5), §3.2(3), Figure 5)."""
    if not from_asked(client, event.reply):
        return client, ()
    after, effects = begin_again(client, soon(client, now, chance))
    return after, (*effects, Notify(Notice.REFUSED, client.lease))


def from_asked(client: Client, reply: BootReply) -> bool:
    """The server that was asked, where it was one."""
    return asked_server(client) in (None, reply.server)


def asked_server(client: Client) -> IPv4Address | None:
    """REQUESTING and RENEWING ask one server, the others any (§4.3.2, §4.4.5)."""
    match client.phase:
        case Phase.REQUESTING:
            return client.offers[0].server
        case Phase.RENEWING:
            return client.leased.server
        case Phase.PROBING | Phase.BOUND if client.answered is not None:
            return client.answered.server
    return None


def close_exchange(client: Client) -> Answered | None:
    """What is kept of the exchange when it has its answer, or has waited long enough for one."""
    if client.exchange is None:
        return client.answered
    assert client.exchange.asked is not None
    return Answered(client.exchange.xid, client.exchange.asked, asked_server(client))


# The lease ---------------------------------------------------------------------------------------


def read_lease(
    client: Client, reply: BootReply, asked: Instant | None, chance: Chance
) -> Lease | None:
    """The lease in a DHCPACK, from the sending of its DHCPREQUEST (§4.4.1, §4.4.5).

    None for one without lease time or usable address (Table 3 MUST).
    """
    config = client.config
    assert asked is not None
    if reply.lease is None or reply.server is None or not is_usable(reply):
        return None
    if reply.lease == INFINITE:  # §3.3
        return Lease(reply.address, reply.server, None, None, None, reply.options)
    length = reply.lease * config.second
    t1, t2 = times(config, reply, length)
    begin = asked - chance.between(0, min(length * config.fuzz // 1000, t1 // 2))
    return Lease(
        reply.address, reply.server, begin + t1, begin + t2, asked + length, reply.options
    )  # fmt: skip


def is_usable(reply: BootReply) -> bool:
    """A host may have the address: RFC 1122 §3.2.1.3, and the server has not got it itself."""
    first = reply.address.packed[0]  # 0: this network, 127: loopback, 224 and more: no host's
    return 0 < first < 224 and first != 127 and reply.address != reply.server


def times(config: ClientConfig, reply: BootReply, length: Duration) -> tuple[Duration, Duration]:
    """T1 and T2 as the server says, where 0 < T1 < T2 < lease; else a half and seven eighths.

    §4.4.5; RFC 2132 §9.11, §9.12.
    """
    usual = length // 2, length * 7 // 8
    t1 = usual[0] if reply.t1 is None else reply.t1 * config.second
    t2 = usual[1] if reply.t2 is None else reply.t2 * config.second
    return (t1, t2) if 0 < t1 < t2 < length else usual


def take(client: Client, lease: Lease, now: Instant, chance: Chance) -> Stepped:
    """Use the address: at once where it is in use already, else after a probe (RFC 5227 §2.1).

    Until then it is not written down: a crash leaves nothing to go on with.
    """
    if client.holds == lease.address:
        return use(client, lease, now)
    effects = (*remove(client.holds), *forget(client))
    config, due = client.config, now + chance.between(0, client.config.probe_wait)
    after = Client(
        config, Phase.PROBING,
        due=due, answered=close_exchange(client), lease=lease, conflicts=client.conflicts,
    )  # fmt: skip
    if config.probes > 0:
        return after, effects
    after, more = use(after, lease, now)
    return after, effects + more


def use(client: Client, lease: Lease, now: Instant) -> Stepped:
    """BOUND: written down, configured with a lifetime, announced if new (RFC 5227 §2.3), told."""
    config, new = client.config, client.holds is None or client.holds != lease.address
    after = Client(
        config,
        Phase.BOUND,
        due=now + config.announce_interval if new and config.announcements > 1 else None,
        answered=close_exchange(client),
        lease=lease,
        holds=lease.address,
        sent=1,
        defended=client.defended,
    )
    until = None if lease.end is None else lease.end - config.margin
    says = (SendArp(announcement(config.hardware, lease.address)),) if new else ()
    notice = Notice.BOUND if new else Notice.EXTENDED
    return after, (Store(lease), Configure(lease, until), *says, Notify(notice, lease))


def probing(client: Client, event: Timer, now: Instant, chance: Chance) -> Stepped:
    """PROBING: RFC 5227 §2.1.1, probes and then a wait; unanswered, the address is free."""
    config, lease = client.config, client.leased
    if not is_due(client, now):
        return client, ()
    if client.sent == config.probes:
        if lease.runs(now + config.margin):
            return use(client, lease, now)
        return replace(client, due=None), ()  # it lapses unused
    sent = client.sent + 1
    wait = chance.between(config.probe_least, config.probe_most)
    due = now + (config.announce_wait if sent == config.probes else wait)
    return replace(client, sent=sent, due=due), (SendArp(probe(config.hardware, lease.address)),)


def bound(client: Client, event: Timer, now: Instant, chance: Chance) -> Stepped:
    """BOUND: T1 or an announcement is due."""
    lease, config = client.leased, client.config
    if lease.renew_at is not None and lease.renew_at <= now:
        return renew(client, now, chance)
    if not is_due(client, now):
        return client, ()
    sent = client.sent + 1
    due = now + config.announce_interval if sent < config.announcements else None
    packet = announcement(config.hardware, lease.address)
    return replace(client, sent=sent, due=due), (SendArp(packet),)


# Renewing and rebinding --------------------------------------------------------------------------


def renewing(client: Client, event: Timer, now: Instant, chance: Chance) -> Stepped:
    """RENEWING, REBINDING: T2, or half of the time to T2 or the end, is over."""
    t2 = client.leased.rebind_at
    turns = client.phase is Phase.RENEWING and t2 is not None and t2 <= now
    due = turns or client.asking.send_at <= now
    return renew(client, now, chance) if due else (client, ())


def renew(client: Client, now: Instant, chance: Chance) -> Stepped:
    """§4.4.5: before T2 RENEWING, unicast to its server; after it REBINDING, broadcast to any.

    §4.3.2: DHCPREQUEST with `ciaddr`, without options 50 and 54; under a fresh xid.  Sent again
    after half the time left, but not before the floor, or in the next phase.  Table 1: `ciaddr`
    only where ARP is answered; once the kernel has removed the address, as in INIT-REBOOT.
    """
    lease = client.leased
    assert lease.rebind_at is not None
    assert lease.end is not None
    if now < lease.rebind_at:
        phase, until, to = Phase.RENEWING, lease.rebind_at, lease.server
    else:
        phase, until, to = Phase.REBINDING, lease.end, None
    began = now if client.exchange is None else client.exchange.began
    wait = max((until - now) // 2, client.config.retry_floor)
    exchange = Exchange(chance.xid, began, now, now, wait, now + wait)
    after = replace(client, phase=phase, due=None, exchange=exchange, answered=None)
    if client.holds is None:
        return after, (ask_remembered(after),)
    return after, (Send(message(after, MessageType.REQUEST, ciaddr=lease.address), to),)


# After a restart ---------------------------------------------------------------------------------


def reboot(client: Client, event: Timer, now: Instant, chance: Chance) -> Stepped:
    """INIT-REBOOT: §3.2(1), ask for the remembered address."""
    exchange = replace(new_exchange(client, now, chance), asked=now)
    due = now + client.config.ask_time
    after = replace(client, phase=Phase.REBOOTING, due=due, exchange=exchange)
    return after, (ask_remembered(after),)


def ask_remembered(client: Client) -> Send:
    """§4.3.2 INIT-REBOOT: requested address, no server identifier, `ciaddr` zero, broadcast."""
    return Send(message(client, MessageType.REQUEST, requested=client.leased.address))


def rebooting(client: Client, event: Timer, now: Instant, chance: Chance) -> Stepped:
    """REBOOTING: again, and in the end without an answer for the remainder (§3.2(3) MAY)."""
    if is_due(client, now):
        if client.leased.runs(now + client.config.margin):
            return take(client, client.leased, now, chance)
        client = replace(client, due=None)  # nothing is left to use: ask until it lapses
    return again(client, now, chance, ask_remembered)


# Conflicts ---------------------------------------------------------------------------------------


def clash(client: Client, event: Heard, now: Instant, chance: Chance) -> Stepped:
    """PROBING: somebody uses the address, or probes for it too (RFC 5227 §2.1.1)."""
    arp, address = event.arp, client.leased.address
    theirs = arp.sender == address or (arp.is_probe and arp.target == address)
    if not theirs or arp.sender_hardware == client.config.hardware:
        return client, ()
    return decline(client, now, chance, Notice.DECLINED)


def decline(client: Client, now: Instant, chance: Chance, notice: Notice) -> Stepped:
    """§3.1(5) MUST: DHCPDECLINE, broadcast (§4.4.4), and a wait of ten seconds.

    Table 5: requested address, server identifier, `ciaddr` zero.  A minute after ten conflicts
    (RFC 5227 §2.1.1).
    """
    lease, config = client.leased, client.config
    conflicts = min(client.conflicts + 1, config.conflicts_most)
    wait = config.conflicts_wait if conflicts == config.conflicts_most else config.decline_wait
    before = replace(client, conflicts=conflicts, exchange=new_exchange(client, now, chance))
    after, effects = begin_again(before, now + wait)
    say = message(before, MessageType.DECLINE, requested=lease.address, server=lease.server)
    return after, (*effects, Send(say), Notify(notice, lease))


def defend(client: Client, event: Heard, now: Instant, chance: Chance) -> Stepped:
    """Holding: RFC 5227 §2.4(b), announce once; a second conflict within ten seconds, and cease."""
    config, arp = client.config, event.arp
    if client.holds is None or arp.sender != client.holds or arp.sender_hardware == config.hardware:
        return client, ()
    if client.defended is not None and now < client.defended + config.defend_interval:
        return decline(client, now, chance, Notice.CEASED)
    return replace(client, defended=now), (SendArp(announcement(config.hardware, client.holds)),)


def gone(client: Client, event: Gone, now: Instant, chance: Chance) -> Stepped:
    """The kernel has removed the address; the lease may still be extended, after a probe."""
    if client.holds != event.address:
        return client, ()
    return replace(client, holds=None, due=None if client.phase is Phase.BOUND else client.due), ()


# Orders ------------------------------------------------------------------------------------------


def release(client: Client, event: Release, now: Instant, chance: Chance) -> Stepped:
    """§4.4.6, Table 5: DHCPRELEASE, unicast, `ciaddr`, server identifier; then wait for `Start`.

    Sent when the address is removed and forgotten, never for a lease that is over; and no
    DHCPDISCOVER may overtake it, lest the server free the lease that it brings.
    """
    lease = client.leased
    asking = replace(client, exchange=new_exchange(client, now, chance))
    say = message(asking, MessageType.RELEASE, ciaddr=lease.address, server=lease.server)
    idle, effects = begin_again(client, None)
    after = replace(idle, rests=now + client.config.decline_wait)
    return after, (*effects, Send(say, lease.server), Notify(Notice.RELEASED, lease))


def stop(client: Client, event: Release | Stop, now: Instant, chance: Chance) -> Stepped:
    """The address is removed, the user told, the lease remembered (§3.2); then wait for `Start`.

    RFC is silent; §4.4.6 leaves DHCPRELEASE to the client.  Without a lease it is all of `Release`.
    """
    told = () if client.lease is None else (Notify(Notice.STOPPED, client.lease),)
    return initial(client, None), (*remove(client.holds), *told)


def ignore(client: Client, event: Event, now: Instant, chance: Chance) -> Stepped:
    """Nothing happens."""
    return client, ()


# Messages ----------------------------------------------------------------------------------------


def new_exchange(
    client: Client, now: Instant, chance: Chance, follows: Exchange | None = None
) -> Exchange:
    """A fresh xid, and a first message that goes out now; or the DHCPREQUEST that follows."""
    config = client.config
    wait = config.backoff_least + chance.between(-config.backoff_jitter, config.backoff_jitter)
    if follows is None:
        return Exchange(chance.xid, now, now, None, config.backoff_least, now + wait)
    return Exchange(
        follows.xid, follows.began, follows.stamped, now, config.backoff_least, now + wait
    )


def back_off(client: Client, now: Instant, chance: Chance) -> Exchange:
    """§4.1 MUST: the next wait is twice as long, up to 64 seconds, give or take one."""
    config = client.config
    backoff = min(2 * client.asking.backoff, config.backoff_most)
    wait = backoff + chance.between(-config.backoff_jitter, config.backoff_jitter)
    return replace(client.asking, backoff=backoff, send_at=now + wait)


def message(
    client: Client,
    kind: MessageType,
    *,
    ciaddr: IPv4Address = NO_ADDRESS,
    requested: IPv4Address | None = None,
    server: IPv4Address | None = None,
) -> BootRequest:
    """Table 5: what each message of a client has."""
    config, exchange = client.config, client.asking
    farewell = kind in (MessageType.DECLINE, MessageType.RELEASE)
    return BootRequest(
        kind,
        exchange.xid,
        config.hardware,
        config.client_id,
        secs=(exchange.stamped - exchange.began) // config.second,
        broadcast=config.broadcast and not farewell,
        ciaddr=ciaddr,
        requested=requested,
        server=server,
        options=NO_OPTIONS if farewell else config.options,
    )


# The table ---------------------------------------------------------------------------------------

Handler = Callable[[Client, Any, Instant, Chance], Stepped]

Offer, Ack, Nak = MessageType.OFFER, MessageType.ACK, MessageType.NAK
COLUMNS = (Start, Timer, Offer, Ack, Nak, Heard, Gone, Release, Stop)
_ = ignore

ROWS: Mapping[str, tuple[Handler, ...]] = {
    #               Start  Timer       Offer   Ack   Nak       Heard   Gone  Release  Stop
    "INIT":        (start, begin,      _,      _,    _,        _,      _,    stop,    stop),
    "SELECTING":   (_,     selecting,  gather, _,    _,        _,      _,    stop,    stop),
    "REQUESTING":  (_,     requesting, _,      bind, obey_nak, _,      _,    stop,    stop),
    "PROBING":     (_,     probing,    _,      trim, _,        clash,  _,    release, stop),
    "BOUND":       (_,     bound,      _,      trim, _,        defend, gone, release, stop),
    "RENEWING":    (_,     renewing,   _,      bind, obey_nak, defend, gone, release, stop),
    "REBINDING":   (_,     renewing,   _,      bind, obey_nak, defend, gone, release, stop),
    "INIT_REBOOT": (_,     reboot,     _,      _,    _,        defend, gone, release, stop),
    "REBOOTING":   (_,     rebooting,  _,      bind, obey_nak, defend, gone, release, stop),
}  # fmt: skip

TABLE: Mapping[Phase, Mapping[object, Handler]] = {
    Phase[name]: dict(zip(COLUMNS, row, strict=True)) for name, row in ROWS.items()
}
