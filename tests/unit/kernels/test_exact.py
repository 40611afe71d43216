"""Exact totals against fractions: every finished float is the correctly rounded one."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from astrafs.kernels.exact import EXACT_KERNELS, root, square_limbs

HUGEINT = pa.decimal128(38, 0)


def hugeints(values: list[int | None]) -> pa.ChunkedArray:
    return pa.chunked_array(
        [pa.array([None if v is None else Decimal(v) for v in values], HUGEINT)]
    )


def totals(count: int) -> list[tuple[int, int]]:
    rng = random.Random(7)
    found = [
        (0, 0),
        (1, -1),
        (-1, 1),
        (2**53, 1),
        (-(2**53), -1),
        (2**110, 2**100),
        (0, 1),
        (0, -1),
    ]
    # Halfway cases: 53 bits and then exactly half a unit, a little more, a little less.
    for shift in range(30, 86):
        found += [(1, (1 << shift) + extra) for extra in (-1, 0, 1)]
    for _ in range(count):
        whole = rng.randrange(-(1 << rng.randrange(1, 100)), 1 << rng.randrange(1, 100))
        rest = rng.randrange(-(1 << rng.randrange(1, 110)), 1 << rng.randrange(1, 110))
        found.append((whole, rest))
    return found


def test_sum_is_correctly_rounded() -> None:
    given = totals(20_000)
    made = EXACT_KERNELS["af_sum"].run(
        hugeints([w for w, _ in given]), hugeints([r for _, r in given])
    )
    expected = [float(Fraction(w) + Fraction(r, 2**86)) for w, r in given]
    assert made.to_pylist() == expected


@pytest.mark.parametrize("least", [1, 1000])
def test_mean_is_correctly_rounded(least: int) -> None:
    given = totals(20_000)
    rng = random.Random(8)
    counts = [rng.choice([1, 2, 3, 10, 2**20, rng.randrange(1, 5000)]) * least for _ in given]
    made = EXACT_KERNELS["af_mean"].run(
        hugeints([w for w, _ in given]),
        hugeints([r for _, r in given]),
        pa.chunked_array([pa.array(counts, pa.int64())]),
    )
    expected = [
        float((Fraction(w) + Fraction(r, 2**86)) / n)
        for (w, r), n in zip(given, counts, strict=True)
    ]
    assert made.to_pylist() == expected


def test_mean_of_integers_is_correctly_rounded() -> None:
    rng = random.Random(9)
    sums = [
        rng.randrange(-(2 ** rng.randrange(1, 120)), 2 ** rng.randrange(1, 120))
        for _ in range(20_000)
    ]
    counts = [rng.choice([1, 2, 3, 6, 7, 1000, 2**40 + 1]) for _ in sums]
    made = EXACT_KERNELS["af_mean_int"].run(
        hugeints(list(sums)), pa.chunked_array([pa.array(counts, pa.int64())])
    )
    assert made.to_pylist() == [float(Fraction(s, n)) for s, n in zip(sums, counts, strict=True)]


def test_nulls_and_empty_counts_give_null() -> None:
    made = EXACT_KERNELS["af_mean"].run(
        hugeints([1, None, 3]),
        hugeints([0, 0, 0]),
        pa.chunked_array([pa.array([0, 1, 2], pa.int64())]),
    )
    assert made.to_pylist() == [None, None, 1.5]
    assert EXACT_KERNELS["af_sum"].run(hugeints([]), hugeints([])).to_pylist() == []


def test_negative_zero_never_comes_out() -> None:
    made = EXACT_KERNELS["af_mean"].run(
        hugeints([0]), hugeints([0]), pa.chunked_array([pa.array([3], pa.int64())])
    )
    assert math.copysign(1.0, made[0].as_py()) == 1.0


def test_squares_are_exact() -> None:
    rng = random.Random(10)
    values = [math.ldexp(rng.uniform(-1, 1), rng.randint(-100, 90)) for _ in range(5_000)]
    values += [0.0, 1.0, 2.0**89, -(2.0**-86), 2.0**-87, 3 * 2.0**-87]
    limbs = square_limbs(np.array(values))
    for place, value in enumerate(values):
        quantised = round(Fraction(value) * 2**86)  # ties to even, as numpy does
        assert sum(int(limb[place]) << (60 * n) for n, limb in enumerate(limbs)) == quantised**2


def test_root_is_correctly_rounded() -> None:
    rng = random.Random(11)
    for _ in range(5_000):
        fraction = Fraction(
            rng.randrange(1, 1 << rng.randrange(1, 300)), rng.randrange(1, 1 << 200)
        )
        found = root(fraction.numerator, fraction.denominator)
        below, above = math.nextafter(found, 0), math.nextafter(found, math.inf)
        # The root lies between the midpoints to the neighbours.
        assert ((Fraction(below) + Fraction(found)) / 2) ** 2 <= fraction
        assert ((Fraction(above) + Fraction(found)) / 2) ** 2 >= fraction
