"""Arrow streams from outside: nothing in them is trusted before it is checked, and nothing grows.

The memory that reading takes is bounded by the size of the body: compressed buffers are refused
before Arrow sees them, and columns whose values are shared (dictionaries, views) only pass if they
fit when written out.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import Diagnostic
from astrafs.server.bodies import check_count
from astrafs.server.problems import RefusalError

MOST_COLUMNS: Final = 4_096
MOST_DEPTH: Final = 8
_RECORDS, _DICTIONARY = 3, 2
_CONTINUES: Final = 0xFFFF_FFFF


def read_table(body: bytes, most_rows: int, most_bytes: int) -> pa.Table:
    """Return the table of an Arrow IPC stream, valid in full and of plain columns.

    ``most_bytes`` is the most that its values may take. Raises :class:`RefusalError`.
    """
    _check_messages(body)
    batches = []
    rows = 0
    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
            schema = stream.schema
            _check_schema(schema)
            for batch in stream:
                rows += batch.num_rows
                check_count(rows, most_rows, "rows")
                batch.validate(full=True)
                batches.append(batch)
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        reason = " ".join(str(error).split())[:160]
        raise RefusalError(
            _damaged("the body is no valid Arrow stream").note(reason), status=400
        ) from (None)
    table = pa.Table.from_batches(batches, schema)
    left = most_bytes
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        plain, size = _plain(name, column, left)
        left -= size
        columns.append(plain)
    return pa.table(columns, names=table.column_names)


def to_stream(table: pa.Table) -> bytes:
    """Return ``table`` as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    made: bytes = sink.getvalue().to_pybytes()
    return made


def _plain(name: str, column: pa.ChunkedArray, left: int) -> tuple[pa.ChunkedArray, int]:
    """Return ``column`` with its values written out, and the bytes that they take."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        size = sum(_taken_bytes(chunk) for chunk in column.chunks)
        target = kind.value_type
    elif pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        size = sum(_viewed_bytes(chunk) for chunk in column.chunks)
        target = pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary()
    else:
        return column, 0
    if size > left:
        title = f"the column `{name[:60]}` takes {size:,} bytes when its values are written out"
        raise RefusalError(codes.TOO_LARGE.nowhere(title))
    return column.cast(target), size


def _taken_bytes(chunk: pa.DictionaryArray) -> int:
    values = chunk.dictionary
    if values.type.num_fields == 0 and not _is_text(values.type):
        return int(len(chunk) * values.type.bit_width // 8)
    if not _is_text(values.type):
        raise RefusalError(_damaged("a dictionary of nested values is not taken"))
    sizes = pc.take(pc.binary_length(values), chunk.indices)
    return int(pc.sum(sizes.cast(pa.int64())).as_py() or 0)


def _viewed_bytes(chunk: pa.Array) -> int:
    views = chunk.buffers()[1]
    if views is None:
        return 0
    words = np.frombuffer(views, np.int32, count=4 * (chunk.offset + len(chunk)))
    return int(words[4 * chunk.offset :: 4].astype(np.int64).sum())


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def _check_schema(schema: pa.Schema) -> None:
    if len(schema) > MOST_COLUMNS:
        raise RefusalError(
            _damaged(f"there are {len(schema):,} columns, and {MOST_COLUMNS:,} pass")
        )
    names = schema.names
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RefusalError(_damaged(f"there are two columns `{twice[:60]}`"))
    for field in schema:
        _check_type(field.name, field.type, 1)


def _check_type(name: str, kind: pa.DataType, depth: int) -> None:
    types = pa.types
    plain = (
        types.is_primitive(kind)
        or types.is_decimal(kind)
        or _is_text(kind)
        or types.is_fixed_size_binary(kind)
        or (depth == 1 and (types.is_string_view(kind) or types.is_binary_view(kind)))
        or (depth == 1 and types.is_null(kind))
    )
    if plain and not isinstance(kind, pa.BaseExtensionType):
        return
    if depth == 1 and types.is_dictionary(kind):
        _check_type(name, kind.value_type, MOST_DEPTH)
        return
    nested = (
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_map(kind)
        or (types.is_struct(kind) and kind.num_fields > 0)
    )
    if nested and not isinstance(kind, pa.BaseExtensionType) and depth < MOST_DEPTH:
        for place in range(kind.num_fields):
            _check_type(name, kind.field(place).type, depth + 1)
        return
    found = _damaged(f"the column `{name[:60]}` is `{str(kind)[:80]}`, which is not taken")
    raise RefusalError(found.help("cast it to a plain type before it is sent"))


def _check_messages(body: bytes) -> None:
    """Raise :class:`RefusalError` where buffers are compressed or the framing is damaged."""
    place = 0
    try:
        while place < len(body):
            (size,) = struct.unpack_from("<I", body, place)
            place += 4
            if size == _CONTINUES:
                (size,) = struct.unpack_from("<I", body, place)
                place += 4
            if size == 0:
                if place != len(body):
                    raise ValueError("bytes follow the end of the stream")
                return
            message = memoryview(body)[place : place + size]
            if len(message) < size:
                raise ValueError("it breaks off")
            place += size
            table = _Flat(message, struct.unpack_from("<I", message, 0)[0])
            header = table.child(2)
            length = table.number(3, "<q")
            kind = table.number(1, "<B")
            if kind == _DICTIONARY and header is not None:
                header = header.child(1)
            holds_buffers = kind in (_RECORDS, _DICTIONARY)
            if holds_buffers and header is not None and header.child(3) is not None:
                found = _damaged("the stream is compressed")
                raise RefusalError(found.help("write it without compression"))
            if length < 0 or place + length > len(body):
                raise ValueError("a message is longer than the body")
            place += length
        raise ValueError("it breaks off")  # without the mark of its end, rows may be missing
    except (struct.error, ValueError) as error:
        found = _damaged("the body is no valid Arrow stream").note(str(error)[:160])
        raise RefusalError(found, status=400) from None


class _Flat:
    """A table of a flatbuffer, as much of it as is needed to see whether buffers are compressed."""

    def __init__(self, data: memoryview, place: int) -> None:
        self._data = data
        self._place = place
        (back,) = struct.unpack_from("<i", data, place)
        self._fields = place - back
        (self._size,) = struct.unpack_from("<H", data, self._at(self._fields))

    def child(self, number: int) -> _Flat | None:
        """Return the table in field ``number``, None where it is not there."""
        at = self._field(number)
        if at is None:
            return None
        return _Flat(self._data, at + struct.unpack_from("<I", self._data, at)[0])

    def number(self, number: int, form: str) -> int:
        """Return the number in field ``number``, 0 where it is not there."""
        at = self._field(number)
        return 0 if at is None else int(struct.unpack_from(form, self._data, at)[0])

    def _field(self, number: int) -> int | None:
        entry = 4 + 2 * number
        if entry + 2 > self._size:
            return None
        (offset,) = struct.unpack_from("<H", self._data, self._at(self._fields + entry))
        return self._place + offset if offset else None

    def _at(self, place: int) -> int:
        if place < 0:
            raise ValueError("an offset leads out of the message")
        return place


def _damaged(title: str) -> Diagnostic:
    return codes.UNSAFE_ARROW.nowhere(title)
