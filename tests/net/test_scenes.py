"""What the network tests rest on: that they are apart, and what a scene is that cannot tell."""

import fcntl
import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Event
from types import SimpleNamespace
from typing import cast

import pytest

from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from tests.net.conftest import in_turn
from tests.net.scenes import CannotTellError, Site, played, scene, slower, wanted


def test_this_process_has_namespaces_of_its_own(privileged: None) -> None:
    for kind in ("net", "mnt", "uts"):
        ours, others = (Path(f"/proc/{who}/ns/{kind}") for who in ("self", os.getppid()))
        assert ours.readlink() != others.readlink(), kind


def test_a_scene_that_cannot_tell_is_played_again_with_twice_the_time() -> None:
    factors = list[int]()

    def scene(factor: int) -> str:
        factors.append(factor)
        if factor < 4:
            raise CannotTellError("too slow")
        return "seen"

    assert slower(scene) == "seen"
    assert factors == [1, 2, 4]


def test_a_scene_that_never_can_tell_is_no_pass() -> None:
    def scene(factor: int) -> None:
        raise CannotTellError(f"too slow {factor}")

    with pytest.raises(CannotTellError, match="too slow 4"):
        slower(scene)


def test_what_a_scene_fails_of_otherwise_is_not_played_again() -> None:
    factors = list[int]()

    def scene(factor: int) -> None:
        factors.append(factor)
        raise AssertionError("late")

    with pytest.raises(AssertionError, match="late"):
        slower(scene)
    assert factors == [1]


def test_who_is_alone_waits_for_the_others_and_lets_no_more_in(tmp_path: Path) -> None:
    """Two are in, one waits to be alone, and a third comes after it."""
    told: Queue[str] = Queue()
    leave = {name: Event() for name in ("first", "second", "alone", "third")}

    def go_in(name: str) -> None:
        with in_turn(tmp_path, alone=name == "alone"):
            told.put(f"{name} in")
            assert leave[name].wait(PATIENCE)
            told.put(f"{name} out")

    def next_told() -> str:
        return told.get(timeout=PATIENCE)

    with ThreadPoolExecutor(len(leave)) as pool:
        playing = [pool.submit(go_in, name) for name in ("first", "second")]
        assert {next_told(), next_told()} == {"first in", "second in"}
        playing.append(pool.submit(go_in, "alone"))
        eventually(lambda: not free(tmp_path / "holdover-door"), PATIENCE, "it waits")
        playing.append(pool.submit(go_in, "third"))
        for name in ("first", "second"):
            leave[name].set()
            assert next_told() == f"{name} out"
        assert next_told() == "alone in"
        leave["third"].set()
        leave["alone"].set()
        assert [next_told() for _ in range(3)] == ["alone out", "third in", "third out"]
        for each in playing:
            each.result()


def free(file: Path) -> bool:
    """Whether others may take it."""
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


# Scenes and their tests --------------------------------------------------------------------------


def late(site: Site) -> None:
    """A scene that fails."""
    raise AssertionError("the address was late")


def in_time(site: Site) -> str:
    """A scene that has seen something."""
    return "in time"


SITE = Site(cast(Links, None), Path())


def test_a_scene_that_fails_hides_nothing_of_another() -> None:
    ended = list[str]()
    links = cast(Links, SimpleNamespace(end=lambda: ended.append("all of it")))
    with played(links, {each: partial(each, SITE) for each in (late, in_time)}) as playing:
        assert playing[in_time].result(PATIENCE) == "in time"
        with pytest.raises(AssertionError, match="the address was late"):
            playing[late].result(PATIENCE)
        assert ended == []
    assert ended == ["all of it"]


def test_a_test_that_is_a_scene_has_its_name_and_fails_as_it_does() -> None:
    test, playing = scene(late), Future[None]()
    assert (test.__name__, test.__doc__) == ("late", "A scene that fails.")
    playing.set_exception(AssertionError("the address was late"))
    with pytest.raises(AssertionError, match="the address was late"):
        test(playing)


def test_only_scenes_of_tests_that_are_chosen_are_played() -> None:
    here, elsewhere = Path("here.py"), Path("elsewhere.py")
    items = [
        SimpleNamespace(path=here, callspec=SimpleNamespace(params={"seen": in_time})),
        SimpleNamespace(path=here, callspec=SimpleNamespace(params={"playing": late})),
        SimpleNamespace(path=here, callspec=SimpleNamespace(params={"seen": in_time})),
        SimpleNamespace(path=here, callspec=SimpleNamespace(params={"size": 3})),
        SimpleNamespace(path=here),
        SimpleNamespace(path=elsewhere, callspec=SimpleNamespace(params={"seen": slower})),
    ]
    request = SimpleNamespace(path=here, session=SimpleNamespace(items=items))
    assert wanted(cast(pytest.FixtureRequest, request)) == [in_time, late]
