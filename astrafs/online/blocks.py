"""Rows of a source as bytes and back: Arrow IPC with a version, checked in full before it is
trusted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.kernels.arrow_types import engine_type
from astrafs.online.groups import Shape
from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.typesys import Kind, Type

VERSION = b"1"
_VERSION_KEY = b"astrafs.block"

Cells = Mapping[str, Any]


class Codec:
    """Writes and reads rows of one source with the columns that the plan needs."""

    def __init__(self, source: ir.Source) -> None:
        self._names = [column.name for column in source.columns]
        self._restore = [restorer(column.type) for column in source.columns]
        self._schema = pa.schema(
            [
                pa.field(column.name, engine_type(column.type), column.type.nullable)
                for column in source.columns
            ],
            {_VERSION_KEY: VERSION},
        )

    def encode(self, rows: Sequence[Cells]) -> bytes:
        """Return ``rows`` as bytes: the same for the same rows in the same order."""
        arrays = [pa.array([row[field.name] for row in rows], field.type) for field in self._schema]
        return write_stream(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def decode(self, data: bytes) -> list[dict[str, Any]]:
        """Return the rows of :meth:`encode`; raises :class:`AstrafsError` for anything else."""
        batch = read_stream(data)
        if not batch.schema.equals(self._schema):
            raise damaged(f"other columns: {batch.schema.to_string()}")
        columns = [
            list(map(restore, column.to_pylist())) if restore else column.to_pylist()
            for restore, column in zip(self._restore, batch.columns, strict=True)
        ]
        return [dict(zip(self._names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def restorer(type_: Type) -> Callable[[Any], Any] | None:
    """Return what makes an engine value of what Arrow gives, None where that is one."""
    match type_.kind:
        case Kind.LIST | Kind.VECTOR:
            inner = restorer(type_.parts[0]) if type_.parts else None
            return lambda cell: None if cell is None else tuple(map(inner, cell) if inner else cell)
        case Kind.MAP:
            inner = restorer(type_.parts[1])
            return lambda cell: (
                None
                if cell is None
                else tuple((key, inner(value) if inner else value) for key, value in cell)
            )
        case Kind.KEY:
            return restorer(type_.parts[0])
        case _:
            return None


class BlockForm:
    """How rows of a local group lie in a block: event time (``@e``), knowledge time (``@k``, unless
    a constant delay gives it), the key columns that order rows of one time (``@0``, ...), the place
    in a union (``@w``), and each expression that aggregates read, by a name that says what it
    means.

    A block is a version, the digest of its columns, a checksum, and one Arrow record batch. What
    the digest stands for is in the store, so that blocks with other columns can be read too.
    """

    def __init__(self, shape: Shape, columns: Sequence[str]) -> None:
        self.shape = shape
        self.columns = tuple(columns)
        self._ordered = ["@e", *(f"@{place}" for place in range(len(shape.key_types)))]
        fields = [pa.field("@e", pa.int64(), False)]
        self._known = shape.delay is None
        if self._known:
            fields.append(pa.field("@k", pa.int64(), False))
        fields += [
            pa.field(f"@{place}", engine_type(type_), False)
            for place, type_ in enumerate(shape.key_types)
        ]
        if len(shape.ways) > 1:
            fields.append(pa.field("@w", pa.int64(), False))
            self._ordered.append("@w")
        fields += [
            pa.field(name, type_) for name, type_ in zip(columns, shape.column_types, strict=True)
        ]
        self.schema = pa.schema(fields)
        self.digest = schema_digest(self.schema)

    def batch(self, rows: Sequence[Placed]) -> pa.RecordBatch:
        """Return rows, in their order, as columns."""
        columns: list[Sequence[Any]] = [[row.event for row in rows]]
        if self._known:
            columns.append([row.known for row in rows])
        columns += zip(*(row.key for row in rows), strict=True) if rows[0].key else ()
        if len(self.shape.ways) > 1:
            columns.append([row.place for row in rows])
        columns += zip(*(row.cells for row in rows), strict=True) if rows[0].cells else ()
        arrays = [
            pa.array(column, field.type) for column, field in zip(columns, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def column(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        """Return one column of a block; raises :class:`AstrafsError` where it was not kept."""
        place = batch.schema.get_field_index(name)
        if place < 0:
            raise AstrafsError(
                codes.NOT_LOADED.nowhere(
                    f"the store holds rows of `{self.shape.group.rows}` without all that the "
                    "program reads of them"
                ).help("`astrafs online load` reads them from the sources")
            )
        return batch.column(place)

    def aligned(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a block with the columns of this form, whatever else it has."""
        if batch.schema.equals(self.schema):
            return batch
        arrays = [self.column(batch, name) for name in self.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def orders(self, batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
        """Return what orders the rows of a block."""
        return list(zip(*(batch.column(name).to_pylist() for name in self._ordered), strict=True))

    def order(self, row: Placed) -> tuple[Any, ...]:
        """Return what orders a row among those of a block."""
        last = (row.place,) if len(self.shape.ways) > 1 else ()
        return (row.event, *row.key, *last)

    def known(self, batch: pa.RecordBatch, last: int) -> int:
        """Return when all rows of a block, the last at ``last``, are known."""
        if self.shape.delay is not None:
            return last + self.shape.delay.delay
        return int(batch.column("@k").to_numpy().max())

    def encode(self, batch: pa.RecordBatch) -> bytes:
        """Return a block as bytes."""
        data: bytes = batch.serialize().to_pybytes()
        return BLOCK_VERSION + self.digest + zlib.crc32(data).to_bytes(4) + data

    def decode(self, data: bytes, schema_of: Callable[[bytes], pa.Schema]) -> pa.RecordBatch:
        """Return the rows of a block; ``schema_of`` gives the columns that a digest stands for.
        Raises :class:`AstrafsError` for anything that is no block.
        """
        version, name = data[:1], data[1 : 1 + _DIGEST]
        if version != BLOCK_VERSION:
            raise AstrafsError(
                codes.NEWER_STORE.nowhere(
                    f"a block of format {version.hex()}; this version reads {BLOCK_VERSION.hex()}"
                )
            )
        body = memoryview(data)[_BODY:]
        if zlib.crc32(body).to_bytes(4) != data[1 + _DIGEST : _BODY]:
            raise damaged("a block is not what was written")
        schema = self.schema if name == self.digest else schema_of(name)
        try:
            batch = pa.ipc.read_record_batch(pa.py_buffer(body), schema)
            batch.validate(full=True)
        except (pa.ArrowException, OSError) as error:
            raise damaged(str(error)) from None
        return batch


BLOCK_VERSION = b"\x02"
_DIGEST = 8
_BODY = 1 + _DIGEST + 4


@dataclass(frozen=True, slots=True)
class Placed:
    """A row of a local group: event and knowledge time, key, place in a union, and the values that
    aggregates read.
    """

    event: int
    known: int
    key: tuple[Any, ...]
    place: int
    cells: tuple[Any, ...]


def write_stream(batch: pa.RecordBatch) -> bytes:
    """Return a record batch as bytes that say which columns it has."""
    sink = pa.BufferOutputStream()
    schema = batch.schema.with_metadata({_VERSION_KEY: VERSION})
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(batch.cast(schema))
    return bytes(sink.getvalue())


def read_stream(data: bytes) -> pa.RecordBatch:
    """Return the record batch of :func:`write_stream`, checked in full; raises
    :class:`AstrafsError` for anything else.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            version = (reader.schema.metadata or {}).get(_VERSION_KEY)
            if version != VERSION:
                raise AstrafsError(
                    codes.NEWER_STORE.nowhere(
                        f"state of format {(version or b'?').decode('utf-8', 'replace')}; this "
                        f"version reads {VERSION.decode()}"
                    )
                )
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise damaged(str(error)) from None
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def schema_digest(schema: pa.Schema) -> bytes:
    """Return the name of a set of columns."""
    return blake2b(schema.serialize().to_pybytes(), digest_size=_DIGEST).digest()


def read_schema(data: bytes | None) -> pa.Schema:
    """Return columns kept in a store."""
    if data is None:
        raise damaged("the columns of a block are missing")
    try:
        return pa.ipc.read_schema(pa.py_buffer(data))
    except (pa.ArrowException, OSError) as error:
        raise damaged(str(error)) from None


def damaged(what: str) -> AstrafsError:
    """Return the refusal of state that is not what was written."""
    return AstrafsError(
        codes.STORE_FAILED.nowhere("state in the store is damaged").note(what[:200])
    )


def key_bytes(parts: Sequence[Any]) -> bytes:
    """Return a key as bytes: different for different keys, whatever they print like."""
    return b"".join([_part_bytes(part) for part in parts])


def _part_bytes(part: Any) -> bytes:
    kind = part.__class__
    if kind is int:
        tag, data = b"i", str(part).encode()
    elif kind is str:
        tag, data = b"s", part.encode("utf-8", "surrogatepass")
    else:
        tag, data = _other_bytes(part)
    return tag + len(data).to_bytes(4) + data


def _other_bytes(part: Any) -> tuple[bytes, bytes]:
    match part:
        case bool():
            return b"b", b"\x01" if part else b"\x00"
        case float():
            return b"f", part.hex().encode()
        case Decimal():
            return b"d", f"{part:f}".encode()
        case bytes():
            return b"y", part
        case _:
            raise TypeError(f"{part!r} is no part of a key")
