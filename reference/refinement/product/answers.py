"""The answers to questions about nodes: the table that `kernel.py` reads, and who is asked.

Theory of operation.  A question has a number and looks at some bits of a node.  What the compiled
search does not find in the table it notes as pending; `settle` then has the question answered by
whoever can, and puts the answer in.  So each (question, key) is answered once, by the real code.

What it does not know: what a question is about.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from holdover.reference.refinement.product import kernel
from holdover.reference.refinement.product.kernel import ANSWER, INSTEAD, KEY, QUESTION, Numbers

AT_ONCE = 1 << 14
"""As many answers may be pending."""

Ask = Callable[[int], int]
"""The answer for a key: a number of at least 0, or `instead` of another question."""


def instead(question: int) -> int:
    """The answer that this question is to be asked."""
    return INSTEAD - question


class AnswerTable:
    """All answers so far.  `count`: how many."""

    def __init__(self) -> None:
        self._asks: list[Ask] = []
        self._bits = np.zeros(64, dtype=np.int64)
        self._asked = np.zeros(AT_ONCE + 1, dtype=np.int64)
        self._cells = _cells(4 * AT_ONCE)
        self.count = 0

    @property
    def table(self) -> kernel.AnswerCells:
        """As the kernel has it."""
        return kernel.AnswerCells(self._cells, self._bits, self._asked)

    def new(self, bits: int, ask: Ask) -> int:
        """The number of a new question, which looks at these bits."""
        number = len(self._asks)
        self._asks.append(ask)
        if number == len(self._bits):
            self._bits = np.concatenate([self._bits, np.zeros_like(self._bits)])
        self._bits[number] = bits
        return number

    def settle(self) -> bool:
        """Answer what is pending; whether anything was."""
        pending = int(self._asked[0])
        places = self._asked[1 : 1 + pending]
        asks, cells = self._asks, self._cells
        questions, keys = (cells[places, column].tolist() for column in (QUESTION, KEY))
        cells[places, ANSWER] = [
            asks[question - 1](key) for question, key in zip(questions, keys, strict=True)
        ]
        self._asked[0] = 0
        self.count += pending
        if 2 * (self.count + AT_ONCE) > len(cells):
            self._enlarge()
        return pending > 0

    def _enlarge(self) -> None:
        old, self._cells = self.table, _cells(2 * len(self._cells))
        kernel.move(old, self.table)


def _cells(places: int) -> Numbers:
    return np.zeros((places, 4), dtype=np.int64)  # of four numbers: none lies in two cache lines
