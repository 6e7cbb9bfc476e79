"""How pages and pictures of timelines look: the style sheet, the legend, how text is written.

Theory of operation.  Colours have a name each, with a value for light and one for dark; whatever is
drawn takes the name.  Nothing is told by colour alone: a verdict has its word, a late span and an
overlap are hatched, each its own way.  Red is for the overlap and nothing else.

`escape` is for every text that is not of this package: what a browser would not show is written
out, so that a command line cannot hide a part of itself.

What it does not know: what is shown.
"""

from __future__ import annotations

import html
from collections.abc import Mapping


def escape(words: str) -> str:
    r"""Text for HTML or an attribute; characters that do not print as a \\ and their number."""
    return html.escape("".join(c if c.isprintable() else ascii(c)[1:-1] for c in words), quote=True)


HATCHES = """<svg class="hatches" width="0" height="0" aria-hidden="true">
<pattern id="late" width="6" height="6" patternUnits="userSpaceOnUse" \
patternTransform="rotate(45)"><rect width="6" height="6" class="late-ground"/>\
<rect width="2.5" height="6" class="late-line"/></pattern>
<pattern id="both" width="5" height="5" patternUnits="userSpaceOnUse" \
patternTransform="rotate(-45)"><rect width="5" height="5" class="both-ground"/>\
<rect width="2" height="5" class="both-line"/></pattern>
</svg>"""
"""What `.late` and `.both` are filled with; once in a page, before the first picture."""

PICTURE = """
:root { color-scheme: light dark;
  --ground: #fff; --raised: #f5f6f8; --rule: #d5d9e0; --ink: #1b1f27; --quiet: #5a6372;
  --after: #f3eee3; --held: #3f74c9; --rival: #21897e; --lease: #aeb8c8; --ack: #3c4656;
  --late: #e8930c; --late-line: #b36a00; --both: #d3202f; --both-line: #ff98a0;
  --predicted: #6b47b8; --red: #b01020;
  --holds: #1d7a3e; --holds-soft: #e3f4e8; --late-ink: #8a5000; --late-soft: #fdefd6;
  --wrong: #6b3fb5; --wrong-soft: #efe7fb; --unknown: #59616e; --unknown-soft: #eceef1; }
@media screen and (prefers-color-scheme: dark) { :root {
  --ground: #14171c; --raised: #1d2128; --rule: #363c47; --ink: #e4e7ec; --quiet: #9ca5b3;
  --after: #302a1e; --held: #6497e8; --rival: #3fb3a5; --lease: #4b5667; --ack: #b7c1d0;
  --late: #d98a13; --late-line: #ffc768; --both: #d8303e; --both-line: #ff8d96;
  --predicted: #b798f5; --red: #ff9aa2;
  --holds: #6fd391; --holds-soft: #17301f; --late-ink: #f2b453; --late-soft: #3a2a10;
  --wrong: #c5a8ff; --wrong-soft: #2c2142; --unknown: #b0b8c4; --unknown-soft: #2a2f37; } }
svg.line { display: block; width: 100%; overflow: visible; font-size: 11px; }
svg text { fill: var(--ink); }
svg .name { fill: var(--quiet); }
svg .halo { paint-order: stroke; stroke: var(--ground); stroke-width: 3px; stroke-linejoin: round; }
svg .after { fill: var(--after); }
svg .track { fill: var(--quiet); opacity: .08; }
svg .held { fill: var(--held); }
svg .rival { fill: var(--rival); }
svg .else { fill: none; stroke: var(--quiet); stroke-dasharray: 3 2; }
svg .perhaps { opacity: .45; }
svg .over { fill: url(#late); stroke: var(--late-line); }
svg .both { fill: url(#both); stroke: var(--both); stroke-width: 1.5; }
.late-ground { fill: var(--late); } .late-line { fill: var(--late-line); }
.both-ground { fill: var(--both); } .both-line { fill: var(--both-line); }
svg .between { fill: var(--both); opacity: .15; }
svg text.red { fill: var(--red); }
svg .lease { fill: var(--lease); }
svg .ack { stroke: var(--ack); stroke-width: 2; }
svg .nak { stroke: var(--ink); stroke-width: 2.5; }
svg .end { stroke: var(--ink); stroke-width: 2; }
svg .predicted { stroke: var(--predicted); stroke-width: 2; stroke-dasharray: 2 2; }
svg text.predicted-name { fill: var(--predicted); }
svg .axis, svg .drop { stroke: var(--rule); }
svg .drop { stroke-dasharray: 1 3; stroke: var(--quiet); opacity: .6; }
svg .dot { fill: var(--ground); stroke: var(--quiet); }
svg .strong { font-weight: 700; }
svg .inside { font-weight: 700; }
svg .later { opacity: .22; }
svg .cursor { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 2; }
svg .sent { stroke: var(--ink); stroke-width: 1.5; fill: none; }
svg .lost { fill: var(--ink); font-weight: 700; }
svg .away { fill: var(--quiet); }
"""
"""Of a picture alone: the colours by name, and what is drawn in them."""

STYLE = """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 100rem; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
p, dd { max-width: 60rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
summary > h2 { display: inline; }
a { color: inherit; }
.quiet, caption, dt { color: var(--quiet); }
.wide { overflow-x: auto; width: fit-content; max-width: 100%; margin: 0 0 1.2rem;
  border: 1px solid var(--rule); border-radius: 6px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .5rem .7rem; position: sticky; left: 0; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem;
  border-top: 1px solid var(--rule); }
thead th { font-weight: 600; min-width: 5.5rem; }
tbody th { font-weight: 600; min-width: 11rem; max-width: 16rem; }
.wide tbody th, .wide thead th:first-child { position: sticky; left: 0; background: var(--ground);
  border-right: 1px solid var(--rule); }
.wide td, thead th { overflow-wrap: normal; }
.wide td { border-left: 2px solid var(--ground); }
.wide td a { text-decoration: none; display: block; }
.wide td a:hover b, .wide td a:focus b { text-decoration: underline; }
.wide td b, .red { white-space: nowrap; }
.wide td span { display: block; font-size: .85em; }
th small { display: block; font-weight: 400; color: var(--quiet); }
.holds { color: var(--holds); background: var(--holds-soft); }
.late { color: var(--late-ink); background: var(--late-soft); }
.wrong { color: var(--wrong); background: var(--wrong-soft); }
.unknown { color: var(--unknown); background: var(--unknown-soft); }
.red { color: var(--red); font-style: normal; font-weight: 600; }
.badge { display: inline-block; min-width: 5.2rem; text-align: center; border-radius: 4px;
  padding: 0 .45rem; font-weight: 700; margin-right: .4rem; }
.verdicts { display: grid; grid-template-columns: max-content 1fr; gap: .3rem .5rem; }
.verdicts dt, .verdicts dd, .facts dd { margin: 0; }
details.client > summary { margin-top: 2rem; padding-bottom: .4rem; }
details.cell { border: 1px solid var(--rule); border-radius: 6px; margin: .4rem 0; }
details.cell > summary { padding: .45rem .7rem; cursor: pointer; }
details.cell[open] > summary { background: var(--raised); border-radius: 6px 6px 0 0; }
.inside { padding: .5rem .8rem .8rem; scroll-margin-top: 3.5rem; }
.inside:target { outline: 2px solid var(--held); outline-offset: -2px; border-radius: 6px; }
.inside p { margin: .2rem 0 .6rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr));
  gap: .5rem 1rem; margin: .6rem 0 1rem; }
.facts dt { font-size: .85em; }
figure { margin: 0; }
.events { margin: .4rem 0 0; padding-left: 2rem; font-size: .9em; columns: 24rem 2; gap: 2rem; }
.events li { break-inside: avoid; }
.events span { display: block; padding-left: 5.3rem; text-indent: -5.3rem; }
.events time { display: inline-block; width: 5.3rem; text-indent: 0; padding-right: .6rem;
  text-align: right; font-variant-numeric: tabular-nums; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; font-size: .9em; margin: 0; padding: 0;
  list-style: none; }
.legend svg { vertical-align: -3px; margin-right: .35rem; }
.hatches { position: absolute; }
@media (max-width: 40rem) { body { padding: 1rem .7rem 3rem; font-size: 14px; }
  .wide tbody th, .wide thead th:first-child { min-width: 7rem; max-width: 8.5rem;
    font-size: .9em; }
  th, td { padding: .35rem .5rem; }
  .stack { width: auto; } .stack table, .stack tbody { display: block; }
  .stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; display: block;
    clip-path: inset(50%); }
  .stack tr { display: block; padding: .35rem .5rem; border-top: 1px solid var(--rule); }
  .stack tbody th, .stack td { display: block; position: static; min-width: 0; max-width: none;
    padding: .05rem 0; border: 0; overflow-wrap: anywhere; }
  .stack td[data-head]::before { content: attr(data-head) " "; color: var(--quiet); } }
@page { size: landscape; margin: 12mm; }
@media print { :root { color-scheme: light; } body { max-width: none; padding: 0; font-size: 10pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .wide { overflow: visible; border: 0; }
  .wide tbody th, .wide thead th:first-child, caption { position: static; }
  table { font-size: 7.5pt; } th, td { padding: .2rem .3rem; } .wide thead th { min-width: 0; }
  .wide tbody th { min-width: 8rem; }
  summary { break-after: avoid; } details.cell, figure, tr { break-inside: avoid; } }
"""
"""Of a page around pictures."""


SIGNS = {
    "held": '<rect y="2" width="26" height="10" class="held"/>',
    "over": '<rect y="2" width="26" height="10" class="over"/>',
    "rival": '<rect y="2" width="26" height="10" class="rival"/>',
    "perhaps": '<rect y="2" width="26" height="10" class="perhaps held"/>',
    "both": '<rect x="1" y="2" width="24" height="10" class="both"/>',
    "lease": '<rect y="5" width="26" height="4" class="lease"/>',
    "ack": '<rect y="5" width="26" height="4" class="lease"/><path d="M1 2V12" class="ack"/>',
    "nak": '<path d="M8 2 18 12M8 12 18 2" class="nak"/>',
    "end": '<path d="M13 0V14" class="end"/>',
    "after": '<rect x="13" width="13" height="14" class="after"/><path d="M13 0V14" class="end"/>',
    "predicted": '<path d="M13 0V14" class="predicted"/>',
    "dot": '<circle cx="13" cy="7" r="6" class="dot"/>',
    "away": '<rect y="5" width="26" height="4" class="away"/>',
}
"""What is seen in a picture, as the legend of a page shows it."""


def legend(means: Mapping[str, str]) -> str:
    """A list of signs, each with what it means."""
    items = "".join(
        f'<li><svg width="26" height="14" aria-hidden="true">{SIGNS[sign]}</svg>{escape(each)}</li>'
        for sign, each in means.items()
    )
    return f'<ul class="legend">{items}</ul>\n'


def begin_page(title: str, style: str = "", *, scripts: bool = False) -> str:
    """A page as far as its heading; it may fetch nothing, and run only `scripts` of its own."""
    more = "; script-src 'unsafe-inline'; img-src data:" if scripts else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'{more}">
<title>{escape(title)}</title>
<style id="picture-style">{PICTURE}</style>
<style>{STYLE}{style}</style>
</head>
<body>
{HATCHES}
<header>
<h1>{escape(title)}</h1>
"""
