"""What people report of addresses that are overstayed, held twice or lost, in terms of the table.

A situation is a client and its surroundings, with the property that is at stake there.  They are
data (`situations.toml`), each with the public reports that it stands for; what nothing here says
yet is listed too, with the reason.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from holdover.model.clients.profile import STANDARD, Environment, Profile, Seconds, fact, load
from holdover.model.errors import InputError, nearest
from holdover.model.inputs import show_value
from holdover.model.table.vocabulary import CONSTANTS


@dataclass(frozen=True)
class Situation:
    """What happens, to which client, and what is at stake.

    `facts`: how the client differs from the built-in profile of that name; `lease` and `grace` in
    seconds, where they matter; `addresses`, `datagrams`: how many it takes to see it.  `on_server`:
    what to set, by server.
    """

    name: str
    says: str
    client: str
    facts: Mapping[str, object]
    faults: tuple[str, ...]
    harm: str
    outcome: str
    reports: tuple[str, ...]
    on_client: str
    on_server: Mapping[str, str]
    lease: Seconds = STANDARD.lease
    grace: Seconds = STANDARD.grace
    addresses: int = 1
    datagrams: int = 1

    @property
    def profile(self) -> Profile:
        """The client."""
        changed: dict[str, Any] = dict(self.facts)
        return replace(load(self.client), **changed)

    @property
    def environment(self) -> Environment:
        """The surroundings; a server's clock is set forward by a whole lease."""
        return replace(
            STANDARD.and_faults(*self.faults),
            lease=self.lease,
            grace=self.grace,
            step=self.lease if "jumps" in self.faults else STANDARD.step,
        )


@dataclass(frozen=True)
class Unexpressed:
    """Reports that nothing here says yet, and why."""

    reports: tuple[str, ...]
    why: str


@cache
def _data() -> Mapping[str, Any]:
    text = (resources.files("holdover.model.clients") / "situations.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def situations() -> tuple[Situation, ...]:
    """All of them, in the order of the file."""
    return tuple(_situation(entry) for entry in _data()["situation"])


def _situation(entry: Mapping[str, Any]) -> Situation:
    client, name = entry["client"], entry["name"]
    named = isinstance(client, str)
    facts = {} if named else {key: fact(client[key], CONSTANTS[key], name) for key in client}
    further: dict[str, Any] = {
        **{key: Seconds(entry[key]) for key in ("lease", "grace") if key in entry},
        **{key: entry[key] for key in ("addresses", "datagrams") if key in entry},
    }
    return Situation(
        name,
        entry["says"],
        client if named else "rfc2131",
        facts,
        tuple(entry["faults"]),
        entry["harm"],
        entry["outcome"],
        tuple(entry["reports"]),
        entry.get("on_client", ""),
        entry.get("on_server", {}),
        **further,
    )


@cache
def list_unexpressed() -> tuple[Unexpressed, ...]:
    """What nothing here says yet."""
    return tuple(
        Unexpressed(tuple(entry["reports"]), entry["why"]) for entry in _data()["unexpressed"]
    )


def find_situation(name: str) -> Situation:
    """The one of that name; InputError if there is none."""
    for each in situations():
        if each.name == name:
            return each
    names = tuple(each.name for each in situations())
    raise InputError(f"no situation {show_value(name)}; {nearest(name, names)}")
