"""Footprints of programs: windows, chains, re-timing, tables."""

from __future__ import annotations

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.source import SourceFile
from astrafs.temporal.footprint import Reading, footprints
from astrafs.temporal.interval import Interval
from astrafs.temporal.report import footprint_text
from astrafs.temporal.rows import row_times
from astrafs.typesys import INT

H = 3_600_000_000
D = 24 * H

PROGRAM = """
owner "a@b.test"
entity User { user_id: int }
entity Shop { shop_id: int }

## Orders.
source orders from parquet("o.parquet") key id time at delay 5m {
  id: int
  user_id: User
  shop_id: Shop
  at: timestamp
  paid_at: timestamp
  sent_at: timestamp?
  expect paid_at >= at
  expect sent_at >= paid_at
}

## Rates.
table rates from csv("r.csv") key code time at max_age 2h {
  code: string
  rate: float
  at: timestamp
}

stream sent from orders time sent_at where sent_at is not null {
  shop_n: int = Shop[shop_id].n offset 1h
  rate: float? = rates["EUR"].rate
}
stream sent_late from sent time later {
  later: timestamp = paid_at + 3h
}
stream due from orders time due_at {
  due_at: timestamp = at + 30d
}
stream last_of from orders time last_at where sent_at is not null {
  last_at: timestamp = greatest(at + 1d, paid_at, sent_at)
}
stream some_time from orders time some_at {
  some_at: timestamp = if id > 3 then at + 1d else paid_at
}

features for Shop from orders {
  ## N.
  n: int = count() over 7d
}
features for User from sent {
  ## Rows alone.
  alone: int = count() over 1d
  ## With a lookup.
  shop: int? = max(shop_n) over [2d, 1d)
  ## With a table.
  euro: float? = last(rate) over last 3
}
features for User from sent_late {
  ## Through two clocks.
  twice: int? = max(shop_n) over 1d
}
features for User {
  ## Both.
  both: float? = (alone ?? 0) + rates["EUR"].rate offset 1d within 30m
  ## Of t.
  of_t: int = hour(t, "UTC")
  ## Chain.
  chain: float? = User[User(user_id)].both offset 1d
}
"""


def program(more: str = "") -> Program:
    sink = Sink()
    text = PROGRAM.replace("(alone ?? 0)", "alone") + more
    compiled = compile_project((SourceFile("m.afs", text),), sink)
    assert compiled is not None
    assert [found.title for found in sink] == []
    return compiled


def readings() -> dict[str, dict[tuple[str, ...], Reading]]:
    plan = program().plan
    return {
        feature.name: {
            (reading.source.removeprefix("m."), *reading.via): reading
            for reading in footprint.readings
        }
        for feature, footprint in footprints(plan).items()
    }


def test_intervals_add_up_along_every_path() -> None:
    found = readings()
    assert found["n"][("orders",)].interval == Interval(-7 * D, 0, True, False)
    alone = found["alone"][("orders", "m.sent")]
    assert (alone.interval, alone.clock) == (Interval(-D, 0, True, False), "sent_at")
    assert alone.event_interval == Interval(None, 0)
    shop = found["shop"][("orders", "m.sent.shop_n", "m.Shop.n")]
    assert shop.interval == Interval(-9 * D - H, -D - H, True, False)
    assert shop.clock == ""
    assert found["euro"][("rates", "m.sent.rate")].interval == Interval(None, 0)
    both = found["both"][("rates",)]
    assert both.interval == Interval(-D - H // 2, -D, True, True)
    chain = found["chain"][("orders", "m.User.both", "m.User.alone", "m.sent")]
    assert chain.interval == Interval(-2 * D, -D, True, False)
    assert found["of_t"] == {}


def test_a_second_clock_takes_the_lower_bound_of_lookups() -> None:
    twice = readings()["twice"]
    lookup = twice[("orders", "m.sent.shop_n", "m.Shop.n")]
    assert lookup.interval == Interval(None, -H)
    assert twice[("orders", "m.sent_late", "m.sent")].clock == "paid_at + 3h"


def test_no_sound_program_reads_the_future() -> None:
    assert not any(r.leaks for found in readings().values() for r in found.values())


def test_row_times() -> None:
    times = {name: found for name, (found,) in row_times(program().plan).items()}
    assert times["m.orders"].not_before == {"at"}
    assert times["m.sent"].not_before == {"at", "sent_at", "paid_at"}
    assert not times["m.sent"].exact
    assert (times["m.due"].least_lag, times["m.due"].exact) == (30 * D, True)
    assert times["m.due"].not_before == {"at"}
    last_of = times["m.last_of"]
    assert (last_of.least_lag, last_of.exact) == (D, False)
    assert last_of.not_before == {"at", "sent_at", "paid_at"}
    some_time = times["m.some_time"]
    assert (some_time.least_lag, some_time.exact) == (0, False)
    assert some_time.not_before == {"at"}
    late = times["m.sent_late"]
    assert late.not_before >= {"at", "sent_at", "paid_at"}
    assert late.chain == ("m.sent_late", "m.sent", "m.orders")


def test_row_times_of_a_union_are_those_of_every_way_down() -> None:
    plan = program("\nstream twice from union(orders, due) {}\n").plan
    times = row_times(plan)["m.twice"]
    assert [(one.chain, one.least_lag) for one in times] == [
        (("m.twice", "m.orders"), 0),
        (("m.twice", "m.due", "m.orders"), 30 * D),
    ]


def test_report_lists_every_feature_once() -> None:
    plan = program().plan
    text = footprint_text(footprints(plan))
    lines = text.splitlines()
    for feature in plan.features:
        assert sum(line.startswith(f"{feature.id} ") for line in lines) == 1
    assert "m.orders by sent_at" in text
    assert "delay 5m" in text
    only = footprint_text(footprints(plan), [ir.FeatureId("m.User", "of_t")])
    assert only.splitlines()[2].split() == ["m.User.of_t", *"-----"]


def test_long_chains_are_quick_and_their_paths_are_cut() -> None:
    plan = program().plan
    base = next(f for f in plan.features if f.id.name == "alone")
    features = [base]
    for index in range(3_000):
        name = ir.FeatureId("m.User", f"z{index:05}")
        features.append(ir.Feature(name, INT, ir.FeatureRef(features[-1].id, INT)))
    shop = next(f for f in plan.features if f.id.name == "n")
    long = ir.Plan(plan.entities, plan.sources, plan.streams, (shop, *features), ())
    found = footprints(long)
    last = found[features[-1].id].readings[0]
    assert len(last.via) == 3_001
    assert "(2996 more)" in footprint_text(found, [features[-1].id])
