"""Scapy as the referee: what we build it reads the same way, what it builds we do.

Scapy joins no pieces and reads no overloaded field, so values are short here; `test_packet.py` has
the long ones.  It is GPL: a test may import it, the package may not.
"""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.wire import option_values as kinds
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import Datagram, Frame, decode_frame, encode_frame
from holdover.reference.wire.option_values import Kind, MessageType, Route, SubOption
from holdover.reference.wire.options import TABLE, Options, option_of
from holdover.reference.wire.packet import LARGEST_SIZE, Message, Op, decode, encode

WHY = "scapy is not installed (extra: dev); it referees what is built and read"
dhcp: Any = pytest.importorskip("scapy.layers.dhcp", reason=WHY)
inet: Any = pytest.importorskip("scapy.layers.inet", reason=WHY)
l2: Any = pytest.importorskip("scapy.layers.l2", reason=WHY)

addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
macs = st.binary(min_size=6, max_size=6)
some_bytes = st.binary(min_size=2, max_size=30)


def tuples(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=1, max_size=8).map(tuple)


BY_KIND: dict[Kind[Any], st.SearchStrategy[Any]] = {
    kinds.U8: u8,
    kinds.U16: u16,
    kinds.I32: st.integers(-(2**31), 2**31 - 1),
    kinds.SECONDS: u32,
    kinds.FLAG: st.booleans(),
    kinds.TEXT: st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=30),
    kinds.BYTES: some_bytes,
    kinds.SOME_BYTES: some_bytes,
    kinds.CLIENT_ID: some_bytes,
    kinds.ADDRESS: addresses,
    kinds.ADDRESSES: tuples(addresses),
    kinds.ADDRESSES_OR_NONE: tuples(addresses),
    kinds.PAIRS: tuples(st.tuples(addresses, addresses)),
    kinds.U16S: tuples(u16),
    kinds.CODES: tuples(u8),
    kinds.TYPE: st.sampled_from(MessageType),
    kinds.RELAY: tuples(st.builds(SubOption, u8, st.binary(max_size=8))),
    kinds.ROUTES: tuples(
        st.builds(
            lambda address, width, router: Route(
                IPv4Network((address, width), strict=False), router
            ),
            u32,
            st.integers(0, 32),
            addresses,
        )
    ),
}
NUMBERS = ("op", "htype", "hlen", "hops", "xid", "secs", "flags")
ADDRESSES = ("ciaddr", "yiaddr", "siaddr", "giaddr")
FOREIGN = [code for code in range(1, 255) if code not in dhcp.DHCPOptions and code not in TABLE]

messages = st.builds(
    Message,
    op=st.sampled_from(Op),
    htype=u8,
    hops=u8,
    xid=u32,
    secs=u16,
    broadcast=st.booleans(),
    reserved=st.integers(0, 2**15 - 1),
    ciaddr=addresses,
    yiaddr=addresses,
    siaddr=addresses,
    giaddr=addresses,
    chaddr=macs,
    sname=st.sampled_from([b"", b"server"]),
    file=st.sampled_from([b"", b"pxelinux.0"]),
    options=st.lists(
        st.one_of(
            [st.tuples(st.just(code), BY_KIND[row.kind]) for code, row in TABLE.items()]
            + [st.tuples(st.sampled_from(FOREIGN), some_bytes)]
        ),
        max_size=10,
        unique_by=lambda pair: pair[0],
    ).map(Options),
)


def in_scapy(code: int, value: Any) -> tuple[Any, ...]:
    """The tuple by which scapy names an option and its value."""
    theirs = dhcp.DHCPOptions.get(code, code)
    if isinstance(theirs, int | str):
        return theirs, option_of(code).kind.write(value)
    shown: list[Any]
    match value:
        case str():
            shown = [option_of(code).kind.write(value)]
        case bytes():
            shown = [value]
        case int():
            shown = [value % 2**32]
        case IPv4Address():
            shown = [str(value)]
        case (Route(), *_):
            shown = [[f"{r.network}:{r.router}" for r in value]]
        case ((_, _), *_):
            shown = [str(address) for pair in value for address in pair]
        case (IPv4Address(), *_):
            shown = [str(address) for address in value]
        case _:
            shown = [list(value)] if option_of(code).kind is kinds.CODES else list(value)
    return theirs.name, *shown


def layers(message: Message) -> Any:
    """The message as scapy has it."""
    colons = ":".join(f"{byte:02x}" for byte in message.chaddr)
    options = sorted(message.options.items(), key=lambda pair: pair[0] == 82)
    return dhcp.BOOTP(
        op=int(message.op),
        htype=message.htype,
        hlen=6,
        hops=message.hops,
        xid=message.xid,
        secs=message.secs,
        flags=message.broadcast << 15 | message.reserved,
        ciaddr=str(message.ciaddr),
        yiaddr=str(message.yiaddr),
        siaddr=str(message.siaddr),
        giaddr=str(message.giaddr),
        chaddr=colons,
        sname=message.sname,
        file=message.file,
        options=b"c\x82Sc",
    ) / dhcp.DHCP(options=[*(in_scapy(*pair) for pair in options), "end"])


@given(messages)
def test_scapy_reads_what_we_build(message: Message) -> None:
    read = dhcp.BOOTP(encode(message, limit=LARGEST_SIZE))
    expected = layers(message)
    for name in NUMBERS + ADDRESSES:
        assert getattr(read, name) == getattr(expected, name), name
    assert read.chaddr == message.chaddr.ljust(16, b"\0")
    assert read.sname == message.sname.ljust(64, b"\0")
    assert read.file == message.file.ljust(128, b"\0")
    options = [option for option in read[dhcp.DHCP].options if option != "pad"]
    assert options == expected[dhcp.DHCP].options


@given(messages)
def test_we_read_what_scapy_builds(message: Message) -> None:
    assert decode(bytes(layers(message))) == message


@given(messages)
def test_both_build_the_same_bytes(message: Message) -> None:
    theirs = bytes(layers(message))
    assert encode(message, limit=LARGEST_SIZE) == theirs.ljust(300, b"\0")


@given(macs, macs, addresses, addresses, u16, u16, st.binary(max_size=60))
def test_frames_and_checksums_agree(
    destination: bytes,
    source: bytes,
    sender: IPv4Address,
    target: IPv4Address,
    source_port: int,
    destination_port: int,
    payload: bytes,
) -> None:
    ours = Datagram(sender, target, source_port, destination_port, payload)
    theirs = (
        l2.Ether(dst=_colons(destination), src=_colons(source))
        / inet.IP(src=str(sender), dst=str(target), id=0, flags="DF", ttl=64)
        / inet.UDP(sport=source_port, dport=destination_port)
        / payload
    )
    assert encode_frame(destination, source, ours) == bytes(theirs)
    assert decode_frame(bytes(theirs)) == Frame(destination, source, ours)


@given(macs, st.builds(Arp, st.sampled_from(ArpOperation), macs, addresses, macs, addresses))
def test_arp_agrees(destination: bytes, ours: Arp) -> None:
    theirs = l2.Ether(dst=_colons(destination), src=_colons(ours.sender_hardware)) / l2.ARP(
        op=int(ours.operation),
        hwsrc=_colons(ours.sender_hardware),
        psrc=str(ours.sender),
        hwdst=_colons(ours.target_hardware),
        pdst=str(ours.target),
    )
    assert encode_frame(destination, ours.sender_hardware, ours) == bytes(theirs)
    assert decode_frame(bytes(theirs)).content == ours


def _colons(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)
