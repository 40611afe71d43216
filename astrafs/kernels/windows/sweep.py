"""All aggregates of many windows at once: edges located together, what is there gathered once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.kernels.arrow_types import engine_type
from astrafs.kernels.windows.edges import Edges, LastWindow
from astrafs.kernels.windows.frame import Frame
from astrafs.kernels.windows.gaps import Gaps, Part
from astrafs.kernels.windows.matrix import Columns, Matrix, Standing, array_of, pick_of
from astrafs.kernels.windows.orders import distinct, extremes
from astrafs.kernels.windows.slices import Call, Input
from astrafs.values.errors import ValueFailure

Ints = npt.NDArray[np.int64]
Found = list[pa.Array | None]

_CELLS = 1 << 22
"""Numbers gathered at a time."""


class Sweep:
    """Aggregates that are asked together, compiled. Holds no rows; safe to share."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = tuple(calls)
        windows = tuple(dict.fromkeys(call.window for call in self.calls))
        self.edges = Edges(windows)
        self._window = [windows.index(call.window) for call in self.calls]
        self._columns = Columns()
        for place, (call, window) in enumerate(zip(self.calls, self._window, strict=True)):
            self._columns.add(place, window, call)
        self._width = self._columns.width
        done = {one.place for one in (*self._columns.totalled, *self._columns.standing)}
        self._loose = [place for place in range(len(self.calls)) if place not in done]
        # What one question needs of every call, in the form in which it is quickest at hand.
        self._quick = [
            (one.place, one.window, _taker(one.columns), one.finisher.one)
            for one in self._columns.totalled
        ]

    def _matrix(self, frame: Frame) -> Matrix:
        return frame.once(self, lambda: self._columns.of(frame))

    # --- one question

    def one(self, frame: Frame, t: int) -> list[Any]:
        """Return the value of every call for the one entity of ``frame`` at ``t``, as engines know
        values. In the place of a value that cannot be is its ``ValueFailure``.
        """
        matrix = self._matrix(frame)
        lows, highs = self.edges.one(frame, t)
        before, after = matrix.rows.take(lows, axis=0), matrix.rows.take(highs, axis=0)
        totals: list[list[int]] = (after - before).tolist()
        found: list[Any] = [None] * len(self.calls)
        loose = self._loose
        if matrix.wide:
            loose = [*loose, *matrix.wide]
        for place, window, take, finish in self._quick:
            if place not in matrix.wide:
                try:
                    found[place] = finish(take(totals[window]))
                except ValueFailure as failure:
                    found[place] = failure
        if self._columns.standing:
            end = len(frame)
            floats = (before.view(np.float64), after.view(np.float64))
            for one in self._columns.standing:
                window = one.window
                if one.tail and highs[window] != end:
                    loose = [*loose, one.place]
                elif totals[window][one.count] >= one.least:
                    rows = floats[one.at_end] if one.floats else after if one.at_end else before
                    found[one.place] = rows.item(window, one.column)
        for place in loose:
            window = self._window[place]
            try:
                found[place] = self._value(frame, place, lows[window], highs[window], t)
            except ValueFailure as failure:
                found[place] = failure
        return found

    def _value(self, frame: Frame, place: int, low: int, high: int, t: int) -> Any:
        """Return the value of one call over the rows ``low`` to ``high``."""
        call = self.calls[place]
        read = call.input
        if not read.each and read.by is None:
            if call.function in ("min", "max"):
                return extremes(frame, read, greatest=call.function == "max").one(low, high)
            if call.function == "count_distinct":
                return distinct(frame, read).one(low, high)
            back = pick_of(call)
            if back is not None:
                counts = frame.counts(read)
                first, last = int(counts[low]), int(counts[high])
                at = last - back if back else first
                there = first <= at < last
                return frame.cell(read.args[0], int(frame.places(read)[at])) if there else None
        return frame.lists(read).value(call, low, high, t)

    def parts(self) -> list[Part]:
        """Return what must be known of stretches of rows that are left out (see :meth:`across`)."""
        return self._columns.parts()

    def totals(self, frame: Frame) -> list[int] | None:
        """Return the :meth:`parts` of all rows of a frame of one entity; None where they are too
        large.
        """
        return self._columns.whole(frame)

    def whole(self, window: int) -> bool:
        """Whether some call over a window needs all its rows, whatever is known of stretches."""
        distinct = (
            one.place for one in self._columns.standing if self._is_distinct(self.calls[one.place])
        )
        return any(self._window[place] == window for place in (*self._loose, *distinct))

    def ends(self, window: int) -> list[tuple[Input, int]]:
        """Return the inputs of which single rows are taken at an end of a window: the n-th that
        takes part from its end, or (0) the first.
        """
        return [
            (self.calls[one.place].input, one.least if one.at_end else 0)
            for one in self._columns.standing
            if one.window == window and not one.tail
        ]

    @staticmethod
    def _is_distinct(call: Call) -> bool:
        return call.function == "count_distinct"

    def across(self, frame: Frame, t: int, gaps: Gaps) -> list[Any] | None:
        """Return what :meth:`one` does, where ``frame`` lacks the stretches of rows of ``gaps``: no
        window begins or ends within one, none that needs :meth:`whole` holds one, and the rows at
        the :meth:`ends` of windows are there. None where the totals of the rows that are there
        cannot be added to.
        """
        matrix = self._matrix(frame)
        if matrix.wide:
            return None
        lows, highs = self.edges.one(frame, t)
        seen = frame.newest(t)
        skipped = [
            (0, 0)
            if isinstance(window, LastWindow)
            else (gaps.before(low), gaps.before(high if seen is None else min(high, seen)))
            for window, (low, high) in zip(self.edges.windows, self.edges.spans(t), strict=True)
        ]
        found = self.one(frame, t)
        before, after = matrix.rows.take(lows, axis=0), matrix.rows.take(highs, axis=0)
        totals: list[list[int]] = (after - before).tolist()
        names = {self._columns.place(part): part for part in self.parts()}
        for one in self._columns.totalled:
            low, high = skipped[one.window]
            if low < high:
                added = [
                    totals[one.window][column] + gaps.total(names[column], low, high)
                    for column in one.columns
                ]
                try:
                    found[one.place] = one.finisher.one(added)
                except ValueFailure as failure:
                    found[one.place] = failure
        for each in self._columns.standing:
            low, high = skipped[each.window]
            if low >= high or self._is_distinct(self.calls[each.place]):
                continue
            count = totals[each.window][each.count] + gaps.total(names[each.count], low, high)
            if each.tail:
                joined = gaps.extreme(names[each.column], low, high, floats=each.floats)
                here = found[each.place]
                call = self.calls[each.place]
                best = max if call.function == "max" else min
                found[each.place] = joined if here is None else best(here, joined)
                if not count:
                    found[each.place] = None
            elif count >= each.least:
                rows = after if each.at_end else before
                rows = rows.view(np.float64) if each.floats else rows
                found[each.place] = rows.item(each.window, each.column)
        return found

    # --- one question about each of many frames

    def stacked(
        self,
        frames: Sequence[Frame | None],
        times: Sequence[int],
        others: Callable[[int], Sequence[Any]] | None = None,
    ) -> tuple[pa.Array, ...]:
        """Return a column per call with the value of each frame, of one entity, at its time; where
        there is None, ``others`` gives the values of that place. Raises ``ValueFailure``.
        """
        windows = len(self.edges.windows)
        gathered = np.zeros((len(frames), 2 * windows, self._width), dtype=np.int64)
        wide: set[int] = set()
        ends: list[tuple[list[int], list[int]]] = []
        for at, (frame, t) in enumerate(zip(frames, times, strict=True)):
            if frame is None:
                ends.append(([0] * windows, [0] * windows))
                continue
            matrix = self._matrix(frame)
            lows, highs = self.edges.one(frame, t)
            ends.append((lows, highs))
            matrix.rows.take(lows + highs, axis=0, out=gathered[at], mode="clip")
            wide |= matrix.wide
        last = np.array([highs for _, highs in ends], dtype=np.int64).reshape(-1, windows)
        sizes = np.array([0 if one is None else len(one) for one in frames], dtype=np.int64)

        def value(place: int, at: int) -> Any:
            frame, (lows, highs), window = frames[at], ends[at], self._window[place]
            if frame is None:
                return None
            return self._value(frame, place, lows[window], highs[window], times[at])

        found: Found = [None] * len(self.calls)
        self._finish(gathered, wide, found)
        for one in self._columns.standing:
            column = self._stood(one, gathered)
            short = np.flatnonzero(last[:, one.window] != sizes).tolist() if one.tail else ()
            found[one.place] = _patched(column, {at: value(one.place, at) for at in short})
        for place in (*self._loose, *wide):
            values = [value(place, at) for at in range(len(frames))]
            found[place] = pa.array(values, self._type(self.calls[place]))
        columns = [column for column in found if column is not None]
        missing = [at for at, frame in enumerate(frames) if frame is None]
        if missing and others is not None:
            rows = {at: _judged(others(at)) for at in missing}
            columns = [
                _patched(column, {at: row[place] for at, row in rows.items()})
                for place, column in enumerate(columns)
            ]
        return tuple(columns)

    # --- many questions about a frame of many entities

    def many(self, frame: Frame, entities: Ints, times: Ints) -> tuple[pa.Array, ...]:
        """Return a column per call with a value per question. Raises ``ValueFailure``."""
        parts = [
            self._part(frame, entities[low:high], times[low:high])
            for low, high in self._cut(len(times))
        ]
        if len(parts) == 1:
            return parts[0]
        return tuple(pa.concat_arrays(columns) for columns in zip(*parts, strict=True))

    def _cut(self, count: int) -> Iterator[tuple[int, int]]:
        size = max(1024, _CELLS // max(1, 2 * len(self.edges.windows) * self._width))
        for low in range(0, max(count, 1), size):
            yield low, min(count, low + size)

    def _part(self, frame: Frame, entities: Ints, times: Ints) -> tuple[pa.Array, ...]:
        matrix = self._matrix(frame)
        lows, highs = self.edges.locate(frame, entities, times)
        gathered = matrix.rows[np.concatenate((lows, highs), axis=1)]
        found: Found = [None] * len(self.calls)
        self._finish(gathered, matrix.wide, found)
        for one in self._columns.standing:
            if not one.tail:
                found[one.place] = self._stood(one, gathered)
        for place, column in enumerate(found):
            if column is None:
                window = self._window[place]
                found[place] = self._each(frame, place, lows[:, window], highs[:, window], times)
        return tuple(column for column in found if column is not None)

    def _each(self, frame: Frame, place: int, lows: Ints, highs: Ints, times: Ints) -> pa.Array:
        """Return the values of a call that the matrix does not serve."""
        call = self.calls[place]
        read, type_ = call.input, self._type(call)
        if not read.each and read.by is None:
            if call.function in ("min", "max"):
                table = extremes(frame, read, greatest=call.function == "max")
                return table.many(lows, highs).cast(type_)
            if call.function == "count_distinct":
                return pa.array(distinct(frame, read).many(lows, highs))
            back = pick_of(call)
            if back is not None:
                counts, places = frame.counts(read), frame.places(read)
                first, last = counts[lows], counts[highs]
                at = last - back if back else first
                there = (first <= at) & (at < last)
                rows = places[np.where(there, at, 0)] if len(places) else np.zeros_like(at)
                return frame.columns[read.args[0]].take(pa.array(rows, mask=~there))
        lists = frame.lists(read)
        asked = zip(lows.tolist(), highs.tolist(), times.tolist(), strict=True)
        return pa.array([lists.value(call, low, high, t) for low, high, t in asked], type_)

    # --- from what was gathered, [questions, windows twice, columns]

    def _finish(self, gathered: Ints, wide: set[int] | frozenset[int], found: Found) -> None:
        count = len(self.edges.windows)
        for one in self._columns.totalled:
            if one.place not in wide:
                before = gathered[:, one.window, one.columns]
                after = gathered[:, count + one.window, one.columns]
                found[one.place] = one.finisher.many(after - before)

    def _stood(self, one: Standing, gathered: Ints) -> pa.Array:
        count = len(self.edges.windows)
        before, after = gathered[:, one.window], gathered[:, count + one.window]
        empty = after[:, one.count] - before[:, one.count] < one.least
        bits = np.ascontiguousarray((after if one.at_end else before)[:, one.column])
        return array_of(bits, one, empty, self._type(self.calls[one.place]))

    @staticmethod
    def _type(call: Call) -> pa.DataType:
        if call.by_type is None:
            return engine_type(call.result)
        return pa.map_(engine_type(call.by_type), engine_type(call.result))


def _patched(column: pa.Array, values: Mapping[int, Any]) -> pa.Array:
    """Return a column with other values at some places."""
    if not values:
        return column
    found = column.to_pylist()
    for at, value in values.items():
        found[at] = value
    return pa.array(found, column.type)


def _judged(values: Sequence[Any]) -> Sequence[Any]:
    """Return values none of which is a failure, or raise that."""
    for value in values:
        if isinstance(value, ValueFailure):
            raise value
    return values


def _taker(columns: Sequence[int]) -> itemgetter[Any]:
    """Return what takes ``columns`` out of a row, as a sequence."""
    if len(columns) == 1:
        return itemgetter(slice(columns[0], columns[0] + 1))
    return itemgetter(*columns)
