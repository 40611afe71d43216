"""All aggregates of many windows at once: edges located together, totals gathered in one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.kernels.arrow_types import engine_type
from astrafs.kernels.windows.edges import Edges
from astrafs.kernels.windows.finish import Finisher, finisher
from astrafs.kernels.windows.frame import Frame
from astrafs.kernels.windows.orders import distinct, extremes
from astrafs.kernels.windows.slices import Call, Input
from astrafs.kernels.windows.totals import width
from astrafs.record import dataclass
from astrafs.typesys import Kind
from astrafs.values.errors import ValueFailure

Ints = npt.NDArray[np.int64]

_CELLS = 1 << 22
"""Totals gathered at a time."""

_PICKS = {"first": 0, "first_row": 0, "last": 1, "last_row": 1, "nth_last": 2, "nth_last_row": 2}
_EXTREMES = ("min", "max")


@dataclass(frozen=True, slots=True)
class _Totalled:
    """A call that is finished from totals: its columns of the matrix."""

    place: int
    window: int
    columns: tuple[int, ...]
    finisher: Finisher


@dataclass(frozen=True, slots=True)
class _Picked:
    """A call that gives the value of one row: the column that counts rows, and which one it is:
    the first, or the ``back``-th last.
    """

    place: int
    window: int
    count: int
    back: int
    read: Input


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A frame's running totals side by side, and which calls it has none for."""

    totals: Ints
    wide: frozenset[int]

    @property
    def nbytes(self) -> int:
        return self.totals.nbytes


class Sweep:
    """Aggregates that are asked together, compiled. Holds no rows; safe to share."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = tuple(calls)
        windows = tuple(dict.fromkeys(call.window for call in self.calls))
        self.edges = Edges(windows)
        self._window = [windows.index(call.window) for call in self.calls]
        self._states: dict[tuple[str, Input], tuple[int, int]] = {}
        self._width = 0
        self._totalled: list[_Totalled] = []
        self._picked: list[_Picked] = []
        self._extremes: dict[tuple[Input, bool], list[int]] = {}
        self._distinct: list[int] = []
        self._rest: list[int] = []
        for place, call in enumerate(self.calls):
            self._sort(place, call)

    def _sort(self, place: int, call: Call) -> None:
        read, window = call.input, self._window[place]
        found = finisher(call)
        if found is not None:
            columns = list(self._state("count", call))
            for name in found.states:
                columns += self._state(name, call)
            self._totalled.append(_Totalled(place, window, tuple(columns), found))
        elif read.each or read.by is not None:
            self._rest.append(place)
        elif call.function in _PICKS:
            (count,) = self._state("count", call)
            kind = _PICKS[call.function]
            back = kind if kind < 2 else int(call.constants[0])
            self._picked.append(_Picked(place, window, count, back, read))
        elif call.function in _EXTREMES:
            self._extremes.setdefault((read, call.function == "max"), []).append(place)
        elif call.function == "count_distinct":
            self._distinct.append(place)
        else:
            self._rest.append(place)

    def _state(self, name: str, call: Call) -> range:
        first, count = self._states.get((name, call.input), (self._width, 0))
        if not count:
            floats = name != "count" and call.types[0].kind is Kind.FLOAT
            count = width(name, floats=floats)
            self._states[name, call.input] = (first, count)
            self._width += count
        return range(first, first + count)

    def _matrix(self, frame: Frame) -> _Matrix:
        return frame.once(self, lambda: self._totals_of(frame))

    def _totals_of(self, frame: Frame) -> _Matrix:
        found = np.zeros((len(frame) + 1, self._width), dtype=np.int64)
        missing: set[int] = set()
        for (name, read), (first, count) in self._states.items():
            columns = (frame.counts(read),) if name == "count" else frame.state(name, read)
            if columns is None:
                missing.update(range(first, first + count))
                continue
            for place, column in enumerate(columns, first):
                found[:, place] = column
        wide = (one.place for one in self._totalled if not missing.isdisjoint(one.columns))
        return _Matrix(found, frozenset(wide))

    # --- one question

    def one(self, frame: Frame, t: int) -> list[Any]:
        """Return the value of every call for the one entity of ``frame`` at ``t``, as engines know
        values. In the place of a value that cannot be is its ``ValueFailure``.
        """
        matrix = self._matrix(frame)
        lows, highs = self.edges.one(frame, t)
        rows: list[list[int]] = matrix.totals.take(lows + highs, axis=0).tolist()
        count = len(lows)
        found: list[Any] = [None] * len(self.calls)
        for one in self._totalled:
            before, after = rows[one.window], rows[count + one.window]
            try:
                if one.place in matrix.wide:
                    found[one.place] = self._slice(frame, one.place, lows, highs, t)
                else:
                    found[one.place] = one.finisher.one(
                        [after[column] - before[column] for column in one.columns]
                    )
            except ValueFailure as failure:
                found[one.place] = failure
        for pick in self._picked:
            first, last = rows[pick.window][pick.count], rows[count + pick.window][pick.count]
            at = last - pick.back if pick.back else first
            if first <= at < last:
                row = int(frame.places(pick.read)[at])
                found[pick.place] = frame.cell(pick.read.args[0], row)
        for (read, greatest), places in self._extremes.items():
            asked = [self._window[place] for place in places]
            ends = [(lows[window], highs[window]) for window in asked]
            values = extremes(frame, read, greatest=greatest).few(ends)
            for place, value in zip(places, values, strict=True):
                found[place] = value
        for place in self._distinct:
            window = self._window[place]
            known = distinct(frame, self.calls[place].input)
            found[place] = known.one(lows[window], highs[window])
        for place in self._rest:
            try:
                found[place] = self._slice(frame, place, lows, highs, t)
            except ValueFailure as failure:
                found[place] = failure
        return found

    def _slice(
        self, frame: Frame, place: int, lows: Sequence[int], highs: Sequence[int], t: int
    ) -> Any:
        call, window = self.calls[place], self._window[place]
        return frame.lists(call.input).value(call, lows[window], highs[window], t)

    # --- many questions

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
        gathered = matrix.totals[np.concatenate((lows, highs), axis=1)]
        found: list[pa.Array | None] = [None] * len(self.calls)
        self._finish(gathered, matrix.wide, found)
        for pick in self._picked:
            found[pick.place] = self._pick_many(frame, pick, gathered)
        for (read, greatest), places in self._extremes.items():
            table = extremes(frame, read, greatest=greatest)
            for place in places:
                window = self._window[place]
                values = table.many(lows[:, window], highs[:, window])
                found[place] = values.cast(engine_type(self.calls[place].result))
        for place in self._distinct:
            window = self._window[place]
            known = distinct(frame, self.calls[place].input)
            found[place] = pa.array(known.many(lows[:, window], highs[:, window]))
        rest = [place for place, column in enumerate(found) if column is None]
        for place in rest:
            call, window = self.calls[place], self._window[place]
            lists = frame.lists(call.input)
            asked = zip(
                lows[:, window].tolist(), highs[:, window].tolist(), times.tolist(), strict=True
            )
            values = [lists.value(call, low, high, t) for low, high, t in asked]
            found[place] = pa.array(values, self._type(call))
        return tuple(column for column in found if column is not None)

    def _finish(self, gathered: Ints, wide: frozenset[int], found: list[pa.Array | None]) -> None:
        count = len(self.edges.windows)
        for one in self._totalled:
            if one.place not in wide:
                before = gathered[:, one.window, one.columns]
                after = gathered[:, count + one.window, one.columns]
                found[one.place] = one.finisher.many(after - before)

    def _pick_many(self, frame: Frame, pick: _Picked, gathered: Ints) -> pa.Array:
        first = gathered[:, pick.window, pick.count]
        last = gathered[:, len(self.edges.windows) + pick.window, pick.count]
        at = last - pick.back if pick.back else first
        there = (first <= at) & (at < last)
        places = frame.places(pick.read)
        rows = np.where(there, at, 0)
        rows = places[rows] if len(places) else rows
        return frame.columns[pick.read.args[0]].take(pa.array(rows, mask=~there))

    def _type(self, call: Call) -> pa.DataType:
        if call.by_type is None:
            return engine_type(call.result)
        return pa.map_(engine_type(call.by_type), engine_type(call.result))

    # --- one question about each of many frames

    def stacked(self, frames: Sequence[Frame], times: Sequence[int]) -> tuple[pa.Array, ...]:
        """Return a column per call with the value of each frame, of one entity, at its time. Raises
        ``ValueFailure``.
        """
        windows = len(self.edges.windows)
        gathered = np.zeros((len(frames), 2 * windows, self._width), dtype=np.int64)
        wide: set[int] = set()
        found: list[list[Any] | None] = [None] * len(self.calls)
        loose = [one.place for one in self._picked] + self._distinct + self._rest
        loose += [place for places in self._extremes.values() for place in places]
        for place in loose:
            found[place] = []
        edges: list[tuple[list[int], list[int]]] = []
        for at, (frame, t) in enumerate(zip(frames, times, strict=True)):
            matrix = self._matrix(frame)
            lows, highs = self.edges.one(frame, t)
            edges.append((lows, highs))
            matrix.totals.take(lows + highs, axis=0, out=gathered[at])
            wide |= matrix.wide
            self._loose(frame, lows, highs, t, gathered[at], found)
        columns: list[pa.Array | None] = [None] * len(self.calls)
        self._finish(gathered, frozenset(wide), columns)
        for place in wide:
            found[place] = [
                self._slice(frame, place, lows, highs, t)
                for frame, (lows, highs), t in zip(frames, edges, times, strict=True)
            ]
        for place, values in enumerate(found):
            if values is not None:
                columns[place] = pa.array(values, self._type(self.calls[place]))
        return tuple(column for column in columns if column is not None)

    def _loose(
        self,
        frame: Frame,
        lows: list[int],
        highs: list[int],
        t: int,
        totals: Ints,
        found: list[list[Any] | None],
    ) -> None:
        """Add the values of what is not finished from totals."""

        def add(place: int, value: Any) -> None:
            column = found[place]
            assert column is not None
            column.append(value)

        windows = len(lows)
        for pick in self._picked:
            first = int(totals[pick.window, pick.count])
            last = int(totals[windows + pick.window, pick.count])
            at = last - pick.back if pick.back else first
            there = first <= at < last
            row = int(frame.places(pick.read)[at]) if there else 0
            add(pick.place, frame.cell(pick.read.args[0], row) if there else None)
        for (read, greatest), places in self._extremes.items():
            ends = [(lows[self._window[one]], highs[self._window[one]]) for one in places]
            values = extremes(frame, read, greatest=greatest).few(ends)
            for place, value in zip(places, values, strict=True):
                add(place, value)
        for place in self._distinct:
            window = self._window[place]
            known = distinct(frame, self.calls[place].input)
            add(place, known.one(lows[window], highs[window]))
        for place in self._rest:
            add(place, self._slice(frame, place, lows, highs, t))
