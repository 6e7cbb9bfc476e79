"""A course of steps, and the lease table followed along it.

Theory of operation.  `PlanFollower` follows the table, with a client's own constants, in real
seconds, by the concrete reading: the rows of a plan (`plan.py`) at their instants, and before them
each prompt row that is due.  So what a host does and when is the table's, and no row has an effect
written down here.  Whoever plays a course reads off the state before and after a step what there is
to do.

A plan may be that of another tenant, one that stays.  Of that one's steps the tenant takes those
that the table allows it; server, network and second host take all of theirs.

What it does not know: links and kernels; hosts that sleep.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from holdover.model.clients.profile import Environment, Profile, in_seconds
from holdover.model.explorer.sequence_chart import fill_sentence
from holdover.model.readings.finite import name_of
from holdover.model.readings.interpreter import Interpreter, NotEnabledError, State, Time, Value
from holdover.model.table.client import CLIENT_ACTIONS
from holdover.model.table.expr import Action
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE, NOW, h
from holdover.proofs.result import Outcome
from holdover.proofs.verdicts.judge import Size

TENANT = 0
"""The host that has the address first: h1."""

KERNEL_ROW = "kernel_removes"
"""The row that the kernel takes and not the client: it is seen, never done."""


class PlanError(Exception):
    """The link, or the table with other constants, does not what the run says."""


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the table, for what, and how many seconds after the beginning."""

    at: Time
    action: Action
    binding: tuple[Value, ...]

    @property
    def slot(self) -> Value:
        """The datagram that it is about."""
        slots = zip(self.action.given, self.binding, strict=True)
        return next((value for name, value in slots if name.sort is MESSAGE), None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be played: whose verdict, which steps.

    `made_to_stay`: the plan is of a variant of the client that never lets go, since the client has
    no collision.
    """

    profile: Profile
    environment: Environment
    outcome: Outcome
    reason: str
    steps: tuple[Step, ...]
    made_to_stay: bool


class PlanFollower:
    """The table with a client's constants, followed along a plan.

    `state`: the present one.  After its last step it goes on until `end`, with what is due.
    """

    def __init__(self, plan: Plan, further: Time = 0) -> None:
        size = Size()
        sizes = {HOST: size.hosts, ADDRESS: size.addresses, MESSAGE: size.messages}
        self._world = Interpreter(LEASE_TABLE, in_seconds(plan.profile, plan.environment), sizes)
        self._left, self._made_to_stay = list(plan.steps), plan.made_to_stay
        self.hosts = range(size.hosts)
        self.state = self._world.initial()
        self.end = (plan.steps[-1].at if plan.steps else 0) + further

    @property
    def complete(self) -> bool:
        """All steps of the plan are taken."""
        return not self._left

    def next(self) -> Step | None:
        """The next step: one of the plan, or a row that is due before it; None: none is left.

        A row that only the tenant that was made to stay has is left out.
        """
        while True:
            step = self._left[0] if self._left else None
            due = self._due()
            if due is not None and due[0] < (self.end if step is None else step.at):
                return Step(due[0], due[1], self._binding(*due))
            if step is None or not self._of_tenant(step) or self._possible(step):
                return step
            del self._left[0]

    def take(self, step: Step) -> tuple[State, State]:
        """The state before the step and after it; PlanError where a guard forbids it."""
        try:
            self.pass_to(step.at)
            before = self.state
            self.state = self._world.step(before, step.action, step.binding)
        except NotEnabledError as error:
            raise PlanError(f"the table does not allow what comes next: {error}") from None
        if self._left and step is self._left[0]:
            del self._left[0]
        return before, self.state

    def pass_to(self, instant: Time) -> None:
        """Let time pass until then."""
        if instant > self.state.now:
            tick = LEASE_TABLE.action("tick")
            self.state = self._world.step(self.state, tick, (instant - self.state.now,))

    def kernel_row(self, host: int, at: Time) -> Step:
        """The kernel of a host has removed its address."""
        return Step(at, LEASE_TABLE.action(KERNEL_ROW), (host,))

    def sentence(self, step: Step, before: State) -> str:
        """A step in a sentence."""

        def kind_in(slot: object) -> str:
            assert isinstance(slot, int)
            return str(before["kind", slot])

        return fill_sentence(step.action, step.binding, kind_in)[0]

    def _of_tenant(self, step: Step) -> bool:
        """Whether it is the tenant's to do or not, and the plan that of another tenant."""
        bound = zip(step.action.given, step.binding, strict=True)
        own = step.action in CLIENT_ACTIONS and any(p is h and host == TENANT for p, host in bound)
        return self._made_to_stay and own

    def _possible(self, step: Step) -> bool:
        return self._world.enabled(self._later(step.at), step.action, step.binding)

    def _later(self, instant: Time) -> State:
        """The present state at an instant; no host sleeps, so nothing else changes."""
        return self.state.but({(NOW.name, 0): max(instant, self.state.now)})

    def _due(self) -> tuple[Time, Action, int] | None:
        """The first prompt row that is due, when, and whose it is."""
        first: tuple[Time, Action, int] | None = None
        for action in LEASE_TABLE.actions:
            for host in self.hosts if action.due is not None else ():
                assert action.due is not None
                if not self._world.value(action.due.condition, self.state, {h: host}):
                    continue
                instant = self._world.value(action.due.instant, self.state, {h: host})
                assert isinstance(instant, int | Fraction)
                if first is None or instant < first[0]:
                    first = instant, action, host
        return first

    def _binding(self, instant: Time, action: Action, host: int) -> tuple[Value, ...]:
        """What a prompt row is taken for when it is due; only which slot it takes is open."""
        at = action.given.index(h)
        found = self._world.bindings(self._later(instant), action, {})
        binding = next((each for each in found if each[at] == host), None)
        if binding is None:
            raise PlanError(f"{action.name} of {name_of(HOST, host)} is due and not possible")
        return binding
