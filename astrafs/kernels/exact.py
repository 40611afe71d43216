"""Finishing exact totals: the one place where sums, means and variances become floats, rounded
once.

A float total is a pair of integers (whole, rest) worth ``whole + rest * 2**-86``. Squares are kept
in six limbs of 60 bits in units of ``2**-172``. Everything here is integer arithmetic up to one
correctly rounded division or root, so the bits depend on nothing but the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.kernels.compensated import Flags, Rounded, divide, round_total
from astrafs.kernels.kernel import Kernel

REST_BITS = 86
SQUARE_BITS = 2 * REST_BITS
LIMB_BITS = 60
LIMBS = 6
_LIMB_MASK = np.uint64((1 << LIMB_BITS) - 1)


def joined(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array."""
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def words(array: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the signed high and the raw low words of a 128-bit column; nulls are zeros."""
    words = np.frombuffer(array.buffers()[1], dtype=np.int64) if len(array) else _NO_WORDS
    words = words[2 * array.offset : 2 * (array.offset + len(array))]
    low, high = words[0::2], words[1::2]
    if array.null_count:
        present = array.is_valid().to_numpy(zero_copy_only=False)
        low, high = np.where(present, low, 0), np.where(present, high, 0)
    return high, low


_NO_WORDS: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)


def integers(column: pa.ChunkedArray | pa.Array) -> list[int | None]:
    """Return a HUGEINT, DECIMAL or BIGINT column as Python integers (decimals unscaled)."""
    array = joined(column)
    if not pa.types.is_decimal(array.type):
        return array.to_pylist()  # type: ignore[no-any-return]
    high, low = words(array)
    pairs = zip(high.tolist(), low.view(np.uint64).tolist(), strict=True)
    values: list[int | None] = [(h << 64) | w for h, w in pairs]
    if array.null_count:
        present = array.is_valid().to_pylist()
        values = [value if there else None for value, there in zip(values, present, strict=True)]
    return values


def floats(values: list[float | None]) -> pa.Array:
    """Return a column of floats."""
    return pa.array(values, pa.float64())


def finish_sum(whole: int, rest: int) -> float:
    """Return the float nearest to ``whole + rest * 2**-86``."""
    # int -> float rounds correctly (ties to even) for any size, and scaling by a power of two is
    # exact here.
    return math.ldexp(float((whole << REST_BITS) + rest), -REST_BITS)


def finish_mean(total: int, unit: int, count: int) -> float | None:
    """Return ``total / (unit * count)`` correctly rounded, None where ``count`` is 0."""
    # int / int is correctly rounded for any sizes; + 0.0 turns a negative zero into zero.
    return total / (unit * count) + 0.0 if count else None


def root(numerator: int, denominator: int) -> float:
    """Return the correctly rounded square root of ``numerator / denominator`` (both positive, or 0
    above).
    """
    if numerator == 0:
        return 0.0
    # Scale so that the integer root has at least 55 bits; a sticky last bit then makes one
    # rounding exact.
    shift = (numerator.bit_length() - denominator.bit_length() - 112) // 2
    if shift >= 0:
        quotient, remainder = divmod(numerator, denominator << (2 * shift))
    else:
        quotient, remainder = divmod(numerator << (-2 * shift), denominator)
    whole = math.isqrt(quotient)
    sticky = 1 if remainder or whole * whole != quotient else 0
    return math.ldexp(float(whole * 2 + sticky), shift - 1)


def finish_variance(
    count: int, total: int, squares: int, unit: int, *, sample: bool, square_root: bool
) -> float | None:
    """Return the variance (or deviation) of ``count`` values from exact totals.

    ``total`` is the sum in units of ``1/unit`` and ``squares`` the sum of squares in units of
    ``1/unit**2``. None below two values (sample) or one (population).
    """
    divisor = count - 1 if sample else count
    if divisor < 1:
        return None
    numerator = count * squares - total * total
    denominator = count * divisor * unit * unit
    return root(numerator, denominator) if square_root else numerator / denominator


def _total(whole: pa.Array, rest: pa.Array) -> Rounded:
    return round_total(*words(whole), *words(rest))


def finished(rounded: Rounded, undecided: Callable[[int], float | None], valid: Flags) -> pa.Array:
    """Return the decided floats, with the others from ``undecided`` (by place), null where not
    ``valid``.
    """
    values = rounded.value + 0.0
    for place in np.flatnonzero(valid & ~rounded.decided).tolist():
        found = undecided(place)
        values[place] = 0.0 if found is None else found
    return pa.array(values, pa.float64(), mask=~valid)


def _valid(*columns: pa.Array) -> Flags:
    present: Flags = np.ones(len(columns[0]), dtype=np.bool_)
    for column in columns:
        if column.null_count:
            present &= column.is_valid().to_numpy(zero_copy_only=False)
    return present


def _place(column: pa.Array, place: int) -> int:
    return integers(column.slice(place, 1))[0] or 0


def _sum(whole: pa.ChunkedArray, rest: pa.ChunkedArray) -> pa.Array:
    w, r = joined(whole), joined(rest)
    return finished(
        _total(w, r), lambda place: finish_sum(_place(w, place), _place(r, place)), _valid(w, r)
    )


def _mean(whole: pa.ChunkedArray, rest: pa.ChunkedArray, count: pa.ChunkedArray) -> pa.Array:
    w, r, n = joined(whole), joined(rest), joined(count)
    counts = n.fill_null(0).to_numpy(zero_copy_only=False)
    unit = 1 << REST_BITS

    def undecided(place: int) -> float | None:
        total = (_place(w, place) << REST_BITS) + _place(r, place)
        return finish_mean(total, unit, int(counts[place]))

    return finished(divide(_total(w, r), counts), undecided, _valid(w, r, n) & (counts > 0))


def _mean_int(total: pa.ChunkedArray, count: pa.ChunkedArray) -> pa.Array:
    s, n = joined(total), joined(count)
    counts = n.fill_null(0).to_numpy(zero_copy_only=False)
    high, low = words(s)
    nothing = np.zeros_like(low)

    def undecided(place: int) -> float | None:
        return finish_mean(_place(s, place), 1, int(counts[place]))

    rounded = divide(round_total(high, low, nothing, nothing), counts)
    return finished(rounded, undecided, _valid(s, n) & (counts > 0))


def _mean_scaled(unit: int) -> Callable[..., pa.Array]:
    def run(total: pa.ChunkedArray, count: pa.ChunkedArray) -> pa.Array:
        return floats(
            [
                None if s is None or n is None else finish_mean(s, unit, n)
                for s, n in zip(integers(total), integers(count), strict=True)
            ]
        )

    return run


def _variance(sample: bool, square_root: bool) -> Callable[..., pa.Array]:
    def run(
        count: pa.ChunkedArray,
        whole: pa.ChunkedArray,
        rest: pa.ChunkedArray,
        l0: pa.ChunkedArray,
        l1: pa.ChunkedArray,
        l2: pa.ChunkedArray,
        l3: pa.ChunkedArray,
        l4: pa.ChunkedArray,
        l5: pa.ChunkedArray,
    ) -> pa.Array:
        columns = [integers(column) for column in (count, whole, rest, l0, l1, l2, l3, l4, l5)]
        found: list[float | None] = []
        for n, w, r, *parts in zip(*columns, strict=True):
            if n is None or w is None or r is None:
                found.append(None)
                continue
            squares = sum((part or 0) << (LIMB_BITS * place) for place, part in enumerate(parts))
            found.append(
                finish_variance(
                    n,
                    (w << REST_BITS) + r,
                    squares,
                    1 << REST_BITS,
                    sample=sample,
                    square_root=square_root,
                )
            )
        return floats(found)

    return run


def _variance_int(sample: bool, square_root: bool) -> Callable[..., pa.Array]:
    def run(
        count: pa.ChunkedArray,
        total: pa.ChunkedArray,
        high: pa.ChunkedArray,
        low: pa.ChunkedArray,
        scale: pa.ChunkedArray,
    ) -> pa.Array:
        columns = (integers(column) for column in (count, total, high, low, scale))
        return floats(
            [
                None
                if n is None or s is None or h is None or w is None or places is None
                else finish_variance(
                    n,
                    s,
                    (h << LIMB_BITS) + w,
                    10**places,
                    sample=sample,
                    square_root=square_root,
                )
                for n, s, h, w, places in zip(*columns, strict=True)
            ]
        )

    return run


def square_limbs(values: npt.NDArray[np.float64]) -> list[npt.NDArray[np.int64]]:
    """Return the square of each float (finite, below 2**90) as six limbs of 60 bits, units of
    ``2**-172``.

    The float is first taken to the nearest multiple of ``2**-86`` (ties to even), as sums take it.
    """
    small = np.abs(values) < 2.0**-30
    scaled = np.where(small, np.rint(values * 2.0**REST_BITS) * 2.0**-REST_BITS, values)
    mantissa, exponent = np.frexp(np.abs(scaled))
    whole = (mantissa * 2.0**53).astype(np.uint64)
    power = exponent.astype(np.int64) - 53 + REST_BITS
    # A quantised float is a multiple of 2**-86, so what a negative power would shift out is zero.
    down = np.where(power < 0, -power, 0).astype(np.uint64)
    whole >>= np.minimum(down, np.uint64(63))
    shift = (2 * np.maximum(power, 0)).astype(np.uint64)

    high, low = whole >> np.uint64(27), whole & np.uint64((1 << 27) - 1)
    cross = high * low * np.uint64(2)
    # whole**2 = high**2 * 2**54 + cross * 2**27 + low**2, joined into 60 low and 46 high bits.
    bottom = (
        ((high * high & np.uint64(0x3F)) << np.uint64(54))
        + ((cross & np.uint64((1 << 33) - 1)) << np.uint64(27))
        + low * low
    )
    top = (
        (high * high >> np.uint64(6)) + (cross >> np.uint64(33)) + (bottom >> np.uint64(LIMB_BITS))
    )
    bottom &= _LIMB_MASK

    place = (shift // np.uint64(LIMB_BITS)).astype(np.int64)
    bits = shift % np.uint64(LIMB_BITS)
    back = np.uint64(LIMB_BITS) - bits
    parts = (
        (bottom << bits) & _LIMB_MASK,
        (bottom >> back) + ((top << bits) & _LIMB_MASK),
        top >> back,
    )
    limbs = np.zeros((LIMBS + 2, len(values)), dtype=np.int64)
    rows = np.arange(len(values))
    for offset, part in enumerate(parts):
        limbs[place + offset, rows] = part.astype(np.int64)
    return list(limbs[:LIMBS])


def _square(column: pa.ChunkedArray) -> pa.Array:
    array = joined(column)
    present = array.is_valid().to_numpy(zero_copy_only=False)
    values = np.where(present, array.fill_null(0.0).to_numpy(zero_copy_only=False), 0.0)
    limbs = [pa.array(limb) for limb in square_limbs(values)]
    names = [f"l{place}" for place in range(LIMBS)]
    return pa.StructArray.from_arrays(limbs, names, mask=pa.array(~present))


_SQUARE_TYPE = "STRUCT(" + ", ".join(f"l{place} BIGINT" for place in range(LIMBS)) + ")"


def _kernels() -> dict[str, Kernel]:
    found = {
        "af_sum": Kernel(("HUGEINT", "HUGEINT"), "DOUBLE", _sum),
        "af_mean": Kernel(("HUGEINT", "HUGEINT", "BIGINT"), "DOUBLE", _mean),
        "af_mean_int": Kernel(("HUGEINT", "BIGINT"), "DOUBLE", _mean_int),
        "af_square": Kernel(("DOUBLE",), _SQUARE_TYPE, _square),
    }
    for scale in range(39):
        found[f"af_mean_decimal_{scale}"] = Kernel(
            (f"DECIMAL(38, {scale})", "BIGINT"), "DOUBLE", _mean_scaled(10**scale)
        )
    for name, sample in (("samp", True), ("pop", False)):
        for prefix, square_root in (("var", False), ("stddev", True)):
            found[f"af_{prefix}_{name}"] = Kernel(
                ("BIGINT", *("HUGEINT",) * (2 + LIMBS)), "DOUBLE", _variance(sample, square_root)
            )
            found[f"af_{prefix}_{name}_int"] = Kernel(
                ("BIGINT", "HUGEINT", "HUGEINT", "HUGEINT", "INTEGER"),
                "DOUBLE",
                _variance_int(sample, square_root),
            )
    return found


EXACT_KERNELS: dict[str, Kernel] = _kernels()
