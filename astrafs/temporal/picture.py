"""A footprint as a picture in the terminal: one bar of event time per source, up to t."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from astrafs.temporal.footprint import Reading
from astrafs.temporal.interval import moment

_LONGEST_NAME = 36
_LEAST_STEP = 4


def footprint_picture(readings: Sequence[Reading], width: int = 100) -> list[str]:
    """Return the bars of ``readings`` over one axis of time relative to t, not to scale.

    ``=`` may be read; ``~`` has happened and is not yet known at t; ``<`` goes back for ever.
    """
    if not readings:
        return ["nothing: it is a function of its key and of t"]
    timed = [reading for reading in readings if not reading.static]
    names = [_name(reading) for reading in readings]
    left = max(map(len, names)) + 2
    notes = max((len(_note(reading)) for reading in readings), default=0)
    lines = []
    places: dict[int, int] = {}
    if timed:
        moments = _moments(timed)
        places = _places(moments, max(width - left - notes - 4, 24))
        lines.append(" " * left + _axis(moments, places))
    for name, reading in zip(names, readings, strict=True):
        if reading.static:
            lines.append(f"{name.ljust(left)}at any time: {reading.static}")
        else:
            bar = _bar(reading, places)
            line = f"{name.ljust(left)}{bar}  {_note(reading)}".rstrip()
            if line not in lines:  # read in the same way by several ways
                lines.append(line)
    if any("~" in line for line in lines):
        lines += ["", "= may be read   ~ has happened, and is not yet known at t"]
    return lines


def _name(reading: Reading) -> str:
    text = f"{reading.source} by {reading.clock}" if reading.clock else reading.source
    return text if len(text) <= _LONGEST_NAME else "…" + text[1 - _LONGEST_NAME :]


def _note(reading: Reading) -> str:
    if reading.static:
        return ""
    return f"{reading.interval}  {reading.known or 'at once'}"


def _moments(readings: Iterable[Reading]) -> list[int]:
    found = {0}
    for reading in readings:
        found.update(at for at in (reading.interval.low, reading.interval.high) if at is not None)
        if reading.delay:
            found.add(-reading.delay)
    return sorted(found)


def _places(moments: Sequence[int], width: int) -> dict[int, int]:
    """Return the cell of each moment; the cells before the first are for what has no beginning."""
    step = max((width - _LEAST_STEP) // max(len(moments), 1), _LEAST_STEP)
    step = min(step, 14)
    return {at: _LEAST_STEP + place * step for place, at in enumerate(moments)}


def _axis(moments: Sequence[int], places: dict[int, int]) -> str:
    """Write the moments above their cells: t first, then those that still have room."""
    cells = [" "] * (max(places.values()) + 12)
    for at in sorted(moments, key=lambda at: (at != 0, -at)):
        label, place = moment(at), places[at]
        around = cells[max(place - 1, 0) : place + len(label) + 1]
        if all(cell == " " for cell in around):
            cells[place : place + len(label)] = label
    return "".join(cells).rstrip()


def _bar(reading: Reading, places: dict[int, int]) -> str:
    interval = reading.interval
    end = max(places.values()) + 1
    low = 0 if interval.low is None else places[interval.low]
    high = end if interval.high is None else places[interval.high]
    cells = [" "] * (end + 1)
    cells[low:high] = "=" * (high - low)
    if reading.delay and not reading.ahead:
        unknown = max(places[-reading.delay], low)
        cells[unknown:high] = "~" * max(high - unknown, 0)
    if interval.low is None:
        cells[0] = "<"
    else:
        cells[low] = "[" if interval.low_closed else "("
    if interval.high is None:
        cells[end] = ">"
    elif interval.high == interval.low:
        cells[high] = "|"
    else:
        cells[high] = "]" if interval.high_closed else ")"
    return "".join(cells)
