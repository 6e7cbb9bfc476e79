"""What a page of docs/ is for the site: the same Markdown, with navigation and pictures.

Theory of operation.  The lists of `docs/index.md` are the navigation: below a heading, each list
item that begins with a link to a page is an entry, under the name that the link has.  So there is
no second list of the pages, and a page that no list names is an error of the build.  A page with
such a list in another folder (`decisions/index.md`) is read in the same way.  A block of Mermaid,
which a code host draws, becomes a picture that Graphviz draws, in the colours of the text around
it, so that no page fetches a program to draw it.

What it does not know: Sphinx.  Of Mermaid it reads what `reference/docs` writes, a flow chart or a
state diagram with an edge a line; any other line is an error.
"""

from __future__ import annotations

import re
import subprocess

CONTENTS = ("index", "decisions/index", "commands/index", "findings/index")
"""The pages whose lists are the navigation."""

HEADING = re.compile(r"^## (?P<title>.+)$")
ENTRY = re.compile(r"^- \[(?P<name>[^\]]+)\]\((?P<page>[^)#:]+\.md)\)")
MERMAID = re.compile(r"^```mermaid\n(?P<drawn>.*?)^```$", re.MULTILINE | re.DOTALL)
EDGE = re.compile(r"(?P<one>\[\*\]|\w+) -->(?:\|(?P<on>[^|]*)\|)? (?P<two>\w+)(?:: (?P<label>.+))?")
NODE = re.compile(r'(?P<name>\w+)(?:\["(?P<label>[^"]*)"\]|\[(?P<plain>[^\]]*)\])')


class DiagramError(ValueError):
    """A line of Mermaid that cannot be drawn; the message quotes it."""


def for_the_site(page: str, text: str) -> str:
    """The Markdown of a page as Sphinx gets it; `page` is its path in docs/, without `.md`.

    Raises:
        DiagramError: for a line of a Mermaid block that it does not know.
    """
    drawn = MERMAID.sub(lambda block: picture(block["drawn"]), text)
    return drawn + navigation(text) if page in CONTENTS else drawn


def navigation(text: str) -> str:
    """The lists of a page as hidden tables of contents, one for each heading with a list."""
    parts: dict[str, list[str]] = {}
    title = ""
    for line in text.splitlines():
        if heading := HEADING.match(line):
            title = heading["title"]
        elif entry := ENTRY.match(line):
            parts.setdefault(title, []).append(f"{entry['name']} <{entry['page']}>")
    return "".join(
        "\n".join(["", "```{toctree}", ":hidden:", f":caption: {title}", "", *entries, "```", ""])
        for title, entries in parts.items()
    )


def picture(mermaid: str) -> str:
    """A Mermaid block as an SVG that stands in the page."""
    done = subprocess.run(
        ["dot", "-Tsvg"], input=dot(mermaid), capture_output=True, text=True, check=True
    )
    svg = done.stdout[done.stdout.index("<svg") :].replace("<text ", '<text fill="black" ')
    svg = svg.replace('="black"', '="currentColor"')  # Graphviz does not know that colour
    lines = [line for line in svg.splitlines() if line and not line.startswith("<!--")]
    return "\n".join(["```{raw} html", '<div class="diagram">', *lines, "</div>", "```"])


def dot(mermaid: str) -> str:
    """The same graph in the language of Graphviz."""
    said = [
        'digraph { bgcolor="transparent" fontname="sans-serif"',
        'node [shape=box style=rounded fontname="sans-serif" fontsize=11 margin="0.15,0.05"]',
        "node [height=0.3]",
        'edge [fontname="sans-serif" fontsize=9]',
        '"[*]" [shape=point width=0.12]' if "[*]" in mermaid else "",
    ]
    for line in mermaid.splitlines():
        each = line.strip()
        if each in ("", "stateDiagram-v2", "flowchart TD"):
            continue
        if each.startswith("subgraph "):
            name = each.removeprefix("subgraph ")
            said.append(f'subgraph "cluster_{name}" {{ label="{name}"')
        elif each == "end":
            said.append("}")
        elif edge := EDGE.fullmatch(each):
            label = wrap(edge["label"] or edge["on"] or "")
            said.append(f'"{edge["one"]}" -> "{edge["two"]}" [label="{label}"]')
        elif node := NODE.fullmatch(each):
            label = (node["label"] or node["plain"]).replace("<br/>", r"\n")
            said.append(f'"{node["name"]}" [label="{label}"]')
        else:
            raise DiagramError(f"a line of Mermaid that cannot be drawn: {each!r}")
    return "\n".join([*said, "}"])


def wrap(label: str) -> str:
    """A label of names, two a line."""
    names = label.split(", ")
    pairs = [", ".join(names[i : i + 2]) for i in range(0, len(names), 2)]
    return ",\\n".join(pairs)
