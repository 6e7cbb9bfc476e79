"""Generated regions: filled, checked, refused where they cannot be; links that lead somewhere."""

import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from holdover.proofs.verdicts.matrix import ROWS, SAFEGUARDS
from holdover.reference.docs.__main__ import (
    GENERATORS,
    HEAVY,
    RegionError,
    fill_regions,
    find_drift,
    main,
    sources,
)
from tests.checkout import ROOT

GIVEN = {"one": lambda: "| 1 |\n", "two": lambda: "II"}
OLD = (
    "# Title\n\n<!-- generated: one -->\nold\n<!-- end -->\n\ntext\n"
    "<!-- generated: two -->\n<!-- end -->\n"
)
NEW = (
    "# Title\n\n<!-- generated: one -->\n\n| 1 |\n\n<!-- end -->\n\ntext\n"
    "<!-- generated: two -->\n\nII\n\n<!-- end -->\n"
)


def test_regions_are_filled_and_the_rest_stays() -> None:
    assert fill_regions(OLD, "f.md", GIVEN) == NEW
    assert fill_regions(NEW, "f.md", GIVEN) == NEW


def test_unknown_generator_names_the_nearest() -> None:
    with pytest.raises(RegionError, match=r"f\.md: line 1: no generator 'tow'; nearest: two"):
        fill_regions("<!-- generated: tow -->\n<!-- end -->\n", "f.md", GIVEN)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- generated: one -->\n",
        "<!-- generated: one -->\n<!-- generated: two -->\n<!-- end -->\n",
    ],
    ids=["end of file", "next region"],
)
def test_open_region_is_refused(text: str) -> None:
    with pytest.raises(RegionError, match="line 1: region 'one' has no <!-- end -->"):
        fill_regions(text, "f.md", GIVEN)


def in_folder(root: Path, text: str) -> Path:
    (root / "docs" / "deep").mkdir(parents=True)
    path = root / "docs" / "deep" / "page.md"
    path.write_text(text)
    return path


def test_drift_is_found_at_any_depth_and_in_the_readme(tmp_path: Path) -> None:
    page = in_folder(tmp_path, OLD)
    (tmp_path / "README.md").write_text(NEW)
    assert find_drift(tmp_path, GIVEN) == {page: NEW}


def test_check_fails_then_write_then_check_passes(tmp_path: Path) -> None:
    page = in_folder(tmp_path, "<!-- generated: sorts -->\n<!-- end -->\n")
    run = CliRunner()
    checked = run.invoke(main, ["--check", "--root", str(tmp_path)])
    assert checked.exit_code == 1
    assert checked.stdout == "drifted: docs/deep/page.md\n"
    assert "--write" in checked.stderr
    assert run.invoke(main, ["--write", "--root", str(tmp_path)]).exit_code == 0
    assert GENERATORS["sorts"]().strip() in page.read_text()
    assert run.invoke(main, ["--root", str(tmp_path)]).exit_code == 0


def test_bad_region_and_missing_docs_are_usage_errors(tmp_path: Path) -> None:
    run = CliRunner()
    missing = run.invoke(main, ["--root", str(tmp_path)])
    assert missing.exit_code == 2
    assert "has no docs/" in missing.stderr
    in_folder(tmp_path, "<!-- generated: nothing -->\n<!-- end -->\n")
    bad = run.invoke(main, ["--root", str(tmp_path)])
    assert bad.exit_code == 2
    assert bad.stderr.startswith("error: docs/deep/page.md: line 1: no generator")


LIGHT = [name for name in GENERATORS if name not in HEAVY]


@cache
def generated(name: str) -> str:
    """What the generator says when it is asked first."""
    return GENERATORS[name]()


@pytest.mark.parametrize("name", LIGHT)
def test_generator_is_deterministic_and_says_something(name: str) -> None:
    first = generated(name)
    assert len(first) > 100
    assert GENERATORS[name]() == first
    assert "Expr(" not in first


def test_every_generator_is_used() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in sources(ROOT))
    assert [name for name in GENERATORS if f"<!-- generated: {name} -->" not in pages] == []


def test_light_regions_have_not_drifted() -> None:
    """The others are checked by the command itself, which CI runs."""
    light = {name: partial(generated, name) for name in LIGHT}
    for path in sources(ROOT):
        text = path.read_text(encoding="utf-8")
        heavy = {name: region(text, name) for name in GENERATORS if name not in LIGHT}
        assert fill_regions(text, path.name, {**light, **heavy}) == text, path.relative_to(ROOT)


def region(text: str, name: str) -> Callable[[], str]:
    """A generator that leaves the region as it is."""
    return lambda: text.partition(f"<!-- generated: {name} -->")[2].partition("<!-- end -->")[0]


def first_cells(page: str, heading: str) -> list[str]:
    """The first column of the table below a heading of a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    section = text.partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]]


def test_every_row_and_column_of_the_matrix_is_explained() -> None:
    assert first_cells("matrix.md", "The rows") == [row.name for row in ROWS]
    assert first_cells("matrix.md", "The columns") == list(SAFEGUARDS)


LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")


@pytest.mark.parametrize("page", [*sources(ROOT)], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_pages_and_headings_that_exist(page: Path) -> None:
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        target = page.parent / link["path"] if link["path"] else page
        assert target.exists(), link[0]
        if link["anchor"]:
            assert link["anchor"] in anchors(target), link[0]


def anchors(page: Path) -> set[str]:
    """The headings of a page as a forge links them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


EXTERNAL = {"https://github.com/wolfcw/libfaketime/issues/378"}
"""Where links lead outside of the pages: few, each looked at by a person when it was added."""


def test_links_to_elsewhere_are_known_and_well_formed() -> None:
    texts = [page.read_text(encoding="utf-8") for page in sources(ROOT)]
    found = {url for text in texts for url in re.findall(r"\]\((https?://[^)\s]+)\)", text)}
    bare = {url for text in texts for url in re.findall(r"(?<!\()https?://[^\s)>`\"']+", text)}
    assert found | bare == EXTERNAL
    for url in EXTERNAL:
        parts = urlsplit(url)
        assert parts.scheme == "https"
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc)


LONGEST_ROW, LONGEST_CELL = 680, 440
"""Characters of a row of a table, and of a cell, that a reader can take in."""


@pytest.mark.parametrize("page", [*sources(ROOT)], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_reader_can_take_in_each_row_of_a_table(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert [row[:60] for row in rows if len(row) > LONGEST_ROW] == []
    cells = [cell for row in rows for cell in row.split(" | ")]
    assert [cell[:60] for cell in cells if len(cell) > LONGEST_CELL] == []
