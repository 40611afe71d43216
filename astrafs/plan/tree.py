"""Walking plan expressions: children in one fixed order, and rebuilding with new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import assert_never

from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.source import Span


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a plan expression was written: a tree parallel to the expression by :func:`children`.

    Plans hold no spans (the plan is the identity); diagnostics walk an expression and its origin
    together. ``detail`` is the window of an aggregate, and the ``within``/``offset`` of a lookup.
    """

    span: Span
    children: tuple[Origin, ...] = ()
    detail: Span | None = None


def children(expr: ir.Expr) -> tuple[ir.Expr, ...]:
    """Return the direct sub-expressions of ``expr``, in the order that :class:`Origin` uses."""
    match expr:
        case ir.Literal() | ir.Column() | ir.KeyPart() | ir.EvaluationTime() | ir.FeatureRef():
            return ()
        case ir.Call():
            return expr.args
        case ir.EntityLookup() | ir.TableLookup():
            return expr.keys
        case ir.Aggregate():
            return (*expr.args, *conditions(expr), *expr.keys)
        case _:
            assert_never(expr)


def conditions(expr: ir.Aggregate) -> tuple[ir.Expr, ...]:
    """Return what an aggregate says of rows besides its inputs and keys: its own condition, the
    block's, the key of ``by``, and the condition of a ``since last`` window, as far as there are
    any.
    """
    since = expr.window.condition if isinstance(expr.window, ir.SinceWindow) else None
    parts = (expr.where, expr.block_where, expr.by, since)
    return tuple(part for part in parts if part is not None)


def rebuild(expr: ir.Expr, parts: tuple[ir.Expr, ...]) -> ir.Expr:
    """Return ``expr`` with ``parts`` (as from :func:`children`) in place of its sub-expressions."""
    match expr:
        case ir.Literal() | ir.Column() | ir.KeyPart() | ir.EvaluationTime() | ir.FeatureRef():
            return expr
        case ir.Call():
            return replace(expr, args=parts)
        case ir.EntityLookup() | ir.TableLookup():
            return replace(expr, keys=parts)
        case ir.Aggregate():
            rest = iter(parts)
            args = tuple(next(rest) for _ in expr.args)
            where = next(rest) if expr.where is not None else None
            block_where = next(rest) if expr.block_where is not None else None
            by = next(rest) if expr.by is not None else None
            window = expr.window
            if isinstance(window, ir.SinceWindow):
                window = ir.SinceWindow(next(rest))
            return replace(
                expr,
                args=args,
                where=where,
                block_where=block_where,
                by=by,
                window=window,
                keys=tuple(rest),
            )
        case _:
            assert_never(expr)


def transform(expr: ir.Expr, change: Callable[[ir.Expr], ir.Expr]) -> ir.Expr:
    """Apply ``change`` to every node, leaves first."""
    parts = children(expr)
    new = tuple(transform(part, change) for part in parts)
    return change(rebuild(expr, new) if new != parts else expr)


def walk(expr: ir.Expr) -> Iterator[ir.Expr]:
    """Yield ``expr`` and everything in it, parents first."""
    yield expr
    for part in children(expr):
        yield from walk(part)
