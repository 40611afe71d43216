"""Evaluates an aggregate over a handful of made-up rows: enough to show a value change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.registry import evaluate
from astrafs.plan import ir
from astrafs.plan.tree import children
from astrafs.typesys import Kind
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
    inputs = [
        tuple(value_of(arg, row) for arg in expr.args)
        for row in inside
        if _is_true(expr.where, row)
    ]
    if AGGREGATES[expr.function].keep_nulls:
        return _ordered(expr.function, inputs)
    kept = [values for values in inputs if None not in values]
    if not kept:
        return AGGREGATES[expr.function].empty
    return _combine(expr, kept)


def _is_true(condition: ir.Expr | None, row: Row) -> bool:
    return condition is None or value_of(condition, row) is True


def _ordered(name: str, inputs: list[tuple[Any, ...]]) -> Any:
    match name, inputs:
        case _, []:
            return None
        case "first_row", [first, *_]:
            return first[0]
        case "last_row", [*_, last]:
            return last[0]
        case _:
            raise UnknownValueError


def _combine(expr: ir.Aggregate, kept: list[tuple[Any, ...]]) -> Any:
    firsts = [values[0] for values in kept if values]
    match expr.function:
        case "count":
            return len(kept)
        case "count_distinct":
            return len(set(firsts))
        case "sum":
            total = sum(map(Fraction, firsts), Fraction(0))
            return _number(total, expr.type.kind, expr.type.scale)
        case "mean":
            return float(sum(map(Fraction, firsts), Fraction(0)) / len(firsts))
        case "min":
            return min(firsts)
        case "max":
            return max(firsts)
        case "any":
            return any(firsts)
        case "all":
            return all(firsts)
        case "first":
            return firsts[0]
        case "last":
            return firsts[-1]
        case _:
            raise UnknownValueError


def _number(value: Fraction, kind: Kind, scale: int) -> Any:
    if kind is Kind.FLOAT:
        return float(value)
    if kind is Kind.DECIMAL:
        exact = Decimal(value.numerator) / Decimal(value.denominator)
        return exact.quantize(Decimal(1).scaleb(-scale))
    return int(value)
