"""The kernels give the bits of the slow path, and the slow path is correctly rounded."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astrafs.kernels import elementary
from astrafs.kernels.scalar import KERNELS, round_floats, to_instants, to_local
from astrafs.values import correct, zones
from astrafs.values.rounding import round_float

SEED = 20_260_101


def bits(values: object) -> bytes:
    return np.asarray(values, dtype=np.float64).tobytes()


def arguments(name: str, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """Batches of ordinary, extreme and nearly exact arguments."""
    size = 150
    spread = rng.uniform(-1, 1, size) * 10.0 ** rng.uniform(-25, 25, size)
    if name == "exp":
        return [[rng.uniform(-5, 5, size)], [rng.uniform(-760, 720, size)], [spread]]
    if name in ("ln", "log2", "log10"):
        near_one = 1 + rng.uniform(-1, 1, size) * 10.0 ** rng.uniform(-16, 0, size)
        powers = np.ldexp(1.0, rng.integers(-1074, 1024, size))
        tens = 10.0 ** np.arange(0, 23)
        wide = np.exp(rng.uniform(-740, 709, size))
        return [[near_one], [powers], [tens], [wide], [spread], [np.arange(0.0, 60.0)]]
    if name == "pow":
        small = [rng.integers(-20, 21, size) * 1.0, rng.integers(-40, 81, size) * 0.5]
        near_one = [1 + rng.uniform(-1, 1, size) * 1e-9, rng.uniform(-1, 1, size) * 1e10]
        wide = [10.0 ** rng.uniform(-300, 300, size), rng.uniform(-2, 2, size)]
        squares = [rng.integers(1, 2**26, size) ** 2 * 1.0, rng.choice([0.5, 1.5, -0.5], size)]
        return [small, near_one, wide, squares]
    if name in ("asin", "acos"):
        return [[rng.uniform(-1, 1, size)], [1 - 10.0 ** rng.uniform(-17, 0, size)], [spread]]
    if name == "atan2":
        other = rng.permutation(spread)
        grid = [rng.integers(-3, 4, size) * 1.0, rng.integers(-3, 4, size) * 1.0]
        return [[rng.uniform(-1, 1, size), rng.uniform(-1, 1, size)], [spread, other], grid]
    multiples = np.arange(0.0, 100.0) * (math.pi / 2)
    return [[rng.uniform(-5, 5, size)], [spread], [multiples], [np.arange(-20.0, 20.0)]]


@pytest.mark.parametrize("name", sorted(elementary.FUNCTIONS))
def test_fast_and_slow_paths_agree(name: str) -> None:
    slow = elementary.FUNCTIONS[name][3]
    rng = np.random.default_rng(SEED)
    for values in arguments(name, rng):
        found, exists = elementary.compute(name, values)
        for index in range(len(values[0])):
            args = tuple(float(value[index]) for value in values)
            wanted = slow(*args)
            assert (wanted is not None) == bool(exists[index]), args
            if wanted is not None:
                assert bits(found[index]) == bits(wanted), args


@pytest.mark.parametrize("name", sorted(elementary.FUNCTIONS))
def test_the_fast_path_settles_nearly_everything(name: str) -> None:
    """So the kernel is fast, and the test above tests the fast path rather than the slow one
    twice.
    """
    _, fast, usable, _ = elementary.FUNCTIONS[name]
    batch = 3 if name in ("ln", "log2", "log10") else 0
    values = arguments(name, np.random.default_rng(SEED))[batch]
    inside = usable(*values)
    assert inside.mean() > 0.5
    (high, low), error = fast(*(value[inside] for value in values))
    assert np.mean(high + (low - error) == high + (low + error)) > 0.5


ONE_ARGUMENT: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "ln": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
}


@pytest.mark.parametrize("name", sorted(ONE_ARGUMENT))
def test_slow_path_is_close_to_the_platform(name: str) -> None:
    """An independent implementation, right to a unit or two in the last place, has no gross
    difference.
    """
    rng = random.Random(SEED)
    for _ in range(200):
        x = rng.uniform(0.01, 1) if name in ("asin", "acos") else math.exp(rng.uniform(-6, 6))
        found = getattr(correct, name)(x)
        assert abs(found - ONE_ARGUMENT[name](x)) <= 2 * math.ulp(found), x


def digits(text: str) -> float:
    """The float nearest to a printed constant."""
    return float(text)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        # Digits from printed tables; the last one is rounded further out than a float reaches.
        (correct.exp(1.0), digits("2.71828182845904523536028747135266249775724709369995")),
        (correct.ln(2.0), digits("0.69314718055994530941723212145817656807550013436026")),
        (correct.ln(10.0), digits("2.30258509299404568401799145468436420760110148862877")),
        (correct.sin(1.0), digits("0.84147098480789650665250232163029899962256306079837")),
        (correct.cos(1.0), digits("0.54030230586813971740093660744297660373231042061792")),
        (correct.tan(1.0), digits("1.55740772465490223050697480745836017308725077238152")),
        (correct.sin(math.pi), digits("1.22464679914735317722606593227499105e-16")),
        (correct.atan2(1.0, 1.0), digits("0.78539816339744830961566084581987572104929234984378")),
        (correct.acos(-1.0), digits("3.14159265358979323846264338327950288419716939937511")),
        (correct.pow(2.0, 0.5), digits("1.41421356237309504880168872420969807856967187537694")),
        (correct.pow(3.0, 34.0), 16_677_181_699_666_568.0),  # a tie, to even
        (correct.pow(2.0, -1074.0), 5e-324),
        (correct.pow(2.0, -1075.0), 0.0),  # a tie with zero
        (correct.pow(-0.5, 1075.0), 0.0),
        (correct.pow(0.0, -1.0), None),
        (correct.pow(-8.0, 1 / 3), None),
        (correct.pow(1e200, 2.0), None),
        (correct.exp(709.782712893384), 1.7976931348622732e308),
        (correct.exp(709.7827128933841), None),
        (correct.exp(-745.1332191019411), 5e-324),
        (correct.exp(-745.1332191019412), 0.0),
        (correct.ln(0.0), None),
        (correct.log10(1e22), 22.0),
        (correct.log2(5e-324), -1074.0),
    ],
)
def test_known_values(found: float | None, wanted: float | None) -> None:
    assert found == wanted


@pytest.mark.parametrize("x", [7.541752774995959e-10, -4.9406e-10, 2.0**-53, -(2.0**-54), 1e-300])
def test_hard_cases_of_exp(x: float) -> None:
    """Values so near a boundary between two floats that 113 bits barely tell the side."""
    with localcontext() as context:
        context.prec = 400
        wanted = float(Decimal(x).exp())
    assert correct.exp(x) == wanted
    assert elementary.compute("exp", [np.array([x])])[0][0] == wanted


def test_exp_against_decimal_digits() -> None:
    """The pair of the fast path has the relative error that it claims, with room to spare."""
    rng = np.random.default_rng(SEED)
    values = rng.uniform(-600, 600, 200)
    (high, low), _ = elementary.FUNCTIONS["exp"][1](values)
    with localcontext() as context:
        context.prec = 60
        for x, h, tail in zip(values.tolist(), high.tolist(), low.tolist(), strict=True):
            exact = Decimal(x).exp()
            got = Decimal(h) + Decimal(tail)
            assert abs(got / exact - 1) < Decimal(2) ** -92


def test_sine_error_bound() -> None:
    rng = np.random.default_rng(SEED)
    values = np.concatenate([rng.uniform(-4, 4, 100), rng.uniform(-1e6, 1e6, 100)])
    (high, low), _ = elementary.FUNCTIONS["sin"][1](values)
    for x, h, tail in zip(values.tolist(), high.tolist(), low.tolist(), strict=True):
        sine, _, unit = correct.sine_cosine(Fraction(x), 60)
        error = abs(Fraction(sine, unit) - Fraction(h) - Fraction(tail))
        assert error < Fraction(1, 2**92)


TIES = st.builds(
    lambda n, d: n / 10**d + 5 / 10 ** (d + 1), st.integers(-(10**6), 10**6), st.integers(0, 8)
)


@settings(max_examples=100, deadline=None, database=None)
@given(
    st.one_of(TIES, st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e4, 1e4)),
    st.integers(-3, 24),
)
def test_rounding_is_that_of_exact_fractions(x: float, places: int) -> None:
    found = round_floats(np.array([x]), np.array([places]))[0]
    scaled = abs(Fraction(x)) * Fraction(10) ** places
    size = (2 * scaled + 1) // 2
    exact = Fraction(size) / Fraction(10) ** places * (-1 if x < 0 else 1)
    wanted = exact.numerator / exact.denominator
    assert bits(found) == bits(wanted + 0.0)
    assert bits(round_float(x, places)) == bits(wanted + 0.0)


ZONES = ("Europe/Paris", "America/New_York", "Pacific/Apia", "Africa/Casablanca", "UTC")


@pytest.mark.parametrize("name", ZONES)
def test_zone_kernels_follow_the_zone(name: str) -> None:
    zone = zones.zone(name)
    rng = random.Random(SEED)
    edges = [start + shift for start in zone.starts[1:] for shift in (-1, 0, 1)]
    times = [*edges, *(rng.randint(-(9 * 10**15), 9 * 10**15) for _ in range(300))]
    local = to_local(zone, np.array(times)).tolist()
    assert local == [zone.to_local(time) for time in times]
    assert to_instants(zone, np.array(local)).tolist() == [zone.to_instant(at) for at in local]


def test_nulls_and_several_zones_in_one_column() -> None:
    times = pa.chunked_array([pa.array([0, None, 0, 0], pa.int64())])
    names = pa.chunked_array([pa.array(["UTC", "UTC", "Asia/Kolkata", None])])
    found = KERNELS["af_local"].run(times, names)
    assert found.to_pylist() == [0, None, 19_800_000_000, None]
    empty = pa.chunked_array([], pa.float64())
    assert KERNELS["af_exp"].run(empty).to_pylist() == []
    some = pa.chunked_array([[None, 0.0], [-1.0]], pa.float64())
    assert KERNELS["af_ln"].run(some).to_pylist() == [None, None, None]
    wide = KERNELS["af_pow"].run(some, pa.chunked_array([[1.0, None, 2.0]], pa.float64()))
    assert wide.to_pylist() == [None, None, 1.0]


def test_rounding_of_floats_has_no_negative_zero() -> None:
    found = round_floats(np.array([-0.001, -0.4]), np.array([2, 0]))
    assert [struct.pack("<d", value) for value in found] == [struct.pack("<d", 0.0)] * 2
