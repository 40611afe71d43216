"""From totals over windows to values: one at a time as Python integers, many at a time in numpy.

Both are the arithmetic of ``kernels.exact``. A finisher takes, per question, the number of rows that
take part and then the columns of its states (see ``totals``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.kernels.arrow_types import engine_type
from astrafs.kernels.compensated import Rounded, divide, round_total
from astrafs.kernels.exact import REST_BITS, finish_mean, finish_variance, finished
from astrafs.kernels.windows.slices import Call, finish_total, unit_of
from astrafs.kernels.windows.totals import HALF_BITS, SQUARE_LIMB_BITS
from astrafs.record import dataclass
from astrafs.typesys import Kind

Ints = npt.NDArray[np.int64]
One = Callable[[Sequence[int]], Any]
Many = Callable[[Ints], pa.Array]


@dataclass(frozen=True, slots=True)
class Finisher:
    """The states whose totals an aggregate needs beside the count, and what makes its value of
    them: of one question, and of [questions, columns].
    """

    states: tuple[str, ...]
    one: One
    many: Many


def finisher(call: Call) -> Finisher | None:
    """Return how ``call`` is finished from totals; None where it is not."""
    if call.input.each or call.input.by is not None:
        return None
    if call.types and call.types[0].is_nested and call.function != "count":
        return None
    make = _FINISHERS.get(call.function)
    return None if make is None else make(call)


def _count(_call: Call) -> Finisher:
    return Finisher((), lambda found: found[0], lambda found: pa.array(found[:, 0]))


def _any(_call: Call) -> Finisher:
    return Finisher(("true",), lambda found: found[1] > 0, lambda found: pa.array(found[:, 1] > 0))


def _all(_call: Call) -> Finisher:
    return Finisher(
        ("false",), lambda found: found[1] == 0, lambda found: pa.array(found[:, 1] == 0)
    )


def _total(call: Call) -> One:
    if call.types[0].kind is Kind.FLOAT:
        return lambda found: (found[1] << REST_BITS) + (found[2] << HALF_BITS) + found[3]
    return lambda found: found[1]


def _rounded(call: Call, found: Ints) -> Rounded:
    """Return the floats nearest to totals, in units of exact inputs."""
    whole = np.ascontiguousarray(found[:, 1])
    if call.types[0].kind is not Kind.FLOAT:
        nothing = np.zeros_like(whole)
        return round_total(whole >> 63, whole, nothing, nothing)
    high, low = found[:, 2], found[:, 3]
    shifted = high.astype(np.uint64) << np.uint64(HALF_BITS)
    rest = shifted + low.astype(np.uint64)
    carry = (rest < shifted).astype(np.int64)
    top = (high >> (64 - HALF_BITS)) + (low >> 63) + carry
    return round_total(whole >> 63, whole, top, rest.view(np.int64))


def _everywhere(found: Ints) -> npt.NDArray[np.bool_]:
    return np.ones(len(found), dtype=np.bool_)


def _sum(call: Call) -> Finisher:
    total = _total(call)

    def one(found: Sequence[int]) -> Any:
        return finish_total(total(found), call)

    def many(found: Ints) -> pa.Array:
        match call.types[0].kind:
            case Kind.FLOAT:
                rounded = _rounded(call, found)
                return finished(rounded, lambda at: one(found[at].tolist()), _everywhere(found))
            case Kind.DECIMAL:
                return _decimals(call, found[:, 1])
            case _:
                return pa.array(found[:, 1], engine_type(call.result))

    return Finisher(("sum",), one, many)


def _decimals(call: Call, units: Ints) -> pa.Array:
    most = 10**call.result.precision
    for unit in (int(units.min(initial=0)), int(units.max(initial=0))):
        if abs(unit) >= most:
            finish_total(unit, call)
    words = np.stack((units, units >> 63), axis=1)
    return pa.Array.from_buffers(
        engine_type(call.result), len(units), [None, pa.py_buffer(np.ascontiguousarray(words))]
    )


def _mean(call: Call) -> Finisher:
    total, unit = _total(call), unit_of(call.types[0])
    scale = 1 if call.types[0].kind is Kind.FLOAT else unit

    def one(found: Sequence[int]) -> Any:
        return finish_mean(total(found), unit, found[0])

    def many(found: Ints) -> pa.Array:
        if scale >= 1 << 31:
            return pa.array([one(each) for each in found.tolist()], pa.float64())
        rounded = divide(_rounded(call, found), found[:, 0] * scale)
        return finished(rounded, lambda at: one(found[at].tolist()), found[:, 0] > 0)

    return Finisher(("sum",), one, many)


def _variance(*, sample: bool, square_root: bool) -> Callable[[Call], Finisher]:
    def make(call: Call) -> Finisher:
        total, unit = _total(call), unit_of(call.types[0])
        first = 4 if call.types[0].kind is Kind.FLOAT else 2

        def one(found: Sequence[int]) -> Any:
            squares = 0
            for limb in reversed(found[first:]):
                squares = (squares << SQUARE_LIMB_BITS) + limb
            return finish_variance(
                found[0], total(found), squares, unit, sample=sample, square_root=square_root
            )

        def many(found: Ints) -> pa.Array:
            return pa.array([one(each) for each in found.tolist()], pa.float64())

        return Finisher(("sum", "square"), one, many)

    return make


_FINISHERS: dict[str, Callable[[Call], Finisher]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "var": _variance(sample=True, square_root=False),
    "stddev": _variance(sample=True, square_root=True),
    "var_pop": _variance(sample=False, square_root=False),
    "stddev_pop": _variance(sample=False, square_root=True),
    "any": _any,
    "all": _all,
}
