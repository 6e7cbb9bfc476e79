"""What makes a client let go in time, for whoever has just read that it does not.

What it does not know: which cures there are (`model/clients/cures.toml`), and what a verdict is.
"""

from __future__ import annotations

from holdover.model.clients.cures import PAGE, cures_of
from holdover.proofs.result import Outcome


def cure_lines(profile: str, outcome: Outcome) -> list[str]:
    """The cures of a client whose bound is bad, a line each; none where it holds."""
    mine = cures_of(profile) if outcome != "holds" else ()
    found = [f"Cure, {cure.in_words}" for cure in mine]
    return [*found, f"Measured: {PAGE}"] if found else []


def cures_data(profile: str, outcome: Outcome) -> list[dict[str, str]]:
    """The same for programs."""
    mine = cures_of(profile) if outcome != "holds" else ()
    return [
        {"kind": cure.kind, "says": cure.says, "how": cure.how, "file": cure.file} for cure in mine
    ]
