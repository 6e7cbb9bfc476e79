"""What happens next on the network: a machine that chooses, and hunts with it.

Theory of operation.  What may happen is read off the table's rows and the cores (`options.py`).
Each step is drawn by its share; a lease takes twenty steps in the right order, so what interrupts
it is rare.  A run is about something: its `moods` make some faults frequent, and its `aim` is an
edge of the table towards which `steered` bends the shares.

A `hunt` is many rounds of a few runs, each with a seed of its own, since Hypothesis begins to vary
what it has tried after ten.  A round depends on nothing but its scene, core, aims and seed;
it aims at what no earlier one took.

A round that fails makes its run a short one, and prints it as a program (`shrink.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import count, product
from time import process_time
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, Verbosity, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from holdover.reference.core import client
from holdover.reference.core.events import JITTER
from holdover.reference.core.instants import SECOND
from holdover.reference.refinement.client_cores import ClientCore
from holdover.reference.refinement.cores import DefectError
from holdover.reference.refinement.coverage import Edge, excuse, table_edges
from holdover.reference.refinement.justify import OVER
from holdover.reference.refinement.setting import settings as tiny_settings
from tests.stateful.compiled import Compiled
from tests.stateful.network import Choice, Network
from tests.stateful.options import possible_steps
from tests.stateful.scene import Scene
from tests.stateful.shrink import program, shortest

SLOW: dict[str, Any] = {"delay": 3 * SECOND, "start_least": 4 * SECOND}

SCENES = (
    Scene("long", "one host; time for every retransmission", 1, 1, 3, lease=496),
    Scene("short", "one host; asking takes most of the lease", 1, 1, 3, lease=60, **SLOW),
    Scene("shortest", "two hosts, one address", 2, 1, 3, lease=16),
    Scene(
        "slow network",
        "two hosts, one address; what is sent may overtake what was",
        2,
        1,
        3,
        lease=64,
        delay=5 * SECOND,
        faults=("mutes", "loses", "duplicates", "forgets"),
    ),
    Scene("at its end", "one host; an answer takes most of the lease", 1, 1, 3, lease=6, **SLOW),
    Scene("crowd", "three hosts, two addresses", 3, 2, 3, lease=496, **SLOW),
    Scene(
        "cut short",
        "one host; the server grants less than before, and answers twice",
        1,
        1,
        3,
        lease=80,
        shortest=48,
        delay=5 * SECOND,
        faults=("mutes", "loses", "duplicates", "freezes", "thaws", "shortens"),
    ),
    Scene("our server", "two hosts, one address", 2, 1, 3, lease=64, own_server=True),
    Scene("our server, crowd", "three hosts, two addresses", 3, 2, 3, lease=496, own_server=True),
)

# The choice --------------------------------------------------------------------------------------

# How often a step is taken where it and others are possible. A lease takes five steps in the right
# order, so what interrupts it is taken seldom; with equal shares none would ever begin.
SHARES: Mapping[str, int] = {
    "pass": 200,
    "pass to": 20,
    "pass a little": 6,
    "timer": 300,
    "deliver": 100,
    "deliver spoilt": 3,
    "early": 2,
    "release": 1,
    "stop": 1,
    "start": 100,
    "serve": 200,
    "server timer": 300,
    "server forgets": 1,
    "offer": 200,
    "commit": 200,
    "prolong": 200,
    "reuse": 200,
    "refuse": 60,
    "stay_silent": 20,
    "find_none": 60,
    "free": 100,
    "withhold": 100,
    "disregard": 20,
    "reinstate": 40,
    "mute": 1,
    "unmute": 20,
    "forget": 1,
    "kernel_removes": 60,
    "freeze": 3,
    "thaw": 60,
    "crash": 3,
    "restart": 100,
    "lose": 6,
    "miss": 60,
    "duplicate": 6,
}

MOODS: Mapping[str, Mapping[str, int]] = {
    "a silent server": {"mute": 30, "unmute": 4},
    "a forgetful server": {"forget": 20, "server forgets": 20, "refuse": 200, "stay_silent": 10},
    "a frozen process": {"freeze": 30, "thaw": 20, "pass to": 100},
    "a killed process": {"crash": 30, "restart": 30, "pass to": 100},
    "a lossy network": {"lose": 60, "duplicate": 30},
    "an undecided user": {"release": 10},
}
"""What a run is about: shares that are different in it."""

STAGES = ("no lease", "before T1", "past T1", "past T2", OVER)


class View(NamedTuple):
    """Where a client is, and whether its process runs."""

    phase: str
    stage: str
    held: str
    process: str

    @property
    def runs(self) -> bool:
        """The process runs."""
        return self.process == "RUNS"


def steered(aim: Edge, view: View) -> Iterator[Mapping[str, int]]:
    """How much more often a step is taken that brings a client nearer to an edge.

    Who is in the right phase too early is frozen there, and thawed when it is time.
    """
    (phase, stage, held), row = aim
    there, ripe = view.phase == phase, (view.stage, view.held) == (stage, held)
    dead = view.process == "DEAD"
    if there and ripe:
        yield EVENT.get(row, {"timer": 5}) if view.runs else {"thaw": 60, "restart": 60}
    elif there and not STAGES.index(stage) < STAGES.index(view.stage):
        yield {"freeze": 150} if view.runs else {"restart": 60} if dead and stage == OVER else WAITS
    elif phase == "REBINDING" and view.phase in ("BOUND", "RENEWING"):
        yield {"freeze": 100} if view.runs else WAITS if view.stage != "past T2" else {"thaw": 60}
    elif phase in ("INIT_REBOOT", "REBOOTING") and view.phase in IN_USE:
        yield {"crash": 100} if held == "holds" else {"stop": 300}
    elif phase == "PROBING" and view.phase == "REQUESTING" and stage != "before T1":
        yield {"freeze": 20}
    if there and row in UNANSWERED:
        yield {"mute": 1000, "unmute": 0}
    if row == "obey_nak" and there:
        yield {"forget": 400, "server forgets": 400, "refuse": 20}
    if row == "decline" and view.held == "holds":
        yield {"forget": 50, "server forgets": 50}


IN_USE = ("BOUND", "RENEWING", "REBINDING")
WAITS = {"pass to": 50, "kernel_removes": 10, "thaw": 0, "restart": 0}
"""Time passes from stage to stage."""

DELIVERY = {"deliver": 30}
ORDERS = {name: {name: 500} for name in ("release", "stop")}
EVENT = {**ORDERS, "bind": DELIVERY, "extend": DELIVERY, "obey_nak": DELIVERY}
"""What is behind a row; the others are behind a timer."""

UNANSWERED = ("keep_remainder", "ask_again", "give_up", "renew", "rebind", "lapse")
"""Rows that an answer prevents."""


@cache
def expected() -> frozenset[Edge]:
    """Every edge that the lease table allows a client and that this one has a reason to take."""
    chosen = (tiny for tiny in tiny_settings() if tiny.name in REFERENCE)
    return frozenset(edge for tiny in chosen for edge in table_edges(tiny) if not excuse(edge))


def not_allowed(edges: Iterable[Edge]) -> set[Edge]:
    """Which of these the table does not allow, or they are excused.

    It allows more than what is expected where the kernel's lifetime ends before T2 or at the end.
    With a margin of one tick it ends at T2; a scene's ends in between, or before, by its lease.
    And it allows more to a process that is frozen while a server shortens and answers twice.
    """
    left = set(edges) - expected()
    named = {tiny.name: tiny for tiny in tiny_settings()}
    frozen = replace(named["cut short"], faults=("shortens", "freezes", "thaws"))
    for tiny, margin in product((named["unlucky"], frozen), (0, 2)):
        if left:  # a second each
            more = table_edges(replace(tiny, client={**tiny.client, "margin": margin}))
            left -= {edge for edge in more if not excuse(edge)}
    return left


REFERENCE = ("alone", "unlucky", "two hosts", "restarted", "slow probe", "cut short")
"""Settings of the exhaustive exploration that have every edge between them."""

OF_STEP, STRETCH = 10, 17
"""Bytes of which a step is chosen, and steps of a rule: what Hypothesis does for a rule takes as
long as a step."""

RAW = st.binary(min_size=OF_STEP * STRETCH, max_size=OF_STEP * STRETCH)
"""Hypothesis draws bytes evenly, and small whole numbers more often than large ones."""


class Clients(RuleBasedStateMachine):
    """Hosts, server and network; what may happen next is read off the table and the cores."""

    table: Compiled
    core: ClientCore
    aims: Sequence[Edge]

    def __init__(self) -> None:
        super().__init__()
        self.network = Network(self.table, self.core)
        self.shares = dict(SHARES)
        self.aim = self.aims[0]
        self.choices: list[Choice] = []

    @initialize(
        moods=st.lists(st.sampled_from(sorted(MOODS)), unique=True, max_size=2),
        aim=st.runner().flatmap(lambda self: st.sampled_from(self.aims)),
    )
    def begin(self, moods: list[str], aim: Edge) -> None:
        """What this run is about."""
        self.aim = aim
        for mood in moods:
            self.shares |= MOODS[mood]

    def choose(self, raw: bytes) -> Choice:
        """What happens next, by its share, and to whom or for how long."""
        possible = possible_steps(self.network)
        shares = {name: self.shares[name] for name in possible}
        for where, process in self.network.situations():
            for factors in steered(self.aim, View(*where, process)):
                for name in factors.keys() & shares.keys():
                    shares[name] *= factors[name]
        at = int.from_bytes(raw[0:2]) * sum(shares.values()) >> 16
        chosen = ""
        for name, share in shares.items():
            chosen = name
            if at < share:
                break
            at -= share
        steps = possible[chosen]
        step = steps[int.from_bytes(raw[2:4]) * len(steps) >> 16]
        jitter = int.from_bytes(raw[8:10]) * (JITTER + 1) >> 16
        return Choice(step, int.from_bytes(raw[4:8]), jitter)

    @rule(raw=RAW)
    def go_on(self, raw: bytes) -> None:
        """A stretch of steps, each chosen after the one before it."""
        for at in range(0, len(raw), OF_STEP):
            self.take(self.choose(raw[at : at + OF_STEP]))

    def take(self, choice: Choice) -> None:
        """One step, and all that must hold of it and after it."""
        note(self.network.says(choice.step))
        self.choices.append(choice)
        try:
            self.network.take(*choice)
        except DefectError as defect:
            defect.choices = tuple(self.choices)  # type: ignore[attr-defined]
            raise


# The hunt ----------------------------------------------------------------------------------------

RUNS, STRETCHES = 9, 7
"""Of a round: as many runs as Hypothesis makes before it repeats parts of them; and of a run."""

ROUND = settings(
    max_examples=RUNS,
    stateful_step_count=1 + STRETCHES,  # it counts `begin`, too
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
QUIET = settings(ROUND, verbosity=Verbosity.quiet, print_blob=False)


class Kill(NamedTuple):
    """What a hunt came upon: where, in which round, the kind of defect, and after how long."""

    scene: str
    round: int
    kind: str
    says: str
    seconds: float


def play(
    table: Compiled,
    number: int | None,
    aims: Sequence[Edge],
    core: ClientCore = client,
    how: settings = ROUND,
) -> None:
    """One round, with any seed if it has no number; a defect says how it is come to again."""
    members = {"table": table, "core": core, "aims": aims}
    machine = type("Network", (Clients,), members)
    if number is not None:
        seed(number)(machine)
    try:
        run_state_machine_as_test(machine, settings=how)
    except DefectError as defect:
        defect.add_note(f"scene {table.scene.name!r}, seed {number}, {len(aims)} aims")
        if how.verbosity is not Verbosity.quiet:
            run, _ = shortest(table, core, getattr(defect, "choices", ()), defect.kind)
            defect.add_note(f"a short run to it:\n\n{program(table.scene.name, run)}")
        raise


FIRST = 12
"""Rounds of the scene in which a defect was found, before those of all scenes in turn."""


def rounds_of(scene: str) -> Sequence[int]:
    """The numbers of the first rounds that are played in a scene."""
    place = next(i for i, each in enumerate(SCENES) if each.name == scene)
    return range(place, FIRST * len(SCENES), len(SCENES))


def hunt(
    core: ClientCore, seconds: float, rounds: Iterable[int] | None = None, row: str = ""
) -> Kill | None:
    """The first defect of a core in these rounds, or in any; None: none in that time.

    `row`: what the runs aim at; empty: all rows of the client.
    """
    begun, wanted = process_time(), frozenset(e for e in expected() if row in ("", e[1]))
    aims = sorted(wanted)
    for table in compiled():
        table.rows.taken.clear()
    for number in count() if rounds is None else rounds:
        if process_time() - begun >= seconds:
            break
        table = compiled()[number % len(SCENES)]
        missing = wanted - taken(compiled()).keys()
        try:
            play(table, number, sorted(missing) or aims, core, QUIET)
        except DefectError as defect:
            name, took = table.scene.name, process_time() - begun
            return Kill(name, number, defect.kind, defect.says, took)
    return None


def taken(tables: Iterable[Compiled]) -> Counter[Edge]:
    """Which edges of the table clients took, and how often."""
    return sum((table.rows.taken for table in tables), Counter())


@cache
def compiled() -> tuple[Compiled, ...]:
    """The lease table of each scene."""
    return tuple(Compiled(scene) for scene in SCENES)
