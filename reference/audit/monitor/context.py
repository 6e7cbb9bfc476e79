"""What all parts of a monitor share: charts, premises, and how long a lease is here.

Theory of operation.  Without a profile a client may be any that conforms to RFC 2131: the built-in
profile `rfc2131` with what is left open (`OPEN`), and `LATE` for a timer of a real machine.  With a
profile there are two charts, and a use has to be possible on both: the profile makes the audit
tighter and never excuses what the RFC forbids.

What it does not know: any observation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from holdover.model.clients.profile import LATE, STANDARD, Profile, load
from holdover.model.readings.constants import holds, seconds
from holdover.model.table.bound import bounded, worst_holdover
from holdover.model.table.client import fastest
from holdover.model.table.expr import DURATION, lift
from holdover.model.table.vocabulary import h
from holdover.reference.audit.monitor.results import Premises
from holdover.reference.audit.possible.automaton import FAULTS, automaton_of
from holdover.reference.audit.possible.chart import Chart, chart_of
from holdover.reference.audit.possible.hypotheses import ENDLESS, Now
from holdover.reference.audit.possible.possibilities import Possibilities
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.wire.options import INFINITE

DRIFT = Fraction(1, 10_000)
"""Every clock is within 1 ± 100 ppm: quartz, as in `holdover grace` (docs/limits.md)."""

DELAY: Duration = int(STANDARD.delay * SECOND)
"""Nanoseconds that a datagram may be under way (`model/clients/profile.py`, STANDARD): so long
after a DHCPNAK or a DHCPRELEASE was seen, a use may still be from before."""

MISSED = 6
"""How many datagrams the sources may have missed without a sign, where nothing is known of it.

Two renewals and a half (DHCPREQUEST and DHCPACK), or a whole DHCPDISCOVER to DHCPACK and more; of
independent losses of 5 %, six in a row are one in 64 million."""

UNDELIVERED = 3
"""How many DHCPNAKs in a row may not have reached the client that they were for."""

OPEN = frozenset({"probes", "enforcer"})
"""Where clients that conform differ in what they may do: RFC 2131 says SHOULD of the first
and nothing of the second.  A client that heeds a DHCPACK which leaves less (`heeds_shorter`) ends
earlier for it, and what ends earlier is covered by what ends later."""


def default_premises(*, complete: bool = False, drift: Fraction = DRIFT) -> Premises:
    """The premises; `complete`: the sources missed nothing but in their gaps."""
    return Premises(missed=0 if complete else MISSED, undelivered=UNDELIVERED, drift=float(drift))


def conforming() -> Profile:
    """A client that conforms to RFC 2131, whatever else it is."""
    return replace(load("rfc2131"), late=LATE)


@dataclass(slots=True)
class AuditContext:
    """The charts and premises of an audit.

    `begin`: what was before it was not seen (the first observation, or the end of the last gap).
    `longest`: the longest lease that was granted, in seconds; None: none was.
    """

    premises: Premises
    charts: tuple[Chart, ...]
    begin: Instant | None = None
    longest: int | None = None
    _fastest: dict[int, Duration] = field(default_factory=dict)
    _outstay: dict[tuple[int, int], Duration | None] = field(default_factory=dict)
    _usual: dict[Chart, tuple[int | None, Duration]] = field(default_factory=dict)

    @classmethod
    def of(cls, premises: Premises, profile: Profile | None = None) -> AuditContext:
        """With these premises; `profile`: what is known of the clients."""
        drift = Fraction(premises.drift).limit_denominator(10**9)
        environment = replace(STANDARD, drift=drift, faults=FAULTS)
        automata = [automaton_of(conforming(), environment, OPEN)]
        if profile is not None:
            automata.append(automaton_of(profile, environment, frozenset(profile.unstated)))
        return cls(premises, tuple(chart_of(each) for each in automata))

    @property
    def most(self) -> tuple[int, int]:
        """How much of what is missed and unheard is counted: more than is granted."""
        return max(self.premises.missed + 1, 3), self.premises.undelivered + 1

    def unknown(self) -> tuple[Possibilities, ...]:
        """Of a client of which nothing is known, on each chart."""
        return tuple(Possibilities.unknown(chart, self.most) for chart in self.charts)

    def note_lease(self, length: int) -> None:
        """A server has granted a lease of so many seconds."""
        if self.longest is None or length > self.longest:
            self.longest = length

    def longest_for(self, chart: Chart, length: int | None) -> Duration:
        """How long a lease of so many seconds lasts at most for a client; None: nobody knows."""
        if length is None or length == INFINITE:
            return ENDLESS
        return chart.automaton.longest(length)

    def outstay(self, chart: Chart) -> Duration | None:
        """How long a client may hold past the server's record of a lease: the bound of T3.

        None: no lease was seen, or one for ever, or there is no such bound.
        """
        if self.longest is None or self.longest == INFINITE:
            return None
        key = self.longest, id(chart)
        if key not in self._outstay:
            length = Fraction(self.longest)
            facts = chart.automaton.constants | {"full": length, "least": length}
            known = holds(bounded(h), facts)
            self._outstay[key] = int(seconds(worst_holdover(h), facts) * SECOND) if known else None
        return self._outstay[key]

    def shortest(self, length: int) -> Duration:
        """How long a lease of so many seconds lasts at least on a server's clock (§3.3)."""
        found = self._fastest.get(length)
        if found is None:
            facts = {"drift": Fraction(self.premises.drift).limit_denominator(10**9)}
            found = int(seconds(fastest(lift(length, DURATION)), facts) * SECOND)
            self._fastest[length] = found
        return found

    def now(self, chart: Chart, at: Instant, refused: Instant | None = None) -> Now:
        """The moment of an observation."""
        known = self._usual.get(chart)
        if known is None or known[0] != self.longest:
            known = self._usual[chart] = self.longest, self.longest_for(chart, self.longest)
        usual = known[1]
        begin = at if self.begin is None else self.begin
        return Now(at, at + usual, begin + usual, refused)
