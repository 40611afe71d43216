"""Running totals of exact sums as columns of 64-bit integers, whose differences are windows.

A total of floats is ``whole + (high * 2**43 + low) * 2**-86`` in three columns, one of squares nine
limbs of 30 bits in units of ``2**-172``; ints and decimals (in units of their scale) are one column.
Running totals may wrap around: the difference of two is right as long as the total of one entity's
rows fits. Columns whose values are too large for that have no running totals here (None), and
windows over them are summed as Python integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.kernels.exact import LIMB_BITS, REST_BITS, square_limbs, words
from astrafs.values.numbers import SUM_LIMIT, summable

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

HALF_BITS = REST_BITS // 2
SQUARE_LIMBS = 9
SQUARE_LIMB_BITS = LIMB_BITS // 2
_WHOLE_LIMIT = 2.0**43
_MOST_ROWS = 1 << 18
_MOST = 1 << 62

WIDTHS = {"count": 1, "true": 1, "false": 1, "sum": 3, "square": SQUARE_LIMBS}
"""The columns of each state of floats; exact types take one."""


def width(name: str, *, floats: bool) -> int:
    """Return how many columns a state has."""
    return WIDTHS[name] if floats else 1


def running(name: str, column: pa.Array, taken: Flags | None, longest: int) -> tuple[Ints, ...] | None:
    """Return the running totals of the state ``name``, each one longer than the column.

    ``longest`` is the most rows of one entity. Raises ``ValueFailure`` for floats that cannot enter
    exact sums.
    """
    if name in ("true", "false"):
        flags = filled(column, name == "false")
        flags = flags if name == "true" else ~flags
        return (_along(flags if taken is None else flags & taken),)
    if pa.types.is_floating(column.type):
        return _of_floats(name, _floats(column, taken), longest)
    units = _units(column, taken)
    if units is None:
        return None
    largest = max(-int(units.min(initial=0)), int(units.max(initial=0)))
    if name == "square":
        if largest * largest * max(longest, 1) >= _MOST:
            return None
        return (_along(units * units),)
    return (_along(units),) if largest * max(longest, 1) < _MOST else None


def filled(column: pa.Array, value: Any) -> npt.NDArray[Any]:
    """Return a column of numbers or booleans with ``value`` for nulls."""
    whole = pc.fill_null(column, value) if column.null_count else column
    return whole.to_numpy(zero_copy_only=False)


def _along(values: npt.NDArray[np.generic]) -> Ints:
    found = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, dtype=np.int64, out=found[1:])
    return found


def _floats(column: pa.Array, taken: Flags | None) -> Floats:
    values: Floats = filled(column, 0.0)
    return values if taken is None else np.where(taken, values, 0.0)


def _of_floats(name: str, values: Floats, longest: int) -> tuple[Ints, ...] | None:
    largest = float(np.abs(values).max(initial=0.0))
    if largest >= SUM_LIMIT:
        summable(largest)
    if largest >= _WHOLE_LIMIT or longest > _MOST_ROWS:
        return None
    if name == "square":
        limbs = square_limbs(values)
        mask = (1 << SQUARE_LIMB_BITS) - 1
        halves = [part for limb in limbs for part in (limb & mask, limb >> SQUARE_LIMB_BITS)]
        return tuple(_along(half) for half in halves[:SQUARE_LIMBS])
    whole = np.trunc(values)
    # Floats hold the rest, its multiples of 2**-43 and what is left below without loss.
    rest = (values - whole) * 2.0**HALF_BITS
    high = np.trunc(rest)
    low = np.rint((rest - high) * 2.0**HALF_BITS)
    return _along(whole), _along(high), _along(low)


def _units(column: pa.Array, taken: Flags | None) -> Ints | None:
    """Return exact values in units of their scale; None where 64 bits are too few."""
    if pa.types.is_decimal(column.type):
        high, low = words(column)
        if taken is not None:
            low, high = np.where(taken, low, 0), np.where(taken, high, 0)
        return low if bool((high == low >> 63).all()) else None
    values: Ints = filled(column, 0)
    return values if taken is None else np.where(taken, values, 0)


