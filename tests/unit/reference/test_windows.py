"""Which rows a window holds, by the definitions in the language."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from astrafs.plan import ir
from astrafs.reference import Question, evaluate_feature
from astrafs.typesys import BOOL, FLOAT, INT


@pytest.mark.parametrize(
    ("t", "count"),
    [
        (10, 0),  # an event at exactly t is not history at t
        (11, 1),
        (17, 1),  # an event at exactly t - w still counts
        (18, 0),
    ],
)
def test_edges_of_the_plain_window(lab: Any, over: Any, t: int, count: int) -> None:
    assert lab.ask(lab.aggregate("count", over(7)), lab.rows((10, 1.0)), t) == [count]


@pytest.mark.parametrize(
    ("options", "ages"),
    [
        ({}, [1, 2, 3]),
        ({"near_closed": True}, [0, 1, 2, 3]),
        ({"far_closed": False}, [1, 2]),
        ({"far_closed": False, "near_closed": True}, [0, 1, 2]),
        ({"near": 2}, [3]),
        ({"near": 2, "near_closed": True}, [2, 3]),
        ({"near": -1, "near_closed": True}, [-1, 0, 1, 2, 3]),
    ],
)
def test_both_edges(lab: Any, over: Any, options: dict[str, Any], ages: list[int]) -> None:
    t = 100
    ahead = replace(lab.plan().sources[0], knowledge=ir.KnownColumn("seen"), ahead=True)
    window = over(3, **options)
    for age in range(-3, 6):
        data = [{"key": "a", "user": 1, "amount": 1.0, "at": t - age, "seen": 0}]
        found = lab.ask(lab.aggregate("count", window), data, t, source=ahead)
        assert found == [int(age in ages)], age


def test_a_window_without_far_edge_holds_everything_before(lab: Any, over: Any) -> None:
    window = lab.aggregate("count", over(None))
    assert lab.ask(window, lab.rows((-(10**15), 1.0), (5, 1.0)), 5, 6) == [1, 2]


def test_every_rounds_the_end_down_but_not_the_knowledge(lab: Any, over: Any) -> None:
    window = lab.aggregate("count", over(10, every=10))
    data = lab.rows((0, 1.0), (9, 1.0), (10, 1.0), (12, 1.0))
    assert lab.ask(window, data, 10, 19, 20, 29) == [2, 2, 2, 2]
    # The end is -10, and so the window [-20, -10).
    assert lab.ask(window, lab.rows((-20, 1.0), (-10, 1.0)), -1) == [1]


def test_late_rows_are_invisible_until_known(lab: Any, over: Any) -> None:
    source = replace(lab.plan().sources[0], knowledge=ir.KnownColumn("seen"))
    data = [{"key": "a", "user": 1, "amount": 1.0, "at": 10, "seen": 15}]
    window = lab.aggregate("count", over(100))
    assert lab.ask(window, data, 14, 15, source=source) == [0, 1]
    assert lab.ask(window, data, 15, source=source, as_of=14) == [0]
    assert lab.ask(window, data, 15, source=source, as_of=15) == [1]


def test_delay_shifts_knowledge(lab: Any, over: Any) -> None:
    source = replace(lab.plan().sources[0], knowledge=ir.Delay(5))
    window = lab.aggregate("count", over(100))
    assert lab.ask(window, lab.rows((10, 1.0)), 14, 15, source=source) == [0, 1]
    # A window that closes before the delay has passed never sees the row.
    assert lab.ask(lab.aggregate("count", over(5)), lab.rows((10, 1.0)), 15, 16, source=source) == [
        1,
        0,
    ]


def test_last_rows_in_event_and_key_order(lab: Any) -> None:
    data = lab.rows((10, 1.0), (10, 2.0), (10, 3.0), (5, 4.0))
    data[0]["key"], data[2]["key"] = "z", "a"
    last = lab.aggregate("last", ir.LastWindow(1), lab.amount, type_=FLOAT)
    assert lab.ask(last, data, 11) == [1.0]
    total = lab.aggregate("sum", ir.LastWindow(2), lab.amount, type_=FLOAT)
    assert lab.ask(total, data, 10, 11) == [4.0, 3.0]
    first = lab.aggregate("first", ir.LastWindow(3), lab.amount, type_=FLOAT)
    assert lab.ask(first, data, 11) == [3.0]


def test_last_within_is_closed_at_its_age(lab: Any) -> None:
    window = lab.aggregate("count", ir.LastWindow(5, within=7))
    assert lab.ask(window, lab.rows((10, 1.0)), 17, 18) == [1, 0]


def test_where_filters_inputs_and_block_where_filters_rows(lab: Any) -> None:
    big = ir.Call("gt", (lab.amount, ir.Literal(2.0, FLOAT)), BOOL.optional())
    data = lab.rows((1, 5.0), (2, 1.0), (3, None))
    only = lab.aggregate("count", ir.LastWindow(1), where=big)
    assert lab.ask(only, data, 9) == [0]
    block = lab.aggregate("count", ir.LastWindow(1), block_where=big)
    assert lab.ask(block, data, 9) == [1]


def test_null_keys_belong_to_nobody(lab: Any, over: Any) -> None:
    data = lab.rows((1, 5.0))
    data[0]["user"] = None
    window = lab.aggregate("count", over(100))
    assert lab.ask(window, data, 9, user=None) == [0]
    assert lab.ask(window, data, 9, user=0) == [0]


def test_composite_keys_that_print_alike_are_different(lab: Any, over: Any) -> None:
    keys = (ir.Column("origin", INT), ir.Column("dest", INT))
    entity = ir.Entity("m.Pair", (ir.Field("origin", INT), ir.Field("dest", INT)))
    source = replace(
        lab.plan().sources[0],
        columns=(
            *lab.plan().sources[0].columns,
            ir.SourceColumn("origin", INT.optional()),
            ir.SourceColumn("dest", INT.optional()),
        ),
    )
    data = lab.rows((1, 1.0), (2, 1.0), (3, 1.0))
    for row, pair in zip(data, [(12, 3), (1, 23), (1, None)], strict=True):
        row["origin"], row["dest"] = pair
    feature = lab.feature("n", lab.aggregate("count", over(100), keys=keys), entity="m.Pair")
    plan = lab.plan(feature, sources=(source,), entities=(entity,))
    questions = [Question(pair, 9) for pair in [(12, 3), (1, 23), (1, None), (123, 0)]]
    assert evaluate_feature(plan, feature.id, {"m.payments": data}, questions, 99) == [1, 1, 0, 0]


def test_an_entity_without_key_columns_holds_every_row(lab: Any, over: Any) -> None:
    world = ir.Entity("m.World", ())
    feature = lab.feature("n", lab.aggregate("count", over(100), keys=()), entity="m.World")
    plan = lab.plan(feature, entities=(world,))
    data = {"m.payments": lab.rows((1, 1.0), (2, None))}
    assert evaluate_feature(plan, feature.id, data, [Question((), 9)], 99) == [2]


def test_duplicate_questions_are_answered_one_for_one(lab: Any, over: Any) -> None:
    window = lab.aggregate("count", over(100))
    assert lab.ask(window, lab.rows((1, 1.0)), 5, 5, 1, 5) == [1, 1, 0, 1]


def test_floats_are_cleaned_on_the_way_in(lab: Any, over: Any) -> None:
    data = lab.rows((1, float("nan")), (2, float("inf")), (3, -0.0), (4, 2.0))
    count = lab.aggregate("count", over(100), lab.amount)
    assert lab.ask(count, data, 9) == [2]
    smallest = lab.aggregate("min", over(100), lab.amount, type_=FLOAT)
    (found,) = lab.ask(smallest, data, 9)
    assert str(found) == "0.0"
