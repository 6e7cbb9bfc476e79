"""What the pages of the site lack for readers who use a keyboard alone, or who hear a page.

Theory of operation.  Furo and Sphinx write the pages; a few elements of theirs lack an attribute.
The keyboard is to reach what scrolls sideways (tables, code, pictures), the two side bars are to
have names, and a caption of the navigation the level of its heading.  Each is a replacement in the
HTML.  Where the first page has nothing to replace, the theme has changed, and that is an error.

What it does not know: whether the page is accessible.  axe-core is asked in a browser by
tests/reference/docs/test_site_in_browser.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

MENDED: Mapping[str, str] = {
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    "<pre>": '<pre tabindex="0">',
    '<div class="diagram">': '<div class="diagram" tabindex="0">',
    "<p><img ": '<p tabindex="0"><img ',
}
"""What stands in the HTML, and what is to stand there."""

ON_EACH_PAGE = ('<aside class="sidebar-drawer">', '<p class="caption" role="heading">')
"""What the theme writes on each page."""


class ThemeError(ValueError):
    """The theme no longer writes what is to be mended; the message says what is missing."""


def mend(html: str) -> str:
    """A page with what it lacked."""
    for old, new in MENDED.items():
        html = html.replace(old, new)
    return html


def mend_pages(site: Path) -> None:
    """Mend each page of a built site.

    Raises:
        ThemeError: where the first page has none of what is on each page.
    """
    first = (site / "index.html").read_text(encoding="utf-8")
    for wanted in ON_EACH_PAGE:
        if wanted not in first:
            raise ThemeError(f"index.html has no {wanted}: the theme has changed, see {__name__}")
    for page in sorted(site.rglob("*.html")):
        page.write_text(mend(page.read_text(encoding="utf-8")), encoding="utf-8")
