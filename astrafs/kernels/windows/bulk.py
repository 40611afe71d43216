"""Many questions about many rows: every aggregate for all questions at once.

Questions come in the order of their entities and times, so the first row of a window, and the one
after its last, only ever move on. What a window adds up is the difference of running totals at its
two edges; extremes come from runs of 2**n rows, different values from the questions at which a row
begins and ceases to be the latest of its value; picked rows and lists from places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.kernels import double_double as dd
from astrafs.kernels.arrow_types import engine_type
from astrafs.kernels.compensated import divide
from astrafs.kernels.exact import REST_BITS, SQUARE_BITS, finish_mean, finished
from astrafs.kernels.windows import limbs, tables
from astrafs.kernels.windows.edges import Edges
from astrafs.kernels.windows.finish import finisher
from astrafs.kernels.windows.frame import Frame
from astrafs.kernels.windows.limbs import Digits
from astrafs.kernels.windows.slices import Call, Input
from astrafs.kernels.windows.sweep import Sweep
from astrafs.kernels.windows.variances import variances
from astrafs.record import dataclass
from astrafs.typesys import Kind
from astrafs.values.numbers import SUM_LIMIT, summable

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
T = TypeVar("T")

_MOST_QUESTIONS = 1 << 18
"""Questions that are answered at a time."""

_PICKS = {"first": 0, "first_row": 0, "last": 1, "last_row": 1, "nth_last": 2, "nth_last_row": 2}
_MOMENTS = {
    "var": (True, False),
    "stddev": (True, True),
    "var_pop": (False, False),
    "stddev_pop": (False, True),
}
_EXACT = float(1 << 53)
_SQUARE_DIGITS = 3
_RADIX = 1 << 16


@dataclass(frozen=True, slots=True)
class Asked:
    """A window of each question: the row where it begins and the one after its end; and which
    questions they are. What several calls need is ``found`` once, of one window, and ``at`` an edge
    that windows share.
    """

    lows: Ints
    highs: Ints
    entities: Ints
    times: Ints
    found: dict[Any, Any]
    shared: dict[tuple[int, int], tuple[Ints, Ints, Ints]]

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what ``make`` gives, which is remembered under ``key``."""
        known: T | None = self.found.get(key)
        if known is None:
            known = self.found[key] = make()
        return known

    def at(self, totals: Ints, edge: Ints) -> Ints:
        """Return running totals at an edge of this window."""
        key = (id(totals), id(edge))
        if key not in self.shared:
            # With what the numbers of the key mean: they are used again for what comes later.
            self.shared[key] = (totals, edge, totals[edge])
        return self.shared[key][2]

    def total(self, totals: Ints) -> Ints:
        """Return what running totals grow by between the edges."""
        return self.at(totals, self.highs) - self.at(totals, self.lows)

    @property
    def rising(self) -> bool:
        """Whether windows only ever move on."""
        return not (bool((np.diff(self.lows) < 0).any()) or bool((np.diff(self.highs) < 0).any()))


Make = Callable[[Frame, Call, Asked], pa.Array]


class Bulk:
    """Aggregates that are asked together, compiled, for many questions at a time."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = tuple(calls)
        self._windows = tuple(dict.fromkeys(call.window for call in self.calls))
        self._edges = Edges(self._windows)

    def many(self, frame: Frame, entities: Ints, times: Ints) -> tuple[pa.Array, ...]:
        """Return a column per call with a value per question, these in the order of entities and
        times. Raises ``ValueFailure``.
        """
        parts = [
            self._part(
                frame, entities[low : low + _MOST_QUESTIONS], times[low : low + _MOST_QUESTIONS]
            )
            for low in range(0, max(1, len(times)), _MOST_QUESTIONS)
        ]
        if len(parts) == 1:
            return parts[0]
        return tuple(pa.concat_arrays(columns) for columns in zip(*parts, strict=True))

    def _part(self, frame: Frame, entities: Ints, times: Ints) -> tuple[pa.Array, ...]:
        lows, highs = self._edges.locate(frame, entities, times)
        different: list[Ints] = []
        shared: dict[tuple[int, int], tuple[Ints, Ints, Ints]] = {}

        def edge(found: Ints) -> Ints:
            """Return an edge of a window; the same for windows that have it in common."""
            for known in different:
                if np.array_equal(known, found):
                    return known
            different.append(np.ascontiguousarray(found))
            return different[-1]

        asked = {
            window: Asked(edge(lows[:, place]), edge(highs[:, place]), entities, times, {}, shared)
            for place, window in enumerate(self._windows)
        }
        return tuple(_make(call)(frame, call, asked[call.window]) for call in self.calls)


def _make(call: Call) -> Make:
    """Return what computes ``call``."""
    function, nested = call.function, bool(call.types) and call.types[0].is_nested
    if call.input.each or call.input.by is not None:
        return _others
    if function in _PICKS:
        return _picked
    if function in _LISTED:
        return _listed
    if nested and function != "count":
        return _others
    if function in _MOMENTS:
        return _moment
    if function in ("sum", "mean") and call.types[0].kind is Kind.FLOAT:
        return _float_total
    if finisher(call) is not None:
        return _totalled
    return _MADE.get(function, _others)


def _others(frame: Frame, call: Call, asked: Asked) -> pa.Array:
    """Compute a call question by question."""
    return Sweep((call,)).many(frame, asked.entities, asked.times)[0]


def _count(frame: Frame, call: Call, asked: Asked) -> Ints:
    return asked.once(("count", call.input), lambda: asked.total(frame.counts(call.input)))


# --- totals


def _totalled(frame: Frame, call: Call, asked: Asked) -> pa.Array:
    """Finish totals of exact inputs."""
    made = finisher(call)
    assert made is not None
    columns = [_count(frame, call, asked)]
    for name in made.states:
        state = frame.state(name, call.input)
        if state is None:
            return _others(frame, call, asked)
        columns += [asked.total(column) for column in state]
    return made.many(np.stack(columns, axis=1))


def _float_total(frame: Frame, call: Call, asked: Asked) -> pa.Array:
    """Finish a sum or mean of floats."""
    totals = _sum_of(frame, call.input, asked)
    rounded = asked.once(("rounded", call.input), totals.rounded)
    shift = REST_BITS + totals.unit
    if call.function == "sum":
        return finished(
            rounded,
            lambda place: finish_mean(totals.exact(place) << shift, 1 << REST_BITS, 1),
            np.ones(len(asked.lows), dtype=np.bool_),
        )
    counts = _count(frame, call, asked)
    return finished(
        divide(rounded, counts),
        lambda place: finish_mean(totals.exact(place) << shift, 1 << REST_BITS, int(counts[place])),
        counts > 0,
    )


def _values(frame: Frame, read: Input) -> npt.NDArray[np.float64]:
    """Return the inputs as floats without loss, 0 where a row takes no part."""
    column = frame.columns[read.args[0]]
    if pa.types.is_floating(column.type):
        values = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False)
        taken = frame.taken(read)
        return values if taken is None else np.where(taken, values, 0.0)
    state = frame.state("sum", read)
    assert state is not None
    return np.diff(state[0]).astype(np.float64)


def _sums(frame: Frame, read: Input) -> Digits:
    """Return running totals of floats."""

    def make() -> Digits:
        values = _values(frame, read)
        largest = float(np.abs(values).max(initial=0.0))
        if largest >= SUM_LIMIT:
            summable(largest)
        return limbs.running((limbs.on_grid(values),), frame.longest, 64, -REST_BITS)[0]

    return frame.once(("digits", read), make)


def _sum_of(frame: Frame, read: Input, asked: Asked) -> Digits:
    return asked.once(("sum", read), lambda: _sums(frame, read).proper(asked.total))


def _squares(frame: Frame, read: Input) -> tuple[Digits, bool]:
    """Return running totals of squares, and whether they are whole."""

    def make() -> tuple[Digits, bool]:
        values = limbs.on_grid(_values(frame, read))
        lowest = max(-SQUARE_BITS, 2 * _sums(frame, read).unit)
        return limbs.running(dd.two_product(values, values), frame.longest, _SQUARE_DIGITS, lowest)

    return frame.once(("squares", read), make)


def _moment(frame: Frame, call: Call, asked: Asked) -> pa.Array:
    """Finish a variance or deviation."""
    type_, read = call.types[0], call.input
    if type_.kind is not Kind.FLOAT:
        state = frame.state("sum", read)
        if state is None or np.abs(np.diff(state[0])).max(initial=0) >= _EXACT:
            return _others(frame, call, asked)
    sample, square_root = _MOMENTS[call.function]
    counts = _count(frame, call, asked)
    valid = counts > (1 if sample else 0)
    squares, whole = _squares(frame, read)
    same = _all_equal(frame, read, asked)
    values, decided = variances(
        np.where(valid, counts, 2),
        _sum_of(frame, read, asked),
        squares.proper(asked.total),
        whole=whole,
        scale=type_.scale if type_.kind is Kind.DECIMAL else 0,
        sample=sample,
        square_root=square_root,
    )
    values = np.where(same, 0.0, values)
    left = np.flatnonzero(valid & ~decided & ~same)
    if len(left):
        exact = _one_by_one(frame, call, asked, left)
        values[left] = exact.to_numpy(zero_copy_only=False)
    return pa.array(values, pa.float64(), mask=~valid)


def _one_by_one(frame: Frame, call: Call, asked: Asked, places: Ints) -> pa.Array:
    """Compute some questions from nothing but their own rows."""
    columns = [frame.columns[one] for one in call.input.args]
    where = None if call.input.where is None else len(columns)
    if call.input.where is not None:
        columns.append(frame.columns[call.input.where])
    read = Input(tuple(range(len(call.input.args))), where)
    alone = Call(call.function, call.constants, call.types, call.result, read, call.window)
    found = []
    for place in places.tolist():
        low, high = int(asked.lows[place]), int(asked.highs[place])
        few = [column.slice(low, high - low) for column in columns]
        rows = Frame(frame.times[low:high], few)
        found.append(rows.lists(read).value(alone, 0, high - low, int(asked.times[place])))
    return pa.array(found, engine_type(call.result))


def _all_equal(frame: Frame, read: Input, asked: Asked) -> Flags:
    """Whether all values of each window are equal; also where there are none."""

    def make() -> Ints:
        values = _values(frame, read)[frame.places(read)]
        differs = np.ones(len(values) + 1, dtype=np.bool_)
        differs[1:-1] = values[1:] != values[:-1]
        # For 0 to n values, the first of those that are equal to the last.
        firsts = np.where(differs[:-1], np.arange(len(values)), 0)
        return np.concatenate(([0], np.maximum.accumulate(firsts)))

    runs, counts = frame.once(("runs", read), make), frame.counts(read)
    return runs[asked.at(counts, asked.highs)] <= asked.at(counts, asked.lows)


# --- extremes


def _extreme(frame: Frame, call: Call, asked: Asked) -> pa.Array:
    """Return the least or greatest values."""
    greatest, column = call.function == "max", frame.columns[call.input.args[0]]
    empty = _count(frame, call, asked) == 0
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):

        def fill() -> Any:
            numbers = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
            worst: Any = np.inf if numbers.dtype == np.float64 else np.iinfo(np.int64).max
            if greatest:
                worst = -worst if numbers.dtype == np.float64 else ~worst
            taken = frame.taken(call.input)
            return numbers if taken is None else np.where(taken, numbers, worst)

        numbers = frame.once(("filled", call.input, greatest), fill)
        found = tables.extremes(numbers, asked.lows, asked.highs, greatest=greatest)
        return pa.array(found, engine_type(call.result), mask=empty)
    return _row_at(frame, column, *_best(frame, call.input, asked, 0, greatest=greatest))


def _picked_by(frame: Frame, call: Call, asked: Asked) -> pa.Array:
    """Return the values where another is least or greatest, the latest of those."""
    greatest = call.function == "argmax"
    column = frame.columns[call.input.args[0]]
    return _row_at(frame, column, *_best(frame, call.input, asked, 1, greatest=greatest))


def _best(
    frame: Frame, read: Input, asked: Asked, by: int, *, greatest: bool
) -> tuple[Ints, Flags]:
    """Return the row of the extreme of an argument, the latest of equal ones, and where there is
    one.
    """
    size = max(1, len(frame))

    def make() -> Ints:
        ranks = _ranks(frame.columns[read.args[by]])
        ranks = ranks if greatest else -ranks
        taken = frame.taken(read)
        places = ranks * size + np.arange(len(frame))
        return places if taken is None else np.where(taken, places, np.iinfo(np.int64).min)

    places = frame.once(("best", read, by, greatest), make)
    counts = frame.counts(read)
    there = asked.at(counts, asked.highs) > asked.at(counts, asked.lows)
    found = tables.extremes(places, asked.lows, asked.highs, greatest=True)
    return np.where(there, found % size, 0), there


def _ranks(column: pa.Array) -> Ints:
    """Return the place of every value among the different ones, in order."""
    order = pc.sort_indices(column).to_numpy()
    ordered = column.take(pa.array(order))
    differs = np.zeros(len(order), dtype=np.int64)
    if len(order) > 1:
        changed = pc.not_equal(ordered.slice(1), ordered.slice(0, len(order) - 1))
        differs[1:] = pc.fill_null(changed, True).to_numpy(zero_copy_only=False)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.cumsum(differs)
    return ranks


def _row_at(frame: Frame, column: pa.Array, rows: Ints, there: Flags) -> pa.Array:
    """Return the values of rows, null where there is none."""
    if not len(frame):
        return pa.nulls(len(rows), column.type)
    return column.take(pa.array(rows, mask=~there))


# --- different values


def _distinct(frame: Frame, call: Call, asked: Asked) -> pa.Array:
    """Return how many different values there are.

    A row counts while it is the latest of its value and in the window: from the first question that
    sees it, until one sees the next of its value, or has left it.
    """
    if not asked.rising:
        return _others(frame, call, asked)
    rows, following = _successors(frame, call.input)
    seen, left = _first_above(asked.highs, len(frame)), _first_above(asked.lows, len(frame))
    begins, ends = seen[rows], np.minimum(left[rows], seen[following])
    counted = begins < ends
    size = len(asked.lows) + 1
    changes = np.bincount(begins[counted], minlength=size)
    changes -= np.bincount(ends[counted], minlength=size)
    return pa.array(np.cumsum(changes[:-1]), pa.int64())


def _first_above(edges: Ints, rows: int) -> Ints:
    """Return, for each row and the place after the last, the first question whose edge is above
    it.
    """
    found: Ints = np.cumsum(np.bincount(edges, minlength=rows + 1))
    found[rows] = len(edges)
    return found


def _successors(frame: Frame, read: Input) -> tuple[Ints, Ints]:
    """Return the rows that take part, and of each the next with its value; there may be one of
    another entity, which comes after all windows that hold the row.
    """

    def make() -> tuple[Ints, Ints]:
        rows = frame.places(read)
        codes = _codes(frame.columns[read.args[0]])[rows]
        order = _stable_order(codes)
        following = np.full(len(rows), len(frame), dtype=np.int64)
        if len(rows) > 1:
            same = codes[order[1:]] == codes[order[:-1]]
            following[order[:-1][same]] = rows[order[1:][same]]
        return rows, following

    return frame.once(("successors", read), make)


def _codes(column: pa.Array) -> Ints:
    """Return a small number for every value, the same for equal ones."""
    if pa.types.is_integer(column.type) and len(column) > column.null_count:
        values: Ints = pc.fill_null(column, pc.min(column)).to_numpy(zero_copy_only=False)
        least, most = int(values.min()), int(values.max())
        if most - least < _RADIX:
            return values - least
    codes = pc.fill_null(column.dictionary_encode().indices, 0).to_numpy(zero_copy_only=False)
    found: Ints = codes.astype(np.int64)
    return found


def _stable_order(codes: Ints) -> Ints:
    """Return the places of small numbers in order, equal ones in theirs; 16 bits at a time, which
    are sorted by counting.
    """
    order = np.argsort((codes & (_RADIX - 1)).astype(np.uint16), kind="stable")
    rest = codes >> 16
    while rest.any():
        order = order[np.argsort((rest[order] & (_RADIX - 1)).astype(np.uint16), kind="stable")]
        rest >>= 16
    return order


# --- picked rows


def _picked(frame: Frame, call: Call, asked: Asked) -> pa.Array:
    """Return the value of one row: the first, or the n-th last."""
    counts, kind = frame.counts(call.input), _PICKS[call.function]
    first, last = asked.at(counts, asked.lows), asked.at(counts, asked.highs)
    back = kind if kind < 2 else int(call.constants[0])
    at = last - back if back else first
    there = (first <= at) & (at < last)
    places = frame.places(call.input)
    rows = places[np.where(there, at, 0)] if len(places) else at
    return _row_at(frame, frame.columns[call.input.args[0]], rows, there)


def _listed(frame: Frame, call: Call, asked: Asked) -> pa.Array:
    """Return the values of the first or last rows, oldest first."""
    counts, most = frame.counts(call.input), int(call.constants[0])
    first, last = asked.at(counts, asked.lows), asked.at(counts, asked.highs)
    if call.function == "collect":
        first = np.maximum(first, last - most)
    else:
        last = np.minimum(last, first + most)
    sizes = last - first
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    rows = np.repeat(first - offsets[:-1], sizes) + np.arange(offsets[-1])
    values = frame.columns[call.input.args[0]].take(pa.array(frame.places(call.input)[rows]))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, engine_type(call.result))


_LISTED = ("collect", "first_k")
_MADE: dict[str, Make] = {
    "min": _extreme,
    "max": _extreme,
    "argmin": _picked_by,
    "argmax": _picked_by,
    "count_distinct": _distinct,
}
