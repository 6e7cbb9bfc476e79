"""`.ci/check mutants`: the recorded fates, and those judged again of five commits at once.

Theory of operation.  `python -m holdover.proofs.mutation --check --turn N` judges one of each fifty
mutants again.  To judge a single one takes what the lease table itself does in the small
configurations, and that is most of what seventeen take.  So here the same command runs, and one
function is replaced: the one that says whose turn it is.  At each fifth commit it names those of
five turns, and else none.  Each mutant is judged again at one of fifty commits, as before.  What
has no fate under today's sources is judged at each (decision 91).

    python -m tests.proofs.mutation.in_turns N

What it does not know: mutants.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from holdover.proofs.kept import OF_EACH, names_in_turn
from holdover.proofs.mutation import __main__, record

AT_ONCE = 5
"""So many turns at one commit, and none at as many less one."""

FIRST = 1
"""The first commit at which some are judged; a shallow clone has no other."""


def names_of_turns(names: Sequence[str], turn: int | None) -> list[str]:
    """The names in turn at any of so many numbers up to this one, where it is the last of them."""
    if turn is None:
        return names_in_turn(names, turn)
    if (turn - FIRST) % AT_ONCE:
        return []
    turns = {before % OF_EACH for before in range(turn - AT_ONCE + 1, turn + 1)}
    return [name for number, name in enumerate(names) if number % OF_EACH in turns]


def main(turn: str) -> None:
    """Ends as the command does."""
    vars(record)["names_in_turn"] = names_of_turns
    __main__.main(["--check", "--turn", turn, "--jobs", "1"])


if __name__ == "__main__":
    main(*sys.argv[1:])
