"""Small configurations in which mutants are tried: together they let every row fire."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from holdover.model.clients.profile import Environment, Profile, in_ticks, load
from holdover.model.readings.finite import Instance, bounds_for
from holdover.model.table.table import LEASE_TABLE, Table

TICK = Fraction(1000)
"""Seconds: so long that each of a profile's own durations is one tick, and instances are small."""


@dataclass(frozen=True)
class SmallWorld:
    """A small configuration: a client, its surroundings in ticks, and how many there are."""

    name: str
    client: Profile
    faults: tuple[str, ...] = ()
    hosts: int = 1
    addresses: int = 1
    messages: int = 1
    lease: int = 3
    shortest: int | None = None
    step: int = 0
    grace: int = 0
    delay: int = 0
    acknowledge_within: int | None = None
    drift: Fraction = Fraction(0)
    server_probes: bool = False
    durable: bool = False
    patient: bool = False
    authoritative: bool = False

    def instance(self, table: Table) -> Instance:
        """A table in this configuration."""
        if table is LEASE_TABLE:
            return self.usual
        usual = self.usual
        return Instance(table, usual.constants, usual.bounds, like=usual)

    @functools.cached_property
    def usual(self) -> Instance:
        """The lease table in this configuration."""
        durations = ("lease", "shortest", "step", "grace", "delay", "acknowledge_within")
        ticks = {name: getattr(self, name) for name in durations}
        scaled: dict[str, Any] = {n: None if t is None else t * TICK for n, t in ticks.items()}
        environment = Environment(
            **scaled,
            drift=self.drift,
            server_probes=self.server_probes,
            durable=self.durable,
            patient=self.patient,
            authoritative=self.authoritative,
            faults=frozenset(self.faults),
        )
        constants = in_ticks(self.client, environment, TICK)
        bounds = bounds_for(constants, self.hosts, self.addresses, self.messages)
        return Instance(LEASE_TABLE, constants, bounds)


def settings() -> tuple[SmallWorld, ...]:
    """Together they let every row fire, and every part of it matter; first where most shows."""
    rfc, reference = load("rfc2131"), load("reference")
    dialog, thereafter, keeps = load("wfwg311"), load("wfwg311-thereafter"), load("networkd-keep")
    networkd, dhclient = load("networkd"), load("dhclient")
    probing = replace(rfc, probes=True, probe_time=TICK)
    remembering = replace(rfc, restart="REMAINDER")
    wall, never = replace(remembering, clock="WALL"), replace(probing, trigger="NEVER")
    heeding = replace(remembering, heeds_shorter=True)
    deaf, leaving_again = replace(rfc, heeds_nak="NEVER"), replace(thereafter, after_nak="LEAVE")
    waiting = replace(rfc, after_nak="WAIT", nak_late=TICK, clock="MONOTONIC")
    heeding_probing = replace(heeding, probes=True, probe_time=TICK)
    ends = ("freezes", "thaws", "crashes", "stops", "restarts", "suspends")
    yielding = replace(rfc, gives_way=True, gives_way_within=TICK)
    deaf_at_t1 = replace(rfc, hears_renewing=False)
    half, two = Fraction(1, 2), 2
    return (
        SmallWorld("one lease", rfc, ("mutes", "loses"), lease=3),
        SmallWorld("the clock set back", wall, ("steps", "forgets", "crashes", "restarts"), step=1),
        SmallWorld("two hosts", rfc, ("mutes",), hosts=two, grace=1),
        SmallWorld("the reference client", reference, ("mutes",), lease=3),
        SmallWorld("killed, probing", reference, ("crashes", "restarts"), lease=3),
        SmallWorld("suspended", rfc, ("suspends",)),
        SmallWorld(
            "suspended, its clock stops", replace(networkd, clock="MONOTONIC"), ("suspends",)
        ),
        SmallWorld("forgotten, probed", probing, ("forgets",), hosts=two),
        SmallWorld("two addresses", rfc, ("mutes",), addresses=two),
        SmallWorld("released", replace(rfc, releases=True), ("mutes",)),
        SmallWorld("two datagrams", replace(rfc, releases=True), ("mutes",), messages=two),
        SmallWorld("duplicates", rfc, ("duplicates",), messages=two),
        SmallWorld("frozen, probing", reference, ("freezes", "thaws")),
        SmallWorld("a dialog", dialog, ("mutes",)),
        SmallWorld("tries again", thereafter, ("mutes",)),
        SmallWorld("answered in time", dialog, ("mutes",), acknowledge_within=1),
        SmallWorld("killed", remembering, ("crashes", "restarts")),
        SmallWorld("ended in order", remembering, ("stops", "restarts")),
        SmallWorld("ended in order, probing", reference, ("mutes", "stops", "restarts"), lease=3),
        SmallWorld("delays", rfc, ("mutes",), delay=1),
        SmallWorld("delays, frozen", rfc, ("freezes", "thaws"), delay=1),
        SmallWorld("late", replace(rfc, late=TICK), ("mutes",)),
        SmallWorld("no xid", replace(rfc, checks_xid=False), ("duplicates",), messages=two),
        SmallWorld("deaf to NAK", replace(rfc, heeds_nak="NEVER"), ("forgets",)),
        SmallWorld("unicast NAK", replace(rfc, heeds_nak="UNICAST"), ("forgets",)),
        SmallWorld("never releases", keeps, ("mutes", "crashes", "restarts")),
        SmallWorld("never releases, suspended", keeps, ("suspends",)),
        SmallWorld("drift", rfc, ("shortens",), lease=4, shortest=2, drift=half),
        SmallWorld(
            "drift, reuse early",
            rfc,
            ("shortens", "reuses_early"),
            hosts=two,
            shortest=1,
            drift=half,
        ),
        SmallWorld("shorter", rfc, ("shortens",), lease=3, shortest=1),
        SmallWorld(
            "shorter, heeded",
            heeding,
            ("shortens", "mutes"),
            lease=3,
            shortest=1,
            delay=1,
            messages=two,
        ),
        SmallWorld(
            "shorter, heeded, probing",
            heeding_probing,
            ("shortens",),
            lease=4,
            shortest=2,
            messages=two,
        ),
        SmallWorld(
            "shorter, heeded, drift",
            heeding,
            ("shortens",),
            lease=4,
            shortest=2,
            drift=half,
            messages=two,
        ),
        SmallWorld(
            "shorter, heeded by the patient",
            heeding,
            ("shortens", "crashes", "restarts"),
            shortest=1,
            delay=1,
            messages=two,
            patient=True,
        ),
        SmallWorld(
            "shorter, heeded, frozen",
            heeding,
            ("shortens", "freezes"),
            shortest=1,
            delay=1,
            messages=two,
        ),
        SmallWorld(
            "shorter, heeded, suspended",
            heeding,
            ("shortens", "suspends"),
            shortest=1,
            delay=1,
            messages=two,
        ),
        SmallWorld(
            "shorter, heeded, two hosts",
            heeding,
            ("shortens",),
            hosts=two,
            shortest=1,
            delay=1,
            messages=two,
        ),
        SmallWorld(
            "shorter, heeded, two addresses",
            heeding,
            ("shortens",),
            addresses=two,
            shortest=1,
            delay=1,
            messages=two,
        ),
        SmallWorld(
            "shorter, heeded, without xid",
            replace(heeding, checks_xid=False),
            ("shortens",),
            addresses=two,
            shortest=1,
            delay=1,
            messages=two,
        ),
        SmallWorld(
            "shorter, heeded, set back",
            replace(heeding, clock="WALL"),
            ("shortens", "steps"),
            shortest=1,
            delay=1,
            step=1,
            messages=two,
        ),
        SmallWorld("a floor", replace(rfc, floor=3 * TICK)),
        SmallWorld("reuse early", rfc, ("reuses_early",), hosts=two),
        SmallWorld("reuse early, delays", rfc, ("reuses_early",), hosts=two, delay=1),
        SmallWorld("forged", rfc, ("forges",), hosts=two),
        SmallWorld("a rival", rfc, ("rival",), hosts=two),
        SmallWorld("a rival, probed by the server", rfc, ("rival",), hosts=two, server_probes=True),
        SmallWorld("a rival, two addresses", rfc, ("rival",), addresses=two),
        SmallWorld("a rival, delays", rfc, ("rival", "forgets"), delay=1),
        SmallWorld("removes after a NAK", waiting, ("forgets",)),
        SmallWorld("removes after a NAK, suspended", waiting, ("forgets", "suspends")),
        SmallWorld("removes after a NAK of another server", waiting, ("rival",)),
        SmallWorld("removes after a NAK, frozen", waiting, ("forgets", "freezes")),
        SmallWorld(
            "removes after a NAK, set back",
            replace(waiting, clock="WALL"),
            ("forgets", "steps"),
            step=1,
        ),
        SmallWorld("removes after a NAK, killed", waiting, ("forgets", "crashes", "stops")),
        SmallWorld(
            "leaves after a NAK",
            replace(rfc, after_nak="LEAVE", keeps_old=True),
            ("forgets",),
            addresses=two,
            lease=2,
        ),
        SmallWorld(
            "leaves after a NAK, with a kernel lifetime",
            replace(rfc, after_nak="LEAVE", enforcer="KERNEL"),
            ("forgets",),
            addresses=two,
        ),
        SmallWorld("leaves after a NAK, tries again", leaving_again, ("forgets", "mutes")),
        SmallWorld(
            "leaves after a NAK, a dialog", replace(dialog, after_nak="LEAVE"), ("forgets", "mutes")
        ),
        SmallWorld("deaf to NAK, frozen", deaf, ("forgets", "freezes", "thaws")),
        SmallWorld("deaf to NAK, suspended", deaf, ("forgets", "suspends")),
        SmallWorld("deaf to NAK, two datagrams", deaf, ("forgets",), messages=two, delay=1),
        SmallWorld("deaf to NAK, a dialog", replace(dialog, heeds_nak="NEVER"), ("forgets",)),
        SmallWorld(
            "deaf to NAK, suspended with a dialog",
            replace(dialog, heeds_nak="NEVER"),
            ("forgets", "suspends"),
            lease=2,
        ),
        SmallWorld(
            "shorter, heeded, deaf to NAK",
            replace(heeding, heeds_nak="NEVER"),
            ("shortens", "forgets"),
            shortest=1,
            delay=1,
        ),
        SmallWorld("keeps old ones", replace(thereafter, keeps_old=True), addresses=two, lease=2),
        SmallWorld("drops to renew", replace(rfc, drops_to_renew=True), ("mutes",)),
        SmallWorld(
            "drops to renew, probing", replace(probing, drops_to_renew=True), ("mutes",), hosts=two
        ),
        SmallWorld("settled", rfc, ("settles",), hosts=two, lease=1),
        SmallWorld("settled, two addresses", rfc, ("settles",), addresses=two, lease=1),
        SmallWorld("settled, probing", probing, ("settles",), hosts=two),
        SmallWorld("intruded", rfc, ("intrudes",), hosts=two, lease=1),
        SmallWorld("intruded, two addresses", rfc, ("intrudes",), addresses=two, lease=1),
        SmallWorld("intruded, gives way", yielding, ("intrudes",), hosts=two, lease=2),
        SmallWorld(
            "intruded, gives way unless ARP is lost",
            yielding,
            ("intrudes", "loses_arp"),
            hosts=two,
            lease=2,
        ),
        SmallWorld(
            "intruded, gives way, frozen",
            yielding,
            ("intrudes", "freezes", "thaws"),
            hosts=two,
            lease=1,
        ),
        SmallWorld(
            "intruded, gives way, suspended", yielding, ("intrudes", "suspends"), hosts=two, lease=1
        ),
        SmallWorld(
            "intruded, gives way, killed", yielding, ("intrudes", "crashes"), hosts=two, lease=1
        ),
        SmallWorld(
            "intruded, gives way, ended", yielding, ("intrudes", "stops"), hosts=two, lease=1
        ),
        SmallWorld(
            "intruded, gives way, two addresses",
            yielding,
            ("intrudes",),
            hosts=two,
            addresses=two,
            lease=1,
        ),
        SmallWorld(
            "refused, gives way",
            replace(waiting, gives_way=True, nak_late=2 * TICK),
            ("forgets",),
            hosts=two,
            lease=2,
        ),
        SmallWorld(
            "set back, gives way",
            replace(wall, gives_way=True),
            ("steps", "intrudes"),
            hosts=two,
            lease=1,
            step=1,
        ),
        SmallWorld("clones, gives way", yielding, ("clones",), hosts=two, lease=2),
        SmallWorld("hears nothing at T1", deaf_at_t1, ("forgets",), lease=4),
        SmallWorld(
            "hears nothing at T1, deaf to NAK",
            replace(deaf_at_t1, heeds_nak="NEVER"),
            ("forgets",),
            lease=4,
        ),
        SmallWorld(
            "hears nothing at T1, no xid", replace(deaf_at_t1, checks_xid=False), messages=two
        ),
        SmallWorld("probes that are lost", probing, ("settles", "loses_arp"), hosts=two),
        SmallWorld(
            "settled, probed by the server", rfc, ("settles",), hosts=two, server_probes=True
        ),
        SmallWorld(
            "probes of the server that are lost",
            rfc,
            ("settles", "loses_arp"),
            hosts=two,
            server_probes=True,
        ),
        SmallWorld("clones", rfc, ("clones",), hosts=two),
        SmallWorld("clones, two addresses", rfc, ("clones",), hosts=two, addresses=two),
        SmallWorld("clones that probe", probing, ("clones",), hosts=two),
        SmallWorld("the server's clock set forward", rfc, ("jumps",), hosts=two, step=1),
        SmallWorld(
            "the server's clock set forward, two addresses",
            rfc,
            ("jumps",),
            addresses=two,
            step=2,
            delay=1,
        ),
        SmallWorld("forgotten", rfc, ("forgets",), hosts=two),
        SmallWorld("forgotten, authoritative", rfc, ("forgets",), authoritative=True),
        SmallWorld("forgotten, durable", rfc, ("forgets",), durable=True),
        SmallWorld("probed by the server", keeps, ("forgets",), hosts=two, server_probes=True),
        SmallWorld(
            "probed by the server, tries again",
            thereafter,
            ("mutes",),
            hosts=two,
            server_probes=True,
        ),
        SmallWorld("lost", rfc, ("loses",), hosts=two),
        SmallWorld("suspended, probing", reference, ("suspends",)),
        SmallWorld("a dialog, forgotten", dialog, ("mutes", "forgets")),
        SmallWorld(
            "a dialog, set back",
            replace(wall, trigger="ACKNOWLEDGE", dialog=True),
            ("steps", "mutes"),
            step=1,
        ),
        SmallWorld("tries again, frozen", thereafter, ("mutes", "freezes")),
        SmallWorld("tries again, suspended", thereafter, ("mutes", "suspends")),
        SmallWorld("whatever stops a client", remembering, ends, lease=3),
        SmallWorld("suspended with a dialog", dialog, ("mutes", "freezes", "suspends")),
        SmallWorld("set back, with a kernel lifetime", dhclient, ("steps", "mutes"), step=1),
        SmallWorld(
            "set back, tries again",
            replace(wall, trigger="RETRY", retries_for=TICK),
            ("steps", "mutes"),
            step=1,
        ),
        SmallWorld("restarted, two addresses", remembering, ("crashes", "restarts"), addresses=two),
        SmallWorld("renewed, two addresses", rfc, (), addresses=two, lease=3),
        SmallWorld(
            "declined",
            replace(probing, clock="WALL"),
            ("reuses_early", "steps", "mutes"),
            hosts=two,
            lease=1,
            step=1,
        ),
        SmallWorld(
            "declined while frozen", probing, ("reuses_early", "freezes"), hosts=two, lease=1
        ),
        SmallWorld("duplicates, two hosts", rfc, ("duplicates",), hosts=two, messages=two, lease=1),
        SmallWorld(
            "no xid, two addresses",
            replace(rfc, checks_xid=False),
            addresses=two,
            messages=two,
            lease=1,
        ),
        SmallWorld(
            "declined while suspended", never, ("reuses_early", "suspends"), hosts=two, lease=1
        ),
        SmallWorld(
            "declined, two addresses", never, ("forgets",), hosts=two, addresses=two, lease=1
        ),
    )
