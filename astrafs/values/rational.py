"""Correct rounding of exact rational results to 64-bit floats."""

from __future__ import annotations

import struct
from fractions import Fraction
from math import isqrt

_BITS = 64
"""Result bits kept before the one rounding: more than the 53 of a float, with a sticky bit
below.
"""


def nearest(value: Fraction | int) -> float:
    """The float nearest to ``value``, ties to even; OverflowError beyond the floats."""
    exact = Fraction(value)
    return exact.numerator / exact.denominator


def nearest_root(value: Fraction) -> float:
    """The float nearest to the square root of ``value`` (>= 0)."""
    if value == 0:
        return 0.0
    size = value.numerator.bit_length() - value.denominator.bit_length()
    shift = _BITS - size // 2
    scaled = value * Fraction(4) ** shift
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    root = isqrt(whole)
    sticky = int(root * root != whole or rest != 0)
    # An inexact root lies strictly between root and root + 1: an odd half-unit stands for it.
    return nearest(Fraction(2 * root + sticky) / Fraction(2) ** (shift + 1))


def nearest_single(value: Fraction | int) -> float:
    """The float32 nearest to ``value``, ties to even, as a float; OverflowError beyond them."""
    exact = Fraction(value)
    first = nearest(exact)
    bits = struct.unpack("<q", struct.pack("<d", first))[0]
    if exact != Fraction(first) and bits % 2 == 0:
        # Rounded to odd, so that the second rounding sees on which side of a tie the value lies.
        further = abs(exact) > abs(Fraction(first))
        first = struct.unpack("<d", struct.pack("<q", bits + (1 if further else -1)))[0]
    return float(struct.unpack("<f", struct.pack("<f", first))[0]) + 0.0
