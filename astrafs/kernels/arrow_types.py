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


def from_engine(column: pa.Array, type_: Type) -> pa.Array:
    """Return an engine column (times as int64 microseconds, dates as int64 days) in its Arrow
    output type.
    """
    target = arrow_type(type_)
    if column.type == target:
        return column
    plain = type_.parts[0] if type_.kind is Kind.KEY else type_
    match plain.kind:
        case Kind.TIMESTAMP | Kind.DURATION:
            return column.cast(pa.int64()).view(target)
        case Kind.DATE:
            return column.cast(pa.int32()).view(target)
        case Kind.FLOAT:
            raise TypeError(f"the engine gave {column.type} for a float")
        case Kind.LIST:
            values = from_engine(column.values, plain.parts[0])
            return pa.ListArray.from_arrays(_offsets(column), values, target, mask=_nulls(column))
        case Kind.MAP:
            keys, values = (
                from_engine(part, type_)
                for part, type_ in zip((column.keys, column.items), plain.parts, strict=True)
            )
            return pa.MapArray.from_arrays(
                _offsets(column), keys, values, target, mask=_nulls(column)
            )
        case _:
            return column.cast(target)


def _offsets(column: pa.Array) -> pa.Array:
    """Return the offsets of a list or map in an array of its own: a slice is refused beside
    nulls.
    """
    return pa.array(column.offsets.to_numpy(), pa.int32())


def _nulls(column: pa.Array) -> pa.Array | None:
    return column.is_null() if column.null_count else None
