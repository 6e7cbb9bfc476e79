"""How kernels are compiled by numba, and how long what was compiled is believed.

Theory of operation.  numba keeps what it has compiled on disk, and compiles a function again when
the file in which it stands has changed.  Of what the function takes from other files - functions,
and numbers, which become part of it - numba knows nothing.  So each kernel is kept in a folder that
is named by a fingerprint of all the files that it is made of (`compilers`): after a change in one
of them nothing of it is found, and it is compiled anew.

What it does not know: that a kernel's list of files is complete, but a test compares it with the
imports; who removes the folders of earlier versions.  They are some hundred kB each, in the user's
cache.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numba

from holdover.model.inputs import folder_in_cache, writable

Compiler = Callable[[Any], Any]


def folder_of_the_compiled() -> Path | None:
    """The folder in which numba keeps what it compiled; None where none can be written.

    It is `NUMBA_CACHE_DIR`, or else in the user's cache (XDG Base Directory).  numba itself would
    take `__pycache__` beside the source: pip leaves those files when it removes the package, and a
    folder `holdover/model` without sources then hides `holdover.model` of an editable installation.
    """
    own = numba.config.CACHE_DIR
    return writable(Path(own)) if own else folder_in_cache()


COMPILED = folder_of_the_compiled()

NOT_KEPT: set[str] = set()
"""Names of functions that are compiled and not kept: what is not as the files say must not be."""


def fingerprint(files: Iterable[str | Path]) -> str:
    """Of their contents, in this order: eight hexadecimal digits."""
    known = 0
    for file in files:
        known = zlib.crc32(Path(file).read_bytes(), known)
    return f"{known:08x}"


def compilers(kernel: str, files: Iterable[str | Path]) -> tuple[Compiler, Compiler]:
    """For the functions of a kernel of that name, which is made of these files.

    One for those that Python calls, and one for those that only compiled code calls.
    """
    folder = None if COMPILED is None else COMPILED / f"{kernel}-{fingerprint([*files, __file__])}"
    return partial(_jit, folder, inner=False), partial(_jit, folder, inner=True)


def _jit(folder: Path | None, function: Any, *, inner: bool) -> Any:
    """Have numba compile a function at its first call, and keep the result in the folder.

    What nobody uses is not compiled: counting references (nothing here makes an array), calls from
    C, the check that no division is by zero, and calls from Python where a function is `inner`.
    An `inner` one becomes part of its callers: a call would hand over each array as seven numbers,
    for each state and each rule.
    """
    usual = numba.config.CACHE_DIR  # of the whole process: what else it compiles stays where it was
    numba.config.CACHE_DIR = usual if folder is None else str(folder)
    try:
        return numba.njit(
            nogil=True,
            cache=folder is not None and function.__name__ not in NOT_KEPT,
            boundscheck=False,
            error_model="numpy",
            no_cfunc_wrapper=True,
            no_cpython_wrapper=inner,
            forceinline=inner,
            _nrt=False,
        )(function)
    finally:
        numba.config.CACHE_DIR = usual
