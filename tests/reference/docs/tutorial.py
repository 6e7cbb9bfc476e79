"""A page whose commands are run as they stand: `python -m tests.reference.docs.tutorial PAGE`.

Theory of operation.  Each block of `sh` is run by a shell, one after another, in one directory, in
which `tests` is that of the checkout and `holdover` the commands of this Python.  A block below
`<!-- output -->` is what the block before it prints, standard output and standard error; run as a
program, this module writes it.  `<!-- not run: why -->` above a block: it is not run.
`<!-- needs: NAME -->`: it is run where that program is.

What it does not know: what the commands do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from holdover.reference.lab.testbed.process import PATIENCE
from tests.checkout import ROOT

BLOCK = re.compile(
    r"(?:<!-- (?P<how>not run|needs): (?P<what>[^>]*) -->\n)?```sh\n(?P<text>.*?)```\n"
    r"(?:\n<!-- output -->\n```text\n(?P<output>.*?)```\n)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of commands; `output`: None where the page shows none; `at`: where that stands."""

    text: str
    output: str | None
    not_run: str | None
    needs: str | None
    at: tuple[int, int]

    @property
    def missing(self) -> bool:
        """Whether a program that it needs is not here."""
        return self.needs is not None and shutil.which(self.needs) is None


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page."""
    for found in BLOCK.finditer(page):
        how, what = found["how"], found["what"]
        yield Block(
            found["text"],
            found["output"],
            what if how == "not run" else None,
            what if how == "needs" else None,
            found.span("output"),
        )


def needs_more(page: Path) -> bool:
    """Whether some block of that page is run with a program that is not holdover's."""
    return any(block.needs for block in blocks(page.read_text(encoding="utf-8")))


def prepare(place: Path) -> dict[str, str]:
    """What the commands find in their directory, and the surroundings in which they run."""
    (place / "tests").symlink_to(ROOT / "tests")
    program = place / ".bin" / "holdover"
    program.parent.mkdir()
    code = "from holdover.reference.cli import main; main()"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    program.chmod(0o755)
    (program.parent / "python3").symlink_to(sys.executable)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}


def run(block: Block, place: Path, surroundings: dict[str, str]) -> str:
    """What a block prints."""
    done = subprocess.run(
        ["sh", "-c", block.text],
        cwd=place,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.stdout


def play(page: str) -> Iterator[tuple[Block, str]]:
    """Each block that is run, and what it prints."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        surroundings = prepare(place)
        for block in blocks(page):
            if block.not_run is None and not block.missing:
                yield block, run(block, place, surroundings)


def main() -> None:
    """Write the outputs of a page."""
    path = Path(sys.argv[1])
    page = path.read_text(encoding="utf-8")
    for block, said in reversed(list(play(page))):
        if block.output is not None:
            begin, end = block.at
            page = page[:begin] + said + page[end:]
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
