"""Each block of code on a page is run by a test, or says what it is and why it is not.

A block of `sh` is run where the page is played, or it is out of a test's reach by what it names.  A
block of another kind is generated, is what the block above it prints (`<!-- output -->`), shows its
command itself, or is what a program wrote that the page names.  Above all others stands
`<!-- not run: why -->`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from holdover.reference.cli import main
from holdover.reference.docs.__main__ import sources
from tests import kept
from tests.checkout import ROOT
from tests.kept_families import FAMILIES
from tests.reference.docs import test_tutorials
from tests.reference.docs.tutorial import needs_more, play

DOCS = ROOT / "docs"

PLAYED = ("explain.md", "exports.md", "release-first.md", "theorems/t6.md", "theorems/t7.md")
"""Pages that are played here, beside those of test_tutorials.py and test_audit_page.py."""

OURS = [name for name in PLAYED if not needs_more(DOCS / name)]

ELSEWHERE = {
    "README.md": "test_readme.py, .ci/readme-command",
    "docs/audit.md": "test_audit_page.py",
    "docs/embedding.md": "test_embedding.py",
    "docs/certificates.md": "tests/proofs/certificates/test_check.py",
    "docs/ci.md": "test_ci_page.py",
    "docs/client.md": "tests/reference/docs/test_code_blocks.py",
}
"""Pages whose blocks another test holds."""

OUT_OF_REACH = re.compile(
    r"(sudo )?(python -m tests\.measure\.|holdover lab |holdover verify my-device\.toml)"
)
"""What a line begins with that needs real clients, root, or hours: measurements."""

GENERATED = re.compile(r"<!-- (generated|measured)\b.*?<!-- end -->", re.DOTALL)

FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class CodeBlock:
    """A block; `above`: the three lines before it that are not empty."""

    kind: str
    text: str
    above: str


def code_blocks(page: str) -> Iterator[CodeBlock]:
    """The blocks of a page outside of what is generated."""
    text = GENERATED.sub("", page)
    for found in FENCE.finditer(text):
        before = [line for line in text[: found.start()].splitlines() if line.strip()]
        yield CodeBlock(found["kind"], found["text"], "\n".join(before[-3:]))


def accounted(block: CodeBlock, played: bool) -> bool:
    """Whether it is run, or says what it is."""
    last = block.above.rpartition("\n")[2]
    if last.startswith("<!-- not run: "):
        return True
    if block.kind == "sh":
        lines = [line for line in block.text.splitlines() if line.strip()]
        return played or all(OUT_OF_REACH.match(line) for line in lines)
    if block.kind == "console":
        return block.text.startswith("$ ")
    shown = last == "<!-- output -->" and played
    return shown or "Written by `python -m " in block.above


PAGES = {str(path.relative_to(ROOT)): path for path in sources(ROOT)}


def is_played(name: str) -> bool:
    inside = name.removeprefix("docs/")
    return inside in PLAYED or inside.startswith(("tutorials/", "how-to/"))


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ELSEWHERE])
def test_each_block_is_run_or_says_why_not(name: str) -> None:
    blocks = code_blocks(PAGES[name].read_text(encoding="utf-8"))
    assert [b.text for b in blocks if not accounted(b, is_played(name))] == []


def test_a_block_without_a_mark_is_noticed() -> None:
    bare = "text\n\n```{}\nholdover verify rfc2131\n```\n"
    marked = "<!-- not run: minutes -->\n```sh\nholdover prove\n```\n"
    for page, played, fine in (
        (bare.format("sh"), False, False),
        (bare.format("sh"), True, True),
        (marked, False, True),
        (bare.format("text"), True, False),
        (bare.format("python"), True, False),
        (bare.format("console"), False, False),
        ("<!-- output -->\n```text\nx\n```\n", True, True),
        ("<!-- output -->\n```text\nx\n```\n", False, False),
        ("```sh\nholdover lab run\nholdover verify x\n```\n", False, False),
        ("```sh\nholdover lab run\n```\n", False, True),
        ("```console\n$ holdover\nit says\n```\n", False, True),
    ):
        (block,) = code_blocks(page)
        assert accounted(block, played) == fine, page


def is_as_shown(name: str) -> None:
    for block, said in play((DOCS / name).read_text(encoding="utf-8")):
        assert "Traceback" not in said
        assert said == (block.output or ""), block.text


@pytest.mark.kept("pages that are played")
@pytest.mark.parametrize("name", OURS)
def test_each_command_prints_what_the_page_shows(name: str) -> None:
    is_as_shown(name)


@pytest.mark.parametrize("name", [name for name in PLAYED if name not in OURS])
def test_so_do_those_beside_which_other_programs_are_run(name: str) -> None:
    is_as_shown(name)


def test_each_page_that_is_played_in_its_turn_is_among_what_its_family_depends_on() -> None:
    needed = {*(DOCS / name for name in OURS), *test_tutorials.OURS}
    assert needed <= {*kept.files(FAMILIES["pages that are played"])}
    assert len(needed) > 5


def lines_of(page: str) -> Iterator[str]:
    """Each command of holdover in a block of a page, on one line."""
    for block in code_blocks(page):
        if block.kind in ("sh", "console"):
            for line in block.text.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|\||;", line.removeprefix("$ ")):
                    words = part.strip().removeprefix("sudo ")
                    if words.startswith("holdover "):
                        yield words


@pytest.mark.parametrize("name", [n for n in PAGES if any(lines_of(PAGES[n].read_text("utf-8")))])
def test_each_command_line_can_be_read_by_the_command(name: str) -> None:
    for line in lines_of(PAGES[name].read_text(encoding="utf-8")):
        assert unknown_options(line) == set(), line


def unknown_options(line: str) -> set[str]:
    """The options of a command line that its command does not have."""
    said, *rest = shlex.split(re.sub(r"\d?[<>].*", "", line), comments=True)[1:]
    command = main.get_command(click.Context(main, info_name="holdover"), said)
    assert command is not None, said
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    known = {"--help"}
    for parameter in command.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    return {word.partition("=")[0] for word in rest if word.startswith("-")} - known - {"-"}


def test_an_option_that_is_not_there_is_noticed() -> None:
    assert unknown_options("holdover verify rfc2131 --fault x --colour=red >file") == {"--colour"}


def test_the_program_of_the_client_page_is_the_cores_face() -> None:
    """It is a part of a program, so it is read and not run: its names are there."""
    (block,) = [
        b for b in code_blocks(PAGES["docs/client.md"].read_text("utf-8")) if b.kind == "python"
    ]
    imports = "\n".join(line for line in block.text.splitlines() if line.startswith("from "))
    found: dict[str, object] = {}
    exec(imports, found)
    compile(block.text, "docs/client.md", "exec")
    assert {"Client", "deadline", "step", "ClientConfig", "Chance", "Start"} <= set(found)


def test_pages_that_are_held_elsewhere_are_pages() -> None:
    for page, test in ELSEWHERE.items():
        assert page in PAGES
        for name in test.split(", "):
            assert [*ROOT.glob(name), *(Path(__file__).parent.glob(name))], name
