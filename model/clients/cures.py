"""What makes a late client let go in time: one table, for the page and for `holdover verify`.

A cure is a configuration, a script, or a patch of the client's source.  Where nothing outside of
the code helps, or nothing has to, the table says that instead.  What cures were measured to do
stands on docs/cures.md.

What it does not know: whether a cure is in force on a machine; clients that have no profile here.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, get_args

Kind = Literal["configuration", "script", "patch", "none", "as it is"]

KINDS: tuple[Kind, ...] = get_args(Kind)

PAGE = "docs/cures.md"
"""What was measured of them."""


@dataclass(frozen=True)
class Cure:
    """A cure of the client that has this profile.

    `says`: what it does, and what it leaves as it was; `how`: what a user does; `file`: below
    docs/, "" for none; `played`: what the lab plays of it, "" where nothing is cured.
    """

    profile: str
    kind: Kind
    says: str
    how: str
    file: str
    played: str

    @property
    def in_words(self) -> str:
        """The cure in a line: what to do and what comes of it."""
        what = {"none": "none", "as it is": "none is needed in the client"}
        done = f" (docs/{self.file})" if self.file else ""
        return f"{what.get(self.kind, self.kind)}: {self.says}: {self.how}{done}"


@cache
def cures() -> tuple[Cure, ...]:
    """All of them, in the order of the file."""
    text = (resources.files("holdover.model.clients") / "cures.toml").read_text("utf-8")
    return tuple(Cure(**entry) for entry in tomllib.loads(text)["cure"])


def cures_of(profile: str) -> tuple[Cure, ...]:
    """Those of the client that has this profile; none: nothing is known."""
    return tuple(cure for cure in cures() if cure.profile == profile)
