"""Aggregates of the reference: exact, of the right inputs, right when empty."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.plan import ir
from astrafs.reference.aggregates import NAMES, aggregate, on_grid
from astrafs.typesys import BOOL, FLOAT, INT, SECOND, Type, decimal
from astrafs.values.errors import ValueFailure

FLOATS = st.floats(-1e12, 1e12)


def run(name: str, values: list[Any], result: Type = FLOAT, constants: tuple[Any, ...] = ()) -> Any:
    """Compute an aggregate over rows a second apart, asked a second after the last."""
    sides = AGGREGATES[name].inputs
    columns = tuple(ir.Column(f"x{place}", result) for place in range(sides))
    literals = tuple(ir.Literal(value, INT) for value in constants)
    window = ir.RangeWindow(None, 0, False, False)
    node = ir.Aggregate(name, (*columns, *literals), None, None, "s", (), window, result)
    rows = [
        (place * SECOND, (*(value if sides > 1 else (value,)), *constants))
        for place, value in enumerate(values)
    ]
    return aggregate(node, rows, len(values) * SECOND)


def test_the_reference_knows_every_aggregate() -> None:
    assert set(AGGREGATES) == NAMES


@pytest.mark.parametrize("name", sorted(AGGREGATES))
def test_examples_and_empty_windows(name: str) -> None:
    row = AGGREGATES[name]
    constants: tuple[Any, ...] = ()
    for example in row.examples:
        values, constants = list(example.given), example.constants
        sample = next((value for value in values if value is not None), 0)
        taken = {bool: BOOL, float: FLOAT, tuple: INT}.get(type(sample), INT)
        assert run(name, values, taken, constants) == example.value
    assert run(name, [], INT, constants) == row.empty
    nothing = None if row.inputs == 1 else (None, None)
    assert run(name, [nothing], INT, constants) == row.empty


def test_count_without_argument_counts_rows() -> None:
    window = ir.RangeWindow(None, 0, False, False)
    node = ir.Aggregate("count", (), None, None, "s", (), window, INT)
    assert aggregate(node, [(1, ()), (2, ()), (3, ())], 4) == 3


def test_sums_are_exact_and_rounded_once() -> None:
    assert run("sum", [1e16, 1.0, -1e16]) == 1.0
    assert run("sum", [0.1] * 10) == 1.0
    assert run("sum", [2.0**-87, 2.0**-87]) == 0.0  # each goes to an even multiple of 2^-86 first
    assert run("sum", [3 * 2.0**-87]) == 2.0**-85
    assert str(run("sum", [-1.0, 1.0])) == "0.0"


def test_sum_limits() -> None:
    assert run("sum", [math.nextafter(2.0**90, 0)]) == math.nextafter(2.0**90, 0)
    for bad, result in ((2.0**90, FLOAT), (2**63, INT), (Decimal(10) ** 38, decimal(38, 0))):
        with pytest.raises(ValueFailure):
            run("sum", [bad], result)


def test_decimal_sums_keep_their_scale() -> None:
    total = run("sum", [Decimal("0.10"), Decimal("0.20")], decimal(38, 2))
    assert total.as_tuple() == Decimal("0.30").as_tuple()


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(FLOATS, min_size=2, max_size=8))
def test_moments_are_those_of_exact_fractions(values: list[float]) -> None:
    exact = [on_grid(value) for value in values]
    wanted = statistics.variance(exact)
    assert run("var", values) == wanted.numerator / wanted.denominator
    root = Fraction(run("stddev", values))
    # The true root lies between the midpoints to both neighbouring floats.
    if wanted:
        low = (root + Fraction(math.nextafter(root, 0))) / 2
        high = (root + Fraction(math.nextafter(root, math.inf))) / 2
        assert low * low <= wanted <= high * high
    else:
        assert root == 0


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.one_of(st.none(), FLOATS), max_size=8), st.randoms(use_true_random=False))
def test_unordered_aggregates_ignore_order(values: list[float | None], rng: Any) -> None:
    shuffled = values[:]
    rng.shuffle(shuffled)
    for name in ("sum", "mean", "var", "stddev", "min", "max", "count", "count_distinct"):
        assert run(name, shuffled) == run(name, values)


def test_row_aggregates_keep_nulls_and_value_aggregates_skip_them() -> None:
    values = [None, 1.0, 2.0, None]
    assert [run(name, values) for name in ("first", "last")] == [1.0, 2.0]
    assert [run(name, values) for name in ("first_row", "last_row")] == [None, None]


def test_a_row_that_cannot_be_summed_stops_every_run_that_asks_for_its_entity(
    lab: Any, over: Any
) -> None:
    total = lab.aggregate("sum", over(5), lab.amount, type_=FLOAT)
    data = lab.rows((1, 1e30), (100, 1.0))
    with pytest.raises(ValueFailure):
        lab.ask(total, data, 101)
    assert lab.ask(total, data, 101, user=2) == [0.0]
    assert lab.ask(total, data, 101, as_of=0) == [0.0]
    small = ir.Call("lt", (lab.amount, ir.Literal(1e9, FLOAT)), BOOL.optional())
    guarded = lab.aggregate("sum", over(5), lab.amount, type_=FLOAT, where=small)
    assert lab.ask(guarded, data, 101) == [1.0]
