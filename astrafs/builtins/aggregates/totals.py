"""Counts, sums, means and variances: totals that rows can be subtracted from again.

A float enters a sum as two integers, ``trunc(x)`` and the rest in units of 2^-86, so every total
is exact and order-free; the totals become a float once, at the end, in a kernel
(``astrafs.kernels.exact``).
"""

from __future__ import annotations

from typing import Any

from astrafs.builtins.aggregates import rules
from astrafs.builtins.spec import AggregateFunction, Class, Constants, Example, Texts, Types
from astrafs.typesys import Kind, Type

COUNT = "1"
WHOLE = "trunc({0})::HUGEINT"
REST = f"(({{0}} - trunc({{0}})) * {2**86}::DOUBLE)::HUGEINT"


def sum_states(types: Types) -> Texts:
    """The states of a sum of the first input."""
    return (WHOLE, REST) if types[0].kind is Kind.FLOAT else ("{0}",)


def _count_states(_types: Types) -> Texts:
    return (COUNT,)


def _mean_states(types: Types) -> Texts:
    return (*sum_states(types), COUNT)


def whole_number(type_: Type, hole: str) -> str:
    """Text of an exact input as an integer, in units of its scale."""
    if type_.kind is Kind.DECIMAL:
        # Wide enough that the product keeps its scale and its digits: at most 18 + 18 of 38.
        return f"({hole}::DECIMAL(38, {type_.scale}) * {10**type_.scale})::HUGEINT"
    return f"{hole}::HUGEINT"


def square_prepare(types: Types, _constants: Constants) -> str:
    """The limbs of a float's square; nothing for exact types."""
    return "af_square({0})" if types[0].kind is Kind.FLOAT else ""


def moment_states(types: Types) -> Texts:
    """The number of values, their sum and the sum of their squares."""
    if types[0].kind is Kind.FLOAT:
        squares = tuple(f"({{p}}).l{limb}" for limb in range(6))
        return (COUNT, WHOLE, REST, *squares)
    whole = whole_number(types[0], "{0}")
    square = f"({whole} * {whole})"
    return (
        COUNT,
        whole,
        f"{square} // {2**60}",
        f"{square} % {2**60}",
    )


def _sum_finish(totals: Texts, types: Types, result: Type, _constants: Constants) -> str:
    match types[0].kind:
        case Kind.FLOAT:
            return f"af_sum({totals[0]}, {totals[1]})"
        case Kind.DECIMAL:
            return f"{totals[0]}::DECIMAL({result.precision}, {result.scale})"
        case _:
            return f"{totals[0]}::BIGINT"


def count_finish(totals: Texts, _types: Types, _result: Type, _constants: Constants) -> str:
    """The first total, which is a count."""
    return f"{totals[0]}::BIGINT"


def _mean_finish(totals: Texts, types: Types, _result: Type, _constants: Constants) -> str:
    match types[0].kind:
        case Kind.FLOAT:
            return f"af_mean({totals[0]}, {totals[1]}, {totals[2]}::BIGINT)"
        case Kind.DECIMAL:
            return f"af_mean_decimal_{types[0].scale}({totals[0]}, {totals[1]}::BIGINT)"
        case _:
            return f"af_mean_int({totals[0]}, {totals[1]}::BIGINT)"


def _moment_finish(root: bool, sample: bool) -> Any:
    name = f"{'stddev' if root else 'var'}_{'samp' if sample else 'pop'}"

    def finish(totals: Texts, types: Types, _result: Type, _constants: Constants) -> str:
        count, *rest = totals
        texts = ", ".join((f"{count}::BIGINT", *rest))
        match types[0].kind:
            case Kind.FLOAT:
                return f"af_{name}({texts})"
            case _:
                scale = types[0].scale if types[0].kind is Kind.DECIMAL else 0
                return f"af_{name}_int({texts}, {scale})"

    return finish


def _any_finish(totals: Texts, _types: Types, _result: Type, _constants: Constants) -> str:
    return f"{totals[0]} > 0"


def _all_finish(totals: Texts, _types: Types, _result: Type, _constants: Constants) -> str:
    return f"{totals[0]} = 0"


def _any_states(_types: Types) -> Texts:
    return ("{0}::BIGINT",)


def _all_states(_types: Types) -> Texts:
    return ("(NOT {0})::BIGINT",)


def _moment(name: str, root: bool, sample: bool, doc: str, *examples: Example) -> AggregateFunction:
    return AggregateFunction(
        name=name,
        params="x",
        rule=rules.moment_rule(1 if root else 2),
        kind=Class.INVERTIBLE,
        empty=None,
        doc=doc,
        prepare=square_prepare,
        states=moment_states,
        finish=_moment_finish(root, sample),
        partial=sample,
        summed=(0,),
        examples=examples,
    )


ROWS = (
    AggregateFunction(
        name="count",
        params="[x]",
        rule=rules.count_rule,
        kind=Class.INVERTIBLE,
        empty=0,
        doc="Number of rows; with `x`, of rows where `x` is not null.",
        states=_count_states,
        finish=count_finish,
        examples=(Example((1, None, 2), 2), Example((), 0), Example((None,), 0)),
    ),
    AggregateFunction(
        name="sum",
        params="x",
        rule=rules.sum_rule,
        kind=Class.INVERTIBLE,
        empty=0,
        doc=(
            "Sum of the non-null values: exact in any order; floats are rounded once at the end."
            " Vectors are summed element by element, rounded once to float32."
        ),
        states=sum_states,
        finish=_sum_finish,
        summed=(0,),
        examples=(Example((1, None, 2), 3), Example((), 0), Example((1e16, 1.0, -1e16), 1.0)),
    ),
    AggregateFunction(
        name="mean",
        params="x",
        rule=rules.mean_rule,
        kind=Class.INVERTIBLE,
        empty=None,
        doc=(
            "Mean of the non-null values: the exact sum divided by their number, rounded once."
            " Vectors are averaged element by element, rounded once to float32."
        ),
        states=_mean_states,
        finish=_mean_finish,
        summed=(0,),
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
        name="any",
        params="condition",
        rule=rules.condition_rule,
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
        rule=rules.condition_rule,
        kind=Class.INVERTIBLE,
        empty=True,
        doc="Whether the condition is false on no row; true without rows.",
        states=_all_states,
        finish=_all_finish,
        examples=(Example((True, None), True), Example((), True), Example((False,), False)),
    ),
)
