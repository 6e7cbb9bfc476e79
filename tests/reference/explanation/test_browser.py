"""The pages in a browser: a visitor sees the collision or avoids it, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from holdover.model.explorer.explore import explore
from holdover.model.explorer.sequence_chart import events, steps_of
from holdover.model.table.properties import EXCLUSIVE
from holdover.reference.explanation.in_ticks import small_world
from holdover.reference.explanation.lanes import picture
from holdover.reference.explanation.page import LARGEST, Paragraph, collision_page, sizes_of
from holdover.reference.explanation.page_data import ShownCourse, page_data
from tests.browser import NARROW, WIDE, Scheme, Visit, missing, visit
from tests.kept_families import MODULE
from tests.reference.explanation.told import compared, judged

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.kept("pages in a browser", by=MODULE)

RUNS = {
    "bug beside fix": ("wfwg311", "wfwg311-fixed"),
    "one that holds": ("wfwg311-fixed", None),
    "other clients": ("networkd", "reference"),
    "one that does not follow": ("dhcpcd", "rfc2131"),
}


def run_page(name: str, beside: str | None) -> str:
    found = compared(name, beside)
    return collision_page("A run", "Lead.", [Paragraph("Why", ["because"])], found.shown())


def walk_page() -> str:
    found = judged("wfwg311")
    world = small_world(found, found)
    walk = ShownCourse(
        name="wfwg311", title="Windows for Workgroups 3.11", outcome="violated", reason="explored",
        answers={}, world=world, states=(),
    )  # fmt: skip
    return collision_page("A walk", "Lead.", [], [walk])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    place, made = tmp_path_factory.mktemp("pages"), {}

    def page(name: str) -> Path:
        if name not in made:
            made[name] = place / f"{name.replace(' ', '-')}.html"
            made[name].write_text(walk_page() if name == "walk" else run_page(*RUNS[name]), "utf-8")
        return made[name]

    return page


Written = Callable[[str], Path]


# What it looks like ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"]
)
@pytest.mark.parametrize("name", ["bug beside fix", "other clients", "walk"])
def test_a_page_opens_without_a_complaint_and_fits(
    browser: Browser, written: Written, name: str, size: tuple[int, int], scheme: Scheme
) -> None:
    assert written(name).stat().st_size < LARGEST
    with visit(browser, written(name), size=size, scheme=scheme) as seen:
        seen.press("End", "ArrowLeft", "ArrowRight")
        assert seen.complaints == []
        assert seen.asked == [written(name).as_uri()]
        assert seen.ask("document.documentElement.scrollWidth") == size[0]


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("bug beside fix", "light"), ("bug beside fix", "dark"), ("walk", "dark")],
    ids=lambda each: each.replace(" ", "-"),
)
def test_axe_finds_nothing_at_any_kind_of_step(
    browser: Browser, written: Written, name: str, scheme: Scheme
) -> None:
    with visit(browser, written(name), scheme=scheme) as seen:
        assert seen.accessibility() == []
        seen.ask("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        seen.press("End")
        seen.click("#choice-0")
        assert seen.accessibility() == []
        assert seen.complaints == []


def test_without_scripts_the_lanes_and_the_steps_are_there(
    browser: Browser, written: Written
) -> None:
    with visit(browser, written("bug beside fix"), scripts=False) as seen:
        assert "runs no scripts" in seen.text("noscript")
        assert seen.page.get_by_text("COLLISION", exact=True).count() == 1
        assert seen.page.locator("#steps li").count() == len(compared("wfwg311").course.columns)


DRAWN = """svg => [...svg.querySelectorAll("rect, line, text, path, svg")].map((each) => [
  each.tagName, each.getAttribute("class"), each.tagName === "text" ? each.textContent : "",
  ...["x", "y", "width", "height", "x1", "x2", "y1", "y2", "d", "text-anchor"]
    .map((name) => each.getAttribute(name))]).filter(([, kind]) => kind !== "cursor")"""


@pytest.mark.parametrize("name", ["bug beside fix", "one that does not follow"])
def test_the_page_draws_the_lanes_that_the_picture_has(
    browser: Browser, written: Written, name: str
) -> None:
    with visit(browser, written(name), scripts=False) as still:
        pictures = still.page.locator(".lanes > svg")
        first = [pictures.nth(n).evaluate(DRAWN) for n in range(pictures.count())]
    with visit(browser, written(name)) as seen:
        seen.press("End")
        pictures = seen.page.locator(".lanes > svg")
        assert [pictures.nth(n).evaluate(DRAWN) for n in range(pictures.count())] == first
    kinds = {kind for part in first[0] for kind in str(part[1]).split()}
    assert kinds >= {"held", "lease", "end", "sent", "inside", "axis"}
    assert ("both" in kinds) == (name != "one that does not follow")


def test_nothing_is_told_by_colour_alone(browser: Browser, written: Written) -> None:
    with visit(browser, written("bug beside fix")) as seen:
        seen.press("End")
        filled = "kind => getComputedStyle(document.querySelector('.lanes .' + kind)).fill"
        assert 'url("#late")' in seen.ask(filled, "over")
        assert 'url("#both")' in seen.ask(filled, "both")
        assert "COLLISION" in seen.text("#lanes-0")
        assert "✕ broken" in seen.text("#course-0 .holdings")
        assert "Two hosts have one address." in seen.text("#course-0 .now")


# The notice --------------------------------------------------------------------------------------


def until(seen: Visit, says: str) -> None:
    """Step on until this has happened."""
    for _ in range(40):
        if says in seen.text("#course-0 .now"):
            return
        seen.click("#on")
    raise AssertionError(f"never: {says}")


def exclusive(seen: Visit, number: int) -> str:
    """What is said of the property that counts."""
    return seen.text(f"#course-{number} .holdings dd")


def test_who_leaves_the_notice_sees_the_collision_and_the_fix_has_none(
    browser: Browser, written: Written
) -> None:
    with visit(browser, written("bug beside fix")) as seen:
        until(seen, "the notice of the lapse goes up")
        assert "expired" in seen.text("#course-0 .dialog")
        assert "The address is released" in seen.text("#course-1 .dialog")
        while seen.text("#where").split(",")[0] != "step 22 of 22":
            assert (exclusive(seen, 0), exclusive(seen, 1)) == ("✓ holds", "✓ holds")
            seen.click("#on")
        assert (exclusive(seen, 0), exclusive(seen, 1)) == ("✕ broken", "✓ holds")
        assert seen.page.get_by_text("COLLISION", exact=True).count() == 1
        assert seen.page.locator("#lanes-1 .both").count() == 0
        assert seen.page.locator("#course-0 .dialog").count() == 1


def test_who_clicks_ok_in_time_sees_no_collision(browser: Browser, written: Written) -> None:
    with visit(browser, written("bug beside fix")) as seen:
        until(seen, "h2 broadcasts DHCPDISCOVER")
        seen.click("#ok-0-0")
        assert "the user acknowledges the notice on h1" in seen.text("#course-0 .now")
        for _ in range(10):
            assert exclusive(seen, 0) == "✓ holds"
            seen.click("#on")
        assert "h2 receives DHCPACK and takes a1" in seen.text("#course-0 .now")
        assert seen.page.get_by_text("COLLISION", exact=True).count() == 0
        seen.click("#back-0")
        seen.press("End")
        assert exclusive(seen, 0) == "✕ broken"


def test_who_clicks_ok_too_late_has_seen_the_collision(browser: Browser, written: Written) -> None:
    with visit(browser, written("bug beside fix")) as seen:
        until(seen, "h2 receives DHCPACK")
        assert exclusive(seen, 0) == "✕ broken"
        seen.click("#ok-0-0")
        assert exclusive(seen, 0) == "✓ holds"
        assert "Two hosts had one address until this OK." in seen.text("#course-0 .now")
        assert seen.page.get_by_text("COLLISION", exact=True).count() == 1


# The keyboard ------------------------------------------------------------------------------------


def test_the_keyboard_alone_steps_answers_and_plays(browser: Browser, written: Written) -> None:
    with visit(browser, written("bug beside fix"), step=15) as seen:
        seen.press("ArrowLeft", "ArrowRight", "ArrowRight")
        assert seen.text("#where").startswith("step 16 of 22")
        for _ in range(40):
            seen.press("Tab")
            if seen.ask("document.activeElement.id") == "ok-0-0":
                break
        seen.press("Enter")
        assert "acknowledges" in seen.text("#course-0 .now")
        seen.press("End")
        assert exclusive(seen, 0) == "✓ holds"
        seen.press("Home")
        assert seen.text("#where").startswith("the beginning")
        seen.ask("document.activeElement.blur()")
        seen.press("Space")
        assert seen.text("#play") == "Pause"
        seen.press("Space")
        assert seen.text("#play") == "Play"


def test_what_is_shown_is_said_to_who_does_not_see_it(browser: Browser, written: Written) -> None:
    with visit(browser, written("bug beside fix")) as seen:
        seen.press("End")
        said = seen.page.locator("#said")
        assert said.get_attribute("aria-live") == "polite"
        assert "wfwg311: h2 receives DHCPACK and takes a1. Two hosts have one address." in (
            said.inner_text()
        )


# What a visitor chooses --------------------------------------------------------------------------


def offered(seen: Visit) -> list[str]:
    return sorted(str(each) for each in seen.ask("choices(every(here)).map((each) => each.says)"))


def test_the_shortest_way_to_the_collision_can_be_chosen(
    browser: Browser, written: Written
) -> None:
    found = judged("wfwg311")
    world = small_world(found, found)
    run = explore(world, (EXCLUSIVE,), stop=True).violations["exclusive"]
    with visit(browser, written("walk")) as seen:
        for event, before in zip(events(run), run.states, strict=False):
            assert len(offered(seen)) == len(world.successors(before))
            says = "time passes: one tick" if event.action == "tick" else event.sentence
            seen.page.get_by_role("button", name=says).first.click()
        assert "COLLISION" in seen.text("#lanes-0")
        assert exclusive(seen, 0) == "✕ broken"
        assert seen.page.locator("#steps li").count() == len(run.labels)
        assert len(steps_of(events(run))) == 18
        seen.click("#again")
        assert seen.text("#where").startswith("the beginning")


def test_from_a_step_of_the_run_another_end_can_be_chosen(
    browser: Browser, written: Written
) -> None:
    with visit(browser, written("bug beside fix"), step=17) as seen:
        seen.click("#choose summary")
        seen.page.get_by_role("button", name="the user acknowledges the notice on h1").click()
        assert seen.text("#where").endswith("chosen")
        assert [
            seen.text(f"#course-{n} .dialog")
            if seen.page.locator(f"#course-{n} .dialog").count()
            else ""
            for n in range(2)
        ] == ["", ""]
        seen.press("1")
        assert seen.text("#where").startswith("step 19 of 19")
        seen.click("#again")
        seen.press("End")
        assert (seen.text("#where")[:13], exclusive(seen, 0)) == ("step 22 of 22", "✕ broken")


def test_what_only_one_of_two_clients_can_do_is_left_out_of_the_other(
    browser: Browser, written: Written
) -> None:
    """At the lapse the fixed client has let go, and asks for a new lease at once."""
    with visit(browser, written("other clients")) as seen:
        for _ in range(60):
            only = seen.page.locator("#choices small")
            if only.count():
                break
            seen.press("ArrowRight")
        who = only.first.inner_text().strip().removeprefix("only ")
        seen.click("#choose summary")
        only.first.click()
        left_out = 1 if who == "networkd" else 0
        assert "left out here" in seen.text(f"#course-{left_out} .now")
        assert "left out here" not in seen.text(f"#course-{1 - left_out} .now")


# What is counted in ticks agrees with the run ----------------------------------------------------

VIEWS = ("holds", "over", "leased", "both", "owner", "runs", "serving", "notice")


@pytest.mark.parametrize("name", RUNS)
def test_a_state_in_ticks_shows_what_the_state_in_seconds_does(
    browser: Browser, written: Written, name: str
) -> None:
    with visit(browser, written(name)) as seen:
        compare = """names => data.courses.map((course, n) => [course.begin, ...course.columns,
          ...Object.values(course.answers).flat()].filter((column) => column.ticks)
          .map((column) => [column, columnOf(worlds[n], column.ticks, {base: "", ticks: 0})]
            .map((each) => JSON.stringify([...names.map((name) => each[name]),
              each.properties.slice(0, 5)]))))"""
        pairs: list[list[Any]] = seen.ask(compare, list(VIEWS))
    assert all(len(of) > 5 for of in pairs)
    for exact, in_ticks in (pair for of in pairs for pair in of):
        assert exact == in_ticks


def test_where_no_state_in_ticks_is_known_nothing_is_offered(
    browser: Browser, written: Written
) -> None:
    with visit(browser, written("one that does not follow")) as seen:
        seen.click("#choose summary")
        assert seen.page.locator("#choices button").count() > 0
        seen.press("End")
        assert seen.page.locator("#choices button").count() == 0
        assert "nothing can be chosen" in seen.text("#choices")


# A picture for slides ----------------------------------------------------------------------------


def test_lanes_can_be_saved_as_svg_and_as_png(
    browser: Browser, written: Written, tmp_path: Path
) -> None:
    with visit(browser, written("bug beside fix"), step=22) as seen:
        for kind in ("svg", "png"):
            with seen.page.expect_download() as download:
                seen.click(f"#{kind}-0")
            assert download.value.suggested_filename == f"wfwg311.{kind}"
            download.value.save_as(tmp_path / kind)
        assert seen.complaints == []
    assert "COLLISION" in "".join(ElementTree.parse(tmp_path / "svg").getroot().itertext())
    png = (tmp_path / "png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(png[16:20], "big") == 2000
    assert len(png) > 10_000


def test_the_picture_of_the_command_stands_alone(browser: Browser, tmp_path: Path) -> None:
    shown = compared("wfwg311", "wfwg311-fixed").shown()
    file = tmp_path / "lanes.svg"
    file.write_text(picture(page_data(shown, sizes_of(shown[0]))), "utf-8")
    grounds = set()
    for scheme in ("light", "dark"):
        with visit(browser, file, scheme=scheme) as seen:
            grounds.add(seen.ask("getComputedStyle(document.querySelector('rect[fill]')).fill"))
            assert seen.page.get_by_text("COLLISION", exact=True).count() == 1
            assert seen.complaints == []
    assert len(grounds) == 2


def test_without_a_browser_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert missing() == "there is no chromium: apt-get install chromium-headless-shell"
