"""What `--json` prints, held to the schemas that are installed with the commands."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator


@cache
def schemas() -> dict[str, Any]:
    """All schemas, as one."""
    text = (resources.files("holdover.reference.console") / "schema.json").read_text("utf-8")
    return dict(json.loads(text))


@cache
def forms() -> dict[str, list[str]]:
    """The forms that a document of each schema may have."""
    found: dict[str, list[str]] = {}
    for each in schemas()["oneOf"]:
        form = each["$ref"].removeprefix("#/$defs/")
        name = schemas()["$defs"][form]["properties"]["schema"]["const"]
        found.setdefault(name, []).append(form)
    return found


@cache
def validator(form: str) -> Draft202012Validator:
    whole = {key: value for key, value in schemas().items() if key != "oneOf"}
    return Draft202012Validator({**whole, "$ref": f"#/$defs/{form}"})


def valid(document: Any) -> bool:
    """Whether it is exactly of one form."""
    return len(forms_of(document)) == 1


def forms_of(document: Any) -> list[str]:
    """The forms of its schema that it has."""
    return [each for each in forms()[document["schema"]] if validator(each).is_valid(document)]


def checked(document: Any) -> Any:
    """The document, if it has exactly one form; else the test fails with what is wrong with it."""
    if not valid(document):
        wrong = [
            f"{form}: {error.json_path}: {error.message}"
            for form in forms()[document["schema"]]
            for error in validator(form).iter_errors(document)
        ]
        raise AssertionError("\n".join(wrong) or f"several forms: {forms_of(document)}")
    return document


def checked_text(text: str) -> Any:
    """A document as it was printed."""
    return checked(json.loads(text))
