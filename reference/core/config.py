"""The constants of the protocol, with the RFCs' values as defaults, and who a core is.

Durations are in units of time, of which `second` make a second (`events.py`).  A small world for
exhaustive exploration sets `second=1` and waits of a tick or none; nothing else in a core changes.
§ alone is a section of RFC 2131; RFC 5227 and 4361 are cited from memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.wire.messages import NO_OPTIONS
from holdover.reference.wire.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """A client: its hardware address, its identifier, and its constants."""

    hardware: bytes
    client_id: bytes | None = None  # §2, §4.2: constant, the same in every message; RFC 4361
    options: Options = NO_OPTIONS  # what else its requests carry: option 55, host name, ...
    broadcast: bool = False  # §4.1: it cannot take unicast before it has an address
    second: Duration = SECOND

    start_least: Duration = 1 * SECOND  # §4.4.1: a random wait of one to ten seconds
    start_most: Duration = 10 * SECOND
    offer_wait: Duration = 0  # §3.1(3) "may choose to wait", §4.4.1 "e.g., the first": it does not
    offers_most: int = 8  # RFC is silent: what a flood of offers may cost
    backoff_least: Duration = 4 * SECOND  # §4.1
    backoff_most: Duration = 64 * SECOND
    backoff_jitter: Duration = 1 * SECOND
    ask_time: Duration = 60 * SECOND  # §3.1(5): four retransmissions, sixty seconds
    retry_floor: Duration = 60 * SECOND  # §4.4.5
    fuzz: int = 10  # §4.4.5 "random fuzz": T1, T2 earlier by up to so many 1/1000 of the lease
    decline_wait: Duration = 10 * SECOND  # §3.1(5); after DHCPRELEASE the RFC names none: the same
    margin: Duration = 5 * SECOND // 2  # RFC is silent; kernels were up to 2.1 s late, measured

    probes: int = 3  # RFC 5227 §1.1, as are all below; 0: no probe
    probe_wait: Duration = 1 * SECOND
    probe_least: Duration = 1 * SECOND
    probe_most: Duration = 2 * SECOND
    announce_wait: Duration = 2 * SECOND
    announcements: int = 2
    announce_interval: Duration = 2 * SECOND
    defend_interval: Duration = 10 * SECOND
    conflicts_most: int = 10
    conflicts_wait: Duration = 60 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """What a server does wrong on request; by itself nothing.  No RFC asks for any of it."""

    mute_from: Instant | None = None  # from here on it neither answers nor takes anything
    mute_until: Instant | None = None  # to here, excluded; None: for ever
    nak: bool = False  # answers every DHCPREQUEST with DHCPNAK
    ack_delay: Duration = 0  # a DHCPACK for a lease leaves so much later than its record is made
    forget_at: Instant | None = None  # loses what it knows, and what it has stored
    shorten: int | None = None  # what a renewal is granted, in seconds, however much was left
    reuse_early: bool = False  # gives addresses to others before the lease end and the grace
    wrong_xid: bool = False  # each reply carries another xid than the request
    wrong_server: bool = False  # each reply names another server
    wrong_client_id: bool = False  # each reply carries another client identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """A server: its addresses, those that it leases, and its constants."""

    identifier: IPv4Address  # §4.1: an address at which clients reach it; option 54
    hardware: bytes  # §2.2: who asks when it probes
    pool: tuple[IPv4Address, ...]  # §4.3.1: chosen from in this order
    subnet: IPv4Network | None = None  # its link's; where relays may be (§4.3.1); None: nowhere
    options: Options = NO_OPTIONS  # §4.3.1: what DHCPOFFER and DHCPACK carry as well
    second: Duration = SECOND

    lease: int = 3600  # §4.3.1 "a locally configured default", in seconds, and the most it grants
    grace: Duration = 60 * SECOND  # RFC is silent; what is safe, `holdover grace` says
    offer_time: Duration = 60 * SECOND  # §4.3.2 "timeout": as long as clients ask, §3.1(5)
    probe_wait: Duration = 1 * SECOND  # §3.1(2) names no time; 0: no probe
    decline_time: Duration = 600 * SECOND  # §4.3.3 is silent: the first time, then twice as long
    decline_most: Duration = 86400 * SECOND  # ... up to this
    verify_wait: Duration = 1 * SECOND  # §2.2: a probe before it is given back; 0: none
    misbehave: Misbehaviour = field(default_factory=Misbehaviour)
