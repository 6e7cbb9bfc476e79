"""How the pictures of docs/ look: colours for a light and a dark ground, patterns, words, boxes.

Theory of operation.  A picture is one SVG file with its own style sheet, which asks the reader's
browser whether its ground is dark.  What has a colour has a pattern, a word or a place as well, for
readers who see no colours.

What it does not know: what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """<style>
svg { --ground: #ffffff; --ink: #1f2328; --quiet: #59636e; --held: #1a7f9c; --over: #b35900;
--both: #cf222e; --record: #8c959f; --line: #d1d9e0; font: 13px system-ui, sans-serif }
@media (prefers-color-scheme: dark) { svg { --ground: #0d1117; --ink: #f0f6fc; --quiet: #9198a1;
--held: #4ab3d0; --over: #e3964a; --both: #ff6a69; --record: #6e7681; --line: #3d444d } }
.ground { fill: var(--ground) } text { fill: var(--ink) } .quiet { fill: var(--quiet) }
.title { font-weight: 600; font-size: 15px } .small { font-size: 11px }
.held { fill: var(--held) } .over { fill: url(#over); stroke: var(--over) }
.both { fill: url(#both); stroke: var(--both); stroke-width: 1.5 }
.record { fill: none; stroke: var(--record) } .line { stroke: var(--line) }
.dialog { fill: var(--ground); stroke: var(--ink) } .alarm { fill: var(--both); font-weight: 700 }
.o { stroke: var(--over); stroke-width: 2 } .b { stroke: var(--both); stroke-width: 2 }
</style>
<defs><pattern id="over" width="6" height="6" patternUnits="userSpaceOnUse"
patternTransform="rotate(45)"><line class="o" y2="6"/></pattern>
<pattern id="both" width="5" height="5" patternUnits="userSpaceOnUse"
patternTransform="rotate(-45)"><line class="b" y2="5"/></pattern></defs>"""
"""Colours that are told apart on both grounds, and patterns for who sees none."""


def svg(width: int, height: int, says: str, drawn: Sequence[str]) -> str:
    """A picture with its description, for a light and a dark ground."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(says)}">'
    )
    ground = f'<rect class="ground" width="{width}" height="{height}" rx="8"/>'
    return "\n".join([head, f"<title>{escape(says)}</title>", STYLE, ground, *drawn, "</svg>", ""])


def words(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> str:
    """A line of text."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(said)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str) -> str:
    """A bar."""
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height}" rx="3"/>'
