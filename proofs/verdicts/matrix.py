"""Faults x safeguards: which safeguard cures which fault.

One bare client, with every safeguard off, in a perfect world does no harm.  Each row adds one
fault, so that a collision is that fault's doing; each column adds one safeguard to the client or to
the server.  A cell *holds* by a proof for any number of hosts, or is *violated* with a shortest
collision in seconds, or is *unknown* with what was searched.  Since some faults need two
safeguards, a last column names the smallest sets that are proved to cure.

The property is RFC 2131 §1.6: no two hosts hold an address at once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from fractions import Fraction

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import Environment, Profile, in_seconds
from holdover.model.explorer.length import count_of, count_steps
from holdover.model.readings.constants import holds, seconds
from holdover.model.table.bound import bounded, safe_grace, server_keeps
from holdover.model.table.vocabulary import h
from holdover.proofs.result import Outcome
from holdover.proofs.verdicts.judge import Judgement, Size, collision, proved_by_probing
from holdover.proofs.verdicts.processes import begin

BARE = Profile(
    "bare",
    anchor="ACK",
    trigger="ACKNOWLEDGE",
    dialog=True,
    clock="MONOTONIC",
    checks_xid=False,
    restart="LEAVE",
)
"""A client without any safeguard."""

CALM = Environment()
"""A lease of an hour, no grace, and nothing goes wrong; the user answers at once."""

Deployment = tuple[Profile, Environment]


@dataclass(frozen=True)
class MatrixRow:
    """A row: what goes wrong, in which surroundings, and with which bare client.

    `large`: each of its searches is too large for plain Python (`judge.PLAIN`).
    """

    name: str
    environment: Environment
    profile: Profile = BARE
    messages: int = 1
    ticks: int = 3
    large: bool = False


def _with(*faults: str, **changes: object) -> Environment:
    return replace(CALM, faults=frozenset(faults), **changes)  # type: ignore[arg-type]


SECOND = Fraction(1)

ROWS = (
    MatrixRow("nothing", CALM),
    MatrixRow("server silent", _with("mutes")),
    MatrixRow("notice unacknowledged", _with("mutes", acknowledge_within=None)),
    MatrixRow("hook blocks for 20 s", _with("mutes", acknowledge_within=20 * SECOND)),
    MatrixRow("process frozen", _with("freezes")),
    MatrixRow("process frozen, then runs on", _with("freezes", "thaws")),
    MatrixRow("host suspended", _with("suspends")),
    MatrixRow("ACK lost", _with("loses")),
    MatrixRow("ACK late by 1 s", _with("mutes", delay=SECOND)),
    MatrixRow(
        "stale ACK, half an hour old",
        _with("duplicates", "loses", delay=1800 * SECOND),
        replace(BARE, anchor="REQUEST"),
        messages=2,
        ticks=4,
        large=True,
    ),
    MatrixRow("clock drift of 100 ppm", _with("mutes", drift=Fraction(1, 10_000))),
    MatrixRow(
        "clock set back an hour",
        _with("mutes", "steps", step=3600 * SECOND),
        replace(BARE, clock="WALL"),
    ),
    MatrixRow("server forgets", _with("forgets")),
    MatrixRow("lease shortened, its ACK lost", _with("shortens", "loses", shortest=1200 * SECOND)),
    MatrixRow("reuse before the end", _with("reuses_early")),
    MatrixRow("server's clock an hour ahead", _with("jumps", step=3600 * SECOND)),
    MatrixRow("forged RELEASE", _with("forges")),
    MatrixRow("two servers, one pool", _with("rival")),
    MatrixRow("two hosts, one identifier", _with("clones")),
    MatrixRow("static host, there before", _with("settles")),
    MatrixRow("static host, comes later", _with("intrudes")),
    MatrixRow("server forgets, ARP is lost", _with("forgets", "loses_arp")),
)


def _client(**facts: object) -> Callable[[Deployment], Deployment]:
    return lambda pair: (replace(pair[0], **facts), pair[1])  # type: ignore[arg-type]


def _server(**facts: object) -> Callable[[Deployment], Deployment]:
    return lambda pair: (pair[0], replace(pair[1], **facts))  # type: ignore[arg-type]


BOUNDED, ENOUGH = bounded(h), safe_grace(h)
LIMITED = BOUNDED & server_keeps


def _enough_grace(pair: Deployment) -> Deployment:
    """The safe grace where there is one, else two leases: much more than anybody gives."""
    constants = in_seconds(*pair)
    limited = holds(BOUNDED, constants)
    enough = seconds(ENOUGH, constants) if limited else 2 * pair[1].lease
    return pair[0], replace(pair[1], grace=enough)


SAFEGUARDS: Mapping[str, Callable[[Deployment], Deployment]] = {
    "release first": _client(trigger="LAPSE", dialog=False),
    "kernel lifetime": _client(enforcer="KERNEL"),
    "BOOTTIME": _client(clock="BOOTTIME"),
    "REQUEST anchor": _client(anchor="REQUEST"),
    "xid check": _client(checks_xid=True),
    "client probe": _client(probes=True, probe_time=Fraction(7)),
    "server probe": _server(server_probes=True),
    "durable store": _server(durable=True),
    "grace": _enough_grace,
}
"""Each column; grace comes last, since how much is enough depends on the others."""


def deployment(fault: MatrixRow, safeguards: tuple[str, ...]) -> Deployment:
    """The bare client among this fault, with these safeguards."""
    pair = (fault.profile, fault.environment)
    for name in SAFEGUARDS:
        if name in safeguards:
            pair = SAFEGUARDS[name](pair)
    profile, environment = pair
    if environment.durable:
        # What a durable store is for: the server's restart loses nothing.
        environment = replace(environment, faults=environment.faults - {"forgets"})
    return profile, environment


# Proof -------------------------------------------------------------------------------------------


def proof(profile: Profile, environment: Environment) -> str | None:
    """The theorem that covers the deployment for any number of hosts, or None."""
    constants = in_seconds(profile, environment)
    if holds(LIMITED, constants) and seconds(ENOUGH, constants) <= environment.grace:
        return "T3"
    probed = profile.probes and proved_by_probing(environment.faults, environment.drift != 0)
    return "probing" if probed else None


@dataclass(frozen=True)
class MatrixCell:
    """One fault with one safeguard."""

    fault: str
    safeguard: str
    outcome: Outcome
    reason: str
    judgement: Judgement | None = None


def short(cell: MatrixCell) -> str:
    """A cell in a word: holds, the steps of its shortest collision, or a question mark."""
    return {"holds": "holds", "violated": cell.reason, "unknown": "?"}[cell.outcome]


SEARCH = Size(memory=300 << 20)


def cell(fault: MatrixRow, safeguards: tuple[str, ...]) -> MatrixCell:
    """A proof, else a search."""
    profile, environment = deployment(fault, safeguards)
    name = name_of(safeguards)
    by = proof(profile, environment)
    if by is not None:
        return MatrixCell(fault.name, name, "holds", by)
    size = replace(SEARCH, messages=fault.messages, ticks=fault.ticks)
    hosts = (ClientKind(profile),) * size.hosts
    seen, run = collision(hosts, environment, size, large=fault.large)
    if run:
        steps = count_of(count_steps(event.action for event in run), "step")
        found = Judgement(profile, environment, "violated", steps, None, None, tuple(run))
        return MatrixCell(fault.name, name, "violated", steps, found)
    searched = f"none in {seen.count} states of 2x1x{size.messages}"
    reason = searched if seen.complete else f"{searched}, cut off at depth {seen.depth}"
    return MatrixCell(fault.name, name, "unknown", reason)


def smallest_cures(fault: MatrixRow) -> list[tuple[str, ...]]:
    """The smallest sets of safeguards, but for probing by everybody, that are proved to cure."""
    names = [name for name in SAFEGUARDS if name != "client probe"]
    for count in range(len(names) + 1):
        cures = [
            chosen
            for chosen in itertools.combinations(names, count)
            if proof(*deployment(fault, chosen)) == "T3"
        ]
        if cures:
            return cures
    return []


def cells() -> Iterator[tuple[MatrixRow, tuple[str, ...]]]:
    """Every cell: no safeguard, each alone, all together."""
    for fault in ROWS:
        yield fault, ()
        for name in SAFEGUARDS:
            yield fault, (name,)
        yield fault, tuple(SAFEGUARDS)


def same(fault: MatrixRow, safeguards: tuple[str, ...]) -> tuple[object, ...]:
    """What a cell comes to depends on this alone; what a client has already changes nothing."""
    return (*deployment(fault, safeguards), fault.messages, fault.ticks)


Pair = tuple[MatrixRow, tuple[str, ...]]


def _cells(pairs: Sequence[Pair]) -> list[MatrixCell]:
    return [cell(*pair) for pair in pairs]


def _silent(done: int, of: int) -> None:
    """Nobody wants to know how far it has come."""


def whole(jobs: int = 2, progress: Callable[[int, int], None] = _silent) -> list[MatrixCell]:
    """All cells, in order, on `jobs` processes; those that are the same are found once.

    A row's cells have runs in common, and what is asked about these: one process finds them all,
    the large rows first.
    """
    todo = [(pair, same(*pair)) for pair in cells()]
    times = Counter(key for _, key in todo)
    rows: dict[str, dict[tuple[object, ...], Pair]] = {}
    for key, pair in {key: pair for pair, key in reversed(todo)}.items():  # of several the first
        rows.setdefault(pair[0].name, {})[key] = pair
    found: dict[tuple[object, ...], MatrixCell] = {}
    with ProcessPoolExecutor(jobs, initializer=begin) as pool:
        futures = {
            pool.submit(_cells, list(pairs.values())): pairs
            for pairs in sorted(rows.values(), key=lambda pairs: not _large(pairs.values()))
        }
        done = itertools.count(1)
        for future in as_completed(futures):
            for key, each in zip(futures[future], future.result(), strict=True):
                found[key] = each
                for number in itertools.islice(done, times[key]):
                    progress(number, len(todo))
    return [
        replace(found[key], fault=fault.name, safeguard=name_of(chosen))
        for (fault, chosen), key in todo
    ]


def _large(pairs: Iterable[Pair]) -> bool:
    return any(fault.large for fault, _ in pairs)


def name_of(safeguards: tuple[str, ...]) -> str:
    """Safeguards in a column's head."""
    return " + ".join(safeguards) or "none"
