"""The two conversions that the checker inserts where a value widens."""

from __future__ import annotations

from typing import Any

from astrafs.builtins.rules import NUMERIC, as_decimal, guarded, need
from astrafs.builtins.spec import Function, Mismatch, Nulls, Signature
from astrafs.typesys import Kind, Type
from astrafs.values import numbers

Types = tuple[Type, ...]
Values = tuple[Any, ...]


def _to_float_rule(types: Types, _constants: Values) -> Signature:
    source = need(types, 0, NUMERIC, "a number")
    return Signature(types, Type(Kind.FLOAT, nullable=source.nullable, unit=source.unit))


def _to_decimal_rule(types: Types, constants: Values) -> Signature:
    """The smallest decimal type that holds the argument; the checker may set a wider one."""
    found = as_decimal(need(types, 0, (Kind.INT, Kind.DECIMAL), "an int or decimal"), constants[0])
    if found is None:
        raise Mismatch(0, "a number of at most 38 digits")
    return Signature(types, found)


def _to_float(values: Values, types: Types, _result: Type) -> float:
    value = values[0]
    return float(value) if types[0].kind is Kind.FLOAT else numbers.to_float(value)


def float_sql(text: str, type_: Type) -> str:
    """SQL that turns a number of ``type_`` into the nearest DOUBLE."""
    if type_.kind is Kind.FLOAT:
        return text
    if type_.kind is Kind.DECIMAL:
        # The engine's own conversion divides rounded values; text is exact, and read correctly.
        return f"({text}::VARCHAR)::DOUBLE"
    return f"({text}::DOUBLE)"


def _to_decimal(values: Values, _types: Types, result: Type) -> Any:
    return numbers.fixed(values[0], result)


ROWS = (
    Function(
        name="to_float",
        params="x",
        rule=guarded(_to_float_rule, 1),
        evaluate=_to_float,
        sql=lambda args, types, _result: float_sql(args[0], types[0]),
        nulls=Nulls.STRICT,
        doc="The float nearest to x. Written by the compiler where a number widens.",
        group="internal",
    ),
    Function(
        name="to_decimal",
        params="x",
        rule=guarded(_to_decimal_rule, 1),
        evaluate=_to_decimal,
        sql=lambda args, _types, result: (
            f"({args[0]}::DECIMAL({result.precision}, {result.scale}))"
        ),
        nulls=Nulls.STRICT,
        doc=(
            "x with the digits of the wider decimal type. Written by the compiler where a "
            "number widens."
        ),
        group="internal",
    ),
)
