"""Comparisons, three-valued logic, null tests and choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from astrafs.builtins.rules import (
    Rule,
    common_number,
    common_unit,
    guarded,
    strict,
    unified,
    unify,
)
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.typesys import BOOL, Kind, Type

Types = tuple[Type, ...]
Values = tuple[Any, ...]

MANY = 1_000


def comparable(types: Types, constants: Values, *, ordered: bool) -> Types:
    """Return the argument types after widening, if all may be compared with the first."""
    for index, type_ in enumerate(types):
        if type_.kind is Kind.NULL:
            raise Mismatch(index, "a value; `x is null` tests for null")
        if ordered and not type_.is_ordered:
            names = {
                Kind.BOOL: "bool",
                Kind.ENUM: "an enum",
                Kind.KEY: "a key",
                Kind.BYTES: "bytes",
                Kind.LIST: "a list",
                Kind.MAP: "a map",
                Kind.VECTOR: "a vector",
            }
            raise Mismatch(
                index, f"a value with an order; {names[type_.kind]} compares by `==` and `!=` only"
            )
    if all(type_.is_numeric for type_ in types):
        plain = common_number(types, constants)
        common_unit(types, constants)
        return tuple(replace(plain, nullable=type_.nullable, unit=type_.unit) for type_ in types)
    for index, type_ in enumerate(types[1:], 1):
        kinds = {types[0].kind, type_.kind}
        if kinds == {Kind.DATE, Kind.TIMESTAMP}:
            raise Mismatch(
                index, 'a date beside a date; `date(ts, "Zone")` gives the day of an instant'
            )
        key = next((side for side in (types[0], type_) if side.kind is Kind.KEY), None)
        if key is not None and types[0].plain() != type_.plain():
            name = str(key.plain())
            raise Mismatch(
                index, f"a key of the same entity; write `{name}(x)` to make a {name} of a value"
            )
    target = unify(types, constants, whose="the other side")
    return tuple(target.with_null(type_.nullable) for type_ in types)


def _comparison_rule(ordered: bool) -> Rule:
    def rule(types: Types, constants: Values) -> Signature:
        return strict(comparable(types, constants, ordered=ordered), BOOL)

    return guarded(rule, 2)


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Values, Types, Type], bool]:
    def evaluate(values: Values, _types: Types, _result: Type) -> bool:
        return test(values[0], values[1])

    return evaluate


def _row(
    name: str, symbol: str, doc: str, test: Callable[[Any, Any], bool], *examples: Example
) -> Function:
    engine = {"==": "=", "!=": "<>"}.get(symbol, symbol)
    return Function(
        name=name,
        params="a, b",
        rule=_comparison_rule(symbol not in ("==", "!=")),
        evaluate=_compare(test),
        sql=f"({{0}} {engine} {{1}})",
        nulls=Nulls.STRICT,
        doc=doc,
        group="operators",
        symbol=symbol,
        examples=examples,
    )


def _logic_rule(types: Types, _constants: Values) -> Signature:
    for index, type_ in enumerate(types):
        if type_.kind not in (Kind.BOOL, Kind.NULL):
            raise Mismatch(index, "a bool")
    return strict([BOOL.with_null(type_.nullable) for type_ in types], BOOL)


def _and(values: Values, _types: Types, _result: Type) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _or(values: Values, _types: Types, _result: Type) -> bool | None:
    if True in values:
        return True
    return None if None in values else False


def _not(values: Values, _types: Types, _result: Type) -> bool:
    return not values[0]


def _is_null_rule(types: Types, _constants: Values) -> Signature:
    return Signature(types, BOOL)


def _is_null(values: Values, _types: Types, _result: Type) -> bool:
    return values[0] is None


def _is_not_null(values: Values, _types: Types, _result: Type) -> bool:
    return values[0] is not None


def _in_rule(types: Types, constants: Values) -> Signature:
    return strict(comparable(types, constants, ordered=False), BOOL)


def _in(values: Values, _types: Types, _result: Type) -> bool | None:
    first, rest = values[0], values[1:]
    if first is None:
        return None
    if any(value is not None and value == first for value in rest):
        return True
    return None if None in rest else False


def _in_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    return f"({args[0]} IN ({', '.join(args[1:])}))"


def _coalesce_rule(types: Types, constants: Values) -> Signature:
    target = unify(types, constants, whose="the first value")
    last = types[-1].nullable and all(type_.nullable for type_ in types)
    return Signature(unified(types, target), target.with_null(last))


def _coalesce(values: Values, _types: Types, _result: Type) -> Any:
    return next((value for value in values if value is not None), None)


def _coalesce_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    return f"COALESCE({', '.join(args)})"


def _if_rule(types: Types, constants: Values) -> Signature:
    if types[0].kind is not Kind.BOOL:
        raise Mismatch(0, "a bool")
    try:
        target = unify(types[1:], constants[1:], whose="the other branch")
    except Mismatch as found:
        assert found.index is not None
        raise Mismatch(found.index + 1, found.expected) from None
    return Signature((types[0], *unified(types[1:], target)), target)


def _if(values: Values, _types: Types, _result: Type) -> Any:
    return values[1] if values[0] else values[2]


def _null_if_rule(types: Types, constants: Values) -> Signature:
    args = comparable(types, constants, ordered=False)
    return Signature(args, replace(args[0], nullable=True))


def _null_if(values: Values, _types: Types, _result: Type) -> Any:
    left, right = values
    if left is None or (right is not None and left == right):
        return None
    return left


ROWS = (
    _row(
        "eq",
        "==",
        "Whether both are equal. Keys equal only keys of their entity.",
        lambda a, b: a == b,
        Example("1 == 1.0", True),
        Example('"a" == "A"', False),
        Example("0.1 + 0.2 == 0.3", False),
    ),
    _row("ne", "!=", "Whether both differ.", lambda a, b: a != b, Example("1 != 2", True)),
    _row(
        "lt",
        "<",
        "Whether a comes before b. Strings compare by their UTF-8 bytes.",
        lambda a, b: a < b,
        Example("1 < 2", True),
        Example('"Z" < "a"', True),
    ),
    _row(
        "le",
        "<=",
        "Whether a comes before b or equals it.",
        lambda a, b: a <= b,
        Example("2 <= 2", True),
    ),
    _row("gt", ">", "Whether a comes after b.", lambda a, b: a > b, Example("1h > 59m", True)),
    _row(
        "ge",
        ">=",
        "Whether a comes after b or equals it.",
        lambda a, b: a >= b,
        Example("1 >= 2", False),
    ),
    Function(
        name="in",
        params="x, a, b, ...",
        rule=guarded(_in_rule, 2, MANY),
        evaluate=_in,
        sql=_in_sql,
        nulls=Nulls.OWN,
        doc=(
            "Whether x equals one of the listed values. Null where x is null, or where "
            "nothing is equal and a listed value is null."
        ),
        group="operators",
        symbol="in",
        examples=(Example("2 in [1, 2, 3]", True), Example('"x" in ["y"]', False)),
    ),
    Function(
        name="and",
        params="a, b",
        rule=guarded(_logic_rule, 2, MANY),
        evaluate=_and,
        sql=lambda args, _types, _result: f"({' AND '.join(args)})",
        nulls=Nulls.OWN,
        doc="True if both are; false if either is false, whatever the other; else null.",
        group="operators",
        symbol="and",
        examples=(
            Example("true and false", False),
            Example("false and (1 / 0 > 1.0)", False),
            Example("true and (1 / 0 > 1.0)", None),
        ),
    ),
    Function(
        name="or",
        params="a, b",
        rule=guarded(_logic_rule, 2, MANY),
        evaluate=_or,
        sql=lambda args, _types, _result: f"({' OR '.join(args)})",
        nulls=Nulls.OWN,
        doc="True if either is true, whatever the other; false if both are false; else null.",
        group="operators",
        symbol="or",
        examples=(
            Example("true or false", True),
            Example("true or (1 / 0 > 1.0)", True),
            Example("false or (1 / 0 > 1.0)", None),
        ),
    ),
    Function(
        name="not",
        params="a",
        rule=guarded(_logic_rule, 1),
        evaluate=_not,
        sql="(NOT {0})",
        nulls=Nulls.STRICT,
        doc="True for false, false for true.",
        group="operators",
        symbol="not",
        examples=(Example("not true", False),),
    ),
    Function(
        name="is_null",
        params="x",
        rule=guarded(_is_null_rule, 1),
        evaluate=_is_null,
        sql="({0} IS NULL)",
        nulls=Nulls.OWN,
        doc="Whether x is null; never null itself.",
        group="operators",
        symbol="is null",
        examples=(Example("1 / 0 is null", True), Example("1 is null", False)),
    ),
    Function(
        name="is_not_null",
        params="x",
        rule=guarded(_is_null_rule, 1),
        evaluate=_is_not_null,
        sql="({0} IS NOT NULL)",
        nulls=Nulls.OWN,
        doc="Whether x is not null; never null itself.",
        group="operators",
        symbol="is not null",
        examples=(Example("1 / 0 is not null", False), Example("1 is not null", True)),
    ),
    Function(
        name="coalesce",
        params="x, default, ...",
        rule=guarded(_coalesce_rule, 2, MANY),
        evaluate=_coalesce,
        sql=_coalesce_sql,
        nulls=Nulls.OWN,
        doc=(
            "The first value that is not null; `x ?? default` for two. Later ones are not computed."
        ),
        group="nulls",
        symbol="??",
        examples=(
            Example("1 / 0 ?? 2.0", 2.0),
            Example("1 / 2 ?? 2.0", 0.5),
            Example("coalesce(1 / 0, 7 // 0, 3)", 3.0),
        ),
    ),
    Function(
        name="if",
        params="condition, then, else",
        rule=guarded(_if_rule, 3),
        evaluate=_if,
        sql="CASE WHEN {0} THEN {1} ELSE {2} END",
        nulls=Nulls.OWN,
        doc=(
            "`if c then a else b`: a where c is true, b where it is false or null. Both "
            "sides have one type; only the taken one is computed."
        ),
        group="operators",
        symbol="if",
        examples=(Example("if 1 > 2 then 3 else 4", 4), Example("if 1 / 0 > 1.0 then 1 else 0", 0)),
    ),
    Function(
        name="null_if",
        params="x, y",
        rule=guarded(_null_if_rule, 2),
        evaluate=_null_if,
        sql="NULLIF({0}, {1})",
        nulls=Nulls.OWN,
        doc="Null where x equals y, else x.",
        group="nulls",
        examples=(Example("null_if(3, 3)", None), Example("null_if(3, 4)", 3)),
    ),
)
