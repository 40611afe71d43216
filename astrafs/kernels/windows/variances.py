"""Variances and deviations of many windows, rounded correctly: twice the precision decides almost
all of them, and says which it does not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from astrafs.kernels import double_double as dd
from astrafs.kernels.windows.limbs import Digits

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_LOST = 2.0**-96
"""What arithmetic on pairs loses at most of the largest operand, with room to spare."""

_LARGEST_COUNT = 1 << 26
_EXACT_SCALE = 11
"""Powers of ten up to twice this are floats."""


def variances(
    counts: Ints,
    sums: Digits,
    squares: Digits,
    *,
    whole: bool,
    scale: int,
    sample: bool,
    square_root: bool,
) -> tuple[Floats, Flags]:
    """Return variances (or deviations) and which of them are decided.

    ``sums`` and ``squares`` are totals over windows of ``counts`` values that are not all equal;
    where squares are not ``whole``, each may miss one unit of the lowest digit. Values are in units
    of ``10**-scale``.
    """
    n = counts.astype(np.float64)
    total, sums_fit = sums.pair()
    parts, squares_fit = squares.pair()
    scaled = dd.scale(parts, n)
    spread = dd.add(scaled, dd.negate(dd.multiply(total, total)))
    lost = np.abs(scaled[0]) * _LOST
    if not whole:
        lost = lost + n * n * 2.0**squares.unit
    divisor = n * (n - 1.0 if sample else n) * 10.0 ** (2 * scale)
    decided = sums_fit & squares_fit & (counts < _LARGEST_COUNT) & (spread[0] > 0)
    decided &= (divisor < 2.0**53) | (scale == 0)
    if scale > _EXACT_SCALE:
        decided = np.zeros_like(decided)
    above = np.where(decided, spread[0], 1.0), np.where(decided, spread[1], 0.0)
    below = np.where(decided, divisor, 1.0)
    value, missing = dd.divide(above, (below, np.zeros_like(below)))
    share = np.where(decided, lost, 0.0) / above[0]
    if square_root:
        value, missing = dd.root((value, missing))
    error = np.abs(value) * (share + _LOST)
    unit = np.spacing(value)
    # Rounding changes at half a unit; just below a power of two the unit is half as large.
    near = np.minimum(np.abs(np.abs(missing) - unit * 0.5), np.abs(np.abs(missing) - unit * 0.25))
    decided &= (near > error) & (share < _LOST * 2.0**40) & (value > 2.0**-200)
    return value, decided
