"""Scenes that are played at the same time, for most of each is waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from holdover.reference.lab.topology import Links


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
