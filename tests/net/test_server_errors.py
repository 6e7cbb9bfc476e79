"""What `holdover client` makes of a server that errs; as root only.

Each error is a misbehaviour of `holdover server`, played on a link of its own.
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from holdover.reference.commands.client import by_hardware
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.core.server_state import Binding, ClientKey
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Line, Process, eventually
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.storage.lease_database import LeaseFile
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.option_values import MessageType
from tests.net.network import (
    FIRST,
    QUICK,
    SERVER,
    ServerLine,
    about,
    hear,
    machine,
    removals,
    replies,
    requests,
    serve,
    swap,
    twins,
)
from tests.net.scenes import Site, named, sees

MARGIN = 5 * SECOND // 2
"""By how much our client ends before its lease does."""


@pytest.fixture(scope="module")
def before() -> dict[str, object]:
    """What the machine was like before any scene."""
    return machine()


@pytest.fixture(scope="module")
def staged(links: Links, before: dict[str, object]) -> Callable[[Path], Site]:
    """Each scene has links of its own."""
    return partial(Site, links)


@dataclass(frozen=True)
class Erred:
    """The end of the server's lease, and what the kernel said of the client's addresses."""

    end: Instant
    watch: Process


def ours(host: Host, place: Path, *more: str) -> Process:
    """Start our client on a host."""
    program = CLIENTS["reference"]
    return replace(program, command=" ".join((program.command, *more))).start(host, place)


def bound(host: Host, place: Path) -> Process:
    """Our client on a host, when it has an address."""
    client = ours(host, place, "--no-probe")
    client.says("BOUND", PATIENCE)
    return client


# Leases that come late, are shortened, or forgotten ----------------------------------------------


@dataclass(frozen=True)
class Delayed(Erred):
    """When the client asked, and when it was answered."""

    asked: list[Instant]
    acked: Instant


def delayed(site: Site) -> Delayed:
    """A DHCPACK comes 6 s after the DHCPREQUEST, which has been sent twice by then."""
    hosts = site.links(srv=f"{SERVER}/24", cli=None)
    server = serve(hosts["srv"], site.place / "server", 16, "--misbehave", "ack-delay=6s")
    watch = hosts["cli"].watch()
    bound(hosts["cli"], site.place / "cli")
    server.end()
    asked = [at for at, each in requests(site.place / "server") if each.type is MessageType.REQUEST]
    watch.says("Deleted", PATIENCE)
    (ack,) = about(server, "DHCPACK")
    return Delayed(asked[0] + 16 * SECOND, watch, asked, ack.at)


@sees(delayed)
def test_a_lease_is_counted_from_the_request_however_late_the_ack(seen: Delayed) -> None:
    """RFC 2131 §4.4.1: "the sum of the time at which the client sent the DHCPREQUEST"."""
    assert len(seen.asked) == 2, "it asked again, and got one answer"
    assert seen.acked >= seen.asked[0] + 6 * SECOND


@dataclass(frozen=True)
class Shortened(Erred):
    """The first two DHCPACKs."""

    first: ServerLine
    second: ServerLine


def shortened(site: Site) -> Shortened:
    """A renewal is granted 6 s, when twice as much was left."""
    hosts = site.links(srv=f"{SERVER}/24", cli=None)
    server = serve(hosts["srv"], site.place / "server", 24, "--misbehave", "shorten=6s")
    watch = hosts["cli"].watch()
    bound(hosts["cli"], site.place / "cli")
    server.says("DHCPACK", PATIENCE, times=2)
    server.end()
    watch.says("Deleted", PATIENCE)
    first, second, *more = about(server, "DHCPACK")
    return Shortened([second, *more][-1].end, watch, first, second)


@sees(shortened)
def test_a_renewal_may_shorten_a_lease(seen: Shortened) -> None:
    assert seen.second.lease == 6
    assert seen.second.end < seen.first.end - MARGIN


@dataclass(frozen=True)
class Forgetful(Erred):
    """What the server was asked after it had lost its leases."""

    later: list[BootRequest]


def forgotten(site: Site) -> Forgetful:
    """The server loses its leases; renewals get no answer.

    The client is there first: its lease is to begin well before that.
    """
    hosts = site.links(srv=f"{SERVER}/24", cli=None)
    watch, journal = hosts["cli"].watch(), site.place / "cli" / "journal"
    client = ours(hosts["cli"], site.place / "cli", "--no-probe")
    eventually(
        lambda: journal.exists() and "Start" in journal.read_text(), PATIENCE, "it has begun"
    )
    server = serve(hosts["srv"], site.place / "server", QUICK, "--misbehave", "forget-at=25s")
    client.says("BOUND", PATIENCE)
    at, _ = server.says("unbound", PATIENCE)
    watch.says("Deleted", PATIENCE)
    (*_, ack) = (each for each in about(server, "DHCPACK") if each.at < at)
    later = [each for when, each in requests(site.place / "server") if when > at]
    return Forgetful(ack.end, watch, later)


@sees(forgotten)
def test_a_server_that_has_forgotten_a_lease_is_silent_to_its_renewal(seen: Forgetful) -> None:
    """RFC 2131 §4.3.2: "the server ... MUST remain silent"; there it is about INIT-REBOOT."""
    assert seen.later[0].ciaddr == FIRST


def reused(site: Site) -> None:
    """The only address is leased to another while its lease runs; the other one probes."""
    hosts = site.links(srv=f"{SERVER}/24", cli=None, other=None)
    place, lease = site.place / "server", 3600  # so long that it is not renewed meanwhile
    server = serve(hosts["srv"], place, lease, "--misbehave", "reuse-early", last=0)
    watches = {name: hosts[name].watch() for name in ("cli", "other")}
    bound(hosts["cli"], site.place / "cli")
    other = ours(hosts["other"], site.place / "other")
    other.says("DECLINED", PATIENCE)
    server.says("DHCPDECLINE", PATIENCE)
    (mine,), (its,) = (about(server, "DHCPACK", hosts[name].hardware) for name in watches)
    assert mine.address == its.address == FIRST
    assert its.at < mine.end
    assert watches["other"].lines == [], "it never had the address"
    assert removals(watches["cli"]) == [], "its lease runs on"


@sees(reused)
def test_an_address_that_is_reused_too_early_is_declined_by_who_probes(seen: None) -> None:
    """Its scene has asked for it."""


# Wrong replies -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wronged(Erred):
    """What a client and another that begins made of a server all of whose replies are wrong.

    `asked`: the xids of what it was asked; `heard`: its replies on the wire.  `extended`: what the
    client said of a longer lease; `then`: what the other asked after a DHCPOFFER, `bound` and
    `watched` what it and its kernel said of an address.
    """

    what: str
    asked: frozenset[int]
    heard: list[BootReply]
    extended: list[Line]
    then: list[BootRequest]
    bound: list[Line]
    watched: list[Line]


def wrong(site: Site, what: str) -> Wronged:
    """A server has a twin whose every reply is wrong; one client renews, another one begins.

    The twin has a lease on record that is not over for long; so it has an answer.
    """
    place = site.place
    hosts = twins(site.links, "cli", "other")
    good = serve(hosts["good"], place / "good", QUICK)
    key = ClientKey(by_hardware(octets(hosts["cli"])), given=True)
    with closing(LeaseFile(place / "leases", SERVER, now())) as file:
        file.put(FIRST, Binding(key, now() + 1000 * SECOND), now())
    kept = ("--leases", place / "leases")
    bad = serve(hosts["bad"], place / "bad", QUICK, *kept, "--misbehave", what)
    watch, watched, heard = hosts["cli"].watch(), hosts["other"].watch(), hear(hosts["bad"])
    client = bound(hosts["cli"], place / "cli")
    swap(hosts)
    other = ours(hosts["other"], place / "other", "--no-probe")
    at, _ = bad.says(f"DHCPOFFER.*{hosts['other'].hardware}", PATIENCE)
    then = eventually(lambda: goes_on(place / "bad", hosts["other"], at), PATIENCE, "it goes on")
    watch.says("Deleted", PATIENCE)
    (*_, ack) = about(good, "DHCPACK")
    return Wronged(
        ack.end,
        watch,
        what,
        frozenset(request.xid for _, request in requests(place / "bad")),
        replies(heard),
        client.said("EXTENDED"),
        then,
        other.said("BOUND"),
        watched.lines,
    )


def goes_on(journal: Path, host: Host, instant: Instant) -> list[BootRequest]:
    """What a host has asked for later than that."""
    hardware = octets(host)
    return [each for at, each in requests(journal) if at > instant and each.chaddr == hardware]


def octets(host: Host) -> bytes:
    """The hardware address of a host."""
    return bytes.fromhex(host.hardware.replace(":", ""))


wrong_xid = named("wrong-xid", partial(wrong, what="wrong-xid"))
wrong_server = named("wrong-server", partial(wrong, what="wrong-server"))
wrong_client_id = named("wrong-client-id", partial(wrong, what="wrong-client-id"))


def has_wrong_xid(seen: Wronged, reply: BootReply) -> bool:
    return reply.xid ^ 1 in seen.asked


def has_wrong_server(seen: Wronged, reply: BootReply) -> bool:
    return reply.server != SERVER


def has_wrong_client_id(seen: Wronged, reply: BootReply) -> bool:
    return reply.client_id is not None and reply.client_id.endswith(b"?")


ERRORS: dict[str, tuple[Callable[[Wronged, BootReply], bool], MessageType]] = {
    "wrong-xid": (has_wrong_xid, MessageType.DISCOVER),
    "wrong-server": (has_wrong_server, MessageType.REQUEST),
    "wrong-client-id": (has_wrong_client_id, MessageType.DISCOVER),
}
"""How the error looks on the wire, and what our client sends after such a DHCPOFFER."""


@sees(wrong_xid, wrong_server, wrong_client_id)
def test_a_wrong_reply_extends_no_lease(seen: Wronged) -> None:
    is_wrong, _ = ERRORS[seen.what]
    renewed = [each for each in seen.heard if each.ciaddr == FIRST]
    assert renewed, "no renewal was answered"
    assert all(is_wrong(seen, each) for each in renewed)
    assert seen.extended == []


@sees(wrong_xid, wrong_server, wrong_client_id)
def test_a_wrong_reply_binds_nobody(seen: Wronged) -> None:
    is_wrong, goes_on_with = ERRORS[seen.what]
    offers = [each for each in seen.heard if each.type is MessageType.OFFER]
    assert offers, "no DHCPOFFER was heard"
    assert all(is_wrong(seen, each) for each in offers)
    assert seen.then[0].type is goes_on_with
    assert (seen.then[0].server == SERVER + -1) == (goes_on_with is MessageType.REQUEST)
    assert seen.bound == []
    assert seen.watched == []


# Of all of them ----------------------------------------------------------------------------------


@sees(delayed, shortened, forgotten, wrong_xid, wrong_server, wrong_client_id)
def test_however_the_server_errs_our_client_holds_no_address_past_its_lease(
    seen: Erred, record_property: Callable[[str, object], None]
) -> None:
    early = (seen.end - removals(seen.watch)[0]) / SECOND
    record_property("removed before the server's lease end", f"{early:.2f} s")
    assert early >= 0


@pytest.mark.parametrize(
    "playing",
    [delayed, shortened, forgotten, reused, wrong_xid, wrong_server, wrong_client_id],
    indirect=True,
)
def test_nothing_of_the_machine_is_touched(
    playing: Future[object], before: dict[str, object]
) -> None:
    playing.exception(2 * PATIENCE)
    assert machine() == before
