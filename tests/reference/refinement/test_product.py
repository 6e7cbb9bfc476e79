"""The search part by part is the search: against one that remembers nothing, and part by part."""

import operator
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from holdover.reference.core import client as reference_client
from holdover.reference.refinement.coverage import TableWorld
from holdover.reference.refinement.product import kernel
from holdover.reference.refinement.product import packing as packing_module
from holdover.reference.refinement.product.answers import AT_ONCE, AnswerTable
from holdover.reference.refinement.product.kernel import Numbers
from holdover.reference.refinement.product.packing import HiddenError, Packing
from holdover.reference.refinement.product.search import ProductSearch
from holdover.reference.refinement.product.steps import Product
from holdover.reference.refinement.search import world_of
from holdover.reference.refinement.setting import Setting, every_setting, settings
from holdover.reference.refinement.world import World
from tests.reference.refinement.plain_search import PlainSearch

MOST = 16_000
SMALL = [s for s in every_setting() if s.states <= MOST]
CLIENTS = {setting.name: setting for setting in settings()}
SETTINGS = {setting.name: setting for setting in every_setting()}


def searched(world: World) -> ProductSearch:
    search = ProductSearch(world)
    while len(search.layer):
        search.go_on()
    return search


def sizes(search: ProductSearch | PlainSearch) -> tuple[int, int, int]:
    return search.states, search.steps, search.depth


@pytest.mark.kept("cores searched part by part")
@pytest.mark.parametrize("setting", SMALL, ids=lambda setting: setting.name)
def test_it_finds_what_a_plain_search_finds(setting: Setting) -> None:
    """As many states and steps, as deep, and by the same rows of the table.

    Those below are searched at each commit.
    """
    ours, plain = world_of(setting), world_of(setting)
    assert sizes(searched(ours)) == sizes(PlainSearch(plain))
    assert set(ours.rows.taken) == set(plain.rows.taken) != set()
    assert set(ours.cores.observed) == set(plain.cores.observed)


def test_so_it_does_where_hosts_change_places() -> None:
    small = replace(CLIENTS["two hosts"], faults=(), lease=3, client={})
    ours, plain = searched(world_of(small)), PlainSearch(world_of(small))
    assert sizes(ours) == sizes(plain)
    assert plain.states > 5_000


def test_so_it_does_with_the_table_alone() -> None:
    """And its edges are the same."""
    setting = CLIENTS["stopped"]
    ours, plain = TableWorld(setting), TableWorld(setting)
    assert sizes(searched(ours)) == sizes(PlainSearch(plain))
    assert ours.edges == plain.edges


def test_every_state_is_the_same_one() -> None:
    """Not only as many: unpacked, they are the states of the plain search."""
    setting = SETTINGS["served"]
    search, plain = searched(world_of(setting)), PlainSearch(world_of(setting))
    packing = search._product.packing
    every = (1 << len(packing.world.parts)) - 1
    cores, others = packing.world.cores, plain.world.cores  # type: ignore[attr-defined]

    def spelled(node: Any, of: Any) -> Any:
        return node[0], of[node[1][0]], node[1][1:], node[2]

    ours = {repr(spelled(packing.node(int(n), every), cores)) for n in search.nodes}
    assert ours == {repr(spelled(node, others)) for node in plain.known}


# What is not shown -------------------------------------------------------------------------------


READS: dict[str, Callable[[Any], object]] = {
    "==": lambda v: v == 0,
    "0 ==": lambda v: v == 0,
    "!=": lambda v: v != 0,
    "<": lambda v: v < 0,
    "0 <": lambda v: 0 < v,  # noqa: SIM300
    "<=": lambda v: v <= 0,
    ">": lambda v: v > 0,
    ">=": lambda v: v >= 0,
    "+": lambda v: v + 1,
    "1 +": lambda v: 1 + v,
    "-": lambda v: v - 1,
    "1 -": lambda v: 1 - v,
    "neg": operator.neg,
    "if": bool,
    "not": operator.not_,
    "hash": hash,
    "index": lambda v: [1, 2][v],
    "in": lambda v: v in (1, 2),
    "among": lambda v: 1 in (v, 2),
    "max": lambda v: max(v, 0),
    "text": str,
    "key": lambda v: {}.get(v),
}


def a_node_of_which(shown: int) -> tuple[Packing, Any, int]:
    """A node with these parts shown, and its number."""
    packing = Packing(world_of(SETTINGS["two hosts"]))
    first = packing.first()
    return packing, packing.node(first, shown), first


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("part", [1, 4])
def test_a_hidden_value_cannot_be_read(read: Callable[[Any], object], part: int) -> None:
    packing, node, _ = a_node_of_which(~(1 << part))
    with pytest.raises(HiddenError) as caught:
        read(node[0][packing.world.parts[part].places[0]])
    assert caught.value.part == part


def test_it_can_be_moved_and_what_is_shown_is_itself() -> None:
    shown = 0b1
    packing, node, first = a_node_of_which(shown)
    assert node == ((*node[0],), (*node[1],), (*node[2],))
    assert packing.pack(node, shown) == first & packing.bits(shown)
    whole = packing.node(first, ~0)
    assert packing.world.parts[0].value(node) == packing.world.parts[0].value(whole)


def test_no_two_hidden_values_are_the_same_one() -> None:
    """Or two places could be compared without being read."""
    packing, node, _ = a_node_of_which(0)
    one, other = packing.world.parts[0].places[:2]
    with pytest.raises(HiddenError):
        assert (node[0][one],) == (node[0][other],)


def test_what_is_written_unread_is_found_out() -> None:
    packing, node, _ = a_node_of_which(0b1)
    state = list(node[0])
    state[packing.world.parts[packing.world.server].places[0]] = 0
    with pytest.raises(HiddenError) as caught:
        packing.pack((tuple(state), *node[1:]), 0b1)
    assert caught.value.part == packing.world.server


def test_a_rule_is_asked_again_with_what_it_read() -> None:
    """A question about host 1 that sometimes needs host 2: each node has its own answer."""
    product = Product(world_of(SETTINGS["two hosts"]))
    place = product.world.rows.table.place
    asked = []

    def both_rest(node: Any, mask: int) -> int:
        asked.append(mask)
        return int(node[0][place["phase", 0]] == 0 and node[0][place["phase", 1]] == 0)

    question = product._question(both_rest, 0)
    nodes = np.array([product.packing.first()])
    assert answers_to(product.answers, question, nodes) == [1]
    assert asked == [0, 0b1, 0b11]
    assert answers_to(product.answers, question, np.repeat(nodes, 3)) == [1, 1, 1]
    assert asked == [0, 0b1, 0b11], "it is remembered"


def answers_to(answers: AnswerTable, question: int, nodes: Numbers) -> list[int]:
    """What is answered for each of these, one by one."""

    def first(node: int) -> int:
        while True:
            _, answer = kernel.judge(answers.table, question, np.array([node]))
            if not answers.settle():
                return int(answer)

    return [first(node) for node in nodes.tolist()]


def test_each_key_has_its_answer_however_they_come() -> None:
    """Also when there are so many that the table becomes larger."""
    answers, asked = AnswerTable(), list[int]()

    def ask(key: int) -> int:
        asked.append(key)
        return key * 10 + 1

    question = answers.new(0xFF_FFFF, ask)
    keys = np.array([5, 1, 5, 9, 1, 3, 5, 3, 3, 0, 5 + (1 << 24)])
    assert answers_to(answers, question, keys) == [int(k & 0xFF_FFFF) * 10 + 1 for k in keys]
    assert sorted(asked) == [0, 1, 3, 5, 9]
    many = np.arange(3 * AT_ONCE)
    while kernel.judge(answers.table, question, many) and answers.settle():
        pass
    assert (sorted(asked), answers.count) == (many.tolist(), len(many))
    assert answers_to(answers, question, many[::999]) == (many[::999] * 10 + 1).tolist()


def test_questions_do_not_take_each_others_answers() -> None:
    """Of one key, each question has its own, also where both belong in one place of the table."""
    answers, keys = AnswerTable(), np.arange(16)
    apart = 1 << 12  # so many questions on, the hash of a key is the same
    numbers = range(1, apart + 9)
    questions = [answers.new(0xF, partial(operator.add, 100 * n)) for n in numbers]
    for n, question in [*zip(numbers, questions, strict=True)][:8] * 2:
        for number, asked in ((n, question), (n + apart, question + apart)):
            assert answers_to(answers, asked, keys) == (keys + 100 * number).tolist()
    assert answers.count == 2 * 8 * len(keys)


def test_too_many_values_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a number that is another value's."""
    monkeypatch.setattr(packing_module, "BITS", {"process": 4, "server": 14, "slot": 1})
    with pytest.raises(OverflowError, match="more than 2 values of a slot"):
        searched(world_of(SETTINGS["two hosts"], reference_client))
