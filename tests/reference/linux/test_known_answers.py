"""Exchanges that a client takes before it asks are right, and what is wrong is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import Phase, Send
from holdover.reference.linux import known_answers
from holdover.reference.linux.known_answers import KnownAnswerError, check
from holdover.reference.wire.options import HOST_NAME, PARAMETER_REQUEST_LIST, Options
from tests.reference.core.clients import CONFIG, MAC
from tests.reference.linux.test_client_shell import Pretended

CONFIGS = (
    CONFIG,
    ClientConfig(hardware=MAC),
    ClientConfig(hardware=MAC, client_id=b"\0x", broadcast=True, probes=0),
    replace(CONFIG, options=Options([HOST_NAME("x" * 63), PARAMETER_REQUEST_LIST((1, 51))])),
)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_client_comes_to_what_is_known(config: ClientConfig) -> None:
    check(config)


def test_the_rows_differ() -> None:
    rows = {(granted, tuple(options.pairs())) for granted, options, _ in known_answers.KNOWN}
    assert len(rows) == len(known_answers.KNOWN) == 10


def used_before_it_is_stored(step: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(*given: Any) -> Any:
        client, effects = step(*given)
        if client.phase is Phase.BOUND:
            store, configure, *more = effects
            effects = (configure, store, *more)
        return client, effects

    return wrong


def a_second_late(step: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(*given: Any) -> Any:
        client, effects = step(*given)
        if client.lease is not None and client.lease.end is not None:
            lease = replace(client.lease, end=client.lease.end + 1)
            effects = (replace(effects[0], lease=lease), *effects[1:])
        return client, effects

    return wrong


def a_bit_lost(encode: Callable[..., bytes]) -> Callable[..., bytes]:
    def wrong(*given: Any) -> bytes:
        data = encode(*given)
        return data[:-30] + bytes((data[-30] ^ 1,)) + data[-29:]

    return wrong


def without_options(read: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(*given: Any) -> Any:
        return replace(read(*given), options=Options())

    return wrong


def torn(text_for: Callable[..., bytes]) -> Callable[..., bytes]:
    return lambda *given: text_for(*given)[:-3]


@pytest.mark.parametrize(
    ("name", "defect"),
    [
        ("step", used_before_it_is_stored),
        ("step", a_second_late),
        ("encode_frame", a_bit_lost),
        ("reply_from", without_options),
        ("text_for", torn),
    ],
)
def test_what_is_wrong_is_noticed(
    name: str, defect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_answers, name, defect(getattr(known_answers, name)))
    with pytest.raises(KnownAnswerError, match="known exchange 0"):
        check(CONFIG)


def test_a_client_that_is_wrong_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(config: ClientConfig) -> None:
        raise KnownAnswerError("it is wrong")

    there = Pretended()
    shell = there.shell(replace(CONFIG, start_least=0, start_most=0))
    monkeypatch.setattr(known_answers, "check", wrong)
    shell.begin()
    with pytest.raises(KnownAnswerError):
        shell.turn()
    assert there.done == []
    monkeypatch.undo()
    shell.turn()
    assert [type(effect) for effect in there.done] == [Send]
