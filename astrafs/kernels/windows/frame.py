"""Rows of entities in order, and what windows need to know of them, computed when first needed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.kernels.windows import totals
from astrafs.kernels.windows.slices import Input, Lists, engine_value
from astrafs.record import dataclass

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
T = TypeVar("T")

_WIDEST = 1 << 62


@dataclass(frozen=True, slots=True)
class Delay:
    """Every row is known this long (microseconds) after its event."""

    delay: int


class Frame:
    """The sorted rows of one or more entities. See the package for what is asked of them."""

    def __init__(
        self,
        times: Ints,
        columns: Sequence[pa.Array],
        *,
        offsets: Ints | None = None,
        known: Delay | Ints | None = None,
    ) -> None:
        self.times = times
        self.columns = tuple(columns)
        self.offsets = np.array([0, len(times)]) if offsets is None else offsets
        self.known = known
        self._found: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self.times)

    @property
    def nbytes(self) -> int:
        """The bytes that rows and everything remembered take."""
        columns = sum(column.nbytes for column in self.columns)
        return self.times.nbytes + columns + sum(map(_size, list(self._found.values())))

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what ``make`` gives, which is remembered under ``key``."""
        found: T | None = self._found.get(key)
        if found is None:
            found = self._found[key] = make()
        return found

    # --- entities

    @cached_property
    def single(self) -> bool:
        """Whether all rows are of one entity."""
        return len(self.offsets) == 2

    @cached_property
    def _extents(self) -> tuple[Ints, Ints]:
        nobody = np.zeros(1, dtype=np.int64)
        return np.append(self.offsets[:-1], nobody), np.append(self.offsets[1:], nobody)

    def extents(self, entities: Ints) -> tuple[Ints, Ints]:
        """Return the first row of each entity and the one after its last; of -1 there are none."""
        starts, ends = self._extents
        return starts[entities], ends[entities]

    @cached_property
    def longest(self) -> int:
        """The most rows of one entity."""
        return int(np.diff(self.offsets).max(initial=0))

    @cached_property
    def first_of_entity(self) -> Flags:
        """Which rows are the first of their entity."""
        found = np.zeros(len(self.times) + 1, dtype=np.bool_)
        found[self.offsets[:-1]] = True
        return found[: len(self.times)]

    # --- places of instants

    def search(self, instants: Ints, entities: Ints) -> Ints:
        """Return the first row of each question's entity at or after each of its instants; where
        there is none, the one after the entity's last. ``instants`` is [questions, any].
        """
        return self._search("times", self.times, instants, entities)

    def _search(self, name: str, values: Ints, instants: Ints, entities: Ints) -> Ints:
        if not len(values):
            return np.zeros(instants.shape, dtype=np.int64)
        if self.single:
            found = np.searchsorted(values, instants)
            return found if entities.min(initial=0) >= 0 else found * (entities >= 0)[:, None]
        least, most = int(values.min()), int(values.max())
        width = most - least + 2
        if width * (len(self.offsets) - 1) >= _WIDEST:
            return self._halve(values, instants, entities)
        line = self.once((name, "line"), lambda: self._owner * width + (values - least))
        within = np.clip(instants, least, most + 1) - least
        found = np.searchsorted(line, np.maximum(entities, 0)[:, None] * width + within)
        return np.where((entities >= 0)[:, None], found, 0)

    @cached_property
    def _owner(self) -> Ints:
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def _halve(self, values: Ints, instants: Ints, entities: Ints) -> Ints:
        starts, ends = self.extents(entities)
        low = np.broadcast_to(starts[:, None], instants.shape).copy()
        high = np.broadcast_to(ends[:, None], instants.shape).copy()
        for _ in range(self.longest.bit_length()):
            middle = (low + high) >> 1
            before = (low < high) & (values[np.minimum(middle, len(values) - 1)] < instants)
            high = np.where(before | (low >= high), high, middle)
            low = np.where(before, middle + 1, low)
        return low

    @cached_property
    def rising(self) -> bool:
        """Whether rows become known in their order, so that those visible are the first ones."""
        if not isinstance(self.known, np.ndarray):
            return True
        falls = np.diff(self.known) < 0
        return not bool((falls & ~self.first_of_entity[1:]).any())

    @cached_property
    def settled(self) -> int:
        """From this moment on every row is visible."""
        if isinstance(self.known, np.ndarray):
            return int(self.known.max(initial=-_WIDEST))
        delay = 0 if self.known is None else self.known.delay
        return int(self.times.max(initial=-_WIDEST)) + delay

    def seen(self, entities: Ints, times: Ints, ends: Ints) -> Ints:
        """Return the row after the last that each question may see."""
        match self.known:
            case None:
                return ends
            case Delay(delay):
                return self.search((times - (delay - 1))[:, None], entities)[:, 0]
            case known:
                assert self.rising
                return self._search("known", known, (times + 1)[:, None], entities)[:, 0]

    def newest(self, t: int) -> int | None:
        """Return the instant from which on rows are not seen at ``t``; None: there is none."""
        return t - self.known.delay + 1 if isinstance(self.known, Delay) else None

    def seen_at(self, t: int) -> int:
        """Return the row after the last that a question at ``t`` may see, of one entity."""
        match self.known:
            case None:
                return len(self.times)
            case Delay(delay):
                return bisect_right(self.line, t - delay)
            case known:
                assert self.rising
                return int(np.searchsorted(known, t, side="right"))

    @cached_property
    def line(self) -> Sequence[int]:
        """The event times, quick to read one by one."""
        return memoryview(self.times).cast("B").cast("q")

    def known_by(self, moment: int) -> Flags:
        """Return which rows are known at ``moment``."""
        match self.known:
            case None:
                return np.ones(len(self.times), dtype=np.bool_)
            case Delay(delay):
                return self.times <= moment - delay
            case known:
                return known <= moment

    def visible(self, moment: int) -> Frame:
        """Return the rows that are known at ``moment``, all to be seen."""
        return self.filtered(self.known_by(moment))

    def filtered(self, kept: Flags) -> Frame:
        """Return the rows that are ``kept``, all to be seen."""
        mask = pa.array(kept)
        before = np.concatenate(([0], np.cumsum(kept)))
        return Frame(
            self.times[kept],
            tuple(column.filter(mask) for column in self.columns),
            offsets=before[self.offsets],
        )

    # --- windows that depend on the rows before

    def cuts(self, column: int) -> Ints:
        """Return, for 0 to n rows, the row after the latest of them where ``column`` is true."""

        def make() -> Ints:
            places = np.where(self.flags(column), np.arange(1, len(self) + 1), 0)
            return np.concatenate(([0], np.maximum.accumulate(places)))

        return self.once(("cuts", column), make)

    def sessions(self, gap: int) -> Ints:
        """Return, for 0 to n rows, the row that begins the session of the last of them."""

        def make() -> Ints:
            begins = self.first_of_entity.copy()
            begins[1:] |= np.diff(self.times) > gap
            places = np.where(begins, np.arange(len(self)), 0)
            return np.concatenate(([0], np.maximum.accumulate(places)))

        return self.once(("sessions", gap), make)

    # --- columns

    def flags(self, column: int) -> Flags:
        """Return where a boolean column is true."""

        def make() -> Flags:
            return totals.filled(self.columns[column], False)

        return self.once(("flags", column), make)

    def taken(self, read: Input) -> Flags | None:
        """Return which rows take part; None: all."""
        found: tuple[Flags | None] = self.once(("taken", read), lambda: (self._taken(read),))
        return found[0]

    def _taken(self, read: Input) -> Flags | None:
        parts = [] if read.where is None else [self.flags(read.where)]
        if not read.keep_nulls:
            nulls = [one for one in read.args if self.columns[one].null_count]
            parts += [pc.is_valid(self.columns[one]).to_numpy(zero_copy_only=False) for one in nulls]
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else np.logical_and.reduce(parts)

    def counts(self, read: Input) -> Ints:
        """Return, for 0 to n rows, how many of them take part."""

        def make() -> Ints:
            taken = self.taken(read)
            if taken is None:
                return np.arange(len(self) + 1)
            return np.concatenate(([0], np.cumsum(taken)))

        return self.once(("counts", read), make)

    def places(self, read: Input) -> Ints:
        """Return the rows that take part."""

        def make() -> Ints:
            taken = self.taken(read)
            return np.arange(len(self)) if taken is None else np.flatnonzero(taken)

        return self.once(("places", read), make)

    def state(self, name: str, read: Input) -> tuple[Ints, ...] | None:
        """Return running totals of what the rows that take part add, each for 0 to n rows; None
        where these columns cannot hold them (see ``totals``).
        """
        column = self.columns[read.args[0]]
        return totals.running(name, column, self.taken(read), self.longest)

    def cell(self, column: int, row: int) -> Any:
        """Return one value as the engine knows it."""
        return engine_value(self.columns[column][row].as_py())

    def lists(self, read: Input) -> Lists:
        """Return what takes part as Python values, with the places of the rows among it."""
        return self.once(("lists", read), lambda: Lists.of(self.times, self.columns, read))


def _size(value: Any) -> int:
    match value:
        case np.ndarray():
            return int(value.nbytes)
        case tuple():
            return sum(map(_size, value))
        case Lists():
            return value.nbytes
        case _:
            return int(getattr(value, "nbytes", 64))
