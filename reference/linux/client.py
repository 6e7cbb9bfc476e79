"""The client core behind a real interface: what happens into events, effects into acts.

Theory of operation.  `ClientShell.run` waits until the link, the kernel's netlink or the alarm has
something, or a signal says to end; then it takes one event after another, and carries out all
effects of one before it looks at the next.  Nothing is queued in between, and no effect waits for
anything but the kernel and the disk.  The core's deadline is looked at before each event: if it has
passed, a `Timer` goes first.  Whether the kernel has removed the address is looked at once a turn,
when the frames are read and before the first is handled: so `Gone` is told before whatever was
received after it.

The kernel may keep whoever asks it about links and addresses (heartbeat.py).  While there is a
lease, a beat a second tells; while one is missed, the kernel is not looked at, and can have removed
nothing either; renewals, ARP and notices go on.  Only a new address and a removal are waited for,
and a signal with them.

Before it asks a server for an address, it takes exchanges whose outcome is known
(known_answers.py), and does not ask where one comes out otherwise.

A lease that cannot be written down is not used.  Its `Store` fails, what should follow is not done,
and the core is put back to where it was before the event: as if the DHCPACK had been lost on its
way, or the timer were late.  It goes on with what is stored until that ends, and asks again
(`memory.py`; decision 24).  When there is room again it is started anew with what it has.

Orders.  SIGUSR1 has the lease asked for at once, as after a link that came back; SIGUSR2 gives it
back, and the client rests until SIGUSR1: both as udhcpc takes them.  Any other signal that would
end a process ends this one in order; SIGHUP too, for a terminal that is closed ends what it ran.

The end.  However it ends, by a signal or by an error, the core is told (`Stop`), and all of its
effects are tried, whichever fails: the address goes, with routes and MTU, then hook and user hear
of it; the lease stays stored, to be asked for again (INIT-REBOOT).  What a killed one has left
behind is handed to the core, which adopts it or has it removed; where the end comes before that, it
is so still.  A link that comes back after it was down may be another network (§3.7): the core is
started anew with what it had.

What it does not know: any phase of a lease, but whether one is in use when that is all it was asked
for; what a hook does, and whether it is done.
"""

from __future__ import annotations

import secrets
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

from holdover.model.errors import InputError
from holdover.reference.core.client import Client, deadline, step
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    JITTER,
    Chance,
    Effect,
    Event,
    Gone,
    Heard,
    Notify,
    Phase,
    Received,
    Release,
    Send,
    Start,
    Stop,
    Timer,
)
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.linux import known_answers
from holdover.reference.linux.executor import Executor
from holdover.reference.linux.kernel import clock
from holdover.reference.linux.kernel.heartbeat import EVERY
from holdover.reference.linux.kernel.interface import Changes
from holdover.reference.linux.kernel.parameters import parameters
from holdover.reference.linux.malformed import Sparing, describe_malformed
from holdover.reference.linux.remarks import Remarks, Say
from holdover.reference.linux.signal_orders import ORDERS, Ended, ending
from holdover.reference.linux.storage.lease_file import NotStoredError
from holdover.reference.linux.storage.memory import RETRY
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.frames import Datagram, Frame
from holdover.reference.wire.messages import reply_from
from holdover.reference.wire.option_values import WireError
from holdover.reference.wire.packet import read

RENEW, GIVE_BACK = ORDERS

ASKS_FIRST = (Phase.INIT, Phase.INIT_REBOOT)
"""Where an exchange begins that an address may come of."""

FAULTS = frozenset(
    {
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGTRAP,
        signal.SIGSYS,
    }
)
HARMLESS = frozenset(
    {
        signal.SIGCHLD,
        signal.SIGCONT,
        signal.SIGURG,
        signal.SIGWINCH,
        signal.SIGPIPE,
        signal.SIGXFSZ,
        signal.SIGKILL,
        signal.SIGSTOP,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
    }
)
"""Ignored by Python or the kernel, or not to be caught, or such that stop a process."""

ENDS = frozenset(map(int, signal.valid_signals())) - FAULTS - HARMLESS - {RENEW, GIVE_BACK}
"""What would end a process, and ends this one in order."""

BY_HAND = 2 * SECOND
"""An address that goes so much before its lifetime is over was taken away by somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the user wants.

    `once`: end when an address is in use, and leave it there.  `release`: give the lease back at
    the end.  `dry`: send messages, but neither touch the interface nor store, claim or defend.
    `within`: end where no address was in use so long after the start.  `verbose`: say each message.
    """

    once: bool = False
    release: bool = False
    dry: bool = False
    within: Duration | None = None
    verbose: bool = False


def unsaid(event: str, words: str, about: dict[str, Any]) -> None:
    """Nobody is to hear of it."""


def warn_nobody(line: str) -> None:
    """Nobody is to hear of it."""


class ClientShell:
    """A client, and the executor that does what it asks for."""

    def __init__(
        self,
        config: ClientConfig,
        executor: Executor,
        orders: Orders,
        say: Say = unsaid,
        warn: Callable[[str], None] = warn_nobody,
    ) -> None:
        self.client = Client(config)
        self.unread = 0
        self.too_late = False
        self._sparing = Sparing()
        self._config, self._executor, self._orders = config, executor, orders
        self._remarks = Remarks(
            config,
            say,
            lambda line: warn(f"{executor.interface.name}: {line}"),
            verbose=orders.verbose,
        )
        self._drawn: Chance | None = None
        self._timed: Client | None = None
        self._due_at: Instant | None = None
        self._give_up: Instant | None = None
        self._late_until: Instant | None = None
        self._interface, self._link = executor.interface, executor.link
        self._seen = self._interface.link()
        self._news = Changes()
        self._beat_at: Instant = 0
        self._brought_up = self._done = self._rests = self._unused = False

    # The loop ------------------------------------------------------------------------------------

    def run(self) -> int | None:
        """Until a signal, and which; None when it has done what was to be done once."""
        ends = [each for each in ENDS if signal.getsignal(each) != signal.SIG_IGN]  # nohup
        with closing(clock.Alarm()) as alarm, ending(ends) as ended:
            try:
                self._serve(alarm, ended)
            finally:
                self._leave()
        return None if self._done else ended.signal

    def _serve(self, alarm: clock.Alarm, ended: Ended) -> None:
        poll, ended_file = select.poll(), ended.fileno()
        for each in (self._link, self._interface, self._interface.heartbeat, alarm, ended):
            poll.register(each.fileno(), select.POLLIN)
        self._start()
        while not self._done and ended.signal is None and not self.too_late:
            alarm.set(self._deadline())
            for file, _ in poll.poll():
                if file == ended_file:
                    ended.clear()
            self.turn(ended.take())
        if not self._done and self._orders.release:
            self._handle(Release())

    def _deadline(self) -> Instant | None:
        """When there is something to do, if nothing happens before; a beat is something."""
        retry, tell = self._executor.memory.retry_at, self._remarks.tell_at
        beats = self.client.lease is not None and not self._orders.dry
        beat_at = self._beat_at if beats else None
        instants = (self._core_due(), retry, tell, self._give_up, beat_at)
        return min((instant for instant in instants if instant is not None), default=None)

    def _start(self) -> None:
        """Begin with what is stored, and with what a predecessor has left on the interface."""
        self._executor.journal.client(self._config, clock.now(), dry=self._orders.dry)
        name, up = self._interface.name, self._interface.link().up
        if self._orders.dry:
            if not up:
                raise InputError(f"{name} is down; set it up first: ip link set {name} up")
        else:
            self._executor.find()
            if not up:
                self._interface.set_up(True)
                self._brought_up = True
        self._interface.changes()
        self._seen = self._interface.link()
        if self._orders.within is not None:
            self._give_up = clock.now() + self._orders.within
        self.begin()

    def begin(self) -> None:
        """With what is stored, and what is on the interface by our doing, or a predecessor's."""
        self.client = Client(self._config, conflicts=self.client.conflicts, rests=self.client.rests)
        self._rests, self._late_until = False, None
        self._handle(Start(self._executor.memory.stored, self._executor.held))

    def turn(self, orders: Sequence[int] = ()) -> None:
        """Whatever there is to take, and to obey."""
        if not self._orders.dry:
            self._beat()
        self._check()
        frames = self._link.receive()
        self._look()  # after it: what the kernel did before a frame was received is seen
        self._due(clock.now())
        self._obey(orders)
        self._wait(clock.now())
        for frame in frames:
            if (event := self._event(frame)) is not None:
                self._handle(event)
                self._remember(event, frame)
        self._drawn = self._drawn or chance()  # for the next event: here nobody waits for it

    def _check(self) -> None:
        """Before it asks a server, whether it does right what is known (known_answers.py)."""
        if self.client.phase not in ASKS_FIRST:
            return
        due = self._core_due()
        if due is not None and due <= clock.now():
            known_answers.check(self._config)

    def _beat(self) -> None:
        """Whether the kernel answers, and what could not be done while it did not."""
        self._executor.catch_up()
        self._handle_expired()
        if clock.now() >= self._beat_at:
            self._interface.heartbeat.beat()
            self._beat_at = clock.now() + EVERY

    def _look(self) -> None:
        """What the kernel has done to the interface meanwhile; later, if it does not answer now."""
        if (heard := self._interface.changes()).any:
            self._news |= heard
        if not self._news.any or not self._executor.ready():
            return
        changes, self._news = self._news, Changes()
        if changes.vanished:
            raise InputError(f"the interface {self._interface.name} is gone")
        held = self._executor.held
        if held is not None and not self._interface.has(held):
            until = self._executor.until
            by_hand = until is None or clock.now() < until - BY_HAND
            self._executor.note_loss(held)
            self._handle(Gone(held))
            if by_hand and self.client.lease is not None:
                self._remarks.note_taken(held, deadline(self.client), clock.now())
        before, self._seen = self._seen, self._interface.link()
        broken = changes.down or not before.running or self._seen.flaps != before.flaps
        if self._seen.running and broken and not self._rests:
            self._due(clock.now())
            self.begin()

    # Orders, and waiting -------------------------------------------------------------------------

    def _obey(self, orders: Sequence[int]) -> None:
        """The user's signals, in their order; in a dry run there is nothing to order."""
        for number in orders if not self._orders.dry else ():
            if number == RENEW:
                self.begin()
            else:
                self._handle(Release())
                self._rests = True
                self._remarks.note_answer()

    def _wait(self, now: Instant) -> None:
        """What is to be said or tried again when nothing has happened for a while."""
        memory = self._executor.memory
        if memory.retry_at is not None and memory.retry_at <= now:
            again = memory.retry() and self._executor.held is not None and self._unused
            if again:
                self._unused = False
                self.begin()
        self._remarks.silent(self.client, now)
        if self._give_up is not None and self._give_up <= now:
            self.too_late = self._executor.held is None
            self._give_up = None

    def _event(self, frame: Frame) -> Event | None:
        """What a frame is to the core; None: nothing, nor is ARP for other addresses than its."""
        content = frame.content
        if isinstance(content, Arp):
            lease = self.client.lease
            ours = lease is not None and lease.address in (content.sender, content.target)
            return Heard(content) if ours else None
        if not isinstance(content, Datagram):
            return None
        return self._reply(content)

    def _reply(self, content: Datagram) -> Event | None:
        """A reply, without what could not be read; None where it rests on that, or is none."""
        event, refused_for = None, None
        try:
            reading = read(content.payload)
        except WireError:
            self.unread += 1
            return None
        try:
            reply = reply_from(reading)
            self._remarks.hears(reply, holds=self.client.holds is not None)
            event = Received(reply)
        except WireError as error:
            self.unread += 1
            refused_for = error.message
        if reading.dropped:
            kind = reading.message.message_type
            name = "a reply" if kind is None else f"DHCP{kind.name}"
            said = describe_malformed(f"{name} from {content.source}", reading.dropped, refused_for)
            self._executor.note_malformed(said, self._sparing)
        return event

    def _remember(self, event: Event, frame: Frame) -> None:
        """Where the server of our lease is heard from."""
        lease = self.client.lease
        if isinstance(event, Received) and lease is not None and event.reply.server == lease.server:
            self._executor.heard_from(lease.server, frame.source)

    # Events --------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        now = clock.now()
        self._due(now)
        self._step(event, now)

    def _due(self, now: Instant) -> None:
        """The deadline, if it has passed, comes before what else has happened."""
        due = self._core_due()
        if due is not None and due <= now:
            self._step(Timer(), now)

    def _core_due(self) -> Instant | None:
        """The core's deadline; later where what it would do could not be done a moment ago."""
        if self._timed is not self.client:
            self._timed, self._due_at = self.client, deadline(self.client)
        due, late = self._due_at, self._late_until
        return due if due is None or late is None else max(due, late)

    def _step(self, event: Event, now: Instant) -> None:
        before, self._late_until = self.client, None
        try:
            for effect in self._effects(event, now):
                self._executor.carry_out(effect)
        except NotStoredError:
            self._put_back(before, now)
            return
        if self.client.exchange is None:
            self._remarks.note_answer()  # nothing is asked for any more
        self._listen()
        self._handle_expired()
        if self.client.phase is Phase.REQUESTING:
            chosen = self.client.offers[0]
            parameters(chosen.address, chosen.options)  # read while the server thinks; and kept
        if self._orders.dry or (self._orders.once and self._executor.held is not None):
            # In use; and announced, as often as it wants to.
            self._done = self.client.phase is Phase.BOUND and self.client.due is None

    def _put_back(self, before: Client, now: Instant) -> None:
        """The event that brought a lease which cannot be stored has not been."""
        self._executor.journal.note_unstored(now)
        self.client = before
        self._listen()
        self._unused = True
        due, lease = deadline(before), before.lease
        if due is not None and due <= now:  # it was the timer that could not be obeyed
            self._late_until = now + RETRY
            if lease is not None and lease.end is not None and now < lease.end:
                self._late_until = min(self._late_until, lease.end)
        if before.holds is not None and self._executor.held != before.holds:
            self._handle(Gone(before.holds))

    def _listen(self) -> None:
        """To the answers that are wanted."""
        exchange = self.client.exchange
        self._link.awaits = None if exchange is None else exchange.xid

    def _handle_expired(self) -> None:
        """What could not be configured, or not in time, is gone."""
        if (expired := self._executor.expired) is not None:
            self._executor.expired = None
            self._handle(Gone(expired))

    def _effects(self, event: Event, now: Instant) -> Iterator[Effect]:
        """What the core asks for, each to be done before the next is looked at."""
        drawn, self._drawn = self._drawn or chance(), None
        self._executor.journal.event(event, now, drawn)
        self.client, effects = step(self.client, event, now, drawn)
        if self.client.exchange is not None:
            self._listen()  # before anything is sent
        for effect in effects:
            self._executor.journal.effect(effect, now)
            if not self._orders.dry or isinstance(effect, Send | Notify):
                yield effect
                if isinstance(effect, Send):
                    self._remarks.sends(effect, now)

    # The end -------------------------------------------------------------------------------------

    def _leave(self) -> None:
        """The interface as it was found; but what was to be done once stays."""
        if self._done or self._orders.dry:
            return
        found, now = self._executor.held, clock.now()
        if found is not None and self.client.holds is None:  # the core was not told of it
            self._try(Start(self._executor.memory.stored, found), now)
        self._try(Stop(), now)
        if self._brought_up:
            with suppress(InputError):  # the interface is gone
                self._interface.link()
                self._interface.set_up(False)

    def _try(self, event: Event, now: Instant) -> None:
        """No effect is left out because another one fails: the interface is gone, the disk full."""
        for effect in self._effects(event, now):
            with suppress(InputError):
                self._executor.carry_out(effect)


def chance() -> Chance:
    """A fresh xid and jitter."""
    return Chance(secrets.randbits(32), secrets.randbits(64) % (JITTER + 1))


def dry(config: ClientConfig) -> ClientConfig:
    """For a run that only asks: without a probe, a lease is told as soon as it is granted."""
    return replace(config, probes=0, announcements=0)
