"""The values and drawings of counterexamples."""

from __future__ import annotations

import pytest

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.spec import Example
from astrafs.leakage.counterexample import nice
from astrafs.leakage.evaluate import UnknownValueError, aggregate_value, value_of
from astrafs.leakage.timeline import Mark, Story, draw
from astrafs.plan import ir
from astrafs.temporal.interval import Interval
from astrafs.typesys import BOOL, DURATION, FLOAT, INT, SECOND, Type

H = 3_600_000_000
D = 24 * H
UNKNOWN = {
    *("var", "stddev", "var_pop", "stddev_pop", "skew", "kurtosis", "corr", "covar", "covar_pop"),
    *("slope", "ema", "decayed_sum", "approx_count_distinct"),
}
TYPES: dict[type, Type] = {int: INT, float: FLOAT, bool: BOOL, type(None): INT, tuple: INT}


@pytest.mark.parametrize(
    ("name", "example"),
    [(row.name, example) for row in AGGREGATES.values() for example in row.examples],
)
def test_aggregates_agree_with_their_examples(name: str, example: Example) -> None:
    given, expected, sides = example.given, example.value, AGGREGATES[name].inputs
    empty = BOOL if name in ("any", "all") else INT
    kind = next((TYPES[type(v)] for v in given if v is not None), empty).optional()
    spans = [DURATION if value == SECOND else INT for value in example.constants]
    types, values = (kind,) * sides + tuple(spans), (None,) * sides + example.constants
    result = AGGREGATES[name].rule(types, values).result
    columns = tuple(ir.Column(f"x{place}", kind) for place in range(sides))
    literals = (ir.Literal(value, INT) for value in example.constants)
    window = ir.RangeWindow(None, 0, False, False)
    expr = ir.Aggregate(name, (*columns, *literals), None, None, "s", (), window, result)
    each = [value if sides > 1 else (value,) for value in given]
    rows = [{f"x{place}": one for place, one in enumerate(value)} for value in each]
    if name in UNKNOWN and any(value is not None for value in given):
        with pytest.raises(UnknownValueError):
            aggregate_value(expr, rows)
        return
    found = aggregate_value(expr, rows)
    assert type(found) is type(expected)
    assert found == expected


def test_conditions_select_before_the_last_rows_are_taken() -> None:
    column, flag = ir.Column("x", INT), ir.Column("flag", BOOL.optional())
    rows = [{"x": 1, "flag": True}, {"x": 2, "flag": False}, {"x": 3, "flag": None}]
    last = ir.LastWindow(1)
    blocked = ir.Aggregate("sum", (column,), None, flag, "s", (), last, INT)
    filtered = ir.Aggregate("sum", (column,), flag, None, "s", (), last, INT)
    assert aggregate_value(blocked, rows) == 1
    assert aggregate_value(filtered, rows) == 0


def test_what_a_row_does_not_have_is_unknown() -> None:
    lookup = ir.TableLookup("t", (ir.Column("x", INT),), "c", 0, None, INT.optional())
    overflow = ir.Call("add", (ir.Literal(2**63 - 1, INT), ir.Literal(1, INT)), INT)
    for expr in (ir.Column("y", INT), lookup, overflow, ir.KeyPart("k", INT)):
        with pytest.raises(UnknownValueError):
            value_of(expr, {"x": 1})


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 7 * D, 3 * D),
        (0, D, 12 * H),
        (0, 2 * H, H),
        (60 * D, 90 * D, 75 * D),
        (0, None, H),
        (60 * D, None, 90 * D),
        (0, 10, 5),
        (5 * D, 5 * D + 2, 5 * D + 1),
    ],
)
def test_nice_durations(low: int, high: int | None, expected: int) -> None:
    assert nice(low, high) == expected


def test_drawing() -> None:
    story = Story(
        (Mark(-2 * D, "*", "row 1"), Mark(0, "|", "asked at t"), Mark(D, "o", "changes")),
        Interval(-7 * D, 0, True, False),
        ("row", "value"),
        (("1", "ten"),),
        ("10 becomes 11",),
    )
    assert draw(story) == (
        "  t-7d   t-2d    t            t+1d\n"
        "--[======*=======)------------o---------> time\n"
        "         row 1   asked at t   changes\n"
        "\n"
        "  row  value\n"
        "  1    ten\n"
        "\n"
        "10 becomes 11\n"
    )


def test_drawing_without_bounds() -> None:
    everything = Story((Mark(0, "|", "t"),), Interval(None, 0), (), (), ())
    assert draw(everything).splitlines()[1].startswith("==)---")
    nothing = Story((Mark(0, "|", "t"),), None, (), (), ("so",))
    assert "=" not in draw(nothing)
