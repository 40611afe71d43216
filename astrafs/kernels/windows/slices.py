"""Aggregates from the rows of one window, side by side, as Python values.

Every aggregate has its meaning here in full; ``sweep`` computes most of them from prefix totals and
positions instead, and equals this. Exact totals are finished by the kernels that also finish those
of DuckDB. Every function takes the rows that take part, oldest first, as :class:`Taken`.
"""

from __future__ import annotations

import hashlib
import math
import struct
from bisect import insort
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.kernels import powers
from astrafs.kernels.estimates import estimate, nearest_single
from astrafs.kernels.exact import REST_BITS, finish_mean, finish_variance
from astrafs.kernels.windows.edges import Window
from astrafs.record import dataclass
from astrafs.typesys import SECOND, Kind, Type
from astrafs.values import correct, numbers
from astrafs.values.sketch import INDEX_BITS, MOST_RANK, RANK_BITS

GRID = 1 << REST_BITS
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Input:
    """What an aggregate reads of every row, as places of columns: its inputs, the boolean ``where``
    that lets rows take part, and the key ``by`` of a map.

    A row with a null input takes no part unless ``keep_nulls``. With ``each`` the inputs are lists,
    and every element takes part.
    """

    args: tuple[int, ...]
    where: int | None = None
    by: int | None = None
    each: bool = False
    keep_nulls: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One aggregate over one window: its constants, the types of its inputs (of an element with
    ``each``) and of its result (of a map's value with ``by``, its key is ``by_type``), and what it
    reads.
    """

    function: str
    constants: tuple[Any, ...]
    types: tuple[Type, ...]
    result: Type
    input: Input
    window: Window
    by_type: Type | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The rows that take part: their inputs side by side, their event times; ``t`` is asked."""

    columns: tuple[Sequence[Any], ...]
    events: Sequence[int]
    count: int
    t: int

    @property
    def values(self) -> Sequence[Any]:
        """The first input of every row."""
        return self.columns[0]


class Lists:
    """What takes part in an aggregate, as Python values: ``columns`` of inputs, their event times,
    and the keys ``by`` of a map. ``starts`` says, for 0 to n rows, how many inputs they have (None:
    one each).
    """

    __slots__ = ("by", "columns", "events", "starts", "totals")

    def __init__(
        self,
        starts: Sequence[int] | None,
        columns: tuple[Sequence[Any], ...],
        events: Sequence[int],
        by: Sequence[Any] | None,
    ) -> None:
        self.starts = starts
        self.columns = columns
        self.events = events
        self.by = by
        self.totals: dict[Any, list[int]] = {}

    @classmethod
    def of(cls, times: npt.NDArray[np.int64], columns: Sequence[pa.Array], read: Input) -> Lists:
        """Return what takes part of whole columns."""
        inputs = [listed(columns[one]) for one in read.args]
        where = None if read.where is None else columns[read.where].to_pylist()
        by = None if read.by is None else listed(columns[read.by])
        return cls.taking(times.tolist(), inputs, where, by, read)

    @classmethod
    def taking(
        cls,
        events: Sequence[int],
        inputs: Sequence[Sequence[Any]],
        where: Sequence[bool | None] | None,
        by: Sequence[Any] | None,
        read: Input,
    ) -> Lists:
        """Return what takes part of the rows at ``events``."""
        plain = where is None and by is None and not read.each
        if plain and (read.keep_nulls or not any(None in column for column in inputs)):
            return cls(None, tuple(inputs), events, None)
        starts, taken, groups, found = [0], [], [], []
        for place, event in enumerate(events):
            cells = tuple(column[place] for column in inputs)
            if where is None or where[place] is True:
                for one in _elements(cells) if read.each else (cells,):
                    if read.keep_nulls or None not in one:
                        found.append(one)
                        taken.append(event)
                        groups.append(None if by is None else by[place])
            starts.append(len(found))
        made = tuple(zip(*found, strict=True)) if found else ((),) * len(inputs)
        return cls(starts, made, taken, None if by is None else groups)

    def bounds(self, low: int, high: int) -> tuple[int, int]:
        """Return where the inputs of the rows ``low`` to ``high`` are."""
        return (low, high) if self.starts is None else (self.starts[low], self.starts[high])

    def joined(self, low: int, high: int, more: Lists) -> Lists:
        """Return the inputs of the rows ``low`` to ``high``, with those of ``more`` after them."""
        low, high = self.bounds(low, high)
        columns = tuple(
            [*column[low:high], *added]
            for column, added in zip(self.columns, more.columns, strict=True)
        )
        by = None if self.by is None else [*self.by[low:high], *(more.by or ())]
        return Lists(None, columns, [*self.events[low:high], *more.events], by)

    @property
    def nbytes(self) -> int:
        """About how many bytes the values take."""
        columns = len(self.columns) + 1 + (self.starts is not None) + (self.by is not None)
        return 40 * (columns + len(self.totals)) * max(len(self.events), 1)

    def value(self, call: Call, low: int, high: int, t: int) -> Any:
        """Return the aggregate over the inputs of the rows ``low`` to ``high``."""
        low, high = self.bounds(low, high)
        columns = tuple(column[low:high] for column in self.columns)
        events = self.events[low:high]
        if self.by is None:
            return compute(call, Taken(columns, events, high - low, t))
        groups: dict[Any, list[int]] = {}
        for place, key in enumerate(self.by[low:high]):
            if key is not None:
                groups.setdefault(key, []).append(place)
        found = []
        for key in sorted(groups):
            places = groups[key]
            part = tuple([column[place] for place in places] for column in columns)
            taken = Taken(part, [events[place] for place in places], len(places), t)
            found.append((key, compute(call, taken)))
        return tuple(found)


def _elements(cells: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
    if None in cells:
        return ()
    longest = max(map(len, cells))
    padded = ((*cell, *(None for _ in range(longest - len(cell)))) for cell in cells)
    return list(zip(*padded, strict=True))


def listed(column: pa.Array) -> list[Any]:
    """Return a column as engine values."""
    found: list[Any] = column.to_pylist()
    return list(map(engine_value, found)) if pa.types.is_nested(column.type) else found


def engine_value(value: Any) -> Any:
    """Return what Arrow gives for a value of an engine type as engines know it: tuples for lists
    and maps.
    """
    return tuple(map(engine_value, value)) if isinstance(value, list | tuple) else value


def units_of(value: Any, type_: Type) -> int:
    """Return an input of an exact sum in whole units: a float in 2^-86 (to the nearest, ties to
    even), a decimal in its scale.
    """
    match value:
        case float():
            numerator, denominator = numbers.summable(value).as_integer_ratio()
            if denominator <= GRID:
                return numerator * (GRID // denominator)
            return round(Fraction(numerator * GRID, denominator))
        case Decimal():
            return int(value.scaleb(type_.scale, numbers.EXACT))
        case _:
            return int(value)


def unit_of(type_: Type) -> int:
    """Return how many units of an exact sum make one."""
    match type_.kind:
        case Kind.FLOAT | Kind.VECTOR:
            return GRID
        case Kind.DECIMAL:
            return int(10**type_.scale)
        case _:
            return 1


def finish_total(total: int, call: Call) -> Any:
    """Return a sum from its units, checked."""
    match call.result.kind:
        case Kind.FLOAT:
            return math.ldexp(float(total), -REST_BITS)
        case Kind.DECIMAL:
            if abs(total) >= 10**call.result.precision:
                return numbers.fixed(Fraction(total, 10**call.result.scale), call.result)
            return numbers.from_unscaled(total, call.result.scale)
        case _:
            return numbers.whole(total)


def compute(call: Call, taken: Taken) -> Any:
    """Return the value of an aggregate over the rows that take part."""
    return _FUNCTIONS[call.function](call, taken)


def _units(call: Call, taken: Taken, place: int = 0) -> list[int]:
    type_ = call.types[place]
    return [units_of(value, type_) for value in taken.columns[place]]


def _sum(call: Call, taken: Taken) -> Any:
    if call.types[0].kind is Kind.VECTOR:
        return _of_vectors(call, taken, 1)
    return finish_total(sum(_units(call, taken)), call)


def _mean(call: Call, taken: Taken) -> Any:
    if not taken.count:
        return None
    if call.types[0].kind is Kind.VECTOR:
        return _of_vectors(call, taken, taken.count)
    return finish_mean(sum(_units(call, taken)), unit_of(call.types[0]), taken.count)


def _of_vectors(call: Call, taken: Taken, count: int) -> tuple[float, ...]:
    size = call.types[0].precision
    columns = zip(*taken.values, strict=True) if taken.count else [()] * size
    totals = (sum(units_of(value, call.types[0]) for value in column) for column in columns)
    return tuple(nearest_single(total, count * GRID) for total in totals)


def _variance(*, sample: bool, square_root: bool) -> Callable[[Call, Taken], Any]:
    def value(call: Call, taken: Taken) -> Any:
        units = _units(call, taken)
        return finish_variance(
            taken.count,
            sum(units),
            sum(one * one for one in units),
            unit_of(call.types[0]),
            sample=sample,
            square_root=square_root,
        )

    return value


def _moment(most: int, finish: Callable[..., float | None]) -> Callable[[Call, Taken], Any]:
    def value(call: Call, taken: Taken) -> Any:
        if not taken.count:
            return None
        units = _units(call, taken)
        return finish(
            taken.count, *(sum(one**power for one in units) for power in range(1, most + 1))
        )

    return value


def _pair_sums(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    return (
        len(left),
        sum(left),
        sum(right),
        sum(a * a for a in left),
        sum(a * b for a, b in zip(left, right, strict=True)),
        sum(b * b for b in right),
    )


def _corr(call: Call, taken: Taken) -> Any:
    if not taken.count:
        return None
    return powers.correlation(*_pair_sums(_units(call, taken), _units(call, taken, 1)))


def _covariance(*, sample: bool) -> Callable[[Call, Taken], Any]:
    def value(call: Call, taken: Taken) -> Any:
        n, x, y, _, xy, _ = _pair_sums(_units(call, taken), _units(call, taken, 1))
        divisor = n - 1 if sample else n
        if divisor < 1:
            return None
        below = n * divisor * unit_of(call.types[0]) * unit_of(call.types[1])
        return (n * xy - x * y) / below + 0.0

    return value


def _slope(call: Call, taken: Taken) -> Any:
    n, time, value, squares, products, _ = _pair_sums(taken.events, _units(call, taken))
    spread = n * squares - time * time
    if spread == 0:
        return None
    unit = call.constants[0] if call.constants else SECOND
    return (n * products - time * value) * unit / (spread * unit_of(call.types[0])) + 0.0


def _weighted(call: Call, taken: Taken, end: int) -> tuple[int, int]:
    """Return the sums of weighted inputs and of weights, in units of 2^-86."""
    type_ = Type(Kind.FLOAT)
    products, weights = 0, 0
    for value, event in zip(taken.values, taken.events, strict=True):
        power = correct.pow(2.0, max(end - event, 0) / -call.constants[0])
        assert power is not None
        weights += units_of(power, type_)
        products += units_of(power * float(value), type_)
    return products, weights


def _ema(call: Call, taken: Taken) -> Any:
    if not taken.count:
        return None
    products, weights = _weighted(call, taken, taken.events[-1])
    return products / weights + 0.0


def _decayed_sum(call: Call, taken: Taken) -> Any:
    if not taken.count:
        return None
    products, _ = _weighted(call, taken, taken.t)
    return math.ldexp(float(products), -REST_BITS)


def _nth_last(call: Call, taken: Taken) -> Any:
    place = call.constants[0]
    return taken.values[-place] if taken.count >= place else None


def _best(*, greatest: bool) -> Callable[[Call, Taken], Any]:
    def value(_call: Call, taken: Taken) -> Any:
        if not taken.count:
            return None
        by = taken.columns[1]
        best = max(by) if greatest else min(by)
        place = max(place for place, one in enumerate(by) if one == best)
        return taken.values[place]

    return value


def _collect_distinct(call: Call, taken: Taken) -> tuple[Any, ...]:
    latest = dict.fromkeys(reversed(taken.values))
    return tuple(reversed(list(latest)[: call.constants[0]]))


def _quantile(share: Callable[[Call], Fraction]) -> Callable[[Call, Taken], Any]:
    def value(call: Call, taken: Taken) -> Any:
        if not taken.count:
            return None
        place = max(1, math.ceil(share(call) * taken.count))
        return sorted(taken.values)[place - 1]

    return value


def _frequent(taken: Taken, most: int) -> list[Any]:
    best: list[tuple[int, Any]] = []
    for value, count in Counter(taken.values).items():
        insort(best, (-count, value))
    return [value for _, value in best[:most]]


def _hash_of(value: Any) -> int:
    match value:
        case bytes():
            text = value
        case bool():
            text = b"true" if value else b"false"
        case float():
            text = str(struct.unpack(">q", struct.pack(">d", value))[0]).encode()
        case Decimal():
            text = f"{value:f}".encode()
        case _:
            text = str(value).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8])


def _sketch(_call: Call, taken: Taken) -> int:
    ranks: dict[int, int] = {}
    for value in set(taken.values):
        bits = _hash_of(value)
        rank = MOST_RANK - (bits & ((1 << RANK_BITS) - 1)).bit_length()
        place = bits >> (64 - INDEX_BITS)
        ranks[place] = max(rank, ranks.get(place, 0))
    # A register at rank r lacks 1 - 2^-r of the sum of 2^-rank, in units of 2^-53.
    weights = sum((1 << MOST_RANK) - (1 << (MOST_RANK - rank)) for rank in ranks.values())
    return estimate(weights, len(ranks))


_FUNCTIONS: dict[str, Callable[[Call, Taken], Any]] = {
    "count": lambda _call, taken: taken.count,
    "count_distinct": lambda _call, taken: len(set(taken.values)),
    "approx_count_distinct": _sketch,
    "sum": _sum,
    "mean": _mean,
    "var": _variance(sample=True, square_root=False),
    "stddev": _variance(sample=True, square_root=True),
    "var_pop": _variance(sample=False, square_root=False),
    "stddev_pop": _variance(sample=False, square_root=True),
    "skew": _moment(3, powers.skewness),
    "kurtosis": _moment(4, powers.kurtosis),
    "corr": _corr,
    "covar": _covariance(sample=True),
    "covar_pop": _covariance(sample=False),
    "slope": _slope,
    "ema": _ema,
    "decayed_sum": _decayed_sum,
    "any": lambda _call, taken: any(taken.values),
    "all": lambda _call, taken: all(taken.values),
    "min": lambda _call, taken: min(taken.values, default=None),
    "max": lambda _call, taken: max(taken.values, default=None),
    "first": lambda _call, taken: taken.values[0] if taken.count else None,
    "last": lambda _call, taken: taken.values[-1] if taken.count else None,
    "first_row": lambda _call, taken: taken.values[0] if taken.count else None,
    "last_row": lambda _call, taken: taken.values[-1] if taken.count else None,
    "nth_last": _nth_last,
    "nth_last_row": _nth_last,
    "argmin": _best(greatest=False),
    "argmax": _best(greatest=True),
    "first_k": lambda call, taken: tuple(taken.values[: call.constants[0]]),
    "min_k": lambda call, taken: tuple(sorted(taken.values)[: call.constants[0]]),
    "max_k": lambda call, taken: tuple(sorted(taken.values, reverse=True)[: call.constants[0]]),
    "collect": lambda call, taken: tuple(taken.values[-call.constants[0] :]),
    "collect_distinct": _collect_distinct,
    "median": _quantile(lambda _call: Fraction(1, 2)),
    "quantile": _quantile(lambda call: Fraction(str(call.constants[0]))),
    "mode": lambda _call, taken: next(iter(_frequent(taken, 1)), None),
    "top_k": lambda call, taken: tuple(_frequent(taken, call.constants[0])),
}

NAMES = frozenset(_FUNCTIONS)
"""Every aggregate that windows can be swept for."""
