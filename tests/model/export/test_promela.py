"""The Promela reading: its text, and SPIN's numbers beside the explorer's.

What SPIN has said of the same text is kept; of each fifty searches it does one again
(`kept_verdicts.py`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.explorer.configurations import Configuration, configurations
from holdover.model.explorer.explore import explore
from holdover.model.export.promela import promela
from holdover.model.readings.finite import Bounds, Instance, Label, name_of
from holdover.model.table.expr import BOOL, INSTANT, Action, Expr, Variable, becomes, everywhere
from holdover.model.table.properties import ALWAYS, STEPS, Property
from holdover.model.table.table import LEASE_TABLE, Table, passing
from holdover.model.table.vocabulary import HOST, NOW, VARIABLES, g, h, now
from tests.measure.bench.referees import RefereeError, Verdict, spin, spin_missing
from tests.model.export.kept_verdicts import keeper_of

Build = Callable[..., Instance]

missing = spin_missing()
spins = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def named(name: str) -> Configuration:
    return next(c for c in configurations() if c.name == name)


def said(instance: Instance, label: Label) -> str:
    """A row with its binding as the model prints it."""
    given = zip(label.action.given, label.binding, strict=True)
    return (
        f"{label.action.name}("
        + ", ".join(f"{p.args[0]}={name_of(p.sort, v) if p.sort.indexes else v}" for p, v in given)
        + ")"
    )


def impossible(instance: Instance, label: Label) -> bool:
    """A conjunct is false in every state; the finite reading writes it all the same."""
    bound = dict(zip(label.action.given, label.binding, strict=True))
    parts = [part for when in label.action.when for part in conjuncts(when)]
    return any(instance.source_of(part, bound) == "False" for part in parts)


def conjuncts(term: Expr) -> list[Expr]:
    """The terms that a conjunction joins; another term alone."""
    if term.op != "and":
        return [term]
    return [part for arg in term.args if isinstance(arg, Expr) for part in conjuncts(arg)]


def option(text: str, label: str) -> list[str]:
    """The lines of the option that prints this."""
    (found,) = [part for part in text.split("  :: d_step {\n") if f'printf("{label}\\n")' in part]
    lines = [line.strip() for line in found.splitlines()]
    return lines[: lines.index("}") + 1]


# Text --------------------------------------------------------------------------------------------

EVERY_FAULT = (
    "mutes",
    "loses",
    "duplicates",
    "freezes",
    "thaws",
    "crashes",
    "stops",
    "restarts",
    "suspends",
    "forgets",
    "forges",
    "rival",
    "clones",
    "jumps",
    "settles",
    "intrudes",
    "loses_arp",
)


def test_every_row_that_can_fire_is_there_with_its_sentence_and_source(build: Build) -> None:
    instance = build("udhcpc-lifetime", *EVERY_FAULT)
    text = promela(instance)
    joined = " ".join(text.split())
    rows = {label.action.name for label in instance.labels if not impossible(instance, label)}
    assert len(rows) > 30
    for action in LEASE_TABLE.actions:
        heading = " ".join(f"/* {action.name}: {action.says} [{action.source}] */".split())
        assert (heading in joined) == (action.name in rows), action.name
    possible = [said(instance, la) for la in instance.labels if not impossible(instance, la)]
    assert re.findall(r'printf\("(.*)\\n"\)', text) == possible


def test_rows_that_cannot_fire_are_named(build: Build) -> None:
    instance = build("rfc2131")
    listed = re.search(r"cannot fire here, in no state:(.*?)\*/", promela(instance), re.DOTALL)
    assert listed is not None
    live = {label.action.name for label in instance.labels if not impossible(instance, label)}
    silent = [a.name for a in LEASE_TABLE.actions if a.name not in live]
    assert listed[1].replace(",", " ").split() == silent
    assert not set(silent) & set(explore(instance).fired)


def test_variables_and_constants_are_there_with_meaning_and_source(build: Build) -> None:
    instance = build("rfc2131", addresses=2, messages=1)
    text = " ".join(promela(instance).split())
    for v in LEASE_TABLE.variables:
        assert (f"/* {v.meaning} [{v.source}] */" in text) == (v is not NOW)
    for name, value in instance.constants.items():
        assert f" {name} = {value}: " in text
    for declared in (
        "mtype phase[2] = INIT;",
        "byte owner[2] = NONE;",
        "bool serving = true;",
        "short server_end[2] = UNSET;",
        "mtype kind[1] = FREE;",
    ):
        assert declared in text


def test_same_instance_same_text(build: Build) -> None:
    texts = {promela(build("reference", "mutes"), check=ALWAYS, title="t") for _ in range(3)}
    assert len(texts) == 1
    assert texts.pop().startswith("/* t\n")


def test_a_row_reads_as_in_the_table(build: Build) -> None:
    assert option(promela(build("rfc2131")), "use(h=h2, a=a1)") == [
        "((process[h2] == RUNS)",
        "&& !asleep[h2]",
        "&& (phase[h2] == PROBING)",
        "&& (wants[h2] == a1)",
        "&& (0 < lease_end[h2])",
        "&& !(((holds[h1] == a1) || (beside[h1] == a1)) && !asleep[h1])) ->",
        "phase[h2] = BOUND;",
        "holds[h2] = a1;",
        "probing_since[h2] = UNSET;",
        'printf("use(h=h2, a=a1)\\n")',
        "}",
    ]


def test_what_is_read_is_assigned_last(build: Build) -> None:
    """What `crash` keeps depends on the phase before it, which it sets as well."""
    lines = option(promela(build("reference", "crashes", "restarts")), "crash(h=h1)")
    assigned = [line.split("[")[0] for line in lines if "] = " in line]
    for name in ("wants", "renew_at", "rebind_at", "lease_end"):
        assert assigned.index(name) < assigned.index("phase")


def test_checked_properties_are_predicates_and_nothing_else_is(build: Build) -> None:
    instance = build("rfc2131")
    assert "assert" not in promela(instance)
    text = promela(instance, check=ALWAYS[:1])
    assert "#define exclusive (" in text
    assert "  :: d_step { !(exclusive) -> assert(exclusive_holds) }" in text
    assert "within_lease" not in text


def test_properties_of_steps_are_refused(build: Build) -> None:
    with pytest.raises(TypeError, match="properties of steps"):
        promela(build("rfc2131"), check=STEPS)


def test_far_instants_get_more_room(build: Build) -> None:
    assert "short lease_end[2]" in promela(build("rfc2131", past=8000))
    assert "int lease_end[2]" in promela(build("rfc2131", past=9000))


def test_what_needs_more_than_32_bits_is_refused(build: Build) -> None:
    instance = build("rfc2131", hosts=1, grace=1, drift=Fraction(1, 10**8))
    with pytest.raises(ValueError, match="32 bits"):
        promela(instance)


def test_comments_cannot_be_ended_from_within(build: Build) -> None:
    text = promela(build("rfc2131"), title="*/ do /* ")
    assert text.startswith("/* * / do / *\n")


# SPIN --------------------------------------------------------------------------------------------


def run_spin(text: str, *flags: str, every: bool = True) -> Verdict:
    """Search the whole model, or with `every=False` up to the first error, which is replayed."""
    options = ("-m500000", "-w20")
    told = ("-O1", "-DSAFETY", "-DNOREDUCE", *flags)

    def ask() -> Verdict:
        return spin(text, told, options, seconds=100, memory=1000 << 20, every=every)

    seen = keeper_of("spin").ask(f"{told} {options}\n{text}", ask) if every else ask()
    assert not seen.cut, seen.output
    assert seen.complete or not every, seen.output
    return seen


PINNED = (
    "connman",
    "dhclient-nolifetime",
    "freertos",
    "reference",
    "wfwg311",
    "wfwg311-fixed",
    "lifecycle, two addresses",
    "lifecycle, three hosts",
    "loss and delay",
    "duplicates",
    "killed and restarted",
    "ended and restarted",
    "suspended",
    "server forgets",
    "one host, every passing fault",
    "two kinds of client",
)


@spins
@pytest.mark.parametrize("name", PINNED)
def test_spin_breadth_first_comes_to_the_pinned_numbers(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    pinned = named(name)
    seen = run_spin(promela(pinned.instance(), check=ALWAYS), "-DBFS")
    known = {p.name for p in ALWAYS}
    assert seen.broken == {k: v for k, v in pinned.broken.items() if k in known}
    assert (seen.states, seen.steps, seen.depth) == (pinned.states, pinned.steps, pinned.depth)
    record_property(
        "SPIN, breadth first",
        f"{name}: {seen.states} states, {seen.steps} steps, "
        f"depth {seen.depth}, broken {seen.broken or 'nothing'}",
    )


@spins
@pytest.mark.parametrize("name", ["wfwg311", "lifecycle, three hosts", "duplicates"])
def test_spin_depth_first_stores_as_many_states(name: str) -> None:
    pinned = named(name)
    seen = run_spin(promela(pinned.instance()))
    assert (seen.states, seen.steps, seen.errors) == (pinned.states, pinned.steps, 0)


@spins
@pytest.mark.parametrize("flags", [("-DBFS", "-DHC4"), ("-DBFS_PAR",), ("-DBITSTATE",)])
def test_a_search_that_may_lose_states_is_no_referee(flags: tuple[str, ...]) -> None:
    with pytest.raises(RefereeError, match="not exhaustive"):
        run_spin(promela(named("freertos").instance()), *flags, "-O0")


@spins
def test_a_search_that_is_too_shallow_is_not_complete() -> None:
    text = promela(named("freertos").instance())
    seen = spin(text, ("-O0", "-DSAFETY"), ("-m10",), seconds=100)
    assert (seen.complete, seen.cut) == (False, "depth")


@spins
def test_spin_finds_each_state_that_breaks_a_property() -> None:
    instance = named("freertos").instance()
    checks = [instance.predicate(p.term) for p in ALWAYS]
    bad = sum(not check(state) for state in explore(instance).states for check in checks)
    assert run_spin(promela(instance, check=ALWAYS)).errors == bad > 0


@pytest.mark.kept("searches by SPIN")
@spins
@pytest.mark.parametrize("checked", ALWAYS, ids=lambda p: p.name)
def test_a_counterexample_of_spin_is_a_shortest_run_of_the_table(checked: Property) -> None:
    pinned = next(c for c in map(named, ("wfwg311", "deaf to DHCPNAK")) if checked.name in c.broken)
    instance = pinned.instance()
    seen = run_spin(promela(instance, check=[checked]), "-DBFS", "-O0", every=False)
    rows = {said(instance, label): label for label in instance.labels}
    run = [rows[line] for line in map(str.strip, seen.replayed.splitlines()) if line in rows]
    assert len(run) == pinned.broken[checked.name] == seen.broken[checked.name]
    assert f"trail ends after {len(run) + 1} steps" in seen.replayed
    holds = instance.predicate(checked.term)
    state = instance.initial
    for label in run:
        assert holds(state)
        after = instance.row(label)(state)
        assert after is not None
        state = after
    assert not holds(state)


def same(instance: Instance, check: Sequence[Property] = ALWAYS) -> Verdict:
    """SPIN's verdict, after comparing it with the explorer's."""
    seen, found = run_spin(promela(instance, check=check), "-DBFS"), explore(instance, check)
    assert found.complete
    assert seen.broken == {name: len(trace) for name, trace in found.violations.items()}
    assert (seen.states, seen.steps, seen.depth) == (len(found.states), found.steps, found.depth)
    return seen


def changed(name: str, change: Callable[[Action], Action]) -> Table:
    rows = [change(row) if row.name == name else row for row in LEASE_TABLE.actions]
    assert len(rows) == len(LEASE_TABLE.actions)
    return replace(LEASE_TABLE, actions=tuple(rows))


MUTANTS: dict[str, tuple[Table, str, str]] = {
    "the server does not wait for the lease end": (
        changed("reuse", lambda row: replace(row, when=row.when[:-1])),
        "rfc2131",
        "exclusive",
    ),
    "a lapse keeps the address": (
        changed(
            "lapse",
            lambda row: replace(
                row,
                then=tuple(e for e in row.then if e.variable.name not in ("holds", "lease_end")),
            ),
        ),
        "rfc2131",
        "released_first",
    ),
    "time waits for nobody": (
        changed("tick", lambda row: replace(row, when=row.when[:1])),
        "rfc2131",
        "within_lease",
    ),
}


@pytest.mark.kept("searches by SPIN")
@spins
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_gets_the_same_verdict(name: str, build: Build) -> None:
    table, profile, breaks = MUTANTS[name]
    original, mutant = (build(profile, "mutes", lease=3, table=t) for t in (LEASE_TABLE, table))
    assert explore(original, ALWAYS).violations == {}
    assert breaks in same(mutant).broken


@pytest.mark.kept("searches by SPIN")
@spins
def test_fractions_of_a_drifting_clock_are_exact(build: Build) -> None:
    instance = build("rfc2131", "mutes", drift=Fraction(1, 3), grace=1, lease=4, hosts=1)
    assert len(instance.bounds.skews) > 2
    assert " * " in promela(instance)
    assert (same(instance).states or 0) > 100


# Tables of another kind --------------------------------------------------------------------------

on = Variable("on", BOOL, HOST, "false", "a lamp", "made up")
since = Variable("since", INSTANT, HOST, "unset", "when it went on or off", "made up")


def lamps(*actions: Action) -> Instance:
    time = Action("tick", "made up", "time passes", (passing,), (), (becomes(now, now + passing),))
    table = Table((*VARIABLES, on, since), (*actions, time))
    return Instance(table, {"clones": False}, Bounds(3, 1, 1, (), (), 2))


light = Action(
    "light",
    "made up",
    "{h} lights its lamp",
    (h,),
    (~on[h],),
    (becomes(on[h], True), becomes(since[h], now)),
)
swap = Action(
    "swap",
    "made up",
    "{h} and {g} change places",
    (h, g),
    (h != g,),
    (
        becomes(on[h], on[g]),
        becomes(since[h], since[g]),
        becomes(on[g], on[h]),
        becomes(since[g], since[h]),
    ),
)
others = Action(
    "others",
    "made up",
    "where the lamp of {h} is on, all others change",
    (h,),
    (),
    everywhere(g, on[h] & (g != h), becomes(on[g], ~on[g])),
)


def test_right_sides_in_a_circle_go_through_further_variables() -> None:
    text = promela(lamps(light, swap))
    assert "bool next_on[3];" in text
    lines = option(text, "swap(h=h1, g=h2)")
    assert lines.index("next_on[h1] = on[h2];") < lines.index("on[h1] = next_on[h1];")
    assert "next_on" not in promela(lamps(light, others))


@pytest.mark.kept("searches by SPIN")
@spins
@pytest.mark.parametrize("rows", [(light,), (light, swap), (light, swap, others)], ids=len)
def test_other_tables_have_as_many_states_too(rows: tuple[Action, ...]) -> None:
    assert (same(lamps(*rows), ()).states or 0) > 50
