"""Arithmetic on pairs of floats: about 106 bits from plain IEEE additions and multiplications.

A pair ``(high, low)`` of float64 arrays stands for the exact sum of both, with ``low`` at most half
a unit in the last place of ``high``. Only +, -, *, / and sqrt of IEEE 754 are used, each rounded by
itself, so the bits do not depend on the machine or its mathematical library.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pair = tuple[Floats, Floats]
Constant = tuple[float, float]

_SPLITTER = 134_217_729.0  # 2**27 + 1


def constant(value: Fraction) -> Constant:
    """The pair nearest to an exact value."""
    high = value.numerator / value.denominator
    rest = value - Fraction(high)
    return high, rest.numerator / rest.denominator


def two_sum(a: Floats, b: Floats) -> Pair:
    """The exact sum of two floats."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def renew(high: Floats, low: Floats) -> Pair:
    """The pair of a sum whose first part is the larger one."""
    total = high + low
    return total, low - (total - high)


def two_product(a: Floats, b: Floats | float) -> Pair:
    """The exact product of two floats that are neither huge nor tiny."""
    product = a * b
    high_a, low_a = _halves(a)
    high_b, low_b = _halves(b)
    low = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    return product, low


def _halves(a: Floats | float) -> tuple[Floats, Floats]:
    wide = _SPLITTER * a
    high = wide - (wide - a)
    return np.asarray(high), np.asarray(a - high)


def add(x: Pair, y: Pair | Constant) -> Pair:
    """x + y."""
    total, rest = two_sum(x[0], np.asarray(y[0]))
    low, tail = two_sum(x[1], np.asarray(y[1]))
    total, rest = renew(total, rest + low)
    return renew(total, rest + tail)


def negate(x: Pair) -> Pair:
    """-x."""
    return -x[0], -x[1]


def multiply(x: Pair, y: Pair | Constant) -> Pair:
    """x * y."""
    product, rest = two_product(x[0], y[0])
    return renew(product, rest + (x[0] * y[1] + x[1] * y[0]))


def scale(x: Pair, factor: Floats) -> Pair:
    """x times a float."""
    product, rest = two_product(x[0], factor)
    return renew(product, rest + x[1] * factor)


def divide(x: Pair, y: Pair) -> Pair:
    """x / y."""
    first = x[0] / y[0]
    rest = add(x, negate(scale(y, first)))
    second = rest[0] / y[0]
    rest = add(rest, negate(scale(y, second)))
    third = rest[0] / y[0]
    high, low = renew(first, second)
    return renew(high, low + third)


def root(x: Pair) -> Pair:
    """The square root of x > 0."""
    first = np.sqrt(x[0])
    rest = add(x, negate(two_product(first, first)))
    return renew(first, rest[0] / (2.0 * first))


def polynomial(x: Pair, coefficients: list[Constant]) -> Pair:
    """The polynomial with these coefficients, lowest first."""
    highest = coefficients[-1]
    value = (np.full_like(x[0], highest[0]), np.full_like(x[0], highest[1]))
    for coefficient in reversed(coefficients[:-1]):
        value = add(multiply(value, x), coefficient)
    return value
