"""The server cores of an exploration: every local state, and each call of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from holdover.reference.core.server_state import (
    Binding,
    Recording,
    Server,
    ServerEffects,
    ServerEvent,
    StoreBinding,
)
from holdover.reference.refinement.cores import Cores, DefectError, shift

Stored = tuple[tuple[Any, Binding], ...]

ServerAnswer = tuple[int, ServerEffects]
"""The local state after a call, and the effects."""


class ServerCore(Protocol):
    """What is explored: `server.py`, or a module like it."""

    @property
    def step(self) -> Callable[[Server, ServerEvent, int], tuple[Server, ServerEffects]]:
        """The server after an event, and the effects."""

    @property
    def deadline(self) -> Callable[[Server], int | None]:
        """When it wants a Timer."""

    @property
    def abstract(self) -> Callable[[Server], Any]:
        """What the lease table knows of it."""


@dataclass(frozen=True)
class ServerLocal:
    """The implementation's part of a node: the core, and what it has stored."""

    server: Server
    stored: Stored


class ServerCores(Cores[ServerLocal, ServerEvent, ServerAnswer]):
    """All local states and calls of one server core."""

    def __init__(self, core: ServerCore, past: int):
        super().__init__(past)
        self.core = core

    def deadline(self, local: ServerLocal) -> int | None:
        """When the core wants to be called."""
        return self.core.deadline(local.server)

    def make_call(self, local: ServerLocal, call: ServerEvent) -> ServerAnswer:
        """What the core does about an event, and what is stored after it."""
        try:
            server, effects = self.core.step(local.server, call, 0)
        except Exception as error:  # a mutant may do anything
            raise DefectError("crash", f"{type(error).__name__}: {error}") from error
        kept = dict(local.stored)
        bound = {a: e.binding for a, e in server.entries if e.binding is not None}
        for effect in effects:
            if isinstance(effect, StoreBinding) and local.server.recording:
                kept.pop(effect.address, None)
                if effect.binding is not None:
                    kept[effect.address] = effect.binding
        if call == Recording(works=True):
            kept = dict(bound)
        stored = tuple(sorted(kept.items(), key=lambda item: item[0]))
        given_up = () if server.recording else kept.keys() - bound.keys()
        if bound != {a: binding for a, binding in kept.items() if a not in given_up}:
            raise DefectError("durable", "what is stored is not what is bound")
        return self.number(ServerLocal(server, stored)), effects

    def age(self, local: ServerLocal) -> ServerLocal:
        """The same server and store a tick later."""
        entries = tuple((a, self._age(e)) for a, e in local.server.entries)
        stored = tuple((a, self._age(b)) for a, b in local.stored)
        wrong = replace(
            local.server.config.misbehave,
            **{
                name: max(value - 1, -self.past)
                for name in ("mute_from", "mute_until", "forget_at")
                if (value := getattr(local.server.config.misbehave, name)) is not None
            },
        )
        config = replace(local.server.config, misbehave=wrong)
        return ServerLocal(replace(local.server, config=config, entries=entries), stored)

    def _age(self, value: Any) -> Any:
        inner = {
            name: self._age(part)
            for name in ("binding", "offer", "late", "withheld")
            if (part := getattr(value, name, None)) is not None
        }
        return replace(shift(value, 1, self.past), **inner)
