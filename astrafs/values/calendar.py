"""Calendar units of a zone: when the hour, day, week or month that holds an instant began.

Days, weeks (from Monday) and months begin at the first instant at which the zone's clock shows
their midnight or a later time: a midnight that the clock shows twice counts the first time, and one
that it skips is the moment of the jump. So every instant belongs to one unit, and units follow one
another. An hour begins whenever the clock comes to show a full hour or jumps forward over one: an
hour that is repeated in autumn is two hours.

Instants and local times are int microseconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date
from functools import cache

from astrafs.values.numbers import DAY
from astrafs.values.zones import Zone, zone

UNITS = ("hour", "day", "week", "month")
HOUR = DAY // 24
_EPOCH = date(1970, 1, 1).toordinal()
_LENGTHS = {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 31 * DAY}


def start_of_unit(unit: str, zone_name: str, instant: int) -> int:
    """The instant at which the unit of ``zone_name`` that holds ``instant`` began."""
    found = zone(zone_name)
    if unit == "hour":
        return _start_of_hour(found, instant)
    period = bisect_right(found.starts, instant) - 1
    shown = found.to_local(instant)
    if period:
        shown = max(shown, latest_readings(found)[period - 1])
    return first_shown(found, unit_floor(unit, shown))


def unit_floor(unit: str, local: int) -> int:
    """The local time at which the unit of the local time ``local`` begins by its clock."""
    if unit == "hour":
        return local // HOUR * HOUR
    day = local // DAY
    if unit == "week":
        day -= (day + 3) % 7  # 1970-01-01 was a Thursday
    elif unit == "month":
        day -= date.fromordinal(_EPOCH + day).day - 1
    return day * DAY


@cache
def latest_readings(found: Zone) -> tuple[int, ...]:
    """The latest local time that the clock has shown by the end of each period but the last."""
    readings: list[int] = []
    for after, offset in zip(found.starts[1:], found.offsets[:-1], strict=True):
        reading = after - 1 + offset
        readings.append(max(reading, readings[-1]) if readings else reading)
    return tuple(readings)


def first_shown(found: Zone, local: int) -> int:
    """The first instant at which the clock shows ``local`` or later."""
    period = bisect_left(latest_readings(found), local)
    return max(found.starts[period], local - found.offsets[period])


def _start_of_hour(found: Zone, instant: int) -> int:
    period = bisect_right(found.starts, instant) - 1
    while True:
        full = unit_floor("hour", instant + found.offsets[period]) - found.offsets[period]
        change = found.starts[period]
        if full >= change:
            return full
        before = change + found.offsets[period - 1]
        if unit_floor("hour", change + found.offsets[period]) >= before:
            return change  # the clock jumped over a full hour
        instant, period = change - 1, period - 1


@cache
def longest(unit: str, zone_name: str) -> int:
    """An upper bound of how long a unit lasts in a zone (microseconds): clocks are put back."""
    found = zone(zone_name)
    length = _LENGTHS[unit]
    most = 0
    for first, offset in enumerate(found.offsets[:-1]):
        at = first + 1
        reach = found.starts[at] + length + offset - min(found.offsets)
        while at < len(found.starts) and found.starts[at] <= reach:
            most = max(most, offset - found.offsets[at])
            at += 1
    return length + most
