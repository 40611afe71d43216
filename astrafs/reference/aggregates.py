"""What each aggregate means, in exact arithmetic over plain Python lists."""

from __future__ import annotations

import hashlib
import math
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.typesys import SECOND, Kind, Type
from astrafs.values import correct, numbers
from astrafs.values.errors import SUM_RANGE, ValueFailure
from astrafs.values.rational import nearest, nearest_root, nearest_single

Values = list[Any]

_GRID = 2**86
_LIMIT = 2**90


@dataclass(frozen=True, slots=True)
class Given:
    """What a row of the window puts in: the inputs (constants not among them), the key of ``by``,
    and its event time.
    """

    inputs: tuple[Any, ...]
    event: int = 0
    by: Any = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: constants of the call, the type of the first input and of the result, and the
    time of the question.
    """

    constants: tuple[Any, ...]
    type: Type
    result: Type
    t: int


def aggregate(node: ir.Aggregate, rows: Sequence[tuple[int, tuple[Any, ...]]], t: int) -> Any:
    """Compute an aggregate at ``t`` over the rows that its window and condition let through, in
    (e, key) order: each with its event time, the values of the arguments, and the key of ``by``.
    """
    inputs = INPUTS.get(node.function, 1)
    members = [
        Given(values[: min(inputs, len(node.args))], event, values[-1] if node.by else None)
        for event, values in rows
    ]
    kind = node.args[0].type if node.args else node.type
    if node.each:
        members = [one for member in members for one in _elements(member)]
        kind = kind.parts[0]
    if node.function not in _OF_ROWS:
        members = [one for one in members if None not in one.inputs]
    constants = tuple(_constant(arg) for arg in node.args[inputs:])
    if node.by is None:
        return _compute(node.function, members, Asked(constants, kind, node.type, t))
    asked = Asked(constants, kind, node.type.parts[1], t)
    keys = sorted({one.by for one in members if one.by is not None})
    return tuple(
        (key, _compute(node.function, [one for one in members if one.by == key], asked))
        for key in keys
    )


def _constant(arg: ir.Expr) -> Any:
    """The value of an argument that is no input."""
    assert isinstance(arg, ir.Literal)
    return arg.value


def _elements(member: Given) -> list[Given]:
    """Each element of the lists is an input, side by side where there are two."""
    if None in member.inputs:
        return []
    longest = max(map(len, member.inputs))
    padded = [(*values, *(None for _ in range(longest - len(values)))) for values in member.inputs]
    return [Given(inputs, member.event, member.by) for inputs in zip(*padded, strict=True)]


def _compute(name: str, members: Sequence[Given], asked: Asked) -> Any:
    if name in _OF_MEMBERS:
        return _OF_MEMBERS[name](members, asked)
    if not members or not members[0].inputs:
        values: Values = [True] * len(members)
    else:
        values = [one.inputs[0] for one in members]
    if name in _OF_ROWS:
        return _OF_ROWS[name](values, asked)
    return _OF_VALUES[name](values, asked)


def on_grid(value: Any) -> Fraction:
    """One input of an exact sum: a float goes to the nearest multiple of 2^-86, ties to even."""
    if not isinstance(value, float):
        return Fraction(value)
    exact = Fraction(value)
    if abs(exact) >= _LIMIT:
        raise ValueFailure(SUM_RANGE, "a float of 2^90 or more cannot enter an exact sum")
    return Fraction(round(exact * _GRID), _GRID)


def check_summed(value: Any) -> None:
    """Refuse an input of exact sums that is, or holds, a float of 2^90 or more."""
    if isinstance(value, tuple):
        for element in value:
            check_summed(element)
    elif isinstance(value, float):
        on_grid(value)


def _total(values: Values) -> Fraction:
    return sum((on_grid(value) for value in values), Fraction(0))


# --- totals


def _count(values: Values, _asked: Asked) -> int:
    return len(values)


def _sum(values: Values, asked: Asked) -> Any:
    if asked.type.kind is Kind.VECTOR:
        columns = zip(*values, strict=True) if values else [()] * asked.type.precision
        return tuple(nearest_single(_total(list(column))) for column in columns)
    total = _total(values)
    match asked.result.kind:
        case Kind.FLOAT:
            return nearest(total)
        case Kind.DECIMAL:
            return numbers.fixed(total, asked.result)
        case _:
            return numbers.whole(int(total))


def _mean(values: Values, asked: Asked) -> Any:
    if not values:
        return None
    if asked.type.kind is Kind.VECTOR:
        columns = zip(*values, strict=True)
        return tuple(nearest_single(_total(list(column)) / len(values)) for column in columns)
    return nearest(_total(values) / len(values))


def _moment(values: Values, power: int) -> Fraction:
    """The central moment, divided by n."""
    exact = [on_grid(value) for value in values]
    mean = sum(exact, Fraction(0)) / len(exact)
    return sum(((value - mean) ** power for value in exact), Fraction(0)) / len(exact)


def _variance(values: Values, sample: bool) -> Fraction | None:
    if len(values) < (2 if sample else 1):
        return None
    found = _moment(values, 2)
    return found * len(values) / (len(values) - 1) if sample else found


def _spread(sample: bool, root: bool) -> Callable[[Values, Asked], float | None]:
    def compute(values: Values, _asked: Asked) -> float | None:
        found = _variance(values, sample)
        if found is None:
            return None
        return nearest_root(found) if root else nearest(found)

    return compute


def _skew(values: Values, _asked: Asked) -> float | None:
    if not values or _moment(values, 2) == 0:
        return None
    third = _moment(values, 3)
    size = nearest_root(third**2 / _moment(values, 2) ** 3)
    return size if third >= 0 else -size


def _kurtosis(values: Values, _asked: Asked) -> float | None:
    if not values or _moment(values, 2) == 0:
        return None
    return nearest(_moment(values, 4) / _moment(values, 2) ** 2 - 3)


def _covariance(x: Values, y: Values) -> Fraction:
    """The covariance of pairs, divided by n."""
    left, right = [on_grid(value) for value in x], [on_grid(value) for value in y]
    count = len(left)
    mean_x, mean_y = sum(left, Fraction(0)) / count, sum(right, Fraction(0)) / count
    pairs = zip(left, right, strict=True)
    return sum(((a - mean_x) * (b - mean_y) for a, b in pairs), Fraction(0)) / count


def _sides(members: Sequence[Given]) -> tuple[Values, Values]:
    return [one.inputs[0] for one in members], [one.inputs[1] for one in members]


def _covar(members: Sequence[Given], _asked: Asked) -> float | None:
    count = len(members)
    return nearest(_covariance(*_sides(members)) * count / (count - 1)) if count > 1 else None


def _covar_pop(members: Sequence[Given], _asked: Asked) -> float | None:
    return nearest(_covariance(*_sides(members))) if members else None


def _corr(members: Sequence[Given], _asked: Asked) -> float | None:
    x, y = _sides(members)
    if not members or _covariance(x, x) == 0 or _covariance(y, y) == 0:
        return None
    shared = _covariance(x, y)
    size = nearest_root(shared**2 / (_covariance(x, x) * _covariance(y, y)))
    return size if shared >= 0 else -size


def _slope(members: Sequence[Given], asked: Asked) -> float | None:
    times = [one.event for one in members]
    if len(set(times)) < 2:
        return None
    values = [one.inputs[0] for one in members]
    unit = asked.constants[0] if asked.constants else SECOND
    return nearest(_covariance(times, values) / _covariance(times, times) * unit)


# --- values of rows


def _min(values: Values, _asked: Asked) -> Any:
    return min(values, default=None)


def _max(values: Values, _asked: Asked) -> Any:
    return max(values, default=None)


def _first(values: Values, _asked: Asked) -> Any:
    return values[0] if values else None


def _last(values: Values, _asked: Asked) -> Any:
    return values[-1] if values else None


def _nth_last(values: Values, asked: Asked) -> Any:
    place = asked.constants[0]
    return values[-place] if len(values) >= place else None


def _argmin(members: Sequence[Given], _asked: Asked) -> Any:
    best = min((one.inputs[1] for one in members), default=None)
    return next((one.inputs[0] for one in reversed(members) if one.inputs[1] == best), None)


def _argmax(members: Sequence[Given], _asked: Asked) -> Any:
    best = max((one.inputs[1] for one in members), default=None)
    return next((one.inputs[0] for one in reversed(members) if one.inputs[1] == best), None)


def _first_k(values: Values, asked: Asked) -> tuple[Any, ...]:
    return tuple(values[: asked.constants[0]])


def _min_k(values: Values, asked: Asked) -> tuple[Any, ...]:
    return tuple(sorted(values)[: asked.constants[0]])


def _max_k(values: Values, asked: Asked) -> tuple[Any, ...]:
    return tuple(sorted(values, reverse=True)[: asked.constants[0]])


def _collect(values: Values, asked: Asked) -> tuple[Any, ...]:
    return tuple(values[-asked.constants[0] :])


def _collect_distinct(values: Values, asked: Asked) -> tuple[Any, ...]:
    latest: list[Any] = []
    for value in reversed(values):
        if value not in latest and len(latest) < asked.constants[0]:
            latest.insert(0, value)
    return tuple(latest)


# --- distributions


def _quantile_at(values: Values, share: Fraction) -> Any:
    if not values:
        return None
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def _median(values: Values, _asked: Asked) -> Any:
    return _quantile_at(values, Fraction(1, 2))


def _quantile(values: Values, asked: Asked) -> Any:
    # A literal such as 0.95 means the decimal number that is written, not the float next to it.
    return _quantile_at(values, Fraction(str(asked.constants[0])))


def _by_frequency(values: Values) -> list[Any]:
    counts = Counter(values)
    return sorted(counts, key=lambda value: (-counts[value], value))


def _mode(values: Values, _asked: Asked) -> Any:
    return next(iter(_by_frequency(values)), None)


def _top_k(values: Values, asked: Asked) -> tuple[Any, ...]:
    return tuple(_by_frequency(values)[: asked.constants[0]])


def _count_distinct(values: Values, _asked: Asked) -> int:
    return len(set(values))


def _hashed(value: Any) -> int:
    """The 64-bit hash of a value of the sketch."""
    match value:
        case bytes():
            given = value
        case bool():
            given = b"true" if value else b"false"
        case float():
            (bits,) = struct.unpack(">q", struct.pack(">d", value))
            given = str(bits).encode()
        case int() | str():
            given = str(value).encode()
        case _:
            given = format(value, "f").encode()
    return int(hashlib.sha256(given).hexdigest()[:16], 16)


def _approx_count_distinct(values: Values, _asked: Asked) -> int:
    registers = [0] * 4096
    for value in values:
        number = _hashed(value)
        place, rest = number >> 52, number & (2**52 - 1)
        registers[place] = max(registers[place], 53 - rest.bit_length())
    return _estimate(registers)


def _estimate(registers: list[int]) -> int:
    size = Fraction(len(registers))
    total = Fraction(sum(2 ** (64 - register) for register in registers), 2**64)
    raw = Fraction("0.7213") / (1 + Fraction("1.079") / size) * size**2 / total
    empty = registers.count(0)
    if raw <= Fraction(5, 2) * size and empty:
        logarithm = correct.ln(nearest(size / empty))
        assert logarithm is not None
        raw = size * Fraction(logarithm)
    return math.floor(raw + Fraction(1, 2))


# --- decay


def _weight(age: int, half_life: int) -> float:
    found = correct.pow(2.0, -(float(max(age, 0)) / float(half_life)))
    assert found is not None
    return found


def _decayed(members: Sequence[Given], end: int, half_life: int) -> tuple[Fraction, Fraction]:
    """The exact sums of the weighted values and of the weights."""
    weights = [_weight(end - one.event, half_life) for one in members]
    products = [float(one.inputs[0]) * weight for one, weight in zip(members, weights, strict=True)]
    return _total(products), _total(weights)


def _decayed_sum(members: Sequence[Given], asked: Asked) -> float | None:
    return nearest(_decayed(members, asked.t, asked.constants[0])[0]) if members else None


def _ema(members: Sequence[Given], asked: Asked) -> float | None:
    if not members:
        return None
    newest = max(one.event for one in members)
    total, weights = _decayed(members, newest, asked.constants[0])
    return nearest(total / weights)


_OF_VALUES: dict[str, Callable[[Values, Asked], Any]] = {
    "count": _count,
    "count_distinct": _count_distinct,
    "approx_count_distinct": _approx_count_distinct,
    "sum": _sum,
    "mean": _mean,
    "var": _spread(True, False),
    "var_pop": _spread(False, False),
    "stddev": _spread(True, True),
    "stddev_pop": _spread(False, True),
    "skew": _skew,
    "kurtosis": _kurtosis,
    "min": _min,
    "max": _max,
    "first": _first,
    "last": _last,
    "nth_last": _nth_last,
    "first_k": _first_k,
    "min_k": _min_k,
    "max_k": _max_k,
    "collect": _collect,
    "collect_distinct": _collect_distinct,
    "median": _median,
    "quantile": _quantile,
    "mode": _mode,
    "top_k": _top_k,
    "any": lambda values, _asked: any(values),
    "all": lambda values, _asked: all(values),
}

_OF_MEMBERS: dict[str, Callable[[Sequence[Given], Asked], Any]] = {
    "corr": _corr,
    "covar": _covar,
    "covar_pop": _covar_pop,
    "slope": _slope,
    "argmin": _argmin,
    "argmax": _argmax,
    "ema": _ema,
    "decayed_sum": _decayed_sum,
}

_OF_ROWS: dict[str, Callable[[Values, Asked], Any]] = {
    "first_row": _first,
    "last_row": _last,
    "nth_last_row": _nth_last,
}

INPUTS = dict.fromkeys(("corr", "covar", "covar_pop", "argmin", "argmax"), 2)
"""How many arguments are inputs, where it is not one; the others are constants."""

SUMMED = frozenset(
    {
        *("sum", "mean", "var", "var_pop", "stddev", "stddev_pop", "skew", "kurtosis"),
        *("corr", "covar", "covar_pop", "slope", "ema", "decayed_sum"),
    }
)
"""Aggregates whose float inputs enter exact sums."""

NAMES = frozenset({*_OF_VALUES, *_OF_MEMBERS, *_OF_ROWS})
"""Every aggregate that the reference knows."""
