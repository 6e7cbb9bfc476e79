"""One address: to whom servers committed it, who was seen to use it, and who disputes it.

Theory of operation.  A server commits the address to a client (`spans.py`).  Another commitment
meanwhile, to another client, breaks §2.2; a conforming server does so only if a DHCPRELEASE or a
DHCPDECLINE was missed.

Uses are runs by one host after another (`AddressTrack.use`).  Two hosts have the address at once
(`Overlap`) where it goes from one to the other, back, and over again within `AT_ONCE`: an address
that moves (a failover, a new hardware address, a host that wakes) does not come back so soon.

What it does not know: what is possible of a client (`clients.py`); who is to blame (`blame.py`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from holdover.reference.audit.monitor.results import Evidence
from holdover.reference.audit.monitor.spans import Commitment, Dispute, Overlap, Unheeded, UseRun
from holdover.reference.audit.observations import Recorded, Vlans, Where
from holdover.reference.core.instants import SECOND, Duration, Instant

AT_ONCE: Duration = 10 * SECOND
"""Three turns within this are two hosts at once: `DEFEND_INTERVAL` of RFC 5227 §1.1."""

TURNS = 3
"""From one host to another, back, and over again."""

ANSWER: Duration = 2 * SECOND
"""Nanoseconds in which a probe is answered: ANNOUNCE_WAIT of RFC 5227 §1.1."""

RECORD: Duration = 2 * SECOND
"""Nanoseconds by which a server's record, kept in whole seconds, differs from its DHCPACK."""

SPANS = 64
"""Spans of an address that are kept; of older ones the timeline says that it is truncated."""


@dataclass(slots=True)
class AddressTrack:
    """All that is known of one address."""

    address: IPv4Address
    vlan: Vlans = ()
    commitments: deque[Commitment] = field(default_factory=lambda: deque(maxlen=SPANS))
    disputes: list[Dispute] = field(default_factory=list)
    overlaps: list[Overlap] = field(default_factory=list)
    runs: deque[UseRun] = field(default_factory=lambda: deque(maxlen=SPANS))
    turns: deque[tuple[Instant, bytes, bytes]] = field(default_factory=lambda: deque(maxlen=TURNS))
    truncated: bool = False
    heard_of: Instant = 0
    probing: dict[bytes, tuple[Instant, Where]] = field(default_factory=dict)
    unheeded: list[Unheeded] = field(default_factory=list)
    probed: tuple[Instant, bytes] | None = None

    def is_leased(self, at: Instant) -> bool:
        """Some lease on it may run."""
        return self.holder(at) is not None

    @property
    def current(self) -> Commitment | None:
        """The last one."""
        return self.commitments[-1] if self.commitments else None

    def commit(self, new: Commitment, before: Evidence | None) -> Dispute | None:
        """A server commits the address; a dispute where another client's lease surely runs.

        `before`: what showed that the server had lost its record of the lease that runs.
        """
        self.heard_of = new.at
        had = self.current
        if had is not None and had.hardware == new.hardware and had.server == new.server:
            had.at, had.end, had.sure, had.where = new.at, new.end, new.sure, had.where
            had.over, had.over_by, had.refused, had.acks = None, "", None, had.acks + 1
            had.client_id = new.client_id or had.client_id
            return None
        running = [c for c in self.commitments if c.hardware != new.hardware and c.runs(new.at)]
        self.truncated |= len(self.commitments) == SPANS
        for older in self.commitments:
            if older.hardware == new.hardware and older.over is None:
                older.over, older.over_by = new.at, "DHCPACK by another server"
        self.commitments.append(new)
        if not running:
            return None
        first = running[-1]
        known = next((d for d in self.disputes if d.first is first), None)
        if known is not None:
            return None
        alone = new.client_id is not None and new.client_id == first.client_id
        dispute = Dispute(
            first, new, new.at, new.where, 0 if alone else 1, alone, before, new.hardware, new.at
        )
        self.disputes.append(dispute)
        del self.disputes[:-SPANS]
        return dispute

    def give_up(self, hardware: bytes, at: Instant, why: str) -> None:
        """The client gives the address back, or may not have it."""
        for commitment in self.commitments:
            if commitment.hardware == hardware and commitment.over is None:
                commitment.over, commitment.over_by = at, why

    def holder(self, at: Instant) -> Commitment | None:
        """Whose the address is at that instant, by the last commitment that may run."""
        for each in reversed(self.commitments):
            if each.over is None and (each.end is None or at < each.end):
                return each
        return None

    def _is_entitled(self, hardware: bytes, at: Instant) -> bool:
        """Whether the host has a lease: the last one on the address, or one that runs still."""
        last = self.holder(at)
        return any(
            each.hardware == hardware and each.entitles(at)
            for each in self.commitments
            if each is last or each.end is not None
        )

    def use(
        self,
        hardware: bytes,
        at: Instant,
        until: Instant,
        where: Where,
        last: Where,
        how: str,
        frames: int = 1,
    ) -> Overlap | None:
        """A host uses the address; the overlap that this makes, if it does."""
        self.heard_of = until
        holder = self.holder(at)
        granted = self._is_entitled(hardware, at)
        for dispute in self.disputes:
            if dispute.first.may_run(at) or at < dispute.at + AT_ONCE:
                dispute.use(hardware, at, where)
        latest = self.runs[-1] if self.runs else None
        run: UseRun | None
        newest: UseRun | None
        if latest is not None and latest.hardware == hardware and self._is_newest(latest):
            run = newest = latest
        else:
            run = next((r for r in reversed(self.runs) if r.hardware == hardware), None)
            newest = max(self.runs, key=lambda r: r.end, default=None)
        if newest is not None and newest.hardware != hardware:
            self.turns.append((at, newest.hardware, hardware))
        if (
            run is not None
            and run.granted == granted
            and (run is latest or newest is run or at - run.end <= AT_ONCE)
        ):
            run.end, run.last, run.frames = max(run.end, until), last, run.frames + frames
        else:
            self.truncated |= len(self.runs) == SPANS
            run = UseRun(hardware, at, until, where, last, False, False, False, frames, granted)
            self.runs.append(run)
        run.arp |= how == "ARP"
        run.ip |= how == "IP"
        run.log |= how == "log"
        return self._overlap(hardware, at, where, holder)

    def _is_newest(self, run: UseRun) -> bool:
        """Of all runs it ends last, and alone."""
        runs = self.runs
        return len(runs) == 1 or all(each is run or each.end < run.end for each in runs)

    def record(self, seen: Recorded, sure: Instant | None) -> None:
        """A server's record has a lease: no other way to see it, or a DHCPACK that was seen."""
        assert seen.begin is not None
        self.heard_of = max(self.heard_of, seen.at)
        for known in self.commitments:
            close = known.end is None or seen.end is None or abs(known.end - seen.end) <= RECORD
            if known.hardware == seen.hardware and close:
                return
        had = self.current
        new = Commitment(
            seen.hardware,
            seen.client_id,
            None,
            seen.server,
            seen.begin,
            seen.begin,
            seen.end,
            sure,
            seen.where,
        )
        if had is not None and had.hardware == seen.hardware:
            if had.end is not None and (seen.end is None or seen.end > had.end):
                had.end, had.sure, had.acks = seen.end, sure, had.acks + 1
            return
        self.truncated |= len(self.commitments) == SPANS
        self.commitments.append(new)

    def forget(self) -> None:
        """After a gap nothing is sure any more."""
        for commitment in self.commitments:
            commitment.sure = 0
        for dispute in self.disputes:
            dispute.closed = True
        self.turns.clear()
        self.probing.clear()

    def excuse(self, since: Instant | None) -> None:
        """Whatever was seen since then (None: at all) may have had its reason in a gap."""
        begin = 0 if since is None else since
        self.disputes = [each for each in self.disputes if each.until < begin]
        self.overlaps = [each for each in self.overlaps if each.end < begin]
        self.unheeded = [each for each in self.unheeded if each.answered[0] < begin]

    # Conflicts that a probe has shown ------------------------------------------------------------

    def probe(self, hardware: bytes, at: Instant, where: Where) -> None:
        """A host probes for the address."""
        self.probed = at, hardware
        had = self.probing.get(hardware)
        if had is None or at - had[0] > AT_ONCE:
            self.probing[hardware] = at, where
            self.unheeded = [u for u in self.unheeded if u.hardware != hardware or u.used]

    def was_silent(
        self, hardware: bytes, lease_end: Instant, used: Instant | None, end: Instant
    ) -> bool:
        """After the lease end another host probed for the address, and this one did not answer."""
        if self.probed is None:
            return False
        at, prober = self.probed
        heard = used is not None and used >= lease_end
        return prober != hardware and at >= lease_end and at + ANSWER <= end and not heard

    def withdraw(self, hardware: bytes) -> None:
        """A host heeds the conflict: it declines."""
        self.probing.pop(hardware, None)
        self.unheeded = [u for u in self.unheeded if u.hardware != hardware or u.used]

    def contest(self, hardware: bytes, at: Instant, where: Where) -> None:
        """A host says by ARP that it has the address: to those who probe, and to who took it."""
        for known in self.unheeded:
            if known.used is not None and known.other == hardware and at - known.used[0] <= AT_ONCE:
                known.again = known.again or (at, where)
            if known.hardware == hardware and known.used is None:
                known.used = at, where
        probed = self.probing.pop(hardware, None)
        if probed is not None:
            return
        for prober, since in self.probing.items():
            if at - since[0] > AT_ONCE:
                continue
            known_one = next(
                (u for u in self.unheeded if u.hardware == prober and u.used is None), None
            )
            if known_one is None:
                self.unheeded.append(Unheeded(prober, hardware, since, (at, where), 1))
                del self.unheeded[:-SPANS]
            elif known_one.other == hardware:
                known_one.answers += 1

    def _overlap(
        self, hardware: bytes, at: Instant, where: Where, holder: Commitment | None
    ) -> Overlap | None:
        if len(self.turns) < TURNS or at - self.turns[0][0] > AT_ONCE or self.turns[-1][0] != at:
            return None
        pairs = {frozenset(turn[1:]) for turn in self.turns}
        if len(pairs) != 1:
            return None
        one, other = sorted(pairs.pop())
        known = next((o for o in reversed(self.overlaps) if (o.one, o.other) == (one, other)), None)
        if known is not None and at - known.end <= 2 * AT_ONCE:
            known.end, known.last, known.turns = at, where, known.turns + 1
            return None
        begin = self.turns[0][0]
        found = Overlap(one, other, begin, at, where, where, TURNS, holder)
        self.overlaps.append(found)
        del self.overlaps[:-SPANS]
        return found
