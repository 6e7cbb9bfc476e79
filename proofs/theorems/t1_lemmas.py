"""T1's lemmas: what every state of wfwg311 has in common, so that a solver need not find it again.

Most are sentences of T3's argument (`invariants.LEASED`).  Three of those are not so of wfwg311,
which holds on where the argument says that it leaves: a host may answer for an address that is on
record for another.  The others hold up to the lapse, and say how far the record reaches.

Nothing here is believed.  `check_depth` has each proved in ticks before it uses it, and
`known_in_seconds` all of them in real time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from holdover.model.readings.finite import Instance
from holdover.model.table.client import NO_ADDRESS, leased
from holdover.model.table.expr import forall
from holdover.model.table.properties import Property
from holdover.model.table.vocabulary import (
    a,
    after_t1,
    after_t2,
    asleep,
    h,
    holds,
    lease_end,
    notice,
    now,
    owner,
    process,
    rebind_at,
    renew_at,
    wants,
)
from holdover.proofs.logic import formula
from holdover.proofs.logic.formula import TRUE, TRUTH, Formula
from holdover.proofs.logic.invariants import LEASED, over
from holdover.proofs.logic.unrolled import Timed

if TYPE_CHECKING:  # it imports numpy
    from holdover.proofs.logic.pairs import Pairs

LOST = ("exclusive", "owned", "held_under_lease", "leaves_in_time")
"""The sentences of T3's argument that wfwg311 breaks."""

OF_THIS_CLIENT = (
    Property(
        "on_record",
        "RFC 2131 §4.4.5",
        "who runs and has a lease has it on the server's record, and it is not over",
        over(
            h,
            a,
            body=(leased(h) & (wants[h] == a) & (process[h] == "RUNS") & ~asleep[h]).implies(
                (owner[a] == h) & (now <= lease_end[h])
            ),
        ),
    ),
    Property(
        "held_in_silence",
        "Q151387 SYMPTOMS",
        "who holds an address, and has no notice to show, has a lease on the server's record",
        over(
            h,
            a,
            body=((holds[h] == a) & (notice[h] == "SILENT")).implies((owner[a] == h) & leased(h)),
        ),
    ),
    Property(
        "held_after",
        "Q151387 SYMPTOMS",
        "who holds an address without a lease once had a lease, which is over",
        forall(h, ((holds[h] != NO_ADDRESS) & ~leased(h)).implies(lease_end[h] <= now)),
    ),
    Property(
        "notice_at_once",
        "Q151387 SYMPTOMS",
        "while the notice is due, no time has passed since the lapse",
        forall(h, ((notice[h] == "DUE") & (holds[h] != NO_ADDRESS)).implies(now <= lease_end[h])),
    ),
    Property(
        "asks_on_schedule",
        "RFC 2131 §4.4.5",
        "a client asks for more time a fixed while before its lease ends",
        forall(
            h,
            leased(h).implies(
                (renew_at[h] == lease_end[h] - after_t1) & (rebind_at[h] == lease_end[h] - after_t2)
            ),
        ),
    ),
)

LEMMAS = (*(each for each in LEASED if each.name not in LOST), *OF_THIS_CLIENT)


@dataclass(frozen=True)
class Known:
    """What is said of every state: the lemmas, and what two items can be together."""

    model: Instance
    lemmas: tuple[Property, ...]

    @cached_property
    def pairs(self) -> Pairs:
        """What two items can be together."""
        from holdover.proofs.logic.pairs import Pairs

        return Pairs(self.model)

    @property
    def possible(self) -> set[int]:
        """The labels of rows that can happen, by their numbers."""
        return self.pairs.possible

    def said(self, here: Timed) -> list[Formula]:
        """All of it, of one state."""
        pairs = self.pairs

        def among(slot: int, values: tuple[int, ...]) -> Formula:
            variable, member = self.model.slots[slot]
            item = here.values[variable.name, member]
            if item.domain is TRUTH:
                return formula.any_of(item if value else ~item for value in values)
            return formula.any_of(item == value for value in values)

        parts = [among(slot, tuple(sorted(values))) for slot, values in pairs.values.items()]
        parts += [
            among(fact.key, (fact.value,)).implies(among(fact.slot, fact.among))
            for fact in pairs.facts()
        ]
        parts += [here.read(lemma.term, {}) for lemma in self.lemmas]
        return [part for part in dict.fromkeys(parts) if part is not TRUE]
