"""Finishing sketches, decayed means and vectors of exact totals."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np
import pyarrow as pa

from astrafs.kernels.exact import REST_BITS, floats, integers, joined
from astrafs.kernels.kernel import Kernel
from astrafs.values import correct
from astrafs.values.sketch import MOST_RANK, REGISTERS

_ALPHA = Fraction(7213, 10_000) / (1 + Fraction(1079, 1000 * REGISTERS))


@cache
def _counted(empty: int) -> int:
    """The estimate from the number of empty registers alone."""
    logarithm = correct.ln(REGISTERS / empty)
    assert logarithm is not None
    return math.floor(REGISTERS * Fraction(logarithm) + Fraction(1, 2))


def estimate(weights: int, taken: int) -> int:
    """Return the estimate of a sketch with ``taken`` registers in use, where ``weights`` units of
    2**-53 are missing from the sum of 2**-register.
    """
    total = Fraction((REGISTERS << MOST_RANK) - weights, 1 << MOST_RANK)
    raw = _ALPHA * REGISTERS * REGISTERS / total
    empty = REGISTERS - taken
    if empty and raw <= Fraction(5, 2) * REGISTERS:
        return _counted(empty)
    return math.floor(raw + Fraction(1, 2))


def _estimate(weights: pa.ChunkedArray, taken: pa.ChunkedArray) -> pa.Array:
    columns = (integers(joined(column)) for column in (weights, taken))
    return pa.array([estimate(w or 0, n or 0) for w, n in zip(*columns, strict=True)], pa.int64())


def _bits(column: pa.ChunkedArray) -> pa.Array:
    array = joined(column)
    present = array.is_valid().to_numpy(zero_copy_only=False)
    values = array.fill_null(0.0).to_numpy(zero_copy_only=False)
    return pa.array(values.view(np.int64), mask=~present)


def _ratio(
    whole: pa.ChunkedArray,
    rest: pa.ChunkedArray,
    other_whole: pa.ChunkedArray,
    other_rest: pa.ChunkedArray,
) -> pa.Array:
    columns = [integers(joined(column)) for column in (whole, rest, other_whole, other_rest)]
    found: list[float | None] = []
    for a, b, c, d in zip(*columns, strict=True):
        if a is None or b is None or c is None or d is None:
            found.append(None)
            continue
        found.append(((a << REST_BITS) + b) / ((c << REST_BITS) + d) + 0.0)
    return floats(found)


def nearest_single(numerator: int, denominator: int) -> float:
    """Return the float32 nearest to a quotient (``denominator`` > 0), as a float."""
    size = abs(numerator)
    # Two more bits than a float32 has, and a sticky one, survive the way through a float64.
    shift = max(0, 60 - size.bit_length() + denominator.bit_length())
    quotient, left = divmod(size << shift, denominator)
    extra = max(0, quotient.bit_length() - 50)
    kept = quotient >> extra
    sticky = left != 0 or kept << extra != quotient
    exact = math.ldexp(float(kept * 2 + sticky), extra - shift - 1)
    return math.copysign(float(np.float32(exact)), numerator) + 0.0


def _single(whole: pa.ChunkedArray, rest: pa.ChunkedArray, count: pa.ChunkedArray) -> pa.Array:
    columns = [integers(joined(column)) for column in (whole, rest, count)]
    return pa.array(
        [
            None
            if w is None or r is None or not n
            else nearest_single((w << REST_BITS) + r, n << REST_BITS)
            for w, r, n in zip(*columns, strict=True)
        ],
        pa.float32(),
    )


KERNELS: dict[str, Kernel] = {
    "af_estimate": Kernel(("HUGEINT", "HUGEINT"), "BIGINT", _estimate),
    "af_bits": Kernel(("DOUBLE",), "BIGINT", _bits),
    "af_ratio": Kernel(("HUGEINT",) * 4, "DOUBLE", _ratio),
    "af_single": Kernel(("HUGEINT", "HUGEINT", "HUGEINT"), "FLOAT", _single),
}
