"""Power sums, sketches and float32 quotients: exact whatever the inputs."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astrafs.kernels import powers
from astrafs.kernels.estimates import KERNELS, estimate, nearest_single
from astrafs.reference.aggregates import on_grid
from astrafs.values import rational

FLOATS = st.floats(-(2.0**89), 2.0**89)
INTS = st.integers(-(2**63), 2**63 - 1)


def number(signs: np.ndarray, places: list[np.ndarray], at: int) -> int:
    return sum(int(place[at]) << (powers.BITS * n) for n, place in enumerate(places)) * int(
        signs[at]
    )


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(FLOATS, min_size=1, max_size=5))
def test_digits_of_floats_are_the_multiple_of_the_grid(values: list[float]) -> None:
    signs, digits = powers.float_digits(np.array(values))
    for at, value in enumerate(values):
        assert number(signs, digits, at) == on_grid(value) * 2**86


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(INTS, min_size=1, max_size=5))
def test_powers_of_integers(values: list[int]) -> None:
    signs, digits = powers.int_digits(np.array(values, dtype=np.int64))
    square = powers.multiply(digits, digits)
    proper = powers.carry(square)
    fourth = powers.multiply(proper, proper)
    for at, value in enumerate(values):
        assert number(signs, digits, at) == value
        assert number(signs * signs, square, at) == value**2
        assert all(int(digit[at]) < 2**powers.BITS for digit in proper)
        assert number(signs, powers.multiply(proper, digits), at) == value**3
        assert number(signs * signs, fourth, at) == value**4


@pytest.mark.parametrize("value", [2.0**90 - 2.0**37, -(2.0**90) + 2.0**37, 5e-324, 2.0**-87])
def test_extreme_floats(value: float) -> None:
    column = pa.chunked_array([pa.array([value, None])])
    found = powers.KERNELS["af_powers4_f"].run(column).to_pylist()
    exact = on_grid(value) * 2**86
    for power in (2, 3, 4):
        places = found[0][f"p{power}"].values()
        assert sum(place << (powers.BITS * n) for n, place in enumerate(places)) == exact**power
    assert found[1] is None


def test_places_fit_their_sums() -> None:
    """No place of a product exceeds 64 bits, with room for the sums of many rows in 128."""
    most = powers.FLOAT_DIGITS * 2 * (2**powers.BITS - 1) ** 2
    assert most < 2**63


def test_products_are_null_where_a_side_is() -> None:
    x = pa.chunked_array([pa.array([1.5, None, 2.0])])
    y = pa.chunked_array([pa.array([2, 3, None], pa.int64())])
    found = powers.KERNELS["af_products_fi"].run(x, y).to_pylist()
    assert [one is None for one in found] == [False, True, True]


def test_estimates_of_almost_empty_sketches_go_by_the_empty_registers() -> None:
    """With registers of rank 1 only, each in use misses a half of 2**53 units."""
    assert estimate(0, 0) == 0
    assert [estimate(taken << 52, taken) for taken in (1, 2, 10, 100)] == [1, 2, 10, 101]


def test_estimates_of_full_sketches_are_the_raw_ones() -> None:
    # Every register at rank 4: the sum of 2**-4 over 4096 registers is 256.
    weights = 4096 * (2**53 - 2**49)
    alpha = Fraction(7213, 10_000) / (1 + Fraction(1079, 4_096_000))
    assert estimate(weights, 4096) == math.floor(alpha * 4096 * 4096 / 256 + Fraction(1, 2))


@settings(max_examples=300, deadline=None, database=None)
@given(st.integers(-(2**120), 2**120), st.integers(1, 2**100))
def test_singles_are_rounded_once(numerator: int, denominator: int) -> None:
    found = nearest_single(numerator, denominator)
    exact = Fraction(numerator, denominator)
    assert found == rational.nearest_single(exact)
    bits = struct.unpack("<i", struct.pack("<f", found))[0]
    for other in (bits - 1, bits + 1):
        near = struct.unpack("<f", struct.pack("<i", other))[0] if other >= -(2**31) else math.nan
        if math.isfinite(near):
            assert abs(exact - Fraction(found)) <= abs(exact - Fraction(near))


def test_a_tie_that_a_float64_would_hide() -> None:
    # Just above the tie of 1 and its successor: a float64 in between would round it to the tie.
    exact = Fraction(1) + Fraction(1, 2**24) + Fraction(1, 2**90)
    assert nearest_single(exact.numerator, exact.denominator) == 1 + 2.0**-23
    assert rational.nearest_single(exact) == 1 + 2.0**-23


def test_ratio_is_rounded_once_and_null_without_rows() -> None:
    columns = [
        pa.chunked_array([pa.array(values, pa.decimal128(38, 0))])
        for values in ([1, None], [0, None], [3, None], [0, None])
    ]
    assert KERNELS["af_ratio"].run(*columns).to_pylist() == [1 / 3, None]
