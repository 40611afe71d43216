"""A small program built by hand, and files for it: these tests need no compiler front end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from astrafs.plan import ir
from astrafs.plan.program import Binding, Program
from astrafs.runtime.backfill import Place
from astrafs.source import Span
from astrafs.typesys import BOOL, FLOAT, INT, STRING, TIMESTAMP, Kind, Type

INSTANT = pa.timestamp("us", "UTC")
USER = Type(Kind.KEY, entity="shop.User", parts=(INT,))
STATUS = Type(Kind.ENUM, values=("paid", "open"))
DAY = 86_400_000_000
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def window(days: int | None) -> ir.RangeWindow:
    """Return ``over {days}d``, or ``over all``."""
    return ir.RangeWindow(None if days is None else days * DAY, 0, True, False)


def aggregate(
    function: str, args: tuple[ir.Expr, ...], days: int | None, type_: Type
) -> ir.Aggregate:
    """Return an aggregate over the orders of a user."""
    return ir.Aggregate(
        function, args, None, None, "shop.orders", (ir.Column("user_id", INT),), window(days), type_
    )


ORDERS = ir.Source(
    "shop.orders",
    False,
    (
        ir.SourceColumn("order_id", STRING),
        ir.SourceColumn("user_id", USER),
        ir.SourceColumn("amount", FLOAT),
        ir.SourceColumn("status", STATUS),
        ir.SourceColumn("note", STRING.optional()),
        ir.SourceColumn("at", TIMESTAMP),
        ir.SourceColumn("seen", TIMESTAMP),
    ),
    ("order_id",),
    "at",
    ir.KnownColumn("seen"),
    expects=(ir.Call("ge", (ir.Column("amount", FLOAT), ir.Literal(0.0, FLOAT)), BOOL),),
)


def feature(name: str, expression: ir.Expr) -> ir.Feature:
    """Return a feature of a user."""
    return ir.Feature(ir.FeatureId("shop.User", name), expression.type, expression, "doc", "owner")


AMOUNT = ir.Column("amount", FLOAT)
FEATURES = (
    feature("mean_all", aggregate("mean", (AMOUNT,), None, FLOAT.optional())),
    feature("orders_7d", aggregate("count", (), 7, INT)),
    feature("total_7d", aggregate("sum", (AMOUNT,), 7, FLOAT)),
)
VIEW = ir.View(
    "shop.user_vector",
    "shop.User",
    tuple(ir.Output(f.id.name, ir.FeatureRef(f.id, f.type), f.type) for f in FEATURES),
)
PLAN = ir.Plan(
    (ir.Entity("shop.User", (ir.Field("user_id", INT),)),), (ORDERS,), (), FEATURES, (VIEW,)
)


def program(plan: ir.Plan = PLAN, format_: str = "parquet", *patterns: str) -> Program:
    """Return ``plan`` with every source bound to ``patterns`` (default: ``data/*``)."""
    bindings = {
        source.name: Binding(format_, patterns or ("data/*",), Span("", 0, 0))
        for source in plan.sources
    }
    return Program(plan, bindings, {}, {}, {}, {})


def place(root: Path) -> Place:
    """Return a project at ``root`` that may read under ``root``."""
    return Place(root, (root,), {})


def with_source(source: ir.Source) -> ir.Plan:
    """Return the plan with another declaration of the orders."""
    return replace(PLAN, sources=(source,))


def days(*numbers: float) -> list[datetime]:
    """Return the instants that many days after 2026-01-01."""
    return [JANUARY + timedelta(days=number) for number in numbers]


def orders(**changes: Any) -> pa.Table:
    """Return five good orders; ``changes`` replaces whole columns."""
    at = days(0, 1, 2, 3, 40)
    columns: dict[str, Any] = {
        "order_id": ["a", "b", "c", "d", "e"],
        "user_id": pa.array([1, 1, 2, 1, 2], pa.int32()),
        "amount": [1.5, 2.5, -0.0, 4.0, 8.0],
        "status": ["paid", "open", "paid", "paid", "open"],
        "note": ["x", None, "", "y", "z"],
        "at": pa.array(at, INSTANT),
        "seen": pa.array([time + timedelta(hours=1) for time in at], INSTANT),
    }
    columns.update(changes)
    return pa.table(columns)


def write(root: Path, table: pa.Table, name: str = "orders.parquet") -> Path:
    """Write ``table`` under ``root/data``."""
    path = root / "data" / name
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path)
    return path


def spine(*rows: tuple[int | None, float], **more: list[Any]) -> pa.Table:
    """Return a spine of (user, day after 2026-01-01) rows with further columns."""
    columns = {
        "user_id": pa.array([user for user, _ in rows], pa.int64()),
        "t": pa.array(days(*(day for _, day in rows)), INSTANT),
    }
    return pa.table({**columns, **more})
