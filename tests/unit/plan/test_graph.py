"""Dependency graphs: orders, cycles, dependents, pruning."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.graph import (
    affected,
    closure,
    cycles,
    dependencies,
    dependents,
    find_cycle,
    plan_order,
    topological_order,
)
from astrafs.plan.prune import prune, reachable
from astrafs.plan.verify import verify
from astrafs.typesys import INT

COUNT = ir.FeatureId("common.User", "txn_count_7d")
RATE = ir.FeatureId("shop.Merchant", "dispute_rate_90d")


def test_dependencies_of_a_plan(plan: ir.Plan) -> None:
    graph = dependencies(plan)
    assert graph["shop.transactions"] == ()
    assert graph["shop.approved"] == ("shop.transactions", RATE)
    assert graph[COUNT] == ("shop.approved",)
    assert graph[ir.FeatureId("common.User", "ratio", 2)] == ("shop.fx_rates", COUNT)
    assert graph[ir.FeatureId("common.User", "home")] == ("shop.homes",)


def test_order_puts_everything_after_what_it_reads(plan: ir.Plan) -> None:
    graph = dependencies(plan)
    order = plan_order(plan)
    assert set(order) == set(graph)
    for node, reads in graph.items():
        assert all(order.index(read) < order.index(node) for read in reads)


def test_affected_follows_readers(plan: ir.Plan) -> None:
    found = affected(plan, [RATE])
    assert "shop.approved" in found
    assert COUNT in found
    assert "shop.transactions" not in found


def test_order_does_not_depend_on_the_order_given() -> None:
    graph = {"a": ("b",), "b": (), "c": (), "d": ("a", "c")}
    turned = dict(reversed(graph.items()))
    assert topological_order(graph) == topological_order(turned) == ("b", "a", "c", "d")


def test_order_names_a_cycle() -> None:
    with pytest.raises(PlanError, match="cycle: a -> b -> a"):
        topological_order({"c": ("a",), "b": ("a",), "a": ("b",)})


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, None),
        ({"a": ("b", "c"), "b": ("c",), "c": ()}, None),
        ({"a": ("a",)}, ("a",)),
        ({"b": ("a",), "a": ("b",)}, ("a", "b")),
        ({"a": ("b",), "b": ("c",), "c": ("a", "d"), "d": ("c",)}, ("c", "d")),
        ({"z": ("y",), "y": ("z",), "a": ("b",), "b": ("c",), "c": ("a",)}, ("y", "z")),
        ({"a": ("b", "outside"), "b": ()}, None),
    ],
)
def test_shortest_cycle(
    graph: dict[str, tuple[str, ...]], expected: tuple[str, ...] | None
) -> None:
    assert find_cycle(graph) == expected


def test_one_cycle_for_every_knot() -> None:
    graph = {"z": ("y",), "y": ("z",), "a": ("b",), "b": ("a",), "c": ("a", "z")}
    assert cycles(graph) == (("a", "b"), ("y", "z"))


def shortest_by_force(graph: dict[int, tuple[int, ...]]) -> int | None:
    best: int | None = None
    for start in graph:
        front, steps = {start}, 0
        while front and steps <= len(graph):
            steps += 1
            front = {target for node in front for target in graph[node]}
            if start in front:
                best = steps if best is None else min(best, steps)
                break
    return best


@given(
    st.integers(1, 9).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(0, n - 1), max_size=4).map(tuple), min_size=n, max_size=n
        )
    )
)
@settings(max_examples=300, deadline=None)
def test_cycles_agree_with_brute_force(edges: list[tuple[int, ...]]) -> None:
    graph = dict(enumerate(edges))
    found = find_cycle(graph)
    expected = shortest_by_force(graph)
    assert (None if found is None else len(found)) == expected
    if found is None:
        order = topological_order(graph)
        assert sorted(order) == sorted(graph)
    else:
        following = (*found[1:], found[0])
        assert all(new in graph[old] for old, new in zip(found, following, strict=True))
        assert len(set(found)) == len(found)
        items = list(graph.items())
        random.Random(0).shuffle(items)
        assert find_cycle(dict(items)) == found


def test_long_rings_and_chains_are_quick() -> None:
    size = 10_000
    ring = {index: ((index + 1) % size,) for index in range(size)}
    started = time.process_time()
    found = find_cycle(ring)
    assert found is not None
    assert len(found) == size
    assert len(closure(ring, [0])) == size
    assert time.process_time() - started < 60


def test_dependents_turn_edges_round() -> None:
    assert dependents({"a": ("b",), "c": ("b",), "b": ()}) == {"a": (), "c": (), "b": ("a", "c")}


def test_reachable_keeps_just_what_a_view_reads(plan: ir.Plan) -> None:
    small = reachable(plan, "shop.checkout")
    verify(small)
    assert [feature.id.name for feature in small.features] == ["txn_count_7d", "day"]
    assert [source.name for source in small.sources] == ["shop.transactions"]
    assert [column.name for column in small.sources[0].columns] == [
        "txn_id",
        "user_id",
        "amount",  # a contract reads it
        "status",
        "note",
        "at",
        "seen_at",
    ]
    assert small.streams[0].columns == ()
    assert [entity.name for entity in small.entities] == ["common.User", "shop.Checkout"]


def test_prune_by_features_and_tables_keep_all_columns(plan: ir.Plan) -> None:
    ratio = ir.FeatureId("common.User", "ratio", 2)
    small = prune(plan, features=[ratio])
    verify(small)
    table = next(source for source in small.sources if source.table)
    whole = next(source for source in plan.sources if source.name == table.name)
    assert table == whole
    assert {feature.id for feature in small.features} == {ratio, COUNT}


def test_prune_follows_computed_columns(plan: ir.Plan) -> None:
    count = next(f for f in plan.features if f.id == COUNT)
    assert isinstance(count.expression, ir.Aggregate)
    risk = ir.Column("merchant_risk", INT.optional())
    reading = replace(count, expression=replace(count.expression, args=(risk,)))
    features = tuple(reading if f.id == COUNT else f for f in plan.features)
    small = prune(replace(plan, features=features), features=[COUNT])
    assert RATE in {feature.id for feature in small.features}
    assert "disputed" in {column.name for column in small.sources[0].columns}
    assert [column.name for column in small.streams[0].columns] == ["merchant_risk"]


def test_unknown_roots_are_named(plan: ir.Plan) -> None:
    with pytest.raises(PlanError, match="no view nothing"):
        reachable(plan, "nothing")
    with pytest.raises(PlanError, match=r"no feature E\.f"):
        prune(plan, features=[ir.FeatureId("E", "f")])
