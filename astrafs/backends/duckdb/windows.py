"""Windows as active intervals: per row, the prediction times at which the row is in the window.

Every window of the language holds a row during one interval ``[start, stop]`` of prediction times:
it becomes visible, stays, and leaves for good. That one fact carries the whole backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from astrafs.plan import ir

_AGES = 4 * 10**16
"""Microseconds; more than any two timestamps of the language lie apart."""


@dataclass(frozen=True, slots=True)
class Interval:
    """SQL over a row's ``"@e"``, ``"@k"``, ``"@ord"``, ``"@kid"``. ``stop`` None: for ever.

    ``window`` marks expressions that need an ordered window function over the whole relation.
    """

    start: str
    stop: str | None


def _shift(column: str, micros: int) -> str:
    if micros == 0:
        return column
    return f"{column} + {micros}" if micros > 0 else f"{column} - {-micros}"


def _floor(value: str, step: int) -> str:
    """``value`` rounded down to a multiple of ``step``, also below zero."""
    return f"({value}) - ((({value}) % {step}) + {step}) % {step}"


def active_interval(window: ir.Window, *, ordered_arrival: bool) -> Interval:
    """Return when a row is in ``window``.

    ``ordered_arrival``: rows become visible in (e, key) order, so the n-th later row is the n-th
    to arrive.
    """
    match window:
        case ir.RangeWindow():
            return _range(window)
        case ir.LastWindow():
            return _last(window, ordered_arrival)
        case _:
            assert_never(window)


def _range(window: ir.RangeWindow) -> Interval:
    near = max(-_AGES, min(window.near, _AGES)) + (0 if window.near_closed else 1)
    opens = _shift('"@e"', near)
    closes = None
    if window.far is not None and window.far < _AGES:
        closes = _shift('"@e"', max(window.far, -_AGES) - (0 if window.far_closed else 1))
    if window.every is not None:
        step = window.every
        # floor(t) >= x  <=>  t >= the first multiple of step from x on; floor(t) <= y  <=>  t <
        # the next one.
        opens = f"{_floor(f'{opens} + {step - 1}', step)}"
        closes = None if closes is None else f"{_floor(closes, step)} + {step - 1}"
    return Interval(f'greatest("@k", {opens})', closes)


def _last(window: ir.LastWindow, ordered_arrival: bool) -> Interval:
    start = 'greatest("@k", "@e" + 1)'
    order = 'PARTITION BY "@kid" ORDER BY "@ord"'
    if ordered_arrival:
        pushed = f"lead({start}, {window.rows}) OVER ({order})"
    else:
        later = f"{order} ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING"
        if window.rows == 1:
            pushed = f"min({start}) OVER ({later})"
        else:
            pushed = f"list_extract(min({start}, {window.rows}) OVER ({later}), {window.rows})"
    stop = f"{pushed} - 1"
    if window.within is not None and window.within < _AGES:
        stop = f"""least({stop}, {_shift('"@e"', window.within)})"""
    return Interval(start, stop)
