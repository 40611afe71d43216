"""Why a row is not in a window: the first rule of the language that keeps it out, in words."""

from __future__ import annotations

from typing import assert_never

from astrafs.plan import ir
from astrafs.plan.text import expression_text, timestamp_text
from astrafs.reference.rows import Row
from astrafs.typesys import duration_text


def unknown_reason(row: Row, t: int, as_of: int) -> str | None:
    """Say why the row is not known to a question at ``t`` with cutoff ``as_of``, if it is not."""
    assert row.known is not None
    if row.known <= min(t, as_of):
        return None
    when = f"known from {timestamp_text(row.known)}"
    return f"not yet known: {when}" if row.known > t else f"not known by the cutoff: {when}"


def future_reason(window: ir.Window, row: Row, t: int) -> str | None:
    """Say that the row is not history at ``t``, unless ``window`` looks that far."""
    assert row.event is not None
    if isinstance(window, ir.RangeWindow):
        if window.near < 0 or row.event < t or (row.event == t and window.near_closed):
            return None
        return _not_history(row.event, t)
    return _not_history(row.event, t) if row.event >= t else None


def window_reason(window: ir.Window, row: Row, t: int) -> str:
    """Say why a visible row of the entity is outside ``window`` at ``t``."""
    assert row.event is not None
    match window:
        case ir.RangeWindow():
            return _range_reason(window, row.event, t)
        case ir.LastWindow(rows=count, within=within):
            if within is not None and t - row.event > within:
                return f"too old: {duration_text(t - row.event)} before t"
            return f"not among the last {count}"
        case ir.CalendarWindow(unit=unit, zone=zone):
            return f"before the {unit} of t began in {zone}"
        case ir.SinceWindow(condition=condition):
            return f"not after the latest row where {expression_text(condition)}"
        case ir.SessionWindow(gap=gap):
            return f"before the session: a gap of more than {duration_text(gap)} follows"
        case _:
            assert_never(window)


def _range_reason(window: ir.RangeWindow, event: int, t: int) -> str:
    end = t if window.every is None else t // window.every * window.every
    age = end - event
    if window.far is not None and age >= window.far:
        edge = "" if age > window.far else ", and the window leaves that moment out"
        return f"too old: {_ago(event, t)}{edge}"
    if window.near < 0:
        return f"too far ahead: {_ago(event, t)}"
    if window.every is not None and event >= end:
        return f"after {timestamp_text(end)}, where t is rounded down to"
    return f"too recent: {_ago(event, t)}"


def _not_history(event: int, t: int) -> str:
    return "at t itself: only earlier rows count" if event == t else _ago(event, t)


def _ago(event: int, t: int) -> str:
    side = "before" if event <= t else "after"
    return f"{duration_text(abs(t - event))} {side} t"
