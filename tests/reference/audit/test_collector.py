"""The search for circles is rare meanwhile, and as it was afterwards."""

from __future__ import annotations

import gc

import pytest

from holdover.reference.audit.collector import RARELY, rarely_collected


def test_it_is_as_it_was_afterwards() -> None:
    before = gc.get_threshold()
    with rarely_collected():
        assert gc.get_threshold() == (RARELY, *before[1:])
    assert gc.get_threshold() == before
    with pytest.raises(KeyError), rarely_collected():
        raise KeyError
    assert gc.get_threshold() == before
    assert gc.isenabled()
