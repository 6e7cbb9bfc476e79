"""A client by its command line: what a user of the lab may write there.

Theory of operation.  Beside {iface}, {place} and {python} (`client_program.py`) a command line may
have {hook} where its client wants the path of a program, or {hook:PATH} where that is to run
another one: {hook:/etc/udhcpc/default.script}.  {file:PATH} is the path of a copy of a file of the
machine's, which is made in {place}: a client of another root file system sees no other file of the
machine.  Both may be one: {hook:{file:my.script}}.

What it does not know: what the command does; a profile for it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from holdover.model.errors import InputError
from holdover.reference.lab.roots.root import SHELL
from holdover.reference.lab.testbed.client_program import (
    HOOK_FILE,
    NOTHING,
    SCRIPT_FILE,
    ClientProgram,
    HookWords,
)


def client_from_command(command: str) -> ClientProgram:
    """A client by its command line, as `udhcpc -f -i {iface}`; InputError where it is none."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"client {command!r}: {error}") from None
    if not words:
        raise InputError("client: a command line is needed, as 'udhcpc -f -i {iface}'")
    given, files = take_files(command)
    given, hook = take_hook(given)
    for word in re.findall(r"\{(\w+)", given):
        if word not in OWN_WORDS:
            raise InputError(f"client {command!r}: no {{{word}}}; there are {OWN_WORDS_SHOWN}")
    placed = take_files(words[0])[0] != words[0]  # whatever root file system sees it, has a shell
    program = SHELL if placed else "" if "{" in words[0] else words[0]
    needs = (program,) if program else ()
    return ClientProgram(
        name=command, title=command, command=given, needs=needs, lease=30, hook=hook, files=files
    )


OWN_WORDS = ("iface", "place", "python", "hook")
OWN_WORDS_SHOWN = "{iface}, {place}, {python}, {hook}, {hook:PATH}, {file:PATH}"
"""What a command line of the user's may have."""

FILE_WORD = re.compile(r"\{file:([^{}]+)\}")


def take_files(command: str) -> tuple[str, tuple[Path, ...]]:
    """A command line with {place}/NAME in the place of {file:PATH}, and which files these are.

    InputError where one is not there, where a shell would not read its name as one word, or where
    two have one name.
    """
    files = tuple(dict.fromkeys(Path(path).absolute() for path in FILE_WORD.findall(command)))
    for file in files:
        if not file.is_file():
            raise InputError(f"client {command!r}: there is no file {file}")
        if re.fullmatch(r"[\w.+-]+", file.name) is None:
            raise InputError(
                f"client {command!r}: {file.name!r} has a sign that a shell would take for its "
                "own; give the file a name of letters, digits, '.', '_', '+' and '-'"
            )
    names = [HOOK_FILE, SCRIPT_FILE, *(file.name for file in files)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"client {command!r}: {{place}}/{twice[0]} would be two files; rename one")
    return FILE_WORD.sub(lambda found: f"{{place}}/{Path(found[1]).name}", command), files


HOOK_WORD = re.compile(r"\{hook(?::((?:[^{}]|\{place\})*))?\}")


def take_hook(command: str) -> tuple[str, HookWords | None]:
    """A command line with {hook} in the place of {hook:PATH}, and what the hook is; None: none."""
    found = HOOK_WORD.search(command)
    if found is None:
        return command, None
    path, (_, placed, name) = found[1], (found[1] or "").rpartition("{place}/")
    script = f"{{place}}/{shlex.quote(name)}" if placed else shlex.quote(path or NOTHING)
    hook = HookWords(f"{{place}}/{HOOK_FILE}", script, always=True)
    return HOOK_WORD.sub("{hook}", command), hook
