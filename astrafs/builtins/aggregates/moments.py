"""Higher moments, correlation and slope: exact power sums, one rounding at the end.

A float is an integer in units of 2^-86 below 2^176, which kernels cut into digits; products of
digits are summed place by place (``astrafs.kernels.powers``). Units cancel in ratios of moments, so
there exact types need no scale.
"""

from __future__ import annotations

from typing import Any

from astrafs.builtins.aggregates import rules
from astrafs.builtins.aggregates.totals import COUNT, REST, WHOLE, whole_number
from astrafs.builtins.spec import AggregateFunction, Class, Constants, Example, Texts, Types
from astrafs.typesys import INT, SECOND, Kind, Type
from astrafs.values.digits import FLOAT_DIGITS, INT_DIGITS, power_places


def _digits(type_: Type) -> int:
    return FLOAT_DIGITS if type_.kind is Kind.FLOAT else INT_DIGITS


def _letter(type_: Type) -> str:
    return "f" if type_.kind is Kind.FLOAT else "i"


def _value(type_: Type, hole: str) -> str:
    """Text of an input as the kernels take it: a float, or an integer in units of its scale."""
    return hole if type_.kind is Kind.FLOAT else f"{whole_number(type_, hole)}::BIGINT"


def _places(count: int, field: str = "") -> Texts:
    return tuple(f"({{p}}){field}.c{place}" for place in range(count))


def _sum_texts(type_: Type, place: int) -> Texts:
    """The states of an exact sum of one input: always two, a whole and a rest."""
    hole = f"{{{place}}}"
    if type_.kind is Kind.FLOAT:
        return (WHOLE.replace("{0}", hole), REST.replace("{0}", hole))
    return (whole_number(type_, hole), "0::HUGEINT")


def _power_prepare(power: int) -> Any:
    def prepare(types: Types, _constants: Constants) -> str:
        return f"af_powers{power}_{_letter(types[0])}({_value(types[0], '{0}')})"

    return prepare


def _power_states(power: int) -> Any:
    def states(types: Types) -> Texts:
        found = [COUNT, *_sum_texts(types[0], 0)]
        for exponent in range(2, power + 1):
            found += _places(power_places(_digits(types[0]), exponent), f".p{exponent}")
        return tuple(found)

    return states


def _finish(kernel: str) -> Any:
    def finish(totals: Texts, types: Types, _result: Type, _constants: Constants) -> str:
        kinds = "".join(_letter(type_) for type_ in types)
        listed = ", ".join(f"{total}::HUGEINT" for total in totals)
        return f"af_{kernel}_{kinds}([{listed}])"

    return finish


def _power(name: str, power: int, doc: str, *examples: Example) -> AggregateFunction:
    return AggregateFunction(
        name=name,
        params="x",
        rule=rules.moment_rule(0),
        kind=Class.INVERTIBLE,
        empty=None,
        doc=doc,
        prepare=_power_prepare(power),
        states=_power_states(power),
        finish=_finish(name),
        partial=True,
        summed=(0,),
        examples=examples,
    )


def _product_prepare(types: Types, _constants: Constants) -> str:
    x, y = types
    return f"af_products_{_letter(x)}{_letter(y)}({_value(x, '{0}')}, {_value(y, '{1}')})"


def _product_states(types: Types) -> Texts:
    x, y = map(_digits, types)
    return (
        COUNT,
        *_sum_texts(types[0], 0),
        *_sum_texts(types[1], 1),
        *_places(2 * x - 1, ".xx"),
        *_places(x + y - 1, ".xy"),
        *_places(2 * y - 1, ".yy"),
    )


def _scaled(types: Types) -> str:
    scales = [type_.scale if type_.kind is Kind.DECIMAL else 0 for type_ in types]
    return ", ".join(f"{scale}::BIGINT" for scale in scales)


def _covariance(name: str) -> Any:
    def finish(totals: Texts, types: Types, _result: Type, _constants: Constants) -> str:
        head = _finish(name)(totals, types, _result, _constants)
        return f"{head[:-1]}, {_scaled(types)})"

    return finish


def _pair(name: str, doc: str, keeps_units: bool, *examples: Example) -> AggregateFunction:
    return AggregateFunction(
        name=name,
        params="x, y",
        rule=rules.pair_rule(keeps_units),
        kind=Class.INVERTIBLE,
        empty=None,
        doc=doc,
        inputs=2,
        prepare=_product_prepare,
        states=_product_states,
        finish=_covariance(name) if keeps_units else _finish(name),
        partial=name != "covar_pop",
        summed=(0, 1),
        examples=examples,
    )


def _slope_types(types: Types) -> Types:
    """Event time and value, as the two inputs of a product."""
    return (INT, types[0])


def _slope_prepare(types: Types, constants: Constants) -> str:
    return _on_time(_product_prepare(_slope_types(types), constants))


def _slope_states(types: Types) -> Texts:
    return tuple(map(_on_time, _product_states(_slope_types(types))))


def _on_time(text: str) -> str:
    return text.replace("{0}", "{e}").replace("{1}", "{0}")


def _slope_finish(totals: Texts, types: Types, _result: Type, constants: Constants) -> str:
    unit = int(constants[1]) if len(constants) > 1 else SECOND
    head = _finish("slope")(totals, _slope_types(types)[:2], _result, constants)
    return f"{head[:-1]}, {_scaled(types[:1])}, {unit}::BIGINT)"


ROWS = (
    _power(
        "skew",
        3,
        "Population skewness m3 / m2^1.5, of central moments divided by n; null where the values"
        " do not differ. Exact inputs, rounded once.",
        Example((1, 2, 4), 0.3818017741606063),
        Example((5, 5), None),
        Example((), None),
    ),
    _power(
        "kurtosis",
        4,
        "Population excess kurtosis m4 / m2^2 - 3; null where the values do not differ. Exact"
        " inputs, rounded once.",
        Example((1, 2, 4), -1.5),
        Example((5, 5), None),
        Example((), None),
    ),
    _pair(
        "corr",
        "Pearson's correlation of the rows where neither is null; null where one of them does not"
        " vary. Exact inputs, rounded once.",
        False,
        Example(((1, 2), (2, 4), (3, 5), (4, None)), 0.9819805060619657),
        Example(((1, 2),), None),
        Example((), None),
    ),
    _pair(
        "covar",
        "Sample covariance (divided by n - 1) of the rows where neither is null; null below two."
        " Exact inputs, rounded once.",
        True,
        Example(((1, 2), (2, 4), (3, 5), (4, None)), 1.5),
        Example(((1, 2),), None),
        Example((), None),
    ),
    _pair(
        "covar_pop",
        "Population covariance (divided by n) of the rows where neither is null; null without"
        " rows. Exact inputs, rounded once.",
        True,
        Example(((1, 2), (2, 4), (3, 5), (4, None)), 1.0),
        Example((), None),
    ),
    AggregateFunction(
        name="slope",
        params="x[, unit]",
        rule=rules.slope_rule,
        kind=Class.INVERTIBLE,
        empty=None,
        doc=(
            "The slope of the least-squares line of `x` against event time, per second, or per"
            " `unit` of time such as `1d`; null below two different times. Exact inputs, rounded"
            " once."
        ),
        prepare=_slope_prepare,
        states=_slope_states,
        finish=_slope_finish,
        partial=True,
        summed=(0,),
        examples=(Example((1, 3, 5), 2.0), Example((1,), None), Example((), None)),
    ),
)
