"""The page on what commands print with `--json`: each form that `console/schema.json` has.

What it does not know: what a command prints; tests hold real outputs to the same schemas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from holdover.reference.docs.markdown import code, codes, table

Schema = Mapping[str, Any]

DEFINED = "#/$defs/"


@cache
def schemas() -> Schema:
    """All of them, as one JSON Schema."""
    text = (resources.files("holdover.reference.console") / "schema.json").read_text("utf-8")
    found: Schema = json.loads(text)
    return found


def forms() -> list[str]:
    """The forms that a document, or a line, may have."""
    return [str(each["$ref"]).removeprefix(DEFINED) for each in schemas()["oneOf"]]


def documents() -> str:
    """Each form: which command prints it, and its keys."""
    return "\n".join(document(schemas()["$defs"][name]) for name in forms())


def document(form: Schema) -> str:
    """A form with its schema and version in front of its keys."""
    name = form["properties"]["schema"]["const"]
    version = form["properties"]["version"]["const"]
    keys = {k: v for k, v in form["properties"].items() if k not in ("schema", "version")}
    head = f"### {code(name)}, version {version}: {form['description']}"
    return f"{head}\n\n{key_table(keys)}"


def parts() -> str:
    """What documents are made of."""
    return "\n".join(
        f"### {name}\n\n{part['description']}.\n\n"
        + (key_table(part["properties"]) if "properties" in part else f"{kind(part)}.\n")
        for name, part in schemas()["$defs"].items()
        if name not in forms()
    )


def key_table(keys: Schema) -> str:
    """Keys with type, unit and meaning."""
    rows = [(code(key), kind(v), v.get("unit", ""), says(v)) for key, v in keys.items()]
    return table(("key", "type", "unit", "meaning"), rows)


def says(value: Schema) -> str:
    """What a value means; of a part without another meaning, what the part is."""
    text = value.get("description") or schemas()["$defs"][part_name(value)]["description"]
    return str(text)


def kind(value: Schema) -> str:
    """The type of a value, in words and links."""
    return " or ".join(dict.fromkeys(kinds(value)))


def kinds(value: Schema) -> Iterator[str]:
    """Each type that it may have."""
    if "$ref" in value:
        yield f"[{part_name(value)}](#{part_name(value)})"
    for each in value.get("anyOf", ()):
        yield from kinds(each)
    if "const" in value:
        yield codes([json.dumps(value["const"])])
    yield from (code(json.dumps(each)) for each in value.get("enum", ()))
    types = value.get("type", [])
    for name in [types] if isinstance(types, str) else types:
        yield f"list of ({kind(value['items'])})" if name == "array" else name


def part_name(value: Schema) -> str:
    """The part that a value refers to."""
    return str(value["$ref"]).removeprefix(DEFINED)


GENERATORS: Mapping[str, Callable[[], str]] = {"json-documents": documents, "json-parts": parts}
