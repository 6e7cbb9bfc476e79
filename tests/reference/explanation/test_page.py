"""The page of a collision: what is in the file, and that it is the run's."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from holdover.model.seconds import show_number
from holdover.reference.explanation.course import TICK
from holdover.reference.explanation.lanes import GEOMETRY
from holdover.reference.explanation.page import LARGEST, Paragraph, collision_page
from holdover.reference.explanation.page_data import page_data
from tests.reference.explanation.told import compared

VOID = {"meta", "input", "br", "link", "img"}
FETCHING = {"src", "href", "srcset", "action", "data", "poster", "background"}


class Page(HTMLParser):
    """What a page refers to, its ids, its text by element, and whether its tags are nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.refers: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.refers += [str(value) for name, value in attrs if name in FETCHING]
        self.ids += [str(given["id"])] if "id" in given else []
        self.labels += [str(given["aria-label"])] if "aria-label" in given else []
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((given, ""))

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            given, before = self.scripts[-1]
            self.scripts[-1] = given, before + data


def written(*names: str) -> str:
    found = compared(*names)
    return collision_page("A <title>", "Lead & more.", [Paragraph("Why", ["x < y"])], found.shown())


def embedded(page: Page) -> Any:
    ((_, text),) = [each for each in page.scripts if each[0].get("id") == "run"]
    return json.loads(text)


@pytest.mark.parametrize(
    "names", [("wfwg311",), ("wfwg311", "wfwg311-fixed"), ("dhcpcd", "reference"), ("reference",)]
)
def test_the_page_is_one_small_file_that_fetches_nothing(names: tuple[str, ...]) -> None:
    text = written(*names)
    page = Page(text)
    assert len(text.encode()) < LARGEST
    assert (page.refers, page.unbalanced, page.open) == ([], [], [])
    assert len(page.ids) == len(set(page.ids))
    assert "default-src 'none'" in text
    # The name of SVG is no address, but browsers want it.
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\((?!#)", text)


def test_what_is_a_text_is_no_tag() -> None:
    shown = [replace(each, reason="</script><b>") for each in compared("wfwg311").shown()]
    text = collision_page("A <title>", "Lead & more.", [Paragraph("Why", ["x < y"])], shown)
    assert "A &lt;title&gt;" in text
    assert "<li>x &lt; y</li>" in text
    ((_, run),) = [each for each in Page(text).scripts if each[0].get("id") == "run"]
    assert "<" not in run
    assert json.loads(run)["courses"][0]["reason"] == "</script><b>"


def test_the_script_finds_each_element_that_it_asks_for() -> None:
    page = Page(written("wfwg311", "wfwg311-fixed"))
    (script,) = [text for given, text in page.scripts if not given]
    asked = set(re.findall(r'\bby\("([a-z]+)"\)', script)) | {"first", "back", "on", "last"}
    assert asked - {"run"} <= set(page.ids)
    assert {"course-0", "course-1"} <= set(page.ids)


def test_the_data_are_the_states_of_the_run() -> None:
    found = compared("wfwg311", "wfwg311-fixed")
    data = embedded(Page(written("wfwg311", "wfwg311-fixed")))
    known = page_data(found.shown(), found.course.world.sizes)
    assert data == json.loads(json.dumps({**known, "geometry": GEOMETRY}))
    steps = [each for each in found.source.run if each.action != TICK.name]
    for course, followed in zip(
        data["courses"], (found.course, found.followers[0].course), strict=True
    ):
        told = [each for c in course["columns"] for each in c["happened"] if each["row"] != "tick"]
        assert [(e["row"], e["says"], e["at"]) for e in told] == [
            (e.action, e.sentence, f"{show_number(e.time)} s") for e in steps
        ]
        for column, real in zip(course["columns"], followed.columns, strict=True):
            assert column["holds"] == [
                "" if real.state["holds", host] is None else "a1" for host in range(2)
            ]
            assert column["serving"] is real.state["serving", 0]


def test_each_property_has_its_value_in_each_state() -> None:
    data = embedded(Page(written("wfwg311", "wfwg311-fixed")))
    bug, fix = data["courses"]
    names = [each["name"] for each in data["properties"]]

    def broken(column: Any) -> set[str]:
        assert len(column["properties"]) == len(names)
        pairs = zip(names, column["properties"], strict=True)
        return {name for name, holds in pairs if holds is False}

    assert [broken(c) for c in fix["columns"]] == [set()] * len(fix["columns"])
    last = broken(bug["columns"][-1])
    assert last == {"exclusive", "within_lease", "released_first", "owned"}
    lapse = next(c for c in bug["columns"] if c["happened"][0]["row"] == "lapse")
    assert broken(lapse) == {"released_first"}
    assert (lapse["over"], bug["columns"][-1]["both"]) == ([True, False], True)
    assert len(bug["columns"][0]["values"]) == len(data["variables"])


def test_the_answers_are_in_the_page_and_avoid_the_collision() -> None:
    data = embedded(Page(written("wfwg311")))
    (course,) = data["courses"]
    assert course["answers"]
    for at, columns in course["answers"].items():
        assert len(columns) == len(course["columns"]) - int(at)
        assert columns[0]["happened"][0]["row"] == "acknowledge"
        assert not any(column["both"] for column in columns)
        assert [column["holds"][0] for column in columns] == [""] * len(columns)


def test_what_is_left_out_says_which_guard_forbids_it() -> None:
    data = embedded(Page(written("networkd", "reference")))
    happened = [each for c in data["courses"][1]["columns"] for each in c["happened"]]
    left_out = [each for each in happened if each["how"] == "left out"]
    assert left_out
    assert all(each["why"] for each in left_out)
