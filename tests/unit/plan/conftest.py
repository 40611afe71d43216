"""A hand-made plan that has every kind of node."""

from __future__ import annotations

from decimal import Decimal

import pytest

from astrafs.plan import ir
from astrafs.typesys import BOOL, DATE, DURATION, FLOAT, INT, STRING, TIMESTAMP, Kind, Type, decimal

HOUR = 3_600_000_000
DAY = 24 * HOUR
USER = Type(Kind.KEY, entity="common.User", parts=(INT,))
MERCHANT = Type(Kind.KEY, entity="shop.Merchant", parts=(INT,))
MONEY = Type(Kind.DECIMAL, precision=12, scale=2, unit=(("usd", 1),))
STATUS = Type(Kind.ENUM, values=("approved", "declined"))


def window(far: int | None, near: int = 0) -> ir.RangeWindow:
    return ir.RangeWindow(far, near, far_closed=far is not None, near_closed=False)


def build() -> ir.Plan:
    column = ir.Column
    amount = column("amount", decimal(12, 2))
    risk = ir.FeatureId("shop.Merchant", "dispute_rate_90d")
    count = ir.FeatureId("common.User", "txn_count_7d")
    ratio = ir.FeatureId("common.User", "ratio", 2)
    transactions = ir.Source(
        "shop.transactions",
        False,
        (
            ir.SourceColumn("txn_id", STRING, physical="Txn Id"),
            ir.SourceColumn("user_id", USER),
            ir.SourceColumn("merchant_id", MERCHANT),
            ir.SourceColumn("amount", MONEY),
            ir.SourceColumn("status", STATUS),
            ir.SourceColumn("note", STRING.optional()),
            ir.SourceColumn("disputed", BOOL, settles=60 * DAY),
            ir.SourceColumn("at", TIMESTAMP, zone="Europe/Paris"),
            ir.SourceColumn("seen_at", TIMESTAMP),
        ),
        ("txn_id",),
        "at",
        ir.KnownColumn("seen_at"),
        retention=400 * DAY,
        expects=(ir.Call("ge", (amount, ir.Literal(Decimal("0.00"), decimal(12, 2))), BOOL),),
    )
    rates = ir.Source(
        "shop.fx_rates",
        True,
        (
            ir.SourceColumn("currency", STRING),
            ir.SourceColumn("rate", FLOAT),
            ir.SourceColumn("at", TIMESTAMP),
        ),
        ("currency",),
        "at",
        ir.Delay(0),
        max_age=2 * HOUR,
    )
    homes = ir.Source(
        "shop.homes",
        True,
        (ir.SourceColumn("user_id", INT), ir.SourceColumn("country", STRING)),
        ("user_id",),
        "",
        ir.Delay(0),
        static="a place of birth never changes",
    )
    approved = ir.Stream(
        "shop.approved",
        "shop.transactions",
        ir.Call("eq", (column("status", STATUS), ir.Literal("approved", STATUS)), BOOL),
        column("seen_at", TIMESTAMP),
        (
            ir.ComputedColumn(
                "merchant_risk",
                ir.EntityLookup(
                    "shop.Merchant", (column("merchant_id", INT),), risk, HOUR, FLOAT.optional()
                ),
                FLOAT.optional(),
            ),
        ),
    )
    disputed = ir.Call(
        "if",
        (column("disputed", BOOL), ir.Literal(1.0, FLOAT), ir.Literal(0.1, FLOAT)),
        FLOAT,
    )
    txn_count = ir.Feature(
        count,
        INT,
        ir.Aggregate(
            "count",
            (),
            ir.Call("is_not_null", (column("note", STRING.optional()),), BOOL),
            ir.Call("eq", (column("status", STATUS), ir.Literal("approved", STATUS)), BOOL),
            "shop.approved",
            (column("user_id", INT),),
            window(7 * DAY),
            INT,
        ),
        doc="Payments.",
        owner="a@b",
        tags=("x",),
    )
    last = ir.Feature(
        ir.FeatureId("common.User", "last_amount"),
        MONEY.optional(),
        ir.Aggregate(
            "last",
            (amount,),
            None,
            None,
            "shop.approved",
            (column("user_id", INT),),
            ir.LastWindow(5, 7 * DAY),
            decimal(12, 2).optional(),
        ),
    )
    dispute_rate = ir.Feature(
        risk,
        FLOAT.optional(),
        ir.Aggregate(
            "mean",
            (disputed,),
            None,
            None,
            "shop.transactions",
            (column("merchant_id", INT),),
            window(150 * DAY, 60 * DAY),
            FLOAT.optional(),
        ),
    )
    rate = ir.TableLookup(
        "shop.fx_rates",
        (ir.Literal("EUR", STRING),),
        "rate",
        HOUR,
        2 * HOUR,
        FLOAT.optional(),
    )
    ratio_value = ir.Call(
        "mul", (ir.Call("to_float", (ir.FeatureRef(count, INT),), FLOAT), rate), FLOAT.optional()
    )
    home = ir.TableLookup(
        "shop.homes", (ir.KeyPart("user_id", INT),), "country", 0, None, STRING.optional()
    )
    age = ir.Call("sub", (ir.EvaluationTime(TIMESTAMP), ir.Literal(1_000_000, TIMESTAMP)), DURATION)
    features = (
        ir.Feature(ir.FeatureId("common.User", "age"), DURATION, age),
        ir.Feature(ir.FeatureId("common.User", "home"), STRING.optional(), home),
        last,
        ir.Feature(ratio, FLOAT.optional(), ratio_value, deprecated="no"),
        txn_count,
        ir.Feature(
            ir.FeatureId("shop.Checkout", "day"),
            DATE.optional(),
            ir.KeyPart("day", DATE.optional()),
        ),
        ir.Feature(
            ir.FeatureId("shop.Checkout", "user_count"),
            INT,
            ir.EntityLookup("common.User", (ir.KeyPart("user_id", INT),), count, 0, INT),
        ),
        dispute_rate,
    )
    outputs = (
        ir.Output(
            "n",
            ir.EntityLookup("common.User", (ir.KeyPart("user_id", INT),), count, 0, INT),
            INT,
        ),
        ir.Output(
            "day",
            ir.FeatureRef(ir.FeatureId("shop.Checkout", "day"), DATE.optional()),
            DATE.optional(),
        ),
        ir.Output("user_id", ir.KeyPart("user_id", INT), USER),
    )
    return ir.Plan(
        entities=(
            ir.Entity("common.User", (ir.Field("user_id", INT),)),
            ir.Entity(
                "shop.Checkout",
                (ir.Field("user_id", USER), ir.Field("day", DATE.optional())),
                request=True,
            ),
            ir.Entity("shop.Merchant", (ir.Field("merchant_id", INT),)),
        ),
        sources=(rates, homes, transactions),
        streams=(approved,),
        features=features,
        views=(ir.View("shop.checkout", "shop.Checkout", outputs, doc="Vector."),),
    )


@pytest.fixture
def plan() -> ir.Plan:
    return build()
