"""Compile-time constants: ``const`` declarations, and expressions folded to one value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from astrafs.builtins.registry import evaluate
from astrafs.diagnostics.codes import types as type_codes
from astrafs.diagnostics.codes import windows as window_codes
from astrafs.diagnostics.model import Code, Sink
from astrafs.plan import ir
from astrafs.resolve.symbols import Symbol
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.context import Context, Environment, Place
from astrafs.typecheck.convert import assign, may_be_null
from astrafs.typecheck.declared import declared_type
from astrafs.typecheck.lists import is_constant, known
from astrafs.typecheck.typed import Typed, failed
from astrafs.typesys import DURATION, DURATION_UNITS, Kind, duration_text
from astrafs.values.errors import ValueFailure

MAX_DURATION = 219_000 * DURATION_UNITS["d"]
"""600 years in microseconds: the years 1678 to 2261 and a little. Times plus it fit 64 bits."""


def constant(symbol: Symbol, span: Span, ctx: Context) -> Typed:
    """Return the value of a ``const``, which has been checked before whatever uses it."""
    value = ctx.env.constants.get(symbol.qualified)
    return failed(span) if value is None else value.at(span)


def declare_constant(symbol: Symbol, env: Environment) -> None:
    """Check a ``const``; those that it names are done."""
    env.constants[symbol.qualified] = _declared(symbol, env)


def _declared(symbol: Symbol, env: Environment) -> Typed:
    tree = symbol.declaration
    assert isinstance(tree, ast.ConstDecl)
    scope = env.symbols.modules[symbol.module]
    ctx = Context(env, scope, env.sink, Place.CONST)
    target = None if tree.type is None else declared_type(tree.type, scope, env, env.sink)
    value = env.check(tree.value, ctx, target)
    value = fold(value, env.sink)
    if target is not None and tree.type is not None:
        value = fold(
            assign(value, target, tree.type, f"constant `{symbol.name}`", env.sink), env.sink
        )
    elif not value.failed and value.type.kind is Kind.NULL:
        env.sink.emit(
            type_codes.NOT_A_VALUE.at(
                value.span, "null has no type of its own", title="a constant without a type"
            ).help("declare one: `const x: float? = null`")
        )
        return failed(value.span)
    return value


def fold(value: Typed, sink: Sink) -> Typed:
    """Compute an expression of constants; its failure (an overflow, say) is reported."""
    if value.failed or isinstance(value.expr, ir.Literal) or is_constant(value.expr):
        return value
    try:
        result = computed(value.expr)
    except ValueFailure as failure:
        sink.emit(
            type_codes.NOT_A_VALUE.at(
                value.span, failure.message, title="the constant cannot be computed"
            )
        )
        return failed(value.span)
    return known(result, value.type.with_null(result is None), value.span)


def computed(expr: ir.Expr) -> Any:
    """Return the value of an expression of constants; raises :class:`ValueFailure`."""
    match expr:
        case ir.Literal(value=value):
            return value
        case ir.Call(function="if", args=(condition, then, otherwise)):
            return computed(then if computed(condition) else otherwise)
        case ir.Call(function=function, args=args, type=type_):
            values = tuple(computed(arg) for arg in args)
            return evaluate(function, values, tuple(arg.type for arg in args), type_)
        case _:
            raise TypeError(f"{type(expr).__name__} is no constant")


def constant_duration(
    expr: ast.Expr, ctx: Context, what: str, *, not_constant: Code, not_duration: Code
) -> int | None:
    """Return the microseconds of a constant duration, or None after reporting why there is none.

    ``what`` names it in messages, such as ``the length of a window``.
    """
    varying = varying_name(expr, ctx)
    if varying is not None:
        ctx.sink.emit(
            not_constant.at(
                varying.span,
                f"`{varying.ident.text}` has a value only when the program runs",
                title=f"{what} must be known when compiling",
            ).help("write a duration such as `7d`, a `const` or a loop variable")
        )
        return None
    if isinstance(expr, ast.DurationLit):
        return within_time(expr.micros, expr.span, what, ctx)
    value = fold(ctx.env.check(expr, _bare(ctx), DURATION), ctx.sink)
    if value.failed:
        return None
    if value.type.kind is not Kind.DURATION or not isinstance(value.expr, ir.Literal):
        ctx.sink.emit(
            not_duration.at(
                value.span, f"this is `{value.type}`", title=f"{what} is not a duration"
            ).help("write a duration such as `7d`, `1h30m` or `500ms`")
        )
        return None
    if value.expr.value is None:
        ctx.sink.emit(may_be_null(value, DURATION, what))
        return None
    assert isinstance(value.expr.value, int)
    return within_time(value.expr.value, expr.span, what, ctx)


def within_time(micros: int, span: Span, what: str, ctx: Context) -> int | None:
    """Return ``micros``, or None after reporting that it is longer than all the time there is."""
    if abs(micros) <= MAX_DURATION:
        return micros
    ctx.sink.emit(
        window_codes.TOO_LONG.at(
            span,
            f"this is {duration_text(micros)}",
            title=f"{what} is longer than {duration_text(MAX_DURATION)}",
        ).help("timestamps lie in the years 1678 to 2261; `over all` reads everything")
    )
    return None


def positive_duration(
    expr: ast.Expr,
    ctx: Context,
    what: str,
    *,
    not_constant: Code,
    not_duration: Code,
    not_positive: Code,
    zero: bool = False,
) -> int | None:
    """Like :func:`constant_duration`, and above zero (or zero too, with ``zero``)."""
    micros = constant_duration(
        expr, ctx, what, not_constant=not_constant, not_duration=not_duration
    )
    if micros is None or micros > 0 or (zero and micros == 0):
        return micros
    wanted = "zero or more" if zero else "above zero"
    ctx.sink.emit(
        not_positive.at(
            expr.span, f"this is {duration_text(micros)}", title=f"{what} must be {wanted}"
        )
    )
    return None


def _bare(ctx: Context) -> Context:
    return replace(ctx, place=Place.CONST, columns={}, entity=None, rows=None, broken=False)


def varying_name(expr: ast.Expr, ctx: Context) -> ast.Name | None:
    """Return a name inside ``expr`` that is a column, key or feature here, and so no constant."""
    pending: list[ast.Expr] = [expr]
    while pending:
        part = pending.pop()
        match part:
            case ast.Name(ident=ident):
                name = ident.text
                if name in ctx.loops:
                    continue
                rows = ctx.rows.schema.columns if ctx.rows is not None else {}
                keys = ctx.entity.names if ctx.entity is not None else {}
                if name in rows or name in keys or name in ctx.columns or name == "t":
                    return part
                if ctx.entity is not None and ctx.entity.name in ctx.scope.feature_names.get(
                    name, ()
                ):
                    return part
            case ast.Unary(operand=operand):
                pending.append(operand)
            case ast.Binary(left=left, right=right):
                pending.extend((right, left))
            case ast.CallExpr(args=args):
                pending.extend(reversed(args))
            case _:
                pass
    return None
