"""Comparing two tables of answers to the last bit."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.online.given import cells, engine_column
from astrafs.record import dataclass
from astrafs.typesys import Type
from astrafs.values.bits import same_bits


@dataclass(frozen=True, slots=True)
class Difference:
    """One output that differs in the question ``row``: engine values as served and as backfilled.

    ``late`` where it was asked after all rows were in.
    """

    row: int
    output: str
    type: Type
    online: Any
    offline: Any
    late: bool


def differences(
    online: pa.Table, offline: pa.Table, outputs: Sequence[tuple[str, Type]], *, late: bool
) -> list[Difference]:
    """Return every output of every row whose bits differ, row by row."""
    found = []
    for name, type_ in outputs:
        served, filled = online.column(name), offline.column(name)
        if _surely_same(served, filled):
            continue
        pairs = (_values(column, type_) for column in (served, filled))
        for row, (left, right) in enumerate(zip(*pairs, strict=True)):
            if not same_bits(left, right):
                found.append(Difference(row, name, type_, left, right, late))
    return sorted(found, key=lambda one: one.row)


def _values(column: pa.ChunkedArray, type_: Type) -> list[Any]:
    return cells(engine_column(column, type_.optional()), type_)


def _surely_same(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    """Whether two columns are the same at a glance, by their bits where they hold floats."""
    if left.type != right.type or len(left) != len(right):
        return False
    if not pa.types.is_floating(left.type):
        return not pa.types.is_nested(left.type) and bool(left.equals(right))
    if not left.is_null().equals(right.is_null()):
        return False
    return bool(np.array_equal(_bits(left), _bits(right)))


def _bits(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.float64] = column.drop_null().to_numpy()
    return found.view(np.int64)


def bits_text(value: Any) -> str:
    """Return the bits of a float, or of the floats in a list or map, as hexadecimal digits; nothing
    for other values.
    """
    if isinstance(value, float):
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016x}"
    if isinstance(value, tuple):
        return " ".join(filter(None, map(bits_text, value)))
    return ""
