"""The pinned configurations: bounds apart from meaning, and what their exploration must come to.

`configurations.toml` lists instances of the table - a profile, sizes, a lease in ticks, and only
the faults that the configuration is about, so that its states can be seen to the last one.  Each
has its distinct states, steps and depth, and for each property the length of the shortest run that
breaks it.  A changed number is a changed model: it is explained in the commit that changes it.

`python -m holdover.model.explorer.configurations` prints the file as today's model would have it.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from holdover.model.clients.network import in_turn
from holdover.model.clients.profile import load
from holdover.model.explorer.explore import EngineResult, Exploration, Progress, explore
from holdover.model.explorer.instances import environment_of, small_instance
from holdover.model.readings.finite import Instance
from holdover.model.readings.narrow import narrow_down
from holdover.model.table.client import runs
from holdover.model.table.expr import Expr, exists, forall
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS
from holdover.model.table.vocabulary import h, notice, phase, process

FAULT_ROWS = (
    "mute",
    "lose",
    "duplicate",
    "freeze",
    "crash",
    "stop",
    "suspend",
    "set_back",
    "forget",
    "jump",
    "forge",
    "settle",
    "intrude",
    "release",
    "rival_offer",
    "rival_ack",
    "rival_nak",
)
"""What must stop for good before something is due *eventually*; everything else is fair."""

EVENTUALLY: Mapping[str, Expr] = {
    "recovers": exists(h, runs(h) & (phase[h] == "BOUND")),
    "told": forall(h, (notice[h] != "DUE") | (process[h] == "DEAD")),
}
"""`recovers`: with the server back and the network fair, a client that runs is BOUND.  `told`: a
notice that is due is shown, unless its process has died."""


@dataclass(frozen=True)
class Configuration:
    """An instance with its pinned numbers."""

    name: str
    profile: str
    hosts: int
    addresses: int
    messages: int
    ticks: int
    delay: int
    faults: tuple[str, ...]
    states: int
    steps: int
    depth: int
    broken: Mapping[str, int]
    sometimes: tuple[str, ...]
    eventually: tuple[str, ...]
    beside: tuple[str, ...] = ()
    """Profiles of other hosts: they have `profile` and these in turn."""

    def instance(self) -> Instance:
        """The table with these bounds; a lease of an hour in `ticks` ticks."""
        clients = in_turn([load(name) for name in (self.profile, *self.beside)], self.hosts)
        environment = environment_of(self.ticks, self.delay, self.faults)
        return small_instance(clients, environment, self.ticks, self.addresses, self.messages)

    @property
    def size(self) -> str:
        """Hosts x addresses x datagrams."""
        return f"{self.hosts}x{self.addresses}x{self.messages}"


@cache
def configurations() -> tuple[Configuration, ...]:
    """All of `configurations.toml`, which is read once."""
    text = (resources.files("holdover.model.explorer") / "configurations.toml").read_text("utf-8")
    return tuple(
        Configuration(
            **{
                **entry,
                "faults": tuple(entry["faults"]),
                "sometimes": tuple(entry["sometimes"]),
                "eventually": tuple(entry["eventually"]),
                "beside": tuple(entry.get("beside", ())),
            }
        )
        for entry in tomllib.loads(text)["configuration"]
    )


@dataclass(frozen=True)
class ExplorationCounts:
    """What an exploration came to, in the manifest's terms."""

    states: int
    steps: int
    depth: int
    broken: Mapping[str, int]
    sometimes: tuple[str, ...]
    eventually: tuple[str, ...]
    complete: bool


def run(
    configuration: Configuration, progress: Progress | None = None, *, narrow: bool = False
) -> tuple[ExplorationCounts, Exploration]:
    """Explore a configuration to its end, and ask what its pinned line asks.

    `narrow`: its states have only what may change.
    """
    instance = configuration.instance()
    if narrow:
        instance = narrow_down(instance)
    found = explore(
        instance,
        ALWAYS,
        STEPS,
        SOMETIMES,
        keep_steps=bool(configuration.eventually),
        progress=progress,
    )
    return counts(found, lasting(found, configuration.eventually)), found


def counts(
    found: Exploration | EngineResult, eventually: tuple[str, ...] = ()
) -> ExplorationCounts:
    """The numbers of an exploration; `eventually`: what comes about in the end."""
    return ExplorationCounts(
        found.states if isinstance(found, EngineResult) else len(found.states),
        found.steps,
        found.depth,
        {name: len(trace) for name, trace in sorted(found.violations.items())},
        tuple(sorted(found.witnessed)),
        eventually,
        found.complete,
    )


def lasting(found: Exploration, names: Sequence[str]) -> tuple[str, ...]:
    """Which of these come about eventually, from every state."""
    if not names or not found.complete:
        return ()
    from holdover.model.explorer.transitions import never_reaches, steps_of

    taken = steps_of(found)
    goals = {name: found.instance.predicate(EVENTUALLY[name]) for name in names}
    return tuple(
        name for name in names if never_reaches(found, taken, goals[name], FAULT_ROWS) is None
    )


def differences(configuration: Configuration, seen: ExplorationCounts) -> list[str]:
    """Where an exploration differs from what is pinned; a search cut off differs in everything."""
    if not seen.complete:
        return [f"cut off after {seen.states} states"]
    return [
        f"{name}: {getattr(seen, name)!r}, pinned {getattr(configuration, name)!r}"
        for name in ("states", "steps", "depth", "broken", "sometimes", "eventually")
        if getattr(seen, name) != getattr(configuration, name)
    ]


def as_toml(configuration: Configuration, seen: ExplorationCounts) -> str:
    """The entry as today's model has it."""

    def listed(names: Sequence[str]) -> str:
        return "[" + ", ".join(f'"{name}"' for name in names) + "]"

    broken = ", ".join(f"{name} = {length}" for name, length in seen.broken.items())
    beside = f"beside = {listed(configuration.beside)}\n" if configuration.beside else ""
    return f"""[[configuration]]
name = "{configuration.name}"
profile = "{configuration.profile}"
{beside}hosts = {configuration.hosts}
addresses = {configuration.addresses}
messages = {configuration.messages}
ticks = {configuration.ticks}
delay = {configuration.delay}
faults = {listed(configuration.faults)}
states = {seen.states}
steps = {seen.steps}
depth = {seen.depth}
broken = {{{f" {broken} " if broken else ""}}}
sometimes = {listed(seen.sometimes)}
eventually = {listed(seen.eventually)}
"""


HEADER = """# What explorations of pinned configurations come to: see configurations.py.
# A lease is an hour, in `ticks` ticks; `delay` is in ticks; the user may never answer.
# `broken` has the length of the shortest run that breaks a property; what is not named holds.
"""


def main() -> None:
    """Print the manifest as today's model has it."""
    out = sys.stdout
    out.write(HEADER)
    for configuration in configurations():
        seen, _ = run(configuration)
        out.write("\n" + as_toml(configuration, seen))


if __name__ == "__main__":
    main()
