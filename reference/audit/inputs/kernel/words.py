"""Numbers in bytes, read as a whole.

Theory of operation.  A number of two, four or eight bytes is one load of the processor, and a swap
where it is in the other byte order; numba by itself would load byte by byte, each with a check that
the index is not negative.  So an index here is never negative, and whoever asks has made sure that
the bytes are there: `be48` reads eight.

What it does not know: what the numbers mean.
"""

from __future__ import annotations

import sys
from typing import Any

import numba
import numpy as np
from llvmlite import ir

from holdover.reference.audit.inputs.kernel.compiled import inner

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MURMUR = np.uint64(0xC2B2AE3D27D4EB4F)
SHIFT = np.uint64(29)
"""Of the hashes."""


def loader_of(bits: int, order: str) -> Any:
    """A number of so many bits in a byte order, as numba is to compile it; int64."""

    @numba.extending.intrinsic
    def load(typing: Any, data: Any, at: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            struct = context.make_array(signature.args[0])(context, builder, args[0])
            number, whole = ir.IntType(bits), ir.IntType(64)
            place = builder.bitcast(builder.gep(struct.data, [args[1]]), number.as_pointer())
            word = builder.load(place, align=1)
            word = word if order == sys.byteorder else builder.bswap(word)
            return word if bits == 64 else builder.zext(word, whole)

        return numba.types.int64(data, numba.types.intp), code

    return load


be16, be32, be64 = (loader_of(bits, "big") for bits in (16, 32, 64))
le16, le32 = (loader_of(bits, "little") for bits in (16, 32))


@inner
def be48(data, at):
    """Big-endian, 48 bits: a hardware address; reads two bytes more."""
    return (be64(data, at) >> 16) & 0xFFFF_FFFF_FFFF


@inner
def number16(data, at, big):
    """In the byte order of a file."""
    return be16(data, at) if big else le16(data, at)


@inner
def number32(data, at, big):
    """In the byte order of a file."""
    return be32(data, at) if big else le32(data, at)
