"""What a lease says an interface is to have: mask, routes and MTU."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from holdover.reference.linux.kernel.parameters import (
    Parameters,
    left_out,
    parameters,
    prefix_length,
)
from holdover.reference.wire.option_values import NO_ADDRESS, Route, Value
from holdover.reference.wire.options import (
    CLASSLESS_ROUTES,
    INTERFACE_MTU,
    ROUTERS,
    SUBNET_MASK,
    Options,
)

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")


def given(*options: tuple[int, Value]) -> Parameters:
    return parameters(LEASED, Options(options))


@pytest.mark.parametrize(
    ("mask", "address", "length"),
    [
        ("255.255.255.0", "10.0.0.1", 24),
        ("255.255.255.255", "10.0.0.1", 32),
        ("0.0.0.0", "10.0.0.1", 0),
        ("255.0.255.0", "10.0.0.1", 8),
        (None, "10.0.0.1", 8),
        (None, "172.16.0.1", 16),
        (None, "192.168.0.1", 24),
    ],
)
def test_prefix_of_a_mask_or_else_of_the_class(mask: str | None, address: str, length: int) -> None:
    said = None if mask is None else IPv4Address(mask)
    assert prefix_length(said, IPv4Address(address)) == length


def test_routers_give_one_default_route_and_classless_routes_take_its_place() -> None:
    everywhere = IPv4Network("0.0.0.0/0")
    mask, routers = SUBNET_MASK(IPv4Address("255.255.255.0")), ROUTERS((SERVER, LEASED))
    assert given(mask, routers).routes == (Route(everywhere, SERVER),)
    direct = (Route(IPv4Network("10.9.0.0/16"), NO_ADDRESS),)
    assert given(mask, routers, CLASSLESS_ROUTES(direct)).routes == direct


@pytest.mark.parametrize(("said", "used"), [(68, None), (0, None), (576, 576), (1400, 1400)])
def test_an_mtu_with_which_dhcp_could_not_go_on_is_not_used(said: int, used: int | None) -> None:
    assert given(INTERFACE_MTU(said)).mtu == used
    told = [f"MTU {said}: less than 576, and no DHCP message might fit"]
    assert left_out(Options([INTERFACE_MTU(said)])) == ([] if used else told)
