"""The rows of one entity key as the windows see them: sorted, with what is computed on the way."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.values.calendar import start_of_unit

_FOR_EVER = 2**63
_REMEMBERED = 4


@dataclass(slots=True)
class Row:
    """A kept row: its columns, event time e, knowledge time k, and ``until``: from then on a later
    revision counts in its place.
    """

    cells: Mapping[str, Any]
    event: int
    known: int
    until: int = _FOR_EVER


class Inputs:
    """One aggregate's inputs over a segment: which rows take part, and their values.

    ``places`` are the rows that take part (None: all), ``columns`` their inputs, ``by`` the keys
    of a map. ``prefix`` keeps running totals by name, each one longer than the rows that take part.
    """

    __slots__ = ("by", "columns", "events", "places", "prefix")

    def __init__(
        self,
        places: list[int] | None,
        columns: tuple[Sequence[Any], ...],
        events: Sequence[int],
        by: Sequence[Any] | None,
    ) -> None:
        self.places = places
        self.columns = columns
        self.events = events
        self.by = by
        self.prefix: dict[str, list[int]] = {}

    def bounds(self, low: int, high: int) -> tuple[int, int]:
        """Return where the rows ``low`` to ``high`` of the segment lie among those taking part."""
        if self.places is None:
            return low, high
        return bisect_left(self.places, low), bisect_left(self.places, high)

    def running(self, name: str, units: Callable[[], list[int]]) -> list[int]:
        """Return the running totals called ``name``; ``units`` gives what each row adds."""
        found = self.prefix.get(name)
        if found is None:
            found = self.prefix[name] = list(accumulate(units(), initial=0))
        return found


class Segment:
    """Rows of one key in (event time, key) order. ``rows`` must come in that order."""

    __slots__ = ("_cuts", "_inputs", "_runs", "_seen", "events", "rows", "settled")

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.events = [row.event for row in rows]
        # From this moment on every row is visible and stays so; None: rows get superseded.
        revised = any(row.until != _FOR_EVER for row in rows)
        self.settled = None if revised else max((row.known for row in rows), default=-_FOR_EVER)
        self._inputs: dict[int, Inputs] = {}
        self._cuts: dict[int, list[int]] = {}
        self._runs: dict[int, list[int]] = {}
        self._seen: OrderedDict[int, Segment] = OrderedDict()

    def at(self, moment: int) -> Segment:
        """Return the rows that are visible at ``moment``."""
        if self.settled is not None and self.settled <= moment:
            return self
        found = self._seen.get(moment)
        if found is None:
            found = Segment([row for row in self.rows if row.known <= moment < row.until])
            found.settled = -_FOR_EVER
            self._seen[moment] = found
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return found

    def inputs(self, number: int, make: Callable[[Segment], Inputs]) -> Inputs:
        """Return the inputs of the aggregate ``number`` of its group."""
        found = self._inputs.get(number)
        if found is None:
            found = self._inputs[number] = make(self)
        return found

    def window(
        self, window: ir.Window, t: int, cuts: Callable[[Row], bool] | None
    ) -> tuple[int, int]:
        """Return the first row in ``window`` at ``t`` and the one after its last.

        ``cuts`` is the condition of a ``since last`` window.
        """
        events = self.events
        if isinstance(window, ir.RangeWindow):
            return _range(events, window, t)
        high = bisect_left(events, t)
        match window:
            case ir.LastWindow(rows=count, within=within):
                low = max(0, high - count)
                return (low if within is None else max(low, bisect_left(events, t - within))), high
            case ir.CalendarWindow(unit=unit, zone=zone):
                return min(high, bisect_left(events, start_of_unit(unit, zone, t))), high
            case ir.SinceWindow():
                assert cuts is not None
                return (self._latest(window, cuts)[high - 1] + 1 if high else 0), high
            case ir.SessionWindow(gap=gap):
                if not high or t - events[high - 1] > gap:
                    return high, high
                return self._starts(gap)[high - 1], high

    def _latest(self, window: ir.SinceWindow, cuts: Callable[[Row], bool]) -> list[int]:
        """Return, per row, the latest row up to it that cuts, -1 where there is none."""
        found = self._cuts.get(id(window))
        if found is None:
            places = (place if cuts(row) else -1 for place, row in enumerate(self.rows))
            found = self._cuts[id(window)] = list(accumulate(places, max))
        return found

    def _starts(self, gap: int) -> list[int]:
        """Return, per row, the first row of its session."""
        found = self._runs.get(gap)
        if found is None:
            found = self._runs[gap] = []
            for place, event in enumerate(self.events):
                joined = place and event - self.events[place - 1] <= gap
                found.append(found[-1] if joined else place)
        return found


def _range(events: list[int], window: ir.RangeWindow, t: int) -> tuple[int, int]:
    end = t if window.every is None else t // window.every * window.every
    cut = bisect_right if window.near_closed else bisect_left
    high = cut(events, end - window.near)
    if window.far is None:
        return 0, high
    start = bisect_left if window.far_closed else bisect_right
    return min(high, start(events, end - window.far)), high
