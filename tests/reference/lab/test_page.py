"""The timeline of a record, and the page of the lab; records by hand, instants in seconds."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from ipaddress import IPv4Interface
from itertools import pairwise
from math import inf
from xml.etree import ElementTree

import pytest

from holdover.reference.lab.record.measure import Measurement, Unknown, measure
from holdover.reference.lab.record.record import HostAddresses, Mark
from holdover.reference.lab.record.sharing import Sharing
from holdover.reference.lab.record.timeline import Granted, HeldSpan, Timeline, timeline
from holdover.reference.lab.report.event_list import describe_timeline, events
from holdover.reference.lab.report.page import FEW, MANY, VERDICTS, Shown, page
from holdover.reference.lab.report.style import escape
from holdover.reference.lab.report.svg import Drawing
from tests.reference.lab.test_measure import LEASED, OTHER, B, added, at, nak, record, removed, said

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "br", "link", "img"}


def marks(**when: float) -> tuple[Mark, ...]:
    return tuple(Mark(at(seconds), what.replace("_", " ")) for what, seconds in when.items())


def near(*values: float) -> object:
    return pytest.approx(values)


# The timeline ------------------------------------------------------------------------------------


def test_times_are_relative_to_the_lease_end() -> None:
    line = timeline(record(said(1), seen=(added(1.1), removed(13.5)), end=20))
    assert (line.begin, line.end, line.about, line.address) == (-11, 9, "lease end", LEASED)
    (held,) = line.held
    assert (held.begin, held.sure, held.end) == near(-9.9, 2.46, 2.5)
    assert (held.host, held.still) == ("a", False)
    assert line.granted == (Granted("a", LEASED, -10, 10, 0, 0),)
    assert line.hosts == ("a", "b")


def test_zero_is_the_lease_end_that_the_measurement_is_about() -> None:
    """It is late by 3 s at the first end, and early by 9 s at the second."""
    made = record(said(1), said(20), seen=(added(1.1), removed(14), added(20.1), removed(21)))
    result, line = measure(made, "a"), timeline(made)
    assert isinstance(result, Measurement)
    assert line.held[0].end == result.holdover == 3
    assert [lease.end for lease in line.granted] == [0, 19]


def test_the_last_lease_end_where_nothing_was_measured() -> None:
    made = record(said(1), said(5), seen=())
    assert isinstance(measure(made, "a"), Unknown)
    line = timeline(made)
    assert (line.about, line.lease_end, line.granted[-1].end) == ("last lease end", True, 0)


def test_the_end_of_the_record_where_there_is_no_lease() -> None:
    line = timeline(record(seen=(added(1),), end=40))
    assert (line.about, line.lease_end, line.address) == ("end of the record", False, None)
    assert (line.begin, line.end, line.overlap) == (-40, 0, ())
    assert line.held == (HeldSpan("a", LEASED, -39, 0, 0, still=True),)


def test_a_lease_counts_until_the_next_one_or_a_nak() -> None:
    made = record(said(1), said(6), nak(8), seen=(added(1.1), removed(8.1)))
    line = timeline(made)
    assert [(lease.begin, lease.until) for lease in line.granted] == [(-15, -10), (-10, -8)]
    (refusal,) = [each for each in line.happened if each.nak]
    assert (refusal.at, refusal.host) == (-8, "a")


def test_the_overlap_is_that_of_measure() -> None:
    seen = (added(1.1), added(12, host="b"), removed(15.04))
    made = record(said(1), seen=seen, end=20)
    line, result = timeline(made), measure(made, "a")
    assert isinstance(result, Measurement)
    ((begin, end),) = line.overlap
    assert (begin, end) == near(1, 4)
    assert end - begin == pytest.approx(result.duplicate)


def test_marks_belong_to_a_host_or_to_nobody() -> None:
    made = record(
        said(1),
        seen=(added(1.1), removed(9)),
        marks=marks(bound=2, server_ended=3, client_stopped=4, another_host_has_the_address=5),
    )
    assert [(each.at, each.host) for each in timeline(made).happened] == [
        (-9, ""),
        (-8, "srv"),
        (-7, "a"),
        (-6, "b"),
    ]


def test_other_addresses_and_other_hosts_leases_are_there_too() -> None:
    away = IPv4Interface("169.254.7.7/16")
    seen = (added(1.1), removed(9), HostAddresses(at(10), at(10.1), "a", {away: None}))
    line = timeline(record(said(1), said(5, hardware=B, address=OTHER), seen=seen))
    assert [(each.address, each.still) for each in line.held] == [(LEASED, False), (away.ip, True)]
    assert [(each.host, each.address) for each in line.granted] == [("a", LEASED), ("b", OTHER)]


def test_a_gap_is_told() -> None:
    made = replace(record(said(1), seen=(added(1.1), removed(9))), gap="3 frames were dropped")
    assert timeline(made).gap == "3 frames were dropped"
    text = page([shown(timeline=timeline(made))], "lab", {})
    assert "The record has a gap: 3 frames were dropped." in text


# In words ----------------------------------------------------------------------------------------


def test_what_does_not_print_is_written_out() -> None:
    assert escape("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&#x27;"
    assert escape("\x1b[31m\n\u202e\udc80é") == "\\x1b[31m\\n\\u202e\\udc80é"


OVERLAP = timeline(
    record(
        said(1),
        nak(14),
        said(16, hardware=B, address=OTHER),
        seen=(added(1.1), added(12, host="b"), removed(15.04)),
        marks=marks(server_ended=2),
        end=20,
    )
)


def test_everything_is_told_in_order() -> None:
    lines = [(each.at, each.words) for each in events(OVERLAP)]
    assert lines == sorted(lines, key=lambda each: each[0])
    assert [words for _, words in lines] == [
        "DHCPACK to client's host: 10 s, until 0 s",
        "client's host has 10.77.0.50",
        "server ended",
        "other host has 10.77.0.50",
        "two hosts have 10.77.0.50, for 3.00 s",
        "DHCPNAK to client's host",
        "10.77.0.50 gone from client's host",
        "DHCPACK to other host: 10.77.0.51, 10 s, until +15.00 s",
        "other host still has 10.77.0.50, at the end of the record",
    ]
    assert describe_timeline(OVERLAP) == (
        "Seconds after the lease end: client's host had 10.77.0.50 from −9.90 s to +4.04 s; "
        "other host had 10.77.0.50 from +1.00 s until the record ended; "
        "two hosts had it for 3.00 s."
    )


def test_many_dhcpacks_are_counted() -> None:
    often = [said(1 + number / 10) for number in range(5)]
    line = timeline(record(*often, seen=(added(1.1), removed(10))))
    (first, *_) = Drawing(line, 1).groups
    assert len(first) == 6
    text = page([shown(timeline=line)], "lab", {})
    assert "until 0 s (2 more before it)" in text, "in between the address came"


# The picture -------------------------------------------------------------------------------------


def picture(line: Timeline, predicted: float | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(Drawing(line, 7, predicted).svg())


def kinds(drawn: ElementTree.Element) -> list[str]:
    return [each.get("class", "") for each in drawn.iter(f"{SVG}rect")]


def texts(drawn: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in drawn.iter(f"{SVG}text")]


def span(drawn: ElementTree.Element, kind: str) -> tuple[float, float]:
    """Begin and width of the only rectangle of a class, in per cent."""
    (found,) = [each for each in drawn.iter(f"{SVG}rect") if each.get("class") == kind]
    return tuple(float(found.attrib[name].rstrip("%")) for name in ("x", "width"))  # type: ignore[return-value]


def test_a_picture_has_a_title_and_says_in_words_what_it_shows() -> None:
    drawn = picture(OVERLAP)
    assert drawn.get("role") == "img"
    named = {each.get("id"): each.text for each in drawn if each.get("id")}
    assert drawn.get("aria-labelledby", "").split() == list(named) == ["t7", "d7"]
    assert named["d7"] == describe_timeline(OVERLAP)


def test_what_is_after_the_lease_end_is_drawn_as_such_and_begins_there() -> None:
    late = picture(timeline(record(said(1), seen=(added(1.1), removed(13.5)))))
    assert span(late, "over")[0] == span(late, "after")[0]
    early = picture(timeline(record(said(1), seen=(added(1.1), removed(9)))))
    assert "over" not in kinds(early)
    assert "lease end" in texts(early)


def test_an_address_that_was_kept_until_a_late_renewal_is_over_only_in_between() -> None:
    drawn = picture(timeline(record(said(1), said(14), seen=(added(1.1), removed(20)))))
    scale = Drawing(timeline(record(said(1), said(14), seen=(added(1.1), removed(20)))), 1).scale
    begin, width = span(drawn, "over")
    assert (begin, width) == pytest.approx(
        (100 * scale.part(0), 100 * (scale.part(3) - scale.part(0))), abs=0.02
    )


def test_an_overlap_is_red_on_both_rows_and_told_where_there_is_room() -> None:
    assert kinds(picture(OVERLAP)).count("both") == 2
    long = timeline(record(said(1), seen=(added(1.1), added(2, host="b"), removed(11)), end=12))
    assert any(each.startswith("both: ") for each in texts(picture(long)))
    none = timeline(record(said(1), seen=(added(1.1), removed(9), added(12, host="b"))))
    assert not {"both", "between"} & set(kinds(picture(none)))


def test_what_is_a_moment_late_can_be_seen() -> None:
    line = timeline(record(said(1), seen=(added(1.1), removed(11.05)), end=40))
    assert span(picture(line), "over")[1] >= 0.4


def test_another_address_is_drawn_apart() -> None:
    seen = (added(1.1), removed(9), replace(added(10), address=IPv4Interface("169.254.7.7/16")))
    assert kinds(picture(timeline(record(said(1), seen=seen)))).count("else") == 1


@pytest.mark.parametrize(
    ("predicted", "there"), [(2.6, True), (-1.0, True), (None, False), (inf, False), (500, False)]
)
def test_a_prediction_is_drawn_where_it_leaves_room(predicted: float | None, there: bool) -> None:
    line = timeline(record(said(1), seen=(added(1.1), removed(9)), end=12))
    lines = [each.get("class") for each in picture(line, predicted).iter(f"{SVG}line")]
    assert ("predicted" in lines) is there


def test_events_that_are_near_have_one_number() -> None:
    drawing = Drawing(OVERLAP, 1)
    assert sum(map(len, drawing.groups)) == len(events(OVERLAP))
    begins = [group[0].at for group in drawing.groups]
    parts = [drawing.scale.part(each) for each in begins]
    assert min(after - before for before, after in pairwise(parts)) >= 0.049
    assert len(list(picture(OVERLAP).iter(f"{SVG}circle"))) == len(begins)


@pytest.mark.parametrize("lease", [1, 6, 86400, 10**8])
def test_the_axis_has_a_few_ticks_at_any_length(lease: int) -> None:
    line = timeline(record(said(1, lease=lease), seen=(added(1.1),), end=lease + 2))
    ticks = [each for each in texts(picture(line)) if re.fullmatch(r"[+−][\d.e+]+ s", each)]
    assert 2 <= len(ticks) <= 10


def test_a_record_of_nothing_can_be_drawn() -> None:
    drawn = picture(timeline(record(seen=(), end=0)))
    assert "after" not in kinds(drawn)


# The page ----------------------------------------------------------------------------------------


def shown(**changed: object) -> Shown:
    usual = Shown(
        client="udhcpc",
        server="Kea",
        fault="frozen",
        sentence="the client is stopped",
        lease=10,
        repeat=1,
        says="holds",
        holdover=-2.5,
        uncertainty=0.04,
        enforcer="kernel",
        predicted=1.1,
        timeline=OVERLAP,
    )
    return replace(usual, **changed)  # type: ignore[arg-type]


class Reader(HTMLParser):
    """Checks that tags are closed in order, and keeps what it sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def count(self, tag: str, **wanted: str) -> int:
        return sum(
            name == tag
            and all(value in (had.get(key) or "").split() for key, value in wanted.items())
            for name, had in self.tags
        )


SEVERAL = [
    shown(repeat=1, holdover=-2.5),
    shown(repeat=2, holdover=4.0, says="late", reason="it was there", duplicate=3.0, answered=2),
    shown(repeat=3, holdover=inf, says="late"),
    shown(fault="NAK", sentence="it refuses", after_nak=0.016),
    shown(
        client="dhcpcd",
        says="unknown",
        reason="missing: dhcpcd",
        holdover=None,
        predicted=None,
        timeline=None,
    ),
    shown(client="connman", says="wrong", holdover=9.0),
    shown(server="ISC dhcpd", predicted=inf),
]


def test_the_page_is_well_formed_and_so_is_each_picture() -> None:
    text = page(SEVERAL, "lab", {"date": "2026-11-24", "system": "Linux"})
    read = Reader(text)
    pictures = re.findall(r'<svg class="line".*?\n</svg>', text, re.DOTALL)
    assert len(pictures) == 6
    for each in pictures:
        ElementTree.fromstring(each)
    ids = [had["id"] for _, had in read.tags if "id" in had]
    assert len(ids) == len(set(ids))
    links = [had["href"] for tag, had in read.tags if tag == "a"]
    assert {each[1:] for each in links if each} <= set(ids)
    assert all("scope" in had for tag, had in read.tags if tag == "th")


def test_the_summary_has_least_median_and_greatest_and_the_worst_word() -> None:
    text = page(SEVERAL, "lab", {})
    assert '<td class="late"><a href="#cell-1"><b>late 2/3</b>' in text
    assert "−2.50&nbsp;/ +4.00&nbsp;/ forever" in text
    assert "NAK: +0.016" in text
    assert "both: 3.00 s</i>" in text
    assert text.count("<caption>") == 2, "a table for each server"
    assert "<td></td>" in text, "a field that was not asked for"


def test_each_verdict_has_its_word_and_its_meaning() -> None:
    text = page(SEVERAL, "lab", {})
    read = Reader(text)
    for says, means in VERDICTS.items():
        assert read.count("b", **{"class": says}) >= 2
        assert means in text
    assert "1 of 7: the measurement exceeds its prediction: the model or the profile is" in text


def test_a_cell_has_its_figures() -> None:
    words = " ".join(Reader(page(SEVERAL, "lab", {})).words)
    for expected in (
        "It was there.",
        "Missing: dhcpcd.",
        "never; still there at +9.00 s",
        "no bound",
        "+1.10 s",
        "hosts that answered ARP",
        "0.040 s",
        "There is no record",
        "kernel",
    ):
        assert expected in words
    assert "nobody" in page([shown(enforcer="", holdover=inf)], "lab", {})


def test_a_cell_of_two_hosts_has_theirs() -> None:
    both = Sharing(
        address=LEASED,
        shared=inf,
        total=40.0,
        spells=3,
        at_end=2,
        answered=2,
        other_had_it=True,
        told=80,
        offered=1,
        granted=5,
        declined=4,
        one_identity=True,
    )
    cell = shown(fault="clones", holdover=None, predicted=None, shared=both, predicted_shared=inf)
    text = page([cell, replace(cell, shared=replace(both, shared=2.5), repeat=2)], "lab", {})
    assert "both: forever</i>" in text
    for name, value in (
        ("two hosts had it", "2.50 s"),
        ("predicted at worst", "no bound"),
        ("times that both had it", "3"),
        ("hosts that had it at the end", "2"),
        ("DHCPACKs to who asked", "5"),
        ("DHCPDECLINEs", "4"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text
    assert "removed by" not in text, "there is no lease end"


def test_conditions_stand_at_the_end() -> None:
    text = page(SEVERAL, "lab", {"date": "2026-11-24"})
    assert '<th scope="row">date</th><td>2026-11-24</td>' in text.partition("<footer>")[2]


def test_few_cells_are_unfolded_and_of_many_the_worst() -> None:
    def unfolded(text: str, kind: str) -> int:
        return text.count(f'<details class="{kind}" open>')

    few = page(SEVERAL, "lab", {})
    assert unfolded(few, "cell") == len(SEVERAL) <= FEW
    more = page([*SEVERAL, *SEVERAL], "lab", {})
    assert (unfolded(more, "cell"), unfolded(more, "client")) == (1, 3)
    assert '<details class="cell" open><summary><b class="badge wrong">' in more
    many = page(SEVERAL * (MANY // len(SEVERAL) + 1), "lab", {})
    assert (unfolded(many, "cell"), unfolded(many, "client")) == (1, 1)


def test_a_page_of_nothing() -> None:
    assert "0 of 0" in page([], "lab", {})


HOSTILE = "x</title></style><script src='http://e.org/'>\"&\x00\x1b"


def test_text_of_others_is_text() -> None:
    named = replace(OVERLAP, gap=HOSTILE, happened=(replace(OVERLAP.happened[0], what=HOSTILE),))
    cell = shown(
        client=HOSTILE,
        server=HOSTILE,
        fault=HOSTILE,
        sentence=HOSTILE,
        reason=HOSTILE,
        enforcer=HOSTILE,
        timeline=named,
    )
    text = page([cell], HOSTILE, {HOSTILE: HOSTILE})
    read = Reader(text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in read.tags}
    assert read.count("style") == 2
    assert "\x00" not in text
    assert "\x1b" not in text
    assert "".join(read.words).count("<script") >= 8


def test_the_page_needs_nothing_but_itself() -> None:
    text = page(SEVERAL, "lab", {"date": "2026-11-24"})
    read = Reader(text)
    assert not {"script", "link", "img", "iframe", "object", "image", "use"} & {
        tag for tag, _ in read.tags
    }
    for _, had in read.tags:
        assert not [name for name in had if name.startswith("on") or name == "src"]
        assert (had.get("href") or "#").startswith("#")
    outside = re.sub(r'xmlns="[^"]*"', "", text)
    assert "://" not in outside
    assert set(re.findall(r"url\((.*?)\)", text)) == {"#late", "#both"}
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_a_page_of_a_thousand_cells_is_a_few_megabytes() -> None:
    assert len(page(SEVERAL * 165, "lab", {})) < 6_000_000


def test_the_address_in_question_is_told() -> None:
    assert "Who had 10.77.0.50 when; seconds after the lease end." in page([shown()], "lab", {})
    empty = timeline(record(seen=(), end=3))
    assert "Seconds after the end of the record." in page([shown(timeline=empty)], "lab", {})
