"""What a page becomes for the site: navigation from its lists, pictures from its Mermaid."""

from collections import Counter

import pytest

from holdover.reference.docs.site.for_the_site import (
    CONTENTS,
    MERMAID,
    TO_WRITTEN,
    DiagramError,
    dot,
    for_the_site,
    navigation,
)
from holdover.reference.docs.site.written import WRITTEN
from tests.checkout import ROOT

DOCS = ROOT / "docs"

LISTS = """# Title

- [above](above.md): any heading

## One

- [First page](one.md): about
- [Elsewhere](https://example.org/page.md)
- [A heading](one.md#below)
- see [in the text](text.md)

## Two

- [Second](deep/two.md)
"""


def test_each_list_below_a_heading_is_a_table_of_contents() -> None:
    assert navigation(LISTS) == (
        "\n```{toctree}\n:hidden:\n:caption: \n\nabove <above.md>\n```\n"
        "\n```{toctree}\n:hidden:\n:caption: One\n\nFirst page <one.md>\n```\n"
        "\n```{toctree}\n:hidden:\n:caption: Two\n\nSecond <deep/two.md>\n```\n"
    )


def test_only_the_pages_of_contents_get_navigation() -> None:
    assert for_the_site("index", LISTS) == LISTS + navigation(LISTS)
    assert for_the_site("words", LISTS) == LISTS


def test_each_page_is_in_the_navigation_once() -> None:
    named: Counter[str] = Counter()
    for page in CONTENTS:
        path = DOCS / f"{page}.md"
        lines = navigation(path.read_text(encoding="utf-8")).splitlines()
        entries = [line.rpartition("<")[2].rstrip(">") for line in lines if line.endswith(".md>")]
        named.update((path.parent / entry).relative_to(DOCS).as_posix() for entry in entries)
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - {"index.md"}
    assert set(named) == pages
    assert [page for page, times in named.items() if times > 1] == []


def test_a_diagram_has_each_edge_with_its_label() -> None:
    drawn = dot("stateDiagram-v2\n    [*] --> A\n    A --> B: one, two, three\n")
    assert '"[*]" -> "A" [label=""]' in drawn
    assert r'"A" -> "B" [label="one, two,\nthree"]' in drawn


def test_a_flow_chart_has_its_parts_and_names() -> None:
    drawn = dot('flowchart TD\n  subgraph floor\n    a_b["a"]\n  end\n  a_b --> c\n')
    assert 'subgraph "cluster_floor" { label="floor"\n"a_b" [label="a"]\n}\n"a_b" -> "c"' in drawn


def test_a_line_that_cannot_be_drawn_is_an_error() -> None:
    with pytest.raises(DiagramError, match="'A ~~~ B'"):
        dot("flowchart TD\n  A ~~~ B\n")


def test_each_diagram_of_the_pages_can_be_drawn() -> None:
    pages = [path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")]
    blocks = [block["drawn"] for page in pages for block in MERMAID.finditer(page)]
    assert len(blocks) == sum(page.count("```mermaid") for page in pages) >= 3
    for block in blocks:
        assert dot(block).count(" -> ") == block.count(" --> ")


def test_a_link_to_what_a_command_writes_is_for_the_site_alone() -> None:
    text = "a\n\n<!-- site: bug.html: Look & see -->\n\nb\n"
    link = (
        '<p class="written"><a href="{}bug.html" title="holdover explain wfwg311 --beside '
        'wfwg311-fixed --html bug.html">Look &amp; see</a></p>'
    )
    for page, up in (("explain", ""), ("tutorials/ten-minutes", "../")):
        assert for_the_site(page, text) == f"a\n\n```{{raw}} html\n{link.format(up)}\n```\n\nb\n"
    with pytest.raises(KeyError, match="no-such"):
        for_the_site("explain", "<!-- site: no-such.html: x -->")


def test_each_page_that_a_command_writes_is_linked_to() -> None:
    pages = [path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")]
    assert {link["name"] for page in pages for link in TO_WRITTEN.finditer(page)} == set(WRITTEN)
