"""What is compiled of the search: nodes, questions about parts of them, and their answers.

Theory of operation.  A node is an integer, and a question looks at some bits of it: its *key*.  All
answers are in one table, by question and key, with open addressing.  An answer is a number, or it
names the question to be asked instead, which looks at more; what is not there is put in as pending,
and noted, so that it is asked once.  `prepare` goes through nodes until all is known that the
search needs of them; `commit` then takes every step out of them, in order, and `judge` looks at
what is new.  None of them makes an array.

What it does not know: what a question, an answer or a step means; that a table has room, which is
seen to by who calls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from holdover.model.engine import kernel as engine
from holdover.model.engine.compiled import compilers
from holdover.model.engine.kernel import MIX

FILES = (__file__, *engine.FILES)

jit, inner = compilers("refinement", FILES)

Numbers = NDArray[np.int64]

PENDING = -1
INSTEAD = -2
"""An answer of `INSTEAD - question`: that question is to be asked."""

QUESTION, KEY, ANSWER = range(3)
"""Columns of a cell."""

FINE, DEFECT, UNWANTED_TICK, LATE, STUCK = range(5)
"""How `commit` ends."""

ABSENT = -1
"""A place without a node in the table of nodes."""

ONE = np.uint64(1)


class AnswerCells(NamedTuple):
    """`cells`: QUESTION + 1 (0: nothing is there), KEY and ANSWER of each place; a power of 2.

    `bits`: which of a node each question looks at.  `asked`: how many are pending, and where.
    """

    cells: Numbers
    bits: Numbers
    asked: Numbers


class Asks(NamedTuple):
    """Which question each is; of `wanted` and `ticks` the answer 0 says that nothing is wrong.

    `older`: for each part, what it is a tick later, in its bits.  `late`: it is a defect where
    nothing is due and the table lets no time pass.
    """

    rules: Numbers
    quiet: Numbers
    allowed: Numbers
    older: Numbers
    ticks: int
    wanted: int
    late: int


class Layout(NamedTuple):
    """Where the parts of a node are, and what it is with its hosts in another order.

    `source[k, n]`: the part that part n comes from in order k, or -1: `renamed[k, n]` is asked.
    `slots`: the parts that have no names.  `rank` of a slot's value, and the values by `ranked`.
    """

    shifts: Numbers
    lows: Numbers
    source: NDArray[np.int64]
    renamed: NDArray[np.int64]
    slots: Numbers
    rank: Numbers
    ranked: Numbers
    scratch: Numbers


class Outcomes(NamedTuple):
    """Of an answer to a rule, the outcomes from `begins` to `ends`, and the bits that they replace.

    Of an outcome its place in the order, the bits that it sets, and whether it is a defect.
    """

    begins: Numbers
    ends: Numbers
    clears: Numbers
    orders: Numbers
    results: Numbers
    defects: Numbers


class Log(NamedTuple):
    """Nodes in the order in which they were found; by which step, from which, in which order.

    `known`: the table of them.
    """

    nodes: Numbers
    parents: Numbers
    outcomes: Numbers
    orders: Numbers
    known: Numbers


@inner
def home(key, question, places):
    """Where in a table with so many places a key belongs."""
    word = (np.uint64(key) ^ (np.uint64(question) << np.uint64(52))) * MIX
    word ^= word >> np.uint64(32)
    word *= MIX
    return np.int64((word >> np.uint64(24)) & (np.uint64(places) - ONE))


@inner
def find(table, question, key):
    """The place of an answer, or the free one where it belongs."""
    places = len(table.cells)
    at = home(key, question, places)
    while table.cells[at, QUESTION] != 0:
        if table.cells[at, QUESTION] == question + 1 and table.cells[at, KEY] == key:
            break
        at += 1
        if at == places:
            at = 0
    return at


@inner
def answer(table, question, node):
    """The answer, or PENDING."""
    while True:
        key = node & table.bits[question]
        at = find(table, question, key)
        if table.cells[at, QUESTION] == 0:
            count = table.asked[0]
            if count + 1 < len(table.asked):
                table.cells[at, QUESTION] = question + 1
                table.cells[at, KEY] = key
                table.cells[at, ANSWER] = PENDING
                table.asked[0] = count + 1
                table.asked[count + 1] = at
            return np.int64(PENDING)
        found = table.cells[at, ANSWER]
        if found >= PENDING:
            return found
        question = INSTEAD - found


@jit
def move(old, new):
    """Put all answers into a larger table."""
    for at in range(len(old.cells)):
        if old.cells[at, QUESTION] != 0:
            to = find(new, old.cells[at, QUESTION] - 1, old.cells[at, KEY])
            for column in range(3):
                new.cells[to, column] = old.cells[at, column]


@inner
def slots_in_order(layout, node):
    """The same node with its slots by the rank of what is in them."""
    count = len(layout.slots)
    if count < 2:
        return node
    for i in range(count):
        part = layout.slots[i]
        rank = layout.rank[(node >> layout.shifts[part]) & layout.lows[part]]
        node &= ~(layout.lows[part] << layout.shifts[part])
        j = i
        while j > 0 and layout.scratch[j - 1] > rank:
            layout.scratch[j] = layout.scratch[j - 1]
            j -= 1
        layout.scratch[j] = rank
    for i in range(count):
        node |= layout.ranked[layout.scratch[i]] << layout.shifts[layout.slots[i]]
    return node


@inner
def in_order(table, layout, node):
    """The least of all that a node is with hosts and slots in another order; in which it is that.

    The node is negative where something is pending.
    """
    best, by = slots_in_order(layout, node), 0
    pending = False
    for order in range(1, len(layout.source)):
        other = np.int64(0)
        for part in range(len(layout.shifts)):
            source = layout.source[order, part]
            if source >= 0:
                value = (node >> layout.shifts[source]) & layout.lows[source]
                other |= value << layout.shifts[part]
            else:
                found = answer(table, layout.renamed[order, part], node)
                if found < 0:
                    pending = True
                else:
                    other |= found
        other = slots_in_order(layout, other)
        if other < best:
            best, by = other, order
    return (np.int64(PENDING) if pending else best), by


@inner
def all_hold(table, questions, node):
    """1 where each question is answered by yes, 0 where not; PENDING."""
    for i in range(len(questions)):
        found = answer(table, questions[i], node)
        if found != 1:
            return found
    return np.int64(1)


@inner
def older(table, asks, node):
    """The node a tick later, or PENDING."""
    later, pending = np.int64(0), False
    for part in range(len(asks.older)):
        found = answer(table, asks.older[part], node)
        if found < 0:
            pending = True
        else:
            later |= found
    return np.int64(PENDING) if pending else later


@inner
def is_ready(table, asks, layout, outcomes, node):
    """How many steps lead out of a node; PENDING where something of that is not known yet."""
    steps, pending = 0, False
    for i in range(len(asks.rules)):
        found = answer(table, asks.rules[i], node)
        if found < 0:
            pending = True
            continue
        begin, end = outcomes.begins[found], outcomes.ends[found]
        kept = node & ~outcomes.clears[found]
        steps += end - begin
        for at in range(begin, end):
            if outcomes.defects[at] == 0:
                following, _ = in_order(table, layout, kept | outcomes.results[at])
                pending |= following < 0
    passes = all_hold(table, asks.quiet, node)
    if passes == 1:
        passes = all_hold(table, asks.allowed, node)
    pending |= passes < 0
    if passes == 1:
        pending |= answer(table, asks.ticks, node) < 0
        later = older(table, asks, node)
        pending |= later < 0
        if later >= 0:
            following, _ = in_order(table, layout, later)
            pending |= following < 0
    return np.int64(PENDING) if pending else np.int64(steps + 1)


@jit
def prepare(table, asks, layout, outcomes, nodes, waiting, most):
    """Look at the nodes that wait; those of which something is pending wait on, in front.

    Returns how many.  `most[0]`: the most steps out of one node; `most[1]`: of all.
    """
    left = 0
    for i in range(len(waiting)):
        row = waiting[i]
        steps = np.int64(PENDING)
        if table.asked[0] + 1 < len(table.asked):
            steps = is_ready(table, asks, layout, outcomes, nodes[row])
        if steps < 0:
            waiting[left] = row
            left += 1
        else:
            most[0] = max(most[0], steps)
            most[1] += steps
    return left


@inner
def add(log, count, node, parent, outcome, order):
    """Put a node into the log if it is new; how many there are then."""
    places = len(log.known)
    at = home(node, 0, places)
    while log.known[at] != node:
        if log.known[at] == ABSENT:
            log.known[at] = node
            log.nodes[count] = node
            log.parents[count] = parent
            log.outcomes[count] = outcome
            log.orders[count] = order
            return count + 1
        at += 1
        if at == places:
            at = 0
    return count


@jit
def know(log, begin, end):
    """Put nodes of the log into its table."""
    places = len(log.known)
    for i in range(begin, end):
        at = home(log.nodes[i], 0, places)
        while log.known[at] != ABSENT:
            at += 1
            if at == places:
                at = 0
        log.known[at] = log.nodes[i]


@jit
def commit(table, asks, layout, outcomes, log, begin, end, work):
    """Take every step out of the nodes from `begin` to `end` of the log, in order.

    All that is asked of them is known.  Returns how it ends, the node and the outcome (or what is
    wrong with a tick) at which it ends, how many steps that were, and how many nodes the log has.
    `work`: memory for orders, outcomes and nodes of the steps out of one node.
    """
    count, steps = end, 0
    for row in range(begin, end):
        node = log.nodes[row]
        found = 0
        for i in range(len(asks.rules)):
            span = answer(table, asks.rules[i], node)
            kept = node & ~outcomes.clears[span]
            for at in range(outcomes.begins[span], outcomes.ends[span]):
                order = outcomes.orders[at]
                j = found
                while j > 0 and work[0, j - 1] > order:
                    work[0, j] = work[0, j - 1]
                    work[1, j] = work[1, j - 1]
                    work[2, j] = work[2, j - 1]
                    j -= 1
                work[0, j] = order
                work[1, j] = at
                work[2, j] = kept | outcomes.results[at]
                found += 1
        for i in range(found):
            if outcomes.defects[work[1, i]] != 0:
                return DEFECT, row, work[1, i], steps, count
            following, order = in_order(table, layout, work[2, i])
            count = add(log, count, following, row, work[1, i], order)
            steps += 1
        if all_hold(table, asks.quiet, node) == 1:
            if all_hold(table, asks.allowed, node) == 1:
                wrong = answer(table, asks.ticks, node)
                if wrong != 0:
                    return UNWANTED_TICK, row, wrong, steps, count
                following, order = in_order(table, layout, older(table, asks, node))
                count = add(log, count, following, row, np.int64(-1), order)
                steps += 1
                continue
            if asks.late != 0:
                return LATE, row, np.int64(0), steps, count
        if found == 0:
            return STUCK, row, np.int64(0), steps, count
    return FINE, end, np.int64(0), steps, count


@jit
def judge(table, question, nodes):
    """The first of these nodes in which something is wrong, or how many there are, and what it is.

    It holds if nothing is pending.
    """
    first, wrong = len(nodes), np.int64(0)
    for row in range(len(nodes)):
        found = answer(table, question, nodes[row])
        if found > 0 and wrong == 0:
            first, wrong = row, found
    return first, wrong


@jit
def put_in_order(table, layout, node):
    """`in_order` of one node."""
    return in_order(table, layout, np.int64(node))
