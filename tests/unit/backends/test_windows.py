"""Active intervals against the definition of every window."""

from __future__ import annotations

import random

import duckdb
import pytest

from astrafs.backends.duckdb.windows import Arrival, active_interval, session_stretches
from astrafs.plan import ir
from astrafs.typesys import BOOL

TIMES = range(-25, 60)

RANGES = [
    ir.RangeWindow(far, near, far_closed, near_closed, every)
    for far in (None, 0, 5, 12)
    for near in (-4, 0, 3)
    for far_closed in (True, False)
    for near_closed in (True, False)
    for every in (None, 1, 7)
    if far is None or far >= near
]


def in_range(window: ir.RangeWindow, event: int, known: int, t: int) -> bool:
    at = t if window.every is None else t // window.every * window.every
    age = at - event
    near = window.near <= age if window.near_closed else window.near < age
    if window.far is None:
        return known <= t and near
    return known <= t and near and (age <= window.far if window.far_closed else age < window.far)


@pytest.mark.parametrize("window", RANGES, ids=str)
def test_a_range_holds_a_row_during_its_interval(window: ir.RangeWindow) -> None:
    found = active_interval(window, Arrival(ordered=False, revised=False))
    assert found is not None
    rng = random.Random(str(window))
    rows = [(event, event + rng.choice([0, 0, 1, 6, 20])) for event in range(-20, 30, 3)]
    with duckdb.connect() as connection:
        values = ", ".join(f"({event}, {known})" for event, known in rows)
        stop = found.stop or "NULL"
        intervals = connection.execute(
            f'SELECT "@e", "@k", {found.start}, {stop} FROM (VALUES {values}) r("@e", "@k")'
        ).fetchall()
    for event, known, start, last in intervals:
        for t in TIMES:
            active = start <= t and (last is None or t <= last)
            assert active == in_range(window, event, known, t), (event, known, t)


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("within", [None, 8])
@pytest.mark.parametrize("ordered", [True, False])
def test_the_last_rows_hold_a_row_until_it_is_pushed_out(
    count: int, within: int | None, ordered: bool
) -> None:
    window = ir.LastWindow(count, within)
    found = active_interval(window, Arrival(ordered, revised=False))
    assert found is not None
    rng = random.Random(count)
    rows = []
    for order in range(1, 25):
        event = order // 2
        lag = 2 if ordered else rng.choice([0, 0, 3, 15])
        rows.append((order, event, event + lag))
    with duckdb.connect() as connection:
        values = ", ".join(f"(1, {order}, {event}, {known})" for order, event, known in rows)
        intervals = connection.execute(
            f'SELECT "@ord", {found.start}, {found.stop} '
            f'FROM (VALUES {values}) r("@kid", "@ord", "@e", "@k")'
        ).fetchall()
    for t in TIMES:
        visible = [(order, event) for order, event, known in rows if event < t and known <= t]
        latest = {
            order for order, event in visible[-count:] if within is None or t - event <= within
        }
        active = {
            order for order, start, last in intervals if start <= t and (last is None or t <= last)
        }
        assert active == latest, t


def test_a_revised_row_leaves_a_range_when_the_next_revision_is_known() -> None:
    found = active_interval(ir.RangeWindow(12, 0, True, False), Arrival(False, revised=True))
    assert found is not None
    with duckdb.connect() as connection:
        ends = connection.execute(
            f"SELECT {found.stop} FROM (VALUES (0, 0, 5), (0, 0, 99), (0, 0, NULL)) "
            f'r("@e", "@k", "@until")'
        ).fetchall()
    assert ends == [(5,), (12,), (12,)]


@pytest.mark.parametrize("late", [True, False])
def test_a_row_is_in_the_window_until_a_row_that_cuts_is_seen(late: bool) -> None:
    window = ir.SinceWindow(ir.Column("c", BOOL))
    found = active_interval(window, Arrival(not late, revised=False), '"c"')
    assert found is not None
    rng = random.Random(late)
    rows = []
    for order in range(1, 25):
        event = order // 2
        known = event + (rng.choice([0, 0, 3, 15]) if late else 0)
        rows.append((order, event, known, rng.choice([True, False, False, None])))
    with duckdb.connect() as connection:
        values = ", ".join(
            f"(1, {o}, {e}, {k}, {'NULL' if c is None else c})" for o, e, k, c in rows
        )
        intervals = connection.execute(
            f'SELECT "@ord", {found.start}, {found.stop} '
            f'FROM (VALUES {values}) r("@kid", "@ord", "@e", "@k", "c")'
        ).fetchall()
    for t in TIMES:
        visible = [row for row in rows if row[1] < t and row[2] <= t]
        cuts = [order for order, *_, cut in visible if cut is True]
        latest = {order for order, *_ in visible if order > max(cuts, default=0)}
        active = {
            order for order, start, last in intervals if start <= t and (last is None or t <= last)
        }
        assert active == latest, t


@pytest.mark.parametrize("delay", [0, 2, 5])
def test_a_session_holds_a_row_during_its_stretches(delay: int) -> None:
    gap = 4
    rng = random.Random(delay)
    events = sorted(rng.randrange(40) for _ in range(20))
    seen = [max(event + delay, event + 1) for event in events]
    rows = [
        f"(1, {n}, {event}, {start}, 0)"
        for n, (event, start) in enumerate(zip(events, seen, strict=True))
    ]
    window = ir.SessionWindow(gap)
    begun = f'(VALUES {", ".join(rows)}) r("@kid", "@ord", "@e", "@start", "@from")'
    with duckdb.connect() as connection:
        runs = connection.execute(
            f'SELECT "@ord", "@begin", "@stop" FROM ({session_stretches(window, begun)})'
        ).fetchall()
    for t in range(60):
        expected, later = set(), t
        for order in reversed([n for n, start in enumerate(seen) if start <= t]):
            if later - events[order] > gap:
                break
            expected.add(order)
            later = events[order]
        found = [order for order, start, stop in runs if start <= t <= stop]
        assert sorted(found) == sorted(expected), t
