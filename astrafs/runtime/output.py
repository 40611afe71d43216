"""Writing a result: Parquet, CSV, JSON lines or Arrow, the same bytes for the same rows."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError

FORMATS = ("parquet", "csv", "jsonl", "arrow")
_ENDINGS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


def format_of(path: Path, given: str | None) -> str:
    """Return the output format: ``given``, or what the ending of ``path`` says."""
    if given is None:
        found = _ENDINGS.get(path.suffix.lower())
        if found is None:
            raise AstrafsError(
                codes.BAD_VALUE.nowhere(f"`{path.name}` ends in nothing that tells a format").help(
                    "end it in .parquet, .csv, .jsonl or .arrow, or name the format: "
                    "`--format parquet`"
                )
            )
        return found
    if given not in FORMATS:
        raise AstrafsError(
            codes.BAD_VALUE.nowhere(f"`{given}` is no output format").help(
                "use parquet, csv, jsonl or arrow"
            )
        )
    return given


class Writer:
    """Writes record batches of one schema to ``path``; each batch becomes one row group. Use it in
    a ``with`` block.
    """

    def __init__(self, path: Path | pa.NativeFile, format_: str, schema: pa.Schema) -> None:
        self._format = format_
        self._schema = schema
        self._inner: Any
        match format_:
            case "parquet":
                # Every option that shapes bytes is named, so that a new default changes nothing.
                self._inner = pq.ParquetWriter(
                    path,
                    schema,
                    version="2.6",
                    data_page_version="1.0",
                    compression="zstd",
                    compression_level=1,
                    # Numbers that hardly repeat only grow by it, and take twice as long.
                    use_dictionary=_repeating(schema),
                    write_statistics=True,
                    store_schema=True,
                    write_page_index=False,
                )
            case "csv":
                self._schema = pa.schema([_text_field(field) for field in schema])
                options = pyarrow.csv.WriteOptions(
                    include_header=True, delimiter=",", quoting_style="needed"
                )
                self._inner = pyarrow.csv.CSVWriter(path, self._schema, write_options=options)
            case "jsonl":
                self._inner = path.open("wb")
            case _:
                self._inner = pa.ipc.new_file(path, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the next rows."""
        if self._format == "jsonl":
            self._inner.write(_lines(batch))
            return
        if self._format == "csv":
            columns = [_text(column) for column in batch.columns]
            batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        if self._format == "parquet":
            self._inner.write_batch(batch, row_group_size=max(batch.num_rows, 1))
        else:
            # Copied, as this format would also write what lies under nulls.
            every = pa.array(np.arange(batch.num_rows, dtype=np.int64))
            columns = [column.take(every) for column in batch.columns]
            self._inner.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inner.close()


def _repeating(schema: pa.Schema) -> list[str] | bool:
    """Return the columns of a file that are likely to repeat values: texts, wherever they stand."""
    return [field.name for field in schema if _is_text(field.type)] or False


def _is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
    return any(test(kind) for test in tests)


def _text_field(field: pa.Field) -> pa.Field:
    return pa.field(field.name, _text_type(field.type))


def _text_type(kind: pa.DataType) -> pa.DataType:
    """Return the type under which the CSV writer prints a column of type ``kind`` as wanted."""
    if pa.types.is_dictionary(kind):
        return _text_type(kind.value_type)
    if pa.types.is_duration(kind):
        return pa.int64()
    plain = (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )
    return kind if plain and not pa.types.is_float16(kind) else pa.string()


def _text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _text(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        written = pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
        return written.cast(pa.string())
    if pa.types.is_duration(kind):
        return column.cast(pa.duration("us")).cast(pa.int64())
    if (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    ):
        values = [None if v is None else base64.b64encode(v).decode() for v in column.to_pylist()]
        return pa.array(values, pa.string())
    if pa.types.is_nested(kind):
        values = [None if value is None else _json(value) for value in _plain(column)]
        return pa.array(values, pa.string())
    target = _text_type(kind)
    return column if kind == target else column.cast(target)


def _lines(batch: pa.RecordBatch) -> bytes:
    """Return the rows as JSON objects, one to a line."""
    names = batch.schema.names
    rows = zip(*(_plain(column) for column in batch.columns), strict=True)
    return "".join(_json(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain(column: pa.Array) -> list[Any]:
    """Return the values as JSON has them: lists, maps as objects, texts as in a CSV file, a NaN as
    null.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_map(kind):
        keys, items = _plain(column.keys), _plain(column.items)
        names = [_name(key) for key in keys]
        return _grouped(
            column,
            lambda start, stop: dict(zip(names[start:stop], items[start:stop], strict=True)),
        )
    if pa.types.is_fixed_size_list(kind):
        size = kind.list_size
        flat = _plain(column.values[column.offset * size : (column.offset + len(column)) * size])
        there = column.is_valid().to_pylist()
        return [flat[n * size : (n + 1) * size] if there[n] else None for n in range(len(column))]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        flat = _plain(column.values)
        return _grouped(column, lambda start, stop: flat[start:stop])
    if pa.types.is_struct(kind):
        parts = [_plain(pc.struct_field(column, [place])) for place in range(kind.num_fields)]
        there = column.is_valid().to_pylist()
        fields = [field.name for field in kind]
        rows = zip(there, *parts, strict=True)
        return [dict(zip(fields, row, strict=True)) if valid else None for valid, *row in rows]
    if pa.types.is_float32(kind):
        # With the digits of a float32: 0.1, not 0.10000000149011612.
        values = column.to_numpy(zero_copy_only=False)
        there = column.is_valid().to_pylist()
        return [
            float(str(value)) if valid and math.isfinite(value) else None
            for value, valid in zip(values, there, strict=True)
        ]
    found: list[Any] = _text(column).to_pylist()
    if pa.types.is_floating(kind):
        return [None if value is None or not math.isfinite(value) else value for value in found]
    return found


def _grouped(column: pa.Array, group: Callable[[int, int], Any]) -> list[Any]:
    """Return what ``group`` makes of the elements of each list or map, None for a null."""
    offsets = column.offsets.to_pylist()
    there = column.is_valid().to_pylist()
    return [
        group(offsets[place], offsets[place + 1]) if there[place] else None
        for place in range(len(column))
    ]


def _name(key: Any) -> str:
    return key if isinstance(key, str) else _json(key)
