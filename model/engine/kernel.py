"""The kernel: what the search does with a tabulated instance, compiled by numba.

Theory of operation.  `Program` is a `Tabulated` as flat arrays; the kernel knows them and nothing
of leases, so it is compiled once, kept on disk by numba, and serves every instance.  `expand` turns
states into successors, dealt out by a hash of the state to *partitions*; `insert` puts what one
partition got into its own table, so that nobody else touches it and no lock is needed.  A table is
open addressing with linear probing over words; 0 marks a free place, so states are stored plus one.
Where a state belongs is monotone in its hash, whatever the size of the table: enlarging one reads
and writes from one end to the other.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir

from holdover.model.inputs import folder_in_cache, writable
from holdover.model.packed.components import STEP, WATCH

MIX = np.uint64(0x9E3779B97F4A7C15)


def folder_of_the_compiled() -> Path | None:
    """The folder in which numba keeps what it compiled; None where none can be written.

    It is `NUMBA_CACHE_DIR`, or else in the user's cache (XDG Base Directory).  numba itself would
    take `__pycache__` beside the source: pip leaves those files when it removes the package, and a
    folder `holdover/model` without sources then hides `holdover.model` of an editable installation.
    """
    own = numba.config.CACHE_DIR
    return writable(Path(own)) if own else folder_in_cache()


COMPILED = folder_of_the_compiled()


def jit(function: Any, *, inlined: bool = False) -> Any:
    """Have numba compile a function at its first call, and keep the result in `COMPILED`.

    `inlined`: in the place of each call.  What is handed the sixteen arrays of a `Program` for each
    state takes longer to be called than to run.
    """
    usual = numba.config.CACHE_DIR  # of the whole process: what else it compiles stays where it was
    numba.config.CACHE_DIR = str(COMPILED or usual)
    try:
        return numba.njit(
            nogil=True,
            cache=COMPILED is not None,
            boundscheck=False,
            inline="always" if inlined else "never",
        )(function)
    finally:
        numba.config.CACHE_DIR = usual


inlined = partial(jit, inlined=True)


@numba.extending.intrinsic
def trailing_zeros(typing, word):
    """The number of the lowest bit that is set."""

    def code(context, builder, signature, args):
        return builder.cttz(args[0], context.get_constant(numba.types.boolean, 1))

    return word(word), code


@inlined
def mix(state):
    """The hash of a state."""
    word = state * MIX
    word ^= word >> np.uint64(32)
    return word * MIX


@jit
def scratch_for(s):
    """Memory that `canonical` works in."""
    hosts, addresses, messages = s.sizes
    return (
        np.empty(hosts + addresses + messages, dtype=np.int64),
        np.empty(hosts, dtype=np.uint64),
        np.empty(hosts, dtype=np.int64),
        np.empty(hosts, dtype=np.int64),
        np.empty(addresses, dtype=np.int64),
        np.empty(messages, dtype=np.int64),
    )


@jit
def canonical(s, state, scratch):
    """The state that stands for all that renamings make of this one, and how many those are.

    Addresses are renamed in every way.  Hosts are then sorted by what tells them apart - their own
    value, the addresses they own, their datagrams - and after them the datagrams: of hosts that tie
    in all of this, each order gives the same state.  The least of these words is the one.
    """
    hosts, addresses, messages = s.sizes
    value, key, order, rank, placed, mail = scratch
    for c in range(hosts + addresses + messages):
        value[c] = np.int64((state >> s.shift[c]) & s.low[c])
    rest = state & s.rest
    least = ~np.uint64(0)
    same = 0
    for renaming in range(len(s.placed)):
        for i in range(hosts):
            key[i] = np.uint64(s.host[renaming, value[i]]) << s.key_shift
        for j in range(addresses):
            at = s.placed[renaming, j]
            placed[at] = value[hosts + j]
            owner = s.owner[placed[at]]
            if owner >= 0:
                key[owner] |= s.owned << np.uint64(at)
        for k in range(messages):
            number = s.message[renaming, value[hosts + addresses + k]]
            at = k
            while at > 0 and s.bare[mail[at - 1]] > s.bare[number]:
                mail[at] = mail[at - 1]
                at -= 1
            mail[at] = number
        for i in range(hosts):
            sent = np.uint64(0)
            for k in range(messages):
                if s.client[mail[k]] == i:
                    sent = (sent << s.bare_bits) | np.uint64(s.bare[mail[k]] + 1)
            key[i] |= sent
        for i in range(hosts):
            at = i
            while at > 0 and key[order[at - 1]] > key[i]:
                order[at] = order[at - 1]
                at -= 1
            order[at] = i
        ways = 1
        tied = 1
        for i in range(hosts):
            rank[order[i]] = i
            tied = tied + 1 if i > 0 and key[order[i]] == key[order[i - 1]] else 1
            ways *= tied
        word = rest
        for i in range(hosts):
            word |= np.uint64(s.host[renaming, value[order[i]]]) << s.shift[i]
        for j in range(addresses):
            owner = s.owner[placed[j]]
            now = rank[owner] + 1 if owner >= 0 else 0
            word |= np.uint64(s.owned_by[placed[j], now]) << s.shift[hosts + j]
        for k in range(messages):
            client = s.client[mail[k]]
            number = s.sent_by[mail[k], rank[client] + 1 if client >= 0 else 0]
            at = k
            while at > 0 and mail[at - 1] > number:
                mail[at] = mail[at - 1]
                at -= 1
            mail[at] = number
        tied = 1
        for k in range(messages):
            tied = tied + 1 if k > 0 and mail[k] == mail[k - 1] else 1
            ways *= tied
            word |= np.uint64(mail[k]) << s.shift[hosts + addresses + k]
        if word < least:
            least, same = word, ways
        elif word == least:
            same += ways
    return least, s.renamings // same


@inlined
def holds(p, value, rule):
    """Whether the conditions of a rule are so, its masks being so."""
    for k in range(p.condition_of[rule], p.condition_of[rule + 1]):
        at = p.condition_at[k]
        for x in range(p.condition_axis[k], p.condition_axis[k + 1]):
            at += p.views[p.view_at[x] + value[p.axis[x]]]
        if p.conditions[at] == 0:
            return False
    return True


@inlined
def change(p, value, rule):
    """What a rule adds to the word; of a measure, its value."""
    total = np.uint64(0)
    for k in range(p.update_of[rule], p.update_of[rule + 1]):
        at = p.update_at[k]
        for x in range(p.update_axis[k], p.update_axis[k + 1]):
            at += p.views[p.view_at[x] + value[p.axis[x]]]
        total += p.updates[at]
    return total


@inlined
def read(p, state, value, active, bits):
    """Take a state apart, and narrow the active rules down to those that its parts let through.

    The rules are copied one by one: for `bits[:] = active` numba compiles the text of an error.
    """
    words = len(bits)
    for w in range(words):
        bits[w] = active[w]
    for c in range(len(p.shift)):
        value[c] = np.int64((state >> p.shift[c]) & p.low[c])
        row = p.first[c] + value[c]
        for w in range(words):
            bits[w] &= p.masks[row, w]


@jit
def expand(p, s, states, begin, out, counts, tally, active):
    """Successors of `states[begin:]`, into `out[partition]`, as far as there is room.

    Returns the number of the first state not expanded.  `tally` is a Tally; `active` has a bit for
    each rule to be looked at.
    """
    parts, room = out.shape
    rules = len(p.form)
    value = np.empty(len(p.shift), dtype=np.int64)
    bits = np.empty(len(active), dtype=np.uint64)
    if s is not None:  # numba compiles nothing of it where there is no symmetry
        scratch = scratch_for(s)
    weight = 1
    most = 0  # `max` and the like of numba take as long to compile as all the rest
    for part in range(parts):
        if counts[part] > most:
            most = counts[part]
    for number in range(begin, len(states)):
        if most + rules > room:
            return number
        state = states[number]
        if s is not None:
            weight = canonical(s, state, scratch)[1]
        tally.covered[0] += weight
        read(p, state, value, active, bits)
        for w in range(len(bits)):
            left = bits[w]
            while left:
                rule = w * 64 + np.int64(trailing_zeros(left))
                left &= left - np.uint64(1)
                if not holds(p, value, rule):
                    continue
                tally.fired[rule] += weight
                if p.form[rule] == STEP:
                    following = state + change(p, value, rule)
                    if s is not None:
                        following = canonical(s, following, scratch)[0]
                    spread = mix(following)
                    part = np.int64(spread >> np.uint64(16)) & (parts - 1)
                    out[part, counts[part]] = following
                    counts[part] += 1
                    if counts[part] > most:
                        most = counts[part]
                elif p.form[rule] == WATCH:
                    if state < tally.example[rule]:
                        tally.example[rule] = state
                else:
                    measured = np.int64(change(p, value, rule))
                    if measured > tally.largest[rule]:
                        tally.largest[rule] = measured
    return len(states)


@jit
def lead_to(p, s, states, goals, found, active):
    """For each goal the least of the states that a step leads from to it, into `found`."""
    value = np.empty(len(p.shift), dtype=np.int64)
    bits = np.empty(len(active), dtype=np.uint64)
    if s is not None:  # numba compiles nothing of it where there is no symmetry
        scratch = scratch_for(s)
    for number in range(len(states)):
        state = states[number]
        read(p, state, value, active, bits)
        for w in range(len(bits)):
            left = bits[w]
            while left:
                rule = w * 64 + np.int64(trailing_zeros(left))
                left &= left - np.uint64(1)
                if p.form[rule] != STEP or not holds(p, value, rule):
                    continue
                following = state + change(p, value, rule)
                if s is not None:
                    following = canonical(s, following, scratch)[0]
                for goal in range(len(goals)):
                    if following == goals[goal] and state < found[goal]:
                        found[goal] = state


@jit
def home(spread, size):
    """Where in a table of this size a state with this hash belongs."""
    return np.int64(((spread >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32))


@numba.extending.intrinsic
def fetch(typing, array, at):
    """Ask the processor for the cache line of an item, and do not wait for it."""

    def code(context, builder, signature, args):
        struct = context.make_array(signature.args[0])(context, builder, args[0])
        address = builder.bitcast(builder.gep(struct.data, [args[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        prefetch = builder.module.declare_intrinsic(
            "llvm.prefetch",
            [address.type],
            ir.FunctionType(ir.VoidType(), [address.type, number, number, number]),
        )
        builder.call(prefetch, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return numba.types.void(array, at), code


AHEAD = 16


@jit
def insert(table, states, fresh):
    """Put states into a table; those that are new also into `fresh`.  Returns how many."""
    found = 0
    size = len(table)
    count = len(states)
    for i in range(min(AHEAD, count)):
        fetch(table, home(mix(states[i]), size))
    for i in range(count):
        if i + AHEAD < count:
            fetch(table, home(mix(states[i + AHEAD]), size))
        stored = states[i] + np.uint64(1)
        at = home(mix(states[i]), size)
        while True:
            there = table[at]
            if there == stored:
                break
            if there == 0:
                table[at] = stored
                fresh[found] = states[i]
                found += 1
                break
            at += 1
            if at == size:
                at = 0
    return found


@jit
def move(table, larger):
    """Put everything of a table into a larger one."""
    size = len(larger)
    for i in range(len(table)):
        if table[i]:
            at = home(mix(table[i] - np.uint64(1)), size)
            while larger[at]:
                at += 1
                if at == size:
                    at = 0
            larger[at] = table[i]
