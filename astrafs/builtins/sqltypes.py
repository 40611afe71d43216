"""The DuckDB types that hold values of the language inside a script."""

from __future__ import annotations

from typing import assert_never

from astrafs.typesys import Kind, Type


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
