"""Correctly rounded elementary functions over float64 arrays.

Each fast path computes a pair of floats with a bound on its error. Where the bound leaves no doubt
about the nearest float, that float is the answer; elsewhere (about once in a billion values, and
for extreme arguments) the exact slow path of ``astrafs.values.correct`` decides. Both therefore
give the same bits everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from astrafs.kernels import double_double as dd
from astrafs.kernels.double_double import Floats, Pair
from astrafs.values import correct

Bools = npt.NDArray[np.bool_]

_LN2 = Fraction(
    "0.6931471805599453094172321214581765680755001343602552541206800094933936219696947156058633269964186875"
)
_LN10 = Fraction(
    "2.3025850929940456840179914546843642076011014886287729760333279009675726096773524802359972050895982983"
)
_PI = Fraction(
    "3.1415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170679"
)
_ERROR = 2.0**-85
"""Relative error granted to a pair after a whole function; the true ones are below 2**-92."""

Fast = tuple[Pair, Floats | float]
"""A pair and the bound on its absolute error (infinite where the pair is worthless)."""


def _pieces(value: Fraction, bits: int, count: int) -> tuple[float, ...]:
    """Split a constant into floats of at most ``bits`` bits, and one float for the rest."""
    found = []
    for _ in range(count):
        exponent = math.frexp(float(value))[1]
        unit = Fraction(2) ** (exponent - bits)
        part = math.floor(value / unit) * unit
        found.append(float(part))
        value -= part
    return (*found, float(value))


_LN2_PIECES = _pieces(_LN2, 40, 2)
_HALF_PI_PIECES = _pieces(_PI / 2, 32, 3)
_LN2_PAIR = dd.constant(_LN2)
_PER_LN2 = dd.constant(1 / _LN2)
_PER_LN10 = dd.constant(1 / _LN10)
_PI_PAIR = dd.constant(_PI)
_HALF_PI = dd.constant(_PI / 2)
_EXP = [dd.constant(Fraction(1, math.factorial(n))) for n in range(1, 11)]
_SIN = [dd.constant(Fraction((-1) ** n, math.factorial(2 * n + 1))) for n in range(15)]
_COS = [dd.constant(Fraction((-1) ** n, math.factorial(2 * n))) for n in range(16)]
_HALVINGS = 9


def _exact(values: Floats) -> Pair:
    return values, np.zeros_like(values)


def _reduce(x: Pair, pieces: tuple[float, ...], turns: Floats) -> Pair:
    """x - turns * (sum of pieces); the products with all pieces but the last are exact."""
    for piece in pieces[:-1]:
        x = dd.add(x, _exact(-(turns * piece)))
    return dd.add(x, dd.two_product(-turns, pieces[-1]))


def _exp_pair(x: Pair) -> Pair:
    """e^x for |x| < 700."""
    turns = np.rint(x[0] / _LN2_PAIR[0])
    rest = _reduce(x, _LN2_PIECES, turns)
    shrink = 2.0**-_HALVINGS
    small = (rest[0] * shrink, rest[1] * shrink)
    less_one = dd.multiply(small, dd.polynomial(small, _EXP))
    for _ in range(_HALVINGS):
        # (1 + s)^2 - 1 = 2 s + s^2
        less_one = dd.add((less_one[0] * 2.0, less_one[1] * 2.0), dd.multiply(less_one, less_one))
    high, low = dd.add(less_one, (1.0, 0.0))
    power = turns.astype(np.int32)
    return np.ldexp(high, power), np.ldexp(low, power)


def _ln_parts(x: Floats) -> tuple[Pair, Floats]:
    """(ln f, n) with x = f * 2^n and f in [0.7, 1.42)."""
    fraction, exponent = np.frexp(x)
    low = fraction < math.sqrt(0.5)
    fraction = np.where(low, fraction * 2.0, fraction)
    exponent = exponent.astype(np.float64) - low
    guess = np.log(fraction)
    # One Newton step: ln f = g + ln(f e^-g), and f e^-g - 1 is about 1e-16.
    product = dd.scale(_exp_pair(_exact(-guess)), fraction)
    d = dd.add(product, (-1.0, 0.0))
    correction = dd.add(d, _exact(-0.5 * d[0] * d[0]))
    return dd.add(correction, _exact(guess)), exponent


def _ln_pair(x: Floats) -> Pair:
    logarithm, exponent = _ln_parts(x)
    for piece in _LN2_PIECES[:-1]:
        logarithm = dd.add(logarithm, _exact(exponent * piece))
    return dd.add(logarithm, dd.two_product(exponent, _LN2_PIECES[-1]))


def _sine_cosine(x: Pair) -> tuple[Pair, Pair]:
    """(sin x, cos x) for |x| < 2^20."""
    turns = np.rint(x[0] / _HALF_PI[0])
    rest = _reduce(x, _HALF_PI_PIECES, turns)
    square = dd.multiply(rest, rest)
    sine = dd.multiply(rest, dd.polynomial(square, _SIN))
    cosine = dd.polynomial(square, _COS)
    quarter = np.mod(turns, 4.0)
    odd = (quarter == 1) | (quarter == 3)
    sine_sign = np.where(quarter >= 2, -1.0, 1.0)
    cosine_sign = np.where((quarter == 1) | (quarter == 2), -1.0, 1.0)
    return (
        _pick(odd, cosine, sine, sine_sign),
        _pick(odd, sine, cosine, cosine_sign),
    )


def _pick(which: Bools, yes: Pair, no: Pair, sign: Floats) -> Pair:
    return np.where(which, yes[0], no[0]) * sign, np.where(which, yes[1], no[1]) * sign


def _angle(x: Pair) -> Pair:
    """atan x for 2^-30 < |x| < 2^40."""
    guess = np.arctan(x[0])
    sine, cosine = _sine_cosine(_exact(guess))
    # tan(atan x - g) = (x cos g - sin g) / (cos g + x sin g), and the angle is about 1e-16.
    above = dd.add(dd.multiply(x, cosine), dd.negate(sine))
    below = dd.add(cosine, dd.multiply(x, sine))
    return dd.add(dd.divide(above, below), _exact(guess))


def _relative(pair: Pair) -> Fast:
    return pair, np.abs(pair[0]) * _ERROR


def _absolute(pair: Pair, size: Floats | float = 1.0) -> Fast:
    return pair, np.maximum(np.abs(pair[0]), size) * _ERROR


# --- the functions: fast paths for ordinary arguments -------------------------------------------


def _exp(x: Floats) -> Fast:
    return _relative(_exp_pair(_exact(x)))


def _ln(x: Floats) -> Fast:
    return _absolute(_ln_pair(x))


def _log2(x: Floats) -> Fast:
    logarithm, exponent = _ln_parts(x)
    return _absolute(dd.add(dd.multiply(logarithm, _PER_LN2), _exact(exponent)))


def _log10(x: Floats) -> Fast:
    return _absolute(dd.multiply(_ln_pair(x), _PER_LN10))


def _pow(x: Floats, y: Floats) -> Fast:
    logarithm = _ln_pair(np.abs(x))
    product = dd.scale(logarithm, y)
    usable = np.abs(product[0]) < 650.0
    power = _exp_pair((np.where(usable, product[0], 0.0), np.where(usable, product[1], 0.0)))
    sign = np.where((x < 0) & (np.mod(y, 2.0) == 1.0), -1.0, 1.0)
    doubt = np.abs(y) * (np.maximum(np.abs(logarithm[0]), 1.0) * _ERROR) + _ERROR
    error = np.where(usable, np.abs(power[0]) * doubt, np.inf)
    return (power[0] * sign, power[1] * sign), error


def _sin(x: Floats) -> Fast:
    return _absolute(_sine_cosine(_exact(x))[0])


def _cos(x: Floats) -> Fast:
    return _absolute(_sine_cosine(_exact(x))[1])


def _tan(x: Floats) -> Fast:
    sine, cosine = _sine_cosine(_exact(x))
    quotient = dd.divide(sine, cosine)
    size = np.maximum(1.0, np.abs(quotient[0]))
    return quotient, size * size * _ERROR


def _atan(x: Floats) -> Fast:
    return _absolute(_angle(_exact(x)))


def _asin(x: Floats) -> Fast:
    below = dd.root(dd.multiply(dd.two_sum(np.ones_like(x), x), dd.two_sum(np.ones_like(x), -x)))
    return _absolute(_angle(dd.divide(_exact(x), below)))


def _acos(x: Floats) -> Fast:
    one = np.ones_like(x)
    half = _angle(dd.root(dd.divide(dd.two_sum(one, -x), dd.two_sum(one, x))))
    return _absolute((half[0] * 2.0, half[1] * 2.0))


def _atan2(y: Floats, x: Floats) -> Fast:
    angle = _angle(dd.divide(_exact(y), _exact(x)))
    turn = np.where(x > 0, 0.0, np.where(y > 0, 1.0, -1.0))
    return _absolute(dd.add(angle, (turn * _PI_PAIR[0], turn * _PI_PAIR[1])))


def _between(low: float, high: float) -> Callable[..., Bools]:
    def usable(*values: Floats) -> Bools:
        found = np.ones(values[0].shape, dtype=np.bool_)
        for value in values:
            size = np.abs(value)
            found &= (size > low) & (size < high)
        return found

    return usable


def _positive(x: Floats) -> Bools:
    return np.asarray(x > 0)


def _pow_usable(x: Floats, y: Floats) -> Bools:
    real = (x > 0) | ((x < 0) & (y == np.floor(y)))
    return np.asarray(real & (np.abs(y) < 2.0**60))


def _ratio_usable(y: Floats, x: Floats) -> Bools:
    size = np.abs(y) / np.abs(x)
    plain = _between(2.0**-400, 2.0**400)(y, x)
    return plain & (size > 2.0**-30) & (size < 2.0**30)


Usable = Callable[..., Bools]

FUNCTIONS: dict[str, tuple[int, Callable[..., Fast], Usable, Callable[..., float | None]]] = {
    "exp": (1, _exp, _between(2.0**-50, 650.0), correct.exp),
    "ln": (1, _ln, _positive, correct.ln),
    "log2": (1, _log2, _positive, correct.log2),
    "log10": (1, _log10, _positive, correct.log10),
    "pow": (2, _pow, _pow_usable, correct.pow),
    "sin": (1, _sin, _between(2.0**-28, 2.0**20), correct.sin),
    "cos": (1, _cos, _between(2.0**-28, 2.0**20), correct.cos),
    "tan": (1, _tan, _between(2.0**-28, 2.0**20), correct.tan),
    "asin": (1, _asin, _between(2.0**-28, 1.0), correct.asin),
    "acos": (1, _acos, _between(0.0, 1.0 - 2.0**-40), correct.acos),
    "atan": (1, _atan, _between(2.0**-28, 2.0**30), correct.atan),
    "atan2": (2, _atan2, _ratio_usable, correct.atan2),
}
"""Per function: number of arguments, fast path, where the fast path applies, slow path."""


def compute(name: str, values: list[Floats]) -> tuple[Floats, Bools]:
    """Return (results, which of them exist) for columns of finite floats of one length."""
    _, fast, usable, slow = FUNCTIONS[name]
    result = np.zeros(values[0].shape)
    exists = np.ones(values[0].shape, dtype=np.bool_)
    with np.errstate(all="ignore"):
        inside = np.flatnonzero(usable(*values))
        settled = np.zeros(values[0].shape, dtype=np.bool_)
        if inside.size:
            (high, low), error = fast(*(value[inside] for value in values))
            first, second = high + (low - error), high + (low + error)
            sure = (first == second) & np.isfinite(first)
            settled[inside] = sure
            result[inside] = np.where(sure, first + 0.0, 0.0)
    for index in np.flatnonzero(~settled).tolist():
        found = slow(*(float(value[index]) for value in values))
        if found is None:
            exists[index] = False
        else:
            result[index] = found
    return result, exists
