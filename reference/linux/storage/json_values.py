"""Values of the cores as JSON has them, and back.

Theory of operation.  A frozen dataclass becomes an object of its fields, a tuple an array, an enum
its name, bytes their hex, an address its text; options are as on the wire, in hex by code.
`from_json(kind, to_json(value)) == value`: the annotations of the class say what is expected, and
what is not exactly that is a ValueError: a field too many or too few, a number that is text or
`true`.

What it does not know: classes that changed since a value was written.  Whoever keeps values keeps a
version beside them.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from ipaddress import IPv4Address
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from holdover.reference.wire.options import Options, option_of

PLAIN = frozenset((bool, int, str, NoneType))
"""What JSON has itself; an enum, which may be a number too, is of none of these types."""


def to_json(value: Any) -> Any:
    """A value of the cores as JSON has it; `from_json` reads it."""
    kind: Any = type(value)
    if kind in PLAIN:
        return value
    if kind is IPv4Address:
        return str(value)
    match value:
        case Enum():
            return value.name
        case int() | str():
            return value
        case bytes():
            return value.hex()
        case IPv4Address():
            return str(value)
        case Options():
            return [[code, data.hex()] for code, data in value.pairs()]
        case tuple():
            return [to_json(each) for each in value]
    if not is_dataclass(value):
        raise TypeError(f"no value of the cores: {value!r}")
    return {name: to_json(getattr(value, name)) for name in names_of(kind)}


@cache
def names_of(kind: Any) -> tuple[str, ...]:
    """Of the fields of a class of the cores."""
    return tuple(field.name for field in fields(kind))


def from_json(kind: Any, said: Any) -> Any:
    """The value of that type that `to_json` wrote; ValueError if it is none."""
    if get_origin(kind) is UnionType:
        (one,) = (each for each in get_args(kind) if each is not NoneType)
        return None if said is None else from_json(one, said)
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        items = of(list, said)
        if others == [...]:
            return tuple(from_json(first, each) for each in items)
        return tuple(from_json(*pair) for pair in zip((first, *others), items, strict=True))
    if kind in (bool, int, str):
        return of(kind, said)
    if kind is bytes:
        return bytes.fromhex(of(str, said))
    if kind is IPv4Address:
        return IPv4Address(of(str, said))
    if kind is Options:
        return Options([option(of(list, pair)) for pair in of(list, said)])
    if issubclass(kind, Enum):
        if of(str, said) not in kind.__members__:
            raise ValueError(f"unknown {kind.__name__} {said!r}")
        return kind[said]
    types = field_types(kind)
    if set(of(dict, said)) != set(types):
        raise ValueError(f"{kind.__name__}: expected {', '.join(types)}; got {', '.join(said)}")
    return kind(**{name: from_json(types[name], said[name]) for name in types})


@cache
def field_types(kind: type) -> dict[str, Any]:
    """The fields of a class of the cores, and their types."""
    return get_type_hints(kind)


def option(said: list[Any]) -> tuple[int, Any]:
    """An option from its code and the hex of its bytes."""
    if len(said) != 2:
        raise ValueError(f"expected code and bytes of an option, got {said!r:.40}")
    code = of(int, said[0])
    return code, option_of(code).kind.read(bytes.fromhex(of(str, said[1])))


def of(kind: type, said: Any) -> Any:
    """What was said, if it is exactly of that type: True is no number."""
    if type(said) is not kind:
        raise ValueError(f"expected {kind.__name__}, got {said!r:.40}")
    return said
