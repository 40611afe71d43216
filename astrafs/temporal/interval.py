"""Intervals of event time relative to the prediction time, and the windows that give them."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.typesys import duration_text
from astrafs.values.calendar import longest


@dataclass(frozen=True, slots=True)
class Interval:
    """Event times between ``t + low`` and ``t + high`` (microseconds; None has no bound)."""

    low: int | None
    high: int | None
    low_closed: bool = False
    high_closed: bool = False

    def __add__(self, other: Interval) -> Interval:
        """All sums: what is read relative to something that itself lies in this interval."""
        return Interval(
            None if self.low is None or other.low is None else self.low + other.low,
            None if self.high is None or other.high is None else self.high + other.high,
            self.low_closed and other.low_closed,
            self.high_closed and other.high_closed,
        )

    def __or__(self, other: Interval) -> Interval:
        """The smallest interval that covers both."""
        low = other if _lower(other, self) else self
        high = other if _higher(other, self) else self
        return Interval(low.low, high.high, low.low_closed, high.high_closed)

    def shift(self, by: int) -> Interval:
        """This interval moved ``by`` microseconds (negative: into the past)."""
        return self + Interval(by, by, True, True)

    def unbounded_below(self) -> Interval:
        """This interval with no lower bound."""
        return replace(self, low=None, low_closed=False)

    @property
    def reads_future(self) -> bool:
        """Whether it holds a moment after t."""
        return self.high is None or self.high > 0

    def __str__(self) -> str:
        left = "(-inf" if self.low is None else f"{'[('[not self.low_closed]}{moment(self.low)}"
        right = "+inf)" if self.high is None else f"{moment(self.high)}{')]'[self.high_closed]}"
        return f"{left}, {right}"


NOW = Interval(0, 0, True, True)
"""Exactly at t: a row relative to its own event time."""

ALWAYS = Interval(None, None)
"""Every moment, past and future: what has no time."""


def _lower(one: Interval, two: Interval) -> bool:
    if two.low is None or one.low is None:
        return two.low is not None
    return (one.low, not one.low_closed) < (two.low, not two.low_closed)


def _higher(one: Interval, two: Interval) -> bool:
    if two.high is None or one.high is None:
        return two.high is not None
    return (one.high, one.high_closed) > (two.high, two.high_closed)


def moment(micros: int) -> str:
    """Write a moment relative to the prediction time: ``t``, ``t-7d``, ``t+30m``."""
    if micros == 0:
        return "t"
    return f"t-{duration_text(-micros)}" if micros < 0 else f"t+{duration_text(micros)}"


def window_interval(window: ir.Window) -> Interval:
    """Return the event times that ``window`` may hold, relative to t.

    With ``every`` the window stands at some moment after ``t - every`` and no later than t, so its
    far edge may lie that much earlier.
    """
    match window:
        case ir.LastWindow():
            low = None if window.within is None else -window.within
            return Interval(low, 0, low is not None, False)
        case ir.RangeWindow():
            low = None if window.far is None else -window.far - (window.every or 0)
            low_closed = low is not None and window.far_closed and window.every is None
            return Interval(low, -window.near, low_closed, window.near_closed)
        case ir.CalendarWindow():
            return Interval(-longest(window.unit, window.zone), 0, True, False)
        case ir.SinceWindow() | ir.SessionWindow():
            return Interval(None, 0)
        case _:
            assert_never(window)


def nearest_age(window: ir.Window) -> int:
    """Return the least age (microseconds before t) in ``window``; negative ages are to come."""
    return window.near if isinstance(window, ir.RangeWindow) else 0


def farthest_age(window: ir.Window) -> int | None:
    """Return the greatest age that ``window`` reaches, or None if it has no far edge."""
    low = window_interval(window).low
    return None if low is None else -low


def sure_age(window: ir.Window) -> int | None:
    """Return the greatest age at which a row by itself is in ``window``, or None without a limit:
    a session reaches further, but only from its latest row on.
    """
    return window.gap if isinstance(window, ir.SessionWindow) else farthest_age(window)
