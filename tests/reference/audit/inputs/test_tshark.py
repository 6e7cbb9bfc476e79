"""What tshark reads of messages, we read too: a second reader, of other authors."""

import shutil
import subprocess
from pathlib import Path

import pytest

from holdover.reference.audit.inputs.reading import read_all
from holdover.reference.audit.observations import DhcpMessage
from holdover.reference.wire.messages import BootReply
from tests.measure.audit_captures import HEAD, messages, mixed

FIELDS = (
    "frame.number", "eth.src", "ip.src", "ip.dst", "dhcp.id", "dhcp.hw.mac_addr", "dhcp.ip.your",
    "dhcp.option.dhcp", "dhcp.option.requested_ip_address", "dhcp.option.dhcp_server_id",
    "dhcp.option.ip_address_lease_time", "dhcp.option.renewal_time_value",
)  # fmt: skip


def as_tshark_says_it(seen: DhcpMessage) -> list[str]:
    message = seen.message
    assert seen.hardware
    own, asked, t1 = "0.0.0.0", None, None
    if isinstance(message, BootReply):
        own, t1 = str(message.address), message.t1
    else:
        asked = message.requested
    return [
        str(seen.where.number),
        seen.hardware.hex(":"),
        str(seen.source),
        str(seen.destination),
        f"{message.xid:#010x}",
        message.chaddr.hex(":"),
        own,
        str(int(message.type)),
        *("" if each is None else str(each) for each in (asked, message.server, message.lease, t1)),
    ]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs the program tshark")
def test_tshark_reads_the_same_messages(tmp_path: Path) -> None:
    file = tmp_path / "c.pcap"
    file.write_bytes(HEAD + b"".join(mixed(5000, 30)))
    words = ["tshark", "-n", "-r", str(file), "-Y", "dhcp", "-T", "fields", "-E", "occurrence=f"]
    words += [word for field in FIELDS for word in ("-e", field)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    ours = [as_tshark_says_it(o) for o in read_all([file]) if isinstance(o, DhcpMessage)]
    assert ours == [line.split("\t") for line in said.splitlines()]
    assert len(ours) > 30


def test_the_captures_are_the_same_each_time() -> None:
    assert list(mixed(500, 9)) == list(mixed(500, 9))
    assert sum(map(len, messages(40, 3))) == sum(map(len, messages(40, 3)))
