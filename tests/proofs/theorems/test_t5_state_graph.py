"""The state graph against the explorer, the engine and the proofs: who errs is noticed."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from holdover.model.explorer import configurations as manifest
from holdover.model.explorer import explore as explorer
from holdover.model.explorer.configurations import Configuration, configurations
from holdover.proofs.theorems import t1_refutation, t5_state_graph
from holdover.proofs.theorems.t5_state_graph import (
    BY_ENGINE,
    FITS,
    fitting,
    is_proved,
    reading,
    same_as_solver,
    same_engine,
    same_graph,
)

SOURCE = Path(explorer.__file__).read_text(encoding="utf-8")

DEFECTS: dict[str, tuple[str, str, str]] = {
    "the last step from a state is not taken": (
        "ways = successors(state)\n",
        "ways = successors(state)[:-1]\n",
        "lacks",
    ),
    "some states are not stored": (
        "                fired[edge] += 1\n",
        "                fired[edge] += 1\n"
        "                if sum(map(bool, following)) == 9 and not keep_steps:\n"
        "                    continue\n",
        "lacks",
    ),
    "a state of each depth is not expanded": (
        "for number in range(layer_start, layer_end):",
        "for number in range(layer_start, max(layer_start + 1, layer_end - 1)):",
        "steps",
    ),
    "a state is stored that nothing leads to": (
        "    layer_start, count = 0, 1\n",
        "    states.append((*instance.initial[:-1], True))\n"
        "    index[states[1]] = 1\n"
        "    parents.append(0)\n"
        "    edges.append(0)\n"
        "    layer_start, count = 0, 2\n",
        "the explorer lacks",
    ),
    "steps to known states are not counted": (
        "fired[edge] += 1",
        "fired[edge] += following not in index",
        "steps: ",
    ),
    "the last layer counts for the depth": ("if count > layer_end:", "if layer_end:", "depth: "),
    "a run is one of the last, not of the first": (
        "            del self.broken[name]\n",
        "",
        "shortest runs: ",
    ),
    "a run begins with its second step": (
        "while (parent := self.parents[number]) >= 0:",
        "while (parent := self.parents[number]) > 0:",
        "shortest runs: ",
    ),
    "properties of states are not looked at": (
        "in self.broken.items() if not holds(state)]",
        "in self.broken.items() if False]",
        "shortest runs: ",
    ),
    "a step is judged the wrong way round": (
        "if not kept(state, following)]",
        "if not kept(following, state)]",
        "shortest runs: ",
    ),
}


def configured(name: str) -> Configuration:
    return next(c for c in configurations() if c.name == name)


FORGETFUL = configured("server forgets")
"""Small, and breaks a property of states and one of steps."""


def with_defect(old: str, new: str) -> Callable[..., explorer.Exploration]:
    """The explorer with a passage replaced that stands in it once."""
    assert SOURCE.count(old) == 1, old
    module = types.ModuleType("defective")
    module.__dict__["__name__"] = explorer.__name__  # its dataclasses look their module up
    exec(compile(SOURCE.replace(old, new), "<defective>", "exec"), module.__dict__)
    defective: Callable[..., explorer.Exploration] = module.explore
    return defective


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_of_the_explorer_is_noticed(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, noticed = DEFECTS[defect]
    monkeypatch.setattr(manifest, "explore", with_defect(old, new))
    found = same_graph(FORGETFUL)
    assert found.outcome == "violated"
    assert noticed in found.detail


def test_without_a_defect_they_agree() -> None:
    found = same_graph(FORGETFUL)
    assert found.outcome == "holds"
    assert found.data["states"] == FORGETFUL.states
    assert found.data["shortest_runs"] == [
        {"property": name, "steps": steps} for name, steps in FORGETFUL.broken.items()
    ]


def test_a_search_that_is_cut_off_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*args: object, **more: object) -> explorer.Exploration:
        return explorer.explore(*args, **more, memory=1 << 16)  # type: ignore[arg-type]

    monkeypatch.setattr(manifest, "explore", short)
    assert same_graph(FORGETFUL).outcome == "unknown"


def test_what_comes_in_the_end_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    lasting = configured("rfc2131")
    assert lasting.eventually
    assert same_graph(lasting).outcome == "holds"
    monkeypatch.setattr(manifest, "lasting", lambda *_: ())
    found = same_graph(lasting)
    assert (found.outcome, "in the end" in found.detail) == ("violated", True)


def test_what_fits_is_compared_and_what_does_not_is_not() -> None:
    names = {c.name for c in fitting()}
    assert names == {c.name for c in configurations() if c.states <= FITS}
    assert len(names) > len(configurations()) / 2
    assert any(c.eventually for c in fitting())
    assert any("one_commitment" in c.broken for c in fitting())


# Against the proofs and the engine ---------------------------------------------------------------


def test_a_collision_that_is_excluded_by_proof_is_noticed() -> None:
    assert {c.profile for c in fitting() if is_proved(c)} == {
        "rfc2131",
        "reference",
        "wfwg311-fixed",
    }
    assert not is_proved(FORGETFUL)
    found = reading(FORGETFUL, FORGETFUL.instance())
    claimed = replace(FORGETFUL, faults=("mutes",))
    assert list(t5_state_graph.against_proof(found, FORGETFUL)) == []
    (said,) = t5_state_graph.against_proof(found, claimed)
    assert said == f"a collision after {FORGETFUL.broken['exclusive']} steps, which T2 excludes"


@pytest.mark.kept("cases of theorems")
def test_the_collision_of_t1_is_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert same_as_solver().outcome == "holds"
    shorter = with_defect(
        "while (parent := self.parents[number]) >= 0:",
        "while (parent := self.parents[number]) > 0:",
    )
    monkeypatch.setattr(t1_refutation, "explore", shorter)
    assert same_as_solver().outcome == "violated"


@pytest.mark.kept("cases of theorems")
def test_the_engine_agrees() -> None:
    assert [same_engine(name).outcome for name in BY_ENGINE] == ["holds"] * len(BY_ENGINE)
    assert any(configured(name).broken for name in BY_ENGINE)


def test_an_engine_that_errs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from holdover.model.engine import engine

    right = engine.search

    def wrong(*args: object, **more: object) -> explorer.EngineResult:
        found = right(*args, **more)  # type: ignore[arg-type]
        return replace(found, depth=found.depth + 1)

    monkeypatch.setattr(engine, "search", wrong)
    assert same_engine("server forgets").outcome == "violated"
