"""What an audit makes of a town, and whether it is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from holdover.reference.audit.course import Grounding, Sources, run_course
from holdover.reference.audit.monitor.context import default_premises
from holdover.reference.audit.monitor.monitor import Monitor
from holdover.reference.audit.monitor.results import Audit, Premises
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.record.record import pcap_frame, pcap_head
from tests.reference.audit.town import Town, coverage, observe, weather_of

CERTAIN = 3 * SECOND
"""An overstay is visible where a use is so much later than the lease end: the client's clock may be
100 ppm slow, and a timer a second late."""

TURNS = 6
"""Where frames may be missed: how often the address has to go to and fro (each time two or three
datagrams would have to be missed)."""


def audit_of(town: Town, premises: Premises) -> Audit:
    """The audit of what passed the capture point, written as a capture and read as one."""
    with TemporaryDirectory() as place:
        path = Path(place) / "town.pcap"
        frames = b"".join(pcap_frame(at, data) for at, data in town.frames)
        path.write_bytes(pcap_head() + frames)
        return run_course(Sources((str(path),)), Grounding(premises))


def audit_unwritten(town: Town, premises: Premises) -> Audit:
    """The same, without a file: each frame as `reference/wire` reads it."""
    monitor = Monitor(premises)
    for each in observe(town.frames):
        monitor.observe(each)
    return monitor.finish(coverage(town))


def conforming_run(seed: int) -> tuple[Town, Audit]:
    """A run in which everybody conforms, seen by a point that misses frames, or none."""
    town = Town(weather_of(seed)).run()
    complete = town.weather.missed == 0
    return town, audit_of(town, default_premises(complete=complete))


def planted_run(seed: int) -> tuple[Town, Audit]:
    """A run in which a host overstays its lease, seen by a point that misses nothing."""
    town = Town(weather_of(seed, overstay=True, missed=0.0)).run()
    return town, audit_of(town, default_premises(complete=True))


def planted_run_with_losses(seed: int) -> tuple[Town, Audit]:
    """Likewise, by a point that misses frames, and with a server that gives the address away.

    The one who overstays uses the address for many lease times.
    """
    weather = weather_of(seed, overstay=True, missed=0.05)
    weather = replace(weather, length=weather.lease * 12, pool=1, probes=False)
    town = Town(weather).run()
    return town, audit_of(town, default_premises())


UNHEEDED = {"R32"}
"""An advice that our server does not follow: it may offer one address to many (its `note`)."""


def broken_rules(audit: Audit) -> set[str]:
    """Rules that were broken, and advice as well, but that which our cores do not follow."""
    return {name for name, each in audit.rules.items() if each.broken} - UNHEEDED


def is_clean(audit: Audit) -> bool:
    """Nobody is accused: there is no finding, and no rule was broken."""
    return not audit.findings and not broken_rules(audit)


def is_visible(town: Town) -> bool:
    """The overstay shows on the wire."""
    stay = town.overstayed
    return stay is not None and stay[3] > stay[2] + CERTAIN


def finds(town: Town, audit: Audit) -> bool:
    """The overstay is found, its culprit named, and nobody else accused, nor of a broken rule."""
    assert town.overstayed is not None
    address, hardware, _, _ = town.overstayed
    found = [(each.kind, each.address, each.hardware) for each in audit.findings]
    breakers = {
        breach.hardware for name in broken_rules(audit) for breach in audit.rules[name].breaches
    }
    return found == [("client_holdover", address, hardware)] and breakers == {hardware}
