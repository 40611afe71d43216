"""Aggregates that give values of rows: extremes, and the values at places in an order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from astrafs.builtins.aggregates import rules
from astrafs.builtins.spec import (
    AggregateFunction,
    Class,
    Constants,
    Example,
    Order,
    Texts,
    Types,
)
from astrafs.typesys import Type

Gather = Callable[[Texts, Types, Constants, Type], str]


def _asked(constants: Constants) -> int:
    """The number of values that the second argument asks for."""
    return int(constants[1])


def _template(text: str) -> Gather:
    """An SQL aggregate of the first input ``{x}`` and the number ``{n}`` asked for."""

    def gather(inputs: Texts, _types: Types, constants: Constants, _result: Type) -> str:
        return text.replace("{x}", inputs[0]).replace("{n}", str(_asked(constants)))

    return gather


def _picked(name: str, doc: str, merge: str, *examples: Example, **more: Any) -> AggregateFunction:
    return AggregateFunction(
        name=name,
        params="x",
        rule=rules.row_pick_rule,
        kind=Class.ORDERED,
        empty=None,
        doc=doc,
        merge=merge,
        examples=examples,
        **more,
    )


def _best(name: str, order: Order, word: str, *examples: Example) -> AggregateFunction:
    return AggregateFunction(
        name=name,
        params="x, by",
        rule=rules.best_rule,
        kind=Class.ORDERED,
        empty=None,
        doc=(
            f"The value of `x` on the row with the {word} `by`, of equal ones on the latest row."
            " Rows with a null in either are skipped."
        ),
        inputs=2,
        merge="max",
        order=order,
        examples=examples,
    )


def _listed(name: str, doc: str, gather: str, *examples: Example, **more: Any) -> AggregateFunction:
    return AggregateFunction(
        name=name,
        params="x, n",
        rule=more.pop("rule", rules.list_rule),
        kind=Class.PAIRED,
        empty=(),
        doc=doc,
        gather=_template(gather),
        examples=examples,
        **more,
    )


ROWS = (
    AggregateFunction(
        name="min",
        params="x",
        rule=rules.extreme_rule,
        kind=Class.SEMIGROUP,
        empty=None,
        doc="Smallest non-null value.",
        merge="min",
        examples=(Example((3, None, 1), 1), Example((), None)),
    ),
    AggregateFunction(
        name="max",
        params="x",
        rule=rules.extreme_rule,
        kind=Class.SEMIGROUP,
        empty=None,
        doc="Greatest non-null value.",
        merge="max",
        examples=(Example((3, None, 1), 3), Example((), None)),
    ),
    _picked(
        "first",
        "The non-null value of the earliest row, in (event time, key) order.",
        "min",
        Example((None, 3, 1), 3),
        Example((), None),
    ),
    _picked(
        "last",
        "The non-null value of the latest row, in (event time, key) order.",
        "max",
        Example((3, 1, None), 1),
        Example((), None),
    ),
    _picked(
        "first_row",
        "The value of the earliest row, null if it is null there.",
        "min",
        Example((None, 3, 1), None),
        Example((), None),
        keep_nulls=True,
    ),
    _picked(
        "last_row",
        "The value of the latest row, null if it is null there.",
        "max",
        Example((3, 1, None), None),
        Example((), None),
        keep_nulls=True,
    ),
    AggregateFunction(
        name="nth_last",
        params="x, n",
        rule=rules.nth_rule,
        kind=Class.PAIRED,
        empty=None,
        doc="The n-th latest non-null value; `nth_last(x, 1)` is `last(x)`. Null below n values.",
        gather=_template('list_extract(arg_max({x}, "@ord", {n}), {n})'),
        latest=_asked,
        partial=True,
        examples=(
            Example((4, 3, None, 1), 3, (2,)),
            Example((4, 3, None, 1), None, (4,)),
            Example((), None, (1,)),
        ),
    ),
    AggregateFunction(
        name="nth_last_row",
        params="x, n",
        rule=rules.nth_rule,
        kind=Class.PAIRED,
        empty=None,
        doc="The value of the n-th latest row, null if it is null there. Null below n rows.",
        gather=_template('list_extract(arg_max_nulls_last({x}, "@ord", {n}), {n})'),
        latest=_asked,
        partial=True,
        keep_nulls=True,
        examples=(
            Example((4, 3, None, 1), None, (2,)),
            Example((4, 3, None, 1), 4, (4,)),
            Example((), None, (1,)),
        ),
    ),
    _best(
        "argmin",
        Order.FALLING,
        "smallest",
        Example(((1, 5), (2, 3), (3, 3), (4, None), (None, 1)), 3),
        Example((), None),
    ),
    _best(
        "argmax",
        Order.RISING,
        "greatest",
        Example(((1, 5), (2, 5), (3, 3), (4, None), (None, 9)), 2),
        Example((), None),
    ),
    _listed(
        "first_k",
        "The n earliest non-null values, oldest first.",
        'arg_min({x}, "@ord", {n})',
        Example((4, None, 3, 1), (4, 3), (2,)),
        Example((), (), (2,)),
        earliest=_asked,
    ),
    _listed(
        "min_k",
        "The n smallest values, smallest first; equal ones count each.",
        "min({x}, {n})",
        Example((4, None, 3, 3, 5), (3, 3, 4), (3,)),
        Example((), (), (2,)),
        rule=rules.ordered_list_rule,
    ),
    _listed(
        "max_k",
        "The n greatest values, greatest first; equal ones count each.",
        "max({x}, {n})",
        Example((4, None, 3, 3, 5), (5, 4, 3), (3,)),
        Example((), (), (2,)),
        rule=rules.ordered_list_rule,
    ),
    _listed(
        "collect",
        "The n latest non-null values, oldest first.",
        'list_reverse(arg_max({x}, "@ord", {n}))',
        Example((4, 3, None, 1), (3, 1), (2,)),
        Example((), (), (2,)),
        latest=_asked,
    ),
    _listed(
        "collect_distinct",
        "The n different values that occur last, each once, in the order of their last occurrence,"
        " oldest first.",
        'list_reverse(arg_max({x}, "@ord", {n}))',
        Example((4, 3, 2, 4), (2, 4), (2,)),
        Example((), (), (2,)),
        per_value=True,
    ),
)
