"""Lookups, streams and views: everything at the time of its own context."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from astrafs.plan import ir
from astrafs.reference import Question, evaluate_view
from astrafs.reference.interpreter import Interpreter
from astrafs.typesys import BOOL, FLOAT, INT, STRING, TIMESTAMP
from astrafs.values.errors import ValueFailure

RATES = ir.Source(
    "m.rates",
    True,
    (
        ir.SourceColumn("currency", STRING),
        ir.SourceColumn("rate", FLOAT.optional()),
        ir.SourceColumn("at", TIMESTAMP),
        ir.SourceColumn("seen", TIMESTAMP),
    ),
    ("currency",),
    "at",
    ir.KnownColumn("seen"),
)
EUR = ir.Literal("EUR", STRING)


def rate(offset: int = 0, max_age: int | None = None) -> ir.TableLookup:
    return ir.TableLookup("m.rates", (EUR,), "rate", offset, max_age, FLOAT.optional())


def row(rate: float | None, at: int, seen: int | None = None) -> dict[str, Any]:
    return {"currency": "EUR", "rate": rate, "at": at, "seen": at if seen is None else seen}


def look(
    lab: Any, lookup: ir.Expr, rows: list[dict[str, Any]], t: int, source: ir.Source = RATES
) -> Any:
    feature = lab.feature("x", lookup)
    plan = lab.plan(feature, sources=(source,))
    return Interpreter(plan, {"m.rates": rows}, 10**15).feature(feature.id, (1,), t)


def test_a_table_holds_from_its_time_on(lab: Any) -> None:
    rows = [row(1.0, 10), row(2.0, 20)]
    assert [look(lab, rate(), rows, t) for t in (9, 10, 19, 20)] == [None, 1.0, 1.0, 2.0]
    assert [look(lab, rate(offset=5), rows, t) for t in (14, 15)] == [None, 1.0]


def test_max_age_is_closed_and_counts_from_the_shifted_time(lab: Any) -> None:
    rows = [row(1.0, 10)]
    assert [look(lab, rate(max_age=7), rows, t) for t in (17, 18)] == [1.0, None]
    assert [look(lab, rate(2, 7), rows, t) for t in (19, 20)] == [1.0, None]
    aged = replace(RATES, max_age=3)
    assert [look(lab, rate(max_age=7), rows, t, aged) for t in (13, 14)] == [1.0, None]


def test_the_latest_event_wins_then_knowledge_then_columns(lab: Any) -> None:
    assert look(lab, rate(), [row(2.0, 20, 30), row(1.0, 10, 40)], 50) == 2.0
    assert look(lab, rate(), [row(2.0, 20, 30), row(1.0, 20, 25)], 50) == 2.0
    assert look(lab, rate(), [row(2.0, 20), row(None, 20)], 50) == 2.0  # nulls come first
    assert look(lab, rate(), [row(2.0, 20, 60), row(1.0, 10)], 50) == 1.0


def test_null_keys_and_unknown_keys_give_null(lab: Any) -> None:
    nothing = replace(rate(), keys=(ir.Literal(None, STRING.optional()),))
    assert look(lab, nothing, [row(1.0, 10)], 50) is None
    other = replace(rate(), keys=(ir.Literal("USD", STRING),))
    assert look(lab, other, [row(1.0, 10)], 50) is None


def test_a_static_table_has_no_time(lab: Any) -> None:
    static = replace(RATES, time="", knowledge=ir.Delay(0), static="codes never change")
    assert look(lab, rate(), [row(3.0, 10**14)], -5, static) == 3.0


def chained(lab: Any, over: Any) -> tuple[ir.Plan, ir.FeatureId, ir.FeatureId]:
    """A stream that notes, per payment, how many payments of the user came before; and its
    maximum.
    """
    count = lab.feature("n", lab.aggregate("count", over(None)))
    before = ir.EntityLookup("m.User", lab.user_key, count.id, 0, INT)
    stream = ir.Stream(
        "m.noted",
        "m.payments",
        ir.Call("is_not_null", (lab.amount,), BOOL),
        None,
        (ir.ComputedColumn("before", before, INT),),
    )
    most = lab.feature(
        "most",
        lab.aggregate("max", over(None), ir.Column("before", INT), type_=INT, rows="m.noted"),
    )
    return lab.plan(count, most, streams=(stream,)), count.id, most.id


def test_a_stream_looks_up_at_the_time_of_its_own_row(lab: Any, over: Any) -> None:
    plan, count, most = chained(lab, over)
    data = {"m.payments": lab.rows((1, 1.0), (2, None), (3, 1.0), (3, 1.0))}
    machine = Interpreter(plan, data, 10**15)
    assert machine.feature(count, (1,), 10) == 4
    assert machine.feature(most, (1,), 10) == 2
    assert machine.feature(most, (1,), 3) == 0


def test_a_row_without_key_sees_empty_windows(lab: Any, over: Any) -> None:
    plan, _, _ = chained(lab, over)
    data = lab.rows((1, 1.0), (2, 1.0))
    data[1]["user"] = None
    rows = Interpreter(plan, {"m.payments": data}, 10**15).rows("m.noted")
    assert [found["before"] for found in rows] == [0, 0]


def retimed(lab: Any, over: Any, base: str = "m.payments") -> ir.Plan:
    stream = ir.Stream("m.later", base, None, ir.Column("seen", TIMESTAMP), ())
    feature = lab.feature("n", lab.aggregate("count", over(5), rows="m.later"))
    return lab.plan(feature, streams=(stream,))


def test_retiming_moves_event_and_knowledge(lab: Any, over: Any) -> None:
    plan = retimed(lab, over)
    data = lab.rows((1, 1.0))
    data[0]["seen"] = 100
    machine = Interpreter(plan, {"m.payments": data}, 10**15)
    times = (100, 101, 105, 106)
    assert [machine.feature(plan.features[0].id, (1,), t) for t in times] == [0, 1, 1, 0]
    (only,) = machine.rows("m.later")
    assert (only.event, only.known) == (100, 100)


@pytest.mark.parametrize("seen", [0, None])
def test_retiming_earlier_or_nowhere_stops_the_run(lab: Any, over: Any, seen: int | None) -> None:
    plan = retimed(lab, over)
    data = lab.rows((1, 1.0))
    data[0]["seen"] = seen
    with pytest.raises(ValueFailure):
        Interpreter(plan, {"m.payments": data}, 10**15).rows("m.later")


def test_a_column_of_a_base_stream_keeps_its_own_time(lab: Any) -> None:
    now = ir.ComputedColumn("then", ir.EvaluationTime(TIMESTAMP), TIMESTAMP)
    first = ir.Stream("m.first", "m.payments", None, None, (now,))
    second = ir.Stream("m.second", "m.first", None, ir.Column("seen", TIMESTAMP), ())
    data = lab.rows((1, 1.0))
    data[0]["seen"] = 50
    plan = lab.plan(streams=(first, second))
    (found,) = Interpreter(plan, {"m.payments": data}, 10**15).rows("m.second")
    assert (found.event, found["then"]) == (50, 1)


def test_views_answer_in_order_with_request_fields(lab: Any, over: Any) -> None:
    count = lab.feature("n", lab.aggregate("count", over(None)))
    checkout = ir.Entity("m.Checkout", (ir.Field("user", INT.optional()),), request=True)
    user = ir.KeyPart("user", INT.optional())
    twice = ir.Call(
        "mul", (ir.EntityLookup("m.User", (user,), count.id, 0, INT), ir.Literal(2, INT)), INT
    )
    doubled = lab.feature("doubled", twice, entity="m.Checkout")
    view = ir.View(
        "m.v",
        "m.Checkout",
        (
            ir.Output("user", user, INT.optional()),
            ir.Output("doubled", ir.FeatureRef(doubled.id, INT), INT),
        ),
    )
    entities = (*lab.plan().entities, checkout)
    plan = lab.plan(count, doubled, entities=entities, views=(view,))
    questions = [Question((1,), 5), Question((None,), 5), Question((1,), 1)]
    data = {"m.payments": lab.rows((1, 1.0), (2, 1.0))}
    assert evaluate_view(plan, "m.v", data, questions, 99) == [(1, 4), (None, 0), (1, 0)]


def test_an_untaken_branch_cannot_stop_the_run(lab: Any) -> None:
    most = ir.Literal(2**63 - 1, INT)
    bad = ir.Call("add", (most, most), INT)
    safe = ir.Call("if", (ir.Literal(False, BOOL), bad, ir.Literal(7, INT)), INT)
    first = ir.Call("coalesce", (ir.Literal(7, INT), bad), INT)
    assert lab.ask(safe, [], 0) == [7]
    assert lab.ask(first, [], 0) == [7]
    with pytest.raises(ValueFailure):
        lab.ask(bad, [], 0)


def test_the_condition_of_a_retimed_stream_is_at_the_new_time(lab: Any) -> None:
    now = ir.EvaluationTime(TIMESTAMP)
    late = ir.Call("ge", (now, ir.Literal(50, TIMESTAMP)), BOOL)
    stream = ir.Stream("m.later", "m.payments", late, ir.Column("seen", TIMESTAMP), ())
    data = lab.rows((1, 1.0), (2, 2.0))
    data[1]["seen"] = 50
    rows = Interpreter(lab.plan(streams=(stream,)), {"m.payments": data}, 10**15).rows("m.later")
    assert [row["amount"] for row in rows] == [2.0]
