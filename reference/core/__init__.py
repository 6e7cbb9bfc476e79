"""Client and server as pure functions on values; the standard library alone, no Linux.

This is the face for whoever embeds them (docs/embedding.md): `client.step` and `server.step` take a
state, an event and the present instant (a client a `Chance` too), and return the state after it and
the effects that the surroundings are to carry out in their order; `client.deadline` and
`server.deadline` say when they want to be called again.

The names are imported when they are asked for: who needs an instant alone needs no core.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdover.reference.core import client, server
    from holdover.reference.core.client_state import Client
    from holdover.reference.core.config import ClientConfig, ServerConfig
    from holdover.reference.core.events import (
        Chance,
        Configure,
        Effect,
        Event,
        Gone,
        Heard,
        Lease,
        Notice,
        Notify,
        Phase,
        Received,
        Release,
        Remove,
        Send,
        SendArp,
        Start,
        Stop,
        Store,
        Timer,
    )
    from holdover.reference.core.instants import SECOND, Duration, Instant
    from holdover.reference.core.server_state import (
        Binding,
        ReceivedRequest,
        Recording,
        SendReply,
        Server,
        ServerEffect,
        ServerEvent,
        StartServer,
        StoreBinding,
    )
    from holdover.reference.wire.arp import Arp, decode_arp, encode_arp
    from holdover.reference.wire.messages import (
        BootReply,
        BootRequest,
        reply_from,
        reply_to_wire,
        request_from,
        request_to_wire,
    )
    from holdover.reference.wire.option_values import MessageType, WireError
    from holdover.reference.wire.options import Options
    from holdover.reference.wire.packet import encode, read

__all__ = [
    "SECOND",
    "Arp",
    "Binding",
    "BootReply",
    "BootRequest",
    "Chance",
    "Client",
    "ClientConfig",
    "Configure",
    "Duration",
    "Effect",
    "Event",
    "Gone",
    "Heard",
    "Instant",
    "Lease",
    "MessageType",
    "Notice",
    "Notify",
    "Options",
    "Phase",
    "Received",
    "ReceivedRequest",
    "Recording",
    "Release",
    "Remove",
    "Send",
    "SendArp",
    "SendReply",
    "Server",
    "ServerConfig",
    "ServerEffect",
    "ServerEvent",
    "Start",
    "StartServer",
    "Stop",
    "Store",
    "StoreBinding",
    "Timer",
    "WireError",
    "client",
    "decode_arp",
    "encode",
    "encode_arp",
    "read",
    "reply_from",
    "reply_to_wire",
    "request_from",
    "request_to_wire",
    "server",
]

HOMES = (
    "holdover.reference.core.client_state",
    "holdover.reference.core.config",
    "holdover.reference.core.events",
    "holdover.reference.core.instants",
    "holdover.reference.core.server_state",
    "holdover.reference.wire.arp",
    "holdover.reference.wire.messages",
    "holdover.reference.wire.option_values",
    "holdover.reference.wire.options",
    "holdover.reference.wire.packet",
)
"""The modules in which these names are."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A name of this face, from where it is."""
        if name in ("client", "server"):
            return import_module(f"{__name__}.{name}")
        for home in HOMES if name in __all__ else ():
            if hasattr(module := import_module(home), name):
                return globals().setdefault(name, getattr(module, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
