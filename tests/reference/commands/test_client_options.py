"""What `holdover client` reads of its options."""

import pytest

from holdover.model.errors import InputError
from holdover.reference.commands.client import by_hardware, client_id, code, wishes
from holdover.reference.wire.options import HOST_NAME, PARAMETER_REQUEST_LIST


def test_options_are_asked_for_by_number_or_name() -> None:
    asked = wishes("tenant", "1, domain-name, 3, NTP_servers, 1")
    assert asked == {PARAMETER_REQUEST_LIST.code: (1, 15, 3, 42), HOST_NAME.code: "tenant"}
    for text in ("0", "255", "domain-nme", ""):
        with pytest.raises(InputError, match="--request"):
            code(text)
    with pytest.raises(InputError, match="--hostname"):
        wishes("no name", None)


def test_client_identifiers_are_bytes_or_text() -> None:
    assert client_id("01:02:fc") == b"\1\2\xfc"
    assert client_id("lodger") == b"\0lodger"
    with pytest.raises(InputError, match="--client-id"):
        client_id("")
    assert by_hardware(bytes(range(6))) == b"\xff\2\3\4\5\0\3\0\1\0\1\2\3\4\5"
