"""Functions of lists, and the list that the compiler writes for ``[a, b]``.

An element of a list may be null where its type says so; `==` takes a null element as equal to
another. Positions count from 0, negative ones from the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from astrafs.builtins.rules import (
    NUMERIC,
    dimensionless,
    guarded,
    need,
    strict,
    unified,
    unify,
)
from astrafs.builtins.scalars.logic import MANY
from astrafs.builtins.scalars.widening import float_sql
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.builtins.sqltypes import sql_type
from astrafs.typesys import FLOAT, STRING, Kind, Type, decimal, list_of
from astrafs.values import numbers
from astrafs.values.errors import FLOAT_OVERFLOW, INT_OVERFLOW, ValueFailure, sql_error
from astrafs.values.rational import nearest

Types = tuple[Type, ...]
Values = tuple[Any, ...]
Sql = str | Callable[[tuple[str, ...], Types, Type], str]

LONGEST = 2_147_483_646
"""Positions in SQL are cut to this; no list is longer."""
MOST_DIGITS = 18
"""Decimals of so many digits have an exact sum in 128 bits, however many there are."""


def element(types: Types, index: int = 0, expected: str = "a list") -> Type:
    """Return the type of the elements of the list at ``index``."""
    return need(types, index, (Kind.LIST,), expected).parts[0]


def _with(type_: Type, part: Type) -> Type:
    return replace(type_, parts=(part,))


# --- making lists -------------------------------------------------------------------------------


def _list_rule(types: Types, constants: Values) -> Signature:
    if not types:
        raise Mismatch(None, "at least 1 value; an empty list needs a declared type")
    target = unify(types, constants, whose="the other elements")
    return Signature(unified(types, target), list_of(target))


def _list_sql(args: tuple[str, ...], _types: Types, result: Type) -> str:
    return f"CAST([{', '.join(args)}] AS {sql_type(result)})"


def _floats_rule(types: Types, _constants: Values) -> Signature:
    source = need(types, 0, (Kind.LIST, Kind.VECTOR), "a list of numbers or a vector")
    if source.kind is Kind.VECTOR:
        return strict(types, list_of(FLOAT))
    part = source.parts[0]
    if part.kind not in NUMERIC:
        raise Mismatch(0, "a list of numbers or a vector")
    return strict(types, list_of(replace(FLOAT, nullable=part.nullable, unit=part.unit)))


def _floats(values: Values, _types: Types, _result: Type) -> tuple[float | None, ...]:
    return tuple(
        value if value is None or isinstance(value, float) else numbers.to_float(value)
        for value in values[0]
    )


def _floats_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    if types[0].kind is Kind.VECTOR:
        return f"CAST({args[0]} AS DOUBLE[])"
    return f"list_transform({args[0]}, lambda x: {float_sql('x', types[0].parts[0])})"


# --- reading lists ------------------------------------------------------------------------------


def position_sql(index: str) -> str:
    """SQL for the engine's position (from 1, or from -1 backwards) of ours."""
    return (
        f"CASE WHEN {index} >= 0 THEN least({index}, {LONGEST}) + 1"
        f" ELSE greatest({index}, -{LONGEST}) END"
    )


def at(values: tuple[Any, ...], index: int) -> Any:
    """The value at a position, None where there is none."""
    return values[index] if -len(values) <= index < len(values) else None


def _slice_rule(types: Types, _constants: Values) -> Signature:
    element(types)
    for index in (1, 2):
        need(types, index, (Kind.INT,), "an int: a position")
        dimensionless(types, index)
    return strict(types, types[0])


def _slice(values: Values, _types: Types, _result: Type) -> tuple[Any, ...]:
    items, start, stop = values
    return tuple(items[start:stop])


def _slice_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    items, *ends = args
    low, high = (
        f"CASE WHEN {end} < 0 THEN greatest(len({items}) + {end}, 0)"
        f" ELSE least({end}, len({items})) END"
        for end in ends
    )
    present = " AND ".join(f"{arg} IS NOT NULL" for arg in args)
    return f"CASE WHEN {present} THEN list_slice({items}, ({low}) + 1, greatest({high}, {low})) END"


def _same_rule(types: Types, _constants: Values) -> Signature:
    element(types)
    return strict(types, types[0])


def _sort_rule(types: Types, _constants: Values) -> Signature:
    if not element(types).is_ordered:
        raise Mismatch(0, "a list of values that have an order")
    return strict(types, types[0])


def _sort(values: Values, _types: Types, _result: Type) -> tuple[Any, ...]:
    return tuple(sorted(values[0], key=lambda item: (item is None, 0 if item is None else item)))


def _distinct(values: Values, _types: Types, _result: Type) -> tuple[Any, ...]:
    found: list[Any] = []
    for item in values[0]:
        if item not in found:
            found.append(item)
    return tuple(found)


def _drop_rule(types: Types, _constants: Values) -> Signature:
    return strict(types, _with(types[0], element(types).required()))


def _drop(values: Values, _types: Types, _result: Type) -> tuple[Any, ...]:
    return tuple(item for item in values[0] if item is not None)


# --- lists as numbers ---------------------------------------------------------------------------


def _number(types: Types, *, durations: bool = False) -> Type:
    part = element(types, expected="a list of numbers")
    if part.kind in NUMERIC or (durations and part.kind is Kind.DURATION):
        if part.kind is Kind.DECIMAL and part.precision > MOST_DIGITS:
            raise Mismatch(
                0, f"decimals of at most {MOST_DIGITS} digits; `floats(xs)` makes floats of them"
            )
        return part.required()
    raise Mismatch(0, "a list of numbers")


def _sum_rule(types: Types, _constants: Values) -> Signature:
    part = _number(types, durations=True)
    if part.kind is Kind.DECIMAL:
        part = replace(decimal(38, part.scale), unit=part.unit)
    return strict(types, part)


def _sum(values: Values, _types: Types, result: Type) -> Any:
    total = sum((Fraction(value) for value in values[0] if value is not None), Fraction(0))
    match result.kind:
        case Kind.FLOAT:
            try:
                return nearest(total) + 0.0
            except OverflowError:
                raise ValueFailure(FLOAT_OVERFLOW, "a float result is beyond 1.8e308") from None
        case Kind.DECIMAL:
            return numbers.fixed(total, result)
        case _:
            return numbers.whole(int(total))


def _sum_sql(args: tuple[str, ...], _types: Types, result: Type) -> str:
    items = args[0]
    if result.kind is Kind.FLOAT:
        return f"af_list_sum({items})"
    total = f"coalesce(list_sum({items}), 0)"
    if result.kind is Kind.DECIMAL:
        return f"CASE WHEN {items} IS NOT NULL THEN {total}::{sql_type(result)} END"
    fails = sql_error(INT_OVERFLOW, "an int result does not fit 64 bits")
    return (
        f"CASE WHEN {items} IS NULL THEN NULL"
        f" WHEN {total} NOT BETWEEN {numbers.INT_MIN} AND {numbers.INT_MAX} THEN {fails}"
        f" ELSE {total}::BIGINT END"
    )


def _mean_rule(types: Types, _constants: Values) -> Signature:
    part = _number(types)
    return strict(types, replace(FLOAT, unit=part.unit), maybe=True)


def _mean(values: Values, _types: Types, _result: Type) -> float | None:
    present = [Fraction(value) for value in values[0] if value is not None]
    if not present:
        return None
    return nearest(sum(present, Fraction(0)) / len(present)) + 0.0


def _mean_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    items, part = args[0], types[0].parts[0]
    if part.kind is Kind.FLOAT:
        return f"af_list_mean({items})"
    count = f"list_aggregate({items}, 'count')::BIGINT"
    if part.kind is Kind.DECIMAL:
        return f"af_mean_decimal_{part.scale}(list_sum({items}), {count})"
    return f"af_mean_int(list_sum({items})::HUGEINT, {count})"


def _extreme_rule(types: Types, _constants: Values) -> Signature:
    part = element(types)
    if not part.is_ordered:
        raise Mismatch(0, "a list of values that have an order")
    return strict(types, part.required(), maybe=True)


def _extreme(pick: Callable[..., Any]) -> Callable[[Values, Types, Type], Any]:
    def evaluate(values: Values, _types: Types, _result: Type) -> Any:
        return pick((item for item in values[0] if item is not None), default=None)

    return evaluate


# --- lists and text -----------------------------------------------------------------------------

_TEXT = (Kind.STRING, Kind.ENUM)


def _split_rule(types: Types, _constants: Values) -> Signature:
    for index in (0, 1):
        need(types, index, _TEXT, "a string")
    return strict(types, list_of(STRING))


def _split(values: Values, _types: Types, _result: Type) -> tuple[str, ...]:
    text, separator = values
    return tuple(text.split(separator)) if separator else (text,)


def _join_rule(types: Types, _constants: Values) -> Signature:
    if element(types, expected="a list of strings").kind not in _TEXT:
        raise Mismatch(0, "a list of strings")
    need(types, 1, _TEXT, "a string")
    return strict(types, STRING)


def _join(values: Values, _types: Types, _result: Type) -> str:
    items, separator = values
    return str(separator).join(item for item in items if item is not None)


def _join_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    # The engine's own function takes constant separators only.
    items = f"list_filter({args[0]}, lambda x: x IS NOT NULL)"
    return (
        f"CASE WHEN {args[1]} IS NULL THEN NULL WHEN len({items}) = 0 THEN ''"
        f" WHEN len({items}) > 0"
        f' THEN list_reduce({items}, lambda "@a", "@b": "@a" || {args[1]} || "@b") END'
    )


def _row(
    name: str,
    params: str,
    rule: Callable[[Types, Values], Signature],
    count: int,
    evaluate: Callable[..., Any],
    sql: Sql,
    doc: str,
    *examples: Example,
    kernel: str = "",
) -> Function:
    return Function(
        name=name,
        params=params,
        rule=guarded(rule, count),
        evaluate=evaluate,
        sql=sql,
        nulls=Nulls.STRICT,
        doc=doc,
        group="lists",
        kernel=kernel,
        examples=examples,
    )


ROWS = (
    Function(
        name="list",
        params="a, b, ...",
        rule=guarded(_list_rule, 0, MANY),
        evaluate=lambda values, _types, _result: values,
        sql=_list_sql,
        nulls=Nulls.OWN,
        doc="The list of the values. Written by the compiler for `[a, b]`.",
        group="internal",
    ),
    _row(
        "floats",
        "xs",
        _floats_rule,
        1,
        _floats,
        _floats_sql,
        "A list of numbers, or a vector, as a list of floats.",
        Example("floats([1, 2])", (1.0, 2.0)),
    ),
    _row(
        "slice",
        "xs, from, to",
        _slice_rule,
        3,
        _slice,
        _slice_sql,
        "The elements from position `from` up to, not including, `to`, as far as they exist."
        " Negative positions count from the end.",
        Example("slice([1, 2, 3, 4], 1, 3)", (2, 3)),
        Example("slice([1, 2, 3, 4], -2, 9)", (3, 4)),
        Example("slice([1, 2], 1, 0)", ()),
    ),
    _row(
        "sort",
        "xs",
        _sort_rule,
        1,
        _sort,
        "list_sort({0}, 'ASC', 'NULLS LAST')",
        "The elements in ascending order, nulls at the end.",
        Example("sort([3, 1, 2])", (1, 2, 3)),
        Example('sort(["b", null, "a"])', ("a", "b", None)),
    ),
    _row(
        "reverse",
        "xs",
        _same_rule,
        1,
        lambda values, _types, _result: values[0][::-1],
        "list_reverse({0})",
        "The elements from the last to the first.",
        Example("reverse([1, 2, 3])", (3, 2, 1)),
    ),
    _row(
        "distinct",
        "xs",
        _same_rule,
        1,
        _distinct,
        'list_filter({0}, lambda "@e", "@i": list_position({0}, "@e") = "@i")',
        "Every element once, where it stands first; nulls are equal to one another.",
        Example("distinct([3, 1, 3, 2, 1])", (3, 1, 2)),
    ),
    _row(
        "drop_nulls",
        "xs",
        _drop_rule,
        1,
        _drop,
        "list_filter({0}, lambda x: x IS NOT NULL)",
        "The elements that are not null.",
        Example("drop_nulls([1, null, 2])", (1, 2)),
    ),
    _row(
        "sum_of",
        "xs",
        _sum_rule,
        1,
        _sum,
        _sum_sql,
        "The sum of the elements that are not null, 0 without any: exact, and rounded once to a"
        " float. A sum that does not fit stops the run.",
        Example("sum_of([1, 2, null])", 3),
        Example("sum_of([0.1, 0.2, 0.3])", 0.6),
        Example("sum_of([2.5, null])", 2.5),
        kernel="af_list_sum",
    ),
    _row(
        "mean_of",
        "xs",
        _mean_rule,
        1,
        _mean,
        _mean_sql,
        "The mean of the elements that are not null, rounded once; null without any.",
        Example("mean_of([1, 2, null])", 1.5),
        Example("mean_of(slice([1.5], 0, 0))", None),
        kernel="af_list_mean",
    ),
    _row(
        "min_of",
        "xs",
        _extreme_rule,
        1,
        _extreme(min),
        "list_min({0})",
        "The smallest element that is not null; null without any.",
        Example("min_of([3, null, 1])", 1),
    ),
    _row(
        "max_of",
        "xs",
        _extreme_rule,
        1,
        _extreme(max),
        "list_max({0})",
        "The greatest element that is not null; null without any.",
        Example('max_of(["a", "b"])', "b"),
    ),
    _row(
        "split",
        "s, separator",
        _split_rule,
        2,
        _split,
        "CASE WHEN {0} IS NULL OR {1} IS NULL THEN NULL WHEN {1} = '' THEN [{0}]"
        " ELSE string_split({0}, {1}) END",
        "The parts of s between separators. An empty separator does not split.",
        Example('split("a,b,,c", ",")', ("a", "b", "", "c")),
        Example('split("", ",")', ("",)),
    ),
    _row(
        "join",
        "xs, separator",
        _join_rule,
        2,
        _join,
        _join_sql,
        "The strings of a list, one after the other, with a separator between them; nulls are left"
        " out.",
        Example('join(["a", null, "b"], "-")', "a-b"),
    ),
)
