"""The site, as Sphinx builds it from the pages in this folder: `.ci/check site`.

The pages stay Markdown that a code host shows.  What the site needs beside it is made on the way in
by `holdover.reference.docs.site.for_the_site`: the navigation, from the lists in index.md, and
pictures, from the Mermaid blocks.  Nothing that a reader's browser would have to fetch elsewhere.
A page that a command writes is written anew (`holdover.reference.docs.site.written`).
The pages of commands become man pages as well.
"""

import gc
from pathlib import Path

from sphinx.application import Sphinx

from holdover.reference import __version__
from holdover.reference.cli import COMMANDS
from holdover.reference.docs.site.accessible import mend_pages
from holdover.reference.docs.site.for_the_site import for_the_site
from holdover.reference.docs.site.written import write_pages

gc.disable()  # it would look through all pages time and again: a third of the build

project = "holdover"
release = __version__
copyright = "the authors of holdover, Apache-2.0"
extensions = ["myst_parser"]
myst_heading_anchors = 6
nitpicky = True
smartquotes = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

html_theme = "furo"
html_title = "holdover"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_theme_options = {"top_of_page_buttons": []}

man_pages = [
    ("commands/index", "holdover", "Prove or refute that a DHCP client outstays its lease", "", 1),
    *((f"commands/{name}", f"holdover-{name}", says, "", 1) for name, says in COMMANDS.items()),
]


def _read(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = for_the_site(page, source[0])


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        mend_pages(Path(app.outdir))
        write_pages(Path(app.outdir))


def setup(app: Sphinx) -> None:
    """Hand each page through `for_the_site` before it is read; add what commands write."""
    app.connect("source-read", _read)
    app.connect("build-finished", _write)
