"""Conclusions: suspicions, disputes and overlaps become findings, open questions, or nothing.

Theory of operation.  A finding needs more to be missed than the premises grant.  What needs less is
an open question: it says how much.  One deed is one finding: where a client overstays its lease,
that two hosts have the address is the consequence, and stands in the same finding
(`duplicate_s`).

Of two hosts that have an address at once the one without a lease is at fault, if it never asked for
one; not where it stands for others (`disguises.py`), and not where the leaseholder itself was never
seen to use the address: then the other one may be its bridge or bond.

What it does not know: how it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from holdover.reference.audit.monitor.addresses import AddressTrack
from holdover.reference.audit.monitor.clients import ClientTrack
from holdover.reference.audit.monitor.context import AuditContext
from holdover.reference.audit.monitor.disguises import Disguises
from holdover.reference.audit.monitor.evidence import (
    both_seconds,
    duplicate_seconds,
    given_since,
    grounds_evidence,
    lease_evidence,
    missed_text,
    use_evidence,
    used_beside,
)
from holdover.reference.audit.monitor.exchanges import Followed, Suspicion
from holdover.reference.audit.monitor.results import (
    AddressTimeline,
    Audit,
    AuditFinding,
    BlameKind,
    Evidence,
    OpenQuestion,
)
from holdover.reference.audit.monitor.rulebook import Rulebook, judge_all
from holdover.reference.audit.monitor.sentences import (
    KINDS,
    conflict_sentence,
    dispute_sentence,
    hardware_text,
    length_text,
    misuse_sentence,
    rogue_sentence,
    section_of,
    static_sentence,
)
from holdover.reference.audit.monitor.servers import Servers
from holdover.reference.audit.monitor.spans import Commitment, Dispute, Overlap, Unheeded
from holdover.reference.audit.monitor.timelines import timeline_of
from holdover.reference.audit.observations import Coverage, DhcpMessage, Gap, Held, Unreadable
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.wire.messages import BootReply

MOST = 10_000
"""Findings, open questions and timelines that are kept, each; an audit of more says so."""

OF_USES = ("R1", "R2", "R3", "R6", "R9", "R30")
"""The rules that a use, or a DHCPACK, which nobody saw would break."""


class Conclusions:
    """What there is to say so far."""

    def __init__(self, context: AuditContext, rulebook: Rulebook, disguises: Disguises):
        self.context, self.rulebook, self.disguises = context, rulebook, disguises
        self.findings: list[AuditFinding] = []
        self.open: dict[tuple[str, str], OpenQuestion] = {}
        self.timelines: list[AddressTimeline] = []
        self.decided = 0
        self._misused: set[tuple[IPv4Address, bytes]] = set()
        self._doubted: set[tuple[IPv4Address, bytes]] = set()

    # What is open --------------------------------------------------------------------------------

    def ask(self, question: OpenQuestion) -> None:
        """Something could not be decided."""
        if len(self.open) < MOST:
            self.open.setdefault((question.about, question.why), question)

    def hide(self, gap: Gap) -> None:
        """A source has a gap: no rule about uses holds for what it hides."""
        for rule in OF_USES:
            self.rulebook.leave_open(rule, f"a gap: {gap.why}")
        self.ask(OpenQuestion(about="a gap", why=gap.why, where=gap.where, at=gap.until))

    def leave_open_log(self, seen: Held) -> None:
        """A host's log that does not say whose it is."""
        why = "the log does not say the hardware address, and no one lease tells it"
        self.ask(OpenQuestion(about=str(seen.address), why=why, where=seen.where, at=seen.at))

    # Clients -------------------------------------------------------------------------------------

    def take_client(
        self, client: ClientTrack, tracks: Mapping[IPv4Address, AddressTrack], end: Instant | None
    ) -> None:
        """What a client did with its addresses."""
        for address, suspicion in client.finish():
            self._misuse(client, address, suspicion, tracks.get(address))
        for followed in client.addresses.values():
            self._remainder(client, followed, tracks.get(followed.address), end)

    def _misuse(
        self,
        client: ClientTrack,
        address: IPv4Address,
        found: Suspicion,
        track: AddressTrack | None,
    ) -> None:
        name = hardware_text(client.hardware)
        late = found.last - found.since
        if not found.certain:
            why = (
                f"used for {length_text(late)} after it was to be given up, which is right only "
                f"if the sources missed {missed_text(found.missed)}"
            )
            about = f"{address}, used by {name}"
            self._doubted.add((address, client.hardware))
            self.ask(OpenQuestion(about=about, why=why, where=found.first_where, at=found.first))
            self.rulebook.leave_open(KINDS[found.kind].rule, why)
            return
        self._misused.add((address, client.hardware))
        given = None if track is None else given_since(track, client.hardware, found)
        others = [] if track is None else used_beside(track, client.hardware, found)
        evidence = grounds_evidence(address, client.hardware, found)
        if given is not None:
            evidence.append(lease_evidence(address, given))
        evidence.append(use_evidence(found.first_where, found.first, name, found.how))
        evidence += [
            use_evidence(run.where, run.begin, hardware_text(run.hardware), run.how)
            for run in others[:2]
        ]
        if found.last_where != found.first_where:
            evidence.append(use_evidence(found.last_where, found.last, name, found.last_how))
        given_to = None if given is None else given.hardware
        self._find(
            AuditFinding(
                kind=found.kind,
                rule=KINDS[found.kind].rule,
                section=section_of(found.kind),
                address=address,
                hardware=client.hardware,
                server=None if found.grounds is None else found.grounds.server,
                since=found.since,
                until=None if found.still else found.last,
                holdover_s=late / SECOND,
                duplicate_s=duplicate_seconds(others, found),
                uncertainty_s=found.uncertainty / SECOND,
                unless_missed=found.missed,
                evidence=tuple(sorted(evidence, key=lambda each: each.at)),
                sentence=misuse_sentence(
                    found.kind, address, client.hardware, found.since, found.last, given_to
                ),
                advice=KINDS[found.kind].advice,
            )
        )
        if others:
            self.rulebook.break_(
                "R1", found.first_where, found.first, client.hardware, "used by two at once"
            )

    def _remainder(
        self,
        client: ClientTrack,
        followed: Followed,
        track: AddressTrack | None,
        end: Instant | None,
    ) -> None:
        """A lease whose end was not seen, or at whose end nothing was."""
        grounds = followed.grounds
        if grounds is None or followed.ended_kind is not None:
            return
        about = f"{followed.address}, leased to {hardware_text(client.hardware)}"
        if grounds.end is None:
            self.decided += 1
            self.rulebook.keep("R3")
        elif end is None or grounds.end > end:
            why = "what was given ends before the lease"
            self.ask(OpenQuestion(about=about, why=why, where=grounds.where, at=grounds.end))
            self.rulebook.leave_open("R3", why)
        elif (followed.gone is not None and followed.gone <= grounds.end) or (
            self.context.premises.missed == 0
            and track is not None
            and track.was_silent(client.hardware, grounds.end, followed.used, end)
        ):
            self.decided += 1
            self.rulebook.keep("R3")
        elif (followed.address, client.hardware) not in self._misused | self._doubted:
            why = "no use was seen after the lease end, and no log shows that the address went"
            self.ask(OpenQuestion(about=about, why=why, where=grounds.where, at=grounds.end))
            self.rulebook.leave_open("R3", why)

    # Addresses -----------------------------------------------------------------------------------

    def take_address(
        self,
        track: AddressTrack,
        clients: Mapping[bytes, ClientTrack],
        servers: Servers,
        end: Instant | None,
    ) -> None:
        """What became of an address."""
        for dispute in track.disputes:
            self._dispute(track, dispute, servers)
        for overlap in track.overlaps:
            self._at_once(track, overlap, clients)
        for unheeded in track.unheeded:
            self._unheeded(track, unheeded)
        if len(track.commitments) > 1 and not track.disputes:
            self.rulebook.keep("R2")
        if track.commitments and not track.overlaps:
            self.rulebook.keep("R1")
        if len(self.timelines) < MOST:
            self.timelines.append(timeline_of(track, self.findings))

    def _dispute(self, track: AddressTrack, found: Dispute, servers: Servers) -> None:
        first, second = found.first, found.second
        kind = self._kind(found, servers)
        names = hardware_text(first.hardware), hardware_text(second.hardware)
        if found.alone and found.first_use is None:
            return
        if found.missed <= self.context.premises.missed:
            why = (
                f"committed to {names[1]} while {names[0]} had it, which is right only if the "
                f"sources missed {missed_text(found.missed)}"
            )
            about = str(track.address)
            self.ask(OpenQuestion(about=about, why=why, where=found.where, at=found.at))
            self.rulebook.leave_open("R2", why)
            return
        evidence = [lease_evidence(track.address, first), lease_evidence(track.address, second)]
        if found.before is not None:
            evidence.append(found.before)
        for use, name in ((found.first_use, names[0]), (found.second_use, names[1])):
            if use is not None:
                evidence.append(use_evidence(use[1], use[0], name, "frame"))
        culprit = servers.tracks.get(second.server) if second.server is not None else None
        left = None if first.end is None else first.end - found.at
        row = KINDS[kind]
        self._find(
            AuditFinding(
                kind=kind,
                rule=row.rule,
                section=section_of(kind),
                address=track.address,
                hardware=second.hardware
                if kind == "same_client_id"
                else (None if culprit is None else culprit.hardware),
                server=second.server,
                since=found.at,
                until=found.until,
                duplicate_s=both_seconds(found),
                unless_missed=found.missed,
                evidence=tuple(sorted(evidence, key=lambda each: each.at)),
                sentence=dispute_sentence(
                    kind,
                    track.address,
                    (first.name, second.name),
                    (first.hardware, second.hardware),
                    found.at,
                    left,
                ),
                advice=row.advice,
            )
        )
        self._misused.add((track.address, second.hardware or b""))
        if kind != "same_client_id":
            self.rulebook.break_(
                "R2", found.where, found.at, first.hardware, "committed to another"
            )
        if both_seconds(found):
            self.rulebook.break_("R1", found.where, found.at, first.hardware, "used by two at once")

    def _kind(self, found: Dispute, servers: Servers) -> BlameKind:
        first, second = found.first, found.second
        if found.alone:
            return "same_client_id"
        if first.server != second.server and None not in (first.server, second.server):
            strangers = servers.are_strangers(first.server, second.server)
            return "rogue_server" if strangers else "two_servers"
        return "server_recommit" if found.before is None else "forgetful_server"

    def _at_once(
        self, track: AddressTrack, found: Overlap, clients: Mapping[bytes, ClientTrack]
    ) -> None:
        pair = {found.one, found.other}
        if any((track.address, each) in self._misused for each in pair):
            return
        if any({d.first.hardware, d.second.hardware} == pair for d in track.disputes):
            return
        owner = found.owner
        about = (
            f"{track.address}, used by {hardware_text(found.one)} and {hardware_text(found.other)}"
        )
        if owner is None or owner.hardware not in pair:
            why = "no lease of either of them was seen"
            self.ask(OpenQuestion(about=about, why=why, where=found.where, at=found.begin))
            return
        assert owner.hardware is not None
        (other,) = pair - {owner.hardware}
        if self.disguises.answers_for_others(other):
            why = f"{hardware_text(other)} uses several addresses: it may be a proxy"
            self.ask(OpenQuestion(about=about, why=why, where=found.where, at=found.begin))
            return
        if not self.disguises.claims(owner.hardware, track.address):
            why = "the leaseholder was not seen to answer ARP: the other may be its bridge or bond"
            self.ask(OpenQuestion(about=about, why=why, where=found.where, at=found.begin))
            return
        asked = clients.get(other)
        if asked is not None and (asked.asked or asked.addresses):
            why = (
                "the host without the lease uses DHCP as well, and its lease may not have been seen"
            )
            self.ask(OpenQuestion(about=about, why=why, where=found.where, at=found.begin))
            return
        row = KINDS["static_host"]
        self._find(
            AuditFinding(
                kind="static_host",
                rule=row.rule,
                section=section_of("static_host"),
                address=track.address,
                hardware=other,
                server=owner.server,
                since=found.begin,
                until=found.end,
                duplicate_s=(found.end - found.begin) / SECOND,
                unless_missed=None,
                evidence=(
                    lease_evidence(track.address, owner),
                    use_evidence(found.where, found.begin, "two hosts by turns", "frame"),
                    use_evidence(found.last, found.end, "two hosts by turns", "frame"),
                ),
                sentence=static_sentence(track.address, owner.hardware, other, found.begin),
                advice=row.advice,
            )
        )
        self.rulebook.break_("R1", found.where, found.begin, other, "used by two at once")

    def _unheeded(self, track: AddressTrack, found: Unheeded) -> None:
        if found.used is None:
            return
        names = hardware_text(found.hardware), hardware_text(found.other)
        if found.again is None or found.answers <= self.context.premises.undelivered:
            why = (
                f"{names[0]} probed, was answered {found.answers} times by {names[1]}, and took "
                "the address; it may not have heard"
            )
            about = str(track.address)
            self.ask(OpenQuestion(about=about, why=why, where=found.used[1], at=found.used[0]))
            self.rulebook.leave_open("R25", why)
            return
        row = KINDS["conflict_ignored"]
        self._find(
            AuditFinding(
                kind="conflict_ignored",
                rule=row.rule,
                section=section_of("conflict_ignored"),
                address=track.address,
                hardware=found.hardware,
                since=found.used[0],
                until=found.again[0],
                duplicate_s=(found.again[0] - found.used[0]) / SECOND,
                evidence=(
                    Evidence(found.probed[1], found.probed[0], f"ARP probe by {names[0]}"),
                    Evidence(found.answered[1], found.answered[0], f"ARP answer by {names[1]}"),
                    use_evidence(found.used[1], found.used[0], names[0], "ARP"),
                    use_evidence(found.again[1], found.again[0], names[1], "ARP"),
                ),
                sentence=conflict_sentence(
                    track.address, found.hardware, found.other, found.used[0]
                ),
                advice=row.advice,
            )
        )
        self._misused.add((track.address, found.hardware))

    def take_rogue(
        self, seen: DhcpMessage, message: BootReply, taken: tuple[IPv4Address, Commitment]
    ) -> None:
        """A server of another network has taken a client away."""
        row, (address, had) = KINDS["rogue_server"], taken
        known = [
            f for f in self.findings if f.kind == "rogue_server" and f.server == message.server
        ]
        if known:
            return
        self._find(
            AuditFinding(
                kind="rogue_server",
                rule=None,
                section="RFC 2131 §7",
                address=message.address,
                hardware=seen.hardware,
                server=message.server,
                since=seen.at,
                until=None,
                evidence=(
                    Evidence(had.where, had.at, f"DHCPACK by the server {had.name}"),
                    Evidence(seen.where, seen.at, f"DHCPACK by the server {message.server}"),
                ),
                sentence=rogue_sentence(
                    message.address, str(message.server), message.chaddr, had.name, address, seen.at
                ),
                advice=row.advice,
            )
        )

    def _find(self, found: AuditFinding) -> None:
        found = replace(found, evidence=tuple(sorted(found.evidence, key=lambda each: each.at)))
        if len(self.findings) < MOST:
            self.findings.append(found)
        if found.rule is not None and found.rule not in ("R1", "R2"):
            last = found.evidence[-1]
            first = next((each for each in found.evidence if each.at >= found.since), last)
            self.rulebook.break_(found.rule, first.where, first.at, found.hardware, found.kind)

    # The whole -----------------------------------------------------------------------------------

    def audit(
        self,
        gaps: tuple[Gap, ...],
        unreadable: tuple[Unreadable, ...],
        coverage: tuple[Coverage, ...],
        servers: Servers,
    ) -> Audit:
        """All of it, in the order of time."""
        if self.context.premises.missed:
            for rule in OF_USES:
                self.rulebook.leave_open(rule, "frames may have been missed")
        if not self.decided and not self.findings and not self.open:
            self.ask(OpenQuestion(about="everything", why="no lease was seen"))
        rules = self.rulebook.verdicts()
        return Audit(
            verdict=judge_all(self.findings, rules, self.open.values()),
            findings=tuple(sorted(self.findings, key=lambda each: each.since)),
            addresses=tuple(sorted(self.timelines, key=lambda each: (each.vlan, each.address))),
            rules=rules,
            open=tuple(self.open.values()),
            gaps=gaps,
            unreadable=unreadable,
            coverage=coverage,
            premises=self.context.premises,
        )
