"""Worlds small enough to be seen to the last state, and what their exploration must come to.

`settings.toml` lists them: how many hosts, addresses and datagrams, a lease of a few ticks, the
faults that the setting is about, and the client's constants where they are not the least that a
tick allows.  Each has its states, steps and depth; a changed number is explained in the commit that
changes it.
"""

from __future__ import annotations

import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from functools import cache
from importlib import resources
from ipaddress import IPv4Address
from typing import Any

from holdover.model.clients.profile import Environment, in_ticks, load
from holdover.reference.core.config import ClientConfig, Misbehaviour, ServerConfig

HARDWARE = bytes((2, 0, 0, 0, 0, 1))
"""Every host's where clients are explored: hosts differ by nothing that a core could see."""

SERVER_HARDWARE = bytes((2, 0, 0, 0, 0, 254))
SERVER = IPv4Address("10.0.0.254")
ADDRESSES = tuple(IPv4Address(f"10.0.0.{n}") for n in range(1, 9))
UNUSABLE = IPv4Address("224.0.0.5")
"""No host can have it."""

NOT_IN_ORDER = 1
"""How much longer than a datagram's flight a client waits before it begins again (`in_order`)."""


@dataclass(frozen=True)
class Setting(ABC):
    """A world small enough to be seen to the last state; times are ticks."""

    name: str
    about: str
    hosts: int
    addresses: int
    messages: int
    lease: int
    delay: int = 0
    faults: tuple[str, ...] = ()
    states: int = 0
    steps: int = 0
    depth: int = 0

    @property
    def size(self) -> str:
        """Hosts x addresses x datagrams."""
        return f"{self.hosts}x{self.addresses}x{self.messages}"

    @abstractmethod
    def config(self) -> ClientConfig | ServerConfig:
        """The core's constants."""

    @abstractmethod
    def constants(self) -> dict[str, object]:
        """The lease table's constants for this world."""


@dataclass(frozen=True)
class ClientSetting(Setting):
    """A world of real client cores around the table's server.

    `client`: constants of `ClientConfig`; those not named are as small as can be.  `jitters`: each
    is tried with each call that may use one.  `user`: may give the address back, and go on later.
    `broken`: each OFFER and DHCPACK may come with an address that no host can have, too.
    `shortest`: the lease that a renewal may be granted where the server `shortens`.
    """

    client: Mapping[str, int] = field(default_factory=dict)
    jitters: tuple[int, ...] = ()
    user: bool = False
    broken: bool = False
    kernel_late: int = 0
    shortest: int | None = None

    def config(self) -> ClientConfig:
        """The cores' constants."""
        waits = {f.name: 0 for f in fields(ClientConfig) if f.type == "Duration"}
        overtakes = self.delay + NOT_IN_ORDER
        least: dict[str, Any] = {
            "second": 1,
            "fuzz": 0,
            "ask_time": 1,
            "backoff_least": 1,
            "backoff_most": 1,
            "retry_floor": 1,
            "announcements": 1,
            "probes": 1,
            "conflicts_most": 2,
            "decline_wait": overtakes,
            "conflicts_wait": overtakes,
        }
        return ClientConfig(hardware=HARDWARE, **{**waits, **least, **self.client})

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
            shortest=None if self.shortest is None else Fraction(self.shortest),
            delay=Fraction(self.delay + config.offer_wait),
            faults=frozenset((*self.faults, "loses")),
        )
        return in_ticks(profile, environment, Fraction(1))


@dataclass(frozen=True)
class ServerSetting(Setting):
    """A world of the table's clients around a real server core.

    `server`: constants of `ServerConfig`; those not named are as small as can be.  `misbehave`:
    those of `Misbehaviour`, each with the fault of the table that allows it.  `restarts`: the
    server may be started again from what it has stored.  `fills`: its disk may be full for a while;
    whom it cannot serve then, it is silent to, which needs the fault `mutes`.  `both`: who renews
    fills in option 50 as well.
    """

    server: Mapping[str, int] = field(default_factory=dict)
    misbehave: Mapping[str, int] = field(default_factory=dict)
    restarts: bool = False
    fills: bool = False
    both: bool = False

    def config(self) -> ServerConfig:
        """The core's constants."""
        least: dict[str, Any] = {
            "second": 1,
            "lease": self.lease,
            "grace": 0,
            "offer_time": 1,
            "probe_wait": 0,
            "decline_time": 1,
            "decline_most": 1,
            "verify_wait": 0,
        }
        wrong: dict[str, Any] = dict(self.misbehave)
        return ServerConfig(
            identifier=SERVER,
            hardware=SERVER_HARDWARE,
            pool=ADDRESSES[: self.addresses],
            misbehave=Misbehaviour(**wrong),
            **{**least, **self.server},
        )

    def constants(self) -> dict[str, object]:
        """The lease table's constants for a world with this server.

        A DHCPDISCOVER that waits for a probe is to the table so much longer under way.
        """
        config = self.config()
        profile = replace(
            load("reference"),
            margin=Fraction(0),
            kernel_late=Fraction(0),
            asks_for=Fraction(1),
            probe_time=Fraction(1),
        )
        environment = Environment(
            lease=Fraction(self.lease),
            shortest=Fraction(1 if self.fills else self.misbehave.get("shorten", self.lease)),
            delay=Fraction(self.delay + max(config.probe_wait, config.verify_wait)),
            grace=Fraction(config.grace),
            server_probes=config.probe_wait > 0,
            faults=frozenset((*self.faults, "loses")),
        )
        return in_ticks(profile, environment, Fraction(1))


@cache
def _entries() -> Mapping[str, list[dict[str, object]]]:
    text = resources.files("holdover.reference.refinement") / "settings.toml"
    return tomllib.loads(text.read_text("utf-8"))


@cache
def settings() -> tuple[ClientSetting, ...]:
    """The clients' settings of `settings.toml`."""
    return tuple(ClientSetting(**_frozen(row)) for row in _entries()["setting"])


@cache
def server_settings() -> tuple[ServerSetting, ...]:
    """The server's settings of `settings.toml`."""
    return tuple(ServerSetting(**_frozen(row)) for row in _entries()["server"])


def every_setting() -> tuple[Setting, ...]:
    """The clients' and the server's."""
    return (*settings(), *server_settings())


def _frozen(row: dict[str, object]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
