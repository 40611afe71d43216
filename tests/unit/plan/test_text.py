"""Plans as text: operators and windows as authors write them."""

from __future__ import annotations

import pytest

from astrafs.plan import ir
from astrafs.plan.text import expression_text, plan_text, window_text
from astrafs.typesys import BOOL, DATE, INT, STRING, TIMESTAMP

H = 3_600_000_000
D = 24 * H
A, B, C = (ir.Column(name, INT) for name in "abc")
P, Q = (ir.Column(name, BOOL) for name in "pq")


def call(name: str, *args: ir.Expr) -> ir.Call:
    return ir.Call(name, args, INT)


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (ir.RangeWindow(7 * D, 0, True, False), "7d"),
        (ir.RangeWindow(67 * D, 60 * D, True, False), "7d offset 60d"),
        (ir.RangeWindow(7 * D, 0, False, True), "7d including now"),
        (ir.RangeWindow(7 * D, 0, True, False, H), "7d every 1h"),
        (ir.RangeWindow(7 * D, H, False, False), "(7d, 1h)"),
        (ir.RangeWindow(7 * D, 0, True, True), "[7d, 0s]"),
        (ir.RangeWindow(H // 2, -H // 2, True, True), "[30m, -30m]"),
        (ir.RangeWindow(0, -30 * D, False, True), "next 30d"),
        (ir.RangeWindow(None, 0, False, False), "all"),
        (ir.RangeWindow(None, 0, False, True), "all including now"),
        (ir.RangeWindow(None, D, False, False), "all offset 1d"),
        (ir.LastWindow(5), "last 5"),
        (ir.LastWindow(5, 7 * D), "last 5 within 7d"),
    ],
)
def test_windows(window: ir.Window, text: str) -> None:
    assert window_text(window) == text


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (call("add", call("mul", A, B), C), "a * b + c"),
        (call("mul", call("add", A, B), C), "(a + b) * c"),
        (call("sub", A, call("sub", B, C)), "a - (b - c)"),
        (call("sub", call("sub", A, B), C), "a - b - c"),
        (call("coalesce", A, call("coalesce", B, C)), "a ?? b ?? c"),
        (call("coalesce", call("coalesce", A, B), C), "(a ?? b) ?? c"),
        (call("eq", call("eq", A, B), P), "(a == b) == p"),
        (call("or", call("and", P, Q), Q), "p and q or q"),
        (call("and", call("or", P, Q), Q), "(p or q) and q"),
        (call("not", call("and", P, Q)), "not (p and q)"),
        (call("neg", call("neg", A)), "-(-a)"),
        (call("neg", ir.Literal(-1, INT)), "-(-1)"),
        (call("in", A, ir.Literal(1, INT), B), "a in [1, b]"),
        (call("is_null", call("add", A, B)), "a + b is null"),
        (call("if", P, A, call("add", A, B)), "if p then a else a + b"),
        (call("add", call("if", P, A, B), C), "(if p then a else b) + c"),
        (call("if", P, A, call("if", Q, B, C)), "if p then a else if q then b else c"),
        (call("null_if", call("if", P, A, B), C), "null_if(if p then a else b, c)"),
        (ir.Literal('a "b"', STRING), '"a \\"b\\""'),
        (ir.Literal(0, TIMESTAMP), "1970-01-01T00:00:00Z"),
        (ir.Literal(-1, TIMESTAMP), "1969-12-31T23:59:59.999999Z"),
        (ir.Literal(20_000, DATE), "2024-10-04"),
        (ir.Literal(2**62, TIMESTAMP), "timestamp(4611686018427387904)"),
        (
            ir.EntityLookup("m.E", (A, B), ir.FeatureId("m.E", "f", 2), H, INT),
            "m.E[a, b].f@2 offset 1h",
        ),
        (ir.TableLookup("m.t", (A,), "c", H, 2 * H, INT), "m.t[a].c within 2h offset 1h"),
    ],
)
def test_expressions(expr: ir.Expr, text: str) -> None:
    assert expression_text(expr) == text


def test_aggregates_in_operators_are_set_apart() -> None:
    week = ir.RangeWindow(7 * D, 0, True, False)
    count = ir.Aggregate("count", (), P, Q, "m.s", (A, B), week, INT)
    text = "count(where p) over 7d from m.s by a, b where q"
    assert expression_text(count) == text
    assert expression_text(call("add", count, C)) == f"({text}) + c"


def test_whole_plan_has_every_declaration(plan: ir.Plan) -> None:
    text = plan_text(plan)
    for name in (
        "entity common.User { user_id: int }",
        "request shop.Checkout { user_id: User, day: date? }",
        '  static "a place of birth never changes"',
        '  txn_id:      string from "Txn Id"',
        "  disputed:    bool settles 60d",
        "stream shop.approved from shop.transactions",
        "feature common.User.ratio@2: float?",
        "view shop.checkout for shop.Checkout",
    ):
        assert f"{name}\n" in text
    assert text == plan_text(plan)
