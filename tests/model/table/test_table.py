"""The lease table itself: every row has a source, a sentence, and a run in which it fires."""

from collections import Counter
from collections.abc import Callable

import pytest

from holdover.model.explorer.explore import explore
from holdover.model.readings.finite import Instance
from holdover.model.table.expr import Expr
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS
from holdover.model.table.table import LEASE_TABLE, ROWS, mentions
from holdover.model.table.vocabulary import CONSTANTS, MEANINGS, VARIABLES

Build = Callable[..., Instance]

# What a source may be: a document, an article, an observation, or that the RFC says nothing.
SOURCES = ("RFC", "§", "Q151387", "Q177357", "measured", "read", "silent", "Linux")


def inside(term: object) -> list[Expr]:
    """A term and all terms within it."""
    if not isinstance(term, Expr):
        return []
    return [term, *(inner for arg in term.args for inner in inside(arg))]


# Sources -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [action.name for action in LEASE_TABLE.actions])
def test_a_row_names_its_source(row: str) -> None:
    source = LEASE_TABLE.action(row).source
    assert any(word in source for word in SOURCES), source


@pytest.mark.parametrize("name", [variable.name for variable in VARIABLES])
def test_a_variable_names_meaning_and_source(name: str) -> None:
    variable = next(v for v in VARIABLES if v.name == name)
    assert variable.meaning
    assert any(word in variable.source for word in SOURCES), variable.source


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_names_meaning_and_source(name: str) -> None:
    meaning, source = MEANINGS[name]
    assert meaning
    assert any(word in source for word in SOURCES), source


def test_properties_name_sentence_and_source() -> None:
    for wanted in (*ALWAYS, *STEPS, *SOMETIMES):
        assert wanted.says
        assert any(word in wanted.source for word in SOURCES), wanted.source


# Form --------------------------------------------------------------------------------------------


def test_no_two_things_share_a_name() -> None:
    for names in (
        [action.name for action in LEASE_TABLE.actions],
        [variable.name for variable in VARIABLES],
        [wanted.name for wanted in (*ALWAYS, *STEPS, *SOMETIMES)],
        [*CONSTANTS, *(variable.name for variable in VARIABLES)],
    ):
        assert [name for name, count in Counter(names).items() if count > 1] == []


@pytest.mark.parametrize("row", [action.name for action in LEASE_TABLE.actions])
def test_a_sentence_speaks_of_the_parameters_of_its_row(row: str) -> None:
    action = LEASE_TABLE.action(row)
    given = {str(p.args[0]): f"<{p.args[0]}>" for p in action.given}
    said = action.says.format(**given, kind={name: f"<kind of {name}>" for name in given})
    assert "{" not in said
    assert said.strip()


@pytest.mark.parametrize("row", [action.name for action in LEASE_TABLE.actions])
def test_a_row_uses_each_of_its_parameters_and_no_other(row: str) -> None:
    action = LEASE_TABLE.action(row)
    read = [*action.when]
    for effect in action.then:
        read += [effect.value, effect.where, *([effect.at] if effect.at is not None else [])]
    used = [term for whole in read for term in inside(whole) if term.op == "parameter"]
    bound = [term.args[0] for whole in read for term in inside(whole) if term.op == "forall"]
    bound += [effect.at for effect in action.then if effect.every]
    free = [term for term in used if not any(term is other for other in bound)]
    for name in action.given:
        assert any(name is term for term in free), name.args[0]
    for term in free:
        assert any(term is name for name in action.given), term.args[0]


def test_every_variable_is_read_and_written() -> None:
    read = {
        term.args[0]
        for action in LEASE_TABLE.actions
        for whole in (
            *action.when,
            *(e.value for e in action.then),
            *(e.where for e in action.then),
        )
        for term in inside(whole)
        if term.op == "state"
    }
    written = {effect.variable for action in LEASE_TABLE.actions for effect in action.then}
    assert {v.name for v in VARIABLES if v not in read} == set()
    assert {v.name for v in VARIABLES if v not in written} == set()


def test_every_constant_is_read() -> None:
    read = {
        term.args[0]
        for action in LEASE_TABLE.actions
        for whole in (
            *action.when,
            *(e.value for e in action.then),
            *(e.where for e in action.then),
        )
        for term in inside(whole)
        if term.op == "constant"
    }
    assert set(CONSTANTS) - read == set()


# Time --------------------------------------------------------------------------------------------


def test_time_waits_for_every_prompt_row_and_for_what_is_in_flight() -> None:
    tick = LEASE_TABLE.action("tick")
    prompt = [action for action in ROWS if action.due is not None]
    assert len(tick.when) == 1 + len(prompt) + 1
    for guard, action in zip(tick.when[1:], prompt, strict=False):
        assert action.due is not None
        whole = inside(guard)
        assert any(term is action.due.condition for term in whole)
        assert any(term is action.due.instant for term in whole)
    quantified = [guard for guard in tick.when if guard.op == "forall"]
    assert len(quantified) == len(tick.when) - 1


def test_what_is_due_speaks_of_the_parameters_it_mentions() -> None:
    due = LEASE_TABLE.action("lapse").due
    assert due is not None
    given = {str(p.args[0]): p for p in LEASE_TABLE.action("bind").given}
    assert mentions(due, given["h"])
    assert not mentions(due, given["m"])


def test_only_time_moves_now() -> None:
    movers = {a.name for a in LEASE_TABLE.actions for e in a.then if e.variable.name == "now"}
    assert movers == {"tick"}


# Life --------------------------------------------------------------------------------------------

ALIVE: dict[str, Callable[[Build], Instance]] = {
    "the life of a lease": lambda build: build("rfc2131", "mutes", "loses", hosts=1, delay=1),
    "the notice": lambda build: build("wfwg311", "mutes", hosts=1),
    "tries again": lambda build: build("wfwg311-thereafter", "mutes", hosts=1),
    "probing": lambda build: build("dhcpcd", "forgets"),
    "reuse": lambda build: build("rfc2131", "duplicates", messages=2, lease=3),
    "the kernel": lambda build: build("networkd", "mutes", "freezes", "thaws", hosts=1),
    "killed": lambda build: build("rfc2131", "crashes", "restarts", hosts=1),
    "ended": lambda build: build("rfc2131", "stops", "restarts", hosts=1),
    "suspended": lambda build: build("dhclient", "suspends", "steps", hosts=1),
    "woken": lambda build: build("networkd", "suspends", hosts=1),
    "probed by the server": lambda build: build("rfc2131", "forgets", server_probes=True),
    "cut short": lambda build: build(
        "reference", "shortens", hosts=1, messages=2, delay=1, lease=6, shortest=4
    ),
    "forged, rivalled": lambda build: build("rfc2131", "forges", "rival", hosts=1),
    "the server's clock set forward": lambda build: build("rfc2131", "jumps", hosts=1, step=1),
    "configured by hand": lambda build: build("rfc2131", "settles", "intrudes", lease=1),
    "deaf to NAK": lambda build: build("networkd", "forgets", hosts=1),
    "waits after a NAK": lambda build: build("connman", "forgets", hosts=1),
    "gives way": lambda build: build("reference", "intrudes", lease=3),
}


def test_every_row_fires_somewhere(build: Build) -> None:
    """A row that nothing reaches proves nothing."""
    fired = {name for make in ALIVE.values() for name in explore(make(build)).fired}
    assert {action.name for action in LEASE_TABLE.actions} - fired == set()


def test_a_healthy_world_needs_no_fault_to_show_what_it_is_for(build: Build) -> None:
    seen = explore(build("rfc2131", addresses=2, lease=3), ALWAYS, STEPS, SOMETIMES)
    assert seen.complete
    assert seen.violations == {}
    assert seen.witnessed == {"two addresses in use", "address moves"}
