"""The arithmetic operators, for numbers and for times."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from astrafs.builtins.rules import (
    MAX_DIGITS,
    NUMERIC,
    as_decimal,
    as_kind,
    common_number,
    common_unit,
    guarded,
    multiply_units,
    need,
    strict,
)
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.typesys import DURATION, FLOAT, INT, TIMESTAMP, Kind, Type, decimal
from astrafs.values import numbers
from astrafs.values.errors import FLOAT_OVERFLOW, TIME_RANGE, sql_error

Types = tuple[Type, ...]
Values = tuple[Any, ...]

_TIMES = (Kind.TIMESTAMP, Kind.DATE, Kind.DURATION)


def _no_text(types: Types) -> None:
    for index, type_ in enumerate(types):
        if type_.kind in (Kind.STRING, Kind.ENUM):
            raise Mismatch(index, "a number or a time; `concat(a, b)` joins strings")
        if type_.kind is Kind.KEY:
            raise Mismatch(index, "a number; a key is no number (`int(key)` gives its value)")
        if type_.kind not in (*NUMERIC, *_TIMES):
            raise Mismatch(index, "a number or a time")


def _time_sum(types: Types, subtract: bool) -> Signature | None:
    left, right = types[0].kind, types[1].kind
    if not {left, right} & set(_TIMES):
        return None
    results = {
        (Kind.TIMESTAMP, Kind.DURATION): TIMESTAMP,
        (Kind.DURATION, Kind.DURATION): DURATION,
    }
    if subtract:
        results[Kind.TIMESTAMP, Kind.TIMESTAMP] = DURATION
    else:
        results[Kind.DURATION, Kind.TIMESTAMP] = TIMESTAMP
    result = results.get((left, right))
    if result is not None:
        return strict(types, result)
    if left is Kind.DATE and right in (Kind.INT, Kind.DATE):
        raise Mismatch(
            1, "no date arithmetic here: write `add_days(date, n)` or `days_between(from, to)`"
        )
    if Kind.DATE in (left, right):
        at = 0 if left is Kind.DATE else 1
        raise Mismatch(at, 'a timestamp; `timestamp(date, "Zone")` gives the start of a day')
    if right in NUMERIC or left in NUMERIC:
        at = 1 if right in NUMERIC else 0
        raise Mismatch(at, "a duration such as `7d` or `30m`")
    raise Mismatch(
        1, "a duration" if left is not Kind.DURATION else "a duration as the left operand"
    )


def _sum_rule(subtract: bool) -> Any:
    def rule(types: Types, constants: Values) -> Signature:
        _no_text(types)
        found = _time_sum(types, subtract)
        if found is not None:
            return found
        plain = common_number(types, constants)
        unit = common_unit(types, constants)
        args = tuple(as_kind(type_, plain) for type_ in types)
        if plain.kind is Kind.DECIMAL:
            plain = decimal(min(MAX_DIGITS, plain.precision + 1), plain.scale)
        return strict(args, replace(plain, unit=unit))

    return guarded(rule, 2)


def _product_rule(types: Types, constants: Values) -> Signature:
    _no_text(types)
    unit = multiply_units(types[0].unit, types[1].unit)
    kinds = [type_.kind for type_ in types]
    if Kind.DURATION in kinds and Kind.INT in kinds and not unit:
        return strict(types, DURATION)
    for index, kind in enumerate(kinds):
        if kind in _TIMES:
            raise Mismatch(
                1 - index if kind is Kind.DURATION else index,
                "an int without unit" if kind is Kind.DURATION else "a number",
            )
    if Kind.DECIMAL not in kinds:
        plain = common_number(types, constants)
        return strict([as_kind(type_, plain) for type_ in types], replace(plain, unit=unit))
    if Kind.FLOAT in kinds:
        common_number(types, constants)
    left, right = (as_decimal(type_, value) for type_, value in zip(types, constants, strict=True))
    assert left is not None
    assert right is not None
    scale = left.scale + right.scale
    if scale > MAX_DIGITS:
        raise Mismatch(
            1, f"scales that add up to at most {MAX_DIGITS}, not {scale}; round an operand first"
        )
    precision = min(MAX_DIGITS, left.precision + right.precision)
    return strict((left, right), replace(decimal(precision, scale), unit=unit))


def _nonzero(constant: Any) -> bool:
    return constant is not None and constant != 0


def _quotient_rule(types: Types, constants: Values) -> Signature:
    _no_text(types)
    maybe = not _nonzero(constants[1])
    if types[0].kind is Kind.DURATION and types[1].kind is Kind.DURATION:
        return strict(types, FLOAT, maybe=maybe)
    for index in (0, 1):
        need(types, index, NUMERIC, "a number (a duration divides by a duration)")
    unit = multiply_units(types[0].unit, types[1].unit, -1)
    args = tuple(as_kind(type_, FLOAT) for type_ in types)
    # A literal below 1 can push a large quotient beyond the floats; exact numbers stay below 1e38.
    least = 1.0 if types[0].kind is Kind.FLOAT else 1e-200
    small = _nonzero(constants[1]) and abs(constants[1]) < least
    return strict(args, replace(FLOAT, unit=unit), maybe=maybe or small)


def _whole_rule(remainder: bool) -> Any:
    def rule(types: Types, constants: Values) -> Signature:
        _no_text(types)
        maybe = not _nonzero(constants[1])
        kinds = types[0].kind, types[1].kind
        if kinds == (Kind.DURATION, Kind.DURATION):
            return strict(types, DURATION if remainder else INT, maybe=maybe)
        if kinds == (Kind.DURATION, Kind.INT) and not remainder and not types[1].unit:
            return strict(types, DURATION, maybe=maybe)
        for index in (0, 1):
            need(types, index, (Kind.INT,), "an int; for other numbers write `floor(x / y)`")
        if remainder:
            unit = common_unit(types, constants)
        else:
            unit = multiply_units(types[0].unit, types[1].unit, -1)
        return strict(types, replace(INT, unit=unit), maybe=maybe)

    return guarded(rule, 2)


def _negation_rule(types: Types, _constants: Values) -> Signature:
    _no_text(types)
    need(types, 0, (*NUMERIC, Kind.DURATION), "a number or a duration")
    return Signature(types, types[0])


def _add(values: Values, _types: Types, result: Type) -> Any:
    with localcontext(numbers.EXACT):
        return numbers.checked(values[0] + values[1], result)


def _sub(values: Values, _types: Types, result: Type) -> Any:
    with localcontext(numbers.EXACT):
        return numbers.checked(values[0] - values[1], result)


def _mul(values: Values, _types: Types, result: Type) -> Any:
    with localcontext(numbers.EXACT):
        return numbers.checked(values[0] * values[1], result)


def _div(values: Values, types: Types, _result: Type) -> float | None:
    left, right = values
    if right == 0:
        return None
    if types[0].kind is Kind.DURATION:
        left, right = numbers.to_float(left), numbers.to_float(right)
    return numbers.finite_or_null(left / right)


def _floordiv(values: Values, _types: Types, _result: Type) -> int | None:
    left, right = values
    return None if right == 0 else numbers.whole(left // right)


def _mod(values: Values, _types: Types, _result: Type) -> int | None:
    left, right = values
    return None if right == 0 else left % right


def _neg(values: Values, _types: Types, result: Type) -> Any:
    if isinstance(values[0], Decimal):
        return numbers.fixed(-Fraction(values[0]), result)
    return numbers.checked(-values[0], result)


_TIME_ERROR = sql_error(TIME_RANGE, "a timestamp lies outside the years 1678 to 2261")
_FLOAT_ERROR = sql_error(FLOAT_OVERFLOW, "a float result is beyond 1.8e308")


def checked_instant(text: str) -> str:
    """SQL that passes a BIGINT timestamp through if it lies in the years 1678 to 2261."""
    bounds = f"{numbers.MIN_TIME} AND {numbers.MAX_TIME}"
    return f"CASE WHEN {text} NOT BETWEEN {bounds} THEN {_TIME_ERROR} ELSE {text} END"


def checked_float(text: str) -> str:
    """SQL that passes a DOUBLE through if it is finite, with -0.0 as 0.0."""
    return f"CASE WHEN NOT isfinite({text}) THEN {_FLOAT_ERROR} ELSE {text} + 0.0::DOUBLE END"


def float_or_null(text: str) -> str:
    """SQL that turns a DOUBLE that is not finite into null, and -0.0 into 0.0."""
    return f"CASE WHEN isfinite({text}) THEN {text} + 0.0::DOUBLE END"


def _sum_sql(sign: str) -> Any:
    def sql(args: tuple[str, ...], _types: Types, result: Type) -> str:
        match result.kind:
            case Kind.FLOAT:
                return checked_float(f"({args[0]} {sign} {args[1]})")
            case Kind.DECIMAL:
                name = f"DECIMAL({result.precision}, {result.scale})"
                return f"({args[0]}::{name} {sign} {args[1]}::{name})::{name}"
            case Kind.TIMESTAMP:
                return checked_instant(f"({args[0]} {sign} {args[1]})")
            case _:
                return f"({args[0]} {sign} {args[1]})"

    return sql


def _product_sql(args: tuple[str, ...], types: Types, result: Type) -> str:
    match result.kind:
        case Kind.FLOAT:
            return checked_float(f"({args[0]} * {args[1]})")
        case Kind.DECIMAL:
            # The engine caps a product of two narrow decimals at 18 digits, but not of a wide one.
            wide = f"{args[0]}::DECIMAL(38, {types[0].scale})"
            return f"({wide} * {args[1]})::DECIMAL({result.precision}, {result.scale})"
        case _:
            return f"({args[0]} * {args[1]})"


def _quotient_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    left, right = args
    if types[0].kind is Kind.DURATION:
        left, right = f"{left}::DOUBLE", f"{right}::DOUBLE"
    return float_or_null(f"({left} / {right})")


_FLOORDIV = (
    "(({0} // NULLIF({1}, 0))"
    " - CASE WHEN {1} <> -1 AND {0} % NULLIF(NULLIF({1}, 0), -1) <> 0"
    " AND ({0} < 0) <> ({1} < 0) THEN 1 ELSE 0 END)"
)
_MOD = (
    "CASE WHEN {1} = -1 THEN {0} * 0 ELSE {0} % NULLIF(NULLIF({1}, 0), -1)"
    " + CASE WHEN {0} % NULLIF(NULLIF({1}, 0), -1) <> 0"
    " AND ({0} < 0) <> ({1} < 0) THEN {1} ELSE 0 END END"
)


def _neg_sql(args: tuple[str, ...], _types: Types, result: Type) -> str:
    return f"(0.0::DOUBLE - {args[0]})" if result.kind is Kind.FLOAT else f"(- {args[0]})"


ROWS = (
    Function(
        name="add",
        params="a, b",
        rule=_sum_rule(False),
        evaluate=_add,
        sql=_sum_sql("+"),
        nulls=Nulls.STRICT,
        doc=(
            "Sum of two numbers of one unit, two durations, or a timestamp and a duration. "
            "Overflow stops the run."
        ),
        group="operators",
        symbol="+",
        examples=(
            Example("2 + 3", 5),
            Example("0.1 + 0.2", 0.30000000000000004),
            Example("1h + 30m", 5_400_000_000),
        ),
    ),
    Function(
        name="sub",
        params="a, b",
        rule=_sum_rule(True),
        evaluate=_sub,
        sql=_sum_sql("-"),
        nulls=Nulls.STRICT,
        doc=(
            "Difference of two numbers of one unit, two durations or two timestamps (a "
            "duration), or a timestamp less a duration."
        ),
        group="operators",
        symbol="-",
        examples=(Example("2 - 3", -1), Example("0.3 - 0.1", 0.19999999999999998)),
    ),
    Function(
        name="mul",
        params="a, b",
        rule=guarded(_product_rule, 2),
        evaluate=_mul,
        sql=_product_sql,
        nulls=Nulls.STRICT,
        doc=(
            "Product of two numbers (units multiply), or of a duration and an int. Overflow"
            " stops the run."
        ),
        group="operators",
        symbol="*",
        examples=(
            Example("6 * 7", 42),
            Example("2 * 90s", 180_000_000),
            Example("-1.0 * 0.0", 0.0),
        ),
    ),
    Function(
        name="div",
        params="a, b",
        rule=guarded(_quotient_rule, 2),
        evaluate=_div,
        sql=_quotient_sql,
        nulls=Nulls.STRICT,
        doc=(
            "Quotient as a float (units divide). Exact operands are turned into the nearest"
            " floats first. Null by zero or when the result is beyond the floats."
        ),
        group="operators",
        symbol="/",
        examples=(Example("7 / 2", 3.5), Example("1 / 0", None), Example("1h / 40m", 1.5)),
    ),
    Function(
        name="floordiv",
        params="a, b",
        rule=_whole_rule(False),
        evaluate=_floordiv,
        sql=_FLOORDIV,
        nulls=Nulls.STRICT,
        doc=(
            "Quotient of two ints or durations, or of a duration and an int, rounded down. "
            "Null by zero."
        ),
        group="operators",
        symbol="//",
        examples=(
            Example("7 // 2", 3),
            Example("-7 // 2", -4),
            Example("7 // 0", None),
            Example("7 // -2", -4),
        ),
    ),
    Function(
        name="mod",
        params="a, b",
        rule=_whole_rule(True),
        evaluate=_mod,
        sql=_MOD,
        nulls=Nulls.STRICT,
        doc="Remainder of `//`; it has the sign of the divisor. Null by zero.",
        group="operators",
        symbol="%",
        examples=(
            Example("7 % 3", 1),
            Example("-7 % 3", 2),
            Example("7 % -3", -2),
            Example("7 % 0", None),
        ),
    ),
    Function(
        name="neg",
        params="a",
        rule=guarded(_negation_rule, 1),
        evaluate=_neg,
        sql=_neg_sql,
        nulls=Nulls.STRICT,
        doc="The number or duration with the other sign.",
        group="operators",
        symbol="-",
        examples=(Example("-(1 + 2)", -3), Example("-(0.0 * 1.0)", 0.0)),
    ),
)
