"""What several commands ask of their options."""

import pytest

from holdover.model.errors import InputError
from holdover.reference.console.options import host_name


@pytest.mark.parametrize("name", ["host", "a.example.org", "_x-1", "a" * 63, f"{'a' * 63}.b"])
def test_a_host_name_is_taken(name: str) -> None:
    assert host_name("--domain", name) == name


@pytest.mark.parametrize("name", ["", "a" * 64, "-a", "a-", "a..b", "a b", "ä", "a." * 127 + "a"])
def test_what_is_none_is_refused_by_its_option(name: str) -> None:
    """`holdover server --domain` took a label of 100 characters, `client --hostname` did not."""
    with pytest.raises(InputError, match="--domain"):
        host_name("--domain", name)
