"""Aggregates that forget: the weight of a row halves with every half-life of its age."""

from __future__ import annotations

from astrafs.builtins.aggregates import rules
from astrafs.builtins.aggregates.totals import REST, WHOLE
from astrafs.builtins.spec import AggregateFunction, Class, Constants, Example, Texts, Types
from astrafs.typesys import SECOND, Type


def _weight(end: str, constants: Constants) -> str:
    """The weight of a row at the age that it has at ``end``; a row after that weighs 1."""
    return f"af_pow(2.0::DOUBLE, greatest({end} - {{e}}, 0)::DOUBLE / {-constants[1]}::DOUBLE)"


def _from_question(_types: Types, constants: Constants) -> str:
    return _weight("{t}", constants)


def _from_newest(_types: Types, constants: Constants) -> str:
    return _weight("{newest}", constants)


def _total(text: str) -> str:
    """The two exact totals of a float."""
    return ", ".join(f"sum({part.replace('{0}', text)})" for part in (WHOLE, REST))


def _decayed_sum(inputs: Texts, _types: Types, _constants: Constants, _result: Type) -> str:
    return f"af_sum({_total(f'({{p}} * {inputs[0]})')})"


def _ema(inputs: Texts, _types: Types, _constants: Constants, _result: Type) -> str:
    return f"af_ratio({_total(f'({{p}} * {inputs[0]})')}, {_total('{p}')})"


ROWS = (
    AggregateFunction(
        name="ema",
        params="x, half_life",
        rule=rules.decay_rule,
        kind=Class.PAIRED,
        empty=None,
        doc=(
            "Exponential moving average: the mean of `x` with weights that halve with every"
            " `half_life` between a row and the latest row that takes part. A weight is the float"
            " nearest to 2^-y, y being the float quotient of the two durations; each product is"
            " rounded once, both sums are exact, and their quotient is rounded once."
        ),
        prepare=_from_newest,
        newest=True,
        gather=_ema,
        summed=(0,),
        examples=(
            Example((1.0, None, 3.0), 2.6, (SECOND,)),
            Example((), None, (SECOND,)),
        ),
    ),
    AggregateFunction(
        name="decayed_sum",
        params="x, half_life",
        rule=rules.decay_rule,
        kind=Class.PAIRED,
        empty=None,
        doc=(
            "Sum of `x` with weights that halve with every `half_life` of a row's age at the time"
            " of the question (with `every` too: the question's own time). A weight is the float"
            " nearest to 2^-y, y being the float quotient of age and half-life; each product is"
            " rounded once, the sum is exact and rounded once. A row after that time weighs 1."
        ),
        prepare=_from_question,
        gather=_decayed_sum,
        summed=(0,),
        examples=(
            Example((4.0, 8.0), 5.0, (SECOND,)),
            Example((), None, (SECOND,)),
        ),
    ),
)
