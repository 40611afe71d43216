"""What sweeps gather at the edges of windows: columns of one more row than the frame has, in rows.

Row i of the matrix says of the rows before i their running totals (``totals``), and beside them
values that stand for a window as they are: of the n-th last row that takes part before i, of the
first one from i on, and (for windows that end with a frame's last row, most often asked) the
extremes and the number of different values of all rows from i on. Floats are there as their bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.kernels.arrow_types import engine_type
from astrafs.kernels.windows import totals
from astrafs.kernels.windows.finish import Finisher, finisher
from astrafs.kernels.windows.frame import Frame
from astrafs.kernels.windows.orders import distinct, extremes, is_number
from astrafs.kernels.windows.slices import Call, Input
from astrafs.record import dataclass
from astrafs.typesys import Kind

Ints = npt.NDArray[np.int64]

PICKS = {"first": 0, "first_row": 0, "last": 1, "last_row": 1}
"""Aggregates that give the value of one row: the first, or which from the last."""


JOINED = {"min": np.minimum, "max": np.maximum}
"""Extremes of two stretches of rows are joined by these, all else is added."""


@dataclass(frozen=True, slots=True)
class Totalled:
    """A call that is finished from totals: its columns of the matrix, the count first."""

    place: int
    window: int
    columns: tuple[int, ...]
    finisher: Finisher


@dataclass(frozen=True, slots=True)
class Standing:
    """A call whose value stands in a column of the matrix, in the row where its window begins or
    (``at_end``) ends, as long as at least ``least`` rows take part by the column ``count``. A
    ``tail`` is so only of windows that end with the last row.
    """

    place: int
    window: int
    count: int
    column: int
    least: int
    at_end: bool
    tail: bool
    floats: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """The columns of one frame, in rows; and the calls whose totals they cannot hold."""

    rows: Ints
    wide: frozenset[int]

    @property
    def nbytes(self) -> int:
        """The bytes of all columns."""
        return self.rows.nbytes


class Columns:
    """The columns that calls need, each once."""

    def __init__(self) -> None:
        self.width = 0
        self.totalled: list[Totalled] = []
        self.standing: list[Standing] = []
        self._states: dict[tuple[str, Input], range] = {}
        self._values: dict[tuple[str, Input, int], int] = {}

    def add(self, place: int, window: int, call: Call) -> None:
        """Add what a call needs, as far as the matrix serves it."""
        found = finisher(call)
        if found is not None:
            columns = [*self._state("count", call)]
            for name in found.states:
                columns += self._state(name, call)
            self.totalled.append(Totalled(place, window, tuple(columns), found))
            return
        if call.input.each or call.input.by is not None or call.input.keep_nulls:
            return
        (count,) = self._state("count", call) if call.types else (0,)
        number = bool(call.types) and is_number(engine_type(call.types[0]))
        floats = number and call.types[0].kind is Kind.FLOAT
        back = pick_of(call)
        if back is not None and number:
            column = self._value("pick", call, back)
            self.standing.append(
                Standing(place, window, count, column, max(back, 1), back > 0, False, floats)
            )
        elif call.function in ("min", "max") and number:
            column = self._value(call.function, call)
            self.standing.append(Standing(place, window, count, column, 1, False, True, floats))
        elif call.function == "count_distinct":
            column = self._value(call.function, call)
            self.standing.append(Standing(place, window, count, column, 0, False, True, False))

    def _state(self, name: str, call: Call) -> range:
        found = self._states.get((name, call.input))
        if found is None:
            floats = name != "count" and call.types[0].kind is Kind.FLOAT
            count = totals.width(name, floats=floats)
            found = self._states[name, call.input] = range(self.width, self.width + count)
            self.width += count
        return found

    def _value(self, name: str, call: Call, back: int = 0) -> int:
        place = self._values.setdefault((name, call.input, back), self.width)
        self.width = max(self.width, place + 1)
        return place

    def parts(self) -> list[tuple[str, Input, int]]:
        """Return what each column is: the state or extreme, of what, and which of its columns. Only
        those are named whose values for two stretches of rows can be joined.
        """
        found = [
            (name, read, at)
            for (name, read), places in self._states.items()
            for at in range(len(places))
        ]
        return found + [(name, read, 0) for name, read, _ in self._values if name in JOINED]

    def place(self, part: tuple[str, Input, int]) -> int:
        """Return the column of a part."""
        name, read, at = part
        return self._values[name, read, 0] if name in JOINED else self._states[name, read][at]

    def whole(self, frame: Frame) -> list[int] | None:
        """Return the value of each part for all rows of a frame of one entity; None where totals
        cannot hold them.
        """
        found = self.of(frame)
        if found.wide:
            return None
        first, last = found.rows[0].tolist(), found.rows[-1].tolist()
        return [
            first[at] if part[0] in JOINED else last[at] - first[at]
            for part, at in ((part, self.place(part)) for part in self.parts())
        ]

    def of(self, frame: Frame) -> Matrix:
        """Return the matrix of a frame."""
        found = np.zeros((len(frame) + 1, self.width), dtype=np.int64)
        missing: set[int] = set()
        for (name, read), places in self._states.items():
            columns = (frame.counts(read),) if name == "count" else frame.state(name, read)
            if columns is None:
                missing.update(places)
                continue
            for place, column in zip(places, columns, strict=True):
                found[:, place] = column
        for (name, read, back), place in self._values.items():
            if name == "pick":
                found[:, place] = _picked(frame, read, back)
            elif frame.single:
                found[:, place] = _tail(frame, name, read)
        wide = (one.place for one in self.totalled if not missing.isdisjoint(one.columns))
        return Matrix(found, frozenset(wide))


def pick_of(call: Call) -> int | None:
    """Return which row a call takes its value from (see ``PICKS``); None: not from one alone."""
    if call.function in ("nth_last", "nth_last_row"):
        return int(call.constants[0])
    return PICKS.get(call.function)


def _picked(frame: Frame, read: Input, back: int) -> Ints:
    counts, places = frame.counts(read), frame.places(read)
    if not len(places):
        return np.zeros(len(counts), dtype=np.int64)
    numbers = totals.filled(frame.columns[read.args[0]], 0)[places].view(np.int64)
    at = counts - back if back else counts
    return numbers[np.clip(at, 0, len(places) - 1)]


def _tail(frame: Frame, name: str, read: Input) -> Ints:
    if name == "count_distinct":
        return distinct(frame, read).tail
    return extremes(frame, read, greatest=name == "max").tail


def array_of(bits: Ints, standing: Standing, mask: Any, type_: pa.DataType) -> pa.Array:
    """Return values that stood in a matrix as a column."""
    if standing.floats:
        return pa.array(bits.view(np.float64), pa.float64(), mask=mask)
    return pa.array(bits, type_, mask=mask)
