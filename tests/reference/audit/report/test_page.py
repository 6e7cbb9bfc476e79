"""The page of an audit: well formed, alone, harmless; and its pictures."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from ipaddress import IPv4Address
from xml.etree import ElementTree

import pytest

from holdover.reference.audit.monitor.results import Audit, LeaseSpan
from holdover.reference.audit.report.page import MOST_OTHERS, audit_page, prose
from holdover.reference.audit.report.picture import MOST_HOSTS, AddressDrawing, draw_address
from holdover.reference.core.instants import SECOND
from tests.reference.audit.report.audits import (
    HOLDS,
    ODD,
    SENTENCE,
    TIMELINE,
    UNKNOWN,
    VIOLATED,
    A,
    B,
    at,
    frame,
)

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "br"}


class Tags(HTMLParser):
    """Opens and closes tags in pairs; what is shown, and what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        assert tag != "script"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(audit: Audit) -> Tags:
    tags = Tags()
    tags.feed(audit_page(audit))
    tags.close()
    assert tags.open == []
    return tags


@pytest.mark.parametrize("audit", [VIOLATED, UNKNOWN, HOLDS, ODD])
def test_it_is_well_formed_and_needs_nothing_but_itself(audit: Audit) -> None:
    tags = read(audit)
    assert tags.fetched == []
    assert len(tags.ids) == len(set(tags.ids))
    text = audit_page(audit)
    assert "default-src 'none'" in text
    assert "url(http" not in text
    assert "prefers-color-scheme: dark" in text


def test_a_finding_is_told_in_full() -> None:
    shown = " ".join(read(VIOLATED).text)
    for words in (
        SENTENCE,
        "office.pcap: frame 9",
        "host.log: line 3",
        "Update its client.",
        "Excused only if 4 datagrams",
        "3 frames were dropped",
        "no DHCPACK was seen",
        "the client: dhcpcd",
    ):
        assert words in shown


def test_what_strangers_wrote_is_text() -> None:
    text = audit_page(ODD)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_verdict_has_its_word() -> None:
    for audit in (VIOLATED, UNKNOWN, HOLDS):
        assert f">{audit.verdict}</b>" in audit_page(audit)


def test_of_many_addresses_without_a_finding_the_rest_is_counted() -> None:
    others = tuple(
        replace(TIMELINE, address=TIMELINE.address + number) for number in range(1, MOST_OTHERS + 4)
    )
    text = audit_page(replace(VIOLATED, addresses=(*others, TIMELINE)))
    assert "And 3 more addresses without a finding" in text
    assert text.index("<b>10.0.0.57</b>") < text.index("<b>10.0.0.58</b>")


# The picture -------------------------------------------------------------------------------------


def picture(audit: Audit = VIOLATED) -> AddressDrawing:
    return draw_address(audit, audit.addresses[0], 1)[0]


def rects(kind: str) -> list[ElementTree.Element]:
    drawn = ElementTree.fromstring(picture().svg())
    return [each for each in drawn.iter(f"{SVG}rect") if each.get("class") == kind]


def test_zero_is_the_first_finding_else_the_last_lease_end() -> None:
    assert picture().zero == at(600)
    without = replace(VIOLATED, findings=())
    assert picture(without).zero == at(600)
    forever = replace(TIMELINE, leases=TIMELINE.leases[1:])
    assert picture(replace(without, addresses=(forever,))).zero == at(1)


def test_a_use_is_drawn_by_whether_it_was_right() -> None:
    for kind, begin in (("held", at(1)), ("over", at(601)), ("perhaps held", at(605.15))):
        (bar,) = rects(kind)
        place = picture().scale((begin - at(600)) / SECOND)
        assert bar.get("x") == place
    assert len(rects("both")) == 2
    assert len(rects("lease")) == 2


def test_each_host_has_a_row_with_its_name() -> None:
    text = picture().svg()
    assert [text.count(f">{host.hex(':')}</text>") for host in (A, B)] == [1, 1]


def test_the_list_tells_leases_and_uses_with_the_time_of_day() -> None:
    words = [each.words for each in picture().told()]
    assert words[0] == (
        "14:00:00.000000 leased to 02:00:00:00:00:01 by 10.0.0.1 until 14:10:00.000000, 2 DHCPACKs"
    )
    assert "14:10:01.000000 used by 02:00:00:00:00:01, without a right to it (ARP, log)" in words
    assert "14:10:20.000000 the lease of 02:00:00:00:00:02 is over: DHCPRELEASE" in words
    assert "two hosts use it, for 7.25 s" in words


def test_the_sentence_for_who_does_not_see_it_says_the_same() -> None:
    said = picture().description()
    assert "02:00:00:00:00:01 from +1.00 s to +12.40 s, without a right to it" in said


def test_of_an_address_with_many_hosts_those_of_the_finding_are_drawn() -> None:
    others = tuple(
        LeaseSpan(
            hardware=bytes([2, 9, 0, 0, 0, number]),
            client_id=None,
            server="10.0.0.1",
            begin=at(-10_000 + number),
            end=at(-9_000 + number),
            where=frame(1),
        )
        for number in range(20)
    )
    line = replace(TIMELINE, leases=(*others, *TIMELINE.leases))
    made, left_out = draw_address(replace(VIOLATED, addresses=(line,)), line, 1)
    assert len(made.line.hosts) == MOST_HOSTS
    assert left_out == 22 - MOST_HOSTS
    assert {A.hex(":"), B.hex(":")} <= set(made.line.hosts)
    assert re.search("14 more hosts are left out", audit_page(replace(VIOLATED, addresses=(line,))))


# What a browser showed ---------------------------------------------------------------------------


def test_a_command_in_prose_is_code_and_still_escaped() -> None:
    assert prose("see `holdover grace`") == "see <code>holdover grace</code>"
    assert prose("`<b>` and ` alone") == "<code>&lt;b&gt;</code> and ` alone"


def test_on_a_narrow_screen_each_cell_has_its_head_beside_it() -> None:
    page = audit_page(VIOLATED)
    assert '<td data-head="when (UTC)">' in page
    assert 'class="wide stack"' in page
    assert page.index("max-width: 40rem") < page.index(".stack thead")


def test_leased_addresses_are_unfolded_where_there_is_no_finding() -> None:
    """What somebody looks for then is why there is none."""
    other = replace(TIMELINE, address=IPv4Address("10.0.0.1"), leases=())
    page = audit_page(replace(UNKNOWN, addresses=(other, TIMELINE)))
    (opened,) = re.findall(r'<details class="cell" open>\n<summary><b>([\d.]+)', page)
    assert opened == str(TIMELINE.address)
    assert page.index(f"<b>{TIMELINE.address}") < page.index("<b>10.0.0.1")


def test_a_long_name_is_drawn_above_the_line_that_it_crosses() -> None:
    page = audit_page(VIOLATED)
    svg = page[page.index('<svg class="line"') :]
    assert svg.index('class="end"') < svg.index('class="name halo"')
