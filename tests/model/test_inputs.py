"""Text from outside: what is too large, no text, or commands a terminal is named, not obeyed."""

import time
from pathlib import Path

import pytest

from holdover.model.clients.profile import LARGEST, load, parse
from holdover.model.errors import InputError
from holdover.model.inputs import SHOWN, harmful, place_in_cache, printable, show_value

ESCAPE = "\x1b[2J"


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(str(path))
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    return said.removeprefix(f"{path}: ")


def given(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # with holes: to read it all would take hours
    start = time.process_time()
    assert refusal(path) == "larger than 64 KiB, the limit for a profile: shorten it"
    assert time.process_time() - start < 1


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    text = b'anchor = "ack"\n'
    comment = b"#" * (LARGEST - len(text))
    assert load(str(given(tmp_path / "most.toml", text + comment))).anchor == "ACK"
    said = refusal(given(tmp_path / "more.toml", text + comment + b"#"))
    assert said.startswith("larger than 64 KiB")


@pytest.mark.parametrize(
    "opening", ["x = " + "[" * 20_000, "x = " + "{a = " * 12_000], ids=str.split
)
def test_deep_nesting_is_named(opening: str, tmp_path: Path) -> None:
    said = refusal(given(tmp_path / "deep.toml", opening.encode()))
    assert said == "nested too deeply; a profile is a list of `key = value`"


def test_a_value_that_is_nested_is_shown_in_part(tmp_path: Path) -> None:
    text = "anchor = " + "[" * 150 + "]" * 150
    said = refusal(given(tmp_path / "nested.toml", text.encode()))
    assert said.startswith("line 1: anchor: [[[[")
    assert len(said) < 200


def test_a_long_value_is_shown_in_part() -> None:
    assert show_value("x" * 10_000) == f"'{'x' * (SHOWN - 1)}..."
    assert show_value("short") == "'short'"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            b"\xef\xbb\xbfprobes = true\n",
            "line 1: a byte order mark: save the file as UTF-8 without one",
        ),
        ("probes = true\n".encode("utf-16"), "byte 0: not UTF-8; UTF-16? save the file as UTF-8"),
        (b"# \xe4\n", "byte 2: not UTF-8; save the file as UTF-8"),
    ],
    ids=["byte order mark", "UTF-16", "Latin-1"],
)
def test_another_encoding_is_named(data: bytes, said: str, tmp_path: Path) -> None:
    assert refusal(given(tmp_path / "coded.toml", data)) == said


@pytest.mark.parametrize("key", ["name", "title", "notes"])
@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("\\u001b[2J", "U+001B"),
        ("\\u009b2J", "U+009B"),
        ("\\r", "U+000D"),
        ("\\u202e", "U+202E"),
        ("\\u0000", "U+0000"),
        ("\\u2028", "U+2028"),
    ],
    ids=["ESC", "CSI", "return", "right to left", "NUL", "line separator"],
)
def test_what_commands_a_terminal_is_refused(key: str, written: str, found: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(f'probes = true\n{key} = "mine{written}"\n', "mine.toml", "mine")
    said = str(caught.value)
    assert said == f"mine.toml: line 2: {key}: the control character {found}; write it without"


def test_sources_command_no_terminal_either() -> None:
    with pytest.raises(InputError, match=r"line 1: sources: the control character U\+0007"):
        parse('sources = ["RFC 2131", "a\\u0007"]\n', "mine.toml", "mine")


def test_notes_may_have_lines_and_a_name_none() -> None:
    assert parse('notes = "one\\n\\ttwo"\n', "mine.toml", "mine").notes == "one\n\ttwo"
    with pytest.raises(InputError, match=r"name: the control character U\+000A"):
        parse('name = "one\\ntwo"\n', "mine.toml", "mine")


def test_a_key_that_would_command_a_terminal_is_escaped() -> None:
    with pytest.raises(InputError) as caught:
        parse('"\\u001b[2J" = 1\n', "mine.toml", "mine")
    assert str(caught.value).isprintable()


def test_a_name_that_comes_from_the_file_is_escaped(tmp_path: Path) -> None:
    path = given(tmp_path / f"a{ESCAPE}b.toml", b"dialog = true\n")
    assert load(str(path)).name == "a\\x1b[2Jb"


def test_letters_of_every_script_are_left_alone() -> None:
    text = "Zürich, Ελλάδα, 東京\n"
    assert printable(text) == text
    assert harmful(text, "\n") is None
    assert printable(f"a{ESCAPE}\u202eb\x9b\udc80") == "a\\x1b[2J\\u202eb\\x9b\\udc80"


def test_the_cache_is_where_the_user_says_if_that_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The XDG Base Directory Specification has any other path ignored."""
    monkeypatch.setenv("HOME", "/home/of/nobody")
    for given in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert place_in_cache("roots") == Path("/home/of/nobody/.cache/holdover/roots")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert place_in_cache() == tmp_path / "holdover"
