"""Active intervals against the definition of every window."""

from __future__ import annotations

import random

import duckdb
import pytest

from astrafs.backends.duckdb.windows import active_interval
from astrafs.plan import ir

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
    found = active_interval(window, ordered_arrival=False)
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
    found = active_interval(window, ordered_arrival=ordered)
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
