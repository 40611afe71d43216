"""Sums over the elements of one list or vector: exact, and rounded once.

A null in any argument gives null.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.kernels.exact import root
from astrafs.kernels.kernel import Kernel
from astrafs.values.errors import FLOAT_OVERFLOW, ValueFailure

Floats = npt.NDArray[np.float64]

_UNIT = 149
"""Every float32 is a multiple of 2^-149."""


def _rows(column: pa.ChunkedArray | pa.Array) -> Iterator[Floats | None]:
    """Yield the elements that are not null of each list, None for a null list."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    for chunk in chunks:
        values = chunk.values
        numbers = values.fill_null(0.0).to_numpy(zero_copy_only=False).astype(np.float64)
        present = values.is_valid().to_numpy(zero_copy_only=False) if values.null_count else None
        offsets = chunk.offsets.to_numpy()
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
        for place in range(len(chunk)):
            if not valid[place]:
                yield None
                continue
            start, stop = offsets[place], offsets[place + 1]
            part = numbers[start:stop]
            yield part if present is None else part[present[start:stop]]


def _sum(column: pa.ChunkedArray) -> pa.Array:
    return pa.array(
        [None if row is None else _total(row) for row in _rows(column)],
        pa.float64(),
    )


def _total(row: Floats) -> float:
    try:
        return math.fsum(row.tolist()) + 0.0
    except OverflowError:  # perhaps of a sum on the way only
        try:
            return float(sum(map(Fraction, row.tolist()), Fraction(0))) + 0.0
        except OverflowError:
            raise ValueFailure(FLOAT_OVERFLOW, "a float result is beyond 1.8e308") from None


def _mean(column: pa.ChunkedArray) -> pa.Array:
    def one(row: Floats | None) -> float | None:
        if row is None or not len(row):
            return None
        exact = sum(map(Fraction, row.tolist()), Fraction(0)) / len(row)
        return exact.numerator / exact.denominator + 0.0

    return pa.array([one(row) for row in _rows(column)], pa.float64())


def _dot(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.Array:
    # The product of two float32 numbers is a float, so only the sum is to be rounded.
    return pa.array(
        [
            None if a is None or b is None else math.fsum((a * b).tolist()) + 0.0
            for a, b in zip(_rows(left), _rows(right), strict=True)
        ],
        pa.float64(),
    )


def _whole(row: Floats) -> list[int]:
    """Return the numbers as integers, in units of 2^-149."""
    return [int(value) for value in np.ldexp(row, _UNIT).tolist()]


def _norm(column: pa.ChunkedArray) -> pa.Array:
    def one(row: Floats | None) -> float | None:
        if row is None:
            return None
        return root(sum(value * value for value in _whole(row)), 1 << (2 * _UNIT))

    return pa.array([one(row) for row in _rows(column)], pa.float64())


def _cosine(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.Array:
    def one(a: Floats | None, b: Floats | None) -> float | None:
        if a is None or b is None:
            return None
        ones, others = _whole(a), _whole(b)
        scale = sum(x * x for x in ones) * sum(y * y for y in others)
        if not scale:
            return None
        across = sum(x * y for x, y in zip(ones, others, strict=True))
        found = root(across * across, scale)
        return -found + 0.0 if across < 0 else found

    rows = zip(_rows(left), _rows(right), strict=True)
    return pa.array([one(a, b) for a, b in rows], pa.float64())


def _kernel(count: int, kind: str, run: Callable[..., pa.Array]) -> Kernel:
    return Kernel((kind,) * count, "DOUBLE", run)


NESTED_KERNELS: dict[str, Kernel] = {
    "af_list_sum": _kernel(1, "DOUBLE[]", _sum),
    "af_list_mean": _kernel(1, "DOUBLE[]", _mean),
    "af_dot": _kernel(2, "FLOAT[]", _dot),
    "af_norm": _kernel(1, "FLOAT[]", _norm),
    "af_cosine": _kernel(2, "FLOAT[]", _cosine),
}
"""Every kernel by the name under which the session registers it."""
