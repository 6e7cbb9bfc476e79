"""The JavaScript reading in a browser goes where the explorer goes, from every state."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from holdover.model.explorer.configurations import configurations
from holdover.model.explorer.explore import explore
from holdover.model.export.javascript import HELPERS, javascript
from holdover.model.readings.finite import Instance
from holdover.model.table.expr import Expr, following
from holdover.model.table.properties import ALWAYS, STEPS
from holdover.model.table.vocabulary import h, lease_end
from tests.kept_families import MODULE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.kept("readings in a browser", by=MODULE)

Build = Callable[..., Instance]

SMALL = {"rfc2131": 3, "server forgets": 3, "deaf to DHCPNAK": 3, "two kinds of client": 2}
"""Configurations, and ticks of a lease in them."""

SEARCH = """() => {
  const known = new Map([[JSON.stringify(model.initial), 0]]), queue = [model.initial];
  const taken = [];
  for (let place = 0; place < queue.length && queue.length < 20000; place++) {
    model.take.forEach((take, edge) => {
      const after = take(queue[place]);
      if (!after) return;
      const text = JSON.stringify(after);
      if (!known.has(text)) { known.set(text, queue.length); queue.push(after); }
      taken.push([place, edge, known.get(text), model.steps(queue[place], after).map(Number)]);
    });
  }
  return { states: queue, always: queue.map((state) => model.always(state).map(Number)), taken };
}"""


def searched(browser: Browser, instance: Instance) -> dict[str, Any]:
    """All states, all steps, and what holds of them, as a browser finds them."""
    asked = javascript(
        instance,
        {"always": [(p.term, {}) for p in ALWAYS]},
        {"steps": [(p.term, {}) for p in STEPS]},
    )
    page = browser.new_page()
    page.add_script_tag(content=f"{HELPERS}const model = {asked};")
    found: dict[str, Any] = page.evaluate(SEARCH)
    page.close()
    return found


def agree(browser: Browser, instance: Instance) -> None:
    found, seen = searched(browser, instance), explore(instance)
    states = [tuple(state) for state in found["states"]]
    assert set(states) == set(seen.states)
    always = [instance.predicate(p.term) for p in ALWAYS]
    steps = [instance.step_predicate(p.term) for p in STEPS]
    for state, holds in zip(states, found["always"], strict=True):
        assert [each(state) for each in always] == holds
    taken = iter(found["taken"])
    for place, state in enumerate(states):
        for edge, after in instance.successors(state):
            begin, by, end, holds = next(taken)
            assert (begin, by, states[end]) == (place, edge, after)
            assert [each(state, after) for each in steps] == holds
    assert list(taken) == []
    assert len(found["taken"]) == seen.steps


@pytest.mark.parametrize("name", SMALL)
def test_each_state_and_each_step_is_the_explorers(browser: Browser, name: str) -> None:
    found = next(c for c in configurations() if c.name == name)
    agree(browser, replace(found, ticks=SMALL[name]).instance())


def test_fractions_of_a_drifting_clock_are_exact(browser: Browser, build: Build) -> None:
    instance = build("rfc2131", "mutes", drift=Fraction(1, 3), grace=1, lease=4, hosts=1)
    assert len(instance.bounds.skews) > 2
    agree(browser, instance)


def test_an_edge_has_its_row_its_host_its_sentence_and_its_parameters(build: Build) -> None:
    text = javascript(build("wfwg311", "mutes"), {}, {})
    line = next(line for line in text.splitlines() if line.startswith("edges: "))
    edges = json.loads(line.removeprefix("edges: ").removesuffix(","))
    assert ["discover", 1, "h2 broadcasts DHCPDISCOVER", {"h": 1, "m": 0}] in edges
    assert ["tick", -1, "time passes", {"passing": 1}] in edges
    (missed, *_) = [edge for edge in edges if edge[0] == "miss"]
    assert missed[2] == "nobody is there for the {0} of h1"


def test_an_instant_after_a_step_is_refused(build: Build) -> None:
    later: Expr = following(lease_end[h]) <= lease_end[h]
    with pytest.raises(TypeError, match="different zeros"):
        javascript(build("wfwg311"), {}, {"steps": [(later, {h: 0})]})
