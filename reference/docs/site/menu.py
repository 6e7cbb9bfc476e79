"""The list of all pages that stands on each page, made from less.

Theory of operation.  Furo shows titles alone.  For each page Sphinx copies the headings of all
pages, and then throws away what is no title: half of the time in which the site is written.  Here
they are thrown away once, by the rule of Sphinx, and it copies what is left.

What it does not know: what is in the list, and which page it stands on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def shorten_lists(
    app: Sphinx, page: str, template: str, context: dict[str, Any], _: object
) -> None:
    """Have the list of all pages, where only titles are asked for, made from titles."""
    whole: Callable[..., str] | None = context.get("toctree")
    if whole is None:
        return

    def of_titles(*, titles_only: bool = False, **how: Any) -> str:
        if not titles_only:
            return whole(**how)
        with titles_alone(app.env):
            return whole(titles_only=True, **how)

    context["toctree"] = of_titles


@contextmanager
def titles_alone(env: BuildEnvironment) -> Iterator[None]:
    """Meanwhile, of each page only its title, and what it lists of others, is there."""
    whole = env.tocs
    if not hasattr(env, "titles_alone"):
        env.titles_alone = {page: title_of(headings) for page, headings in whole.items()}
    env.tocs = env.titles_alone
    try:
        yield
    finally:
        env.tocs = whole


def title_of(headings: nodes.bullet_list) -> nodes.bullet_list:
    """The headings of a page without what is below the first level, but for its lists of pages."""
    short = headings.deepcopy()
    for heading in short.children:
        if len(heading) > 1:
            if lists := list(heading.findall(addnodes.toctree)):
                heading[1][:] = lists
            else:
                heading.pop(1)
    return short
