"""How `holdover client` ends, by whatever signal; without a kernel: test_client_shell.py."""

import signal

import pytest

from tests.net.scenes import scenes
from tests.net.stage import LEASED, Stage

HOOK = "sh -c 'echo told $reason; ip -o -4 addr show dev eth0'"

SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGPWR", "SIGRTMAX")


@pytest.fixture(scope="module")
def forks() -> None:
    """Of no Python: here our programs are started, as a user starts them."""


@scenes(SIGNALS)
def test_however_it_ends_user_and_hook_are_told_when_the_address_is_gone(
    stage: Stage, name: str
) -> None:
    server, number = stage.server(lease=120), signal.Signals[name]
    before = stage.cli.picture()
    client = stage.bound("--hook", HOOK)
    client.signal(number)
    assert client.ended() == (0 if number == signal.SIGTERM else 128 + number)
    assert stage.cli.picture() == before
    assert server.events("DHCPRELEASE") == []
    assert stage.stored.exists()
    (told,) = client.events("STOPPED")
    assert told["address"] == str(LEASED)
    heard = [line for line in client.errors if line.startswith("told ")]
    assert (heard[0], heard[-1]) == ("told BOUND", "told STOP")
    last = client.errors.index("told STOP")
    assert not any(str(LEASED) in line for line in client.errors[last:])
