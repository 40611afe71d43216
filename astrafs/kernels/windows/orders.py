"""Extremes and different values of windows over a column."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.kernels.windows.frame import Frame
from astrafs.kernels.windows.slices import Input
from astrafs.kernels.windows.totals import filled

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]


class Extremes:
    """The least or greatest value of windows: numbers that stand for values, reduced."""

    def __init__(self, frame: Frame, read: Input, *, greatest: bool) -> None:
        self._frame = frame
        self._column = read.args[0]
        self._least = not greatest
        self._reduce = np.maximum if greatest else np.minimum
        column = frame.columns[self._column]
        self._direct = is_number(column.type)
        if self._direct:
            numbers: Numbers = filled(column, 0)
        else:
            numbers, self._rows = _ranks(column)
        worst: Any = np.inf if numbers.dtype == np.float64 else np.iinfo(np.int64).max
        self._worst = worst if self._least else (-worst if worst is np.inf else ~worst)
        taken = frame.taken(read)
        self._numbers = np.full(len(frame) + 1, self._worst, dtype=numbers.dtype)
        self._numbers[:-1] = numbers if taken is None else np.where(taken, numbers, self._worst)
        self._counts = frame.counts(read)

    @property
    def nbytes(self) -> int:
        """The bytes of what is remembered."""
        return self._numbers.nbytes

    @property
    def tail(self) -> Ints:
        """For each row, and after the last, the extreme of it and all after it, as bits."""
        return self._reduce.accumulate(self._numbers[::-1])[::-1].view(np.int64)

    def one(self, low: int, high: int) -> Any:
        """Return the extreme of the rows low to high, None where none takes part."""
        counts = self._counts
        if counts[low] == counts[high]:
            return None
        return self._value(self._reduce.reduce(self._numbers[low:high]).item())

    def _value(self, number: Any) -> Any:
        return number if self._direct else self._frame.cell(self._column, int(self._rows[number]))

    def many(self, lows: Ints, highs: Ints) -> pa.Array:
        """Return the extremes of the rows low to high, null where none takes part."""
        if not len(lows):
            return self._frame.columns[self._column].slice(0, 0)
        # In the order of their first rows, what lies between two windows is short or nothing.
        order = np.argsort(lows, kind="stable")
        ends = np.stack((lows[order], highs[order]), axis=1).ravel()
        found = np.empty(len(lows), dtype=self._numbers.dtype)
        found[order] = self._reduce.reduceat(self._numbers, ends)[::2]
        empty = self._counts[lows] == self._counts[highs]
        if self._direct:
            return pa.array(found, mask=empty)
        rows = self._rows[np.where(empty, 0, found)] if len(self._rows) else found
        return self._frame.columns[self._column].take(pa.array(rows, pa.int64(), mask=empty))


def is_number(type_: pa.DataType) -> bool:
    """Whether values are 64-bit numbers as they stand."""
    return pa.types.is_int64(type_) or pa.types.is_float64(type_)


def _ranks(column: pa.Array) -> tuple[Ints, Ints]:
    """Return the rank of every value among the different ones, and a row of each rank."""
    order = pc.sort_indices(column).to_numpy()
    ordered = column.take(pa.array(order))
    differs = np.ones(len(order), dtype=np.bool_)
    if len(order) > 1:
        changed = pc.not_equal(ordered.slice(1), ordered.slice(0, len(order) - 1))
        differs[1:] = pc.fill_null(changed, True).to_numpy(zero_copy_only=False)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.cumsum(differs) - 1
    return ranks, order[differs].astype(np.int64)


def extremes(frame: Frame, read: Input, *, greatest: bool) -> Extremes:
    """Return the extremes of an input, remembered by ``frame``."""
    return frame.once(
        ("extremes", read, greatest), lambda: Extremes(frame, read, greatest=greatest)
    )


class Distinct:
    """How many different values windows have: rows whose value has not been in the window yet."""

    def __init__(self, frame: Frame, read: Input) -> None:
        column = frame.columns[read.args[0]]
        codes = filled(column.dictionary_encode().indices, -1)
        rows = frame.places(read)
        order = rows[np.argsort(codes[rows], kind="stable")]
        previous = np.full(len(frame), len(frame), dtype=np.int64)
        previous[order] = -1
        if len(order) > 1:
            same = codes[order[1:]] == codes[order[:-1]]
            previous[order[1:]] = np.where(same, order[:-1], -1)
        # Of each row that takes part the row before it with its value, whatever the entity: one of
        # another entity lies before the window.
        self._previous = previous

    @property
    def nbytes(self) -> int:
        """The bytes of what is remembered."""
        return self._previous.nbytes

    @property
    def tail(self) -> Ints:
        """For each row, and after the last, how many different values it and all after it have."""
        latest = self._previous < len(self._previous)
        latest[self._previous[latest & (self._previous >= 0)]] = False
        return np.append(np.cumsum(latest[::-1])[::-1], 0)

    def one(self, low: int, high: int) -> int:
        """Return the number of different values in the rows low to high."""
        return int(np.count_nonzero(self._previous[low:high] < low))

    def many(self, lows: Ints, highs: Ints) -> Ints:
        """Return the number of different values in the rows low to high, of each question."""
        asked = zip(lows.tolist(), highs.tolist(), strict=True)
        return np.array([self.one(low, high) for low, high in asked], dtype=np.int64)


def distinct(frame: Frame, read: Input) -> Distinct:
    """Return the different values of an input, remembered by ``frame``."""
    return frame.once(("distinct", read), lambda: Distinct(frame, read))
