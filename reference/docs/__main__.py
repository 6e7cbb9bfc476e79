"""The generated parts of the documentation: written from the model, checked against it.

`python -m holdover.reference.docs --write` fills each region of a Markdown file that stands between
`<!-- generated: NAME -->` and `<!-- end -->` with what the generator NAME returns; `--check` (the
default) exits 1 and lists the files that would change.  With `--turn` it takes most of the regions
that prove or search as `--write` has left them (`kept.py`).  A file that is all generated is a
title and one region.  The output depends on the model alone: no dates, no machine, no order of a
set.

Generators are in `architecture.py` (the sources), `model_pages.py` (the model), `profile_pages.py`
(profiles and measurements), `core_pages.py` (the cores), `json_pages.py` (what `--json` prints),
`proof_pages.py` (proofs and searches), `situation_pages.py` (what people report),
`rule_pages.py` (what the RFCs ask, and what answers for it),
`site_pages.py` (the list of decisions), `command_pages.py` (click) and `api_pages.py` (what
programs call).
Regions are looked for in README.md and in docs/ below the root.  `site/pictures.py` draws whole
files, in docs/static/.
"""

from __future__ import annotations

import difflib
import gc
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import click

from holdover.reference.docs import (
    api_pages,
    architecture,
    audit_pages,
    command_pages,
    core_pages,
    json_pages,
    kept,
    model_pages,
    profile_pages,
    proof_pages,
    rule_pages,
    site_pages,
    situation_pages,
)
from holdover.reference.docs.site.pictures import OF_PAGES, PICTURES

HEAVY = {**proof_pages.HEAVY, **situation_pages.HEAVY}
"""Those that prove or search."""

GENERATORS = {
    **architecture.GENERATORS,
    **model_pages.GENERATORS,
    **profile_pages.GENERATORS,
    **core_pages.GENERATORS,
    **json_pages.GENERATORS,
    **audit_pages.GENERATORS,
    **rule_pages.GENERATORS,
    **site_pages.GENERATORS,
    **command_pages.GENERATORS,
    **api_pages.GENERATORS,
    **proof_pages.LIGHT,
    **situation_pages.GENERATORS,
    **HEAVY,
}
"""Region name to generator; some take long (`HEAVY`)."""

Generators = Mapping[str, Callable[[], str]]

OPENING = re.compile(r"^<!-- generated: (?P<name>[\w-]+) -->$", re.MULTILINE)
CLOSING = re.compile(r"^<!-- end -->$", re.MULTILINE)
HINT = "run: python -m holdover.reference.docs --write"


class RegionError(ValueError):
    """A region that cannot be filled; the message says which, where and why."""


def sources(root: Path) -> Iterator[Path]:
    """The Markdown files that may have generated regions."""
    readme = root / "README.md"
    if readme.exists():
        yield readme
    yield from sorted((root / "docs").rglob("*.md"))


def fill_regions(text: str, where: str, generators: Generators) -> str:
    """The text with each region generated anew; RegionError for an unknown or unclosed one."""
    done: list[str] = []
    at = 0
    while opening := OPENING.search(text, at):
        line = text.count("\n", 0, opening.start()) + 1
        name = opening["name"]
        if name not in generators:
            close = difflib.get_close_matches(name, generators, n=1, cutoff=0)
            raise RegionError(f"{where}: line {line}: no generator {name!r}; nearest: {close[0]}")
        closing = CLOSING.search(text, opening.end())
        following = OPENING.search(text, opening.end())
        if closing is None or (following is not None and following.start() < closing.start()):
            raise RegionError(f"{where}: line {line}: region {name!r} has no <!-- end -->")
        done.append(f"{text[at : opening.end()]}\n\n{generators[name]().strip()}\n\n")
        at = closing.start()
    return "".join(done) + text[at:]


def find_drift(root: Path, generators: Generators) -> dict[Path, str]:
    """The files whose generated regions are not what they should be, with their right text."""
    found = {}
    for path in sources(root):
        text = path.read_text(encoding="utf-8")
        right = fill_regions(text, str(path.relative_to(root)), generators)
        if right != text:
            found[path] = right
    return found


def find_old_pictures(root: Path, pages: Mapping[Path, str]) -> dict[Path, str]:
    """The pictures that are not what they should be, with what they should be.

    `pages`: the text that pages are about to have, where it is not the one in the file.
    """
    folder = root / "docs" / "static"
    if not folder.is_dir():
        return {}
    right = {folder / name: draw() for name, draw in PICTURES.items()}
    for name, (page, read) in OF_PAGES.items():
        path = root / "docs" / page
        right[folder / name] = read(pages.get(path) or path.read_text(encoding="utf-8"))
    return {
        path: drawn
        for path, drawn in right.items()
        if not path.exists() or path.read_text(encoding="utf-8") != drawn
    }


def with_kept(root: Path, turn: int) -> Generators:
    """The generators; of a heavy region that need not be generated, one that says what is there."""
    pages = (path.read_text(encoding="utf-8") for path in sources(root))
    there = kept.texts(pages, HEAVY)
    as_they_are = kept.kept_texts(there, turn)
    click.echo(f"{len(as_they_are)} of {len(HEAVY)} heavy regions as they are kept")
    return {**GENERATORS, **{name: partial(str, there[name]) for name in as_they_are}}


def keep(root: Path) -> None:
    """Keep all heavy regions, which have just been generated, if this is where they stand."""
    there = kept.texts((path.read_text(encoding="utf-8") for path in sources(root)), HEAVY)
    if len(there) == len(HEAVY):
        kept.write(there)


@click.command()
@click.option("--check", "mode", flag_value="check", default=True, help="Exit 1 if one drifted.")
@click.option("--write", "mode", flag_value="write", help="Generate all regions anew.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The directory with README.md and docs/; the current one by default.",
)
@click.option("--turn", type=int, help="With --check: generate one of fifty heavy regions.")
def main(mode: str, root: Path, turn: int | None) -> None:
    """Check or write the generated parts of README.md and docs/.

    Example: python -m holdover.reference.docs --write
    """
    if not (root / "docs").is_dir():
        raise click.UsageError(f"{root.resolve()} has no docs/; give the repository with --root")
    gc.set_threshold(200_000, 20, 100)  # explorations are kept to the end: seldom look through them
    try:
        ours = GENERATORS if turn is None or mode == "write" else with_kept(root, turn)
        found = find_drift(root, ours)
        found |= find_old_pictures(root, found)
    except RegionError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    for path, right in found.items():
        if mode == "write":
            path.write_text(right, encoding="utf-8")
        click.echo(f"{'written' if mode == 'write' else 'drifted'}: {path.relative_to(root)}")
    if mode == "write":
        keep(root)
    if found and mode == "check":
        click.echo(HINT, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
