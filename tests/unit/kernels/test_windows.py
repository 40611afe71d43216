"""Sweeps over columns give what the plain aggregates give of the rows of each window."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from astrafs.kernels.windows import (
    CalendarWindow,
    Call,
    Delay,
    Frame,
    Input,
    LastWindow,
    RangeWindow,
    SessionWindow,
    SinceWindow,
    Sweep,
    Window,
)
from astrafs.typesys import Kind, Type, decimal, list_of
from astrafs.values.errors import ValueFailure

FLOAT, INT, BOOL, STRING = (Type(kind) for kind in (Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.STRING))
MONEY = decimal(10, 2)
TYPES = (FLOAT, INT, BOOL, STRING, MONEY)
HOUR = 3_600_000_000

# Each aggregate with the columns that it can read, and its result (None: the type of its input).
CALLS: tuple[tuple[str, tuple[int | None, ...], Type | None], ...] = (
    ("count", (None, 0), INT),
    ("mean", (0, 1, 4), FLOAT),
    ("var", (0, 1, 4), FLOAT),
    ("stddev", (0, 1), FLOAT),
    ("var_pop", (0,), FLOAT),
    ("stddev_pop", (1,), FLOAT),
    ("any", (2,), BOOL),
    ("all", (2,), BOOL),
    ("min", (0, 1, 3, 4), None),
    ("max", (0, 1, 3, 4), None),
    ("first", (0, 3), None),
    ("last", (1, 4), None),
    ("first_row", (0,), None),
    ("last_row", (3,), None),
    ("nth_last", (0, 3), None),
    ("count_distinct", (0, 1, 3), INT),
    ("median", (0,), None),
    ("skew", (1,), FLOAT),
)


def rows(rng: Random, sizes: list[int], span: int, *, large: bool) -> Frame:
    count = sum(sizes)
    times: list[int] = []
    for size in sizes:
        times += sorted(rng.randrange(span) for _ in range(size))

    def cells(*choices: Any) -> list[Any]:
        return [rng.choice(choices) for _ in range(count)]

    floats = (None, 0.1, 0.2, -3.7, 1 / 3, 5e-300, 1e15 if large else 12.5)
    columns = (
        pa.array(cells(*floats), pa.float64()),
        pa.array(cells(None, -5, 0, 3, 7, 2**61 if large else 11), pa.int64()),
        pa.array(cells(None, True, False), pa.bool_()),
        pa.array(cells(None, "a", "b", "éa", ""), pa.string()),
        pa.array(cells(None, *map(Decimal, ("-5.00", "0.01", "12.34"))), pa.decimal128(10, 2)),
    )
    known = rng.choice([None, Delay(0), Delay(3)])
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return Frame(np.array(times, dtype=np.int64), columns, offsets=offsets, known=known)


def calls(rng: Random, span: int) -> list[Call]:
    windows: tuple[Window, ...] = (
        RangeWindow(None),
        RangeWindow(span // 3),
        RangeWindow(span // 2, span // 10, False, True),
        RangeWindow(span // 3, every=7),
        LastWindow(3),
        LastWindow(4, span // 3),
        SinceWindow(2),
        SessionWindow(span // 10),
        CalendarWindow("hour", "Europe/Paris"),
    )
    totals = {0: FLOAT, 1: INT, 4: decimal(38, 2)}
    asked = [("sum", column, type_) for column, type_ in totals.items()]
    asked += [(name, column, type_) for name, columns, type_ in CALLS for column in columns]
    asked += [("collect", 3, list_of(STRING))]
    found = []
    for name, column, type_ in asked:
        args = () if column is None else (column,)
        types = () if column is None else (TYPES[column],)
        constants = (2,) if name in ("nth_last", "collect") else ()
        result = types[0] if type_ is None else type_
        for window in rng.sample(windows, 3):
            read = Input(args, rng.choice([None, 2]), keep_nulls=name.endswith("_row"))
            found.append(Call(name, constants, types, result, read, window))
    return found


def bits(value: Any) -> Any:
    if isinstance(value, float):
        return value.hex()
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(8))
def test_sweeps_equal_the_plain_aggregates(seed: int) -> None:
    rng = Random(seed)
    span = rng.choice([5, 60, 1000]) if seed % 3 else 5 * HOUR
    sizes = [rng.choice([0, 1, 2, 30, 60]) for _ in range(rng.choice([1, 4]))]
    frame = rows(rng, sizes, span, large=seed % 4 == 0)
    asked = calls(rng, span)
    sweep = Sweep(asked)
    questions = [(rng.randrange(-1, len(sizes)), rng.randrange(-2, span + 10)) for _ in range(15)]
    alone = []
    for entity, _ in questions:
        low, high = (0, 0) if entity < 0 else frame.offsets[entity : entity + 2].tolist()
        columns = [column.slice(low, high - low) for column in frame.columns]
        alone.append(Frame(frame.times[low:high], columns, known=frame.known))
    entities = np.array([entity for entity, _ in questions], dtype=np.int64)
    times = np.array([t for _, t in questions], dtype=np.int64)
    try:
        many = [column.to_pylist() for column in sweep.many(frame, entities, times)]
        stacked = [column.to_pylist() for column in sweep.stacked(alone, times.tolist())]
    except ValueFailure:
        many = stacked = None
    fails = False
    for at, (_, t) in enumerate(questions):
        lows, highs = sweep.edges.one(alone[at], t)
        found = sweep.one(alone[at], t)
        for place, call in enumerate(asked):
            window = sweep.edges.windows.index(call.window)
            lists = alone[at].lists(call.input)
            try:
                expected = lists.value(call, lows[window], highs[window], t)
            except ValueFailure:
                assert isinstance(found[place], ValueFailure)
                fails = True
                continue
            assert bits(found[place]) == bits(expected), call
            if many is not None and stacked is not None:
                assert bits(many[place][at]) == bits(expected), call
                assert bits(stacked[place][at]) == bits(expected), call
    assert (many is None) == fails


def test_windows_of_many_entities_far_apart_in_time() -> None:
    """Times that do not fit one line with the entities are searched entity by entity."""
    far = 2**60
    times = np.array([-far, 0, far, -far, 5, far], dtype=np.int64)
    frame = Frame(times, (), offsets=np.array([0, 3, 3, 6], dtype=np.int64))
    sweep = Sweep([Call("count", (), (), INT, Input(()), RangeWindow(far))])
    entities = np.array([0, 1, 2, 2, -1], dtype=np.int64)
    asked = np.array([1, 1, 5, 6, 6], dtype=np.int64)
    (found,) = sweep.many(frame, entities, asked)
    assert found.to_pylist() == [1, 0, 0, 1, 0]


def test_rows_known_later_are_left_out() -> None:
    times, known = np.array([1, 2, 3, 4]), np.array([1, 9, 3, 4])
    frame = Frame(times, (pa.array([1, 10, 100, 1000]),), known=known)
    assert not frame.rising
    sweep = Sweep([Call("sum", (), (INT,), INT, Input((0,)), RangeWindow(None))])
    assert sweep.one(frame.visible(8), 8) == [1101]
    assert sweep.one(frame.visible(9), 9) == [1111]
    rising = Frame(times, frame.columns, known=np.array([1, 5, 5, 9]))
    assert rising.rising
    assert [sweep.one(rising, t) for t in (1, 4, 5, 8, 9)] == [[0], [1], [111], [111], [1111]]
