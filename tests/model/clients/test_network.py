"""Networks of several kinds of client: their files, and the constants of their hosts."""

from fractions import Fraction
from pathlib import Path

import pytest

from holdover.model.clients.network import (
    OF_HOSTS,
    ClientKind,
    Network,
    in_turn,
    load_network,
    of_hosts,
    of_hosts_in_ticks,
)
from holdover.model.clients.profile import (
    FACTS,
    FAULTS,
    Environment,
    Profile,
    in_seconds,
    load,
    mix_constants,
)
from holdover.model.errors import InputError
from holdover.model.table.expr import Constant
from holdover.model.table.vocabulary import CONSTANTS

OFFICE = """\
title = "the office"

[surroundings]
lease = 86400
drift_ppm = 0.5
server_probes = true
faults = ["forgets"]

[[client]]
profile = "networkd"

[[client]]
profile = "mine.toml"
faults = ["freezes", "thaws", "freezes"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text('anchor = "ack"\nlate = 2\n')
    return tmp_path


def read(place: Path, text: str) -> Network:
    (place / "site.toml").write_text(text)
    return load_network(place / "site.toml")


def test_a_file_names_clients_and_surroundings(place: Path) -> None:
    site = read(place, OFFICE)
    assert site.title == "the office"
    assert site.clients[0] == ClientKind(load("networkd"))
    mine = load(str(place / "mine.toml"))
    assert site.clients[1] == ClientKind(mine, ("freezes", "thaws"))
    assert [client.name for client in site.clients] == ["networkd", "mine (freezes, thaws)"]
    assert site.surroundings == {
        "lease": 86400,
        "drift_ppm": Fraction(1, 2),
        "server_probes": True,
        "faults": ("forgets",),
    }


def test_without_a_title_it_is_called_like_its_file(place: Path) -> None:
    assert read(place, '[[client]]\nprofile = "rfc2131"\n').title == "site"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 64 kinds of client are needed, each as [[client]]"),
        ("client = 3", "1 to 64 kinds of client are needed"),
        ('[[clients]]\nprofile = "rfc2131"', "'clients': no such key; nearest: client"),
        ("[[client]]\n", 'client 1: profile = "NAME" or "FILE.toml" is needed'),
        ('[[client]]\nprofile = "rfc2132"', "no profile 'rfc2132'; nearest: rfc2131"),
        ('[[client]]\nprofile = "gone.toml"', "gone.toml: No such file or directory"),
        ('[[client]]\nprofile = "rfc2131"\nlate = 3', "client 1: 'late': no such key"),
        ('[[client]]\nprofile = "rfc2131"\nfaults = ["freeze"]', "no fault 'freeze'; nearest"),
        ('[[client]]\nprofile = "rfc2131"\nfaults = ["mutes"]', "mutes befalls no host alone: put"),
        ('[[client]]\nprofile = "rfc2131"\nfaults = "mutes"', "faults: a list of texts is needed"),
        ('[[client]]\nprofile = "rfc2131"\n' * 2, "client rfc2131 is there twice; once is for any"),
        ('title = 3\n[[client]]\nprofile = "rfc2131"', "title: a text is needed, not 3"),
        ('title = "\\u001b"\n[[client]]\nprofile = "rfc2131"', "control character U+001B"),
        ("surroundings = 1\n[[client]]\nprofile = 'rfc2131'", "write it as [surroundings]"),
        ("[surroundings]\nleas = 1\n[[client]]\nprofile = 'rfc2131'", "'leas': no such key; near"),
        ("[surroundings]\nlease = -1\n[[client]]\nprofile = 'rfc2131'", "a number of seconds is"),
        ("[surroundings]\nlease = true\n[[client]]\nprofile = 'rfc2131'", "a number of seconds is"),
        ("[surroundings]\ndrift_ppm = 1e6\n[[client]]\nprofile = 'rfc2131'", "at most 500000"),
        ("[surroundings]\nserver_probes = 1\n[[client]]\nprofile = 'rfc2131'", "true or false is"),
        ("[[client]\n", "site.toml: "),
        ("a = " + "[" * 9000, "site.toml: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(place: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(place, text)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_bad_input(place: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_network(place / "nowhere.toml")


# Constants ---------------------------------------------------------------------------------------


def test_what_a_profile_says_is_of_one_host_and_what_the_surroundings_say_of_all() -> None:
    of_each = {name for name, word in CONSTANTS.items() if isinstance(word, Constant)}
    assert of_each == {*FACTS, *OF_HOSTS}
    assert set(OF_HOSTS) == {
        "freezes",
        "thaws",
        "crashes",
        "stops",
        "restarts",
        "suspends",
        "steps",
        "clones",
        "settles",
        "intrudes",
    }
    assert set(FAULTS) - of_each


def test_hosts_with_one_client_have_the_constants_of_its_profile() -> None:
    here = Environment()
    assert of_hosts((ClientKind(load("dhcpcd")),) * 3, here) == in_seconds(load("dhcpcd"), here)


def test_what_differs_is_given_host_by_host() -> None:
    pair = (ClientKind(load("rfc2131"), ("freezes",)), ClientKind(load("networkd")))
    found = of_hosts(pair, Environment(lease=Fraction(60)))
    assert (found["freezes"], found["anchor"]) == ((True, False), ("REQUEST", "ACK"))
    assert found["full"] == 60
    assert of_hosts_in_ticks(pair, Environment(), Fraction(1200))["late"] == (0, 1)


def test_what_is_about_all_hosts_cannot_differ() -> None:
    one, other = (in_seconds(Profile("x"), Environment(grace=Fraction(n))) for n in (1, 2))
    with pytest.raises(ValueError, match="grace is the same for all hosts"):
        mix_constants([one, other])


def test_hosts_have_clients_in_turn() -> None:
    profiles = [load("rfc2131"), load("udhcpc")]
    assert [c.name for c in in_turn(profiles, 3)] == ["rfc2131", "udhcpc", "rfc2131"]
