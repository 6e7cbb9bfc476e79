"""What `holdover server` reads of its options."""

import re
from dataclasses import fields
from ipaddress import IPv4Address, IPv4Interface

import pytest

from holdover.model.errors import InputError
from holdover.reference.cli import main
from holdover.reference.commands.server import choose_address, misbehaviour
from holdover.reference.core.config import Misbehaviour
from holdover.reference.core.instants import SECOND

FIRST, SECOND_ONE = IPv4Address("10.77.0.50"), IPv4Address("10.77.0.51")
NOW = 1000 * SECOND


def test_every_misbehaviour_has_its_option() -> None:
    given = [
        "nak",
        "reuse-early",
        "wrong-xid",
        "wrong-server",
        "wrong-client-id",
        "mute-from=15s",
        "mute-until=1m",
        "forget-at=0.5",
        "ack-delay=3s",
        "shorten=10s",
    ]
    assert misbehaviour(given, NOW) == Misbehaviour(
        mute_from=NOW + 15 * SECOND,
        mute_until=NOW + 60 * SECOND,
        nak=True,
        ack_delay=3 * SECOND,
        forget_at=NOW + SECOND // 2,
        shorten=10,
        reuse_early=True,
        wrong_xid=True,
        wrong_server=True,
        wrong_client_id=True,
    )
    assert len(given) == len(fields(Misbehaviour))
    assert misbehaviour(["mute-until=5s"], NOW).mute_from == NOW
    assert misbehaviour(["shorten=0s"], NOW).shorten == 0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("mutefrom=1", "nearest: mute-from"),
        ("nak=1", "takes no value"),
        ("ack-delay", "say how long, as ack-delay=10s"),
        ("ack-delay=soon", "no length of time"),
        ("shorten=1.5", "whole seconds"),
    ],
)
def test_a_misbehaviour_that_cannot_be_is_refused(given: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        misbehaviour([given], NOW)
    with pytest.raises(InputError, match="given twice"):
        misbehaviour(["nak", "nak"], NOW)
    with pytest.raises(InputError, match="not after mute-from"):
        misbehaviour(["mute-until=1s", "mute-from=1s"], NOW)


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ([], "no IPv4 address"),
        (["192.0.2.1/24"], "not in a subnet"),
        (["10.77.0.50/24"], "own"),
        (["10.77.0.1/24", "192.0.2.1/24", "10.77.0.51/32"], "own"),
        (["10.77.0.49/30"], "no host"),
    ],
)
def test_a_pool_that_the_interface_cannot_serve_is_refused(there: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        choose_address("eth0", (FIRST, SECOND_ONE), [IPv4Interface(each) for each in there])


def test_the_server_is_the_address_in_the_subnet_of_the_pool() -> None:
    there = [IPv4Interface("192.0.2.1/24"), IPv4Interface("10.77.0.1/24")]
    assert choose_address("eth0", (FIRST, SECOND_ONE), there) == there[1]
    with pytest.raises(InputError, match="no host"):
        choose_address("eth0", (IPv4Address("10.77.0.200"), IPv4Address("10.77.0.255")), there)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("nosuch0", "--pool", "10.0.0.1"), "no interface 'nosuch0'"),
        (("lo", "--pool", "10.0.0.1"), "not in a subnet of lo"),
        (("lo", "--pool", "127.0.0.50-127.0.0.60"), "no Ethernet|no permission"),
        (("lo", "--pool", "10.0.0.9-10.0.0.1"), "ends before it begins"),
        (("lo", "--pool", "10.0.0.1-10.2.0.1"), "more than 65536"),
        (("lo", "--pool", "ten"), "no range"),
        (("lo",), "Missing option '--pool'"),
    ],
)
def test_bad_input_ends_with_status_2(
    options: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["server", *options])
    assert ended.value.code == 2
    assert re.search(reason, capsys.readouterr().err)
