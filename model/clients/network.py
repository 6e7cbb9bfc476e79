"""A network of several kinds of client, as data: what `holdover verify --network` reads.

A `ClientKind` is a profile, and the faults that befall its hosts alone.  A `Network` is some of
them around one server; its file may also say what the surroundings are, in the words of the
options:

    title = "the office"

    [surroundings]
    lease = 86400
    grace = 600

    [[client]]
    profile = "networkd"

    [[client]]
    profile = "printers.toml"
    faults = ["freezes"]

A profile is a built-in one, or a file beside this one.  Durations are seconds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from holdover.model.clients.profile import (
    FAULTS,
    Environment,
    Profile,
    exactly,
    harmless,
    in_seconds,
    in_ticks,
    load,
    mix_constants,
    text_file,
)
from holdover.model.errors import InputError, nearest
from holdover.model.inputs import printable, show_value
from holdover.model.table.expr import Constant
from holdover.model.table.vocabulary import CONSTANTS

OF_HOSTS = tuple(fault for fault in FAULTS if isinstance(CONSTANTS[fault], Constant))
"""The faults that befall one host and not another."""

DURATIONS = ("lease", "grace", "ack_delay", "acknowledge_within", "step", "shortest")
SWITCHES = ("answers_arrive", "authoritative", "server_probes")
SURROUNDINGS = (*DURATIONS, *SWITCHES, "drift_ppm", "faults", "situation")
"""What `[surroundings]` may have: the options of the commands, written with `_`."""

MOST = 64
"""Kinds of client in one file."""


@dataclass(frozen=True)
class ClientKind:
    """A kind of client in a network: what it does, and what befalls its hosts alone."""

    profile: Profile
    faults: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its profile's, and its faults."""
        return self.profile.name + (f" ({', '.join(self.faults)})" if self.faults else "")

    def in_seconds(self, environment: Environment) -> dict[str, object]:
        """The constants of a host with this client."""
        return in_seconds(self.profile, environment.and_faults(*self.faults))

    def in_ticks(self, environment: Environment, tick: Fraction) -> dict[str, object]:
        """The same, durations in ticks, rounded up."""
        return in_ticks(self.profile, environment.and_faults(*self.faults), tick)


Clients = tuple[ClientKind, ...]
"""Of hosts, one after the other; or the kinds that there are."""


def in_turn(profiles: Sequence[Profile], hosts: int) -> Clients:
    """So many hosts that have these clients in turn."""
    return tuple(ClientKind(profiles[host % len(profiles)]) for host in range(hosts))


def of_hosts(clients: Clients, environment: Environment) -> dict[str, object]:
    """The constants of hosts with these clients, in seconds."""
    return mix_constants([client.in_seconds(environment) for client in clients])


def of_hosts_in_ticks(
    clients: Clients, environment: Environment, tick: Fraction
) -> dict[str, object]:
    """The same in ticks."""
    return mix_constants([client.in_ticks(environment, tick) for client in clients])


@dataclass(frozen=True)
class Network:
    """Kinds of client around one server; any number of hosts has each."""

    title: str
    clients: Clients
    surroundings: Mapping[str, object]


# TOML --------------------------------------------------------------------------------------------


def load_network(path: Path) -> Network:
    """A network from its file; InputError names the file and the key."""
    text = text_file(path, "a network")
    try:
        data = tomllib.loads(text, parse_float=exactly)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from error
    for key in data:
        if key not in ("title", "surroundings", "client"):
            known = nearest(key, ("title", "surroundings", "client"))
            raise InputError(f"{path}: {show_value(key)}: no such key; {known}")
    title = data.get("title", printable(path.stem))
    if not isinstance(title, str):
        raise InputError(f"{path}: title: a text is needed, not {show_value(title)}")
    clients = data.get("client", [])
    if not isinstance(clients, list) or not 0 < len(clients) <= MOST:
        raise InputError(f"{path}: 1 to {MOST} kinds of client are needed, each as [[client]]")
    given = tuple(_client(client, n, path) for n, client in enumerate(clients, 1))
    names = [client.name for client in given]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"{path}: client {name} is there twice; once is for any number of hosts"
            )
    return Network(
        harmless(title, "title", f"{path}: title"),
        given,
        _surroundings(data.get("surroundings", {}), path),
    )


def _client(said: object, number: int, path: Path) -> ClientKind:
    at = f"{path}: client {number}"
    if not isinstance(said, dict):
        raise InputError(f"{at}: write it as [[client]]")
    for key in said:
        if key not in ("profile", "faults"):
            raise InputError(f"{at}: {show_value(key)}: no such key; there are: profile, faults")
    profile = said.get("profile")
    if not isinstance(profile, str):
        raise InputError(f'{at}: profile = "NAME" or "FILE.toml" is needed')
    is_file = profile.endswith(".toml") or "/" in profile
    loaded = load(str(path.parent / profile) if is_file else profile)
    faults = _faults(said.get("faults", []), at)
    for fault in faults:
        if fault not in OF_HOSTS:
            raise InputError(
                f"{at}: {fault} befalls no host alone: put it under [surroundings]; "
                f"those that do: {', '.join(OF_HOSTS)}"
            )
    return ClientKind(loaded, faults)


def _faults(said: object, at: str) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(isinstance(fault, str) for fault in said):
        raise InputError(f"{at}: faults: a list of texts is needed, not {show_value(said)}")
    for fault in said:
        if fault not in FAULTS:
            raise InputError(f"{at}: no fault {show_value(fault)}; {nearest(fault, FAULTS)}")
    return tuple(dict.fromkeys(said))


def _surroundings(said: object, path: Path) -> Mapping[str, object]:
    at = f"{path}: surroundings"
    if not isinstance(said, dict):
        raise InputError(f"{at}: write it as [surroundings]")
    found: dict[str, object] = {}
    for key, value in said.items():
        if key not in SURROUNDINGS:
            raise InputError(f"{at}: {show_value(key)}: no such key; {nearest(key, SURROUNDINGS)}")
        if key == "faults":
            found[key] = _faults(value, at)
        elif key == "situation":
            if not isinstance(value, str):
                raise InputError(f"{at}: {key}: a name is needed, not {show_value(value)}")
            found[key] = value
        elif key in SWITCHES:
            if not isinstance(value, bool):
                raise InputError(f"{at}: {key}: true or false is needed, not {show_value(value)}")
            found[key] = value
        else:
            if isinstance(value, bool) or not isinstance(value, int | Fraction) or value < 0:
                unit = "parts per million" if key == "drift_ppm" else "seconds"
                raise InputError(
                    f"{at}: {key}: a number of {unit} is needed, not {show_value(value)}"
                )
            found[key] = Fraction(value)
    if Fraction(str(found.get("drift_ppm", 0))) > 500_000:
        raise InputError(f"{at}: drift_ppm: at most 500000")
    return found
