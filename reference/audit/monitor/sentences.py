"""What is said of a finding: a sentence to forward, what was seen, what to do.

Theory of operation.  `KINDS` has a row for each kind of blame: the rule that it breaks, who is at
fault, and what to do.  The rule's section and words are `requirements.py`'s and stand nowhere else.
A sentence names the address, the host, how long, since when, and the section.

What it does not know: colours, pages; whether it is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv4Address

from holdover.model.clients.requirements import Requirement, protocol
from holdover.reference.audit.monitor.results import BlameKind
from holdover.reference.core.instants import SECOND, Duration, Instant


@dataclass(frozen=True, slots=True)
class BlameRow:
    """A kind of blame: the rule, who is at fault, what to do."""

    rule: str
    culprit: str
    advice: str


KINDS: dict[BlameKind, BlameRow] = {
    "client_holdover": BlameRow(
        "R3",
        "the client",
        "Have the client's vendor release the address at the lease end; until then give the server "
        "a grace period (`holdover grace`), or reserve the address for this client.",
    ),
    "used_after_release": BlameRow(
        "R30",
        "the client",
        "The client has to remove the address before it sends DHCPRELEASE: see its stop script, "
        "and whether a second DHCP client runs on the host.",
    ),
    "nak_ignored": BlameRow(
        "R9",
        "the client",
        "Restart networking on the host, so that it asks anew.  Where the client does not hear a "
        "broadcast DHCPNAK, have the server or the relay send it by unicast.",
    ),
    "conflict_ignored": BlameRow(
        "R25",
        "the client",
        "Find the other host that has the address.  Turn on duplicate address detection in the "
        "client, or have its vendor send DHCPDECLINE.",
    ),
    "forgetful_server": BlameRow(
        "R33",
        "the server",
        "See why the server lost its lease file at its restart, keep the file on durable storage, "
        "and let the server probe an address before it offers it.",
    ),
    "server_recommit": BlameRow(
        "R2",
        "the server",
        "Compare the server's lease file with this lease, and its clock with the true time; let it "
        "probe an address before it offers it.",
    ),
    "rogue_server": BlameRow(
        "R2",
        "the second server",
        "Find the switch port of the second server by its hardware address and take it off the "
        "network; turn on DHCP snooping.",
    ),
    "two_servers": BlameRow(
        "R2",
        "the pair of servers",
        "The servers give out one pool and do not know each other's leases: repair their failover, "
        "or split the pool.",
    ),
    "static_host": BlameRow(
        "R1",
        "the host without a lease",
        "Give the host a lease, or take its address out of the pool.",
    ),
    "same_client_id": BlameRow(
        "R37",
        "two hosts with one client identifier",
        "Give each host an identifier of its own: a cloned machine needs a new machine-id or DUID.",
    ),
    "two_addresses": BlameRow(
        "R6",
        "the client",
        "See whether two DHCP clients run on the host; the old address has to go when a new one "
        "is given.",
    ),
}


@cache
def requirement(rule: str) -> Requirement:
    """A rule of the RFCs by its id."""
    return next(each for each in protocol() if each.id == rule)


def section_of(kind: BlameKind) -> str:
    """Where the rule stands."""
    return requirement(KINDS[kind].rule).section


def hardware_text(hardware: bytes | None) -> str:
    """A hardware address: "02:00:00:00:00:01"."""
    return "an unknown host" if hardware is None else hardware.hex(":")


def clock_text(at: Instant) -> str:
    """An instant to the second, in UTC."""
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def length_text(length: Duration) -> str:
    """A length of time: "12.4 s", "3 h 20 min"."""
    seconds = length / SECOND
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds // 3600:.0f} h {seconds % 3600 / 60:.0f} min"


def blame_text(kind: BlameKind) -> str:
    """Who is at fault, by which section."""
    culprit = KINDS[kind].culprit
    return f"{culprit} {'are' if culprit.startswith('two') else 'is'} at fault: {section_of(kind)}"


def misuse_sentence(
    kind: BlameKind,
    address: IPv4Address,
    hardware: bytes,
    since: Instant,
    last: Instant,
    given_to: bytes | None,
) -> str:
    """A client used an address that it had to give up."""
    ended = {
        "client_holdover": "its lease ended",
        "used_after_release": "it had released it",
        "nak_ignored": "the server had refused it (DHCPNAK)",
        "conflict_ignored": "it had declined it",
        "two_addresses": "it was given another address",
    }[kind]
    other = ""
    if given_to is not None:
        other = f" the server had given it to {hardware_text(given_to)};"
    return (
        f"{address} was used by {hardware_text(hardware)} for {length_text(last - since)} after "
        f"{ended} at {clock_text(since)};{other} {blame_text(kind)}"
    )


def dispute_sentence(
    kind: BlameKind,
    address: IPv4Address,
    servers: tuple[str, str],
    clients: tuple[bytes | None, bytes | None],
    at: Instant,
    left: Duration | None,
) -> str:
    """A server gave an address away that another client had."""
    first, second = (hardware_text(client) for client in clients)
    rest = "for ever" if left is None else f"for {length_text(left)} more"
    if kind == "same_client_id":
        return (
            f"{address} is used by {first} and by {second}, which have one client identifier, so "
            f"that the server takes them for one client; {blame_text(kind)}"
        )
    by = f"the server {servers[1]}"
    if kind in ("rogue_server", "two_servers"):
        by = f"a second server, {servers[1]},"
        rest += f" by the server {servers[0]}"
    return (
        f"{address} was given to {second} by {by} at {clock_text(at)}, while {first} had it "
        f"{rest}; {blame_text(kind)}"
    )


def static_sentence(address: IPv4Address, owner: bytes, other: bytes, at: Instant) -> str:
    """A host that never asked has an address that is leased to another."""
    return (
        f"{address} was used by {hardware_text(other)}, which was never seen to ask for a lease, "
        f"while it was leased to {hardware_text(owner)}, at {clock_text(at)}; "
        f"{blame_text('static_host')}"
    )


def conflict_sentence(address: IPv4Address, client: bytes, other: bytes, at: Instant) -> str:
    """A client probed, was answered, and took the address all the same."""
    return (
        f"{address} was taken into use by {hardware_text(client)} at {clock_text(at)}, although "
        f"{hardware_text(other)} had answered its probe; {blame_text('conflict_ignored')}"
    )


def rogue_sentence(
    address: IPv4Address, server: str, client: bytes, other: str, had: IPv4Address, at: Instant
) -> str:
    """A server of another network takes clients away."""
    return (
        f"{address}, of another network, was given to {hardware_text(client)} by a second server, "
        f"{server}, at {clock_text(at)}, while the client had {had} from the server {other}; "
        "the second server is at fault: RFC 2131 §7"
    )
