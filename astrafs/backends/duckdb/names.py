"""Identifiers, literals and column types of DuckDB: the only place where text from a program
becomes SQL.
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from astrafs.builtins.sqltypes import sql_type
from astrafs.plan import ir
from astrafs.typesys import Kind, Type

__all__ = ["ident", "literal", "sql_type", "text"]


def ident(name: str) -> str:
    """Return ``name`` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return ``value`` as a string literal."""
    return "'" + value.replace("'", "''") + "'"


def literal(value: ir.Value, type_: Type) -> str:
    """Return a typed literal; a bare ``0.1`` would be a DECIMAL to the engine, hence the casts."""
    kind = sql_type(type_)
    match value:
        case None:
            return f"NULL::{kind}"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            if type_.kind in (Kind.FLOAT, Kind.DECIMAL):
                return f"'{value}'::{kind}"
            return f"{value}::{kind}" if value >= 0 else f"({value})::{kind}"
        case float():
            return f"'{value!r}'::{kind}"
        case Decimal():
            return f"'{value:f}'::{kind}"
        case str():
            return text(value)
        case bytes():
            return f"from_hex('{value.hex()}')"
        case _:
            assert_never(value)
