"""Exact arithmetic helpers for evaluation: checked results of each numeric type."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction

from astrafs.typesys import Kind, Type
from astrafs.values.errors import (
    DECIMAL_OVERFLOW,
    FLOAT_OVERFLOW,
    INT_OVERFLOW,
    SUM_RANGE,
    TIME_RANGE,
    ValueFailure,
)

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
DAY = 86_400_000_000
MIN_TIME = -9_214_560_000_000_000
MAX_TIME = 9_214_646_400_000_000 - 1
MIN_DATE, MAX_DATE = MIN_TIME // DAY, MAX_TIME // DAY
EXACT = Context(prec=200, rounding=ROUND_HALF_UP, Emin=-10_000, Emax=10_000)
"""Enough digits that sums and products of decimals of 38 digits are exact."""

SUM_LIMIT = 2.0**90
"""Floats from here on do not enter exact sums; the run stops and names the row."""


def summable(value: float) -> float:
    """Return ``value`` if it can enter an exact sum."""
    if abs(value) < SUM_LIMIT:
        return value
    raise ValueFailure(SUM_RANGE, "a float of 2^90 or more cannot enter an exact sum")


def whole(value: int) -> int:
    """Return ``value`` if 64 bits hold it."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise ValueFailure(INT_OVERFLOW, "an int result does not fit 64 bits")


def finite(value: float) -> float:
    """Return a finite float with -0.0 as 0.0; an overflow is an error."""
    if math.isfinite(value):
        return value + 0.0
    raise ValueFailure(FLOAT_OVERFLOW, "a float result is beyond 1.8e308")


def finite_or_null(value: float) -> float | None:
    """Return a finite float with -0.0 as 0.0, or null."""
    return value + 0.0 if math.isfinite(value) else None


def instant(value: int) -> int:
    """Return a timestamp if it lies in the years 1678 to 2261."""
    if MIN_TIME <= value <= MAX_TIME:
        return value
    raise ValueFailure(TIME_RANGE, "a timestamp lies outside the years 1678 to 2261")


def day(value: int) -> int:
    """Return a date (days) if it lies in the years 1678 to 2261."""
    if MIN_DATE <= value <= MAX_DATE:
        return value
    raise ValueFailure(TIME_RANGE, "a date lies outside the years 1678 to 2261")


def fixed(value: Decimal | Fraction | int, type_: Type) -> Decimal:
    """Round to the scale of the decimal ``type_``, half away from zero; too many digits are an
    error.
    """
    exact = Fraction(value) * 10**type_.scale
    size, rest = divmod(abs(exact.numerator), exact.denominator)
    if 2 * rest >= exact.denominator:
        size += 1
    if size >= 10**type_.precision:
        raise ValueFailure(DECIMAL_OVERFLOW, f"a value does not fit {type_.plain()}")
    return from_unscaled(-size if exact < 0 else size, type_.scale)


def from_unscaled(units: int, scale: int) -> Decimal:
    """The decimal ``units / 10**scale``, with exactly that scale."""
    with localcontext(EXACT):
        return Decimal(units).scaleb(-scale)


def to_float(value: int | Decimal) -> float:
    """The float nearest to an exact number."""
    exact = Fraction(value)
    return exact.numerator / exact.denominator


def checked(value: int | float | Decimal, type_: Type) -> int | float | Decimal:
    """Return an exact or float result as a value of ``type_``, or fail."""
    if isinstance(value, float):
        return finite(value)
    if type_.kind is Kind.DECIMAL:
        return fixed(value, type_)
    assert isinstance(value, int)
    if type_.kind is Kind.TIMESTAMP:
        return instant(whole(value))
    if type_.kind is Kind.DATE:
        return day(whole(value))
    return whole(value)
