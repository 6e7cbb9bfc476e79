"""The finite reading against the concrete one, and what shifting and clipping do not lose."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.clients.profile import FAULTS, builtin_names, load
from holdover.model.explorer.explore import Exploration, bytes_per_state, explore
from holdover.model.readings.finite import NONE, Instance, State, Value
from holdover.model.readings.interpreter import Interpreter, UnsetError
from holdover.model.readings.interpreter import State as Moment
from holdover.model.readings.rows import known_rows
from holdover.model.table.expr import DURATION, INSTANT, Action, Expr, Variable, becomes
from holdover.model.table.properties import ALWAYS, STEPS
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import CONSTANTS, h, lease_end, now, phase

Build = Callable[..., Instance]
Say = Callable[[Instance], Interpreter]

LEAVING = replace(load("rfc2131"), after_nak="LEAVE", keeps_old=True)
DROPPING = replace(load("rfc2131"), drops_to_renew=True)
YIELDING = replace(load("rfc2131"), gives_way=True, gives_way_within=Fraction(8))

# Each fault is in one of them, and together they fire every row.
CASES: dict[str, Callable[[Build], Instance]] = {
    "the user never answers": lambda build: build("wfwg311", "mutes", "loses"),
    "the user answers": lambda build: build("wfwg311", "mutes", acknowledge_within=1),
    "retries while holding": lambda build: build("wfwg311-thereafter", "mutes"),
    "duplicates": lambda build: build("rfc2131", "duplicates", messages=2, delay=1),
    "drift": lambda build: build("rfc2131", "mutes", drift=Fraction(1, 2), grace=2),
    "drift and probing": lambda build: build("reference", drift=Fraction(1, 3), grace=1),
    "frozen or killed": lambda build: build("reference", "freezes", "thaws", "crashes", "restarts"),
    "ended in order": lambda build: build("reference", "mutes", "stops", "restarts"),
    "left behind": lambda build: build("dhclient-nolifetime", "crashes", "restarts", "steps"),
    "suspended": lambda build: build("dhcpcd", "suspends", "mutes"),
    "suspended, wall clock": lambda build: build("dhclient", "suspends", "steps"),
    "suspended, timer runs": lambda build: build("networkd", "suspends", "mutes"),
    "shortened": lambda build: build("udhcpc", "shortens", "reuses_early", shortest=1),
    "answered twice": lambda build: build(
        "reference", "shortens", hosts=1, messages=2, delay=1, lease=6, shortest=4
    ),
    "forgets": lambda build: build("lwip", "forgets", server_probes=True),
    "refuses at once": lambda build: build("rfc2131", "forgets", authoritative=True, patient=True),
    "keeps its records": lambda build: build("rfc2131", "forgets", durable=True),
    "forged, out of order": lambda build: build("connman", "forges", in_order=False, messages=2),
    "two servers": lambda build: build("dhcpcd", "rival", hosts=3, addresses=2),
    "the server's clock set forward": lambda build: build("rfc2131", "jumps", step=1),
    "clones": lambda build: build("udhcpc", "clones", "mutes", hosts=3, addresses=2),
    "configured by hand": lambda build: build("rfc2131", "settles", "intrudes", lease=1),
    "probes lost": lambda build: build("dhcpcd", "settles", "loses_arp", lease=1),
    "waits after a NAK": lambda build: build("connman", "forgets", hosts=1),
    "leaves after a NAK": lambda build: build(LEAVING, "forgets", addresses=2, hosts=1),
    "drops to renew": lambda build: build(DROPPING, "mutes", hosts=1),
    "gives way": lambda build: build(YIELDING, "intrudes", "freezes", "thaws", "stops", lease=2),
    "clones that probe": lambda build: build("dhcpcd", "clones", hosts=2),
    "unicast NAK": lambda build: build("networkd", "rival", broadcasts_nak=False),
    "never lets go": lambda build: build("freertos", "mutes", "loses", hosts=3),
}


def relative(instance: Instance, moment: Moment) -> State:
    """A concrete state as the finite reading writes it: instants from `now`, none too far back."""

    def written(variable: Variable, member: int) -> Value:
        value, sort = moment[variable.name, member], variable.sort
        if sort is INSTANT and isinstance(value, int | Fraction):
            return max(value - moment.now, -instance.bounds.past)
        if isinstance(value, str):
            return sort.values.index(value)
        return NONE if value is None and sort.indexes else value

    return tuple(written(variable, member) for variable, member in instance.slots)


def worth_comparing(seen: Exploration) -> list[int]:
    """States spread over the search, and for each row the first and the last that fires it."""
    chosen = set(range(0, len(seen.states), max(1, len(seen.states) // 40)))
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    names = [label.action.name for label in seen.instance.labels]
    for number, _, edge in steps_of(seen):
        first.setdefault(names[edge], number)
        last[names[edge]] = number
    return sorted(chosen | set(first.values()) | set(last.values()))


def steps_of(seen: Exploration) -> Iterator[tuple[int, int, int]]:
    """Each step of a search that has kept its steps: from which state, to which, by which edge."""
    return zip(*[iter(seen.taken)] * 3, strict=True)


class Replayed:
    """A search, run again by the interpreter: each step once, and it comes to the same state."""

    def __init__(self, seen: Exploration, world: Interpreter):
        self.seen, self.world = seen, world
        self.known = {0: world.initial()}

    def at(self, number: int) -> Moment:
        """The concrete state that the shortest run to the state of this number comes to."""
        seen, way = self.seen, []
        while number not in self.known:
            way.append(number)
            number = seen.parents[number]
        for following in reversed(way):
            label = seen.instance.labels[seen.edges[following]]
            moment = self.world.step(self.known[number], label.action, label.binding)
            assert relative(seen.instance, moment) == seen.states[following]
            self.known[following], number = moment, following
        return self.known[number]


def compare(instance: Instance, world: Interpreter) -> set[str]:
    """Runs both readings side by side; gives the rows that were seen to do the same in both."""
    bounds = instance.bounds
    domains = {"length": bounds.lengths, "skew": bounds.skews, "passing": (1,)}
    seen = explore(instance, memory=20_000 * bytes_per_state(instance), keep_steps=True)
    compared, replayed = set[str](), Replayed(seen, world)
    for number in worth_comparing(seen):
        moment = replayed.at(number)
        generated = {
            (instance.labels[edge].action.name, instance.labels[edge].binding): state
            for edge, state in instance.successors(seen.states[number])
        }
        defined = {
            (action.name, binding): relative(instance, world.step(moment, action, binding))
            for action, binding in world.instances(moment, domains)
        }
        assert defined == generated
        compared |= {name for name, _ in defined}
    return compared


@pytest.fixture(scope="module")
def compared() -> dict[str, set[str]]:
    """For each case the rows that were compared in it."""
    return {}


@pytest.mark.kept("cases of the readings")
@pytest.mark.parametrize("case", CASES)
def test_generated_successors_are_the_defined_ones(
    case: str, build: Build, concrete: Say, compared: dict[str, set[str]]
) -> None:
    instance = CASES[case](build)
    compared[case] = compare(instance, concrete(instance))
    assert compared[case]


@pytest.mark.kept("cases of the readings")
def test_every_row_and_every_fault_was_compared(
    build: Build, concrete: Say, compared: dict[str, set[str]]
) -> None:
    for case in CASES.keys() - compared.keys():
        instance = CASES[case](build)
        compared[case] = compare(instance, concrete(instance))
    rows = {action.name for action in LEASE_TABLE.actions}
    assert set().union(*compared.values()) == rows
    fixed = [make(build).constants for make in CASES.values()]
    assert {fault for constants in fixed for fault in FAULTS if constants[fault]} == set(FAULTS)


@pytest.mark.kept("cases of the readings")
@pytest.mark.parametrize("case", CASES)
def test_properties_mean_the_same_in_both_readings(case: str, build: Build, concrete: Say) -> None:
    instance = CASES[case](build)
    world = concrete(instance)
    seen = explore(instance, memory=2_000 * bytes_per_state(instance))
    replayed = Replayed(seen, world)
    for wanted in ALWAYS:
        generated = instance.predicate(wanted.term)
        for number in range(0, len(seen.states), 97):
            assert generated(seen.states[number]) is world.holds(wanted.term, replayed.at(number))


# Absence -----------------------------------------------------------------------------------------


def with_row(row: Action) -> Table:
    return replace(LEASE_TABLE, actions=(*LEASE_TABLE.actions, row))


def planted(*guards: Expr) -> Table:
    row = Action("planted", "no source", "{h}", (h,), guards, (becomes(phase[h], "INIT"),))
    return with_row(row)


def test_comparing_an_unset_instant_raises(build: Build, concrete: Say) -> None:
    table = planted(now >= lease_end[h])
    instance = build("rfc2131", table=table)
    with pytest.raises(TypeError):
        instance.successors(instance.initial)
    world = concrete(instance)
    with pytest.raises(UnsetError):
        world.enabled(world.initial(), table.action("planted"), (0,))


def test_a_guard_protects_what_stands_behind_it(build: Build, concrete: Say) -> None:
    table = planted(phase[h] == "BOUND", now >= lease_end[h])
    instance = build("rfc2131", table=table)
    assert instance.successors(instance.initial)
    world = concrete(instance)
    assert world.blocking_guard(world.initial(), table.action("planted"), (0,)) == 0


# Clipping ----------------------------------------------------------------------------------------

CLIPPED: dict[str, Callable[[Build], Instance]] = {
    "the user never answers": lambda build: build("wfwg311", "mutes", "loses", hosts=1),
    "retries while holding": lambda build: build("wfwg311-thereafter", "mutes", lease=3),
    "drift": lambda build: build("rfc2131", "mutes", drift=Fraction(1, 2), hosts=1),
    "drift and grace": lambda build: build("rfc2131", drift=Fraction(1, 2), grace=2),
    "drift and probing": CASES["drift and probing"],
    "suspended": lambda build: build("dhclient", "suspends", "steps", hosts=1, step=1),
    "frozen": lambda build: build("dhcpcd", "freezes", "thaws", hosts=1, delay=1),
    "shortened": CASES["shortened"],
    "forgets": CASES["forgets"],
}


Step = tuple[State, int, State]


def clipped(seen: Exploration, past: int) -> set[Step]:
    """The steps of a search as an instance would see them that looks back no farther than this."""
    dated = [
        place for place, (variable, _) in enumerate(seen.instance.slots) if variable.sort is INSTANT
    ]

    def cut(state: State) -> State:
        values = list(state)
        for place in dated:
            value = values[place]
            if value is not None and value < -past:
                values[place] = -past
        return tuple(values)

    assert seen.expanded == len(seen.states)
    shorter = [cut(state) for state in seen.states]
    return {(shorter[number], edge, shorter[to]) for number, to, edge in steps_of(seen)}


def verdict(seen: Exploration) -> dict[str, int]:
    """What fails, and after how many steps."""
    return {name: len(trace) for name, trace in seen.violations.items()}


@pytest.mark.kept("cases of the readings")
@pytest.mark.parametrize("case", CLIPPED)
def test_looking_further_back_shows_nothing_new(case: str, build: Build) -> None:
    """The steps of a longer memory, clipped, are the steps of the shorter one.

    A clock that is set back moves clipped instants too, so that the last `step` ticks before the
    clipping say nothing; `past_needed` leaves that much room.
    """
    near = CLIPPED[case](build)
    far = Instance(near.table, near.constants, replace(near.bounds, past=near.bounds.past + 2))
    seen, further = (explore(each, ALWAYS, STEPS, keep_steps=True) for each in (near, far))
    assert seen.complete
    assert further.complete
    assert len(further.states) > len(seen.states)
    assert verdict(seen) == verdict(further)
    step = near.constants["step"]
    assert isinstance(step, int)
    told = near.bounds.past - step
    assert clipped(seen, told) == clipped(further, told)


def test_looking_back_too_short_a_time_misses_a_collision(build: Build) -> None:
    """Why `past_needed` adds up the grace: clipped below it, the server never reuses."""
    right = build("wfwg311", "mutes", lease=3, grace=2)
    short = Instance(right.table, right.constants, replace(right.bounds, past=2))
    assert "exclusive" in verdict(explore(right, ALWAYS))
    assert "exclusive" not in verdict(explore(short, ALWAYS))


# Time --------------------------------------------------------------------------------------------


# What nobody can be made to do: time must go on without.
UNOWED = ("unmute", "resume", "wake_expired", "acknowledge")


def is_owed(action: Action) -> bool:
    """The row is no fault, nor the end of one: no switch of the environment is its guard."""
    switched = any(term.op == "constant" and term.args[0] in FAULTS for term in action.when)
    return not switched and action.name not in UNOWED


def where_time_stops(seen: Exploration) -> list[State]:
    """The states from which time cannot go on unless a fault happens or ends."""
    assert seen.expanded == len(seen.states)
    owed = [is_owed(label.action) for label in seen.instance.labels]
    ticks = [label.action.name == "tick" for label in seen.instance.labels]
    before: list[list[int]] = [[] for _ in seen.states]
    goes_on = []
    for number, to, edge in steps_of(seen):
        if ticks[edge]:
            goes_on.append(number)
        elif owed[edge]:
            before[to].append(number)
    free = set(goes_on)
    while goes_on:
        for number in before[goes_on.pop()]:
            if number not in free:
                free.add(number)
                goes_on.append(number)
    return [state for number, state in enumerate(seen.states) if number not in free]


@pytest.mark.kept("cases of the readings")
@pytest.mark.parametrize("profile", builtin_names())
def test_time_goes_on_whatever_the_client(profile: str, build: Build) -> None:
    seen = explore(build(profile, lease=3, delay=1), keep_steps=True)
    assert seen.complete
    assert where_time_stops(seen) == []


@pytest.mark.kept("cases of the readings")
@pytest.mark.parametrize("fault", FAULTS)
def test_time_goes_on_whatever_the_fault(fault: str, build: Build) -> None:
    """Nor does a process that stays frozen, a host that sleeps on, a server that is gone."""
    companions = {"thaws": ("freezes",), "restarts": ("crashes", "stops")}.get(fault, ())
    for profile in builtin_names():
        seen = explore(build(profile, fault, *companions, hosts=1, delay=1), keep_steps=True)
        assert seen.complete
        assert where_time_stops(seen) == []


@pytest.mark.parametrize("fault", ["freezes", "crashes", "mutes"])
def test_time_goes_on_for_the_neighbour(fault: str, build: Build) -> None:
    """Whose datagrams may find every slot taken: by one that a frozen process never reads."""
    seen = explore(build("rfc2131", fault, lease=3, delay=1), keep_steps=True)
    assert seen.complete
    assert where_time_stops(seen) == []


def test_stopped_time_is_noticed(build: Build) -> None:
    """A prompt row that no step serves stops time: here an acknowledgement that never comes."""
    rows = tuple(row for row in LEASE_TABLE.actions if row.name != "notify")
    table = replace(LEASE_TABLE, actions=rows)
    stopped = build("wfwg311", "mutes", hosts=1, table=table)
    assert where_time_stops(explore(stopped, keep_steps=True))


# What is written ---------------------------------------------------------------------------------


def test_constants_are_folded_away(build: Build) -> None:
    """Rows of faults that do not happen leave no code."""
    written = {label.action.name for label in build("rfc2131").labels}
    assert "mute" not in written
    assert "kernel_removes" not in written
    assert {"discover", "lapse", "tick"} <= written


@pytest.mark.kept("cases of the readings")
def test_rules_that_instances_share_are_what_each_would_read(build: Build) -> None:
    """One after the other, each as if there had been no other before it."""
    alone = {}
    for name, case in CASES.items():
        known_rows.cache_clear()
        alone[name] = case(build).text
    known_rows.cache_clear()
    assert {name: case(build).text for name, case in CASES.items()} == alone


def test_states_are_described_in_the_words_of_the_table(build: Build) -> None:
    instance = build("rfc2131", hosts=1)
    shown = instance.describe(instance.initial)
    assert shown["phase[h1]"] == "INIT"
    assert shown["holds[h1]"] is None
    assert shown["owner[a1]"] is None
    assert shown["lease_end[h1]"] is None
    assert shown["serving"] is True
    assert "now" not in shown


def test_ticks_round_every_duration_up(build: Build) -> None:
    instance = build("dhcpcd")
    durations = {name for name, word in CONSTANTS.items() if word.sort is DURATION}
    assert {instance.constants[name] for name in durations} <= {0, 1, 2, 3}
    assert instance.constants["floor"] == 1
