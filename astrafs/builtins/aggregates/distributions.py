"""Aggregates of how values are distributed: quantiles, most frequent values, distinct counts.

The sketch behind ``approx_count_distinct`` is HyperLogLog with 4096 registers, specified to the
bit: each value's 64-bit hash is the first 16 hexadecimal digits of the SHA-256 of its text; the
first 12 bits choose a register, and the register keeps the greatest ``1 + leading zeros`` of the
other 52 (53 where they are all zero). A register at rank r adds 2^-r = 1 - (2^-1 + ... + 2^-r) to
the sum of the estimate, so the sum is a total over the different cells (register, 1..rank).
"""

from __future__ import annotations

from collections.abc import Callable

from astrafs.builtins.aggregates import rules
from astrafs.builtins.aggregates.totals import COUNT, count_finish
from astrafs.builtins.spec import AggregateFunction, Class, Constants, Example, Texts, Types
from astrafs.typesys import Kind, Type
from astrafs.values.sketch import HASH_BITS, INDEX_BITS, MOST_RANK, RANK_BITS

_CELL_BITS = 6


def _quantile(share_at: Callable[[Constants], str]) -> Callable[..., str]:
    def gather(inputs: Texts, _types: Types, constants: Constants, _result: Type) -> str:
        # The value at place ceil(share * n), counted from 1: the engine's own rule, exact for a
        # decimal share.
        return f"quantile_disc({inputs[0]}, {share_at(constants)})"

    return gather


def _share(constants: Constants) -> str:
    share = rules.share_of(constants[1])
    places = max(0, -int(share.as_tuple().exponent))
    return f"{share:f}::DECIMAL({places + 1}, {places})"


def _frequent(inputs: Texts, _types: Types, constants: Constants, _result: Type) -> str:
    return f'list({inputs[0]} ORDER BY "@n" DESC, {inputs[0]})[1:{int(constants[1])}]'


def _most_frequent(inputs: Texts, _types: Types, _constants: Constants, _result: Type) -> str:
    return f'first({inputs[0]} ORDER BY "@n" DESC, {inputs[0]})'


def _hashed(type_: Type) -> str:
    match type_.kind:
        case Kind.KEY:
            return _hashed(type_.parts[0])
        case Kind.FLOAT:
            return "af_bits({0})::VARCHAR"
        case Kind.BYTES:
            return "{0}"
        case _:
            return "{0}::VARCHAR"


def _cells(types: Types) -> str:
    """The list of cells (register, 1), ..., (register, rank) of a value, as integers."""
    digits = f"left(sha256({_hashed(types[0])}), {HASH_BITS // 4})"
    register = f"('0x' || left({digits}, {INDEX_BITS // 4}))::BIGINT"
    rest = f"('0x' || right({digits}, {RANK_BITS // 4}))::BIGINT"
    rank = f"CASE {rest} WHEN 0 THEN {MOST_RANK} ELSE {MOST_RANK} - length(bin({rest})) END"
    return (
        f"list_transform(range(1, 1 + {rank}), "
        f"lambda level: ({register}) * {1 << _CELL_BITS} + level)"
    )


def _sketch_states(_types: Types) -> Texts:
    level = f"({{0}} % {1 << _CELL_BITS})"
    return (
        f"1::HUGEINT << ({MOST_RANK} - {level})::INTEGER",
        f"({level} = 1)::BIGINT",
    )


def _sketch_finish(totals: Texts, _types: Types, _result: Type, _constants: Constants) -> str:
    return f"af_estimate({totals[0]}, {totals[1]})"


def _distinct_states(_types: Types) -> Texts:
    return (COUNT,)


ROWS = (
    AggregateFunction(
        name="median",
        params="x",
        rule=rules.extreme_rule,
        kind=Class.PAIRED,
        empty=None,
        doc="`quantile(x, 0.5)`: of an even number of values the lower of the two in the middle.",
        gather=_quantile(lambda _constants: "0.5::DECIMAL(2, 1)"),
        examples=(
            Example((4, 1, None, 3, 2), 2),
            Example((3.0, 1.0, 2.0), 2.0),
            Example((), None),
        ),
    ),
    AggregateFunction(
        name="quantile",
        params="x, share",
        rule=rules.quantile_rule,
        kind=Class.PAIRED,
        empty=None,
        doc=(
            "The smallest value such that at least the given share of the values is no greater:"
            " the one at place ceil(share * n), counted from 1 (the first for share 0). The share"
            " is a literal from 0 to 1, taken as it is written."
        ),
        gather=_quantile(_share),
        examples=(
            Example((4, 1, None, 3, 2), 3, (0.75,)),
            Example((4, 1, 3, 2), 4, (0.76,)),
            Example((4, 1), 1, (0,)),
            Example((), None, (0.5,)),
        ),
    ),
    AggregateFunction(
        name="mode",
        params="x",
        rule=rules.pick_rule,
        kind=Class.PAIRED,
        empty=None,
        doc="The most frequent value; of equally frequent ones the smallest.",
        gather=_most_frequent,
        per_value=True,
        examples=(Example((2, 3, 3, None, 2), 2), Example((), None)),
    ),
    AggregateFunction(
        name="top_k",
        params="x, n",
        rule=rules.list_rule,
        kind=Class.PAIRED,
        empty=(),
        doc="The n most frequent values, most frequent first; of equally frequent ones the smaller"
        " first. Strings and enum values compare as text, false comes before true.",
        gather=_frequent,
        per_value=True,
        examples=(Example((3, 3, 2, 1, 2, 3), (3, 2), (2,)), Example((), (), (2,))),
    ),
    AggregateFunction(
        name="count_distinct",
        params="x",
        rule=rules.distinct_rule,
        kind=Class.DISTINCT,
        empty=0,
        doc="Number of different non-null values.",
        states=_distinct_states,
        finish=count_finish,
        examples=(Example((1, 1, None, 2), 2), Example((), 0)),
    ),
    AggregateFunction(
        name="approx_count_distinct",
        params="x",
        rule=rules.distinct_rule,
        kind=Class.DISTINCT,
        empty=0,
        doc=(
            "About the number of different non-null values (standard error 1.6%), from a sketch"
            " of fixed size that merges: HyperLogLog with 4096 registers. The hash is the first"
            " 64 bits of the SHA-256 of the value's text (a float: its IEEE bits as a signed"
            " integer; times: microseconds or days; bytes: themselves); its first 12 bits choose a"
            " register, which keeps the greatest number of leading zeros of the other 52, plus 1."
            " With Z the sum of 2^-register, the estimate is 0.7213 / (1 + 1.079 / 4096) * 4096^2"
            " / Z; where that is at most 2.5 * 4096 and V > 0 registers are empty, it is"
            " 4096 * ln(4096 / V). It is rounded to the nearest integer, halves up."
        ),
        states=_sketch_states,
        finish=_sketch_finish,
        cells=_cells,
        examples=(Example((1, 1, None, 2), 2), Example((), 0)),
    ),
)
