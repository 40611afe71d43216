"""Rounding, signs, least and greatest, and the elementary functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from astrafs.builtins.rules import (
    MAX_DIGITS,
    NUMERIC,
    as_kind,
    dimensionless,
    guarded,
    int_literal,
    need,
    strict,
    unified,
    unify,
)
from astrafs.builtins.scalars.logic import MANY, comparable
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.typesys import FLOAT, INT, Kind, Type, decimal
from astrafs.values import correct, numbers
from astrafs.values.rounding import round_float

Types = tuple[Type, ...]
Values = tuple[Any, ...]

_SIGNED = (*NUMERIC, Kind.DURATION)


# --- rounding -----------------------------------------------------------------------------------


def _round_rule(types: Types, constants: Values) -> Signature:
    source = need(types, 0, NUMERIC, "a number")
    if len(types) == 1:
        places: int | None = 0
    else:
        need(types, 1, (Kind.INT,), "an int: the number of digits after the point")
        dimensionless(types, 1)
        places = int_literal(types, constants, 1)
    match source.kind:
        case Kind.FLOAT:
            return strict(types, replace(FLOAT, unit=source.unit))
        case Kind.INT:
            if places is None or places < 0:
                raise Mismatch(
                    1, "digits from 0 on; an int has nothing to round there (`x // 10 * 10`?)"
                )
            return strict(types, replace(INT, unit=source.unit))
        case _:
            if places is None or places < 0:
                raise Mismatch(
                    1, "an int literal from 0 on, because it is part of the decimal's type"
                )
            if places >= source.scale:
                return strict(types, source)
            precision = min(MAX_DIGITS, source.precision - source.scale + places + 1)
            return strict(types, replace(decimal(precision, places), unit=source.unit))


def _round(values: Values, types: Types, result: Type) -> Any:
    value = values[0]
    match types[0].kind:
        case Kind.INT:
            return value
        case Kind.DECIMAL:
            return numbers.fixed(value, result)
        case _:
            return round_float(value, values[1] if len(values) > 1 else 0)


def _round_sql(args: tuple[str, ...], types: Types, result: Type) -> str:
    match types[0].kind:
        case Kind.INT:
            return args[0]
        case Kind.DECIMAL:
            return f"({args[0]}::DECIMAL({result.precision}, {result.scale}))"
        case _:
            places = args[1] if len(args) > 1 else "0::BIGINT"
            return f"af_round({args[0]}, {places})"


def _edge_rule(types: Types, _constants: Values) -> Signature:
    source = need(types, 0, NUMERIC, "a number")
    if source.kind is not Kind.DECIMAL:
        return strict(types, replace(source, nullable=False))
    precision = max(1, min(MAX_DIGITS, source.precision - source.scale + 1))
    return strict(types, replace(decimal(precision, 0), unit=source.unit))


def _edge(function: Callable[[Any], int]) -> Callable[[Values, Types, Type], Any]:
    def evaluate(values: Values, types: Types, result: Type) -> Any:
        match types[0].kind:
            case Kind.INT:
                return values[0]
            case Kind.DECIMAL:
                return numbers.fixed(function(values[0]), result)
            case _:
                return float(function(values[0])) + 0.0

    return evaluate


def _edge_sql(name: str) -> Callable[[tuple[str, ...], Types, Type], str]:
    def sql(args: tuple[str, ...], types: Types, result: Type) -> str:
        match types[0].kind:
            case Kind.INT:
                return args[0]
            case Kind.DECIMAL:
                return f"({name}({args[0]})::DECIMAL({result.precision}, 0))"
            case _:
                return f"({name}({args[0]}) + 0.0::DOUBLE)"

    return sql


# --- signs and choices --------------------------------------------------------------------------


def _abs_rule(types: Types, _constants: Values) -> Signature:
    return strict(types, need(types, 0, _SIGNED, "a number or a duration").required())


def _abs(values: Values, _types: Types, result: Type) -> Any:
    if isinstance(values[0], Decimal):
        return numbers.fixed(abs(Fraction(values[0])), result)
    return numbers.checked(abs(values[0]), result)


def _sign_rule(types: Types, _constants: Values) -> Signature:
    need(types, 0, _SIGNED, "a number or a duration")
    return strict(types, INT)


def _sign(values: Values, _types: Types, _result: Type) -> int:
    return int(values[0] > 0) - int(values[0] < 0)


def _choice_rule(types: Types, constants: Values) -> Signature:
    comparable(types, constants, ordered=True)
    target = unify(types, constants, whose="the first value")
    return Signature(unified(types, target), target)


def _least(values: Values, _types: Types, _result: Type) -> Any:
    return min(values)


def _greatest(values: Values, _types: Types, _result: Type) -> Any:
    return max(values)


def _clamp(values: Values, _types: Types, _result: Type) -> Any:
    value, low, high = values
    return min(max(value, low), high)


def _unless_null(args: tuple[str, ...], text: str) -> str:
    nulls = " OR ".join(f"{arg} IS NULL" for arg in args)
    return f"CASE WHEN {nulls} THEN NULL ELSE {text} END"


def _choice_sql(name: str) -> Callable[[tuple[str, ...], Types, Type], str]:
    def sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
        return _unless_null(args, f"{name}({', '.join(args)})")

    return sql


def _clamp_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    return _unless_null(args, f"LEAST(GREATEST({args[0]}, {args[1]}), {args[2]})")


# --- elementary functions -----------------------------------------------------------------------

_SURE: dict[str, Callable[[float], bool]] = {
    "sqrt": lambda x: x >= 0,
    "exp": lambda x: x <= 700,
    "ln": lambda x: x > 0,
    "log2": lambda x: x > 0,
    "log10": lambda x: x > 0,
    "asin": lambda x: abs(x) <= 1,
    "acos": lambda x: abs(x) <= 1,
}
"""Literal arguments for which a function that may give null certainly does not."""


def _float_args(types: Types) -> Types:
    for index in range(len(types)):
        need(types, index, NUMERIC, "a number")
    return tuple(as_kind(type_, FLOAT) for type_ in types)


def _elementary_rule(name: str) -> Callable[[Types, Values], Signature]:
    def rule(types: Types, constants: Values) -> Signature:
        args = _float_args(types)
        unit = types[0].unit
        if name == "sqrt":
            if any(power % 2 for _, power in unit):
                raise Mismatch(0, "a number without a unit, or with the square of one")
            unit = tuple((base, power // 2) for base, power in unit)
        else:
            for index in range(len(types)):
                dimensionless(types, index)
        sure = _SURE.get(name)
        literal = constants[0]
        maybe = name == "pow" or (
            sure is not None and not (literal is not None and sure(float(literal)))
        )
        return strict(args, replace(FLOAT, unit=unit), maybe=maybe)

    return rule


def _sqrt(x: float) -> float | None:
    return math.sqrt(x) if x >= 0 else None


def _elementary(function: Callable[..., float | None]) -> Callable[[Values, Types, Type], Any]:
    def evaluate(values: Values, _types: Types, _result: Type) -> float | None:
        return function(*values)

    return evaluate


def _row(
    name: str, function: Callable[..., float | None], doc: str, *examples: Example
) -> Function:
    params = {"pow": "x, y", "atan2": "y, x"}.get(name, "x")
    count = len(params.split(","))
    holes = ", ".join(f"{{{index}}}" for index in range(count))
    kernel = "" if name == "sqrt" else f"af_{name}"
    return Function(
        name=name,
        params=params,
        rule=guarded(_elementary_rule(name), count),
        evaluate=_elementary(function),
        sql=f"{kernel}({holes})" if kernel else "CASE WHEN {0} >= 0 THEN sqrt({0}) END",
        nulls=Nulls.STRICT,
        doc=f"{doc} Correctly rounded.",
        group="math",
        kernel=kernel,
        examples=examples,
    )


ROWS = (
    Function(
        name="round",
        params="x[, digits]",
        rule=guarded(_round_rule, 1, 2),
        evaluate=_round,
        sql=_round_sql,
        nulls=Nulls.STRICT,
        doc=(
            "x rounded to `digits` after the point (0 if not given), half away from zero. A"
            " float's exact binary value counts: `round(2.675, 2)` is 2.67."
        ),
        group="math",
        kernel="af_round",
        examples=(
            Example("round(2.5)", 3.0),
            Example("round(-2.5)", -3.0),
            Example("round(2.675, 2)", 2.67),
            Example("round(1234.5, -2)", 1200.0),
        ),
    ),
    Function(
        name="floor",
        params="x",
        rule=guarded(_edge_rule, 1),
        evaluate=_edge(math.floor),
        sql=_edge_sql("floor"),
        nulls=Nulls.STRICT,
        doc="The greatest whole number that is not above x, of x's kind.",
        group="math",
        examples=(Example("floor(-1.5)", -2.0), Example("int(floor(1.5))", 1)),
    ),
    Function(
        name="ceil",
        params="x",
        rule=guarded(_edge_rule, 1),
        evaluate=_edge(math.ceil),
        sql=_edge_sql("ceil"),
        nulls=Nulls.STRICT,
        doc="The least whole number that is not below x, of x's kind.",
        group="math",
        examples=(Example("ceil(-1.5)", -1.0), Example("ceil(-0.5)", 0.0)),
    ),
    Function(
        name="trunc",
        params="x",
        rule=guarded(_edge_rule, 1),
        evaluate=_edge(math.trunc),
        sql=_edge_sql("trunc"),
        nulls=Nulls.STRICT,
        doc="x without its fraction, of x's kind.",
        group="math",
        examples=(Example("trunc(-1.5)", -1.0),),
    ),
    Function(
        name="abs",
        params="x",
        rule=guarded(_abs_rule, 1),
        evaluate=_abs,
        sql="abs({0})",
        nulls=Nulls.STRICT,
        doc="The size of a number or duration, without its sign.",
        group="math",
        examples=(Example("abs(-3)", 3), Example("abs(-1.5)", 1.5)),
    ),
    Function(
        name="sign",
        params="x",
        rule=guarded(_sign_rule, 1),
        evaluate=_sign,
        sql="CASE WHEN {0} > 0 THEN 1::BIGINT WHEN {0} < 0 THEN (-1)::BIGINT"
        " WHEN {0} = 0 THEN 0::BIGINT END",
        nulls=Nulls.STRICT,
        doc="-1, 0 or 1.",
        group="math",
        examples=(Example("sign(-2.5)", -1), Example("sign(0)", 0)),
    ),
    Function(
        name="least",
        params="a, b, ...",
        rule=guarded(_choice_rule, 2, MANY),
        evaluate=_least,
        sql=_choice_sql("LEAST"),
        nulls=Nulls.STRICT,
        doc="The smallest of the values.",
        group="math",
        examples=(
            Example("least(3, 1, 2)", 1),
            Example("least(1, 0.5)", 0.5),
            Example("least(1.0, 1 / 0)", None),
        ),
    ),
    Function(
        name="greatest",
        params="a, b, ...",
        rule=guarded(_choice_rule, 2, MANY),
        evaluate=_greatest,
        sql=_choice_sql("GREATEST"),
        nulls=Nulls.STRICT,
        doc="The largest of the values.",
        group="math",
        examples=(Example("greatest(3, 1, 2)", 3), Example('greatest("a", "B")', "a")),
    ),
    Function(
        name="clamp",
        params="x, low, high",
        rule=guarded(_choice_rule, 3),
        evaluate=_clamp,
        sql=_clamp_sql,
        nulls=Nulls.STRICT,
        doc="x, but not below low and not above high (high wins where low is above it).",
        group="math",
        examples=(
            Example("clamp(5, 0, 3)", 3),
            Example("clamp(-5, 0, 3)", 0),
            Example("clamp(0.5, 0, 3)", 0.5),
        ),
    ),
    _row(
        "sqrt",
        _sqrt,
        "The square root; null for negative x.",
        Example("sqrt(2)", 1.4142135623730951),
        Example("sqrt(0 - 1)", None),
    ),
    _row(
        "exp",
        correct.exp,
        "e to the power x; null beyond the floats.",
        Example("exp(1)", 2.718281828459045),
        Example("exp(1000)", None),
    ),
    _row(
        "ln",
        correct.ln,
        "The natural logarithm; null unless x > 0.",
        Example("ln(10)", 2.302585092994046),
        Example("ln(0)", None),
    ),
    _row(
        "log2", correct.log2, "The logarithm to base 2; null unless x > 0.", Example("log2(8)", 3.0)
    ),
    _row(
        "log10",
        correct.log10,
        "The logarithm to base 10; null unless x > 0.",
        Example("log10(1000)", 3.0),
    ),
    _row(
        "pow",
        correct.pow,
        "x to the power y; null where there is no finite real value. `pow(x, 0)` is 1.",
        Example("pow(2, 10)", 1024.0),
        Example("pow(2, 0.5)", 1.4142135623730951),
        Example("pow(-8, 0.5)", None),
        Example("pow(0, -1)", None),
    ),
    _row("sin", correct.sin, "The sine of x radians.", Example("sin(1)", 0.8414709848078965)),
    _row("cos", correct.cos, "The cosine of x radians.", Example("cos(0)", 1.0)),
    _row("tan", correct.tan, "The tangent of x radians.", Example("tan(1)", 1.5574077246549023)),
    _row(
        "asin",
        correct.asin,
        "The angle in radians whose sine is x; null outside [-1, 1].",
        Example("asin(1)", 1.5707963267948966),
    ),
    _row(
        "acos",
        correct.acos,
        "The angle in radians whose cosine is x; null outside [-1, 1].",
        Example("acos(2)", None),
    ),
    _row(
        "atan",
        correct.atan,
        "The angle in radians whose tangent is x.",
        Example("atan(1)", 0.7853981633974483),
    ),
    _row(
        "atan2",
        correct.atan2,
        "The angle in radians, from -pi to pi, of the point (x, y); 0 at the origin.",
        Example("atan2(1, -1)", 2.356194490192345),
    ),
)
