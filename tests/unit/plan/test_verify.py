"""The verifier finds every broken invariant and names the node."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.json import dumps, loads
from astrafs.plan.verify import engine_type, verify
from astrafs.typesys import FLOAT, INT, STRING, Kind, Type


def test_a_sound_plan_passes(plan: ir.Plan) -> None:
    verify(plan)


DAY = 86_400_000_000
EDITS = [
    ('"function": "is_not_null"', '"function": "is_nothing"', "no function is_nothing"),
    ('"function": "count"', '"function": "tally"', "no aggregate tally"),
    ('"function": "to_float"', '"function": "not"', "expected a bool"),
    ('"base": "shop.transactions"', '"base": "shop.nothing"', "stream shop.approved: no rows"),
    ('"base": "shop.transactions"', '"base": "shop.fx_rates"', "is a table"),
    ('"rows": "shop.transactions"', '"rows": "shop.homes"', "shop.homes is a table"),
    ('"rows": "shop.transactions"', '"rows": "nowhere"', "no rows nowhere"),
    ('"table": "shop.fx_rates"', '"table": "shop.transactions"', "no table shop.transactions"),
    ('"column": "rate"', '"column": "rating"', r"no column shop.fx_rates.rating"),
    ('"column": "seen_at"', '"column": "note"', "note is string"),
    ('"time": "at"', '"time": "when"', "no column when"),
    (f'"far": {7 * DAY}', '"far": 0', "window RangeWindow"),
    ('"rows": 5', '"rows": 0', "window LastWindow"),
    ('"offset": 3600000000', '"offset": -1', "in the future"),
    ('"delay": 0', '"delay": -1', "negative delay"),
    ('"precision": 12', '"precision": 0', "has type decimal"),
    ("common.User.age@1", "zzz.User.age@1", "features are not sorted"),
    ("common.User.age@1", "aaa.User.age@1", "no entity aaa.User"),
    ('"feature": "common.User.txn_count_7d@1"', '"feature": "common.User.age@9"', "no feature"),
    ('"value": "EUR"', '"value": 7', "7 is no string"),
    (
        '"name": "day",\n          "expression"',
        '"name": "n",\n          "expression"',
        "not unique",
    ),
    (
        '"name": "note",\n              "type": "string?"',
        '"name": "note",\n              "type": "int?"',
        "column note: int",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), EDITS)
def test_broken_plans_are_named(plan: ir.Plan, old: str, new: str, message: str) -> None:
    text = dumps(plan)
    assert old in text, "the edit must hit something"
    with pytest.raises(PlanError, match=re.escape(message)):
        verify(loads(text.replace(old, new, 1)))


def test_times_and_entities_must_be_there(plan: ir.Plan) -> None:
    homes = plan.sources[1]
    timeless = (plan.sources[0], replace(homes, static=""), plan.sources[2])
    with pytest.raises(PlanError, match=r"source shop\.homes: no time"):
        verify(replace(plan, sources=timeless))
    with pytest.raises(PlanError, match=r"stream shop\.approved: .*no entity shop\.Merchant"):
        verify(replace(plan, entities=plan.entities[:2], features=plan.features[:-1]))
    with pytest.raises(PlanError, match=r"feature m\.E\.f: value: t is int"):
        verify(one(ir.EvaluationTime(INT)))


def one(expr: ir.Expr, made: Type = INT) -> ir.Plan:
    entity = ir.Entity("m.E", (ir.Field("k", INT),))
    return ir.Plan((entity,), (), (), (ir.Feature(ir.FeatureId("m.E", "f"), made, expr),), ())


@pytest.mark.parametrize(
    ("expr", "made", "message"),
    [
        (ir.Literal(1, INT), FLOAT, "value: int for float"),
        (ir.Literal(True, INT), INT, "True is no int"),
        (ir.Literal(None, INT), INT, "null of type int"),
        (ir.Literal(None, INT.optional()), INT, "value: int? for int"),
        (ir.KeyPart("q", INT), INT, "no key q"),
        (ir.KeyPart("k", STRING), STRING, "key k: string for int"),
        (ir.Column("c", INT), INT, "no column c"),
        (ir.Literal(1, Type(Kind.ERROR)), INT, "a node of type error"),
        (ir.FeatureRef(ir.FeatureId("m.E", "f"), INT), INT, "cycle: m.E.f -> m.E.f"),
        (
            ir.Call("add", (ir.Literal(1, INT), ir.Literal(1.0, FLOAT)), FLOAT),
            FLOAT,
            "add: argument 1: int for float",
        ),
        (
            ir.Call("add", (ir.Literal(1, INT), ir.Literal(1, INT)), FLOAT),
            FLOAT,
            "add: float for int",
        ),
        (ir.Call("add", (ir.Literal(1, INT),), INT), INT, "add(int): expected 2"),
    ],
)
def test_broken_expressions(expr: ir.Expr, made: Type, message: str) -> None:
    with pytest.raises(PlanError, match=re.escape(message)):
        verify(one(expr, made))


def test_narrower_than_declared_is_sound() -> None:
    verify(one(ir.KeyPart("k", INT), INT.optional()))
    verify(one(ir.Literal(None, Type(Kind.NULL, nullable=True)), INT.optional()))


def test_engine_type_drops_what_only_the_checker_knows() -> None:
    user = Type(Kind.KEY, nullable=True, entity="m.User", parts=(INT,))
    assert engine_type(user) == INT.optional()
    assert engine_type(Type(Kind.FLOAT, unit=(("usd", 1),))) == FLOAT
