"""`python -m tests.measure.findings [--write]`: each page of docs/findings, played again.

Theory of operation.  A page names one command, and what is expected of it: the words of the lab's
verdict, or a figure of lab.json and the least it may be.  Both are read from the page, here and by
tests/net/test_findings.py, so that page and test are of one mind.  `--write` puts into each page
what was measured: verdict, versions, and what was on the link, in order of time; and the list of
all pages into docs/findings/index.md.

What it does not know: whether a proposed change is a good one.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from holdover.model.seconds import show_seconds
from holdover.reference.docs.markdown import table
from holdover.reference.lab.record.record import read
from holdover.reference.lab.record.timeline import timeline
from holdover.reference.lab.report.event_list import count_acks, events, group_events
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import COMMANDS
from tests.checkout import ROOT
from tests.measure.lab_runs import exit_at_signal

FOLDER = ROOT / "docs" / "findings"
INDEX = FOLDER / "index.md"

COMMAND = re.compile(r"^```sh\n(holdover lab run .*)\n```$", re.MULTILINE)
EXPECT = re.compile(r"^Expect: `(.+)`$", re.MULTILINE)
REGION = re.compile(r"(?<=<!-- measured: finding -->\n\n).*?(?=<!-- end -->)", re.DOTALL)
LEAST = re.compile(r"(\w+) >= (\d+)")

APART = 0.05
"""Seconds between events of which the trace has both times."""

LONGEST = 24
"""Lines of a trace; of a longer one the first and the last."""


@dataclass(frozen=True)
class Finding:
    """A page: its title, the words of its command, and what is expected of it."""

    page: Path
    title: str
    words: tuple[str, ...]
    expected: str

    @property
    def client(self) -> str:
        """Whom the command plays, by its name."""
        return self.words[self.words.index("--client") + 1]

    @property
    def server(self) -> str:
        """The server that it plays."""
        return self.words[self.words.index("--server") + 1]

    @property
    def in_debian(self) -> bool:
        """Whether the client is Debian's, so that CI has it."""
        return CLIENTS[self.client].package not in ("", "pyroute2")


def findings() -> tuple[Finding, ...]:
    """All pages, by name."""
    pages = sorted(each for each in FOLDER.glob("*.md") if each != INDEX)
    return tuple(finding(page) for page in pages)


def finding(page: Path) -> Finding:
    """One page; ValueError where it has not one command and one expectation."""
    text = page.read_text(encoding="utf-8")
    commands, expected = COMMAND.findall(text), EXPECT.findall(text)
    if len(commands) != 1 or len(expected) != 1:
        raise ValueError(f"{page}: {len(commands)} commands, {len(expected)} expectations")
    title = text.partition("\n")[0].removeprefix("# ")
    return Finding(page, title, tuple(shlex.split(commands[0])[1:]), expected[0])


def play(found: Finding, out: Path) -> Any:
    """Run the command of the page; its lab.json."""
    command = [sys.executable, "-c", COMMANDS, *found.words, "--out", str(out)]
    lab = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, errors = lab.communicate()
    except BaseException:  # the lab takes away what it has made, if it is asked to
        lab.terminate()
        lab.wait()
        raise
    if not (out / "lab.json").exists():
        raise RuntimeError(f"{found.page.name}: {errors.decode(errors='replace')}")
    return json.loads((out / "lab.json").read_text(encoding="utf-8"))


def words_of(cell: Any) -> str:
    """The verdict on a cell of lab.json, as the lab says it."""
    if cell["outcome"] == "unknown":
        return f"unknown: {cell['reason']}"
    return f"late: {cell['severity']}" if cell["severity"] else str(cell["outcome"])


def is_as_expected(found: Finding, cell: Any) -> bool:
    """Whether the cell is as the page says; an unknown one never is."""
    if cell["outcome"] == "unknown":
        return False
    least = LEAST.fullmatch(found.expected)
    if least is None:
        return words_of(cell) == found.expected
    return cell.get(least[1]) is not None and cell[least[1]] >= int(least[2])


def measured(found: Finding, data: Any, out: Path) -> str:
    """What a page says that was measured."""
    (cell,) = data["cells"]
    conditions = data["conditions"]
    (folder,) = (out / "records").iterdir()
    rows = [
        ["verdict", words_of(cell)],
        ["versions", conditions["versions"]],
        ["system", conditions["system"]],
        ["date", conditions["date"]],
    ]
    least = LEAST.fullmatch(found.expected)
    if least is not None:
        rows.insert(1, [f"`{least[1]}`", f"{cell[least[1]]:.4g}"])
    told = "\n".join(shortened(list(trace(folder))))
    about = timeline(read(folder)).about
    head = table(["", ""], rows)
    return f"{head}\nSeconds after the {about}, as recorded:\n\n```text\n{told}\n```\n\n"


def trace(folder: Path) -> Iterator[str]:
    """What was on the link, a line each."""
    line = timeline(read(folder))
    for group in group_events(events(line), APART):
        for event, words in count_acks(group):
            yield f"{show_seconds(event.at, sign=True):>10}  {words}"


def shortened(lines: Sequence[str]) -> list[str]:
    """A long trace without its middle."""
    if len(lines) <= LONGEST:
        return list(lines)
    half = LONGEST // 2
    return [*lines[:half], f"{'':>10}  ({len(lines) - 2 * half} more)", *lines[-half:]]


def index(all_of_them: Sequence[Finding]) -> str:
    """docs/findings/index.md."""
    lines = "\n".join(f"- [{each.title}]({each.page.name})" for each in all_of_them)
    return f"""# Findings

The lab found these defects. Each defect has one page, written for a maintainer. The page gives the
versions, one command that shows the defect, what was on the link, the sentence of the RFC, the
harm, and a proposed change. No page says why somebody wrote the code so. Nothing has been sent to
anybody.

## By name

{lines}

## Played again

`python -m tests.measure.findings --write` runs all commands and writes what was measured. It ends
with 1 if a result is not as its page expects. CI runs the commands whose client is in Debian 12
(`tests/net/test_findings.py`). The page [cures](../cures.md) says what helps meanwhile.
"""


@click.command()
@click.option("--write", is_flag=True, help="Write what was measured into the pages.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this page, by its name.")
def main(*, write: bool, only: tuple[str, ...]) -> None:
    """Run the command of each page, all at once; some two minutes."""
    signal.signal(signal.SIGTERM, exit_at_signal)
    chosen = [each for each in findings() if not only or each.page.stem in only]
    with tempfile.TemporaryDirectory(prefix="findings-") as place:
        with ThreadPoolExecutor(len(chosen)) as pool:
            outs = [Path(place) / each.page.stem for each in chosen]
            found = list(pool.map(play, chosen, outs))
        bad = 0
        for each, data, out in zip(chosen, found, outs, strict=True):
            (cell,) = data["cells"]
            good = is_as_expected(each, cell)
            bad += not good
            click.echo(f"{each.page.stem}: {words_of(cell)}" + ("" if good else " NOT AS EXPECTED"))
            if write and good:
                text = each.page.read_text(encoding="utf-8")
                said = measured(each, data, out)
                new = REGION.sub(lambda _, said=said: said, text)  # type: ignore[misc]
                each.page.write_text(new, encoding="utf-8")
    if write:
        INDEX.write_text(index(findings()), encoding="utf-8")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
