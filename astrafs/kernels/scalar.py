"""The scalar functions whose bits plain SQL does not give: kernels that the session registers by
name.

A null in any argument gives null. A value that stops the run raises ``ValueFailure``, whose text
carries the diagnostic's code through the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.kernels import elementary
from astrafs.kernels.calendar import next_unit
from astrafs.kernels.double_double import two_product
from astrafs.kernels.kernel import Kernel
from astrafs.typesys import decimal
from astrafs.values import numbers, zones
from astrafs.values.rounding import round_float

Column: TypeAlias = "pa.ChunkedArray | pa.Array"
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_MOST_PLACES = 22
"""10**22 is the greatest power of ten that is a float."""
_WHOLE = 2.0**52
"""Floats from here on have no fraction."""


def _array(column: Column) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column


def _present(columns: Sequence[pa.Array]) -> Bools:
    found = np.ones(len(columns[0]), dtype=np.bool_)
    for column in columns:
        if column.null_count:
            found &= column.is_valid().to_numpy(zero_copy_only=False)
    return found


def _floats(column: pa.Array) -> Floats:
    values = column.fill_null(0.0) if column.null_count else column
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _ints(column: pa.Array) -> Ints:
    values = column.fill_null(0) if column.null_count else column
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.int64)


def _compute(name: str, *columns: Column) -> pa.Array:
    arrays = [_array(column) for column in columns]
    present = _present(arrays)
    # Nulls compute as ones, which no function minds.
    values = [np.where(present, _floats(array), 1.0) for array in arrays]
    result, exists = elementary.compute(name, values)
    return pa.array(result, pa.float64(), mask=~(present & exists))


def _elementary(name: str, count: int) -> Callable[..., pa.Array]:
    """The engine counts the parameters of what it is given, so each count has a function of its
    own.
    """
    if count == 1:
        return lambda x: _compute(name, x)
    return lambda x, y: _compute(name, x, y)


def round_floats(values: Floats, places: Ints) -> Floats:
    """Round each float to its number of digits after the point, half away from zero."""
    result = np.empty_like(values)
    settled = np.zeros(values.shape, dtype=np.bool_)
    with np.errstate(all="ignore"):
        for digits in np.unique(places).tolist():
            here = places == digits
            if not 0 <= digits <= _MOST_PLACES:
                continue
            power = 10.0**digits
            scaled, rest = two_product(values[here], power)
            size, rest = np.abs(scaled), np.where(scaled < 0, -rest, rest)
            whole = np.floor(size)
            # size - 0.5 - whole is exact near the tie, so the sign of the exact distance decides.
            distance = (size - whole - 0.5) + rest
            # A product just above a whole number may be a whole number less a little.
            whole = whole + (distance >= 0)
            settled[here] = size < _WHOLE
            result[here] = np.copysign(whole / power, values[here]) + 0.0
    for index in np.flatnonzero(~settled).tolist():
        result[index] = round_float(float(values[index]), int(places[index]))
    return result


def _round(x: Column, places: Column) -> pa.Array:
    arrays = [_array(x), _array(places)]
    present = _present(arrays)
    values = np.where(present, _floats(arrays[0]), 0.0)
    result = round_floats(values, np.where(present, _ints(arrays[1]), 0))
    return pa.array(result, pa.float64(), mask=~present)


def _decimal_text(x: Column, precision: Column, scale: Column) -> pa.Array:
    columns = (_array(column).to_pylist() for column in (x, precision, scale))
    return pa.array(
        [
            None
            if value is None
            else format(numbers.fixed(Fraction(value), decimal(digits, places)), "f")
            for value, digits, places in zip(*columns, strict=True)
        ],
        pa.string(),
    )


def _zoned(
    convert: Callable[[zones.Zone, Ints], Ints],
) -> Callable[[Column, Column], pa.Array]:
    def run(times: Column, names: Column) -> pa.Array:
        instants, zone_names = _array(times), _array(names)
        present = _present([instants, zone_names])
        values = _ints(instants)
        result = np.zeros_like(values)
        distinct = [name for name in pc.unique(zone_names).to_pylist() if name is not None]
        for name in distinct:
            if len(distinct) == 1:
                result = convert(zones.zone(name), values)
            else:
                here = pc.fill_null(pc.equal(zone_names, name), False)
                chosen = here.to_numpy(zero_copy_only=False)
                result[chosen] = convert(zones.zone(name), values[chosen])
        return pa.array(result, pa.int64(), mask=~present)

    return run


def to_local(zone: zones.Zone, instants: Ints) -> Ints:
    """Local microseconds of instants."""
    starts = np.asarray(zone.starts, dtype=np.int64)
    offsets = np.asarray(zone.offsets, dtype=np.int64)
    return instants + offsets[np.searchsorted(starts, instants, side="right") - 1]


def to_instants(zone: zones.Zone, local: Ints) -> Ints:
    """Instants of local microseconds: the earlier of two, moved forward by a gap."""
    starts = np.asarray(zones.local_starts(zone), dtype=np.int64)
    offsets = np.asarray(zone.offsets, dtype=np.int64)
    return local - offsets[np.searchsorted(starts, local, side="right")]


def _next_unit(instants: Column, units: Column, names: Column) -> pa.Array:
    """The engine gives the unit and the zone as constant columns."""
    times = _array(instants)
    if not len(times):
        return pa.array([], pa.int64())
    unit, name = _array(units)[0].as_py(), _array(names)[0].as_py()
    present = _present([times])
    return pa.array(next_unit(unit, name, _ints(times)), pa.int64(), mask=~present)


def _kernels() -> dict[str, Kernel]:
    found = {
        f"af_{name}": Kernel(("DOUBLE",) * count, "DOUBLE", _elementary(name, count))
        for name, (count, *_) in elementary.FUNCTIONS.items()
    }
    found["af_round"] = Kernel(("DOUBLE", "BIGINT"), "DOUBLE", _round)
    found["af_decimal_text"] = Kernel(("DOUBLE", "BIGINT", "BIGINT"), "VARCHAR", _decimal_text)
    found["af_local"] = Kernel(("BIGINT", "VARCHAR"), "BIGINT", _zoned(to_local))
    found["af_instant"] = Kernel(("BIGINT", "VARCHAR"), "BIGINT", _zoned(to_instants))
    found["af_next_unit"] = Kernel(("BIGINT", "VARCHAR", "VARCHAR"), "BIGINT", _next_unit)
    return found


KERNELS: dict[str, Kernel] = _kernels()
"""Every kernel by the name under which the session registers it."""
