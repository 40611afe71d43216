"""Where windows begin and end among sorted rows, for many questions and windows at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

import numpy as np
import numpy.typing as npt

from astrafs.record import dataclass
from astrafs.values.calendar import start_of_unit

if TYPE_CHECKING:
    from astrafs.kernels.windows.frame import Frame

Ints = npt.NDArray[np.int64]

_FAR = 1 << 61
"""Further than any two rows are apart; t minus this is still an int64."""


@dataclass(frozen=True, slots=True)
class RangeWindow:
    """Rows of age ``near`` to ``far`` (microseconds; None: no far edge), each edge with or without
    its own instant. With ``every`` ages are counted from t rounded down to its multiple.
    """

    far: int | None
    near: int = 0
    far_closed: bool = True
    near_closed: bool = False
    every: int | None = None


@dataclass(frozen=True, slots=True)
class LastWindow:
    """The ``rows`` latest rows before t, of those of age ``within`` at most if given."""

    rows: int
    within: int | None = None


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """The rows from the start of the ``unit`` that holds t in ``zone``, to t."""

    unit: str
    zone: str


@dataclass(frozen=True, slots=True)
class SinceWindow:
    """The rows before t after the latest one whose boolean column ``cut`` is true."""

    cut: int


@dataclass(frozen=True, slots=True)
class SessionWindow:
    """The latest run of rows before t whose neighbours, and t itself, are at most ``gap`` apart."""

    gap: int


Window = RangeWindow | LastWindow | CalendarWindow | SinceWindow | SessionWindow


class Edges:
    """A set of windows, ready to be located. Every different instant is searched once."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = tuple(windows)
        # What is subtracted from t (or from t rounded to `every`, or a unit's start): one needle.
        self._needles: dict[tuple[object, int], int] = {}
        before = self._needle(None, 0)
        self._before = before
        self._places = tuple(self._place(window) for window in self.windows)
        self._plain = all(anchor is None for anchor, _ in self._needles)

    def _needle(self, anchor: object, back: int) -> int:
        clamped = max(-_FAR, min(_FAR, back))
        return self._needles.setdefault((anchor, clamped), len(self._needles))

    def _place(self, window: Window) -> tuple[int, int]:
        """Return the needles of the first row and of the one after the last; -1: none."""
        match window:
            case RangeWindow(far, near, far_closed, near_closed, every):
                # Up to and with an instant is before the next one.
                high = self._needle(every, near - (1 if near_closed else 0))
                if far is None:
                    return -1, high
                return self._needle(every, far - (0 if far_closed else 1)), high
            case LastWindow(within=within):
                return (-1 if within is None else self._needle(None, within)), self._before
            case CalendarWindow(unit, zone):
                return self._needle((unit, zone), 0), self._before
            case SinceWindow() | SessionWindow():
                return -1, self._before
            case _:
                assert_never(window)

    def instants(self, times: Ints) -> Ints:
        """Return the instants to search, [questions, needles]: rows before each are wanted."""
        found = np.empty((len(times), len(self._needles)), dtype=np.int64)
        for (anchor, back), place in self._needles.items():
            match anchor:
                case None:
                    base = times
                case int():
                    base = times // anchor * anchor
                case (unit, zone):
                    base = _starts(str(unit), str(zone), times)
                case _:
                    raise TypeError(anchor)
            np.subtract(base, back, out=found[:, place])
        return found

    def one(self, frame: Frame, t: int) -> tuple[list[int], list[int]]:
        """Return the first row and the one after the last of every window at ``t``, for a frame of
        one entity.
        """
        values = frame.line
        places = [bisect_left(values, instant) for instant in self._instants(t)]
        seen = frame.seen_at(t)
        lows, highs = [], []
        for window, (first, last) in zip(self.windows, self._places, strict=True):
            high = min(places[last], seen)
            low = 0 if first < 0 else places[first]
            match window:
                case LastWindow(rows=rows):
                    low = max(low, high - rows)
                case SinceWindow(cut=cut):
                    low = int(frame.cuts(cut)[high])
                case SessionWindow(gap=gap):
                    joined = high > 0 and t - values[high - 1] <= gap
                    low = int(frame.sessions(gap)[high]) if joined else high
                case _:
                    pass
            lows.append(min(low, high))
            highs.append(high)
        return lows, highs

    def spans(self, t: int) -> list[tuple[int | None, int]]:
        """Return, per window at ``t``, the instants of its first row (None: any before) and after
        its last.
        """
        instants = self._instants(t)
        return [
            (None if first < 0 else instants[first], instants[last]) for first, last in self._places
        ]

    def _instants(self, t: int) -> list[int]:
        if self._plain:
            return [t - back for _, back in self._needles]
        found = []
        for anchor, back in self._needles:
            match anchor:
                case None:
                    base = t
                case int():
                    base = t // anchor * anchor
                case (unit, zone):
                    base = start_of_unit(unit, zone, t)
                case _:
                    raise TypeError(anchor)
            found.append(base - back)
        return found

    def locate(self, frame: Frame, entities: Ints, times: Ints) -> tuple[Ints, Ints]:
        """Return the first row and the one after the last of every window, [questions, windows]."""
        starts, ends = frame.extents(entities)
        places = frame.search(self.instants(times), entities)
        seen = frame.seen(entities, times, ends)
        shape = (len(times), len(self.windows))
        lows, highs = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
        for column, (window, (first, last)) in enumerate(
            zip(self.windows, self._places, strict=True)
        ):
            high = np.minimum(places[:, last], seen)
            low = starts if first < 0 else places[:, first]
            match window:
                case LastWindow(rows=rows):
                    low = np.maximum(low, high - rows)
                case SinceWindow(cut=cut):
                    low = np.maximum(starts, frame.cuts(cut)[high])
                case SessionWindow(gap=gap):
                    low = np.maximum(starts, frame.sessions(gap)[high])
                    latest = frame.times[np.maximum(high - 1, 0)] if len(frame.times) else times
                    low = np.where((high > starts) & (times - latest <= gap), low, high)
                case _:
                    pass
            lows[:, column] = np.minimum(low, high)
            highs[:, column] = high
        return lows, highs


def _starts(unit: str, zone: str, times: Ints) -> Ints:
    different, places = np.unique(times, return_inverse=True)
    found = [start_of_unit(unit, zone, t) for t in different.tolist()]
    return np.array(found, dtype=np.int64)[places]
