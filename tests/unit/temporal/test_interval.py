"""Intervals and windows, against the definition of a window applied to every moment."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astrafs.plan import ir
from astrafs.temporal.interval import (
    ALWAYS,
    NOW,
    Interval,
    farthest_age,
    moment,
    nearest_age,
    window_interval,
)

EARLY, LATE = -60, 120


def holds(window: ir.RangeWindow, t: int, e: int) -> bool:
    """The definition: ages from the near to the far edge, t rounded down to ``every``."""
    age = (t // window.every * window.every if window.every else t) - e
    near = window.near <= age if window.near_closed else window.near < age
    if window.far is None:
        return near
    return near and (age <= window.far if window.far_closed else age < window.far)


windows = st.builds(
    ir.RangeWindow,
    st.one_of(st.none(), st.integers(-5, 20)),
    st.integers(-10, 15),
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 7)),
).filter(lambda window: window.far is None or window.far >= window.near + 2)


@given(windows)
@settings(max_examples=80, deadline=None)
def test_window_interval_is_the_hull_of_what_it_may_hold(window: ir.RangeWindow) -> None:
    if window.far is None:
        window = ir.RangeWindow(None, window.near, False, window.near_closed, window.every)
    found = window_interval(window)
    offsets = {e - t for t in range(42) for e in range(EARLY, LATE) if holds(window, t, e)}
    assert found.high is not None
    assert max(offsets) == found.high - (not found.high_closed)
    if found.low is None:
        assert holds(window, 41, EARLY)
    else:
        # Where t is rounded down the bound is open, and a microsecond more generous than needed.
        spare = window.every is not None and not window.far_closed
        assert min(offsets) == found.low + (not found.low_closed) + spare
    assert nearest_age(window) == -found.high
    assert farthest_age(window) == (None if found.low is None else -found.low)


def test_last_rows() -> None:
    assert window_interval(ir.LastWindow(5)) == Interval(None, 0)
    assert window_interval(ir.LastWindow(5, 7)) == Interval(-7, 0, True, False)
    assert nearest_age(ir.LastWindow(5, 7)) == 0
    assert farthest_age(ir.LastWindow(5)) is None


bounds = st.one_of(st.none(), st.integers(-9, 9))
intervals = st.builds(Interval, bounds, bounds, st.booleans(), st.booleans()).filter(
    lambda one: one.low is None or one.high is None or one.low + 2 <= one.high
)


def members(one: Interval) -> set[int]:
    """Doubled moments, so that open edges leave something between whole numbers."""
    low = -200 if one.low is None else 2 * one.low + (not one.low_closed)
    high = 200 if one.high is None else 2 * one.high - (not one.high_closed)
    return set(range(low, high + 1))


@given(intervals, intervals)
@settings(max_examples=80, deadline=None)
def test_union_and_sum_cover_just_their_parts(one: Interval, two: Interval) -> None:
    both = members(one | two)
    assert min(both) == min(members(one) | members(two))
    assert max(both) == max(members(one) | members(two))
    assert one | two == two | one or {one.low, two.low, one.high, two.high} >= {None}
    total = one + two
    if total.low is not None and one.low is not None and two.low is not None:
        assert total.low == one.low + two.low
        assert total.low_closed == (one.low_closed and two.low_closed)
    else:
        assert total.low is None
    assert one + NOW == one
    assert one.shift(3).shift(-3) == one


@pytest.mark.parametrize(
    ("interval", "text", "future"),
    [
        (Interval(-604_800_000_000, 0, True, False), "[t-7d, t)", False),
        (Interval(None, 0), "(-inf, t)", False),
        (Interval(None, 0, False, True), "(-inf, t]", False),
        (Interval(0, 1_800_000_000, False, True), "(t, t+30m]", True),
        (ALWAYS, "(-inf, +inf)", True),
        (NOW, "[t, t]", False),
    ],
)
def test_text(interval: Interval, text: str, future: bool) -> None:
    assert str(interval) == text
    assert interval.reads_future is future


def test_moments() -> None:
    assert [moment(at) for at in (0, 1, -90_000_000)] == ["t", "t+1us", "t-1m30s"]
