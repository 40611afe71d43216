"""Aggregates over windows: ``agg(args where condition) over window``."""

from __future__ import annotations

from dataclasses import replace

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.aggregates.rules import is_plain, typed
from astrafs.builtins.registry import CALLABLE
from astrafs.builtins.spec import Mismatch
from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.codes import windows as window_codes
from astrafs.diagnostics.model import Edit
from astrafs.plan import ir
from astrafs.plan.tree import Origin
from astrafs.resolve.collect import suggest, unsupported
from astrafs.resolve.symbols import SymbolKind
from astrafs.syntax import ast
from astrafs.typecheck import facts
from astrafs.typecheck.calls import report_misplaced
from astrafs.typecheck.context import Context, Place, Rows
from astrafs.typecheck.convert import widen
from astrafs.typecheck.foreign import FUNCTIONS, called_here
from astrafs.typecheck.requests import check_including, check_request_columns
from astrafs.typecheck.rows import argument_problem, bounded
from astrafs.typecheck.typed import Typed, failed, stored
from astrafs.typecheck.windows import check_window, includes_request
from astrafs.typesys import Kind


def check_over(expr: ast.Over, ctx: Context) -> Typed:
    """Check ``aggregate over window``; the aggregate's operands see the columns of the block's
    rows.
    """
    tree = expr.aggregate
    if not isinstance(tree, ast.CallExpr) or tree.callee.text not in AGGREGATES:
        return _not_an_aggregate(expr, ctx)
    if ctx.place is not Place.FEATURE:
        report_misplaced(tree, ctx)
        return failed(expr.span)
    if ctx.rows is None:
        _report_no_rows(tree, ctx)
        return failed(expr.span)
    window = None if _since_last(expr) is not None else check_window(expr.window, ctx)
    if includes_request(expr.window) and not check_including(expr.window, window, ctx):
        return failed(expr.span)
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
    by = None if tree.by is None else _group_key(tree.by, inner)
    parts = tuple(part for part in (*args, where, by) if part is not None)
    if any(part.failed for part in parts) or window is None or rows.failed:
        return failed(expr.span)
    row = AGGREGATES[tree.callee.text]
    if any(arg.is_composite for arg in args):
        ctx.sink.emit(unsupported(tree.span, "an aggregate of a key of several parts"))
        return failed(expr.span)
    types, constants = tuple(arg.type for arg in args), tuple(arg.constant for arg in args)
    key = None if by is None else by.type
    try:
        signature = typed(row, types, constants, by=key, each=tree.each)
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
        by=None if by is None else by.expr,
        each=tree.each,
        match=rows.match,
        request=includes_request(expr.window),
    )
    filters = tuple(part.origin for part in (where, block, by, since) if part is not None)
    origin = Origin(
        expr.span, (*(arg.origin for arg in args), *filters, *rows.key_origins), expr.window.span
    )
    assert ctx.entity is not None
    if result.request and not check_request_columns(result, origin, ctx.entity, rows, ctx):
        return failed(expr.span)
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


def _group_key(tree: ast.Expr, ctx: Context) -> Typed:
    """Check the key of ``by``: a plain value of the row."""
    value = ctx.env.check(tree, ctx)
    if value.failed or (is_plain(value.type) and not value.is_composite):
        return value
    found = codes.BAD_ARGUMENT.at(
        value.span,
        f"this is `{value.type}`",
        title=f"an aggregate cannot be grouped by a value of type `{value.type}`",
    )
    if value.is_composite:
        found = found.help("a key of several parts is no key of a map: group by one of its parts")
    else:
        found = found.help("group by a plain value: a string, a number, a time or a key")
    ctx.sink.emit(found)
    return failed(value.span)


def _not_an_aggregate(expr: ast.Over, ctx: Context) -> Typed:
    tree = expr.aggregate
    if isinstance(tree, ast.CallExpr):
        name = tree.callee.text
        known = name in CALLABLE or ctx.scope.find(name) is not None
        code = window_codes.WINDOW_WITHOUT_AGGREGATE if known else name_codes.UNKNOWN_FUNCTION
        found = code.at(tree.callee.span, "not an aggregate", title=f"`{name}` is not an aggregate")
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
        rows = _only_rows(ctx.entity.name, ctx)
        if rows is not None and ctx.feature is not None:
            edit = Edit.after(ctx.feature.block.entity.span, f" from {rows}")
            found = found.fix(f"go over the rows of `{rows}`", edit, safe=False)
    ctx.sink.emit(found)


def _only_rows(entity: str, ctx: Context) -> str | None:
    """Return the one source or stream of this file whose rows have one key of the entity."""
    found = []
    for name in ctx.scope.visible((SymbolKind.SOURCE, SymbolKind.STREAM)):
        symbol = ctx.scope.find(name)
        schema = None if symbol is None else ctx.env.schemas.get(symbol.qualified)
        keys = [
            column
            for column in ({} if schema is None else schema.columns).values()
            if column.type.kind is Kind.KEY and column.type.entity == entity
        ]
        if len(keys) == 1:
            found.append(name)
    return found[0] if len(found) == 1 else None
