"""Columns of Arrow as a caller gives them, in the form in which the engine has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.kernels.arrow_types import engine_type
from astrafs.online.blocks import restorer
from astrafs.online.values import plain_type
from astrafs.typesys import Kind, Type
from astrafs.values.numbers import MAX_TIME, MIN_TIME


class UnfitError(Exception):
    """A column does not hold values of the type: why, and what to do."""

    def __init__(self, why: str, advice: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.advice = advice


def engine_column(column: pa.ChunkedArray, type_: Type) -> pa.Array:
    """Return ``column`` as the engine has values of ``type_``, times as int64 microseconds and
    dates as int64 days; raises :class:`UnfitError` where a value would have to be guessed or
    rounded.
    """
    plain = plain_type(type_)
    given: pa.Array = pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_dictionary(given.type):
        given = given.dictionary_decode()
    if pa.types.is_null(given.type):
        return given.cast(engine_type(plain))
    try:
        found = _converted(given, plain)
    except pa.ArrowException as error:
        raise UnfitError(f"a value does not fit: {str(error)[:120]}") from None
    if found is None:
        raise UnfitError(f"it holds {given.type}", f"convert it to `{plain.required()}`")
    return found


def cells(column: pa.Array, type_: Type) -> list[Any]:
    """Return a column of :func:`engine_column` as engine values."""
    found: list[Any] = column.to_pylist()
    restore = restorer(type_)
    return found if restore is None else list(map(restore, found))


def _converted(given: pa.Array, plain: Type) -> pa.Array | None:
    kind, types = given.type, pa.types
    match plain.kind:
        case Kind.INT if types.is_integer(kind):
            return given.cast(pa.int64())
        case Kind.FLOAT if types.is_floating(kind) or (
            types.is_integer(kind) and kind.bit_width <= 32
        ):
            real = given.cast(pa.float64())
            finite = pc.if_else(pc.is_finite(real), real, pa.scalar(None, pa.float64()))
            return pc.add(finite, 0.0)  # -0.0 is 0.0
        case Kind.DECIMAL if types.is_decimal(kind) or types.is_integer(kind):
            return given.cast(engine_type(plain))
        case Kind.BOOL if types.is_boolean(kind):
            return given
        case Kind.STRING if types.is_string(kind) or types.is_large_string(kind):
            return given.cast(pa.string())
        case Kind.ENUM if types.is_string(kind) or types.is_large_string(kind):
            return _enum(given.cast(pa.string()), plain)
        case Kind.BYTES if types.is_binary(kind) or types.is_large_binary(kind):
            return given.cast(pa.binary())
        case Kind.TIMESTAMP if types.is_timestamp(kind):
            return _instants(given)
        case Kind.DATE if types.is_date(kind):
            return given.cast(pa.date32()).view(pa.int32()).cast(pa.int64())
        case Kind.DURATION if types.is_duration(kind):
            return given.cast(pa.duration("us")).view(pa.int64())
        case Kind.LIST | Kind.VECTOR | Kind.MAP if types.is_nested(kind):
            return given.cast(engine_type(plain))
        case _:
            return None


def _enum(given: pa.Array, plain: Type) -> pa.Array:
    known = pc.is_in(given, pa.array(plain.values, pa.string()))
    if not pc.all(pc.or_(known, given.is_null())).as_py():
        listed = ", ".join(plain.values)
        raise UnfitError("a value is none of the type", f"its values are {listed}")
    return given


def _instants(given: pa.Array) -> pa.Array:
    if given.type.tz is None:
        advice = "give instants: timestamps with a time zone"
        raise UnfitError("its times have no time zone", advice)
    micros = given.cast(pa.timestamp("us", "UTC")).view(pa.int64())
    there = np.asarray(micros.drop_null())
    if len(there) and not (there.min() >= MIN_TIME and there.max() <= MAX_TIME):
        raise UnfitError("a time lies outside the years 1678 to 2261")
    return micros
