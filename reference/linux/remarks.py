"""What a client says besides its notices: that nobody answers, each message, what others have done.

Theory of operation.  `say` takes what programs may want to read as well: a word, words for people,
and what they are about.  `warn` takes a line about what went wrong.  Nothing here decides anything.

Silence.  RFC 2131 has a client send again and again, and tell nobody.  Here the messages that want
an answer are counted, from the first one after the last answer on.  They are said FIRST after that,
and then after twice as long each time, up to MOST: who starts a client by hand hears of a missing
server soon, and a log does not fill.

A lease that is too short.  Where the probe of RFC 5227 and the margin leave nothing of what a
server offers, it is said once, with what to do.

What it does not know: why nobody answers, who took an address away.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

from holdover.reference.core.client_state import Client
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import Send
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType

FIRST: Duration = 3 * SECOND
MOST: Duration = 3600 * SECOND

WANT_ANSWERS = (MessageType.DISCOVER, MessageType.REQUEST)

Say = Callable[[str, str, dict[str, Any]], None]
"""Is given a word for programs, words for people, and what they are about."""


class Remarks:
    """What is to be said of one client; `tell_at`: when to call `silent`.

    `verbose`: each message is said.
    """

    def __init__(
        self, config: ClientConfig, say: Say, warn: Callable[[str], None], *, verbose: bool
    ) -> None:
        self.tell_at: Instant | None = None
        self._config, self._say, self._warn, self._verbose = config, say, warn, verbose
        self._since: Instant = 0
        self._sent: Counter[str] = Counter()
        self._wait = FIRST
        self._too_short: set[int] = set()

    # Messages ------------------------------------------------------------------------------------

    def sends(self, send: Send, now: Instant) -> None:
        """A message has left: it wants an answer, or not."""
        request = send.request
        kind = request.type.name
        if request.type in WANT_ANSWERS:
            if not self._sent:
                self._since, self._wait = now, FIRST
                self.tell_at = now + FIRST
            self._sent[kind] += 1
        if self._verbose:
            self._message("SENT", "to", kind, request.requested or request.ciaddr, send.to)

    def hears(self, reply: BootReply, *, holds: bool) -> None:
        """A message for the present exchange has come; `holds`: an address is in use."""
        self.note_answer()
        if self._verbose:
            self._message("RECEIVED", "from", reply.type.name, reply.address, reply.server)
        if reply.type is MessageType.OFFER and not holds:
            self._check_length(reply)

    def note_answer(self) -> None:
        """An answer has come, or none is wanted any more."""
        self.tell_at = None
        self._sent.clear()

    def silent(self, client: Client, now: Instant) -> None:
        """That nobody answers, if it is time to say so."""
        if self.tell_at is None or now < self.tell_at:
            return
        self._wait = min(2 * self._wait, MOST)
        self.tell_at = now + self._wait
        what = " and ".join(f"{number} DHCP{kind}" for kind, number in self._sent.items())
        words = f"nobody answers: {what} sent in {(now - self._since) // SECOND} s"
        if client.holds is not None and client.lease is not None and client.lease.end is not None:
            words += f"; {client.holds} has {(client.lease.end - now) // SECOND} s left"
        sent = [{"message": kind, "times": times} for kind, times in self._sent.items()]
        self._say("SILENT", words, {"since": self._since, "sent": sent})

    def _message(
        self, event: str, way: str, kind: str, address: IPv4Address, peer: IPv4Address | None
    ) -> None:
        about = None if address == NO_ADDRESS else str(address)
        words = f"DHCP{kind}{f' about {about}' if about else ''} {way} {peer or 'everybody'}"
        said = {"message": kind, "address": about, "peer": None if peer is None else str(peer)}
        self._say(event, words, said)

    def _check_length(self, offer: BootReply) -> None:
        """Whether probing (RFC 5227 §2.1.1) leaves something of the lease: a second, at least."""
        config, length = self._config, offer.lease
        if config.probes == 0 or length is None or length in self._too_short:
            return
        then = config.announce_wait + config.margin + config.second
        least = (config.probes - 1) * config.probe_least + then
        most = config.probe_wait + (config.probes - 1) * config.probe_most + then
        if length * config.second < most:
            self._too_short.add(length)
            never = "never" if length * config.second < least else "not always"
            self._warn(
                f"{offer.server} grants leases of {length} s: the address is {never} in use, since "
                f"to probe for it and to go in time takes {least / config.second:g} to "
                f"{most / config.second:g} s of it.  Use --no-probe, or have the server grant more"
            )

    # Others --------------------------------------------------------------------------------------

    def note_taken(self, address: IPv4Address, due: Instant | None, now: Instant) -> None:
        """Somebody has taken the address away: the lease goes on, and so it comes back."""
        when = "" if due is None else f" in {max(0, due - now) // SECOND} s"
        self._warn(
            f"{address} was taken off the interface by somebody else; its lease goes on, and it is "
            f"asked for again{when}.  To give it back: kill -USR2 {os.getpid()}"
        )
