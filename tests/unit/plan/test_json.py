"""Canonical JSON: exact out and in, and a clear refusal of anything else."""

from __future__ import annotations

import json as plain_json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.json import dumps, loads
from astrafs.typesys import BOOL, FLOAT, INT, STRING, Kind, Type


def test_every_node_comes_back(plan: ir.Plan) -> None:
    text = dumps(plan)
    assert loads(text) == plan
    assert dumps(loads(text)) == text
    again = {feature.id: feature for feature in loads(text).features}
    for feature in plan.features:  # fields that equality leaves out
        assert again[feature.id].doc == feature.doc
        assert again[feature.id].owner == feature.owner
        assert again[feature.id].tags == feature.tags
        assert again[feature.id].deprecated == feature.deprecated


def test_text_is_plain_json_with_the_schema_version(plan: ir.Plan) -> None:
    data = plain_json.loads(dumps(plan))
    assert data["schema_version"] == ir.SCHEMA_VERSION
    assert [source["name"] for source in data["sources"]] == [s.name for s in plan.sources]


literals = st.one_of(
    st.tuples(st.integers(), st.just(INT)),
    st.tuples(st.floats(), st.just(FLOAT)),
    st.tuples(st.text(), st.just(STRING)),
    st.tuples(st.booleans(), st.just(BOOL)),
    st.tuples(st.binary(), st.just(Type(Kind.BYTES))),
    st.tuples(st.decimals(), st.just(Type(Kind.DECIMAL, precision=38, scale=3))),
    st.tuples(st.none(), st.just(Type(Kind.NULL, nullable=True))),
)


@given(literals)
@settings(max_examples=200, deadline=None)
def test_literals_keep_every_bit(literal: tuple[ir.Value, Type]) -> None:
    value, made = literal
    feature = ir.Feature(ir.FeatureId("E", "f"), made, ir.Literal(value, made))
    back = loads(dumps(ir.Plan((), (), (), (feature,), ()))).features[0].expression
    assert isinstance(back, ir.Literal)
    assert type(back.value) is type(value)
    assert repr(back.value) == repr(value)  # tells -0.0 from 0.0, 1.50 from 1.5, and nan is nan
    assert back.type == made


def test_deep_expressions_go_out_and_in() -> None:
    expr: ir.Expr = ir.KeyPart("k", INT)
    for _ in range(300):
        expr = ir.Call("add", (expr, ir.Literal(1, INT)), INT)
    deep = ir.Plan((), (), (), (ir.Feature(ir.FeatureId("E", "f"), INT, expr),), ())
    text = dumps(deep)
    assert dumps(loads(text)) == text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"schema_version": 2', '"schema_version": 99', "schema version 99"),
        ('"node": "delay"', '"node": "later"', "expected one of the nodes known_column, delay"),
        ('"near": 0', '"near": "0"', "near: expected int"),
        ('"function": "mean"', '"fun": "mean"', "function is missing"),
        ('"rows": "shop.approved"', '"rows": "shop.approved", "more": 1', "unknown field more"),
        ('"float": "0.1"', '"float": "zero"', "not a literal"),
        ('"type": "float?"', '"type": "real"', "not a type"),
        ('"common.User.age@1"', '"age"', "not a feature id"),
        ("{", "[", "not JSON"),
    ],
)
def test_damaged_text_is_refused_with_its_place(
    plan: ir.Plan, old: str, new: str, message: str
) -> None:
    text = dumps(plan)
    assert old in text
    with pytest.raises(PlanError, match=message):
        loads(text.replace(old, new, 1))


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '"plan"', "[" * 100_000])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(PlanError):
        loads(text)


def test_decimal_scale_survives() -> None:
    made = Type(Kind.DECIMAL, precision=5, scale=2)
    feature = ir.Feature(ir.FeatureId("E", "f"), made, ir.Literal(Decimal("1.50"), made))
    plan = ir.Plan((), (), (), (feature,), ())
    assert '"1.50"' in dumps(plan)
    assert loads(dumps(plan)) == replace(plan)
