"""Typing calls of builtin rows: the row's rule decides, this module widens and reports."""

from __future__ import annotations

from dataclasses import replace

from astrafs.builtins.registry import FUNCTIONS
from astrafs.builtins.spec import Function, Mismatch, Signature
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.plan import ir
from astrafs.source import Span
from astrafs.typecheck.convert import widen
from astrafs.typecheck.typed import Typed, call, failed
from astrafs.typesys import Kind, Type

MAX_DEPTH = 300
MAX_SIZE = 5_000
MAX_OPERANDS = 1_000
_KEY_TESTS = ("eq", "ne", "is_null", "is_not_null")


def apply_row(
    name: str,
    args: tuple[Typed, ...],
    span: Span,
    sink: Sink,
    *,
    symbol: str = "",
    op_span: Span | None = None,
) -> Typed:
    """Call the builtin ``name``; ``symbol`` is how an operator is written, ``op_span`` where."""
    if any(arg.failed for arg in args):
        return failed(span)
    row = FUNCTIONS[name]
    if any(arg.is_composite for arg in args):
        return _apply_to_key(row, args, span, sink, symbol or name)
    if len(args) > MAX_OPERANDS:
        sink.emit(
            codes.TOO_COMPLEX.at(
                op_span or span,
                f"{len(args):,} values",
                title=f"`{symbol or name}` takes at most {MAX_OPERANDS:,} values",
            ).help("look them up in a table instead")
        )
        return failed(span)
    types = tuple(arg.type for arg in args)
    try:
        signature = row.rule(types, tuple(arg.constant for arg in args))
    except Mismatch as mismatch:
        if symbol:
            sink.emit(_operator_problem(row, mismatch, args, op_span or span, symbol))
        else:
            sink.emit(argument_problem(row.name, row.params, mismatch, args, span))
        return failed(span)
    return bounded(_build(name, signature, args, span, sink), sink)


def _build(
    name: str, signature: Signature, args: tuple[Typed, ...], span: Span, sink: Sink
) -> Typed:
    widened = tuple(
        widen(arg, target, sink) for arg, target in zip(args, signature.args, strict=True)
    )
    if any(arg.failed for arg in widened):
        return failed(span)
    return call(name, widened, signature.result, span)


def bounded(value: Typed, sink: Sink) -> Typed:
    """Return ``value`` unless it has grown beyond what later passes handle; then report that."""
    if value.depth <= MAX_DEPTH and value.size <= MAX_SIZE:
        return value
    deep = value.depth > MAX_DEPTH
    limit = f"{MAX_DEPTH} levels" if deep else f"{MAX_SIZE:,} operations"
    sink.emit(
        codes.TOO_COMPLEX.at(
            value.span, f"more than {limit}, with functions and columns put in place"
        ).help("give parts of it names of their own: features, or columns of a stream below")
    )
    return failed(value.span)


def _apply_to_key(
    row: Function, args: tuple[Typed, ...], span: Span, sink: Sink, shown: str
) -> Typed:
    """Comparisons and null tests of keys of several parts, part by part."""
    first = next(arg for arg in args if arg.is_composite)
    same = all(arg.type.plain() == first.type.plain() for arg in args)
    if row.name not in _KEY_TESTS or not same or not first.parts:
        other = " and ".join(f"`{arg.type}`" for arg in args)
        sink.emit(
            codes.BAD_OPERANDS.at(
                span,
                "a key of several parts takes `==`, `!=`, `is null` and lookups only",
                title=f"`{shown}` does not go with {other}",
            )
        )
        return failed(span)
    columns = zip(*(arg.parts for arg in args), strict=True)
    base = {"eq": "eq", "ne": "eq", "is_null": "is_null", "is_not_null": "is_null"}[row.name]
    tests = tuple(
        apply_row(
            base, tuple(Typed(expr, expr.type, origin) for expr, origin in column), span, sink
        )
        for column in columns
    )
    joined = apply_row("and" if base == "eq" else "or", tests, span, sink)
    return joined if base == row.name else apply_row("not", (joined,), span, sink)


def describe(value: Typed) -> str:
    """Say what a value is, by its name where it has one: ``amount`` is ``float``."""
    match value.expr:
        case ir.Column(name=name) | ir.KeyPart(name=name) | ir.TableLookup(column=name):
            return f"`{name}` is `{value.type}`"
        case ir.FeatureRef(feature=feature) | ir.EntityLookup(feature=feature):
            return f"`{feature.name}` is `{value.type}`"
        case _:
            return f"this is `{value.type}`"


def _operator_problem(
    row: Function, mismatch: Mismatch, args: tuple[Typed, ...], op_span: Span, symbol: str
) -> Diagnostic:
    types = tuple(arg.type for arg in args)
    shown = " and ".join(f"`{type_}`" for type_ in types[:2])
    if symbol == "if":
        return _choice_problem(mismatch, args, op_span)
    if symbol == "[]":
        return _elements_problem(mismatch, args, op_span)
    if is_unit_problem(row.rule, args):
        found = codes.UNIT_MISMATCH.at(
            op_span, "needs equal units", title=f"`{symbol}` does not go with {shown}"
        )
    else:
        found = codes.BAD_OPERANDS.at(
            op_span, "not for these types", title=f"`{symbol}` does not go with {shown}"
        )
    for arg in args[:4]:
        found = found.label(arg.span, describe(arg))
    advice = mismatch.expected.partition("; ")
    if mismatch.index is not None:
        side = ("left", "right")[mismatch.index] if len(args) == 2 and mismatch.index < 2 else ""
        where = f"on the {side}" if side else "here"
        found = found.note(f"wanted {where}: {advice[0]}")
    return found.help(advice[2]) if advice[2] else found


def _choice_problem(mismatch: Mismatch, args: tuple[Typed, ...], span: Span) -> Diagnostic:
    condition, then, otherwise = args
    if mismatch.index == 0:
        return codes.BAD_CONDITION.at(
            condition.span, describe(condition), title="the condition of `if` is not a bool"
        ).help("compare it with something: `x > 0`, `x is not null`")
    found = codes.BAD_OPERANDS.at(
        span, "both branches need one type", title="the branches of `if` have different types"
    )
    found = found.label(then.span, describe(then)).label(otherwise.span, describe(otherwise))
    return found.help("convert one of them, such as with `float(x)` or `string(x)`")


def _elements_problem(mismatch: Mismatch, args: tuple[Typed, ...], span: Span) -> Diagnostic:
    found = codes.BAD_OPERANDS.at(
        span, "elements have one type", title="the elements of a list have different types"
    )
    other = args[mismatch.index or 0]
    for arg in dict.fromkeys((args[0], other)):
        found = found.label(arg.span, describe(arg))
    return found.help("convert one of them, such as with `float(x)` or `string(x)`")


def is_unit_problem(rule: object, args: tuple[Typed, ...]) -> bool:
    """Whether the arguments would fit ``rule`` if they had no units."""
    if not any(arg.type.unit for arg in args):
        return False
    bare = tuple(replace(arg.type, unit=()) for arg in args)
    try:
        rule(bare, tuple(arg.constant for arg in args))  # type: ignore[operator]
    except Mismatch:
        return False
    return True


def argument_problem(
    name: str, params: str, mismatch: Mismatch, args: tuple[Typed, ...], span: Span
) -> Diagnostic:
    """Report arguments that do not fit the function ``name(params)``."""
    usage = f"it is used as `{name}({params})`"
    expected, _, advice = mismatch.expected.partition("; ")
    if mismatch.index is None or mismatch.index >= len(args):
        given = f"{len(args)} given" if args else "none given"
        found = codes.BAD_ARGUMENT_COUNT.at(span, given, title=f"`{name}` takes {expected}")
        return found.note(usage)
    arg = args[mismatch.index]
    found = codes.BAD_ARGUMENT.at(
        arg.span,
        f"{describe(arg)}; wanted: {expected}",
        title=f"`{name}` does not take {_shown(arg.type)} here",
    ).note(usage)
    return found.help(advice) if advice else found


def _shown(type_: Type) -> str:
    return "`null`" if type_.kind is Kind.NULL else f"`{type_}`"
