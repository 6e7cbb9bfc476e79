"""The page of the API has each name that the cores offer, as the source has it."""

import inspect
import re
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from holdover.reference import core
from holdover.reference.docs.api_pages import core_calls, core_names

PAGE = core_names()


def section(name: str) -> str:
    """What the page has of a name."""
    return PAGE.partition(f"### `{name}`\n")[2].partition("\n### ")[0]


def test_each_name_of_the_face_has_a_section() -> None:
    names = re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE)
    assert sorted(names) == sorted(set(core.__all__) - {"client", "server"})


@pytest.mark.parametrize("name", [n for n in core.__all__ if is_dataclass(getattr(core, n))])
def test_a_class_is_shown_with_its_fields(name: str) -> None:
    kind: Any = getattr(core, name)
    lines = re.findall(r"^    (\w+):", section(name), re.MULTILINE)
    assert lines == [f.name for f in fields(kind)]


def test_calls_have_the_parameters_of_the_functions() -> None:
    shown = dict(re.findall(r"### `([\w.]+)`.*?\ndef \w+\((.*?)\) ->", core_calls(), re.DOTALL))
    for name, given in shown.items():
        where, _, call = name.partition(".")
        function = getattr(getattr(core, where), call)
        assert re.findall(r"(\w+):", given) == list(inspect.signature(function).parameters)
    assert list(shown) == ["client.step", "client.deadline", "server.step", "server.deadline"]
