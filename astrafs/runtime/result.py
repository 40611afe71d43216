"""From the engine's answer to the result: Arrow types, the spine's own columns beside it, fixed
chunks of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from astrafs.diagnostics.codes import backend as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.kernels.arrow_types import arrow_type, from_engine
from astrafs.typesys import Type

__all__ = ["CHUNK", "arrow_type", "chunks", "from_engine", "in_order", "one", "zipped"]

CHUNK = 65_536
"""Rows in every chunk of a result but the last: also the row groups of a Parquet file."""


def chunks(batches: Iterable[pa.RecordBatch], rows: int = CHUNK) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of exactly ``rows`` rows, the last one shorter."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, rows - count)
            waiting.append(part)
            start += part.num_rows
            count += part.num_rows
            if count == rows:
                yield _joined(waiting)
                waiting, count = [], 0
    if count:
        yield _joined(waiting)


def _joined(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(parts) == 1:
        return parts[0]
    table = pa.Table.from_batches(parts).combine_chunks()
    return table.to_batches()[0]


def in_order(batches: Iterable[pa.RecordBatch], expected: int | None) -> Iterator[pa.RecordBatch]:
    """Check that ``"@row"`` counts 0, 1, 2, ... (up to ``expected`` rows, where known) and yield
    the batches without it.

    Raises :class:`AstrafsError` where a row is missing, repeated or null: the engine then answered
    another question.
    """
    seen = 0
    for batch in batches:
        numbers = batch.column("@row")
        if numbers.null_count or not np.array_equal(
            numbers.to_numpy(zero_copy_only=False), np.arange(seen, seen + batch.num_rows)
        ):
            raise AstrafsError(
                codes.BAD_RESULT.nowhere(
                    f"the rows after {seen:,} are not the spine's rows in order"
                )
            )
        seen += batch.num_rows
        yield batch.drop_columns(["@row"])
    if expected is not None and seen != expected:
        raise AstrafsError(codes.BAD_RESULT.nowhere(f"{seen:,} rows came back for {expected:,}"))


def zipped(
    batches: Iterable[pa.RecordBatch],
    own: pa.Table | None,
    types: Sequence[Type],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    """Yield each batch in output types, behind the same rows of ``own``. The columns come in the
    order of ``types``.
    """
    start = 0
    for batch in batches:
        columns = [
            from_engine(column, type_) for column, type_ in zip(batch.columns, types, strict=True)
        ]
        beside: list[pa.Array] = []
        if own is not None:
            beside = [one(column) for column in own.slice(start, batch.num_rows).columns]
            start += batch.num_rows
        yield pa.RecordBatch.from_arrays([*beside, *columns], schema=schema)


def one(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    if column.num_chunks == 0:
        return pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
        return pa.concat_arrays(column.chunks)
    return pa.concat_arrays(column.chunks)
