"""Numbers read as a whole are those that their bytes say, wherever they stand."""

from __future__ import annotations

import random

import numba
import numpy as np
import pytest

from holdover.reference.audit.inputs.kernel import words

SIZES = {"be16": 2, "be32": 4, "be48": 6, "be64": 8, "le16": 2, "le32": 4}


@pytest.mark.parametrize("name", SIZES)
def test_numbers(name: str) -> None:
    read, size = getattr(words, name), SIZES[name]
    at_all = numba.njit(lambda data, at: read(data, at))
    rng = random.Random(name)
    data = bytes([0xFF] * 8) + rng.randbytes(64)
    for at in range(len(data) - 8):
        some = data[at : at + size]
        expected = int.from_bytes(some if name.startswith("be") else some[::-1])
        found = int(at_all(np.frombuffer(data, np.uint8), at))
        assert found % (1 << 64) == expected, at
        assert size == 8 or found >= 0
