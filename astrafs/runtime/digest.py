"""A digest of a table's content: the same for equal values, whatever the batches, buffers or row
groups.

Per column, the bytes hashed are those of fixed blocks of rows: the validity as one byte per row,
then the values with nulls as zeros (fixed width), or lengths and the concatenated bytes of the
non-null values (strings), or the digested children (nested). The table's digest covers names,
types, the number of rows and the columns' digests.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLOCK = 65_536


class TableDigest:
    """Takes a table in any batches; ``hexdigest`` ends it. All must have the given schema."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._columns = [hashlib.sha256() for _ in schema]
        self._rows = 0
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Take the next rows."""
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, BLOCK - self._count)
            self._waiting.append(part)
            self._count += part.num_rows
            start += part.num_rows
            if self._count == BLOCK:
                self._flush()

    def hexdigest(self) -> str:
        """Return the SHA-256 of everything taken, in hexadecimal."""
        self._flush()
        total = hashlib.sha256(b"astrafs-table-1\0")
        for field, column in zip(self._schema, self._columns, strict=True):
            for part in (field.name, str(field.type)):
                encoded = part.encode()
                total.update(len(encoded).to_bytes(4, "little") + encoded)
            total.update(column.digest())
        total.update(self._rows.to_bytes(8, "little"))
        return total.hexdigest()

    def _flush(self) -> None:
        if not self._count:
            return
        table = pa.Table.from_batches(self._waiting, self._schema)
        for place, digest in enumerate(self._columns):
            column = table.column(place)
            array = column.chunk(0) if column.num_chunks == 1 else _concatenated(column)
            _add(digest, array)
        self._rows += self._count
        self._waiting, self._count = [], 0


def digest_table(table: pa.Table) -> str:
    """Return the digest of ``table``."""
    digest = TableDigest(table.schema)
    for batch in table.to_batches():
        digest.update(batch)
    return digest.hexdigest()


def _concatenated(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pa.concat_arrays(column.chunks)


def _add(digest: Any, array: pa.Array) -> None:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _add(digest, array.cast(kind.value_type))
    digest.update(array.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False).tobytes())
    if pa.types.is_null(kind):
        return None
    if pa.types.is_boolean(kind):
        return _add_numbers(digest, array.cast(pa.uint8()))
    if (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or kind in (pa.string_view(), pa.binary_view())
    ):
        return _add_strings(digest, array.cast(pa.large_binary()))
    if pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind):
        return _add_wide(digest, array, kind.byte_width)
    if pa.types.is_floating(kind):
        return _add_numbers(digest, array)
    if pa.types.is_primitive(kind):
        return _add_numbers(
            digest, array.view(pa.int64() if kind.bit_width == 64 else _integer(kind.bit_width))
        )
    if pa.types.is_struct(kind):
        for place in range(kind.num_fields):
            _add(digest, pc.struct_field(array, [place]))
        return None
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        _add_numbers(digest, pc.list_value_length(array).cast(pa.int64()))
        return _add(digest, array.flatten())
    if pa.types.is_map(kind):
        array = array.drop_null()  # what lies under a null does not matter
        offsets = array.offsets.to_numpy()
        digest.update(np.diff(offsets).astype("<i8").tobytes())
        first, last = int(offsets[0]), int(offsets[-1])
        _add(digest, array.keys.slice(first, last - first))
        return _add(digest, array.items.slice(first, last - first))
    # Rare nested types of a spine's own columns: their values in the one printed form.
    return _add_strings(
        digest, pa.array([repr(value) for value in array.to_pylist()], pa.large_binary())
    )


def _integer(bits: int) -> pa.DataType:
    return {8: pa.int8(), 16: pa.int16(), 32: pa.int32()}[bits]


def _add_numbers(digest: Any, array: pa.Array) -> None:
    if array.null_count:
        array = array.fill_null(pa.scalar(0, array.type))
    values = np.ascontiguousarray(array.to_numpy(zero_copy_only=False))
    digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())


def _add_strings(digest: Any, array: pa.Array) -> None:
    _add_numbers(digest, pc.binary_length(array).cast(pa.int64()))
    present = array.drop_null()
    if len(present):
        offsets = np.frombuffer(present.buffers()[1], dtype=np.int64)
        first, last = offsets[present.offset], offsets[present.offset + len(present)]
        digest.update(memoryview(present.buffers()[2])[first:last] if last > first else b"")


def _add_wide(digest: Any, array: pa.Array, width: int) -> None:
    values = np.frombuffer(array.buffers()[1], dtype=np.uint8)
    values = values[array.offset * width : (array.offset + len(array)) * width].reshape(-1, width)
    if array.null_count:
        values = values * array.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False)[:, None]
    digest.update(np.ascontiguousarray(values).tobytes())
