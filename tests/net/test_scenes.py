"""What the network tests rest on: that they are apart, and what a scene is that cannot tell."""

import os
from pathlib import Path

import pytest

from tests.net.scenes import CannotTell, slower


def test_this_process_has_namespaces_of_its_own(privileged: None) -> None:
    for kind in ("net", "mnt", "uts"):
        ours, others = (Path(f"/proc/{who}/ns/{kind}") for who in ("self", os.getppid()))
        assert ours.readlink() != others.readlink(), kind


def test_a_scene_that_cannot_tell_is_played_again_with_twice_the_time() -> None:
    factors = list[int]()

    def scene(factor: int) -> str:
        factors.append(factor)
        if factor < 4:
            raise CannotTell("too slow")
        return "seen"

    assert slower(scene) == "seen"
    assert factors == [1, 2, 4]


def test_a_scene_that_never_can_tell_is_no_pass() -> None:
    def scene(factor: int) -> None:
        raise CannotTell(f"too slow {factor}")

    with pytest.raises(CannotTell, match="too slow 4"):
        slower(scene)


def test_what_a_scene_fails_of_otherwise_is_not_played_again() -> None:
    factors = list[int]()

    def scene(factor: int) -> None:
        factors.append(factor)
        raise AssertionError("late")

    with pytest.raises(AssertionError, match="late"):
        slower(scene)
    assert factors == [1]
