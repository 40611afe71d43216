"""Casts that a program spells out, and the key constructor that the compiler writes."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from astrafs.builtins.rules import MAX_DIGITS, guarded, int_literal, need, strict
from astrafs.builtins.scalars.widening import float_sql
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.typesys import FLOAT, INT, STRING, Kind, Type, decimal
from astrafs.values import numbers
from astrafs.values.errors import BAD_CAST, ValueFailure, sql_error
from astrafs.values.text import date_text, instant_text

Types = tuple[Type, ...]
Values = tuple[Any, ...]

INT_TEXT = re.compile(r"[+-]?[0-9]{1,30}")
FLOAT_TEXT = re.compile(
    r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,5})?"
)


def part_of(type_: Type) -> Type:
    """A key as its one part; other types as they are."""
    if type_.kind is Kind.KEY and len(type_.parts) == 1:
        return type_.parts[0].with_null(type_.nullable)
    return type_


def _int_rule(types: Types, _constants: Values) -> Signature:
    source = part_of(types[0])
    need(
        (source,),
        0,
        (Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.BOOL, Kind.STRING),
        "a number, a bool, a string, or a key that is an int",
    )
    return strict(types, replace(INT, unit=source.unit), maybe=source.kind is Kind.STRING)


def _int(values: Values, types: Types, _result: Type) -> int | None:
    value = values[0]
    match part_of(types[0]).kind:
        case Kind.STRING:
            if INT_TEXT.fullmatch(value) is None:
                return None
            number = int(value)
            return number if numbers.INT_MIN <= number <= numbers.INT_MAX else None
        case Kind.FLOAT | Kind.DECIMAL:
            number = int(value)  # towards zero
            if not numbers.INT_MIN <= number <= numbers.INT_MAX:
                raise ValueFailure(BAD_CAST, "a number does not fit an int")
            return number
        case _:
            return int(value)


def _int_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    text = args[0]
    fits = sql_error(BAD_CAST, "a number does not fit an int")
    match part_of(types[0]).kind:
        case Kind.STRING:
            return (
                f"CASE WHEN regexp_full_match({text}, '{INT_TEXT.pattern}')"
                f" THEN TRY_CAST({text} AS BIGINT) END"
            )
        case Kind.FLOAT:
            limit = "9223372036854775808::DOUBLE"
            return (
                f"CASE WHEN {text} >= {limit} OR {text} < -{limit} THEN {fits}"
                f" ELSE trunc({text})::BIGINT END"
            )
        case Kind.DECIMAL:
            whole = f"trunc({text})"
            return (
                f"CASE WHEN {whole} NOT BETWEEN {numbers.INT_MIN} AND {numbers.INT_MAX} THEN {fits}"
                f" ELSE {whole}::BIGINT END"
            )
        case _:
            return f"({text}::BIGINT)"


def _float_rule(types: Types, _constants: Values) -> Signature:
    source = part_of(types[0])
    need(
        (source,),
        0,
        (Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.BOOL, Kind.STRING),
        "a number, a bool or a string",
    )
    return strict(types, replace(FLOAT, unit=source.unit), maybe=source.kind is Kind.STRING)


def _float(values: Values, types: Types, _result: Type) -> float | None:
    value = values[0]
    match part_of(types[0]).kind:
        case Kind.STRING:
            if FLOAT_TEXT.fullmatch(value) is None:
                return None
            return numbers.finite_or_null(float(value))
        case Kind.FLOAT:
            return float(value)
        case _:
            return numbers.to_float(int(value) if isinstance(value, bool) else value)


def _float_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    text, source = args[0], part_of(types[0])
    if source.kind is Kind.STRING:
        number = f"TRY_CAST({text} AS DOUBLE)"
        return (
            f"CASE WHEN regexp_full_match({text}, '{FLOAT_TEXT.pattern}') AND isfinite({number})"
            f" THEN {number} + 0.0::DOUBLE END"
        )
    return float_sql(text, source)


def _decimal_rule(types: Types, constants: Values) -> Signature:
    source = need(types, 0, (Kind.INT, Kind.FLOAT, Kind.DECIMAL), "a number")
    precision, scale = int_literal(types, constants, 1), int_literal(types, constants, 2)
    if precision is None or scale is None:
        at = 1 if precision is None else 2
        raise Mismatch(at, "an int literal: decimal(x, precision, scale)")
    if not 1 <= precision <= MAX_DIGITS:
        raise Mismatch(1, f"a precision from 1 to {MAX_DIGITS}")
    if not 0 <= scale <= precision:
        raise Mismatch(2, f"a scale from 0 to the precision, {precision}")
    return strict(types, replace(decimal(precision, scale), unit=source.unit))


def _decimal(values: Values, _types: Types, result: Type) -> Decimal:
    return numbers.fixed(Fraction(values[0]), result)


def _decimal_sql(args: tuple[str, ...], types: Types, result: Type) -> str:
    name = f"DECIMAL({result.precision}, {result.scale})"
    if types[0].kind is Kind.FLOAT:
        digits = f"{result.precision}::BIGINT, {result.scale}::BIGINT"
        return f"(af_decimal_text({args[0]}, {digits})::{name})"
    return f"({args[0]}::{name})"


def _string_rule(types: Types, _constants: Values) -> Signature:
    source = part_of(types[0])
    known = (
        Kind.INT,
        Kind.FLOAT,
        Kind.DECIMAL,
        Kind.BOOL,
        Kind.STRING,
        Kind.ENUM,
        Kind.DATE,
        Kind.TIMESTAMP,
    )
    need((source,), 0, known, "a number, bool, string, enum, date, timestamp or key")
    return strict(types, STRING)


def string_of(value: Any, type_: Type) -> str:
    """The text of a value: the shortest that reads back, times in ISO 8601."""
    source = part_of(type_)
    match source.kind:
        case Kind.BOOL:
            return "true" if value else "false"
        case Kind.FLOAT:
            return repr(value)
        case Kind.DECIMAL:
            return format(numbers.fixed(value, source), "f")
        case Kind.DATE:
            return date_text(value)
        case Kind.TIMESTAMP:
            return instant_text(value)
        case _:
            return str(value)


def string_sql(text: str, type_: Type) -> str:
    """SQL for the text of ``text``, a value of ``type_``: see :func:`string_of`."""
    match part_of(type_).kind:
        case Kind.DATE:
            return f"(DATE '1970-01-01' + {text}::INTEGER)::VARCHAR"
        case Kind.TIMESTAMP:
            moment = f"make_timestamp({text})"
            return (
                f"CASE WHEN {text} % 1000000 = 0 THEN strftime({moment}, '%Y-%m-%dT%H:%M:%SZ')"
                f" ELSE strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ') END"
            )
        case _:
            return f"({text}::VARCHAR)"


def _key_rule(types: Types, _constants: Values) -> Signature:
    return Signature(types, types[0])


def _key(values: Values, _types: Types, _result: Type) -> Any:
    return values[0]


ROWS = (
    Function(
        name="int",
        params="x",
        rule=guarded(_int_rule, 1),
        evaluate=_int,
        sql=_int_sql,
        nulls=Nulls.STRICT,
        doc=(
            "x as an int: floats and decimals lose their fraction (a number beyond 64 bits "
            "stops the run), false is 0 and true 1, a string must be an optional sign and "
            "digits, else null."
        ),
        group="casts",
        examples=(
            Example("int(-2.9)", -2),
            Example('int("42")', 42),
            Example('int("4x")', None),
            Example("int(true)", 1),
        ),
    ),
    Function(
        name="float",
        params="x",
        rule=guarded(_float_rule, 1),
        evaluate=_float,
        sql=_float_sql,
        nulls=Nulls.STRICT,
        doc="The float nearest to x. A string must be a plain number such as `-1.5e3`, else null.",
        group="casts",
        examples=(
            Example("float(3)", 3.0),
            Example('float("1e-3")', 0.001),
            Example('float("abc")', None),
        ),
    ),
    Function(
        name="decimal",
        params="x, precision, scale",
        rule=guarded(_decimal_rule, 3),
        evaluate=_decimal,
        sql=_decimal_sql,
        nulls=Nulls.STRICT,
        doc=(
            "x with `scale` digits after the point, rounded half away from zero (of the "
            "exact binary value for floats). A number of more than `precision` digits stops"
            " the run."
        ),
        group="casts",
        kernel="af_decimal_text",
        examples=(
            Example("decimal(2.5, 5, 0)", Decimal(3)),
            Example("decimal(7, 5, 2)", Decimal("7.00")),
        ),
    ),
    Function(
        name="string",
        params="x",
        rule=guarded(_string_rule, 1),
        evaluate=lambda values, types, _result: string_of(values[0], types[0]),
        sql=lambda args, types, _result: string_sql(args[0], types[0]),
        nulls=Nulls.STRICT,
        doc=(
            "x as text: floats with the fewest digits that read back as x, dates and "
            "timestamps (UTC) in ISO 8601."
        ),
        group="casts",
        examples=(
            Example("string(12)", "12"),
            Example("string(0.1)", "0.1"),
            Example("string(1e16)", "1e+16"),
            Example("string(true)", "true"),
            Example("string(2026-01-01T10:00:00Z)", "2026-01-01T10:00:00Z"),
        ),
    ),
    Function(
        name="to_key",
        params="x",
        rule=guarded(_key_rule, 1),
        evaluate=_key,
        sql="{0}",
        nulls=Nulls.STRICT,
        doc="x as a key of an entity. Written by the compiler for `User(x)`.",
        group="internal",
    ),
)
