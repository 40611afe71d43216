"""Identifiers, literals and column types of DuckDB: the only place where text from a program
becomes SQL.
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from astrafs.plan import ir
from astrafs.typesys import Kind, Type


def ident(name: str) -> str:
    """Return ``name`` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return ``value`` as a string literal."""
    return "'" + value.replace("'", "''") + "'"


def sql_type(type_: Type) -> str:
    """Return the DuckDB type that holds values of ``type_`` inside a script."""
    match type_.kind:
        case Kind.INT | Kind.TIMESTAMP | Kind.DURATION | Kind.DATE:
            return "BIGINT"
        case Kind.FLOAT:
            return "DOUBLE"
        case Kind.DECIMAL:
            return f"DECIMAL({type_.precision}, {type_.scale})"
        case Kind.BOOL | Kind.NULL:
            return "BOOLEAN"
        case Kind.STRING | Kind.ENUM:
            return "VARCHAR"
        case Kind.BYTES:
            return "BLOB"
        case Kind.KEY:
            return sql_type(type_.parts[0]) if len(type_.parts) == 1 else "VARCHAR"
        case Kind.LIST:
            return f"{sql_type(type_.parts[0])}[]"
        case Kind.MAP:
            return f"MAP({sql_type(type_.parts[0])}, {sql_type(type_.parts[1])})"
        case Kind.VECTOR:
            return f"FLOAT[{type_.precision}]"
        case Kind.ERROR:
            raise ValueError("a program with errors has no SQL")
        case _:
            assert_never(type_.kind)


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
