"""Correctly rounded elementary functions, computed with as many digits as each argument needs.

Every function returns the float nearest to the exact mathematical value (ties to even), or None
where there is no finite value. An approximation with a known relative error is refined until both
ends of its interval round to one float. That always happens, because the arguments whose value is a
float or a tie are answered exactly first: by the theorems of Lindemann and Gelfond these are the
only ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import cache

from astrafs.values.rational import nearest

_START = 40
_GUARD = 12
"""Digits that are given away to the errors of intermediate steps."""


def _context(digits: int) -> Context:
    return Context(prec=digits, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


def _settle(approximate: Callable[[Context], Decimal]) -> float | None:
    """Refine until the rounding is certain; None beyond the floats."""
    digits = _START
    while True:
        value = approximate(_context(digits + _GUARD))
        exact = Fraction(value)
        slack = abs(exact) / 10**digits
        try:
            low = nearest(exact - slack)
        except OverflowError:
            return None
        try:
            high = nearest(exact + slack)
        except OverflowError:
            high = math.inf
        if low == high:
            return low + 0.0
        digits *= 2


def exp(x: float) -> float | None:
    """e to the power x."""
    if x > 710:
        return None
    if x < -746:
        return 0.0
    if abs(x) < 2.0**-54:
        return 1.0
    return _settle(lambda context: context.exp(Decimal(x)))


def ln(x: float) -> float | None:
    """The natural logarithm; None for x <= 0."""
    if x <= 0:
        return None
    return 0.0 if x == 1 else _settle(lambda context: context.ln(Decimal(x)))


def log2(x: float) -> float | None:
    """The logarithm to base 2; None for x <= 0."""
    if x <= 0:
        return None
    mantissa, exponent = math.frexp(x)
    if mantissa == 0.5:
        return float(exponent - 1)
    return _settle(lambda context: context.divide(context.ln(Decimal(x)), context.ln(Decimal(2))))


def log10(x: float) -> float | None:
    """The logarithm to base 10; None for x <= 0."""
    if x <= 0:
        return None
    if x.is_integer():
        places = len(str(int(x))) - 1
        if int(x) == 10**places:
            return float(places)
    return _settle(lambda context: context.log10(Decimal(x)))


def pow(x: float, y: float) -> float | None:
    """x to the power y; None where there is no finite real value (0 to a negative power, roots of
    negatives).
    """
    if y == 0 or x == 1:
        return 1.0
    if x == 0:
        return 0.0 if y > 0 else None
    negative = False
    if x < 0:
        if not y.is_integer():
            return None
        negative, x = int(y) % 2 == 1, -x
    found = _positive_power(x, y)
    if found is None:
        return None
    return (-found if negative else found) + 0.0


def _positive_power(x: float, y: float) -> float | None:
    size = y * math.log2(x)
    if size > 1_100:
        return None
    if size < -1_200:
        return 0.0
    if abs(size) < 2.0**-55:
        return 1.0
    exact = _exact_power(x, y)
    if exact is not None:
        try:
            return nearest(exact)
        except OverflowError:
            return None

    def approximate(context: Context) -> Decimal:
        # |y ln x| < 1,000, so four digits of the product become the integer part of the exponent.
        wide = _context(context.prec + 6)
        return context.exp(wide.multiply(Decimal(y), wide.ln(Decimal(x))))

    return _settle(approximate)


def _exact_power(x: float, y: float) -> Fraction | None:
    """The exact power if it may have so few bits that it is a float or lies half-way between
    two.
    """
    base = Fraction(x)
    while not y.is_integer():
        # y is an odd multiple of 2^-k: a rational power needs a base that is a square.
        root = _exact_root(base)
        if root is None:
            return None
        base, y = root, y * 2
    odd_part = base.numerator // (base.numerator & -base.numerator)
    # With an odd part above 1, a negative power is no binary fraction, a large one too long.
    if odd_part != 1 and (y < 0 or y > 64 or odd_part.bit_length() * y > 128):
        return None
    return base ** int(y)


def _exact_root(value: Fraction) -> Fraction | None:
    above, below = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if above * above == value.numerator and below * below == value.denominator:
        return Fraction(above, below)
    return None


# --- trigonometry: series in big integers, one unit being 10^-digits ----------------------------


@cache
def _pi(digits: int) -> int:
    """pi * 10**digits, to within a few units (Machin's formula)."""
    unit = 10 ** (digits + 10)
    return (16 * _inverse_tangent(5, unit) - 4 * _inverse_tangent(239, unit)) // 10**10


def _inverse_tangent(x: int, unit: int) -> int:
    """unit * atan(1 / x), to within the number of terms."""
    power = unit // x
    total, divisor, square = power, 1, x * x
    while power:
        power //= -square
        divisor += 2
        total += power // divisor
        if power == -1:
            break
    return total


def sine_cosine(x: Fraction, digits: int) -> tuple[int, int, int]:
    """(sin x, cos x) in units of 10^-digits, and the unit. Errors are a few thousand units at
    most.
    """
    unit = 10**digits
    size = max(0, len(str(int(abs(x)))))
    fine = 10 ** (digits + size)
    half_pi = _pi(digits + size) // 2
    scaled = x.numerator * fine // x.denominator
    turns, rest = divmod(scaled, half_pi)
    rest //= 10**size
    sine, cosine = _series(rest, unit, 1), _series(rest, unit, 0)
    for _ in range(turns % 4):
        sine, cosine = cosine, -sine
    return sine, cosine, unit


def _series(x: int, unit: int, start: int) -> int:
    """The sine (``start`` 1) or cosine (0) of x / unit, in units."""
    square = x * x // unit
    term = x if start else unit
    total, step = term, start
    while term:
        step += 2
        term = -(term * square // unit) // (step * (step - 1))
        total += term
        if abs(term) <= 1:
            break
    return total


def _trig(x: float, pick: Callable[[int, int, int], Fraction]) -> float:
    """Refine what ``pick`` makes of (sine, cosine, unit) until its rounding is certain."""
    digits = _START
    slack = 10**6
    while True:
        sine, cosine, unit = sine_cosine(Fraction(x), digits)
        if abs(cosine) > 2 * slack and abs(sine) > 2 * slack:
            values = [
                pick(sine + s, cosine + c, unit) for s in (-slack, slack) for c in (-slack, slack)
            ]
            low, high = nearest(min(values)), nearest(max(values))
            if low == high:
                return low + 0.0
        digits *= 2


def _tiny(x: float) -> bool:
    """Whether x + O(x^3) rounds to x: the cubic term is below a quarter of a unit in the last
    place.
    """
    return abs(x) < 2.0**-28


def sin(x: float) -> float | None:
    """The sine of x radians."""
    return x + 0.0 if _tiny(x) else _trig(x, lambda sine, _, unit: Fraction(sine, unit))


def cos(x: float) -> float | None:
    """The cosine of x radians."""
    return 1.0 if _tiny(x) else _trig(x, lambda _, cosine, unit: Fraction(cosine, unit))


def tan(x: float) -> float | None:
    """The tangent of x radians."""
    return x + 0.0 if _tiny(x) else _trig(x, lambda sine, cosine, _: Fraction(sine, cosine))


def _arctangent(x: Fraction, digits: int) -> Fraction:
    """atan of x, to about 10^-digits absolute."""
    if x < 0:
        return -_arctangent(-x, digits)
    if x > 1:
        return Fraction(_pi(digits), 2 * 10**digits) - _arctangent(1 / x, digits)
    unit = 10 ** (digits + 10)
    scaled = x.numerator * unit // x.denominator
    # Halve the angle until the series converges fast: atan x = 2 atan(x / (1 + sqrt(1 + x^2))).
    halvings = 0
    while scaled * 16 > unit:
        root = math.isqrt(unit * unit + scaled * scaled)
        scaled = scaled * unit // (unit + root)
        halvings += 1
    square = scaled * scaled // unit
    term, total, step = scaled, scaled, 1
    while term:
        term = -(term * square // unit)
        step += 2
        total += term // step
        if abs(term) <= 1:
            break
    return Fraction(total << halvings, unit)


def _settle_angle(angle: Callable[[int], Fraction]) -> float:
    digits = _START
    while True:
        value, slack = angle(digits), Fraction(1, 10 ** (digits - 4))
        low, high = nearest(value - slack), nearest(value + slack)
        if low == high:
            return low + 0.0
        digits *= 2


def atan(x: float) -> float | None:
    """The angle in (-pi/2, pi/2) whose tangent is x."""
    if _tiny(x):
        return x + 0.0
    return _settle_angle(lambda digits: _arctangent(Fraction(x), digits))


def atan2(y: float, x: float) -> float | None:
    """The angle in (-pi, pi] of the point (x, y); 0 at the origin."""
    if y == 0:
        return 0.0 if x >= 0 else math.pi
    if x == 0:
        return math.copysign(math.pi / 2, y)
    ratio = Fraction(y) / Fraction(x)
    if x > 0 and abs(ratio) < Fraction(1, 2**60):
        # atan r lies just inside r: move the exact ratio a little to zero and round once.
        return nearest(ratio * (1 - Fraction(1, 2**110))) + 0.0

    def angle(digits: int) -> Fraction:
        found = _arctangent(ratio, digits)
        if x > 0:
            return found
        half_turn = Fraction(_pi(digits), 10**digits)
        return found + half_turn if y > 0 else found - half_turn

    return _settle_angle(angle)


def asin(x: float) -> float | None:
    """The angle in [-pi/2, pi/2] whose sine is x; None outside [-1, 1]."""
    if abs(x) > 1:
        return None
    if _tiny(x):
        return x + 0.0
    if abs(x) == 1:
        return math.copysign(math.pi / 2, x)
    return _settle_angle(lambda digits: _arcsine(Fraction(x), digits))


def acos(x: float) -> float | None:
    """The angle in [0, pi] whose cosine is x; None outside [-1, 1]."""
    if abs(x) > 1:
        return None
    if x == 1:
        return 0.0
    if x == -1:
        return math.pi
    return _settle_angle(
        lambda digits: Fraction(_pi(digits), 2 * 10**digits) - _arcsine(Fraction(x), digits)
    )


def _arcsine(x: Fraction, digits: int) -> Fraction:
    """asin of x (|x| < 1), as atan(x / sqrt(1 - x^2))."""
    # 1 - x^2 may be as small as 2^-53, so the root keeps more digits than the angle.
    scale = 10 ** (digits + 30)
    square = (1 - x * x) * scale * scale
    root = Fraction(math.isqrt(square.numerator // square.denominator), scale)
    return _arctangent(x / root, digits)
