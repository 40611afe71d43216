"""Windows: from what is written after ``over`` to the plan's range of ages or number of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import windows as codes
from astrafs.diagnostics.model import Edit
from astrafs.plan import ir
from astrafs.resolve.collect import suggest
from astrafs.resolve.expand import filled
from astrafs.resolve.symbols import Symbol, SymbolKind
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck import constants
from astrafs.typecheck.constants import within_time as reach
from astrafs.typecheck.context import Context, Environment, Place
from astrafs.typecheck.convert import quoted
from astrafs.typesys import Kind, duration_text
from astrafs.values import calendar, zones

_NOW = "now"


def check_window(tree: ast.WindowExpr, ctx: Context) -> ir.Window | None:
    """Return the plan's window, or None after reporting what is wrong with it."""
    window = _written(tree, ctx)
    if isinstance(window, ir.RangeWindow):  # offsets add up
        for age in (window.near, window.far):
            if age is not None and reach(age, tree.span, "the reach of a window", ctx) is None:
                return None
    return window


def includes_request(tree: ast.WindowExpr) -> bool:
    """Whether the request itself is to be the newest row of the window."""
    return isinstance(tree, ast.PastWindow | ast.AllWindow) and tree.including == "request"


def _written(tree: ast.WindowExpr, ctx: Context) -> ir.Window | None:
    match tree:
        case ast.PastWindow():
            return _past(tree, ctx)
        case ast.EdgesWindow():
            return _edges(tree, ctx)
        case ast.AllWindow():
            return _all(tree, ctx)
        case ast.LastRowsWindow():
            return _last(tree, ctx)
        case ast.NamedWindow():
            return _named(tree.name, ctx)
        case ast.SinceWindow():
            return _since(tree, ctx)
        case ast.SessionWindow():
            gap = _positive(tree.gap, ctx, "the `gap` of a session")
            return None if gap is None else ir.SessionWindow(gap)
        case _:
            assert_never(tree)


def declare_window(symbol: Symbol, env: Environment) -> None:
    """Check a named window; those that it builds on are done."""
    tree = symbol.declaration
    assert isinstance(tree, ast.WindowDecl)
    ctx = Context(env, env.symbols.modules[symbol.module], env.sink, Place.CONST)
    if includes_request(tree.window):
        env.windows[symbol.qualified] = None
        env.sink.emit(
            codes.NO_REQUEST_HERE.at(
                tree.window.span,
                "no request here",
                title=f"the named window `{symbol.name}` belongs to no request",
            ).help(f"name the window without it, and write `over {symbol.name} including request`")
        )
        return
    env.windows[symbol.qualified] = check_window(tree.window, ctx)


def _duration(expr: ast.Expr, ctx: Context, what: str) -> int | None:
    return constants.constant_duration(
        expr, ctx, what, not_constant=codes.LENGTH_NOT_CONSTANT, not_duration=codes.NOT_A_DURATION
    )


def _positive(expr: ast.Expr | None, ctx: Context, what: str, *, zero: bool = False) -> int | None:
    if expr is None:
        return None
    return constants.positive_duration(
        expr,
        ctx,
        what,
        not_constant=codes.LENGTH_NOT_CONSTANT,
        not_duration=codes.NOT_A_DURATION,
        not_positive=codes.NEGATIVE_DURATION,
        zero=zero,
    )


def _past(tree: ast.PastWindow, ctx: Context) -> ir.Window | None:
    if isinstance(tree.length, ast.Name) and tree.length.version is None:
        inherited = _window_symbol(tree.length.ident, ctx)
        if inherited is not None:
            return _extended(tree, inherited, ctx)
    length = _duration(tree.length, ctx, "the length of a window")
    offset = _positive(tree.offset, ctx, "the `offset` of a window", zero=True)
    every = _positive(tree.every, ctx, "the `every` of a window")
    lost = (tree.offset is not None and offset is None) or (
        tree.every is not None and every is None
    )
    if length is None or lost:
        return None
    if length <= 0:
        ctx.sink.emit(
            codes.EMPTY_WINDOW.at(
                tree.length.span,
                f"this is {duration_text(length)}",
                title="the length of a window must be above zero",
            ).help("a window reaches back: `over 7d` holds the rows of the past 7 days")
        )
        return None
    near = offset or 0
    if tree.forward:
        if near:
            return ir.RangeWindow(-near, -near - length, False, True, every)
        return ir.RangeWindow(0, -length, False, True, every)
    if tree.including == _NOW:
        return ir.RangeWindow(near + length, near, False, True, every)
    return ir.RangeWindow(near + length, near, True, False, every)


def _extended(tree: ast.PastWindow, symbol: Symbol, ctx: Context) -> ir.Window | None:
    """A named window with ``offset``, ``every`` or ``including`` of its own after it."""
    base = ctx.env.windows.get(symbol.qualified)
    offset = _positive(tree.offset, ctx, "the `offset` of a window", zero=True)
    every = _positive(tree.every, ctx, "the `every` of a window")
    if base is None:
        return None
    if not isinstance(base, ir.RangeWindow) or tree.forward:
        ctx.sink.emit(
            codes.NOT_A_DURATION.at(
                tree.length.span,
                "not a stretch of time",
                title=f"window `{symbol.name}` takes no `offset`, `every`, `next` or `including`",
            ).label(symbol.span, "declared here")
        )
        return None
    shift = offset or 0
    if base.far is not None and base.far <= 0:
        shift = -shift  # a window that looks forward moves on, as `over next 7d offset 1d` does
    far = None if base.far is None else base.far + shift
    window = replace(base, far=far, near=base.near + shift, every=every or base.every)
    if tree.including == _NOW:
        window = replace(window, far_closed=False, near_closed=True)
    return window


def _edges(tree: ast.EdgesWindow, ctx: Context) -> ir.Window | None:
    far = _duration(tree.far, ctx, "the edge of a window")
    near = _duration(tree.near, ctx, "the edge of a window")
    every = _positive(tree.every, ctx, "the `every` of a window")
    if far is None or near is None or (tree.every is not None and every is None):
        return None
    if far > near or (far == near and tree.far_closed and tree.near_closed):
        return ir.RangeWindow(far, near, tree.far_closed, tree.near_closed, every)
    if far == near:
        ctx.sink.emit(
            codes.EMPTY_WINDOW.at(
                tree.span, "both edges are the same, and one of them is left out"
            ).help("close both edges with `[` and `]`, or move them apart")
        )
        return None
    ctx.sink.emit(
        codes.EDGES_REVERSED.at(
            tree.span, f"from {duration_text(far)} ago to {duration_text(near)} ago"
        )
        .help("edges are ages, the older first: `[7d, 1h)`")
        .fix(
            "swap the edges",
            Edit(tree.far.span, duration_text(near)),
            Edit(tree.near.span, duration_text(far)),
            safe=False,
        )
    )
    return None


def _all(tree: ast.AllWindow, ctx: Context) -> ir.Window | None:
    offset = _positive(tree.offset, ctx, "the `offset` of a window", zero=True)
    if tree.offset is not None and offset is None:
        return None
    return ir.RangeWindow(None, offset or 0, False, tree.including == _NOW)


def _last(tree: ast.LastRowsWindow, ctx: Context) -> ir.Window | None:
    within = _positive(tree.within, ctx, "the `within` of a window")
    rows = _row_count(tree.rows, ctx)
    if rows is None or (tree.within is not None and within is None):
        return None
    return ir.LastWindow(rows, within)


def _row_count(expr: ast.Expr, ctx: Context) -> int | None:
    varying = constants.varying_name(expr, ctx)
    if varying is not None:
        ctx.sink.emit(
            codes.LENGTH_NOT_CONSTANT.at(
                varying.span,
                f"`{varying.ident.text}` has a value only when the program runs",
                title="the number of rows after `last` must be known when compiling",
            ).help("write a number, a `const` or a loop variable")
        )
        return None
    bare = replace(ctx, place=Place.CONST, columns={}, entity=None, rows=None)
    value = constants.fold(ctx.env.check(expr, bare), ctx.sink)
    if value.failed:
        return None
    number = value.constant
    if value.type.kind is Kind.INT and number is not None and number > 0:
        return int(number)
    shown = f"this is {number}" if value.type.kind is Kind.INT else f"this is `{value.type}`"
    found = codes.BAD_ROW_COUNT.at(value.span, shown)
    if value.type.kind is Kind.DURATION:
        found = found.help("`over 7d` is a window of time; `last 5` one of rows")
    ctx.sink.emit(found)
    return None


def _since(tree: ast.SinceWindow, ctx: Context) -> ir.Window | None:
    """A calendar window; that of a condition belongs to its rows, and is checked with them."""
    if tree.unit is None or tree.zone is None:
        ctx.sink.emit(
            codes.CONDITION_IN_NAMED_WINDOW.at(
                tree.span, "its columns are those of some rows, which are not named here"
            ).help("write the condition where the rows are: `count() over since last (...)`")
        )
        return None
    unit, name = tree.unit.text, tree.zone.value
    if unit not in calendar.UNITS:
        found = codes.UNKNOWN_CALENDAR_UNIT.at(
            tree.unit.span,
            "hour, day, week or month is wanted",
            title=f"`since` knows no calendar unit `{unit}`",
        )
        ctx.sink.emit(suggest(found, unit, calendar.UNITS, tree.unit.span))
    if name not in zones.names():
        found = codes.UNKNOWN_ZONE.at(
            tree.zone.span, "not an IANA time zone", title=f"unknown time zone {quoted(name)}"
        ).help('zones are named `"Europe/Paris"`, `"America/New_York"` or `"UTC"`')
        inner = Span(tree.zone.span.path, tree.zone.span.start + 1, tree.zone.span.end - 1)
        ctx.sink.emit(suggest(found, name, zones.names(), inner))
    elif unit in calendar.UNITS:
        return ir.CalendarWindow(unit, name)
    return None


def _named(ident: ast.Ident, ctx: Context) -> ir.Window | None:
    if ident.text in ctx.loops:
        return _past(ast.PastWindow(ast.Name(ident, span=ident.span), span=ident.span), ctx)
    name = filled(ident, ctx.loops, ctx.sink)
    if name is None or not name.text or ctx.scope.is_broken(name.text):
        return None
    symbol = ctx.scope.find(name.text)
    if symbol is not None and symbol.kind is SymbolKind.WINDOW:
        return ctx.env.windows.get(symbol.qualified)
    expr = ast.Name(name, span=name.span)
    if symbol is not None or constants.varying_name(expr, ctx) is not None:
        return _past(ast.PastWindow(expr, span=name.span), ctx)
    found = name_codes.UNKNOWN_NAME.at(
        name.span, "no window, constant or loop variable", title=f"unknown window `{name.text}`"
    )
    known = [*ctx.loops, *ctx.scope.visible((SymbolKind.WINDOW, SymbolKind.CONST))]
    ctx.sink.emit(suggest(found, name.text, known, name.span))
    return None


def _window_symbol(ident: ast.Ident, ctx: Context) -> Symbol | None:
    if ident.text in ctx.loops:
        return None
    symbol = ctx.scope.find(ident.text)
    return symbol if symbol is not None and symbol.kind is SymbolKind.WINDOW else None
