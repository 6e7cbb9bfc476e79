"""A scene whose client is a device at the end of a cable: nobody can look into it.

Theory of operation.  As `Scene`, but that the cable of one of the machine's interfaces leads to the
switch, in the place of a host with a client.  The device is whoever asks for an address first, or
the one with the hardware address that was named; a mark has it (`DEVICE`).  It is BOUND when a
DHCPACK was on the wire for it and it answers for the address, or UNANSWERED seconds later: some
answer no ARP.  That it holds the address means that it shows a sign of it (`record/wire_view.py`).

The server has one hardware address in all scenes, since a device remembers it from one to the next.

What it does not know: what becomes of the device otherwise; whether it has let go of an address, or
is silent.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.record.measure import RUNNING
from holdover.reference.lab.record.wire_view import DEVICE
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.scene import LEASED, OWN, START, Scene
from holdover.reference.lab.testbed.servers import ServerProgram
from holdover.reference.linux.kernel.clock import now

SERVER_HARDWARE = "02:68:6f:6c:64:01"
"""Locally administered; "hold"."""

UNANSWERED = 20
"""Seconds in which a device that has a lease answers for the address: it may probe for seven."""

ASKS = ("DHCPDISCOVER", "DHCPREQUEST")


class DeviceScene(Scene):
    """Who is on the link: `srv`, a device, and, where there is one, `b` with a rival.

    `hardware`: the device's, as "02:00:00:00:00:01"; None: who asks first.  `patience`: seconds in
    which it asks.
    """

    def __init__(
        self,
        links: Links,
        place: Path,
        stop: threading.Event,
        *,
        interface: str,
        hardware: str | None,
        patience: float,
        server: ServerProgram,
        lease: int,
        rival: bool = False,
        server_probes: bool = False,
    ) -> None:
        self._interface, self._patience = interface, patience
        super().__init__(
            links,
            place,
            stop,
            server=server,
            lease=lease,
            rival=rival,
            server_probes=server_probes,
            questions=True,
        )
        self._hardware = "" if hardware is None else hardware.replace(":", "")

    def _hosts(self, links: Links, rival: dict[str, None]) -> dict[str, Host]:
        """The device is on the link, and no host of the lab has its name."""
        hosts = links(self._interface, srv=str(OWN), **rival)
        hosts["srv"].ip("link", "set", "eth0", "address", SERVER_HARDWARE)
        return hosts

    def begin(
        self,
        client: ClientProgram,
        hook_blocks: float | None = None,
        *,
        cloned: bool = False,
        kept: bool = False,
    ) -> None:
        """Nobody starts anything on a device; wait until it asks for an address.

        UnheardError where it does not, or where several do and none was named.
        """
        self.until(self._asks, self._patience, f"a device at {self._interface} asks for an address")
        if not self._hardware:
            self._hardware = self._asking()[0]
        self.mark(DEVICE + bytes.fromhex(self._hardware).hex(":"))

    def _asks(self) -> bool:
        return self._hardware in self._asking() if self._hardware else bool(self._asking())

    def _asking(self) -> list[str]:
        """The hardware addresses of who has asked, in the order of their asking."""
        lines = [m for kind in ASKS for m in self._recorder.events(kind)]
        rival = "" if self.b is None else self.b.hardware.replace(":", "")
        asked = [m["hardware"] for m in sorted(lines, key=lambda line: int(line["when"]))]
        return [each for each in dict.fromkeys(asked) if each != rival]

    def bound(self) -> None:
        """Wait until the device has a lease, and answers for the address, if it does."""
        self._wait_for_client(self.acks, "the device has a lease")
        end = self.acked() + UNANSWERED * SECOND
        self.until(lambda: self.holds() or now() >= end, START, "the device answers")
        self._state = RUNNING
        self.mark("bound" if self.holds() else "bound, and answers no ARP")

    def _check_client(self) -> bool:
        """Nobody sees whether anything runs on a device."""
        return False

    def _account(self) -> str:
        """What the device and the server have said so far."""
        kinds = (*ASKS, "DHCPOFFER", "DHCPACK", "DHCPNAK", "DHCPDECLINE")
        counts = {kind: len(self._mine(kind)) for kind in kinds}
        return ", ".join(f"{count} {kind}" for kind, count in counts.items())

    def holds(self) -> bool:
        """Whether the device has shown a sign of the address in the last seconds."""
        pattern = f'"(answers|silent)", "hardware": "{self._hardware}", "address": "{LEASED}"'
        seen = self._recorder.said(pattern)
        return bool(seen) and '"answers"' in seen[-1][1]

    def _mine(self, event: str) -> list[dict[str, Any]]:
        return super()._mine(event) if self._hardware else []
