"""Checking expressions: one function per kind of node; operands first, then the builtin row
decides.
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from astrafs.builtins.registry import OPERATORS
from astrafs.diagnostics.codes import types as codes
from astrafs.plan import ir
from astrafs.plan.tree import Origin
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck import aggregates, calls, facts, lookups, names
from astrafs.typecheck.context import Context
from astrafs.typecheck.convert import MAX_INT, fits
from astrafs.typecheck.lists import check_list
from astrafs.typecheck.rows import apply_row
from astrafs.typecheck.typed import Typed, failed, literal
from astrafs.typesys import (
    BOOL,
    DATE,
    DURATION,
    FLOAT,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    Kind,
    Type,
    decimal,
)

_LOGIC = ("and", "or")


def check(expr: ast.Expr, ctx: Context, want: Type | None = None) -> Typed:
    """Check ``expr`` and return its plan expression; ``want`` is the type that literals may take
    on.
    """
    match expr:
        case ast.Name():
            return names.check_name(expr, ctx)
        case ast.Binary():
            return _default(expr, ctx, want) if expr.op == "??" else _binary(expr, ctx)
        case ast.IntLit():
            return _int(expr.value, expr.span)
        case ast.NumberLit():
            return _number(expr.value, expr.span, want, ctx)
        case ast.StringLit():
            return _string(expr, want)
        case ast.BoolLit():
            return literal(expr.value, BOOL, expr.span)
        case ast.NullLit():
            return literal(None, NULL, expr.span)
        case ast.DurationLit():
            return literal(expr.micros, DURATION, expr.span)
        case ast.TimestampLit():
            return literal(expr.micros, TIMESTAMP, expr.span)
        case ast.DateLit():
            return literal(expr.days, DATE, expr.span)
        case ast.CallExpr():
            return calls.check_call(expr, ctx, want)
        case ast.Over():
            return aggregates.check_over(expr, ctx)
        case ast.Unary():
            return _unary(expr, ctx, want)
        case ast.IsNull():
            name = "is_not_null" if expr.negated else "is_null"
            operand = check(expr.operand, ctx)
            return apply_row(name, (operand,), expr.span, ctx.sink, symbol="is null")
        case ast.InList():
            return _in_list(expr, ctx)
        case ast.IfExpr():
            return _choice(expr, ctx, want)
        case ast.Member():
            return _member(expr, ctx)
        case ast.LookupTime():
            return lookups.check_timed(expr, ctx)
        case ast.Index():
            return lookups.bare_index(expr, ctx)
        case ast.ListLit():
            return check_list(expr, ctx, want)
        case ast.BadExpr():
            return failed(expr.span)
        case _:
            assert_never(expr)


def check_condition(expr: ast.Expr, ctx: Context, whose: str) -> Typed:
    """Check an expression that must be a bool (null counts as not true); ``whose`` names the
    clause.
    """
    value = check(expr, ctx)
    if value.failed or value.type.kind is Kind.BOOL:
        return value
    ctx.sink.emit(
        codes.BAD_CONDITION.at(
            value.span, f"this is `{value.type}`", title=f"the condition of {whose} is not a bool"
        ).help("compare it with something: `x > 0`, `x is not null`")
    )
    return failed(expr.span)


def _string(expr: ast.StringLit, want: Type | None) -> Typed:
    if want is not None and want.kind is Kind.ENUM and expr.value in want.values:
        return literal(expr.value, want.required(), expr.span)
    return literal(expr.value, STRING, expr.span)


def _int(value: int, span: Span) -> Typed:
    if not -MAX_INT - 1 <= value <= MAX_INT:
        return failed(span)  # the parser has reported it
    return literal(value, INT, span, Decimal(value))


def _number(value: Decimal, span: Span, want: Type | None, ctx: Context) -> Typed:
    if want is not None and want.kind is Kind.DECIMAL and fits(value, want):
        exact = value.quantize(Decimal(1).scaleb(-want.scale))
        return literal(exact, decimal(want.precision, want.scale), span, value)
    number = float(value)
    if number in (float("inf"), float("-inf")):
        ctx.sink.emit(codes.NOT_A_VALUE.at(span, "beyond 1.8e308", title="the number is no float"))
        return failed(span)
    return literal(number + 0.0, FLOAT, span, value)


def _unary(expr: ast.Unary, ctx: Context, want: Type | None) -> Typed:
    if expr.op == "-":
        match expr.operand:
            case ast.IntLit(value=value):
                return _int(-value, expr.span)
            case ast.NumberLit(value=number):
                return _number(-number, expr.span, want, ctx)
            case ast.DurationLit(micros=micros):
                return literal(-micros, DURATION, expr.span)
            case _:
                pass
    operand = check(expr.operand, ctx, want)
    name = "neg" if expr.op == "-" else "not"
    return apply_row(name, (operand,), expr.span, ctx.sink, symbol=expr.op)


def _binary(expr: ast.Binary, ctx: Context) -> Typed:
    if expr.op in _LOGIC:
        return _logic(expr, ctx)
    # Chains lean to the left; a loop keeps long ones off the call stack.
    chain: list[ast.Binary] = []
    left: ast.Expr = expr
    while isinstance(left, ast.Binary) and left.op not in _LOGIC and left.op != "??":
        chain.append(left)
        left = left.left
    value = check(left, ctx)
    for node in reversed(chain):
        right = check(node.right, ctx, value.type if value.type.is_nested else None)
        value = apply_row(
            OPERATORS[node.op].name,
            (value, right),
            node.span,
            ctx.sink,
            symbol=node.op,
            op_span=node.op_span,
        )
    return value


def _logic(expr: ast.Binary, ctx: Context) -> Typed:
    """A chain of one of ``and``/``or`` as one call; each operand may rely on the ones before it."""
    operands: list[tuple[ast.Expr, Span]] = []
    left: ast.Expr = expr
    while isinstance(left, ast.Binary) and left.op == expr.op:
        operands.append((left.right, left.op_span))
        left = left.left
    operands.append((left, expr.op_span))
    operands.reverse()
    known = facts.when_not_false if expr.op == "and" else facts.when_not_true
    args: list[Typed] = []
    inner = ctx
    for operand, _ in operands:
        arg = check(operand, inner)
        args.append(arg)
        if not arg.failed and arg.type.kind is Kind.BOOL:
            inner = inner.knowing(known(arg.expr))
    return apply_row(
        expr.op, tuple(args), expr.span, ctx.sink, symbol=expr.op, op_span=expr.op_span
    )


def _default(expr: ast.Binary, ctx: Context, want: Type | None) -> Typed:
    """A chain of ``??`` as one call."""
    args: list[Typed] = []
    node: ast.Expr = expr
    while isinstance(node, ast.Binary) and node.op == "??":
        args.append(check(node.left, ctx, want))
        if want is None and args[0].type.is_nested:
            want = args[0].type
        node = node.right
    args.append(check(node, ctx, want))
    return apply_row(
        "coalesce", tuple(args), expr.span, ctx.sink, symbol="??", op_span=expr.op_span
    )


def _in_list(expr: ast.InList, ctx: Context) -> Typed:
    operand = check(expr.operand, ctx)
    if not expr.items:
        ctx.sink.emit(
            codes.BAD_OPERANDS.at(
                expr.span, "nothing is in it", title="`in` needs a value to compare with"
            )
        )
        return failed(expr.span)
    want = operand.type if operand.type.kind is Kind.DECIMAL else None
    items = tuple(check(item, ctx, want) for item in expr.items)
    found = apply_row("in", (operand, *items), expr.span, ctx.sink, symbol="in")
    return apply_row("not", (found,), expr.span, ctx.sink, symbol="not") if expr.negated else found


def _choice(expr: ast.IfExpr, ctx: Context, want: Type | None) -> Typed:
    """``if``, with its chain of ``else if`` in a loop."""
    branches: list[tuple[Typed, Typed, ast.IfExpr]] = []
    node: ast.Expr = expr
    inner = ctx
    while isinstance(node, ast.IfExpr):
        condition = check(node.condition, inner)
        usable = not condition.failed and condition.type.kind is Kind.BOOL
        taken = inner.knowing(facts.when_true(condition.expr)) if usable else inner
        branches.append((condition, check(node.then, taken, want), node))
        if usable:
            inner = inner.knowing(facts.when_not_true(condition.expr))
        node = node.otherwise
    value = check(node, inner, want)
    for condition, then, tree in reversed(branches):
        value = apply_row("if", (condition, then, value), tree.span, ctx.sink, symbol="if")
    return value


def _member(expr: ast.Member, ctx: Context) -> Typed:
    if isinstance(expr.base, ast.Index):
        return lookups.check_lookup(expr, ctx)
    base = check(expr.base, ctx)
    if base.failed:
        return failed(expr.span)
    if base.type.kind is Kind.KEY:
        return _key_part(expr, base, ctx)
    ctx.sink.emit(
        codes.NOT_A_VALUE.at(
            expr.field.span,
            f"a `{base.type}` has no parts",
            title=f"`.{expr.field.text}` of a plain value",
        ).help("`X[key].feature` looks up a feature, `table[key].column` a column of a table")
    )
    return failed(expr.span)


def _key_part(expr: ast.Member, base: Typed, ctx: Context) -> Typed:
    info = ctx.env.entities.get(base.type.entity)
    parts: tuple[tuple[ir.Expr, Origin], ...] = base.parts or ((base.expr, base.origin),)
    for field, (part, _) in zip(info.keys if info else (), parts, strict=False):
        if field.name == expr.field.text:
            return Typed(part, field.type.with_null(part.type.nullable), Origin(expr.span))
    name = base.type.required()
    ctx.sink.emit(
        codes.NOT_A_VALUE.at(
            expr.field.span,
            "not one of its key columns",
            title=f"`{name}` has no `{expr.field.text}`",
        ).help(f"a feature is looked up with `{name}[key].{expr.field.text}`")
    )
    return failed(expr.span)


__all__ = ["check", "check_condition"]
