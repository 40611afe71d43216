"""How exact inputs of power sums are cut into digits; kernels and the SQL around them agree on it.

An input is an integer: a float in units of 2^-86 (below 2^176), an exact number in units of its
scale (64 bits).
"""

from __future__ import annotations

BITS = 28
FLOAT_DIGITS = 7
INT_DIGITS = 3


def power_places(digits: int, power: int) -> int:
    """How many places the ``power``-th power (2, 3, 4) of ``digits`` digits has.

    The square is not carried; higher powers start from the carried square, one digit longer.
    """
    return power * digits - 1
