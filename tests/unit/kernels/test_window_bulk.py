"""Kernels for many questions against the same aggregates question by question."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from astrafs.kernels.windows import (
    Call,
    Delay,
    Frame,
    Input,
    LastWindow,
    RangeWindow,
    SessionWindow,
    Window,
)
from astrafs.kernels.windows.bulk import Bulk
from astrafs.kernels.windows.edges import Edges
from astrafs.typesys import Kind, Type

Ints = npt.NDArray[np.int64]

FLOAT, INT = Type(Kind.FLOAT, nullable=True), Type(Kind.INT, nullable=True)
TEXT = Type(Kind.STRING, nullable=True)
MONEY = Type(Kind.DECIMAL, precision=12, scale=2, nullable=True)
LIST = Type(Kind.LIST, parts=(FLOAT,))
WINDOWS: tuple[Window, ...] = (
    RangeWindow(20),
    RangeWindow(200, near=5, near_closed=True),
    RangeWindow(None),
    RangeWindow(60, every=7),
    LastWindow(4),
    LastWindow(9, within=50),
    SessionWindow(3),
)
NUMBERS = ("sum", "mean", "var", "stddev", "var_pop", "stddev_pop", "min", "max", "last", "first")


def _frame(seed: int, values: list[Any], kind: pa.DataType, delay: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    sizes = np.array([0, 1, 40, 2, 0, 90, 3])
    times = np.concatenate([np.sort(rng.integers(0, 300, size)) for size in sizes])
    rows = len(times)
    picked = [values[place] for place in rng.integers(0, len(values), rows)]
    columns = [
        pa.array(picked, kind),
        pa.array(rng.random(rows) < 0.5),
        pa.array(rng.integers(0, 5, rows)),
    ]
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    return Frame(times, columns, offsets=offsets, known=Delay(delay))


def _questions(seed: int) -> tuple[Ints, Ints]:
    rng = np.random.default_rng(seed)
    entities, times = rng.integers(0, 7, 48), rng.integers(-10, 400, 48)
    order = np.lexsort((times, entities))
    return entities[order], times[order]


def _one_by_one(frame: Frame, call: Call, entities: Ints, times: Ints) -> list[Any]:
    """Compute a call from the rows of each window as Python values."""
    lows, highs = Edges((call.window,)).locate(frame, entities, times)
    lists = frame.lists(call.input)
    asked = zip(lows[:, 0].tolist(), highs[:, 0].tolist(), times.tolist(), strict=True)
    found = [lists.value(call, low, high, t) for low, high, t in asked]
    return [list(one) if isinstance(one, tuple) else one for one in found]


def _check(frame: Frame, calls: list[Call], seed: int) -> None:
    entities, times = _questions(seed)
    found = Bulk(calls).many(frame, entities, times)
    for call, column in zip(calls, found, strict=True):
        wanted = _one_by_one(frame, call, entities, times)
        assert repr(column.to_pylist()) == repr(wanted), call


FLOATS: dict[str, list[Any]] = {
    "cents": [None, 0.1, 0.2, 12.34, -7.07, 0.0, 1e4 + 0.01],
    "wide": [1e25, -1e25, 1.0, 2.0**-80, 3e-20, -1e8, None],
    "tiny": [2.0**-87, 3 * 2.0**-87, -(2.0**-88), 2.0**-86, 5e-324, 1e-300],
    "equal": [0.1, 0.1, None],
    "close": [1e9, 1e9 + 2.0**-20, 1e9 - 2.0**-21, 1e9 + 1],
}


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("seed", range(2))
def test_floats_are_those_of_exact_arithmetic(name: str, seed: int) -> None:
    frame = _frame(seed, FLOATS[name], pa.float64(), delay=seed)
    calls = [
        Call(function, (), (FLOAT,), FLOAT, Input((0,), where), window)
        for function in NUMBERS
        for window in WINDOWS
        for where in (None, 1)
    ]
    _check(frame, calls, seed)


@pytest.mark.parametrize(
    ("values", "type_", "kind"),
    [
        ([None, 1, -5, 7, 10**6], INT, pa.int64()),
        ([1, 2**52, -(2**52) - 1, 2**61], INT, pa.int64()),
        (
            [None, Decimal("0.01"), Decimal("-12.34"), Decimal("1000.00")],
            MONEY,
            pa.decimal128(12, 2),
        ),
    ],
)
def test_exact_numbers(values: list[Any], type_: Type, kind: pa.DataType) -> None:
    frame = _frame(1, values, kind)
    calls = [
        Call(
            function,
            (),
            (type_,),
            FLOAT if function[:3] in ("mea", "var", "std") else type_,
            Input((0,)),
            window,
        )
        for function in NUMBERS
        for window in WINDOWS
        # Sums of the largest values do not fit an integer of the language.
        if function != "sum" or values[-1] != 2**61
    ]
    _check(frame, calls, 2)


@pytest.mark.parametrize("window", WINDOWS)
def test_picks_lists_and_different_values(window: Window) -> None:
    frame = _frame(5, [None, "a", "b", "é", ""], pa.string())
    calls = [
        Call("count", (), (), INT, Input((), 1), window),
        Call("count_distinct", (), (TEXT,), INT, Input((0,)), window),
        Call("count_distinct", (), (INT,), INT, Input((2,), 1), window),
        Call("min", (), (TEXT,), TEXT, Input((0,), 1), window),
        Call("max", (), (TEXT,), TEXT, Input((0,)), window),
        Call("argmin", (), (TEXT, INT), TEXT, Input((0, 2)), window),
        Call("argmax", (), (TEXT, INT), TEXT, Input((0, 2), 1), window),
        Call("first_row", (), (TEXT,), TEXT, Input((0,), keep_nulls=True), window),
        Call("last_row", (), (TEXT,), TEXT, Input((0,), 1, keep_nulls=True), window),
        Call("nth_last", (2,), (TEXT,), TEXT, Input((0,)), window),
        Call("collect", (3,), (TEXT,), Type(Kind.LIST, parts=(TEXT,)), Input((0,)), window),
        Call("first_k", (2,), (INT,), Type(Kind.LIST, parts=(INT,)), Input((2,), 1), window),
        Call("any", (), (Type(Kind.BOOL),), Type(Kind.BOOL), Input((1,)), window),
        Call("all", (), (Type(Kind.BOOL),), Type(Kind.BOOL), Input((1,)), window),
    ]
    _check(frame, calls, 6)


def test_nobody_asks_and_nobody_answers() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    calls = [
        Call(function, (), (FLOAT,), FLOAT, Input((0,)), WINDOWS[0])
        for function in (*NUMBERS, "count_distinct")
    ]
    frame = Frame(nothing, [pa.array([], pa.float64())], offsets=np.array([0, 0]), known=Delay(0))
    assert [len(column) for column in Bulk(calls).many(frame, nothing, nothing)] == [0] * len(calls)
    asked = Bulk(calls).many(frame, np.zeros(2, dtype=np.int64), np.array([1, 2]))
    assert asked[0].to_pylist() == [0.0, 0.0]
    assert asked[-1].to_pylist() == [0, 0]
    assert all(column.null_count == 2 for column in asked[1:-1])
