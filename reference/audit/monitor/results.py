"""What an audit comes to: findings, a verdict for each rule, a timeline for each address.

Theory of operation.  Values only: the monitor makes them, the report prints them.  Each names its
evidence by `Where`, as the observations do.  Memory stays bounded by addresses and hosts, not by
frames: what goes on without a change is one span, and of a rule that is broken again and again the
first `EXAMPLES` are kept, and all are counted.

`unless_missed` says how sure a finding is.  An audit sees what its sources saw.  A finding is never
made where a conforming run explains all that was seen with at most `Premises.missed` datagrams that
no source saw; `unless_missed` is the fewest that would explain it (None: none would).

All instants are whole nanoseconds since 1970 (UTC); what ends in `_s` is seconds.

What it does not know: how any of it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from holdover.proofs.result import Outcome
from holdover.reference.audit.observations import Coverage, Gap, Unreadable, Vlans, Where
from holdover.reference.core.instants import Instant

BlameKind = Literal[
    "client_holdover",
    "used_after_release",
    "nak_ignored",
    "conflict_ignored",
    "forgetful_server",
    "server_recommit",
    "rogue_server",
    "two_servers",
    "static_host",
    "same_client_id",
    "two_addresses",
]
"""Who is at fault, and for what; what each means is in `sentences.py`, with its advice."""

EXAMPLES = 20
"""How many breaches of one rule are kept with their places; all are counted."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A frame, or a line of a log, and what it shows: "DHCPACK: 10.0.0.57 to 02:.. for 600 s"."""

    where: Where
    at: Instant
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """Somebody is at fault.

    `rule`: "R3"; None: none of R1 to R43 is broken.  `section`: "RFC 2131 §4.4.5".
    `hardware`: of the client at fault, of the static host, or of the server, where its frames show
    one.  `server`: its identifier, where a server is at fault or has leased.  `since`: from when on
    it was wrong, at the latest; `until`: the last instant at which it was seen to be; None: it was
    so when the last source ended.

    `holdover_s`: from `since` to the last use; of a client that overstays, `since` is the server's
    lease end (the DHCPACK and option 51).  `uncertainty_s`: by how much the client's own end was
    earlier, which counts from its DHCPREQUEST, or from the first one of its xid.
    `duplicate_s`: how long two hosts were seen to use the address at once, from the first use by
    the second to the last use by the first.  None where it is not about that.
    """

    kind: BlameKind
    rule: str | None
    section: str
    address: IPv4Address
    hardware: bytes | None
    server: IPv4Address | None = None
    since: Instant
    until: Instant | None
    holdover_s: float | None = None
    duplicate_s: float | None = None
    uncertainty_s: float = 0.0
    unless_missed: int | None = None
    evidence: tuple[Evidence, ...]
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule was not kept: where, by whom (None: not known), and what was seen instead."""

    where: Where
    at: Instant
    hardware: bytes | None
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVerdict:
    """What was seen of one rule; its own words are `model/clients/requirements.py`'s.

    `outcome`: "violated" where it was broken; "holds" where it was put to the test (`kept` times)
    and nothing is open; else "unknown", and `why` says what was missing.  `broken`: how often;
    `breaches`: the first of them.
    """

    rule: str
    outcome: Outcome
    kept: int = 0
    broken: int = 0
    breaches: tuple[Breach, ...] = ()
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSpan:
    """A server had leased the address to a client, as far as was seen.

    Renewals prolong it.  `end`: the lease end by the last DHCPACK (on the server's clock), None: it
    has none (for ever).  `over`: when it was over before that (DHCPRELEASE, DHCPDECLINE, DHCPNAK),
    and `over_by` which of them.
    """

    hardware: bytes | None
    client_id: bytes | None
    server: str
    begin: Instant
    end: Instant | None
    over: Instant | None = None
    over_by: str = ""
    acks: int = 1
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class UseSpan:
    """A host was seen to use the address, on and on, from `begin` to `end`.

    `how`: "ARP", "IP", both ("ARP, IP"), or "log" (its own log says that it has it).  `entitled`:
    whether it might: "yes" by a lease that was seen, "no" where there is a finding or the host has
    no lease though the audit would have seen it, else "unknown".
    """

    hardware: bytes
    begin: Instant
    end: Instant
    frames: int
    how: str
    entitled: Literal["yes", "no", "unknown"]
    where: Where
    last: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressTimeline:
    """Who had an address when: by the servers' word, and by the hosts' deeds; in order of begin.

    `vlan`: of the link; the same address on two links is two.  `overlaps`: begin and end of each
    time in which two hosts were seen to use it, and their hardware addresses.  `truncated`: older
    spans were dropped to bound the memory.
    """

    address: IPv4Address
    vlan: Vlans = ()
    leases: tuple[LeaseSpan, ...] = ()
    uses: tuple[UseSpan, ...] = ()
    overlaps: tuple[tuple[Instant, Instant, bytes, bytes], ...] = ()
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What an audit rests on, and prints.

    `missed`: how many datagrams in a row the sources may have missed without a sign of it (0: they
    saw everything outside of the gaps).  `undelivered`: how many in a row that a source saw may not
    have reached their host.  `drift`: every client's clock runs within 1 ± this.  `profile`: the
    name of the client's profile; None: any client that conforms to the RFC.
    """

    missed: int
    undelivered: int
    drift: float
    profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """What could not be decided, and why: "10.0.0.57, used by 02:..: no DHCPACK was seen"."""

    about: str
    why: str
    where: Where | None = None
    at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All of it.

    `verdict`: "violated" where there is a finding, or a duty was broken (`rulebook.py`); else
    "unknown" where something could not be decided, or there was nothing to decide; else "holds".
    `rules`: all of R1 to R43, in order.
    """

    verdict: Outcome
    findings: tuple[AuditFinding, ...]
    addresses: tuple[AddressTimeline, ...]
    rules: Mapping[str, RuleVerdict]
    open: tuple[OpenQuestion, ...]
    gaps: tuple[Gap, ...]
    unreadable: tuple[Unreadable, ...]
    coverage: tuple[Coverage, ...]
    premises: Premises
