"""Markdown of the generated pages: tables and code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; an empty cell stays visibly empty."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(c) for c in line)} |" for line in lines) + "\n"


def cell(content: str) -> str:
    """The text of a table cell: one line, no bars."""
    return content.replace("|", "\\|").replace("\n", " ").strip() or " "


def code(content: str) -> str:
    """Code in a line."""
    return f"`{content}`" if content else ""


def codes(names: Iterable[str]) -> str:
    """Several of them."""
    return ", ".join(code(name) for name in names)


def block(lines: Iterable[str]) -> str:
    """Text as it is, without trailing blanks."""
    return "\n".join(["```text", *(line.rstrip() for line in lines), "```"])
