"""Scenes that are played at the same time, for most of each is waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.process import Process, UnheardError

Seen = TypeVar("Seen")


LOCK = "the kernel's networking lock"
"""The machine has one: whoever makes or removes namespaces on it holds it for a while."""


def errors_of(program: Process) -> list[str]:
    """What it has said on standard error, but for who held the machine's lock meanwhile."""
    return [line for line in program.errors if LOCK not in line]


class CannotTellError(UnheardError):
    """The machine was too slow: what a scene is about did not come in the order that it needs."""


def slower(scene: Callable[[int], Seen]) -> Seen:
    """What a scene has seen, given a factor for its times: each time it cannot tell, twice that.

    Of three times that it cannot tell, the last fails: nothing seen is no pass.
    """
    for factor in (1, 2):
        try:
            return scene(factor)
        except CannotTellError:
            pass
    return scene(4)


@contextmanager
def played(
    links: Links, scenes: Mapping[str, Callable[[], dict[str, Any]]]
) -> Iterator[dict[str, Future[dict[str, Any]]]]:
    """What each scene has seen, by its name; in the end one that is still played fails at once."""
    with ThreadPoolExecutor(len(scenes)) as pool:
        try:
            yield {name: pool.submit(scene) for name, scene in scenes.items()}
        finally:
            links.end()


def scene(name: str) -> pytest.MarkDecorator:
    """The fixture `seen` has what that scene has seen."""
    return pytest.mark.parametrize("seen", [name], indirect=True)
