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
from holdover.reference.refinement.cores import DefectError, shifted

Stored = tuple[tuple[Any, Binding], ...]


class ServerCore(Protocol):
    """What is explored: `server.py`, or a module like it."""

    @property
    def step(self) -> Callable[[Server, ServerEvent, int], tuple[Server, ServerEffects]]:
        """The server after an event, and the effects."""

    @property
    def deadline(self) -> Callable[[Server], int | None]:
        """When it wants a Tick."""

    @property
    def abstract(self) -> Callable[[Server], Any]:
        """What the lease table knows of it."""


@dataclass(frozen=True)
class ServerLocal:
    """The implementation's part of a node: the core, and what it has stored."""

    server: Server
    stored: Stored


class ServerCores:
    """All states and calls of one server core, numbered and remembered as in `cores.py`."""

    def __init__(self, core: ServerCore, past: int):
        self.core, self.past = core, past
        self.locals: list[ServerLocal] = []
        self._numbers: dict[ServerLocal, int] = {}
        self._calls: dict[tuple[int, Any], tuple[int, ServerEffects]] = {}
        self._older: dict[int, int] = {}

    def number(self, local: ServerLocal) -> int:
        """The number of a state; the same for equal ones."""
        found = self._numbers.setdefault(local, len(self.locals))
        if found == len(self.locals):
            self.locals.append(local)
        return found

    def call(self, number: int, event: ServerEvent) -> tuple[int, ServerEffects]:
        """What the core does about an event."""
        found = self._calls.get((number, event))
        if found is None:
            before = self.locals[number]
            try:
                server, effects = self.core.step(before.server, event, 0)
            except Exception as error:  # a mutant may do anything
                raise DefectError("crash", f"{type(error).__name__}: {error}") from error
            kept = dict(before.stored)
            bound = {a: e.binding for a, e in server.entries if e.binding is not None}
            for effect in effects:
                if isinstance(effect, StoreBinding) and before.server.recording:
                    kept.pop(effect.address, None)
                    if effect.binding is not None:
                        kept[effect.address] = effect.binding
            if event == Recording(works=True):
                kept = dict(bound)
            stored = tuple(sorted(kept.items(), key=lambda item: item[0]))
            given_up = () if server.recording else kept.keys() - bound.keys()
            if bound != {a: binding for a, binding in kept.items() if a not in given_up}:
                raise DefectError("durable", "what is stored is not what is bound")
            found = self.number(ServerLocal(server, stored)), effects
            self._calls[number, event] = found
        return found

    def older(self, number: int) -> int:
        """The same state a tick later."""
        found = self._older.get(number)
        if found is None:
            local = self.locals[number]
            entries = tuple((a, self._aged(e)) for a, e in local.server.entries)
            stored = tuple((a, self._aged(b)) for a, b in local.stored)
            wrong = replace(
                local.server.config.misbehave,
                **{
                    name: max(value - 1, -self.past)
                    for name in ("mute_from", "mute_until", "forget_at")
                    if (value := getattr(local.server.config.misbehave, name)) is not None
                },
            )
            config = replace(local.server.config, misbehave=wrong)
            server = replace(local.server, config=config, entries=entries)
            found = self._older[number] = self.number(ServerLocal(server, stored))
        return found

    def _aged(self, value: Any) -> Any:
        inner = {
            name: self._aged(part)
            for name in ("binding", "offer", "late", "withheld")
            if (part := getattr(value, name, None)) is not None
        }
        return replace(shifted(value, 1, self.past), **inner)
