"""All scalar builtins by name and by operator symbol, and how one is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from astrafs.builtins.scalars import (
    arithmetic,
    casts,
    days,
    lists,
    logic,
    maps,
    mathematics,
    strings,
    times,
    vectors,
    widening,
)
from astrafs.builtins.spec import Function, Nulls
from astrafs.typesys import Type

_ROWS = (
    *arithmetic.ROWS,
    *logic.ROWS,
    *casts.ROWS,
    *mathematics.ROWS,
    *strings.ROWS,
    *lists.ROWS,
    *maps.ROWS,
    *vectors.ROWS,
    *times.ROWS,
    *days.ROWS,
    *widening.ROWS,
)


def _index(rows: tuple[Function, ...]) -> Mapping[str, Function]:
    found: dict[str, Function] = {}
    for row in rows:
        if row.name in found:
            raise ValueError(f"builtin {row.name} has two rows")
        found[row.name] = row
    return MappingProxyType(found)


FUNCTIONS: Mapping[str, Function] = _index(_ROWS)
"""Every row by the name that plans use."""

INTERNAL = frozenset(row.name for row in _ROWS if row.group == "internal")
"""Names that only the compiler writes."""

OPERATORS: Mapping[str, Function] = MappingProxyType(
    {row.symbol: row for row in _ROWS if row.symbol and row.name != "neg"}
)
"""Binary and keyword operators by symbol, such as ``+``, ``==``, ``and``, ``??``."""

UNARY: Mapping[str, Function] = MappingProxyType({"-": FUNCTIONS["neg"], "not": FUNCTIONS["not"]})
"""Prefix operators by symbol."""

CALLABLE: Mapping[str, Function] = MappingProxyType(
    {
        name: row
        for name, row in FUNCTIONS.items()
        if row.group != "internal" and (not row.symbol or name == "coalesce")
    }
)
"""What a program may call as ``name(...)``; operators are written by their symbol."""


def evaluate(name: str, values: tuple[Any, ...], types: tuple[Type, ...], result: Type) -> Any:
    """Compute one call by the reference meaning; raises ``errors.ValueFailure`` where the run must
    stop.
    """
    row = FUNCTIONS[name]
    if row.nulls is Nulls.STRICT and any(value is None for value in values):
        return None
    return row.evaluate(values, types, result)


def sql_text(name: str, args: tuple[str, ...], types: tuple[Type, ...], result: Type) -> str:
    """The DuckDB text of one call; ``args`` are the texts of operands that may be repeated."""
    row = FUNCTIONS[name]
    return row.sql.format(*args) if isinstance(row.sql, str) else row.sql(args, types, result)
