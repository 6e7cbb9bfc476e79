"""The pictures show what they are about: a collision and its fix, two clocks, the matrix."""

import re
from collections import Counter
from fractions import Fraction
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from holdover.reference.cli import main
from holdover.reference.docs.__main__ import find_old_pictures
from holdover.reference.docs.site.matrix_chart import matrix_chart, rows_of
from holdover.reference.docs.site.pictures import OF_PAGES, PICTURES, runs
from holdover.reference.docs.site.two_clocks import DRIFT, LEASE, ends
from tests.checkout import ROOT

MATRIX = (ROOT / "docs/matrix.md").read_text(encoding="utf-8")
FILES = {name: (ROOT / "docs/static" / name).read_text("utf-8") for name in (*PICTURES, *OF_PAGES)}
PICTURE = FILES["collision.svg"]


def test_each_is_the_file_that_is_shown() -> None:
    assert find_old_pictures(ROOT, {}) == {}


def test_one_that_is_of_a_page_is_drawn_of_the_text_that_the_page_is_to_have() -> None:
    page = ROOT / "docs/matrix.md"
    (old,) = find_old_pictures(ROOT, {page: MATRIX.replace("| 18 steps |", "| holds |", 1)})
    assert old.name == "matrix.svg"


@pytest.mark.parametrize("name", FILES)
def test_each_has_a_description_and_is_on_a_page(name: str) -> None:
    drawn = ElementTree.fromstring(FILES[name])
    assert drawn.attrib["role"] == "img"
    assert len(drawn.attrib["aria-label"]) > 80
    pages = [*(ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if f"static/{name})" in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_fetched(name: str) -> None:
    assert re.findall(r"https?://[^\"]+", FILES[name]) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("name", FILES)
def test_each_is_for_a_light_and_a_dark_ground(name: str) -> None:
    assert "@media (prefers-color-scheme: dark)" in FILES[name]
    assert re.findall(r'(?:fill|stroke)="#', FILES[name]) == []


def test_the_bug_collides_and_the_fix_does_not() -> None:
    bug, fix = PICTURE.split("The fix: ")
    assert len(re.findall(r'class="both"', bug)) == 2  # both hosts
    assert 'class="over"' in bug
    assert "COLLISION" in bug
    assert not re.search(r'class="(both|over)"', fix)
    assert "COLLISION" not in fix
    assert fix.count('class="held"') == 2


def test_each_time_has_one_unit() -> None:
    times = re.findall(r">([\d.]+ s[^<]*)<", PICTURE)
    assert times == ["0 s", "1800 s", "3150 s", "3600 s", "3600.5 s"] * 2


def test_runs_of_values() -> None:
    assert list(runs(["", "a", "a", "b", ""])) == [("a", 1, 2), ("b", 3, 1)]


# Two clocks --------------------------------------------------------------------------------------


def test_two_clocks_shows_what_each_clock_shows() -> None:
    """At the end of what it counts, a clock shows the lease; the grace is that of the formula."""
    found = ends("rfc2131", Fraction(0))
    assert found.record * (1 + DRIFT) == found.held * (1 - DRIFT) == LEASE
    assert found.grace == 2 * DRIFT * LEASE / (1 - DRIFT)
    assert found.reuse == found.held
    texts = re.findall(r">([^<>]+)</text>", FILES["two-clocks.svg"])
    for said in ("86391.361 s", "86408.641 s", "86382.722 s", "86417.282 s"):
        assert texts.count(said) == 1
    assert texts.count("86400 s") == 2


def test_two_clocks_has_the_numbers_that_the_command_prints() -> None:
    for name in ("rfc2131", "networkd"):
        said = CliRunner().invoke(
            main, ["grace", "--profile", name, "--lease", "1d", "--drift-ppm", "100"]
        )
        (grace,) = re.findall(r"^safe grace: (\S+ s)", said.output, re.MULTILINE)
        assert f"grace: {grace} on its clock" in FILES["two-clocks.svg"]


def test_without_a_bound_there_is_no_picture_of_it() -> None:
    with pytest.raises(ValueError, match="freertos: no bound"):
        ends("freertos", Fraction(0))


# The matrix --------------------------------------------------------------------------------------


def test_the_matrix_has_each_cell_of_the_table_once() -> None:
    head, *rows = rows_of(MATRIX)
    cells = Counter("bad" if "step" in c else c for row in rows for c in row[1:-1])
    drawn = Counter(re.findall(r'<rect class="(holds|bad|open)"', matrix_chart(MATRIX)))
    assert cells["?"] > 0
    assert drawn == {
        "holds": cells["holds"] + 1,
        "bad": cells["bad"] + 1,
        "open": cells["?"] + 1,
    }  # and one of each in the key
    assert sum(cells.values()) == len(rows) * (len(head) - 2)


def test_a_cell_without_a_sign_and_a_page_without_a_table_are_errors() -> None:
    with pytest.raises(ValueError, match="no sign: 'perhaps'"):
        matrix_chart(MATRIX.replace("| 18 steps |", "| perhaps |", 1))
    with pytest.raises(ValueError, match="no table"):
        matrix_chart("# A page\n")
