"""What a built site must be: `python -m holdover.reference.docs.site.built DIR`.

Theory of operation.  Each HTML file below DIR is read for what a browser loads or follows on its
own: scripts, style sheets, pictures, fonts.  An address there that is not a file below DIR is an
error: the site is for reading without a network, and tells nobody who reads it.  A link that a
person may click may lead anywhere.  The style sheets are read for `url(...)` and `@import`.  From
the first page, each page must be reached by at most `CLICKS` links, and search must have its index.

What it does not know: what a script would load when it runs; the only ones are Sphinx's and Furo's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

CLICKS = 3
"""From the first page to any other."""

LOADED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
}
"""What a browser loads, by element."""

LINKED = ("stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "manifest")
"""Of `link`, by its `rel`: the others only say something of the page."""

IN_STYLE = re.compile(r"""url\(\s*["']?(?P<url>[^"')]+)|@import\s+["'](?P<sheet>[^"']+)""")


class Page(HTMLParser):
    """What a page loads, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element and what it refers to."""
        has = {name: value or "" for name, value in attrs}
        self.loads += [has[name] for name in LOADED.get(tag, ()) if name in has]
        self.loads += [url for _, url in urls(has.get("style", ""))]
        if tag == "link" and set(has.get("rel", "").lower().split()) & set(LINKED):
            self.loads.append(has.get("href", ""))
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        if tag == "form" and "action" in has:
            self.links.append(has["action"])


def urls(style: str) -> Iterator[tuple[int, str]]:
    """What a style sheet loads, and in which line it says so."""
    for found in IN_STYLE.finditer(style):
        yield style.count("\n", 0, found.start()) + 1, found["url"] or found["sheet"]


def local(file: Path, address: str) -> Path | None:
    """The file that an address in `file` names; None if it is not a file's."""
    split = urlsplit(urldefrag(address).url)
    if split.scheme or split.netloc:
        return None
    return (file.parent / unquote(split.path)).resolve() if split.path else file.resolve()


Pages = Mapping[Path, Page]
"""What is on each page of a site, by the page's resolved path: to read one takes long."""


def read(site: Path) -> Pages:
    """Each page, once."""
    files = site.resolve().rglob("*.html")
    return {file: Page(file.read_text(encoding="utf-8")) for file in files}


def foreign(site: Path, pages: Pages) -> Iterator[str]:
    """What would be loaded and is not a file of the site: a line each."""
    root = site.resolve()
    for file in sorted(site.rglob("*")):
        if file.suffix == ".css":
            loads = [url for _, url in urls(file.read_text(encoding="utf-8"))]
        elif file.suffix == ".html":
            loads = pages[file.resolve()].loads
        else:
            continue
        for address in loads:
            if address.startswith("data:"):
                continue
            target = local(file, address)
            if target is None or root not in target.parents or not target.is_file():
                yield f"{file.relative_to(site)}: loads {address!r}, which is no file of the site"


def distances(site: Path, pages: Pages, first: str = "index.html") -> dict[Path, int]:
    """How many clicks each page is away from the first; a page that no link leads to is absent."""
    begin = (site / first).resolve()
    found, edge = {begin: 0}, [begin]
    while edge:
        following = []
        for page in edge:
            for address in pages[page].links:
                target = local(page, address)
                if target and target.suffix == ".html" and target.is_file() and target not in found:
                    found[target] = found[page] + 1
                    following.append(target)
        edge = following
    return found


def far(site: Path, pages: Pages) -> Iterator[str]:
    """Pages that are too many clicks away: a line each."""
    near, root = distances(site, pages), site.resolve()
    for page in sorted(pages):
        if near.get(page, CLICKS + 1) > CLICKS:
            yield f"{page.relative_to(root)}: not within {CLICKS} clicks of the first page"


def errors(site: Path) -> Iterator[str]:
    """Everything that is wrong with a built site."""
    if not (site / "index.html").is_file():
        yield f"{site}: no index.html; build it: .ci/check site"
        return
    if not (site / "searchindex.js").is_file():
        yield f"{site}: no searchindex.js, so search finds nothing"
    pages = read(site)
    yield from foreign(site, pages)
    yield from far(site, pages)


def main() -> None:
    """Print what is wrong; exit 1 if anything is."""
    found = list(errors(Path(sys.argv[1])))
    for line in found:
        sys.stderr.write(f"{line}\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
