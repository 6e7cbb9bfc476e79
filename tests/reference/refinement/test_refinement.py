"""The reference cores, explored: every step of theirs is a step of the lease table."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from holdover.model.table.server import SERVER_ACTIONS
from holdover.reference.core import client as reference_client
from holdover.reference.core import server as reference_server
from holdover.reference.core.client import TABLE, ignore
from holdover.reference.docs.core_pages import column_name
from holdover.reference.docs.core_pages import last_exploration as pinned
from holdover.reference.refinement import __main__ as command
from holdover.reference.refinement.__main__ import summary
from holdover.reference.refinement.coverage import Edge, edges_of, excuse, gaps
from holdover.reference.refinement.search import Refined, as_pinned, refine
from holdover.reference.refinement.server_world import NOT_TAKEN
from holdover.reference.refinement.setting import Setting, every_setting, server_settings, settings
from tests.reference.refinement.kept import FILE, as_data

NAMES = [setting.name for setting in every_setting()]

Explored = Mapping[str, Refined]


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_closes_as_pinned(
    explored: Explored, name: str, record_property: Callable[[str, object], None]
) -> None:
    """To the last state, without a defect, and as large as `settings.toml` says."""
    seen = explored[name]
    record_property(
        "explored",
        f"{name:25} {seen.setting.size}  {seen.states:>8,} states {seen.steps:>10,} steps  depth "
        f"{seen.depth:>3}  {seen.kind or ('closed' if seen.complete else 'cut off')}",
    )
    assert (seen.kind, seen.defect, seen.run) == ("", "", ())
    assert as_pinned(seen), (seen.states, seen.steps, seen.depth)


@pytest.mark.parametrize("name", [setting.name for setting in settings()])
def test_no_client_step_needs_a_search(explored: Explored, name: str) -> None:
    """What a client does is the row that one expects: `hints` are right each time."""
    assert explored[name].searched == 0


@pytest.fixture(scope="module")
def allowed() -> frozenset[Edge]:
    """Every edge that the table allows a client in any setting."""
    return edges_of(settings())


@pytest.mark.kept("edges of the lease table")
def test_every_edge_that_the_table_allows_a_client_is_taken_or_excused(
    explored: Explored, allowed: frozenset[Edge], record_property: Callable[[str, object], None]
) -> None:
    """The client's part of the model's graph: nothing is left out, and nothing is beside it."""
    taken = frozenset().union(*(explored[setting.name].taken for setting in settings()))
    excused = [edge for edge in allowed - taken if excuse(edge)]
    record_property(
        "edges of the lease table that the client takes",
        f"{len(taken)} of {len(allowed)}, {len(excused)} excused (docs/client.md says why)",
    )
    assert gaps(allowed, taken) == ()
    assert taken <= allowed
    assert not [edge for edge in taken if excuse(edge)]
    assert len(taken) > 80


def test_every_row_of_the_server_is_taken(explored: Explored) -> None:
    """All that a server may do, this one does in some setting."""
    taken = {row for s in server_settings() for _, row in explored[s.name].taken}
    rows = {action.name for action in SERVER_ACTIONS} - set(NOT_TAKEN)
    assert rows <= taken


IN_USE = ("BOUND", "RENEWING", "REBINDING", "INIT_REBOOT", "REBOOTING")
SEEN_ELSEWHERE = {
    *((phase, "Heard") for phase in IN_USE),
    *((phase, "Release") for phase in ("INIT", "SELECTING", "REQUESTING")),
}
"""Cells of the client's table that no exploration reaches; tests/reference has them.

A conflict about an address in use: `exclusive` holds here.  An order to stop seeking: the
lease table has no row for it.
"""


def test_every_cell_of_the_clients_table_is_seen(explored: Explored) -> None:
    """Each (phase, event) that is not ignored has happened; the others have a reason."""
    seen = {
        (phase, event)
        for setting in settings()
        for phase, event, _, _ in explored[setting.name].observed
    }
    cells = {
        (phase.name, column_name(column))
        for phase, row in TABLE.items()
        for column, handler in row.items()
        if handler is not ignore
    }
    assert cells - seen == SEEN_ELSEWHERE


def test_what_the_documentation_shows_is_what_was_seen(
    explored: Explored, allowed: frozenset[Edge], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`explored.json`; write it anew by `python -m holdover.reference.refinement --pin`."""

    def edges_of(asked: Iterable[Setting]) -> frozenset[Edge]:
        assert tuple(asked) == settings()
        return allowed

    monkeypatch.setattr(command, "edges_of", edges_of)
    assert summary(explored.values()) == pinned()


def test_what_is_seen_is_what_is_kept(explored: Mapping[str, Refined]) -> None:
    """So a forged one fails when it is its turn; all are compared where the sources are others."""
    data = json.loads(FILE.read_text("utf-8"))["explored"]
    assert {name: as_data(explored[name]) for name in data} == data
    assert set(data) == set(NAMES)


# The exploration can go red ----------------------------------------------------------------------


def with_step(module: ModuleType, step: Callable[..., Any]) -> Any:
    """A core with another `step`."""
    core = ModuleType("mutant")
    core.__dict__.update(module.__dict__)
    core.__dict__["step"] = step
    return core


SMALL = next(setting for setting in settings() if setting.name == "two hosts")
SERVED = next(setting for setting in server_settings() if setting.name == "served")


def test_a_core_that_drops_what_it_should_heed_has_no_excuse() -> None:
    """The network may lose a datagram; a client that was handed it may not."""

    def step(client: Any, event: Any, now: int, chance: Any) -> Any:
        deaf = getattr(getattr(event, "reply", None), "type", None) is not None
        return (client, ()) if deaf else reference_client.step(client, event, now, chance)

    seen = refine(SMALL, with_step(reference_client, step))
    assert seen.kind == "refinement"
    assert "OFFER" in seen.defect


def test_a_late_core_is_found_out() -> None:
    """Time may not pass a deadline of the table because a core does not ask to be called."""
    core = with_step(reference_client, reference_client.step)
    core.__dict__["deadline"] = lambda client: (
        None if client.lease is not None and client.holds else reference_client.deadline(client)
    )
    assert refine(SMALL, core).kind == "late"


def test_a_core_that_raises_is_a_defect() -> None:
    """An exception is no verdict on the table."""

    def step(client: Any, event: Any, now: int, chance: Any) -> Any:
        raise KeyError(event)

    assert refine(SMALL, with_step(reference_client, step)).kind == "crash"


def test_what_is_cut_off_is_not_called_explored() -> None:
    """Neither complete nor as pinned."""
    seen = refine(SMALL, most=100)
    assert (seen.complete, seen.kind, as_pinned(seen)) == (False, "", False)


def test_a_server_that_forgets_to_store_is_found_out() -> None:
    """RFC 2131 §3.1(4): what is bound is stored."""

    def step(server: Any, event: Any, now: int) -> Any:
        after, effects = reference_server.step(server, event, now)
        return after, tuple(e for e in effects if type(e).__name__ != "StoreBinding")

    assert refine(SERVED, with_step(reference_server, step)).kind == "durable"


def test_a_server_that_misbehaves_without_leave_is_found_out() -> None:
    """Each is a fault of the table, or none that it knows; `nak` alone refuses as a server may."""
    names = ("wrong_xid", "wrong_server", "wrong_client_id")
    for wrong in ({"reuse_early": 1}, {"forget_at": 5}, *({name: 1} for name in names)):
        seen = refine(replace(SERVED, misbehave=wrong))
        assert seen.kind in ("refinement", "one_commitment", "reply"), (wrong, seen.kind)
