"""The model that SPIN is given, packed: each item in as many bits as it takes.

Theory of operation.  An export for readers has arrays of bytes and shorts.  SPIN compares, hashes
and keeps whole vectors of them, and has no arrays of bits.  All indices of an export are literals,
so each item can be a variable of its own, `unsigned x : bits`, which gcc packs.  Instants are
negative, too: `signed_fields` has pan's own declarations changed, for Promela has no such type.

The states are the same, which the benchmark sees by their number.
"""

from __future__ import annotations

import re

DECLARED = re.compile(r"^(mtype|byte|short|bool) (\w+)\[\d+\] = (\w+);", re.MULTILINE)


def defined(text: str, name: str) -> int:
    """A number that the export defines."""
    found = re.search(rf"^#define {name} \(?(-?\d+)", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def packed(text: str) -> str:
    """An export with a variable for each item."""
    past = defined(text, "PAST")
    instant = (2 * past + 2).bit_length() + 1
    values = re.findall(r"^mtype = \{(.*?)\}", text, re.MULTILINE)
    members = max(map(int, re.findall(r"^#define [ham]\d+ (\d+)", text, re.MULTILINE))) + 1
    bits = {
        "mtype": sum(len(each.split(",")) for each in values).bit_length(),
        "byte": members.bit_length(),
        "short": instant,
        "bool": 1,
    }
    arrays = {name: kind for kind, name, _ in DECLARED.findall(text)}
    items = {name: sorted(set(re.findall(rf"\b{name}\[([ham]\d+)\]", text))) for name in arrays}

    def declared(found: re.Match[str]) -> str:
        kind, name, first = found.groups()
        field = "instant" if kind == "short" else "item"
        return "\n".join(
            f"unsigned {field}_{name}_{item} : {bits[kind]} = {first};" for item in items[name]
        )

    text = DECLARED.sub(declared, text)
    for name, kind in arrays.items():
        field = "instant" if kind == "short" else "item"
        text = re.sub(rf"\b{name}\[([ham]\d+)\]", rf"{field}_{name}_\1", text)
    text = re.sub(r"(#define UNSET) \S+", rf"\1 (-{1 << (instant - 1)})", text)
    return re.sub(r"(#define NONE) \d+", rf"\1 {(1 << members.bit_length()) - 1}", text)


def signed_fields(pan: str) -> str:
    """The declarations of pan with instants that can be negative."""
    return re.sub(r"\bunsigned (instant_\w+) :", r"signed \1 :", pan)
