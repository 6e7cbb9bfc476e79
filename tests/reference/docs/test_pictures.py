"""The picture of the collision shows the collision, and the fix without one."""

import re
from xml.etree import ElementTree

from holdover.reference.docs.__main__ import find_old_pictures
from holdover.reference.docs.site.pictures import collision, runs
from tests.checkout import ROOT

PICTURE = collision()


def test_it_is_the_file_that_is_shown() -> None:
    assert find_old_pictures(ROOT) == {}


def test_it_is_a_picture_with_a_description() -> None:
    drawn = ElementTree.fromstring(PICTURE)
    assert drawn.attrib["role"] == "img"
    assert "collision" in drawn.attrib["aria-label"]


def test_the_bug_collides_and_the_fix_does_not() -> None:
    bug, fix = PICTURE.split("The fix: ")
    assert len(re.findall(r'class="both"', bug)) == 2  # both hosts
    assert 'class="over"' in bug
    assert "COLLISION" in bug
    assert not re.search(r'class="(both|over)"', fix)
    assert "COLLISION" not in fix
    assert fix.count('class="held"') == 2


def test_nothing_is_fetched() -> None:
    assert re.findall(r"https?://[^\"]+", PICTURE) == ["http://www.w3.org/2000/svg"]


def test_runs_of_values() -> None:
    assert list(runs(["", "a", "a", "b", ""])) == [("a", 1, 2), ("b", 3, 1)]
