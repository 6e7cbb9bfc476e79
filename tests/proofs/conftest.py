"""What tests of proofs have in common: cvc5, by what it has said of the same texts."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def kept_cvc5() -> Iterator[None]:
    """Kept answers stand for cvc5; it is asked what has none, and where it is a text's turn.

    Who keeps answers listens already, and hears what is asked here.
    """
    from holdover.proofs.logic import solvers
    from tests.proofs.logic.kept_answers import number_of_commits
    from tests.proofs.logic.kept_cvc5 import Listener, listening

    if isinstance(solvers.cvc5_says, Listener):
        yield
        return
    with listening(number_of_commits()) as listener:
        yield
        assert listener.differing() == []
