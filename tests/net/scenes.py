"""Scenes that are played at the same time, for most of each is waiting.

Theory of operation.  A scene is a function of where it is played, a `Site` or what a module's
fixture `staged` makes of a place for files.  It asserts what is true at the moment when it is true,
and returns what tests are to look at later.  A test is a scene itself (`scene`, `scenes`), or looks
at what a scene has returned (`sees`).  The scenes that the chosen tests need begin together, when
the first of these tests does; a scene that fails fails its own tests only.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pytest

from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError

P = ParamSpec("P")
Key = TypeVar("Key")
Seen = TypeVar("Seen")
Where = TypeVar("Where")

LOCK = "the kernel's networking lock"
"""The machine has one: whoever makes or removes namespaces on it holds it for a while."""


def errors_of(program: Process) -> list[str]:
    """What it has said on standard error, but for who held the machine's lock meanwhile."""
    return [line for line in program.errors if LOCK not in line]


def needs(*programs: str) -> None:
    """Skip the test where one of these programs is not there."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")


@dataclass(frozen=True)
class Site:
    """Where a scene is played: a maker of links, and a place for files."""

    links: Links
    place: Path


# A scene that cannot tell ------------------------------------------------------------------------


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


# All at once -------------------------------------------------------------------------------------


@contextmanager
def played(
    links: Links, scenes: Mapping[Key, Callable[[], Seen]]
) -> Iterator[dict[Key, Future[Seen]]]:
    """What each scene has seen, by its key; in the end one that is still played fails at once."""
    with ThreadPoolExecutor(max(len(scenes), 1)) as pool:
        try:
            yield {key: pool.submit(scene) for key, scene in scenes.items()}
        finally:
            links.end()


Scene = Callable[["Site"], object]
"""What a scene returns is looked at by the tests that name it: `sees` holds the two together."""

Playing = Mapping[Scene, Future[object]]


def wanted(request: pytest.FixtureRequest) -> list[Scene]:
    """The scenes that the chosen tests of this module need, in the order of the tests."""
    own = [item for item in request.session.items if item.path == request.path]
    given = [item.callspec.params for item in own if hasattr(item, "callspec")]
    return list(
        dict.fromkeys(
            params[fixture]
            for params in given
            for fixture in ("seen", "playing")
            if fixture in params
        )
    )


# Tests -------------------------------------------------------------------------------------------


def named(name: str, scene: Callable[[Where], Seen]) -> Callable[[Where], Seen]:
    """The scene under that name, by which its tests are told apart."""

    def play(where: Where) -> Seen:
        return scene(where)

    play.__name__ = name
    return play


def sees(
    *scenes: Callable[[Where], Seen],
) -> Callable[[Callable[Concatenate[Seen, P], None]], Callable[Concatenate[Seen, P], None]]:
    """Make a test look at what each of these scenes has returned: its first argument, `seen`."""
    marks = pytest.mark.parametrize(
        "seen", [pytest.param(each, id=each.__name__) for each in scenes], indirect=True
    )

    def marked(test: Callable[Concatenate[Seen, P], None]) -> Callable[Concatenate[Seen, P], None]:
        return marks(test)

    return marked


def scene(play: Callable[[Where], None]) -> Callable[[Future[None]], None]:
    """Make a test of a scene: it is played beside the others, and the test waits for its end."""
    return _waits(play, [pytest.param(play, id=pytest.HIDDEN_PARAM)])


def scenes(
    names: Iterable[str],
) -> Callable[[Callable[[Where, str], None]], Callable[[Future[None]], None]]:
    """Make a test of a scene with each of these names as its second argument."""

    def made(play: Callable[[Where, str], None]) -> Callable[[Future[None]], None]:
        def with_name(name: str) -> Callable[[Where], None]:
            return lambda where: play(where, name)

        return _waits(play, [pytest.param(with_name(name), id=name) for name in names])

    return made


def _waits(play: Callable[..., None], each: Sequence[object]) -> Callable[[Future[None]], None]:
    """The test of a scene, by its name: its last line is where it fails, and shows the scene's."""

    @pytest.mark.parametrize("playing", each, indirect=True)
    def test(playing: Future[None]) -> None:
        playing.result(2 * PATIENCE)

    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(test, attribute, getattr(play, attribute))
    return test
