"""Identities: what may change without changing them, and what may not."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.identity import (
    canonical_feature,
    feature_identities,
    view_identities,
    view_identity,
)
from astrafs.plan.json import dumps, loads
from astrafs.plan.prune import reachable
from astrafs.typesys import INT, STRING, Kind, Type, decimal

COUNT = ir.FeatureId("common.User", "txn_count_7d")
RATIO = ir.FeatureId("common.User", "ratio", 2)
AGE = ir.FeatureId("common.User", "age")
RATE = ir.FeatureId("shop.Merchant", "dispute_rate_90d")
HOME = ir.FeatureId("common.User", "home")
LAST = ir.FeatureId("common.User", "last_amount")
LOOKUP = ir.FeatureId("shop.Checkout", "user_count")


def edited(plan: ir.Plan, old: str, new: str) -> ir.Plan:
    """Change the plan through its JSON text."""
    text = dumps(plan)
    assert old in text
    return loads(text.replace(old, new))


def source_edited(plan: ir.Plan, name: str, **changes: object) -> ir.Plan:
    sources = tuple(
        replace(source, **changes) if source.name == name else source  # type: ignore[arg-type]
        for source in plan.sources
    )
    return replace(plan, sources=sources)


def changed(before: ir.Plan, after: ir.Plan) -> set[ir.FeatureId]:
    old, new = feature_identities(before), feature_identities(after)
    assert old.keys() == new.keys()
    return {name for name in old if old[name] != new[name]}


def test_identities_are_hex_and_the_same_again(plan: ir.Plan) -> None:
    found = feature_identities(plan)
    assert list(found) == [feature.id for feature in plan.features]
    assert all(re.fullmatch("[0-9a-f]{64}", identity) for identity in found.values())
    assert found == feature_identities(loads(dumps(plan)))


def test_identities_differ_between_features(plan: ir.Plan) -> None:
    assert len(set(feature_identities(plan).values())) == len(plan.features)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shop.transactions", "shop.payments"),  # a source
        ("shop.approved", "zoo.cleared"),  # a stream, moved to another module
        ("shop.fx_rates", "rates.euro"),  # a table
        ("merchant_risk", "riskiness"),  # a computed column
        ("common.User", "people.Person"),  # an entity
        ("txn_count_7d", "payments_week"),  # a feature
        ("shop.checkout", "shop.basket"),  # a view
        ("a@b", "c@d"),  # an owner
        ("Payments.", "Every payment."),  # a description
        ('"deprecated": "no"', '"deprecated": "use another"'),
        ("never changes", "is as it is"),  # the wording of a reason
    ],
)
def test_names_and_words_mean_nothing(plan: ir.Plan, old: str, new: str) -> None:
    before = sorted(feature_identities(plan).values())
    renamed = edited(plan, old, new)
    assert sorted(feature_identities(renamed).values()) == before
    assert sorted(view_identities(renamed).values()) == sorted(view_identities(plan).values())


def test_key_columns_of_an_entity_count_by_position(plan: ir.Plan) -> None:
    user = plan.entities[0]
    renamed = replace(user, keys=(ir.Field("person_id", INT),))
    home = next(f for f in plan.features if f.id == HOME)
    assert isinstance(home.expression, ir.TableLookup)
    expression = replace(home.expression, keys=(ir.KeyPart("person_id", INT),))
    features = tuple(
        replace(f, expression=expression) if f.id == HOME else f for f in plan.features
    )
    other = replace(plan, entities=(renamed, *plan.entities[1:]), features=features)
    assert changed(plan, other) == set()


def test_order_of_declarations_means_nothing(plan: ir.Plan) -> None:
    turned = replace(
        plan,
        entities=plan.entities[::-1],
        sources=plan.sources[::-1],
        features=plan.features[::-1],
    )
    assert feature_identities(turned) == feature_identities(plan)


def test_a_column_that_is_not_read_means_nothing(plan: ir.Plan) -> None:
    source = next(s for s in plan.sources if s.name == "shop.transactions")
    extra = (*source.columns, ir.SourceColumn("extra", STRING))
    assert changed(plan, source_edited(plan, source.name, columns=extra)) == set()
    wider = tuple(replace(c, settles=None) if c.name == "disputed" else c for c in source.columns)
    assert changed(plan, source_edited(plan, source.name, columns=wider)) == {RATE}


def test_a_column_that_breaks_ties_of_a_table_counts(plan: ir.Plan) -> None:
    table = next(s for s in plan.sources if s.name == "shop.fx_rates")
    extra = (*table.columns, ir.SourceColumn("extra", STRING))
    assert changed(plan, source_edited(plan, table.name, columns=extra)) == {RATIO}


def test_contracts_do_not_count(plan: ir.Plan) -> None:
    other = source_edited(plan, "shop.transactions", expects=(), retention=None)
    assert changed(plan, other) == set()


TRANSACTIONS = {COUNT, RATIO, LAST, RATE, LOOKUP}


@pytest.mark.parametrize(
    ("source", "changes", "who"),
    [
        ("shop.transactions", {"knowledge": ir.Delay(0)}, TRANSACTIONS),
        ("shop.transactions", {"time": "seen_at"}, TRANSACTIONS),
        ("shop.transactions", {"key": ("note",)}, TRANSACTIONS),
        ("shop.transactions", {"ahead": True}, TRANSACTIONS),
        ("shop.fx_rates", {"max_age": 1}, {RATIO}),
        ("shop.fx_rates", {"max_age": None}, set()),  # the stricter age of the lookup holds
        ("shop.fx_rates", {"knowledge": ir.Delay(5)}, {RATIO}),
    ],
)
def test_time_rules_reach_every_dependent(
    plan: ir.Plan, source: str, changes: dict[str, object], who: set[ir.FeatureId]
) -> None:
    assert changed(plan, source_edited(plan, source, **changes)) == who


@pytest.mark.parametrize(
    ("old", "new", "who"),
    [
        ('"function": "count"', '"function": "count_distinct"', {COUNT, RATIO, LOOKUP}),
        ('"far_closed": true', '"far_closed": false', {COUNT, RATIO, LOOKUP, RATE}),
        (f'"far": {7 * 86_400_000_000}', '"far": 5', {COUNT, RATIO, LOOKUP}),
        ('"rows": 5', '"rows": 6', {LAST}),
        ('"float": "0.1"', '"float": "0.10000000000000002"', {RATE}),
        ('"value": "EUR"', '"value": "USD"', {RATIO}),
        ('"physical": "Txn Id"', '"physical": "txn"', TRANSACTIONS),
        ('"zone": "Europe/Paris"', '"zone": "Europe/Rome"', TRANSACTIONS),
        ('"value": "approved"', '"value": "declined"', {COUNT, RATIO, LOOKUP, LAST}),
        ('"value": 1000000', '"value": 1000001', {AGE}),
    ],
)
def test_any_change_of_meaning_counts(
    plan: ir.Plan, old: str, new: str, who: set[ir.FeatureId]
) -> None:
    assert changed(plan, edited(plan, old, new)) == who


def test_type_is_part_of_the_identity(plan: ir.Plan) -> None:
    other = edited(plan, '"usd"', '"eur"')
    assert LAST in changed(plan, other)


def test_views_are_their_names_order_and_features(plan: ir.Plan) -> None:
    view = plan.views[0]
    same = view_identity(plan, "shop.checkout")
    turned = replace(plan, views=(replace(view, outputs=view.outputs[::-1]),))
    assert view_identity(turned, "shop.checkout") != same
    alias = replace(view.outputs[0], name="m")
    renamed = replace(plan, views=(replace(view, outputs=(alias, *view.outputs[1:])),))
    assert view_identity(renamed, "shop.checkout") != same
    other = edited(plan, '"function": "count"', '"function": "count_distinct"')
    assert view_identity(other, "shop.checkout") != same
    assert view_identity(reachable(plan, "shop.checkout"), "shop.checkout") == same
    with pytest.raises(PlanError, match="no view nothing"):
        view_identity(plan, "nothing")


def literal_identity(value: ir.Value, made: Type) -> str:
    entity = ir.Entity("E", ())
    feature = ir.Feature(ir.FeatureId("E", "f"), made, ir.Literal(value, made))
    return feature_identities(ir.Plan((entity,), (), (), (feature,), ()))[feature.id]


def test_literals_are_told_apart_by_value_and_type() -> None:
    money = decimal(5, 2)
    text = literal_identity("1", STRING)
    assert literal_identity(1, INT) != literal_identity(True, INT)
    assert literal_identity(1, INT) != text
    assert literal_identity(Decimal("1.5"), money) == literal_identity(Decimal("1.50"), money)
    assert literal_identity(Decimal("15"), money) != literal_identity(Decimal("1.5"), money)
    assert literal_identity(Decimal("0.00"), money) == literal_identity(Decimal("0"), money)
    assert literal_identity(b"ab", Type(Kind.BYTES)) != literal_identity("ab", STRING)
    tricky = literal_identity('a" b', STRING)
    assert tricky != literal_identity("a b", STRING)


def test_chains_of_thousands_are_no_problem() -> None:
    entity = ir.Entity("E", (ir.Field("k", INT),))
    ids = [ir.FeatureId("E", f"f{index:05}") for index in range(5_000)]
    features = [ir.Feature(ids[0], INT, ir.KeyPart("k", INT))]
    features += [
        ir.Feature(name, INT, ir.FeatureRef(before, INT)) for before, name in pairwise(ids)
    ]
    plan = ir.Plan((entity,), (), (), tuple(features), ())
    found = feature_identities(plan)
    assert len(set(found.values())) == len(ids)


def test_canonical_text_is_what_is_hashed(plan: ir.Plan) -> None:
    text = canonical_feature(plan, COUNT)
    assert text.startswith("(feature 1 ")
    assert "txn_count_7d" not in text
    assert "shop" not in text


def called(function: str, *args: ir.Expr, made: Type = INT) -> ir.Expr:
    return ir.Call(function, args, made)


def identity_of(expr: ir.Expr) -> str:
    names = ("a", "b", "c")
    keys = tuple(ir.Field(name, INT if expr.type == INT else Type(Kind.BOOL)) for name in names)
    feature = ir.Feature(ir.FeatureId("E", "f"), expr.type, expr)
    plan = ir.Plan((ir.Entity("E", keys),), (), (), (feature,), ())
    return feature_identities(plan)[feature.id]


A, B, C = (ir.KeyPart(name, INT) for name in "abc")
BOOL = Type(Kind.BOOL)
P, Q, R = (ir.KeyPart(name, BOOL) for name in "abc")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (called("add", A, B), called("add", B, A)),
        (called("mul", A, B), called("mul", B, A)),
        (called("eq", A, B, made=BOOL), called("eq", B, A, made=BOOL)),
        (called("gt", A, B, made=BOOL), called("lt", B, A, made=BOOL)),
        (called("ge", A, B, made=BOOL), called("le", B, A, made=BOOL)),
        (
            called("and", called("and", P, Q, made=BOOL), R, made=BOOL),
            called("and", R, called("and", Q, P, made=BOOL), made=BOOL),
        ),
        (called("or", P, called("or", P, Q, made=BOOL), made=BOOL), called("or", Q, P, made=BOOL)),
    ],
)
def test_operands_that_may_change_places_do_not_count(one: ir.Expr, two: ir.Expr) -> None:
    assert identity_of(one) == identity_of(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (called("sub", A, B), called("sub", B, A)),
        (called("gt", A, B, made=BOOL), called("lt", A, B, made=BOOL)),
        (called("gt", A, B, made=BOOL), called("ge", A, B, made=BOOL)),
        # One of them may overflow where the other does not.
        (called("add", called("add", A, B), C), called("add", A, called("add", B, C))),
        (
            called("and", called("or", P, Q, made=BOOL), R, made=BOOL),
            called("or", P, called("and", Q, R, made=BOOL), made=BOOL),
        ),
    ],
)
def test_operands_that_may_not_change_places_count(one: ir.Expr, two: ir.Expr) -> None:
    assert identity_of(one) != identity_of(two)
