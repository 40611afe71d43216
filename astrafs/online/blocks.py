"""Rows of a source as bytes and back: Arrow IPC with a version, checked in full before it is
trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.typesys import Kind, Type

VERSION = b"1"
_VERSION_KEY = b"astrafs.block"

Cells = Mapping[str, Any]


def state_type(type_: Type) -> pa.DataType:
    """Return the Arrow type that holds values of ``type_`` in state; times are integers."""
    match type_.kind:
        case Kind.INT | Kind.TIMESTAMP | Kind.DURATION | Kind.DATE:
            return pa.int64()
        case Kind.FLOAT:
            return pa.float64()
        case Kind.DECIMAL:
            return pa.decimal128(type_.precision, type_.scale)
        case Kind.BOOL:
            return pa.bool_()
        case Kind.STRING | Kind.ENUM:
            return pa.string()
        case Kind.BYTES:
            return pa.binary()
        case Kind.KEY:
            return state_type(type_.parts[0])
        case Kind.LIST:
            return pa.list_(state_type(type_.parts[0]))
        case Kind.MAP:
            return pa.map_(state_type(type_.parts[0]), state_type(type_.parts[1]))
        case Kind.VECTOR:
            return pa.list_(pa.float32(), type_.precision)
        case _:
            raise TypeError(f"{type_} is not kept")


class Codec:
    """Writes and reads rows of one source with the columns that the plan needs."""

    def __init__(self, source: ir.Source) -> None:
        self._names = [column.name for column in source.columns]
        self._restore = [_restorer(column.type) for column in source.columns]
        self._schema = pa.schema(
            [
                pa.field(column.name, state_type(column.type), column.type.nullable)
                for column in source.columns
            ],
            {_VERSION_KEY: VERSION},
        )

    def encode(self, rows: Sequence[Cells]) -> bytes:
        """Return ``rows`` as bytes: the same for the same rows in the same order."""
        arrays = [pa.array([row[field.name] for row in rows], field.type) for field in self._schema]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._schema) as writer:
            writer.write_batch(batch)
        return bytes(sink.getvalue())

    def decode(self, data: bytes) -> list[dict[str, Any]]:
        """Return the rows of :meth:`encode`; raises :class:`AstrafsError` for anything else."""
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
            if not table.schema.equals(self._schema):
                raise pa.ArrowInvalid(f"other columns: {table.schema.to_string()}")
        except (pa.ArrowException, OSError) as error:
            raise AstrafsError(
                codes.STORE_FAILED.nowhere("state in the store is damaged").note(str(error)[:200])
            ) from None
        columns = [
            list(map(restore, column.to_pylist())) if restore else column.to_pylist()
            for restore, column in zip(self._restore, table.columns, strict=True)
        ]
        return [dict(zip(self._names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _restorer(type_: Type) -> Callable[[Any], Any] | None:
    """Return what makes an engine value of what Arrow gives, None where that is one."""
    match type_.kind:
        case Kind.LIST | Kind.VECTOR:
            inner = _restorer(type_.parts[0]) if type_.parts else None
            return lambda cell: None if cell is None else tuple(map(inner, cell) if inner else cell)
        case Kind.MAP:
            inner = _restorer(type_.parts[1])
            return lambda cell: (
                None
                if cell is None
                else tuple((key, inner(value) if inner else value) for key, value in cell)
            )
        case Kind.KEY:
            return _restorer(type_.parts[0])
        case _:
            return None


def key_bytes(parts: Sequence[Any]) -> bytes:
    """Return a key as bytes: different for different keys, whatever they print like."""
    return b"".join(_part_bytes(part) for part in parts)


def _part_bytes(part: Any) -> bytes:
    match part:
        case bool():
            tag, data = b"b", b"\x01" if part else b"\x00"
        case int():
            tag, data = b"i", str(part).encode()
        case str():
            tag, data = b"s", part.encode("utf-8", "surrogatepass")
        case float():
            tag, data = b"f", part.hex().encode()
        case Decimal():
            tag, data = b"d", f"{part:f}".encode()
        case bytes():
            tag, data = b"y", part
        case _:
            raise TypeError(f"{part!r} is no part of a key")
    return tag + len(data).to_bytes(4) + data
