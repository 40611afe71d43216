"""Writing a result: Parquet, CSV or Arrow, the same bytes for the same rows."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError

FORMATS = ("parquet", "csv", "arrow")
_ENDINGS = {
    ".parquet": "parquet",
    ".csv": "csv",
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
                    "end it in .parquet, .csv or .arrow, or name the format: `--format parquet`"
                )
            )
        return found
    if given not in FORMATS:
        raise AstrafsError(
            codes.BAD_VALUE.nowhere(f"`{given}` is no output format").help(
                "use parquet, csv or arrow"
            )
        )
    return given


class Writer:
    """Writes record batches of one schema to ``path``; each batch becomes one row group. Use it in
    a ``with`` block.
    """

    def __init__(self, path: Path, format_: str, schema: pa.Schema) -> None:
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
                    compression_level=3,
                    use_dictionary=True,
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
            case _:
                self._inner = pa.ipc.new_file(path, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the next rows."""
        if self._format == "csv":
            columns = [_text(column) for column in batch.columns]
            batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        if self._format == "parquet":
            self._inner.write_batch(batch, row_group_size=max(batch.num_rows, 1))
        else:
            self._inner.write_batch(batch)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inner.close()


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
        values = [
            None if v is None else json.dumps(v, ensure_ascii=False, default=str)
            for v in column.to_pylist()
        ]
        return pa.array(values, pa.string())
    target = _text_type(kind)
    return column if kind == target else column.cast(target)
