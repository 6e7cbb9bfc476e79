"""Values of frozen classes, built fast.

Theory of operation.  A frozen dataclass sets each of its fields by `object.__setattr__`, which
takes three times as long as an assignment; of a large capture hundreds of thousands are built.
`twin` makes a class with the same slots that is not frozen: its instances are filled by
assignments, and then told that they are of the frozen class (`value.__class__ = Use`).  Python
allows that where the slots are the same, and raises TypeError where they are not.

A tuple with names is built by `tuple_maker` from all of its values at once, with no call of Python.

`KnownAddress` is an address that has its hash at hand: Python works that out, from the number
written in hexadecimal, each time that it is asked.

What it does not know: `__post_init__`; a class that has one has no twin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, make_dataclass
from functools import partial
from ipaddress import IPv4Address
from typing import Any, TypeVar

T = TypeVar("T", bound=tuple[Any, ...])


class KnownAddress(IPv4Address):
    """An IPv4 address, equal to all others of its number."""

    __slots__ = ("_known",)

    def __init__(self, number: int | str) -> None:
        super().__init__(number)
        self._known = super().__hash__()

    def __hash__(self) -> int:
        return self._known

    def __repr__(self) -> str:
        return f"IPv4Address('{self}')"


def twin(frozen: type) -> Any:
    """The class that is filled in place of a frozen one."""
    if hasattr(frozen, "__post_init__"):
        raise TypeError(f"{frozen.__name__} checks its values: it has no twin")
    names = [field.name for field in fields(frozen)]
    return make_dataclass(f"{frozen.__name__}Twin", names, slots=True, eq=False)


def tuple_maker(named: type[T]) -> Callable[[Iterable[Any]], T]:
    """Makes tuples of a class from all of their values, the optional ones too."""
    return partial(tuple.__new__, named)
