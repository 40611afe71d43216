"""Arrow streams from outside: what is read, what is refused, and that nothing grows."""

from __future__ import annotations

from random import Random

import pyarrow as pa
import pytest

from astrafs.server.arrow import read_table, to_stream
from astrafs.server.problems import RefusalError

PLAIN = pa.table(
    {
        "number": pa.array([1, None, 3]),
        "text": ["a", "bc", None],
        "list": [[1], [2, 3], None],
        "time": pa.array([1, 2, 3], pa.timestamp("us", "UTC")),
        "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        "view": pa.array(["a", "b" * 40, None], pa.string_view()),
        "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "flag": pa.array([True, None, False]),
        "nothing": pa.nulls(3),
    }
)


def test_values_are_those_that_were_sent() -> None:
    found = read_table(to_stream(PLAIN), 100, 10_000)
    assert found.to_pylist() == PLAIN.to_pylist()
    assert found.schema.field("kind").type == pa.string()
    assert read_table(to_stream(PLAIN.slice(0, 0)), 100, 100).num_rows == 0


def test_several_batches_are_one_table() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, PLAIN.schema) as writer:
        for _ in range(3):
            writer.write_table(PLAIN)
    body = sink.getvalue().to_pybytes()
    assert read_table(body, 9, 10_000).to_pylist() == PLAIN.to_pylist() * 3
    with pytest.raises(RefusalError) as refusal:
        read_table(body, 8, 10_000)
    assert refusal.value.status == 413


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_streams_are_refused_before_they_are_read(compression: str) -> None:
    for table in (PLAIN, PLAIN.select(["kind"]), PLAIN.select(["number"])):
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        with pytest.raises(RefusalError, match="compressed"):
            read_table(sink.getvalue().to_pybytes(), 100, 10_000)


@pytest.mark.parametrize(
    "column",
    [
        pa.RunEndEncodedArray.from_arrays(pa.array([3], pa.int32()), pa.array([1])),
        pa.UnionArray.from_dense(
            pa.array([0, 0, 0], pa.int8()), pa.array([0, 1, 2], pa.int32()), [pa.array([1, 2, 3])]
        ),
        pa.array([b"0" * 16] * 3, pa.uuid()),
        pa.array([[1]] * 3, pa.list_view(pa.int64())),
        pa.array([[None]] * 3, pa.list_(pa.null())),
        pa.array([{}] * 3, pa.struct([])),
    ],
    ids=lambda column: str(column.type)[:20],
)
def test_types_that_are_not_taken(column: pa.Array) -> None:
    with pytest.raises(RefusalError, match="which is not taken") as refusal:
        read_table(to_stream(pa.table({"c": column})), 100, 10_000)
    assert refusal.value.status == 422


def test_a_column_that_comes_twice_is_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(RefusalError, match="two columns"):
        read_table(to_stream(table), 10, 10_000)


def test_shared_values_count_as_often_as_they_stand() -> None:
    text = "x" * 1_000
    repeated = pa.array([text] * 500).dictionary_encode()
    views = pa.array([text] * 500, pa.string_view())
    for column in (repeated, views, repeated.slice(100, 300), views.slice(100, 300)):
        body = to_stream(pa.table({"c": column}))
        assert read_table(body, 1_000, 500_000).column(0).to_pylist() == column.to_pylist()
        with pytest.raises(RefusalError, match="bytes when its values are written out"):
            read_table(body, 1_000, 100_000)


def test_damage_is_always_a_refusal() -> None:
    body = to_stream(PLAIN)
    for end in range(len(body)):
        with pytest.raises(RefusalError):
            read_table(body[:end], 100, 10_000)
    chance = Random(5)
    refused = 0
    for _ in range(2_000):
        damaged = bytearray(body)
        for _ in range(chance.choice((1, 1, 2, 5))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            found = read_table(bytes(damaged), 100, 10_000)
        except RefusalError as refusal:
            assert refusal.status in (400, 413, 422)
            refused += 1
        else:
            found.validate(full=True)
            assert found.num_rows <= 100
    assert refused > 500


def test_what_follows_the_end_is_refused() -> None:
    with pytest.raises(RefusalError):
        read_table(to_stream(PLAIN) + b"GET / HTTP/1.1", 100, 10_000)
