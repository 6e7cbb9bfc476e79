"""What is said of malformed messages: each once, few in a while, and the rest counted."""

from holdover.reference.core.instants import SECOND
from holdover.reference.linux.malformed import BURST, REMEMBERED, SPELL, Sparing, describe_malformed
from holdover.reference.wire.option_layout import Dropped

DNS = Dropped(6, "expected 1 or more of 4 bytes (an address), got a length of 0", 250)


def test_a_line_says_what_was_dropped_and_why() -> None:
    said = describe_malformed(
        "DHCPACK from 10.0.0.1", [DNS, Dropped(26, "expected 2 bytes", 260)], None
    )
    assert str(said) == (
        "DHCPACK from 10.0.0.1: read without option 6 (domain name servers): expected 1 or more "
        "of 4 bytes (an address), got a length of 0; option 26 (interface MTU): expected 2 bytes"
    )


def test_a_line_says_for_what_a_message_was_refused() -> None:
    said = describe_malformed(
        "DHCPACK from 10.0.0.1", [DNS], "option 51 (IP address lease time): why"
    )
    assert str(said) == "DHCPACK from 10.0.0.1: refused for option 51 (IP address lease time): why"


def test_a_line_names_few_options_and_the_value_has_them_all() -> None:
    said = describe_malformed("x", [Dropped(code, "y", 0) for code in range(100, 120)], None)
    assert len(said.dropped) == 20
    assert str(said).endswith("option 102 (unknown): y; and 17 more")


def test_the_same_is_said_once() -> None:
    sparing, said = Sparing(), describe_malformed("x", [DNS], None)
    assert sparing.line(said, 0) == str(said)
    assert sparing.line(said, 0) is None
    assert sparing.line(said, 100 * SPELL) is None


def test_a_flood_is_some_lines_in_a_spell_and_a_number() -> None:
    sparing = Sparing()
    lines = [
        line
        for each in range(1000)
        if (
            line := sparing.line(
                describe_malformed(f"flood {each}", [DNS], None), each * SECOND // 100
            )
        )
    ]
    assert len(lines) == BURST
    line = sparing.line(describe_malformed("later", [DNS], None), SPELL + 10 * SECOND)
    assert line is not None
    assert line.endswith(" (992 other lines about malformed messages are left out)")
    after = sparing.line(describe_malformed("and then", [DNS], None), SPELL + 11 * SECOND)
    assert after is not None
    assert "left out" not in after


def test_what_is_remembered_is_bounded() -> None:
    sparing = Sparing()
    for each in range(3 * REMEMBERED):
        sparing.line(describe_malformed(f"flood {each}", [DNS], None), each * SPELL)
    assert len(sparing._said) == REMEMBERED
