"""Small plans, built by hand: one source of payments by user, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from astrafs.plan import ir
from astrafs.reference import Question, evaluate_feature
from astrafs.typesys import FLOAT, INT, STRING, TIMESTAMP, Type

USER = ir.Entity("m.User", (ir.Field("id", INT),))
ROUTE = ir.Entity("m.Route", (ir.Field("origin", STRING), ir.Field("dest", STRING)))
PAYMENTS = ir.Source(
    "m.payments",
    False,
    (
        ir.SourceColumn("key", STRING),
        ir.SourceColumn("user", INT.optional()),
        ir.SourceColumn("amount", FLOAT.optional()),
        ir.SourceColumn("at", TIMESTAMP),
        ir.SourceColumn("seen", TIMESTAMP),
    ),
    ("key",),
    "at",
    ir.Delay(0),
)
FOREVER = 10**15


class Lab:
    """Builds features over the payments and evaluates them."""

    user_key = (ir.Column("user", INT.optional()),)
    amount = ir.Column("amount", FLOAT.optional())

    def feature(self, name: str, expression: ir.Expr, entity: str = "m.User") -> ir.Feature:
        return ir.Feature(ir.FeatureId(entity, name), expression.type, expression)

    def aggregate(
        self,
        function: str,
        window: ir.Window,
        *args: ir.Expr,
        type_: Type = INT,
        rows: str = "m.payments",
        keys: tuple[ir.Expr, ...] | None = None,
        **filters: ir.Expr,
    ) -> ir.Aggregate:
        return ir.Aggregate(
            function,
            args,
            filters.get("where"),
            filters.get("block_where"),
            rows,
            self.user_key if keys is None else keys,
            window,
            type_,
        )

    def plan(
        self,
        *features: ir.Feature,
        sources: Sequence[ir.Source] = (PAYMENTS,),
        streams: Sequence[ir.Stream] = (),
        entities: Sequence[ir.Entity] = (USER, ROUTE),
        views: Sequence[ir.View] = (),
    ) -> ir.Plan:
        return ir.Plan(
            tuple(entities), tuple(sources), tuple(streams), tuple(features), tuple(views)
        )

    def rows(self, *events: tuple[int, float | None], user: int = 1) -> list[dict[str, Any]]:
        return [
            {"key": f"k{place}", "user": user, "amount": amount, "at": at, "seen": at}
            for place, (at, amount) in enumerate(events)
        ]

    def ask(
        self,
        expression: ir.Expr,
        data: Sequence[Mapping[str, Any]],
        *times: int,
        user: int | None = 1,
        as_of: int = FOREVER,
        source: ir.Source = PAYMENTS,
    ) -> list[Any]:
        plan = self.plan(self.feature("x", expression), sources=(source,))
        questions = [Question((user,), t) for t in times]
        return evaluate_feature(plan, plan.features[0].id, {"m.payments": data}, questions, as_of)


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def over() -> Callable[..., ir.RangeWindow]:
    """``over(7)`` is the plain window of 7 microseconds; options as in the plan."""

    def build(far: int | None, near: int = 0, **options: Any) -> ir.RangeWindow:
        edges = {"far_closed": True, "near_closed": False, **options}
        return ir.RangeWindow(far, near, **edges)

    return build
