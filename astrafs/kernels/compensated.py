"""Correctly rounded sums and means of fixed-point totals, vectorised over 64-bit words.

A total is ``whole + rest * 2**-86`` with 128-bit integers. Where ``whole`` is below 2**53 the
total is split into three floats without loss and rounded once; every other total, and every mean
that lies too close to a rounding boundary to decide in twice the precision, is left to exact
integer arithmetic. The float operations used are the IEEE basic ones, so the bits are the same on
every machine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from astrafs.record import dataclass

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_HIGH_BITS = 22  # of the 86 bits of the rest, beside the low word
_SPLIT = 134_217_729.0  # 2**27 + 1: cuts a float into two halves of 26 bits


@dataclass(frozen=True, slots=True)
class Rounded:
    """The nearest floats, what they miss of the exact totals, and which of them are decided."""

    value: Floats
    missing: Floats
    decided: Flags


def _two_sum(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Return the rounded sum and its exact error."""
    total = left + right
    shadow = total - left
    return total, (left - (total - shadow)) + (right - shadow)


def _to_odd(value: Floats, error: Floats) -> Floats:
    """Return ``value`` moved by one unit towards ``error`` where that is not 0 and the last bit is
    even.
    """
    bits = value.view(np.int64)
    step = np.where((error > 0) == (value > 0), 1, -1)
    moved = (error != 0) & (bits & 1 == 0)
    return np.where(moved, bits + step, bits).view(np.float64)


def round_total(whole_high: Ints, whole_low: Ints, rest_high: Ints, rest_low: Ints) -> Rounded:
    """Round ``whole + rest * 2**-86``, given as signed high and raw low 64-bit words."""
    carry = rest_high >> _HIGH_BITS
    whole = whole_low + carry
    fits = (whole_high == whole_low >> 63) & (np.abs(whole_low) < 2**52) & (np.abs(carry) < 2**52)
    units = np.where(fits, whole, 0).astype(np.float64)
    low = rest_low.view(np.uint64)
    top = (rest_high & ((1 << _HIGH_BITS) - 1)).astype(np.float64) * 2.0**-_HIGH_BITS
    top = top + (low >> np.uint64(33)).astype(np.float64) * 2.0**-53
    bottom = (low & np.uint64((1 << 33) - 1)).astype(np.float64) * 2.0**-86

    head, error = _two_sum(units, top)
    tail, lost = _two_sum(error, bottom)
    value = head + _to_odd(tail, lost)
    missing = ((head - value) + tail) + lost
    return Rounded(value, missing, fits)


def divide(total: Rounded, count: Ints) -> Rounded:
    """Divide totals by positive counts below 2**53; undecided where the rounding is too close to
    call.
    """
    divisor = np.maximum(count, 1).astype(np.float64)
    quotient = total.value / divisor
    high = quotient * _SPLIT
    high = high - (high - quotient)
    low = quotient - high
    part = divisor * _SPLIT
    part = part - (part - divisor)
    product = quotient * divisor
    error = ((high * part - product) + high * (divisor - part) + low * part) + low * (
        divisor - part
    )
    rest = (((total.value - product) - error) + total.missing) / divisor
    value = quotient + rest
    missing = (quotient - value) + rest
    unit = np.spacing(np.abs(value))
    # Rounding changes at half a unit; just below a power of two the unit is half as large.
    near = np.minimum(np.abs(np.abs(missing) - unit * 0.5), np.abs(np.abs(missing) - unit * 0.25))
    decided = total.decided & ((near > unit * 2.0**-30) | (rest == 0)) & (np.abs(value) > 2.0**-200)
    zero = (total.value == 0) & (total.missing == 0) & total.decided
    # Dividing by a power of two only scales, so the total's own rounding stands.
    scaled = (count & (count - 1)) == 0
    value = np.where(scaled, total.value / divisor, value)
    return Rounded(
        value, missing, (decided & (divisor < 2.0**52)) | zero | (scaled & total.decided)
    )
