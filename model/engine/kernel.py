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

import numba
import numpy as np
from llvmlite import ir

from holdover.model.engine.compiled import compilers
from holdover.model.packed import program, symmetry
from holdover.model.packed.program import (
    AT,
    AXES,
    AXES_END,
    CONDITIONAL,
    CONDITIONS,
    END,
    FIRST,
    GROUP,
    JOINTS,
    LOW,
    SHIFT,
    STEPS,
)
from holdover.model.packed.symmetry import Symmetry
from holdover.model.readings.ground import Array

ONE = np.uint64(1)

WORD = np.uint64(64)

MIX = np.uint64(0x9E3779B97F4A7C15)


FILES = (__file__, program.__file__, symmetry.__file__)
"""What the kernel is made of; its numbers and the forms of what it is given are of the others."""

jit, inner = compilers("engine", FILES)


@numba.extending.intrinsic
def trailing_zeros(typing, word):
    """The number of the lowest bit that is set."""

    def code(context, builder, signature, args):
        return builder.cttz(args[0], context.get_constant(numba.types.boolean, 1))

    return word(word), code


@inner
def mix(state):
    """The hash of a state."""
    word = state * MIX
    word ^= word >> np.uint64(32)
    return word * MIX


def scratch_for(s: Symmetry) -> tuple[Array, ...]:
    """Memory that `canonize` works in.  The rank of host 0, which is none, stays 0."""
    hosts, addresses, messages = s.sizes
    sizes = (sum(s.sizes), hosts, hosts + 1, addresses, messages)
    return tuple(np.zeros(size, dtype=np.uint64) for size in sizes)


@inner
def place_of(key, i):
    """Where an item comes when all are sorted by their keys, and of how many alike it is the last.

    Of items that are alike, those are counted that do not come after it.
    """
    place = np.uint64(0)
    alike = 1
    for other in range(len(key)):
        if key[other] == key[i] and other < i:
            alike += 1
            place += ONE
        elif key[other] < key[i]:
            place += ONE
    return place, alike


@inner
def canonical(s, state, scratch):
    """The state that stands for all that renamings make of this one, and how many those are.

    Addresses are renamed in every way.  Hosts are then sorted by what tells them apart - their own
    value, the addresses they own, their datagrams - and after them the datagrams: of hosts that tie
    in all of this, each order gives the same state.  The least of these words is the one.
    """
    hosts, addresses, messages = s.sizes
    value, key, rank, placed, mail = scratch
    for c in range(len(value)):
        value[c] = (state >> s.parts[c, SHIFT]) & s.parts[c, LOW]
    least = ~np.uint64(0)
    same = 0
    for renaming in range(len(s.placed)):
        for i in range(hosts):
            key[i] = s.host[renaming, value[i]] << s.key_shift
        for j in range(addresses):
            to = s.placed[renaming, j]
            placed[to] = value[hosts + j]
            if s.owner[placed[to]]:
                key[s.owner[placed[to]] - ONE] |= s.owns << to
        for k in range(messages):
            mail[k] = s.message[renaming, value[hosts + addresses + k]]
        for k in range(messages):
            number = mail[k]
            if s.client[number]:
                shift = np.uint64(0)
                for other in range(messages):  # its datagrams sorted, the last in the lowest bits
                    if s.client[mail[other]] == s.client[number] and (
                        s.bare[mail[other]] > s.bare[number]
                        or (s.bare[mail[other]] == s.bare[number] and other > k)
                    ):
                        shift += s.bare_bits
                key[s.client[number] - ONE] |= (s.bare[number] + ONE) << shift
        word = state & s.rest
        ways = 1
        for i in range(hosts):
            place, alike = place_of(key, i)
            rank[i + 1] = place + ONE
            ways *= alike
            word |= (key[i] >> s.key_shift) << s.parts[place, SHIFT]
        for j in range(addresses):
            owned = s.owned[placed[j], rank[s.owner[placed[j]]]]
            word |= owned << s.parts[hosts + j, SHIFT]
        for k in range(messages):
            mail[k] = s.sent[mail[k], rank[s.client[mail[k]]]]
        for k in range(messages):
            place, alike = place_of(mail, k)
            ways *= alike
            word |= mail[k] << s.parts[np.uint64(hosts + addresses) + place, SHIFT]
        if word < least:
            least, same = word, ways
        elif word == least:
            same += ways
    return least, s.renamings // same


@jit
def canonize(s, states, weights, scratch):
    """Put each state's canonical one in its place; `weights` becomes how many each stands for."""
    for i in range(len(states)):
        states[i], weights[i] = canonical(s, states[i], scratch)


@inner
def look_up(joints, axes, numbers, value, begin, end):
    """The sum of some joints."""
    total = np.uint64(0)
    for joint in range(begin, end):
        at = joints[joint, AT]
        for x in range(joints[joint, AXES], joints[joint, AXES_END]):
            at += numbers[axes[x, 1] + value[axes[x, 0]]]
        total += numbers[at]
    return total


@inner
def change(rules, joints, axes, numbers, value, rule):
    """What a rule adds to the word; of a measure, its value."""
    total = numbers[rules[rule, 0] + value[rules[rule, 1]]]  # OWN times, written out: most do more
    total += numbers[rules[rule, 2] + value[rules[rule, 3]]]
    begin, end = rules[rule, JOINTS], rules[rule, END]
    if begin != end:
        total += look_up(joints, axes, numbers, value, begin, end)
    return total


@jit
def expand(program, states, weights, begin, found, tally, active, value, row):
    """Successors of `states[begin:]`, into `found`, as far as there is room.

    Returns the number of the first state not expanded, and how many successors there are.
    `weights` is how many states each stands for; `tally` is a Tally; `active` has a bit for each
    rule to be looked at; `value` and `row` are memory for a number of each part.
    """
    parts, masks, kinds, rules, joints, axes, numbers = program
    words = np.uint64(len(active))
    count = np.uint64(0)
    last = len(found) - len(rules)
    number = begin
    while number < len(states) and count <= last:
        state, weight = states[number], weights[number]
        number += 1
        tally.covered[0] += weight
        for c in range(len(parts)):
            value[c] = (state >> parts[c, SHIFT]) & parts[c, LOW]
            row[c] = parts[c, FIRST] + value[c] * words
        for w in range(words):
            bits = active[w]
            for group in range(0, len(parts), GROUP):
                for c in range(GROUP):  # as many as compilers unroll
                    bits &= masks[row[group + c] + w]
            asked = bits & kinds[CONDITIONAL, w]
            while asked:
                at = trailing_zeros(asked)
                asked &= asked - ONE
                rule = w * WORD + at
                begin, end = rules[rule, CONDITIONS], rules[rule, JOINTS]
                if look_up(joints, axes, numbers, value, begin, end) != end - begin:
                    bits &= ~(ONE << at)
            seen = bits & ~kinds[STEPS, w]
            while seen:
                rule = w * WORD + trailing_zeros(seen)
                seen &= seen - ONE
                tally.fired[rule] += weight
                if state < tally.example[rule]:
                    tally.example[rule] = state
                measured = np.int64(change(rules, joints, axes, numbers, value, rule))
                if measured > tally.largest[rule]:
                    tally.largest[rule] = measured
            bits &= kinds[STEPS, w]
            while bits:
                rule = w * WORD + trailing_zeros(bits)
                bits &= bits - ONE
                tally.fired[rule] += weight
                found[count] = state + change(rules, joints, axes, numbers, value, rule)
                count += ONE
    return number, count


@jit
def deal(states, out, counts):
    """Put states into `out[partition]`, which has room for them."""
    parts = np.uint64(len(out) - 1)
    for i in range(len(states)):
        part = (mix(states[i]) >> np.uint64(16)) & parts
        at = np.uint64(counts[part])
        out[part, at] = states[i]
        counts[part] = at + ONE


@inner
def home(spread, size):
    """Where in a table of this size a state with this hash belongs."""
    return ((spread >> np.uint64(32)) * size) >> np.uint64(32)


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
    found = np.uint64(0)
    size = np.uint64(len(table))
    count = len(states)
    for i in range(count):
        if i + AHEAD < count:
            fetch(table, home(mix(states[i + AHEAD]), size))
        stored = states[i] + ONE
        at = home(mix(states[i]), size)
        while True:
            there = table[at]
            if there == stored:
                break
            if there == 0:
                table[at] = stored
                fresh[found] = states[i]
                found += ONE
                break
            at += ONE
            if at == size:
                at = np.uint64(0)
    return found
