"""Evaluates an aggregate over a handful of made-up rows: enough to show a value change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.registry import evaluate
from astrafs.plan import ir
from astrafs.plan.tree import children
from astrafs.typesys import Kind, Type
from astrafs.values.errors import ValueFailure

Row = Mapping[str, Any]


class UnknownValueError(Exception):
    """The value depends on something that a made-up row does not have, such as a lookup."""


def value_of(root: ir.Expr, row: Row) -> Any:
    """Evaluate ``root`` over a row; raises :class:`UnknownValueError` where it cannot."""
    done: dict[int, Any] = {}
    stack = [(root, False)]
    while stack:
        expr, ready = stack.pop()
        if id(expr) in done:
            continue
        parts = children(expr)
        if ready or not parts:
            done[id(expr)] = _node(expr, [done[id(part)] for part in parts], row)
        else:
            stack.append((expr, True))
            stack.extend((part, False) for part in parts)
    return done[id(root)]


def _node(expr: ir.Expr, parts: Sequence[Any], row: Row) -> Any:
    match expr:
        case ir.Literal():
            return expr.value
        case ir.Column():
            if expr.name not in row:
                raise UnknownValueError
            return row[expr.name]
        case ir.Call():
            types = tuple(arg.type for arg in expr.args)
            try:
                return evaluate(expr.function, tuple(parts), types, expr.type)
            except (ValueFailure, ArithmeticError, TypeError, ValueError) as error:
                # A made-up value outside the domain of some function.
                raise UnknownValueError from error
        case _:
            raise UnknownValueError


def aggregate_value(expr: ir.Aggregate, rows: Iterable[Row]) -> Any:
    """Return the value over ``rows``, oldest first, or raise :class:`UnknownValueError`."""
    inside = [row for row in rows if _is_true(expr.block_where, row)]
    if isinstance(expr.window, ir.LastWindow):
        inside = inside[-expr.window.rows :]
    if isinstance(expr.window, ir.SinceWindow):
        condition = expr.window.condition
        cuts = [place for place, row in enumerate(inside, 1) if value_of(condition, row) is True]
        inside = inside[max(cuts, default=0) :]
    groups: dict[Any, list[tuple[Any, ...]]] = {}
    for row in inside:
        if _is_true(expr.where, row):
            key = True if expr.by is None else value_of(expr.by, row)
            groups.setdefault(key, []).extend(_inputs(expr, row))
    if expr.by is None:
        return _over(expr, groups.get(True, []), expr.type)
    groups.pop(None, None)
    kept = {key: _kept(expr, inputs) for key, inputs in groups.items()}
    made = expr.type.parts[1]
    return tuple((key, _over(expr, kept[key], made)) for key in sorted(kept) if kept[key])


def _is_true(condition: ir.Expr | None, row: Row) -> bool:
    return condition is None or value_of(condition, row) is True


def _inputs(expr: ir.Aggregate, row: Row) -> list[tuple[Any, ...]]:
    """What a row puts in: its inputs, or for ``each`` those of every element of its lists."""
    found = tuple(value_of(arg, row) for arg in expr.args[: AGGREGATES[expr.function].inputs])
    if not expr.each:
        return [found]
    return [] if None in found else list(zip(*found, strict=False))


def _kept(expr: ir.Aggregate, inputs: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    if AGGREGATES[expr.function].keep_nulls:
        return inputs
    return [values for values in inputs if None not in values]


def _over(expr: ir.Aggregate, inputs: list[tuple[Any, ...]], made: Type) -> Any:
    kept = _kept(expr, inputs)
    if not kept:
        return AGGREGATES[expr.function].empty
    firsts = [values[0] for values in kept if values]
    constants = [arg.value for arg in expr.args if isinstance(arg, ir.Literal)]
    match expr.function:
        case "argmin" | "argmax":
            choose = min if expr.function == "argmin" else max
            best = choose(values[1] for values in kept)
            return [values[0] for values in kept if values[1] == best][-1]
        case "count":
            return len(kept)
        case "sum" | "mean":
            if any(isinstance(value, tuple) for value in firsts):
                raise UnknownValueError
            total = sum(map(Fraction, firsts), Fraction(0))
            share = total if expr.function == "sum" else total / len(firsts)
            return _number(share, made.kind, made.scale)
        case name if name in _OF_VALUES:
            return _OF_VALUES[name](firsts)
        case name if name in _OF_COUNTED:
            return _OF_COUNTED[name](firsts, constants[-1])
        case _:
            raise UnknownValueError


def _by_frequency(values: list[Any]) -> list[Any]:
    return sorted(set(values), key=lambda value: (-values.count(value), value))


def _latest_distinct(values: list[Any]) -> list[Any]:
    """Different values, each at its last occurrence."""
    return [value for place, value in enumerate(values) if value not in values[place + 1 :]]


def _at_share(values: list[Any], share: Any) -> Any:
    return sorted(values)[max(1, ceil(Fraction(str(share)) * len(values))) - 1]


_OF_VALUES: dict[str, Callable[[list[Any]], Any]] = {
    "count_distinct": lambda values: len(set(values)),
    "min": min,
    "max": max,
    "any": any,
    "all": all,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "first_row": lambda values: values[0],
    "last_row": lambda values: values[-1],
    "median": lambda values: _at_share(values, "0.5"),
    "mode": lambda values: _by_frequency(values)[0],
}

_OF_COUNTED: dict[str, Callable[[list[Any], Any], Any]] = {
    "quantile": _at_share,
    "nth_last": lambda values, n: values[-n] if n <= len(values) else None,
    "nth_last_row": lambda values, n: values[-n] if n <= len(values) else None,
    "first_k": lambda values, n: tuple(values[:n]),
    "min_k": lambda values, n: tuple(sorted(values)[:n]),
    "max_k": lambda values, n: tuple(sorted(values, reverse=True)[:n]),
    "collect": lambda values, n: tuple(values[-n:]),
    "collect_distinct": lambda values, n: tuple(_latest_distinct(values)[-n:]),
    "top_k": lambda values, n: tuple(_by_frequency(values)[:n]),
}


def _number(value: Fraction, kind: Kind, scale: int) -> Any:
    if kind is Kind.FLOAT:
        return float(value)
    if kind is Kind.DECIMAL:
        exact = Decimal(value.numerator) / Decimal(value.denominator)
        return exact.quantize(Decimal(1).scaleb(-scale))
    return int(value)
