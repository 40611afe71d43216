"""List literals, typed from the place where they stand; and values known when compiling, lists
included, as plan expressions.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.model import Sink
from astrafs.diagnostics.words import count
from astrafs.plan import ir
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.context import Context
from astrafs.typecheck.convert import mismatch, widen
from astrafs.typecheck.rows import apply_row
from astrafs.typecheck.typed import Typed, call, failed, literal
from astrafs.typesys import FLOAT, Kind, Type, joined, list_of
from astrafs.values.vectors import single

_CONSTRUCTORS = ("list", "vector_literal")


def check_list(expr: ast.ListLit, ctx: Context, want: Type | None) -> Typed:
    """Check ``[a, b]``: its elements take on the type that ``want`` has for them."""
    wanted = _element(want)
    items = tuple(ctx.env.check(item, ctx, wanted) for item in expr.items)
    if any(item.failed for item in items):
        return failed(expr.span)
    if not items:
        return _empty(expr, ctx, want)
    if want is not None and want.kind is Kind.VECTOR:
        made = _vector(items, want, expr.span, ctx.sink)
        if made is not None:
            return made
    elif wanted is not None and all(mismatch(item, wanted) is None for item in items):
        items = tuple(widen(item, wanted, ctx.sink) for item in items)
        if any(item.failed for item in items):
            return failed(expr.span)
    return apply_row("list", items, expr.span, ctx.sink, symbol="[]")


def argument_hint(
    name: str, place: int, before: tuple[Typed, ...], want: Type | None
) -> Type | None:
    """Return the type that literals may take on as argument ``place`` of the builtin ``name``,
    which stands after the arguments ``before`` and where ``want`` is wanted.
    """
    kind = None if want is None else want.kind
    first = before[0].type if before else None
    match name:
        case "coalesce":
            return want or (first if first is not None and first.is_nested else None)
        case "map" if want is not None and kind is Kind.MAP and place < 2:
            return list_of(want.parts[place])
        case "vector":
            return list_of(FLOAT) if place == 0 else None
        case "concat":
            return first or (want if kind is Kind.LIST else None)
        case "sort" | "reverse" | "distinct" | "slice" if kind is Kind.LIST and place == 0:
            return want
        case "contains" if first is not None:
            return _element(first)
        case _:
            return None


def _element(want: Type | None) -> Type | None:
    match want:
        case Type(kind=Kind.LIST):
            return want.parts[0]
        case Type(kind=Kind.VECTOR):
            return FLOAT
        case _:
            return None


def _empty(expr: ast.ListLit, ctx: Context, want: Type | None) -> Typed:
    if want is None or want.kind is not Kind.LIST:
        ctx.sink.emit(
            codes.NOT_A_VALUE.at(
                expr.span, "of what?", title="an empty list has no type of its own"
            ).help("declare one: `const none: list[int] = []`")
        )
        return failed(expr.span)
    return call("list", (), want.required(), expr.span)


def _vector(items: tuple[Typed, ...], want: Type, span: Span, sink: Sink) -> Typed | None:
    """Return the literals as a vector, or report that they make none; None where they are no
    literals.
    """
    numbers = [item.constant for item in items if item.is_literal and item.type.is_numeric]
    if len(numbers) != len(items):
        return None
    found = [single(float(number)) for number in numbers]
    if len(found) != want.precision:
        sink.emit(
            codes.NOT_A_VALUE.at(
                span,
                count(len(items), "number"),
                title=f"a `{want.required()}` has {count(want.precision, 'number')}",
            )
        )
        return failed(span)
    if None in found:
        sink.emit(
            codes.NOT_A_VALUE.at(
                items[found.index(None)].span, "beyond 3.4e38", title="the number is no float32"
            )
        )
        return failed(span)
    return known(tuple(found), want.required(), span)


def known(value: Any, type_: Type, span: Span) -> Typed:
    """Return a value known when compiling: a literal, or the call that makes a list, map or vector
    of literals.
    """
    if value is None or not type_.is_nested:
        return literal(value, type_, span)
    if not value and type_.kind is Kind.LIST:
        return call("list", (), type_, span)
    match type_.kind:
        case Kind.VECTOR:
            parts = tuple(literal(item, FLOAT, span) for item in value)
            return call("vector_literal", parts, type_, span)
        case Kind.MAP:
            key, inner = type_.parts
            keys = known(tuple(entry[0] for entry in value), list_of(key), span)
            items = known(tuple(entry[1] for entry in value), list_of(inner), span)
            return call("map", (keys, items), type_, span)
        case _:
            element = type_.parts[0]
            parts = tuple(known(item, element.with_null(item is None), span) for item in value)
            types = [part.type for part in parts]
            held = reduce(lambda left, right: joined(left, right) or element, types, types[0])
            return call("list", parts, list_of(held).with_null(type_.nullable), span)


def is_constant(expr: ir.Expr) -> bool:
    """Whether ``expr`` is what :func:`known` makes of a list or vector."""
    return (
        isinstance(expr, ir.Call)
        and expr.function in _CONSTRUCTORS
        and all(isinstance(arg, ir.Literal) for arg in expr.args)
    )
