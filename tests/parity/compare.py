"""Bit-for-bit comparison of two answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that stopped; ``code`` is the first diagnostic's."""

    code: str
    text: str = ""


Outcome = pa.Table | Failure


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two answers are not the same; ``row`` is None for the shape of the table."""

    column: str
    row: int | None
    left: str
    right: str

    def __str__(self) -> str:
        place = self.column if self.row is None else f"{self.column}[{self.row}]"
        return f"{place}: {self.left} against {self.right}"


def differences(left: Outcome, right: Outcome, *, most: int = 5) -> list[Difference]:
    """Return the first ``most`` differences.

    Codes, columns, types, nulls and the bits of every value.
    """
    if isinstance(left, Failure) or isinstance(right, Failure):
        if isinstance(left, Failure) and isinstance(right, Failure) and left.code == right.code:
            return []
        return [Difference("outcome", None, _outcome(left), _outcome(right))]
    if left.schema.names != right.schema.names:
        return [Difference("columns", None, str(left.schema.names), str(right.schema.names))]
    if left.num_rows != right.num_rows:
        return [Difference("rows", None, str(left.num_rows), str(right.num_rows))]
    found: list[Difference] = []
    for name in left.schema.names:
        found += _column(name, left.column(name), right.column(name), most - len(found))
        if len(found) >= most:
            break
    return found


def _outcome(outcome: Outcome) -> str:
    if isinstance(outcome, Failure):
        return f"{outcome.code} {outcome.text}"
    return f"{outcome.num_rows} rows"


def _column(
    name: str, left: pa.ChunkedArray, right: pa.ChunkedArray, most: int
) -> list[Difference]:
    if left.type != right.type:
        return [Difference(name, None, str(left.type), str(right.type))]
    wrong = np.flatnonzero(_unequal(left.combine_chunks(), right.combine_chunks()))
    return [
        Difference(name, int(row), _show(left[int(row)]), _show(right[int(row)]))
        for row in wrong[:most]
    ]


def _unequal(left: pa.Array, right: pa.Array) -> np.ndarray:
    if len(left) == 0:
        return np.zeros(0, dtype=bool)
    nulls = pc.is_null(left).to_numpy(zero_copy_only=False)
    other = pc.is_null(right).to_numpy(zero_copy_only=False)
    if pa.types.is_nested(left.type):
        # As text, so that -0.0 is not 0.0 in a list either.
        texts = (map(repr, column.to_pylist()) for column in (left, right))
        same = np.array([one == other for one, other in zip(*texts, strict=True)])
    elif pa.types.is_floating(left.type):
        # The bits, so that -0.0 is not 0.0 and a NaN (which no answer may hold) shows up.
        same = _bits(left) == _bits(right)
    else:
        same = pc.fill_null(pc.equal(left, right), False).to_numpy(zero_copy_only=False)
    return (nulls != other) | (~nulls & ~same)


def _bits(column: pa.Array) -> np.ndarray:
    return pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False).view(np.int64)


def _show(cell: pa.Scalar) -> str:
    value = cell.as_py() if not pa.types.is_temporal(cell.type) else cell
    return value.hex() if isinstance(value, float) else repr(value)


def bits_differing(left: Outcome, right: Outcome) -> int:
    """Return how many bits of equal-shaped float columns differ, other values counting one each."""
    if isinstance(left, Failure) or isinstance(right, Failure):
        return len(differences(left, right))
    if left.schema != right.schema or left.num_rows != right.num_rows:
        return 1
    total = 0
    for a, b in zip(left.columns, right.columns, strict=True):
        one, two = a.combine_chunks(), b.combine_chunks()
        wrong = _unequal(one, two)
        total += int(wrong.sum())
        if pa.types.is_floating(a.type) and len(one):
            nulls = pc.or_(pc.is_null(one), pc.is_null(two)).to_numpy(zero_copy_only=False)
            mixed = np.bitwise_xor(_bits(one), _bits(two))[wrong & ~nulls].view(np.uint8)
            total += int(np.unpackbits(mixed).sum()) - int((wrong & ~nulls).sum())
    return total
