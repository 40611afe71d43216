"""The aggregate functions, one row each: typing, class, and how DuckDB keeps and finishes their
exact totals.

A float enters a sum as two integers, ``trunc(x)`` and the rest in units of 2^-86, so every total
is exact and order-free; the totals become a float once, at the end, in a kernel
(``astrafs.kernels.exact``).
"""

from __future__ import annotations

from typing import Any

from astrafs.builtins.spec import AggregateFunction, Class, Example, Mismatch, Signature
from astrafs.typesys import BOOL, INT, Kind, Type, decimal

Types = tuple[Type, ...]

SUM_LIMIT = 2.0**90
"""Floats from here on do not enter exact sums; the run stops and names the row."""

_COMPARABLE = frozenset(
    {
        Kind.INT,
        Kind.FLOAT,
        Kind.DECIMAL,
        Kind.BOOL,
        Kind.STRING,
        Kind.BYTES,
        Kind.TIMESTAMP,
        Kind.DATE,
        Kind.DURATION,
        Kind.ENUM,
        Kind.KEY,
    }
)


def _arity(types: Types, count: int, words: str) -> None:
    if len(types) != count:
        raise Mismatch(None, words)


def _numeric(types: Types) -> Type:
    _arity(types, 1, "one number")
    if not types[0].is_numeric:
        raise Mismatch(0, "a number (int, float or decimal)")
    return types[0]


# --- typing rules


def _count_rule(types: Types, _constants: tuple[Any, ...]) -> Signature:
    if len(types) > 1:
        raise Mismatch(None, "at most one argument")
    return Signature(types, INT)


def _sum_rule(types: Types, _constants: tuple[Any, ...]) -> Signature:
    _arity(types, 1, "one number or duration")
    taken = types[0]
    match taken.kind:
        case Kind.INT | Kind.FLOAT | Kind.DURATION:
            return Signature(types, taken.required())
        case Kind.DECIMAL:
            total = decimal(38, taken.scale)
            return Signature(
                types, Type(Kind.DECIMAL, False, total.precision, total.scale, unit=taken.unit)
            )
        case _:
            raise Mismatch(0, "a number (int, float or decimal) or a duration")


def _mean_rule(types: Types, _constants: tuple[Any, ...]) -> Signature:
    taken = _numeric(types)
    return Signature(types, Type(Kind.FLOAT, True, unit=taken.unit))


def _moment_rule(power: int) -> Any:
    def rule(types: Types, _constants: tuple[Any, ...]) -> Signature:
        taken = _numeric(types)
        if taken.kind is Kind.DECIMAL and taken.precision > 18:
            raise Mismatch(0, "a decimal of at most 18 digits (or write float(x))")
        unit = tuple((name, exponent * power) for name, exponent in taken.unit)
        return Signature(types, Type(Kind.FLOAT, True, unit=unit))

    return rule


def _extreme_rule(types: Types, _constants: tuple[Any, ...]) -> Signature:
    _arity(types, 1, "one value that can be ordered")
    if not types[0].is_ordered:
        raise Mismatch(
            0, "a value that can be ordered (a number, string, timestamp, date or duration)"
        )
    return Signature(types, types[0].optional())


def _pick_rule(types: Types, _constants: tuple[Any, ...]) -> Signature:
    _arity(types, 1, "one value")
    if types[0].kind not in _COMPARABLE:
        raise Mismatch(0, "a plain value")
    return Signature(types, types[0].optional())


def _distinct_rule(types: Types, _constants: tuple[Any, ...]) -> Signature:
    _arity(types, 1, "one value")
    if types[0].kind not in _COMPARABLE:
        raise Mismatch(0, "a plain value")
    return Signature(types, INT)


def _condition_rule(types: Types, _constants: tuple[Any, ...]) -> Signature:
    _arity(types, 1, "one condition")
    if types[0].kind is not Kind.BOOL:
        raise Mismatch(0, "a condition (bool)")
    return Signature(types, BOOL)


# --- exact totals in DuckDB

_COUNT = "1"
_WHOLE = "trunc({0})::HUGEINT"
_REST = f"(({{0}} - trunc({{0}})) * {2**86}::DOUBLE)::HUGEINT"


def _sum_states(types: Types) -> tuple[str, ...]:
    return (_WHOLE, _REST) if types[0].kind is Kind.FLOAT else ("{0}",)


def _count_states(_types: Types) -> tuple[str, ...]:
    return (_COUNT,)


def _mean_states(types: Types) -> tuple[str, ...]:
    return (*_sum_states(types), _COUNT)


def _moment_states(types: Types) -> tuple[str, ...]:
    taken = types[0]
    if taken.kind is Kind.FLOAT:
        squares = tuple(f"af_square({{0}}).l{limb}" for limb in range(6))
        return (_COUNT, _WHOLE, _REST, *squares)
    whole = "{0}::HUGEINT"
    if taken.kind is Kind.DECIMAL:
        # Wide enough that the product keeps its scale and its digits: at most 18 + 18 of 38.
        whole = f"({{0}}::DECIMAL(38, {taken.scale}) * {10**taken.scale})::HUGEINT"
    square = f"({whole} * {whole})"
    return (
        _COUNT,
        whole,
        f"{square} // {2**60}",
        f"{square} % {2**60}",
    )


def _sum_finish(totals: tuple[str, ...], types: Types, result: Type) -> str:
    match types[0].kind:
        case Kind.FLOAT:
            return f"af_sum({totals[0]}, {totals[1]})"
        case Kind.DECIMAL:
            return f"{totals[0]}::DECIMAL({result.precision}, {result.scale})"
        case _:
            return f"{totals[0]}::BIGINT"


def _count_finish(totals: tuple[str, ...], _types: Types, _result: Type) -> str:
    return f"{totals[0]}::BIGINT"


def _mean_finish(totals: tuple[str, ...], types: Types, _result: Type) -> str:
    match types[0].kind:
        case Kind.FLOAT:
            return f"af_mean({totals[0]}, {totals[1]}, {totals[2]}::BIGINT)"
        case Kind.DECIMAL:
            return f"af_mean_decimal_{types[0].scale}({totals[0]}, {totals[1]}::BIGINT)"
        case _:
            return f"af_mean_int({totals[0]}, {totals[1]}::BIGINT)"


def _moment_finish(root: bool, sample: bool) -> Any:
    name = f"{'stddev' if root else 'var'}_{'samp' if sample else 'pop'}"

    def finish(totals: tuple[str, ...], types: Types, _result: Type) -> str:
        count, *rest = totals
        texts = ", ".join((f"{count}::BIGINT", *rest))
        match types[0].kind:
            case Kind.FLOAT:
                return f"af_{name}({texts})"
            case _:
                scale = types[0].scale if types[0].kind is Kind.DECIMAL else 0
                return f"af_{name}_int({texts}, {scale})"

    return finish


def _any_finish(totals: tuple[str, ...], _types: Types, _result: Type) -> str:
    return f"{totals[0]} > 0"


def _all_finish(totals: tuple[str, ...], _types: Types, _result: Type) -> str:
    return f"{totals[0]} = 0"


def _any_states(_types: Types) -> tuple[str, ...]:
    return ("{0}::BIGINT",)


def _all_states(_types: Types) -> tuple[str, ...]:
    return ("(NOT {0})::BIGINT",)


def _moment(name: str, root: bool, sample: bool, doc: str, *examples: Example) -> AggregateFunction:
    return AggregateFunction(
        name=name,
        params="x",
        rule=_moment_rule(1 if root else 2),
        kind=Class.INVERTIBLE,
        empty=None,
        doc=doc,
        states=_moment_states,
        finish=_moment_finish(root, sample),
        examples=examples,
    )


_ROWS = (
    AggregateFunction(
        name="count",
        params="[x]",
        rule=_count_rule,
        kind=Class.INVERTIBLE,
        empty=0,
        doc="Number of rows; with `x`, of rows where `x` is not null.",
        states=_count_states,
        finish=_count_finish,
        examples=(Example((1, None, 2), 2), Example((), 0), Example((None,), 0)),
    ),
    AggregateFunction(
        name="sum",
        params="x",
        rule=_sum_rule,
        kind=Class.INVERTIBLE,
        empty=0,
        doc="Sum of the non-null values: exact in any order; floats are rounded once at the end.",
        states=_sum_states,
        finish=_sum_finish,
        examples=(Example((1, None, 2), 3), Example((), 0), Example((1e16, 1.0, -1e16), 1.0)),
    ),
    AggregateFunction(
        name="mean",
        params="x",
        rule=_mean_rule,
        kind=Class.INVERTIBLE,
        empty=None,
        doc="Mean of the non-null values: the exact sum divided by their number, rounded once.",
        states=_mean_states,
        finish=_mean_finish,
        examples=(
            Example((1, None, 2), 1.5),
            Example((), None),
            Example((0.1, 0.2), 0.15000000000000002),
        ),
    ),
    _moment(
        "var",
        False,
        True,
        "Sample variance (divided by n - 1); null below two values. Exact inputs, rounded once.",
        Example((1, 2, 4), 2.3333333333333335),
        Example((1,), None),
    ),
    _moment(
        "stddev",
        True,
        True,
        "Sample standard deviation (n - 1); null below two values. Rounded once.",
        Example((1, 2, 4), 1.5275252316519468),
        Example((), None),
    ),
    _moment(
        "var_pop",
        False,
        False,
        "Population variance (divided by n); null without values. Rounded once.",
        Example((1, 2, 4), 1.5555555555555556),
        Example((5,), 0.0),
    ),
    _moment(
        "stddev_pop",
        True,
        False,
        "Population standard deviation; null without values. Rounded once.",
        Example((1, 3), 1.0),
        Example((), None),
    ),
    AggregateFunction(
        name="min",
        params="x",
        rule=_extreme_rule,
        kind=Class.SEMIGROUP,
        empty=None,
        doc="Smallest non-null value.",
        merge="min",
        examples=(Example((3, None, 1), 1), Example((), None)),
    ),
    AggregateFunction(
        name="max",
        params="x",
        rule=_extreme_rule,
        kind=Class.SEMIGROUP,
        empty=None,
        doc="Greatest non-null value.",
        merge="max",
        examples=(Example((3, None, 1), 3), Example((), None)),
    ),
    AggregateFunction(
        name="first",
        params="x",
        rule=_pick_rule,
        kind=Class.ORDERED,
        empty=None,
        doc="The non-null value of the earliest row, in (event time, key) order.",
        merge="min",
        examples=(Example((None, 3, 1), 3), Example((), None)),
    ),
    AggregateFunction(
        name="last",
        params="x",
        rule=_pick_rule,
        kind=Class.ORDERED,
        empty=None,
        doc="The non-null value of the latest row, in (event time, key) order.",
        merge="max",
        examples=(Example((3, 1, None), 1), Example((), None)),
    ),
    AggregateFunction(
        name="first_row",
        params="x",
        rule=_pick_rule,
        kind=Class.ORDERED,
        empty=None,
        doc="The value of the earliest row, null if it is null there.",
        merge="min",
        keep_nulls=True,
        examples=(Example((None, 3, 1), None), Example((), None)),
    ),
    AggregateFunction(
        name="last_row",
        params="x",
        rule=_pick_rule,
        kind=Class.ORDERED,
        empty=None,
        doc="The value of the latest row, null if it is null there.",
        merge="max",
        keep_nulls=True,
        examples=(Example((3, 1, None), None), Example((), None)),
    ),
    AggregateFunction(
        name="count_distinct",
        params="x",
        rule=_distinct_rule,
        kind=Class.DISTINCT,
        empty=0,
        doc="Number of different non-null values.",
        examples=(Example((1, 1, None, 2), 2), Example((), 0)),
    ),
    AggregateFunction(
        name="any",
        params="condition",
        rule=_condition_rule,
        kind=Class.INVERTIBLE,
        empty=False,
        doc="Whether the condition is true on any row; false without rows.",
        states=_any_states,
        finish=_any_finish,
        examples=(Example((False, None, True), True), Example((), False)),
    ),
    AggregateFunction(
        name="all",
        params="condition",
        rule=_condition_rule,
        kind=Class.INVERTIBLE,
        empty=True,
        doc="Whether the condition is false on no row; true without rows.",
        states=_all_states,
        finish=_all_finish,
        examples=(Example((True, None), True), Example((), True), Example((False,), False)),
    ),
)

AGGREGATES: dict[str, AggregateFunction] = {row.name: row for row in _ROWS}
