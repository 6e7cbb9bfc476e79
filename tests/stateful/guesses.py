"""Rows of the lease table that may explain a call of a client: `Rows.justify` tries them first."""

from __future__ import annotations

from collections.abc import Sequence

from holdover.reference.core.client_state import Client
from holdover.reference.core.events import Effect, Notice, Notify, Send

REQUESTS = {
    "REQUESTING": "select",
    "REBOOTING": "reboot",
    "RENEWING": "renew",
    "REBINDING": "rebind",
}
MOVES = {
    ("REQUESTING", "INIT"): "give_up",
    ("PROBING", "BOUND"): "use",
    ("REBOOTING", "BOUND"): "keep_remainder",
    ("REBOOTING", "PROBING"): "keep_remainder",
}
ANSWERED = {"REQUESTING": "bind", "REBOOTING": "bind", "PROBING": "cut_short", "BOUND": "cut_short"}


def guessed(
    core: Client, after: Client, effects: Sequence[Effect], kind: str, *, lapsed: bool
) -> list[str]:
    """Rows that may explain a call; a wrong guess costs a search."""
    names = ["lapse", "notify"] if lapsed else []
    before = "INIT" if lapsed else core.phase.name
    acted = after != core and not lapsed
    for effect in effects:
        if isinstance(effect, Send):
            said = effect.request.type.name.lower()
            if said != "request":
                return [*names, said]
            if before == after.phase.name and before in ("REQUESTING", "REBOOTING"):
                return [*names, "ask_again"]
            others = len(core.offers) + (kind == "OFFER") - 1
            name = REQUESTS.get(after.phase.name, "")
            return [*names, name, *["ignore"] * (others if name == "select" else 0)]
    match kind:
        case "ACK" if any(isinstance(e, Notify) and e.notice is Notice.TOO_SHORT for e in effects):
            return [*names, "cut_off", "notify"]
        case "ACK" if acted:
            return [ANSWERED.get(before, "extend")]
        case "NAK" if acted:
            return ["obey_nak"]
        case "STOP":
            return [*names, "stop"]
        case "OFFER" if acted:
            return []
        case "OFFER" | "ACK" | "NAK":
            return [*names, "ignore"]
    move = MOVES.get((before, after.phase.name))
    return names if move is None else [*names, move]
