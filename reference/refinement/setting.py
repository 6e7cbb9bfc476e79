"""Worlds small enough to be seen to the last state, and what their exploration must come to.

`settings.toml` lists them: how many hosts, addresses and datagrams, a lease of a few ticks, the
faults that the setting is about, and the client's constants where they are not the least that a
tick allows.  Each has its states, steps and depth; a changed number is explained in the commit that
changes it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from functools import cache
from importlib import resources

from holdover.model.profile import Environment, in_ticks, load
from holdover.reference.config import ClientConfig

HARDWARE = bytes((2, 0, 0, 0, 0, 1))
"""Every host's: hosts differ by nothing that a core could see."""

NOT_IN_ORDER = 1
"""How much longer than a datagram's flight a client waits before it begins again (`in_order`)."""


@dataclass(frozen=True)
class Setting:
    """A world small enough to be seen to the last state; times are ticks.

    `client`: constants of `ClientConfig`; those not named are as small as can be.  `jitters`: each
    is tried with each call that may use one.  `user`: may give the address back, and go on later.
    """

    name: str
    about: str
    hosts: int
    addresses: int
    messages: int
    lease: int
    delay: int = 0
    faults: tuple[str, ...] = ()
    client: Mapping[str, int] = field(default_factory=dict)
    jitters: tuple[int, ...] = ()
    user: bool = False
    kernel_late: int = 0
    states: int = 0
    steps: int = 0
    depth: int = 0

    @property
    def size(self) -> str:
        """Hosts x addresses x datagrams."""
        return f"{self.hosts}x{self.addresses}x{self.messages}"

    def config(self) -> ClientConfig:
        """The cores' constants."""
        waits = {f.name: 0 for f in fields(ClientConfig) if f.type == "Duration"}
        overtakes = self.delay + NOT_IN_ORDER
        least = {
            "second": 1, "fuzz": 0, "ask_time": 1, "backoff_least": 1, "backoff_most": 1,
            "retry_floor": 1, "announcements": 1, "probes": 1, "conflicts_most": 2,
            "decline_wait": overtakes, "conflicts_wait": overtakes,
        }  # fmt: skip
        return ClientConfig(hardware=HARDWARE, **{**waits, **least, **self.client})  # type: ignore[arg-type]

    def constants(self) -> dict[str, object]:
        """The lease table's constants for a world of these clients.

        An offer that a client keeps for `offer_wait` is to the table so much longer under way.
        """
        config = self.config()
        between = config.probe_most * (config.probes - 1)
        profile = replace(
            load("reference"),
            margin=Fraction(config.margin),
            kernel_late=Fraction(self.kernel_late),
            asks_for=Fraction(config.ask_time),
            probe_time=Fraction(config.probe_wait + between + config.announce_wait),
        )
        environment = Environment(
            lease=Fraction(self.lease),
            delay=Fraction(self.delay + config.offer_wait),
            faults=frozenset((*self.faults, "loses")),
        )
        return in_ticks(profile, environment, Fraction(1))


@cache
def settings() -> tuple[Setting, ...]:
    """All of `settings.toml`."""
    text = resources.files("holdover.reference.refinement") / "settings.toml"
    return tuple(_setting(row) for row in tomllib.loads(text.read_text("utf-8"))["setting"])


def _setting(row: dict[str, object]) -> Setting:
    frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Setting(**frozen)  # type: ignore[arg-type]
