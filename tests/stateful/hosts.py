"""A host of the network: a virtual host whose client is held to what the lease table does not see.

Each of its effects comes in its order, with an address all its probes and the times between them
(RFC 5227 §2.1.1), each notice is true, and each lapse is told.  What is not so is a Defect.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from holdover.model.table.vocabulary import PHASE, PROCESS
from holdover.reference.core.client_state import Client, Effects
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.discipline import OrderError
from holdover.reference.core.events import Chance, Effect, Event, Lease, Notice, Notify, SendArp
from holdover.reference.core.instants import Instant
from holdover.reference.refinement.client_cores import ClientCore
from holdover.reference.refinement.cores import DefectError
from tests.stateful.scene import from_now, number_of
from tests.virtual_host import VirtualHost

SILENT = 0

TIMERS_MOST = 8
"""A client that wants to be called more often than this at one instant would be called for ever."""


class Host(VirtualHost):
    """A host of the network.

    `xids`: of the present exchange, and of a farewell after it.  `probed`: when the probes of the
    present probing were sent; `probing_since`: when it began, or went on after a pause.
    `due_notice`: a lease has lapsed, and nobody has been told.  `timers`: how often its timer
    came at the instant `called`.
    """

    def __init__(self, config: ClientConfig, core: ClientCore):
        super().__init__(config, core)
        self.xids: set[int] = set()
        self.probed: list[Instant] = []
        self.probing_since: Instant | None = None
        self.due_notice = False
        self.called: Instant = -1
        self.timers = 0

    @property
    def probing(self) -> bool:
        """Whether its client is in PROBING."""
        return self.alive and self.client.phase.name == "PROBING"

    def step(self, event: Event, now: Instant, chance: Chance) -> Effects:
        """Hand an event to the core; whatever it raises is a Defect."""
        assert self.runs
        probed, core = self.probing, self.client
        try:
            effects = super().step(event, now, chance)
        except Exception as error:  # a mutant may do anything
            raise DefectError("crash", f"{type(error).__name__}: {error}") from error
        if not probed:
            self.probing_since = now
        self.due_notice = has_lapsed(core, self.client, now)
        return effects

    def stop(self, core: Client, effects: Effects) -> None:
        """End the process, if its client has come to rest and told its user.

        `core`: the client before it was told to end.
        """
        if self.client.phase.name != "INIT" or self.client.due is not None:
            raise DefectError("stop", "told to end, the client goes on")
        if core.lease is not None and not any(isinstance(effect, Notify) for effect in effects):
            raise DefectError("told", "the client ends and nobody is told")
        self.end()

    def obey(self, effects: Effects, now: Instant) -> Iterator[Effect]:
        """Carry them out, and hand each on; a Defect where one is too early or a notice not true.

        After the last one a lapse has been told.
        """
        try:
            for effect in self.carry_out(effects, probed=self.is_probed(now)):
                match effect:
                    case Notify(notice, about):
                        self.notify(notice, about)
                    case SendArp(packet) if packet.is_probe:
                        self.probed.append(now)
                yield effect
        except OrderError as early:
            raise DefectError(early.kind, early.says) from early
        if not self.probing:
            self.probed = []
        if self.due_notice:
            raise DefectError("told", "the lease lapses and nobody is told")

    def is_probed(self, now: Instant) -> bool:
        """RFC 5227 §2.1.1: so many probes, so far apart, and then a wait."""
        config, sent = self.config, [*self.probed, now]
        apart = [after - before for before, after in pairwise(sent)]
        return len(apart) == config.probes and all(
            gap >= least
            for gap, least in zip(
                apart,
                (*(config.probe_least,) * (config.probes - 1), config.announce_wait),
                strict=True,
            )
        )

    def notify(self, notice: Notice, about: Lease | None) -> None:
        """The user is told."""
        if notice is Notice.LAPSED:
            if not self.due_notice:
                raise DefectError("told", "a lapse is told and there was none")
            self.due_notice = False
        held = about is not None and self.address == about.address
        if held is not (notice in (Notice.BOUND, Notice.EXTENDED)) and about is not None:
            raise DefectError("told", f"the notice {notice.name} is not true")

    def count_timer(self, now: Instant) -> None:
        """Count a Timer that was handed in now; a Defect where the client wants one for ever."""
        self.timers = self.timers + 1 if self.called == now else 1
        self.called = now
        due = self.deadline
        if due is not None and due <= now and self.timers > TIMERS_MOST:
            raise DefectError("late", "the client wants to be called again and does nothing")

    def seen(self, now: Instant) -> tuple[Any, ...]:
        """Its variables, in the order of `OF_HOST`; without a process, of its lease file."""
        stored = self.stored
        kernel_end = self.until
        if self.alive:
            view = self.core.abstract(self.client)
            ends = view.asked, view.renew_at, view.rebind_at, view.lease_end
            phase, wants = view.phase, view.wants
            if phase == "PROBING" and view.lease_end is not None:  # to be configured with this
                kernel_end = view.lease_end - self.config.margin
        else:
            phase, wants, ends = "INIT", None, (None, None, None, None)
            if stored is not None:
                phase, wants = "INIT_REBOOT", stored.address
                ends = None, stored.renew_at, stored.rebind_at, stored.end
        probing_since = self.probing_since if self.probing else None
        return (
            PHASE.values.index(phase),
            PROCESS.values.index(self.process),
            SILENT,
            number_of(wants),
            number_of(self.address),
            *(from_now(instant, now) for instant in (*ends, kernel_end, probing_since)),
        )


def has_lapsed(core: Client, after: Client, now: Instant) -> bool:
    """The lease that the client had is over, and it has it no more."""
    lease = core.lease
    return lease is not None and not lease.runs(now) and after.lease != lease
