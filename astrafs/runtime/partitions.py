"""Rows in no order, put in the order of their keys: first by ranges of keys, then each range by
itself.

Ranges are so many that one fits into memory whatever there is; where all of them together are more
than the budget, they wait in files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.record import dataclass

Ints = npt.NDArray[np.int64]

_BLOCK = 1 << 17
"""Rows that are divided at a time."""

_RANGES = 1 << 10
_WIDEST = 1 << 62


@dataclass(frozen=True, slots=True)
class Range:
    """Rows of the keys up to ``last``, in no order; ``count`` of them."""

    pieces: tuple[pa.Table, ...]
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows in the order of their ranges, in memory or in a file of one batch per range."""

    rows: pa.Table | None
    file: Path | None
    starts: Ints

    def piece(self, low: int, high: int) -> pa.Table:
        """Return the rows of the ranges from ``low`` to before ``high``."""
        if self.rows is not None:
            start, end = int(self.starts[low]), int(self.starts[high])
            return self.rows.slice(start, end - start)
        assert self.file is not None
        with pa.memory_map(str(self.file)) as source:
            reader = pa.ipc.open_file(source)
            batches = [reader.get_batch(place) for place in range(low, high)]
            return pa.Table.from_batches(batches, reader.schema)


class Partitions:
    """Takes rows whose first column is a key from 1 to ``keys``; at most about ``budget`` bytes of
    them stay in memory, the others go to files in ``folder``.
    """

    def __init__(self, schema: pa.Schema, keys: int, budget: int, folder: Path) -> None:
        self._schema = schema
        self._keys = keys
        self._ranges = max(1, min(_RANGES, keys))
        self._budget = budget
        self._folder = folder
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0
        self._held = 0
        self._blocks: list[_Block] = []
        self.rows = 0
        self.bytes = 0
        self.spilled = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows."""
        self._waiting.append(batch)
        self._count += batch.num_rows
        if self._count >= _BLOCK:
            self._divide()

    def _divide(self) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
        self._waiting, self._count = [], 0
        keys: Ints = table.column(0).to_numpy()
        numbers = (keys * self._ranges // (self._keys + 1)).astype(np.uint16)
        rows = _taken(table, np.argsort(numbers, kind="stable"))
        sizes = np.bincount(numbers, minlength=self._ranges)
        starts = np.concatenate(([0], np.cumsum(sizes)))
        self.rows += len(keys)
        self.bytes += rows.nbytes
        if self._held + rows.nbytes <= self._budget:
            self._held += rows.nbytes
            self._blocks.append(_Block(rows, None, starts))
            return
        file = self._folder / f"rows-{id(self)}-{len(self._blocks)}.arrow"
        with pa.ipc.new_file(file, self._schema) as writer:
            for low, high in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
                part = rows.slice(low, high - low).combine_chunks().to_batches()
                empty = pa.RecordBatch.from_pylist([], self._schema)
                writer.write_batch(part[0] if part else empty)
        self.spilled += rows.nbytes
        self._blocks.append(_Block(None, file, starts))

    def ranges(self, enough: int, weights: Ints) -> Iterator[Range]:
        """Yield all ranges, those that follow one another together until there are ``enough`` rows.

        ``weights`` counts, for each key up to before it, what is to be done beside its rows.
        """
        if self._count:
            self._divide()
        sizes = sum((np.diff(block.starts) for block in self._blocks), np.zeros(self._ranges))
        before = [-(-place * (self._keys + 1) // self._ranges) for place in range(self._ranges + 1)]
        work = np.asarray(sizes) + np.diff(weights[np.minimum(before, len(weights) - 1)])
        low, gathered = 0, 0.0
        for place in range(self._ranges):
            gathered += float(work[place])
            if gathered >= enough or place == self._ranges - 1:
                pieces = tuple(block.piece(low, place + 1) for block in self._blocks)
                yield Range(pieces, before[place + 1] - 1, sum(map(len, pieces)))
                low, gathered = place + 1, 0.0

    def close(self) -> None:
        """Remove the files."""
        for block in self._blocks:
            if block.file is not None:
                block.file.unlink(missing_ok=True)
        self._blocks = []


def in_order(pieces: Sequence[pa.Table], schema: pa.Schema, ties: Sequence[str]) -> pa.Table:
    """Return the rows of pieces in the order of their first two columns, integers, and where these
    are equal of the columns ``ties``, nulls last.
    """
    table = pa.concat_tables(pieces) if pieces else schema.empty_table()
    table = table.combine_chunks()
    if not len(table):
        return table
    first: Ints = table.column(0).to_numpy()
    second: Ints = table.column(1).to_numpy()
    least, most = int(second.min()), int(second.max())
    lowest, highest = int(first.min()), int(first.max())
    width = most - least + 1
    if width * (highest - lowest + 1) < _WIDEST:
        line = (first - lowest) * width + (second - least)
        order = np.argsort(line)
        line = line[order]
        same = line[1:] == line[:-1]
    else:
        order = np.lexsort((second, first))
        same = (np.diff(first[order]) == 0) & (np.diff(second[order]) == 0)
    if ties and same.any():
        order = _untied(table, order, same, ties)
    return _taken(table, order)


def _taken(table: pa.Table, order: Ints) -> pa.Table:
    """Return the rows of a table of one chunk in another order; column by column, which is twice as
    fast.
    """
    places = pa.array(order)
    columns = [column.chunk(0).take(places) for column in table.columns]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _untied(table: pa.Table, order: Ints, same: npt.NDArray[np.bool_], ties: Sequence[str]) -> Ints:
    """Return ``order`` with equal rows in the order of ``ties``."""
    tied = np.zeros(len(order), dtype=np.bool_)
    tied[1:] |= same
    tied[:-1] |= same
    places = np.flatnonzero(tied)
    groups = np.cumsum(~np.concatenate(([False], same)))[places]
    few = table.select(list(ties)).take(pa.array(order[places]))
    few = few.rename_columns([f"{place}" for place in range(len(ties))])
    few = few.append_column("group", pa.array(groups))
    keys = [("group", "ascending"), *((f"{place}", "ascending") for place in range(len(ties)))]
    inner = pc.sort_indices(few, sort_keys=keys).to_numpy()
    order[places] = order[places][inner]
    return order
