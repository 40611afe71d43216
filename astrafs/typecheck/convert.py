"""Widening values to the type that a place wants, and saying why one does not fit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from astrafs.builtins.rules import INT_DIGITS, digits_of
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.model import Diagnostic, Edit, Sink
from astrafs.diagnostics.suggest import closest
from astrafs.diagnostics.words import LONGEST_LIST
from astrafs.plan import ir
from astrafs.plan.tree import Origin, children
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.typed import Typed, call, failed, literal, stored
from astrafs.typesys import Kind, Type, unit_text

MAX_INT = 2**63 - 1


def widen(value: Typed, target: Type, sink: Sink) -> Typed:
    """Return ``value`` as ``target`` (nullability apart), which a type rule has found to hold it.

    The only thing left to report is a text that is not a value of the enum it meets.
    """
    if value.failed or value.is_composite:
        return value
    have, want = value.type, target
    if have.kind is Kind.NULL:
        return literal(None, want.optional(), value.span)
    if isinstance(value.expr, ir.Literal):
        return _widen_literal(value, want, sink)
    if have.kind is want.kind and have.kind is not Kind.DECIMAL:
        return value
    result = want.with_null(have.nullable)
    match have.kind, want.kind:
        case (Kind.INT | Kind.DECIMAL, Kind.FLOAT):
            return call("to_float", (value,), result, value.span)
        case (Kind.INT, Kind.DECIMAL):
            return call("to_decimal", (value,), result, value.span)
        case (Kind.DECIMAL, Kind.DECIMAL) if (have.precision, have.scale) != (
            want.precision,
            want.scale,
        ):
            return call("to_decimal", (value,), result, value.span)
        case _:
            return value


def _widen_literal(value: Typed, want: Type, sink: Sink) -> Typed:
    assert isinstance(value.expr, ir.Literal)
    have, known = value.type, value.expr.value
    if known is None:
        return literal(None, want.optional(), value.span)
    result = want.required()
    match have.kind, want.kind:
        case (Kind.INT, Kind.FLOAT):
            return literal(float(known), result, value.span)
        case (Kind.DECIMAL, Kind.FLOAT):
            return literal(float(known), result, value.span)
        case (Kind.INT | Kind.FLOAT | Kind.DECIMAL, Kind.DECIMAL):
            number = value.exact if value.exact is not None else Decimal(str(known))
            return literal(
                number.quantize(Decimal(1).scaleb(-want.scale)) if fits(number, want) else number,
                result,
                value.span,
            )
        case (Kind.STRING, Kind.ENUM):
            if known not in want.values:
                report_enum_value(str(known), want, value.span, sink)
                return failed(value.span)
            return literal(known, result, value.span)
        case _ if have.unit != want.unit and have.is_numeric:
            return replace(value, type=replace(have, unit=want.unit))
        case _:
            return value


def fits(number: Decimal, want: Type) -> bool:
    digits = digits_of(number)
    return (
        digits is not None
        and digits[1] <= want.scale
        and digits[0] - digits[1] <= want.precision - want.scale
    )


def report_enum_value(text: str, enum: Type, span: Span, sink: Sink) -> None:
    """Report a text that the enum does not list."""
    found = codes.UNKNOWN_ENUM_VALUE.at(
        span,
        f"not one of {_listed(enum.values)}",
        title=f"the enum has no value {quoted(text)}",
    )
    near = closest(text, enum.values)
    if near is not None:
        found = found.help(f"did you mean `{near}`?")
    if near is not None and span.end - span.start == len(quoted(text)):  # no name of a constant
        found = found.fix(f"write `{near}`", Edit(span, quoted(near)), safe=False)
    sink.emit(found)


def _listed(values: tuple[str, ...]) -> str:
    """List a few values, or say how many there are."""
    if len(values) > LONGEST_LIST:
        return f"its {len(values)} values"
    return ", ".join(quoted(value) for value in values)


def quoted(text: str) -> str:
    """Print a string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def assign(value: Typed, target: Type, declared: ast.TypeExpr, what: str, sink: Sink) -> Typed:
    """Return ``value`` widened to the declared ``target``; reports a type, unit or null that does
    not fit.

    ``what`` names the declaration in messages, such as ``feature `spend```.
    """
    if value.failed or target.is_error:
        return failed(value.span)
    problem = mismatch(value, target)
    if problem is not None:
        sink.emit(_wrong_type(value, target, declared, what, problem))
        return failed(value.span)
    if value.type.nullable and not target.nullable:
        sink.emit(may_be_null(value, target, what, declared))
        return failed(value.span)
    return widen(value, target, sink)


def mismatch(value: Typed, target: Type) -> str | None:
    """Say why ``value`` does not fit ``target`` (nullability apart), or return None if it does."""
    have = value.type
    if have.kind is Kind.NULL:
        return None
    if have.is_numeric and target.is_numeric and have.unit != target.unit:
        free = value.is_literal and not have.unit
        if not free:
            wanted = f"[{unit_text(target.unit)}]" if target.unit else "no unit"
            found = f"[{unit_text(have.unit)}]" if have.unit else "no unit"
            return f"it has {found}, and {wanted} is declared"
    match have.kind, target.kind:
        case (Kind.INT, Kind.INT | Kind.FLOAT) | (Kind.FLOAT, Kind.FLOAT):
            return None
        case (Kind.INT, Kind.DECIMAL):
            if value.is_literal:
                if fits(Decimal(value.constant), target):
                    return None
                return f"it has more digits than {target.plain()} holds"
            if target.precision - target.scale >= INT_DIGITS:
                return None
            return f"an int may have {INT_DIGITS} digits, more than {target.plain()} holds"
        case (Kind.FLOAT, Kind.DECIMAL) if value.is_literal and value.exact is not None:
            if fits(value.exact, target):
                return None
            return f"it has more digits than {target.plain()} holds"
        case (Kind.DECIMAL, Kind.DECIMAL):
            if (
                value.is_literal
                and isinstance(value.constant, Decimal)
                and fits(value.constant, target)
            ):
                return None
            whole = have.precision - have.scale <= target.precision - target.scale
            if whole and have.scale <= target.scale:
                return None
            return f"{target.plain()} does not hold every {have.plain()}"
        case (Kind.STRING, Kind.ENUM) if value.is_literal:
            return None
        case _ if target.holds(have):
            return None
        case _:
            return f"it is {have.plain()}, and {target.plain()} is declared"


def _wrong_type(
    value: Typed, target: Type, declared: ast.TypeExpr, what: str, problem: str
) -> Diagnostic:
    have = value.type
    units = have.is_numeric and target.is_numeric and have.unit != target.unit
    code = codes.UNIT_MISMATCH if units else codes.WRONG_TYPE
    found = code.at(
        value.span, f"this is `{have}`", title=f"{what} is declared `{target}` and is `{have}`"
    ).label(declared.span, "declared here")
    found = found.note(problem).help(_type_advice(have, target))
    if have.kind not in (Kind.KEY, Kind.NULL) and declared.span.end > declared.span.start:
        found = found.fix(f"declare it `{have}`", Edit(declared.span, str(have)), safe=False)
    return found


def _type_advice(have: Type, target: Type) -> str:
    match have.kind, target.kind:
        case (Kind.DECIMAL, Kind.DECIMAL) | (Kind.INT, Kind.DECIMAL):
            size = f"{target.precision}, {target.scale}"
            return f"declare `{have}`, or round with `decimal(x, {size})`"
        case (Kind.FLOAT, Kind.DECIMAL):
            return (
                f"round with `decimal(x, {target.precision}, {target.scale})`, or declare `{have}`"
            )
        case (Kind.DECIMAL, Kind.FLOAT):
            return "convert with `float(x)`"
        case (Kind.FLOAT, Kind.INT):
            return "round with `int(round(x))`, or declare a float"
        case (_, Kind.STRING):
            return "convert with `string(x)`"
        case (_, Kind.KEY) if target.parts:
            return f"make a key with `{target.required()}(...)`"
        case (Kind.KEY, _) if len(have.parts) == 1:
            return f"take the key's value with `{have.parts[0].plain()}(x)`"
        case ((Kind.LIST | Kind.MAP), (Kind.LIST | Kind.MAP)) if any(
            part.nullable for part in have.parts
        ):
            return f"declare `{have}`, or leave the nulls out with `drop_nulls(xs)`"
        case (Kind.LIST, Kind.VECTOR):
            return f"make a vector of a list of floats: `vector(xs, {target.precision})`"
        case (Kind.VECTOR, Kind.LIST):
            return "make a list of a vector: `floats(v)`"
        case (Kind.BOOL, Kind.INT | Kind.FLOAT):
            return "count it: `if x then 1 else 0`"
        case _:
            return f"declare `{have}`, or convert the value"


def may_be_null(
    value: Typed, target: Type, what: str, declared: ast.TypeExpr | None = None
) -> Diagnostic:
    """Report a value that may be null where null has no place, and the null's cause."""
    found = codes.MAY_BE_NULL.at(
        value.span,
        f"this is `{value.type}`",
        title=f"{what} is `{target}`, and the value may be null",
    )
    cause = null_cause(value.expr, value.origin)
    if cause is not None:
        span, text = cause
        found = found.label(span, text) if span != value.span else found.note(text)
    if declared is None:
        return found.help("give a value for the null: `x ?? default`")
    found = found.help(
        "give a value for the null, `... ?? default`, or declare it nullable with `?`"
    )
    if not declared.nullable and declared.span.end > declared.span.start:
        if declared.unit is None:
            edit = Edit.after(declared.span, "?")
        else:
            edit = Edit(declared.span, str(target.optional()))
        found = found.fix("declare it nullable", edit, safe=False)
    return found


def null_cause(expr: ir.Expr, origin: Origin) -> tuple[Span, str] | None:
    """Find where a null of ``expr`` comes from, and say it."""
    while True:
        match expr:
            case ir.Literal(value=None):
                return origin.span, "this is null"
            case ir.Column():
                return origin.span, f"`{expr.name}` may be null"
            case ir.KeyPart():
                return origin.span, f"`{expr.name}` may be null"
            case ir.FeatureRef():
                return origin.span, f"feature `{expr.feature.name}` may be null"
            case ir.EntityLookup():
                return origin.span, f"feature `{expr.feature.name}` may be null"
            case ir.TableLookup():
                return origin.span, "a lookup is null where the table has no row (or too old a one)"
            case ir.Aggregate():
                return (
                    origin.span,
                    f"`{expr.function}` is null where the window has no value for it",
                )
            case ir.Call(function=function):
                guilty = next(
                    (
                        (part, place)
                        for part, place in zip(children(expr), origin.children, strict=False)
                        if part.type.nullable and not (function == "if" and part is expr.args[0])
                    ),
                    None,
                )
                if guilty is None:
                    reasons = {
                        "div": "a division by zero is null",
                        "floordiv": "a division by zero is null",
                        "mod": "a division by zero is null",
                    }
                    return origin.span, reasons.get(function, f"`{function}` may give null")
                expr, origin = guilty
            case _:
                return None


__all__ = ["assign", "may_be_null", "mismatch", "null_cause", "quoted", "stored", "widen"]
