"""Data classes whose methods are made when they are first called.

``dataclasses`` compiles six methods for each class while the module that holds it is loaded. The
compiler has some two hundred such classes and a command uses a part of them, so that most of its
start went there. :func:`dataclass` here takes the same declarations and gives the same behaviour
(``fields``, ``replace``, ``match`` patterns and errors included); only ``slots=True`` is accepted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

_FACTORY = "_factory_"


@dataclass_transform(field_specifiers=(dataclasses.field,))
def dataclass(
    *, frozen: bool = False, slots: bool, order: bool = False
) -> Callable[[type[T]], type[T]]:
    """Make a data class with slots; a ``frozen`` one can be hashed and not be changed."""
    if not slots:
        raise TypeError("records have slots")
    if order:
        return dataclasses.dataclass(frozen=frozen, slots=True, order=True)

    def decorate(cls: type[T]) -> type[T]:
        own = set(cls.__dict__)
        plain = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)
        made: Any = plain(cls)
        _put_off(made, "__init__", _init_source, own)
        _put_off(made, "__eq__", _eq_source, own)
        if "__repr__" not in own:
            made.__repr__ = _represent
        if frozen:
            if "__hash__" not in own:
                _put_off(made, "__hash__", _hash_source, own)
            made.__setattr__ = _refuse_set
            made.__delattr__ = _refuse_delete
            made.__getstate__ = _state
            made.__setstate__ = _restore
        elif "__hash__" not in own:
            made.__hash__ = None
        found: type[T] = made
        return found

    return decorate


Source = Callable[[tuple["dataclasses.Field[Any]", ...], dict[str, Any]], str]
"""Writes the source of a method for fields, and adds to the names that it uses."""


def _put_off(cls: Any, name: str, source: Source, own: set[str]) -> None:
    """Give ``cls`` a method ``name`` that replaces itself with the real one when it is called."""
    if name in own:
        return

    def first(self: Any, *args: Any, **kwargs: Any) -> Any:
        names: dict[str, Any] = {"cls": cls}
        text = source(dataclasses.fields(cls), names)
        exec(text, names)  # made of field names only, which are identifiers
        method = names[name]
        method.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, method)
        return method(self, *args, **kwargs)

    first.__name__ = name
    first.__qualname__ = f"{cls.__qualname__}.{name}"
    setattr(cls, name, first)


def _init_source(fields: tuple[dataclasses.Field[Any], ...], names: dict[str, Any]) -> str:
    cls = names["cls"]
    positional: list[str] = ["self"]
    keyword: list[str] = []
    body: list[str] = []
    for field in fields:
        name = field.name
        value = name
        names[f"_set_{name}"] = getattr(cls, name).__set__
        if field.default_factory is not dataclasses.MISSING:
            names[f"_make_{name}"] = field.default_factory
            names[_FACTORY] = _FACTORY_MARK
            made = f"_make_{name}()"
            value = f"{made} if {name} is {_FACTORY} else {name}" if field.init else made
        elif field.default is not dataclasses.MISSING:
            names[f"_default_{name}"] = field.default
            if not field.init:
                value = f"_default_{name}"
        elif not field.init:
            continue
        if field.init:
            has_default = f"_default_{name}" in names or f"_make_{name}" in names
            default = f"_default_{name}" if f"_default_{name}" in names else _FACTORY
            written = f"{name}={default}" if has_default else name
            (keyword if field.kw_only else positional).append(written)
        body.append(f"    _set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()")
    listed = ", ".join([*positional, *(["*", *keyword] if keyword else [])])
    return "\n".join([f"def __init__({listed}):", *(body or ["    pass"])])


_FACTORY_MARK = object()


def _tuple_of(owner: str, fields: tuple[dataclasses.Field[Any], ...]) -> str:
    return "(" + "".join(f"{owner}.{field.name}, " for field in fields) + ")"


def _eq_source(fields: tuple[dataclasses.Field[Any], ...], names: dict[str, Any]) -> str:
    del names
    compared = tuple(field for field in fields if field.compare)
    left, right = _tuple_of("self", compared), _tuple_of("other", compared)
    return (
        "def __eq__(self, other):\n"
        "    if other.__class__ is not self.__class__:\n"
        "        return NotImplemented\n"
        f"    return {left} == {right}"
    )


def _hash_source(fields: tuple[dataclasses.Field[Any], ...], names: dict[str, Any]) -> str:
    del names
    hashed = tuple(
        field for field in fields if (field.compare if field.hash is None else field.hash)
    )
    return f"def __hash__(self):\n    return hash({_tuple_of('self', hashed)})"


def _represent(self: Any) -> str:
    shown = ", ".join(
        f"{field.name}={getattr(self, field.name)!r}"
        for field in dataclasses.fields(self)
        if field.repr
    )
    return f"{self.__class__.__qualname__}({shown})"


def _refuse_set(self: Any, name: str, value: object) -> None:
    del self, value
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    del self
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
