"""Aggregates over windows: ``agg(args where condition) over window``."""

from __future__ import annotations

from dataclasses import replace

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.spec import Mismatch
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.codes import windows as window_codes
from astrafs.plan import ir
from astrafs.plan.tree import Origin
from astrafs.resolve.collect import suggest, unsupported
from astrafs.syntax import ast
from astrafs.typecheck import facts
from astrafs.typecheck.calls import LATER_AGGREGATES, report_misplaced
from astrafs.typecheck.context import Context, Place, Rows
from astrafs.typecheck.convert import widen
from astrafs.typecheck.foreign import FUNCTIONS, called_here
from astrafs.typecheck.rows import argument_problem, bounded
from astrafs.typecheck.typed import Typed, failed, stored
from astrafs.typecheck.windows import check_window
from astrafs.typesys import Kind


def check_over(expr: ast.Over, ctx: Context) -> Typed:
    """Check ``aggregate over window``; the aggregate's operands see the columns of the block's
    rows.
    """
    tree = expr.aggregate
    if not isinstance(tree, ast.CallExpr) or tree.callee.text not in AGGREGATES:
        return _not_an_aggregate(expr, ctx)
    if tree.each or tree.by is not None:
        ctx.sink.emit(unsupported(tree.span, "`each`" if tree.each else "`by` in an aggregate"))
        return failed(expr.span)
    if ctx.place is not Place.FEATURE:
        report_misplaced(tree, ctx)
        return failed(expr.span)
    if ctx.rows is None:
        _report_no_rows(tree, ctx)
        return failed(expr.span)
    window = None if _since_last(expr) is not None else check_window(expr.window, ctx)
    value = _aggregate(expr, tree, ctx.rows, window, ctx)
    return bounded(value, ctx.sink)


def row_context(ctx: Context, rows: Rows, place: Place) -> Context:
    """Return the context of expressions over the rows of a block."""
    return replace(
        ctx,
        place=place,
        columns=rows.schema.columns,
        entity=None,
        facts=rows.schema.facts | rows.facts,
        broken=ctx.broken or rows.schema.broken,
        lacking=rows.schema.lacking,
    )


def _aggregate(
    expr: ast.Over, tree: ast.CallExpr, rows: Rows, window: ir.Window | None, ctx: Context
) -> Typed:
    inner = row_context(ctx, rows, Place.AGGREGATE)
    since: Typed | None = None
    condition = _since_last(expr)
    if condition is not None:
        since = _condition(condition, inner, "`since last`")
        window = None if since.failed else ir.SinceWindow(since.expr)
    where: Typed | None = None
    if tree.where is not None:
        where = _condition(tree.where, inner, "the aggregate's `where`")
        if not where.failed:
            inner = inner.knowing(facts.when_true(where.expr))
    args = tuple(ctx.env.check(arg, inner) for arg in tree.args)
    parts = (*args, *([where] if where is not None else []))
    if any(part.failed for part in parts) or window is None or rows.failed:
        return failed(expr.span)
    row = AGGREGATES[tree.callee.text]
    if any(arg.is_composite for arg in args):
        ctx.sink.emit(unsupported(tree.span, "an aggregate of a key of several parts"))
        return failed(expr.span)
    try:
        signature = row.rule(tuple(arg.type for arg in args), tuple(arg.constant for arg in args))
    except Mismatch as mismatch:
        ctx.sink.emit(argument_problem(row.name, row.params, mismatch, args, tree.span))
        return failed(expr.span)
    args = tuple(
        widen(arg, target, ctx.sink) for arg, target in zip(args, signature.args, strict=True)
    )
    block = rows.where
    result = ir.Aggregate(
        row.name,
        tuple(arg.expr for arg in args),
        None if where is None else where.expr,
        None if block is None else block.expr,
        rows.schema.name,
        rows.keys,
        window,
        stored(signature.result),
    )
    filters = tuple(part.origin for part in (where, block, since) if part is not None)
    origin = Origin(
        expr.span, (*(arg.origin for arg in args), *filters, *rows.key_origins), expr.window.span
    )
    return Typed(
        result,
        signature.result,
        origin,
        depth=1 + max((part.depth for part in parts), default=0),
        size=1 + sum(part.size for part in parts),
    )


def _since_last(expr: ast.Over) -> ast.Expr | None:
    """Return the condition of a ``since last`` window, which is about the rows of the block."""
    return expr.window.condition if isinstance(expr.window, ast.SinceWindow) else None


def _condition(tree: ast.Expr, ctx: Context, place: str) -> Typed:
    value = ctx.env.check(tree, ctx)
    if value.failed or value.type.kind is Kind.BOOL:
        return value
    ctx.sink.emit(
        codes.BAD_CONDITION.at(
            value.span,
            f"this is `{value.type}`",
            title=f"the condition of {place} is not a bool",
        ).help("compare it with something: `x > 0`, `x is not null`")
    )
    return failed(value.span)


def _not_an_aggregate(expr: ast.Over, ctx: Context) -> Typed:
    tree = expr.aggregate
    if isinstance(tree, ast.CallExpr):
        name = tree.callee.text
        if name in LATER_AGGREGATES:
            ctx.sink.emit(unsupported(tree.callee.span, f"the aggregate `{name}`"))
            return failed(expr.span)
        found = window_codes.WINDOW_WITHOUT_AGGREGATE.at(
            tree.callee.span, "not an aggregate", title=f"`{name}` is not an aggregate"
        )
        span = tree.callee.span
        renamed = called_here(found, name, span, AGGREGATES, FUNCTIONS)
        ctx.sink.emit(renamed or suggest(found, name, AGGREGATES, span))
    elif not isinstance(tree, ast.BadExpr):
        name = tree.ident.text if isinstance(tree, ast.Name) else "x"
        ctx.sink.emit(
            window_codes.WINDOW_WITHOUT_AGGREGATE.at(
                tree.span, "how many rows become one value is not said"
            ).help(f"name an aggregate: `last({name}) over ...`, `mean({name}) over ...`")
        )
    return failed(expr.span)


def _report_no_rows(tree: ast.CallExpr, ctx: Context) -> None:
    assert ctx.entity is not None
    name = ctx.entity.symbol.name
    found = codes.NO_ROWS.at(
        tree.span,
        "the block names no rows",
        title=f"`{tree.callee.text}` has no rows to go over",
    )
    if ctx.entity.request:
        found = found.help("aggregate in a block of an entity, and look the feature up by key")
    else:
        found = found.help(f"name a source or stream: `features for {name} from ROWS {{ ... }}`")
    ctx.sink.emit(found)
