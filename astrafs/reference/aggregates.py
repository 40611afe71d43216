"""What each aggregate means, in exact arithmetic over plain Python lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from astrafs.typesys import Kind, Type
from astrafs.values import numbers
from astrafs.values.errors import SUM_RANGE, ValueFailure
from astrafs.values.rational import nearest, nearest_root

Values = list[Any]

_GRID = 2**86
_LIMIT = 2**90


def aggregate(name: str, inputs: Sequence[tuple[Any, ...]], result: Type) -> Any:
    """Compute aggregate ``name`` over its inputs, one tuple of arguments per row in (e, key)
    order.
    """
    if name == "count" and all(not row for row in inputs):
        return len(inputs)
    values = [row[0] for row in inputs]
    if name in _OF_ROWS:
        return _OF_ROWS[name](values)
    present = [value for value in values if value is not None]
    return _OF_VALUES[name](present, result)


def on_grid(value: Any) -> Fraction:
    """One input of an exact sum: a float goes to the nearest multiple of 2^-86, ties to even."""
    if not isinstance(value, float):
        return Fraction(value)
    exact = Fraction(value)
    if abs(exact) >= _LIMIT:
        raise ValueFailure(SUM_RANGE, "a float of 2^90 or more cannot enter an exact sum")
    return Fraction(round(exact * _GRID), _GRID)


def _count(values: Values, _result: Type) -> int:
    return len(values)


def _count_distinct(values: Values, _result: Type) -> int:
    return len(set(values))


def _sum(values: Values, result: Type) -> Any:
    total = sum((on_grid(value) for value in values), Fraction(0))
    match result.kind:
        case Kind.FLOAT:
            return nearest(total)
        case Kind.DECIMAL:
            return numbers.fixed(total, result)
        case _:
            return numbers.whole(int(total))


def _mean(values: Values, _result: Type) -> float | None:
    if not values:
        return None
    return nearest(sum((on_grid(value) for value in values), Fraction(0)) / len(values))


def _variance(values: Values, sample: bool) -> Fraction | None:
    if len(values) < (2 if sample else 1):
        return None
    exact = [on_grid(value) for value in values]
    mean = sum(exact, Fraction(0)) / len(exact)
    squares = sum(((value - mean) ** 2 for value in exact), Fraction(0))
    return squares / (len(exact) - 1 if sample else len(exact))


def _var(values: Values, _result: Type) -> float | None:
    found = _variance(values, sample=True)
    return None if found is None else nearest(found)


def _var_pop(values: Values, _result: Type) -> float | None:
    found = _variance(values, sample=False)
    return None if found is None else nearest(found)


def _stddev(values: Values, _result: Type) -> float | None:
    found = _variance(values, sample=True)
    return None if found is None else nearest_root(found)


def _stddev_pop(values: Values, _result: Type) -> float | None:
    found = _variance(values, sample=False)
    return None if found is None else nearest_root(found)


def _min(values: Values, _result: Type) -> Any:
    return min(values, default=None)


def _max(values: Values, _result: Type) -> Any:
    return max(values, default=None)


def _first(values: Values, _result: Type) -> Any:
    return values[0] if values else None


def _last(values: Values, _result: Type) -> Any:
    return values[-1] if values else None


def _any(values: Values, _result: Type) -> bool:
    return any(values)


def _all(values: Values, _result: Type) -> bool:
    return all(values)


_OF_VALUES: dict[str, Callable[[Values, Type], Any]] = {
    "count": _count,
    "count_distinct": _count_distinct,
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "var_pop": _var_pop,
    "stddev": _stddev,
    "stddev_pop": _stddev_pop,
    "min": _min,
    "max": _max,
    "first": _first,
    "last": _last,
    "any": _any,
    "all": _all,
}

_OF_ROWS: dict[str, Callable[[Values], Any]] = {
    "first_row": lambda values: values[0] if values else None,
    "last_row": lambda values: values[-1] if values else None,
}

SUMMED = frozenset({"sum", "mean", "var", "var_pop", "stddev", "stddev_pop"})
"""Aggregates whose float inputs enter exact sums."""

NAMES = frozenset({*_OF_VALUES, *_OF_ROWS})
"""Every aggregate that the reference knows."""
