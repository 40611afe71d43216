"""Lists, maps and vectors: what of them is read from files, and what is refused or broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from astrafs.diagnostics.model import AstrafsError
from astrafs.runtime.output import Writer
from astrafs.runtime.result import arrow_type, from_engine
from astrafs.typesys import (
    DATE,
    DURATION,
    FLOAT,
    INT,
    STRING,
    TIMESTAMP,
    Kind,
    Type,
    decimal,
    list_of,
    map_of,
    vector_of,
)
from tests.unit.runtime.test_conversions import Read, directory, parquet, read, session

__all__ = ["directory", "read", "session"]

USER = Type(Kind.KEY, entity="m.User", parts=(INT,))
INTS, TEXTS = list_of(INT), list_of(STRING)
STOCK = map_of(STRING, INT.optional())


@pytest.mark.parametrize(
    ("values", "type_", "zone", "found"),
    [
        (pa.array([[1, 2], []], pa.list_(pa.int8())), INTS, "", [[1, 2], []]),
        (pa.array([[1], [2]], pa.large_list(pa.uint64())), INTS, "", [[1], [2]]),
        (pa.array([[1, 2]], pa.list_(pa.int32(), 2)), INTS, "", [[1, 2]]),
        (pa.array([[7]], pa.list_(pa.int64())), list_of(USER), "", [[7]]),
        (pa.array([None, [1]]), INTS.optional(), "", [None, [1]]),
        (pa.array([[0.5, float("nan")]]), list_of(FLOAT.optional()), "", [[0.5, None]]),
        (pa.array([[[1], None], []]), list_of(INTS.optional()), "", [[[1], None], []]),
        (pa.array([[3]], pa.list_(pa.timestamp("ms", "UTC"))), list_of(TIMESTAMP), "", [[3000]]),
        (pa.array([[1]]), list_of(TIMESTAMP), "unix:s", [[1_000_000]]),
        (pa.array([[1]], pa.list_(pa.duration("s"))), list_of(DURATION), "", [[1_000_000]]),
        (pa.array(["[1, null]", "[]"]), list_of(INT.optional()), "", [[1, None], []]),
        (pa.array(['["2026-01-01"]']), list_of(DATE), "", [[20_454]]),
        (
            pa.array([[("b", 1), ("a", None)]], pa.map_(pa.string(), pa.int16())),
            STOCK,
            "",
            [{"a": None, "b": 1}],
        ),
        (
            pa.array([[(1, 2)]], pa.map_(pa.int32(), pa.duration("ms"))),
            map_of(INT, DURATION),
            "",
            [{1: 2_000}],
        ),
        (pa.array(['{"2026-01-01": 1}']), map_of(DATE, INT), "", [{20_454: 1}]),
        (pa.array([[0.1, -0.0]]), vector_of(2), "", [(0.10000000149011612, 0.0)]),
        (pa.array([[1, 2]], pa.list_(pa.int32())), vector_of(2), "", [(1.0, 2.0)]),
        (pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)), vector_of(2), "", [(1.0, 2.0)]),
        (pa.array(["[1, 2]", None]), vector_of(2).optional(), "", [(1.0, 2.0), None]),
    ],
    ids=str,
)
def test_what_is_read(
    directory: Path, read: Read, values: pa.Array, type_: Type, zone: str, found: list[Any]
) -> None:
    assert read(parquet(directory, values), type_, zone) == found


@pytest.mark.parametrize(
    ("values", "type_", "advice"),
    [
        (pa.array([1]), INTS, "`int`"),
        (pa.array([["a"]]), INTS, "of its elements"),
        (pa.array([[1]]), STOCK, "a map"),
        (pa.array([[("a", 1.5)]], pa.map_(pa.string(), pa.float64())), STOCK, "of its values"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), INTS, "a list"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), vector_of(2), "2 floats"),
        (pa.array([[1]], pa.list_(pa.timestamp("us"))), list_of(TIMESTAMP), "zone"),
    ],
    ids=str,
)
def test_types_that_do_not_fit(
    directory: Path, read: Read, values: pa.Array, type_: Type, advice: str
) -> None:
    with pytest.raises(AstrafsError) as caught:
        read(parquet(directory, values), type_)
    (found,) = caught.value.diagnostics
    assert found.code.id in ("AFS0904", "AFS0905")
    assert advice in found.helps[0]


@pytest.mark.parametrize(
    ("values", "type_", "rule"),
    [
        (pa.array([[1, None]]), INTS, "has no null element"),
        (
            pa.array([[0.5, float("inf")]]),
            list_of(FLOAT),
            "has no null element (NaN and infinities count as null)",
        ),
        (pa.array([[2**63]], pa.list_(pa.uint64())), INTS, "each fits 64 bits"),
        (pa.array([[100]]), list_of(decimal(4, 2)), "each fits decimal(4, 2)"),
        (pa.array([[["a", None]]]), list_of(TEXTS), "each has no null element"),
        (
            pa.array([["x"]]),
            list_of(Type(Kind.ENUM, values=("a", "b"))),
            "has elements among a, b",
        ),
        (
            pa.array([[("a", None)]], pa.map_(pa.string(), pa.int64())),
            map_of(STRING, INT),
            "has no null value",
        ),
        (
            pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())),
            STOCK,
            "has every key once",
        ),
        (pa.array([[1.0]]), vector_of(2), "has 2 numbers"),
        (pa.array([[1.0, None]]), vector_of(2), "finite numbers only"),
        (pa.array([[1.0, 4e38]]), vector_of(2), "finite numbers only"),
        (pa.array(["[1"]), INTS, "is JSON text such as [1, 2]"),
        (pa.array(["{}"]), INTS, "is a JSON array"),
        (pa.array(["[1.5]"]), INTS, "each is a 64-bit integer"),
        (pa.array(["[]"]), STOCK, "is a JSON object, each key once"),
    ],
    ids=str,
)
def test_contracts(directory: Path, read: Read, values: pa.Array, type_: Type, rule: str) -> None:
    with pytest.raises(AstrafsError) as caught:
        read(parquet(directory, values), type_)
    (found,) = caught.value.diagnostics
    assert found.code.id == "AFS0906"
    assert rule in found.notes[0]


@pytest.mark.parametrize(
    ("type_", "values", "text"),
    [
        (list_of(TIMESTAMP), [[0], None, []], '[["1970-01-01T00:00:00.000000Z"],null,[]]'),
        (list_of(list_of(INT.optional())), [[[1, None]], []], "[[[1,null]],[]]"),
        (map_of(DATE, DURATION), [[(1, 5)], []], '[{"1970-01-02":5},{}]'),
        (map_of(STRING, list_of(INT)), [[("a", [1])], None], '[{"a":[1]},null]'),
    ],
    ids=str,
)
def test_what_leaves_the_engine(tmp_path: Path, type_: Type, values: list[Any], text: str) -> None:
    """Also of a slice: its offsets do not begin at zero."""
    held = pa.array([values[0], *values], _held(type_)).slice(1)
    column = from_engine(held, type_)
    column.validate(full=True)
    assert column.type == arrow_type(type_)
    schema = pa.schema([("v", column.type)])
    with Writer(tmp_path / "o.jsonl", "jsonl", schema) as writer:
        writer.write(pa.RecordBatch.from_arrays([column], schema=schema))
    lines = (tmp_path / "o.jsonl").read_text("utf-8").replace(" ", "").splitlines()
    assert "[" + ",".join(line[len('{"v":') : -1] for line in lines) + "]" == text


def _held(type_: Type) -> pa.DataType:
    match type_.kind:
        case Kind.LIST:
            return pa.list_(_held(type_.parts[0]))
        case Kind.MAP:
            return pa.map_(_held(type_.parts[0]), _held(type_.parts[1]))
        case Kind.STRING:
            return pa.string()
        case _:
            return pa.int64()
