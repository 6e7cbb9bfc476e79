"""What several tests of commands are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from holdover.model.clients.profile import STANDARD, Environment, Profile
from holdover.proofs.verdicts import changes
from holdover.proofs.verdicts.judge import Judgement, Size, judge
from holdover.reference.commands import explain, verify
from holdover.reference.commands.state_graph import Common, of_judgement
from tests.reference.commands.running import MINE

T = TypeVar("T")

USUAL = Size()

KEPT: dict[object, Any] = {}
"""What was computed once in this process, by all that it depends on."""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(MINE)
    return path


@pytest.fixture(scope="module")
def judged_once() -> Iterator[None]:
    """Of a client that was judged before, in the same surroundings, the commands print that.

    `judge` is a function of a profile and its surroundings, and so is what networkx reads off the
    collisions that it found: these tests are of what the commands make of both.  The other ones,
    and all that start a process, compute.
    """

    def judging(
        profile: Profile,
        environment: Environment = STANDARD,
        size: Size = USUAL,
        solvers: tuple[str, ...] = ("z3",),
        *rest: Any,
        **progress: Any,
    ) -> Judgement:
        # Not by `==` alone: to that, a lease of 1 is one of True.
        key = repr((profile, environment, size, solvers))
        return kept(key, lambda: judge(profile, environment, size, solvers, *rest, **progress))

    def reading(found: Judgement, most: int) -> Common | None:
        # With the judgement, which thereby stays: nothing else gets its id.
        return kept((id(found), most), lambda: (found, of_judgement(found, most)))[1]

    with pytest.MonkeyPatch.context() as patch:
        for module in (explain, verify, changes):
            patch.setattr(module, "judge", judging)
        for command in (explain, verify):
            patch.setattr(command, "of_judgement", reading)
        yield


def kept(key: object, make: Callable[[], T]) -> T:
    if key not in KEPT:
        KEPT[key] = make()
    found: T = KEPT[key]
    return found
