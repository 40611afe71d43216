"""The Arrow types of values: as they leave AstraFS, and as engines hold them."""

from __future__ import annotations

import pyarrow as pa

from astrafs.typesys import Kind, Type


def arrow_type(type_: Type) -> pa.DataType:
    """Return the Arrow type in which values of ``type_`` leave AstraFS."""
    match type_.kind:
        case Kind.TIMESTAMP:
            return pa.timestamp("us", "UTC")
        case Kind.DATE:
            return pa.date32()
        case Kind.DURATION:
            return pa.duration("us")
        case Kind.KEY if len(type_.parts) == 1:
            return arrow_type(type_.parts[0])
        case Kind.LIST:
            return pa.list_(arrow_type(type_.parts[0]))
        case Kind.MAP:
            return pa.map_(arrow_type(type_.parts[0]), arrow_type(type_.parts[1]))
        case _:
            return engine_type(type_)


def engine_type(type_: Type) -> pa.DataType:
    """Return the Arrow type in which engines hold values of ``type_``: times and durations are
    int64 microseconds, dates int64 days, all else as it leaves.
    """
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
        case Kind.KEY if len(type_.parts) == 1:
            return engine_type(type_.parts[0])
        case Kind.LIST:
            return pa.list_(engine_type(type_.parts[0]))
        case Kind.MAP:
            return pa.map_(engine_type(type_.parts[0]), engine_type(type_.parts[1]))
        case Kind.VECTOR:
            return pa.list_(pa.float32(), type_.precision)
        case _:
            raise TypeError(f"{type_} has no Arrow type")
