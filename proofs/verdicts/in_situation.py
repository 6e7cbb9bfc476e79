"""The verdict on a situation: what is at stake, how long it lasts, and what is proved to cure it.

Two hosts with one address are judged as any client is (`judge.py`), with the cures of the matrix;
what a client does by itself as in `alone.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdover.model.clients.situations import Situation
from holdover.model.explorer.sequence_chart import ChartEvent
from holdover.model.readings.constants import holds
from holdover.model.table.bound import server_keeps
from holdover.model.table.properties import ALWAYS, EXCLUSIVE, STEPS
from holdover.proofs.result import Outcome, Progress, silent
from holdover.proofs.verdicts.alone import TICKS, judge_alone
from holdover.proofs.verdicts.by_bound import in_use_by_two, kept_when_given_away
from holdover.proofs.verdicts.judge import Size, judge
from holdover.proofs.verdicts.matrix import MatrixRow, deployment, proof, smallest_cures

SAYS = {p.name: p.says for p in (*ALWAYS, *STEPS)} | {
    "recovers": "once the faults are over, the client is bound to an address again"
}
"""What is at stake, by the property's name."""


@dataclass(frozen=True)
class SituationVerdict:
    """What becomes of it.

    `worst`: how long a host outstays its lease at most, in seconds, by the bound of T3; None where
    there is no bound, or the harm is another.  `cures`: the smallest sets of safeguards that are
    proved to cure, for any number of hosts; `probing`: whether it does where all clients probe.
    """

    situation: Situation
    outcome: Outcome
    reason: str
    worst: Fraction | None
    run: Sequence[ChartEvent]
    unit: str
    cures: Sequence[tuple[str, ...]] = ()
    probing: bool = False

    @property
    def exclusive(self) -> bool:
        """Whether two hosts with one address are at stake."""
        return self.situation.harm == EXCLUSIVE.name

    @property
    def kept(self) -> Fraction | None:
        """How long a host keeps an address that its server has given away, in seconds, by T6.

        None where the server does not, or there is no bound.
        """
        profile, world = self.situation.profile, self.situation.environment
        if not self.exclusive or holds(server_keeps, world.facts()):
            return None
        return kept_when_given_away(profile, world)

    @property
    def shared(self) -> Fraction | None:
        """How long the host and another have one address, each time, in seconds, by T7.

        None where there is no bound.
        """
        profile, world = self.situation.profile, self.situation.environment
        return in_use_by_two(profile, world) if self.exclusive else None

    @property
    def says(self) -> str:
        """The property."""
        return SAYS[self.situation.harm]


def judge_situation(situation: Situation, progress: Progress = silent) -> SituationVerdict:
    """The verdict on a situation."""
    profile, world = situation.profile, situation.environment
    if situation.harm != EXCLUSIVE.name:
        verdicts = {each.name: each for each in judge_alone(profile, world)}
        found = verdicts[situation.harm]
        reason = f"{found.states:,} states of one host, a lease in {TICKS} ticks"
        return SituationVerdict(situation, found.outcome, reason, None, found.run, "ticks")
    size = Size(addresses=situation.addresses, messages=situation.datagrams)
    judged = judge(profile, world, size, progress=progress)
    row = MatrixRow(situation.name, world, profile)
    return SituationVerdict(
        situation,
        judged.outcome,
        judged.reason,
        judged.worst,
        judged.run,
        judged.unit,
        smallest_cures(row),
        proof(*deployment(row, ("client probe",))) is not None,
    )
