"""What is wrong with a built site is seen: each kind of address that a browser would fetch."""

from itertools import pairwise
from pathlib import Path

import pytest

from holdover.reference.docs.site.built import CLICKS, errors

PAGE = "<!doctype html><html><body>{}</body></html>"


def site(place: Path, body: str, **more: str) -> list[str]:
    """The errors of a site of one page with this body, and of further files."""
    (place / "searchindex.js").write_text("")
    (place / "index.html").write_text(PAGE.format(body))
    for name, text in more.items():
        (place / name.replace("_", ".")).write_text(text)
    return list(errors(place))


def test_what_is_all_there_has_no_errors(tmp_path: Path) -> None:
    body = (
        '<script src="a.js?v=1"></script><link rel="stylesheet" href="a.css"><a href="a.html#x">'
        '<img src="data:image/png;base64,AA=="><a href="https://example.org/">elsewhere</a>'
    )
    style = "p { background: url('data:image/svg+xml,x') }"
    assert site(tmp_path, body, a_js="", a_css=style, a_html=PAGE) == []


@pytest.mark.parametrize(
    "body",
    [
        '<script src="https://example.org/a.js"></script>',
        '<script src="//example.org/a.js"></script>',
        '<script src="missing.js"></script>',
        '<link rel="stylesheet" href="https://example.org/a.css">',
        '<link rel="preconnect" href="https://example.org">',
        '<img src="https://example.org/a.png">',
        '<img srcset="https://example.org/a.png">',
        '<p style="background: url(https://example.org/a.png)"></p>',
        '<iframe src="https://example.org/"></iframe>',
        '<svg><image href="https://example.org/a.png"/></svg>',
        '<img src="../outside.png">',
    ],
)
def test_what_would_be_fetched_is_an_error(tmp_path: Path, body: str) -> None:
    (tmp_path / "outside.png").write_text("")
    (tmp_path / "site").mkdir()
    (found,) = site(tmp_path / "site", body)
    assert found.startswith("index.html: loads ")


@pytest.mark.parametrize("style", ["@import 'https://x/a.css';", "p { src: url(https://x/f) }"])
def test_style_sheets_are_read_as_well(tmp_path: Path, style: str) -> None:
    (found,) = site(tmp_path, "", a_css=style)
    assert found.startswith("a.css: loads 'https://x/")


def test_pages_are_within_a_few_clicks(tmp_path: Path) -> None:
    names = ["b", "c", "d", "e"]
    more = {f"{a}_html": f'<a href="{b}.html">' for a, b in pairwise(names)}
    assert CLICKS == 3
    assert site(tmp_path, '<a href="b.html">', **more, e_html="") == [
        "e.html: not within 3 clicks of the first page"
    ]


def test_a_site_without_search_or_first_page_is_an_error(tmp_path: Path) -> None:
    (found,) = errors(tmp_path)
    assert "no index.html" in found
    (tmp_path / "index.html").write_text(PAGE)
    (found,) = errors(tmp_path)
    assert "no searchindex.js" in found
