"""Rounding half away from zero to a number of decimal digits."""

from __future__ import annotations

import math
from fractions import Fraction

from astrafs.values.errors import FLOAT_OVERFLOW, ValueFailure
from astrafs.values.rational import nearest


def round_half_away(value: Fraction, places: int) -> Fraction:
    """``value`` to a multiple of 10^-places; a value half-way between two goes away from zero."""
    scaled = abs(value) * Fraction(10) ** places
    size = math.floor(scaled + Fraction(1, 2))
    found = Fraction(size) / Fraction(10) ** places
    return -found if value < 0 else found


def round_float(value: float, places: int) -> float:
    """The float nearest to ``value`` rounded to ``places`` digits after the point (before it, if
    negative).
    """
    if places > 1_100:
        return value
    if places < -310:
        return 0.0
    try:
        return nearest(round_half_away(Fraction(value), places))
    except OverflowError:
        raise ValueFailure(FLOAT_OVERFLOW, "a float result is beyond 1.8e308") from None
