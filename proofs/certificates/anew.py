"""Certificates built anew, whatever is kept: whether all that there are can still be built.

Theory of operation.  To build all takes minutes, so a part is built at a time: of each fifty
obligations, in their order, one.  A number of any size says which one, and who counts up has built
all after fifty times (`proofs/kept.py`).  What is built has been accepted by the checker, or is
none.

What it does not know: whether another Z3 finds the same cores.  A certificate that is not the one
that is kept is as good, if the checker accepts it, and is counted.
"""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from holdover.proofs.certificates.build import build
from holdover.proofs.certificates.written import NoProofError
from holdover.proofs.logic.obligations import Obligation
from holdover.proofs.theorems.obligations import certified_obligations


@functools.cache
def by_name() -> dict[str, Obligation]:
    """Each obligation that is certified."""
    return {each.name: each for each in certified_obligations()}


def built_by_name(name: str) -> tuple[str, str]:
    """A certificate and why there is none: one of them is empty.

    For another process, which has the terms of the one that it was forked from.
    """
    try:
        return build(by_name()[name]), ""
    except NoProofError as error:
        return "", str(error)


@dataclass
class Built:
    """How many were built, how many of these are as they are kept, and what could not be built."""

    count: int = 0
    as_kept: int = 0
    bad: list[str] = field(default_factory=list)


def build_anew(names: Sequence[str], kept: Mapping[str, str], jobs: int) -> Built:
    """Builds these on so many processes: on one alone, where Z3 has been used in this."""
    found = Built()
    if jobs == 1:
        results = list(map(built_by_name, names))
    else:
        by_name()  # once, for all of them
        forked = multiprocessing.get_context("fork")  # Z3, which does not survive it, is not used
        with ProcessPoolExecutor(jobs, mp_context=forked) as pool:
            results = list(pool.map(built_by_name, names))
    for name, (text, why) in zip(names, results, strict=True):
        found.count += not why
        found.as_kept += bool(text) and text == kept.get(name)
        found.bad += [f"{name}: not built: {why}"] if why else []
    return found
