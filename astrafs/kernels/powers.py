"""Exact sums of powers and products, for the higher moments, correlation and slope.

An input is an integer: a float in units of 2^-86, an exact number in units of its scale. Its size
is cut into digits of 28 bits; powers and products are sums over places, small enough for 64 bits
each, with the sign of the result. The engine sums every place; the finishing kernels put the places
together and divide once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.kernels.exact import REST_BITS, floats, integers, joined, root
from astrafs.kernels.kernel import Kernel
from astrafs.values.digits import BITS, FLOAT_DIGITS, INT_DIGITS, power_places

_MASK = np.uint64((1 << BITS) - 1)
_UNIT = 1 << REST_BITS

Digits = list[npt.NDArray[np.uint64]]
Signs = npt.NDArray[np.int64]


def float_digits(values: npt.NDArray[np.float64]) -> tuple[Signs, Digits]:
    """Return signs and digits of floats below 2**90, each taken to the nearest multiple of
    2**-86, ties to even.
    """
    small = np.abs(values) < 2.0**-30
    scaled = np.where(small, np.rint(values * 2.0**REST_BITS) * 2.0**-REST_BITS, values)
    mantissa, exponent = np.frexp(np.abs(scaled))
    whole = (mantissa * 2.0**53).astype(np.uint64)
    power = exponent.astype(np.int64) - 53 + REST_BITS
    # A quantised float is a multiple of 2**-86, so what a negative power would shift out is zero.
    whole >>= np.minimum(np.where(power < 0, -power, 0), 63).astype(np.uint64)
    power = np.maximum(power, 0)
    found = []
    for place in range(FLOAT_DIGITS):
        shift = place * BITS - power
        right = whole >> np.clip(shift, 0, 63).astype(np.uint64)
        left = whole << np.clip(-shift, 0, BITS).astype(np.uint64)
        digit = np.where(shift >= 0, right, left) & _MASK
        found.append(np.where(-shift >= BITS, np.uint64(0), digit))
    return np.where(scaled < 0, -1, 1), found


def int_digits(values: npt.NDArray[np.int64]) -> tuple[Signs, Digits]:
    """Return signs and digits of integers."""
    size = np.abs(values).view(np.uint64)  # the least integer too: its size is its own bits
    found = [(size >> np.uint64(place * BITS)) & _MASK for place in range(INT_DIGITS)]
    return np.where(values < 0, -1, 1), found


def multiply(left: Digits, right: Digits) -> Digits:
    """Return the places of a product, not carried."""
    found = [np.zeros_like(left[0]) for _ in range(len(left) + len(right) - 1)]
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            found[i + j] += one * other
    return found


def carry(places: Digits) -> Digits:
    """Return proper digits, one more than places."""
    found, over = [], np.zeros_like(places[0])
    for place in places:
        total = place + over
        found.append(total & _MASK)
        over = total >> np.uint64(BITS)
    return [*found, over]


def _input(column: pa.ChunkedArray) -> tuple[Signs, Digits, npt.NDArray[np.bool_]]:
    array = joined(column)
    present = array.is_valid().to_numpy(zero_copy_only=False)
    values = array.fill_null(0).to_numpy(zero_copy_only=False)
    signs, digits = float_digits(values) if values.dtype == np.float64 else int_digits(values)
    return signs, digits, present


def _struct(places: Digits, signs: Signs) -> pa.Array:
    columns = [pa.array(place.view(np.int64) * signs) for place in places]
    return pa.StructArray.from_arrays(columns, [f"c{place}" for place in range(len(places))])


def _powers(most: int) -> Callable[[pa.ChunkedArray], pa.Array]:
    def run(column: pa.ChunkedArray) -> pa.Array:
        signs, digits, present = _input(column)
        square = multiply(digits, digits)
        proper = carry(square)
        fields = [_struct(square, signs * signs), _struct(multiply(proper, digits), signs)]
        if most == 4:
            fields.append(_struct(multiply(proper, proper), signs * signs))
        names = [f"p{power}" for power in range(2, most + 1)]
        return pa.StructArray.from_arrays(fields, names, mask=pa.array(~present))

    return run


def _products(x: pa.ChunkedArray, y: pa.ChunkedArray) -> pa.Array:
    left_signs, left, left_present = _input(x)
    right_signs, right, right_present = _input(y)
    ones = np.ones_like(left_signs)
    fields = [
        _struct(multiply(left, left), ones),
        _struct(multiply(left, right), left_signs * right_signs),
        _struct(multiply(right, right), ones),
    ]
    mask = pa.array(~(left_present & right_present))
    return pa.StructArray.from_arrays(fields, ["xx", "xy", "yy"], mask=mask)


# --- finishing


class _Totals:
    """Reads exact totals, one after the other, from the list of an answer."""

    def __init__(self, values: Sequence[int | None]) -> None:
        self._values = [value or 0 for value in values]
        self._at = 0

    def take(self, count: int) -> list[int]:
        """Return the next ``count`` totals."""
        self._at += count
        return self._values[self._at - count : self._at]

    def total(self, letter: str) -> int:
        """Return a sum, in units of its input."""
        whole, rest = self.take(2)
        return (whole << REST_BITS) + rest if letter == "f" else whole

    def places(self, count: int) -> int:
        """Return a number from its places."""
        return sum(value << (BITS * place) for place, value in enumerate(self.take(count)))


def _digits(letter: str) -> int:
    return FLOAT_DIGITS if letter == "f" else INT_DIGITS


def _power_sums(values: Sequence[int | None], letter: str, most: int) -> list[int]:
    """Return the number of values and the sums of their powers from 1 on."""
    totals = _Totals(values)
    digits = _digits(letter)
    first = (totals.take(1)[0], totals.total(letter))
    return [*first, *(totals.places(power_places(digits, power)) for power in range(2, most + 1))]


def skewness(n: int, s1: int, s2: int, s3: int) -> float | None:
    """Return m3 / m2**1.5, None where the values do not differ."""
    variance = n * s2 - s1 * s1
    if variance == 0:
        return None
    third = n * n * s3 - 3 * n * s1 * s2 + 2 * s1**3
    size = root(third * third, variance**3)
    return size if third >= 0 else -size


def kurtosis(n: int, s1: int, s2: int, s3: int, s4: int) -> float | None:
    """Return m4 / m2**2 - 3, None where the values do not differ."""
    variance = n * s2 - s1 * s1
    if variance == 0:
        return None
    fourth = n**3 * s4 - 4 * n * n * s1 * s3 + 6 * n * s1 * s1 * s2 - 3 * s1**4
    return (fourth - 3 * variance**2) / variance**2 + 0.0


def correlation(n: int, x: int, y: int, xx: int, xy: int, yy: int) -> float | None:
    """Return Pearson's correlation, None where one side does not vary."""
    square = (n * xx - x * x) * (n * yy - y * y)
    if square == 0:
        return None
    shared = n * xy - x * y
    size = root(shared * shared, square)
    return size if shared >= 0 else -size


def _power_finish(
    letter: str, most: int, compute: Callable[..., float | None]
) -> Callable[[pa.ChunkedArray], pa.Array]:
    def run(totals: pa.ChunkedArray) -> pa.Array:
        return floats([compute(*_power_sums(row, letter, most)) for row in _rows(totals)])

    return run


def _pair_sums(values: Sequence[int | None], x: str, y: str) -> tuple[int, ...]:
    totals = _Totals(values)
    count = totals.take(1)[0]
    sums = (totals.total(x), totals.total(y))
    i, j = _digits(x), _digits(y)
    return (count, *sums, *(totals.places(size) for size in (2 * i - 1, i + j - 1, 2 * j - 1)))


def _unit(letter: str, scale: int) -> int:
    """How many units of an input make 1."""
    return _UNIT if letter == "f" else 10**scale


def _correlation_finish(x: str, y: str) -> Callable[[pa.ChunkedArray], pa.Array]:
    def run(totals: pa.ChunkedArray) -> pa.Array:
        return floats([correlation(*_pair_sums(row, x, y)) for row in _rows(totals)])

    return run


def _covariance_finish(x: str, y: str, sample: bool) -> Callable[..., pa.Array]:
    def one(row: Sequence[int | None], left: int, right: int) -> float | None:
        n, sx, sy, _, sxy, _ = _pair_sums(row, x, y)
        divisor = n - 1 if sample else n
        if divisor < 1:
            return None
        return (n * sxy - sx * sy) / (n * divisor * _unit(x, left) * _unit(y, right)) + 0.0

    def run(totals: pa.ChunkedArray, left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.Array:
        scales = (joined(column).to_pylist() for column in (left, right))
        return floats([one(*row) for row in zip(_rows(totals), *scales, strict=True)])

    return run


def _slope_finish(letter: str) -> Callable[..., pa.Array]:
    def one(row: Sequence[int | None], scale: int, unit: int) -> float | None:
        n, time, value, squares, products, _ = _pair_sums(row, "i", letter)
        spread = n * squares - time * time
        if spread == 0:
            return None
        return (n * products - time * value) * unit / (spread * _unit(letter, scale)) + 0.0

    def run(totals: pa.ChunkedArray, scale: pa.ChunkedArray, unit: pa.ChunkedArray) -> pa.Array:
        columns = (joined(column).to_pylist() for column in (scale, unit))
        return floats([one(*row) for row in zip(_rows(totals), *columns, strict=True)])

    return run


def _rows(column: pa.ChunkedArray) -> list[list[int | None]]:
    """Return a column of lists of 128-bit integers as Python lists."""
    array = joined(column)
    values = integers(array.flatten())
    found, at = [], 0
    for length in array.value_lengths().fill_null(0).to_pylist():
        found.append(values[at : at + length])
        at += length
    return found


def _struct_type(places: int) -> str:
    return "STRUCT(" + ", ".join(f"c{place} BIGINT" for place in range(places)) + ")"


def _kernels() -> dict[str, Kernel]:
    found: dict[str, Kernel] = {}
    listed = "HUGEINT[]"
    column = {"f": "DOUBLE", "i": "BIGINT"}
    for x, digits in (("f", FLOAT_DIGITS), ("i", INT_DIGITS)):
        for most, name, compute in ((3, "skew", skewness), (4, "kurtosis", kurtosis)):
            types = ", ".join(
                f"p{power} {_struct_type(power_places(digits, power))}"
                for power in range(2, most + 1)
            )
            found[f"af_powers{most}_{x}"] = Kernel((column[x],), f"STRUCT({types})", _powers(most))
            any_compute: Any = compute
            found[f"af_{name}_{x}"] = Kernel(
                (listed,), "DOUBLE", _power_finish(x, most, any_compute)
            )
        for y, others in (("f", FLOAT_DIGITS), ("i", INT_DIGITS)):
            types = ", ".join(
                f"{field} {_struct_type(places)}"
                for field, places in (
                    ("xx", 2 * digits - 1),
                    ("xy", digits + others - 1),
                    ("yy", 2 * others - 1),
                )
            )
            found[f"af_products_{x}{y}"] = Kernel(
                (column[x], column[y]), f"STRUCT({types})", _products
            )
            found[f"af_corr_{x}{y}"] = Kernel((listed,), "DOUBLE", _correlation_finish(x, y))
            for name, sample in (("covar", True), ("covar_pop", False)):
                found[f"af_{name}_{x}{y}"] = Kernel(
                    (listed, "BIGINT", "BIGINT"), "DOUBLE", _covariance_finish(x, y, sample)
                )
        found[f"af_slope_i{x}"] = Kernel((listed, "BIGINT", "BIGINT"), "DOUBLE", _slope_finish(x))
    return found


KERNELS: dict[str, Kernel] = _kernels()
