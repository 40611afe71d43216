"""When the calendar unit after an instant begins, over columns; ``values.calendar`` has the rules.

Where that module walks back from a question to the start of its unit, this one walks forward from a
row to the start of the next.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from astrafs.values import calendar
from astrafs.values.numbers import DAY
from astrafs.values.zones import Zone, zone

Ints = npt.NDArray[np.int64]

_NEVER = 2**62


def next_unit(unit: str, zone_name: str, instants: Ints) -> Ints:
    """Return the first start of a unit after each instant (microseconds)."""
    found = zone(zone_name)
    if unit == "hour":
        return _next_hour(found, instants)
    starts = np.asarray(found.starts, dtype=np.int64)
    offsets = np.asarray(found.offsets, dtype=np.int64)
    latest = np.asarray(calendar.latest_readings(found), dtype=np.int64)
    period = np.searchsorted(starts, instants, side="right") - 1
    shown = instants + offsets[period]
    if len(latest):
        shown = np.where(period > 0, np.maximum(shown, latest[period - 1]), shown)
    following = _following(unit, shown)
    there = np.searchsorted(latest, following, side="left")
    found_at: Ints = np.maximum(starts[there], following - offsets[there])
    return found_at


def _following(unit: str, local: Ints) -> Ints:
    """Return the local time at which the unit after that of each local time begins."""
    days = np.floor_divide(local, DAY)
    following: Ints = days + 1
    if unit == "week":
        following = days - (days + 3) % 7 + 7
    elif unit == "month":
        months = days.astype("datetime64[D]").astype("datetime64[M]") + 1
        following = months.astype("datetime64[D]").astype(np.int64)
    return following * DAY


def _next_hour(found: Zone, instants: Ints) -> Ints:
    starts = np.asarray((*found.starts, _NEVER), dtype=np.int64)
    offsets = np.asarray(found.offsets, dtype=np.int64)
    result = np.empty_like(instants)
    waiting = np.arange(len(instants))
    at = instants
    period = np.searchsorted(starts, at, side="right") - 1
    while len(waiting):
        offset, change = offsets[period], starts[period + 1]
        full = (np.floor_divide(at + offset, calendar.HOUR) + 1) * calendar.HOUR - offset
        # At the change the clock may come to show a full hour, or jump forward over one.
        after = np.minimum(period + 1, len(offsets) - 1)
        shown = np.floor_divide(change + offsets[after], calendar.HOUR) * calendar.HOUR
        jumps = (shown >= change + offset) | (shown == change + offsets[after])
        done = (full < change) | jumps
        result[waiting[done]] = np.minimum(full, change)[done]
        waiting, at, period = waiting[~done], change[~done], period[~done] + 1
    return result
