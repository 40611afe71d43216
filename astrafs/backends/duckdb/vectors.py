"""Vectors in outer joins: the engine fails on some outer joins of fixed-size arrays ("Cannot cast
list with length 0 to array"), so vectors cross them as lists.
"""

from __future__ import annotations

from collections.abc import Mapping

from astrafs.backends.duckdb.names import ident, sql_type
from astrafs.typesys import Kind, Type


def as_lists(relation: str, columns: Mapping[str, Type]) -> str:
    """Return SQL for ``relation``, which has ``columns``, with its vectors as lists."""
    vectors = [
        f"{ident(name)}::FLOAT[] AS {ident(name)}"
        for name, type_ in columns.items()
        if type_.kind is Kind.VECTOR
    ]
    return f"(SELECT * REPLACE ({', '.join(vectors)}) FROM {relation})" if vectors else relation


def from_list(value: str, type_: Type) -> str:
    """Return SQL for a value that has crossed an outer join, a vector again if it was one."""
    if type_.kind is not Kind.VECTOR:
        return value
    return f"CASE WHEN {value} IS NOT NULL THEN {value}::{sql_type(type_)} END"
