"""What is printed is what is explored: a search from the documentation alone agrees.

`prose_explorer.py` knows the pages of `docs/` and nothing of the project.  It is held against the
numbers of the manifest, and, for rows that fire in no small configuration of the manifest, against
the explorer.  A page that differs from the table in one row is noticed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from holdover.model.clients.profile import load
from holdover.model.explorer.configurations import configurations
from holdover.model.explorer.explore import explore
from holdover.model.readings.finite import Instance
from holdover.model.table.properties import ALWAYS, STEPS
from tests.checkout import ROOT
from tests.model.readings import prose_explorer
from tests.model.readings.prose_explorer import Bounds, Formula, Pages, Seen, pages, search

Build = Callable[..., Instance]
DOCS = ROOT / "docs"
TABLE, WORDS, PROPERTIES = (
    (DOCS / page).read_text(encoding="utf-8")
    for page in ("lease-table.md", "words.md", "properties.md")
)
SMALL = 30_000
"""States of a configuration that is searched here: a second or two."""

CONFIGURATIONS = {c.name: c for c in configurations() if c.states <= SMALL}


@cache
def documented() -> Pages:
    return pages(TABLE, WORDS, PROPERTIES)


def searched(instance: Instance, said: Pages | None = None, most: int = 1_000_000) -> Seen:
    b = instance.bounds
    sizes = {"Host": b.hosts, "Address": b.addresses, "Message": b.messages}
    values = {"length": b.lengths, "skew": b.skews, "passing": (1,)}
    return search(said or documented(), instance.constants, Bounds(sizes, values, b.past), most)


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(prose_explorer.__file__).read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (getattr(node, "module", None) or "", *(alias.name for alias in node.names))
    }
    assert not any("holdover" in name or "tests" in name for name in imported)


@cache
def pinned(name: str) -> Seen:
    return searched(CONFIGURATIONS[name].instance())


@pytest.mark.kept("pages against the explorer")
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_pages_come_to_the_pinned_numbers(name: str) -> None:
    c, seen = CONFIGURATIONS[name], pinned(name)
    assert (seen.states, seen.steps, seen.depth) == (c.states, c.steps, c.depth)
    assert seen.broken == dict(c.broken)


OTHERS: dict[str, tuple[str, tuple[str, ...], dict[str, object]]] = {
    "suspended": ("rfc2131", ("mutes", "suspends"), {"hosts": 1}),
    "suspended, MONOTONIC": ("udhcpc", ("mutes", "suspends"), {"hosts": 1}),
    "clock set back": ("dhclient-nolifetime", ("mutes", "steps"), {"hosts": 1, "step": 1}),
    "forged": ("rfc2131", ("forges",), {}),
    "rival": ("rfc2131", ("rival",), {"lease": 2}),
    "server's clock set forward": ("rfc2131", ("jumps",), {"lease": 2, "step": 1}),
    "clones": ("rfc2131", ("clones",), {"lease": 2}),
    "configured by hand": ("rfc2131", ("settles", "intrudes"), {"lease": 1}),
    "waits after a NAK": ("connman", ("forgets",), {"hosts": 1, "lease": 2}),
    "gives way": ("reference", ("intrudes",), {"lease": 3}),
    "probes lost": ("reference", ("settles", "loses_arp"), {"lease": 1}),
    "server probes": ("wfwg311", ("mutes",), {"lease": 2, "server_probes": True}),
    "shortened": ("rfc2131", ("mutes", "shortens"), {"hosts": 1, "shortest": 1}),
    "answered twice": (
        "reference",
        ("shortens",),
        {"hosts": 1, "messages": 2, "delay": 1, "lease": 6, "shortest": 4},
    ),
    "declined, and leased to another": ("reference", ("forgets",), {"lease": 2}),
    "reused early": ("rfc2131", ("reuses_early",), {"lease": 2}),
    "drift": ("rfc2131", ("mutes",), {"hosts": 1, "lease": 5, "drift": Fraction(1, 4)}),
    "grace": ("wfwg311", ("mutes",), {"lease": 2, "grace": 1, "acknowledge_within": 1}),
    "out of order": ("rfc2131", (), {"lease": 2, "messages": 2, "in_order": False}),
}
"""Rows, constants and bounds that no small configuration of the manifest has."""


def other(name: str, build: Build) -> Instance:
    profile, faults, more = OTHERS[name]
    client = replace(load(profile), releases=True) if name == "out of order" else load(profile)
    return build(client, *faults, **more)


def instance_of(name: str, build: Build) -> Instance:
    return CONFIGURATIONS[name].instance() if name in CONFIGURATIONS else other(name, build)


@cache
def right(name: str, build: Build) -> Seen:
    """What the pages come to, searched once."""
    return pinned(name) if name in CONFIGURATIONS else searched(other(name, build))


@pytest.mark.kept("pages against the explorer")
@pytest.mark.parametrize("name", OTHERS)
def test_the_pages_come_to_what_the_explorer_sees(name: str, build: Build) -> None:
    seen, found = right(name, build), explore(other(name, build), ALWAYS, STEPS)
    assert (seen.states, seen.steps, seen.depth) == (len(found.states), found.steps, found.depth)
    assert seen.broken == {n: len(run) for n, run in sorted(found.violations.items())}
    assert seen.fired == set(found.fired)


@pytest.mark.kept("pages against the explorer")
def test_every_row_of_the_page_fires(build: Build) -> None:
    fired = set().union(*(right(name, build).fired for name in (*CONFIGURATIONS, *OTHERS)))
    assert fired == {row.name for row in documented().rows}


def waits(said: Pages) -> bool:
    """`due` is printed twice, at the row and in `tick`, of which the search reads the second."""
    (tick,) = (row for row in said.rows if row.name == "tick")
    expected = []
    for line in (line for row in said.rows for line in row.due):
        instant, condition = line.split(", while ")
        instant = instant.removeprefix("by ").replace("at once", "now")
        expected.append(f"∀ h with {condition}: now + passing ≤ {instant}")
    return bool(expected) and expected == [line for line in tick.when if line.startswith("∀ h")]


def test_time_waits_for_every_row_that_is_due() -> None:
    assert waits(documented())


# A page that differs -----------------------------------------------------------------------------

PLANTED: dict[str, tuple[str, str, str, str]] = {
    "a lapse a tick late": ("lapse", "now ≥ lease_end[h]", "now > lease_end[h]", "rfc2131"),
    "a lapse that keeps": ("lapse", "LAPSE then none", "RETRY then none", "rfc2131"),
    "no NAK obeyed": (
        "obey_nak",
        "if leased(h) ∧ ¬outlasts_nak(h) then none",
        "if false then none",
        "server forgets",
    ),
    "a wait left out": ("lapse", "due  by lease_end[h]", "due  by renew_at[h]", ""),
    "time that does not wait": (
        "tick",
        "≤ lease_end[h] + late[h]\n",
        "≤ now + passing\n",
        "rfc2131",
    ),
    "a sleep that moves no deadline": (
        "tick",
        "renew_at[h] := renew_at[h] + passing, ",
        "",
        "suspended, MONOTONIC",
    ),
    "an effect left out": ("select", "     wants[h] := a\n", "", "rfc2131"),
    "a guard left out": ("reuse", "     reusable(a)\n", "", "wfwg311-fixed"),
    "a guard of two that say the same": ("commit", "owner[a] = none", "owner[a] ≠ h", "rfc2131"),
    "a row left out": ("unmute", "when ¬serving", "when false", "rfc2131"),
    "reuse at the end": ("", "(1 + drift) < now −", "(1 + drift) ≤ now −", "rfc2131"),
    "a name that means another thing": (
        "",
        "`process[h] = RUNS ∧ ¬asleep[h]`",
        "`process[h] = RUNS`",
        "suspended",
    ),
}
"""In which row (or in the names), what stands there, what is put there, and where that shows: in a
configuration, or in the comparison of what is due."""


def planted(row: str, old: str, new: str) -> str:
    """The page with a passage replaced that stands once in a row, or in the names."""
    head, sign, rest = TABLE.partition(f"### `{row}(" if row else "<!-- generated: definitions -->")
    part, end, after = rest.partition("\n### `" if row else "<!-- end -->")
    assert (bool(sign), part.count(old)) == (True, 1)
    return head + sign + part.replace(old, new) + end + after


def differs(wrong: Pages, name: str, build: Build) -> bool:
    """Whether the search of another page comes to something else, or to a term without a value."""
    known = right(name, build)
    try:
        return searched(instance_of(name, build), wrong, 3 * known.states) != known
    except TypeError:  # an instant that is unset is compared
        return True


@pytest.mark.kept("pages against the explorer")
@pytest.mark.parametrize("plant", [name for name, (*_, where) in PLANTED.items() if where])
def test_a_page_that_differs_in_one_row_is_noticed(plant: str, build: Build) -> None:
    *passage, where = PLANTED[plant]
    assert differs(pages(planted(*passage), WORDS, PROPERTIES), where, build)


def test_a_deadline_that_differs_is_noticed() -> None:
    *passage, _ = PLANTED["a wait left out"]
    assert waits(documented())
    assert not waits(pages(planted(*passage), WORDS, PROPERTIES))


def test_another_first_value_is_noticed() -> None:
    old = "| `serving` | `Bool` | `true` |"
    assert WORDS.count(old) == 1
    wrong = pages(TABLE, WORDS.replace(old, old.replace("true", "false")), PROPERTIES)
    assert searched(CONFIGURATIONS["rfc2131"].instance(), wrong) != pinned("rfc2131")


def test_another_property_is_noticed() -> None:
    old = "answers(h, a) ∧ answers(g, a): h = g"
    assert PROPERTIES.count(old) == 1
    wrong = pages(TABLE, WORDS, PROPERTIES.replace(old, old.replace("h = g", "h ≠ g")))
    assert searched(CONFIGURATIONS["rfc2131"].instance(), wrong).broken != pinned("rfc2131").broken


# The grammar -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("a ∨ b ∧ c", ("∨", "a", ("∧", "b", "c"))),
        ("¬a ∧ b ⇒ c ∨ d", ("implies", ("∧", ("¬", "a"), "b"), ("∨", "c", "d"))),
        ("a − b − c < d", ("<", ("−", ("−", "a", "b"), "c"), "d")),
        ("a − (b − c)", ("−", "a", ("−", "b", "c"))),
        ("a + b / (c + d)", ("+", "a", ("/", "b", ("+", "c", "d")))),
        ("∀ g ≠ h: a ∨ b", ("all", "g", ("≠", "g", "h"), ("∨", "a", "b"))),
        ("∃ n: ¬(x ∈ {A, B})", ("any", "n", "true", ("¬", ("∈", "x", "A", "B")))),
        ("if a then b else c + d", ("if", "a", "b", ("+", "c", "d"))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_signs_bind_as_the_page_says(text: str, node: object) -> None:
    def bare(term: object) -> object:
        if isinstance(term, tuple):
            return term[1] if term[0] == "name" else tuple(bare(part) for part in term)
        return term

    assert bare(Formula(text).whole()) == node


@pytest.mark.parametrize("text", ["a ∧", "a b", "∀ h a", "if a then b", "(a", "∧ a", "x[h"])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(SyntaxError):
        Formula(text).whole()
