"""Spines as they are given, a file or a table from Python, and their own columns for the result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from astrafs.backends.duckdb.names import ident, text
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.record import dataclass
from astrafs.runtime.conversions import JSON, TEXT
from astrafs.runtime.physical import Group, header
from astrafs.runtime.session import Session

_ENDINGS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrow",
}


@dataclass(frozen=True, slots=True)
class Spine:
    """A spine as given: ``table`` holds its own columns.

    ``untyped`` is ``TEXT`` or ``JSON`` for files without types. ``library`` made the frame, where
    it is one, and ``index`` names what its index holds, which are no columns.
    """

    table: pa.Table
    untyped: str = ""
    library: str = ""
    index: tuple[str, ...] = ()

    def head(self, rows: int) -> Spine:
        """Return the first ``rows`` rows."""
        return replace(self, table=self.table.slice(0, rows))


def read_spine(path: Path) -> Spine:
    """Read a spine file; its format is told by its ending."""
    kind = _ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise AstrafsError(
            codes.SPINE_FORMAT.nowhere(f"`{path.name}` ends in nothing that tells its format").help(
                "use .parquet, .csv, .jsonl or .arrow"
            )
        )
    try:
        match kind:
            case "parquet":
                # Not read_table: that loads the data-set layer, and pandas with it.
                with pq.ParquetFile(path) as file:
                    return Spine(_checked(file.read()))
            case "arrow":
                return Spine(_checked(_read_arrow(path)))
            case _:
                with Session([path.resolve()], keep_order=True) as session:
                    return _read_text(path.resolve(), kind, session)
    except (OSError, pa.ArrowException) as error:
        raise AstrafsError(
            codes.UNREADABLE_FILE.nowhere(f"`{path.name}` cannot be read as {kind}").note(
                str(error).split("\n", 1)[0]
            )
        ) from None


def from_object(given: object) -> Spine:
    """Take a table from Python: anything with the Arrow C stream interface."""
    library = type(given).__module__.partition(".")[0]
    if isinstance(given, pa.Table):
        return Spine(_checked(given), library=library)
    if isinstance(given, pa.RecordBatch):
        return Spine(_checked(pa.Table.from_batches([given])), library=library)
    if isinstance(given, pa.RecordBatchReader):
        return Spine(_checked(given.read_all()), library=library)
    if hasattr(given, "__arrow_c_stream__"):
        names = getattr(getattr(given, "index", None), "names", None) or ()
        index = tuple(name for name in names if isinstance(name, str))
        try:
            table = pa.RecordBatchReader.from_stream(given).read_all()
            return Spine(_checked(table), library=library, index=index)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise AstrafsError(
                codes.SPINE_FORMAT.nowhere("the spine cannot be read as Arrow").note(
                    "; ".join(str(one) for one in error.args)
                )
            ) from None
    advice = "give a path, or a pyarrow, Polars or pandas table"
    if type(given).__name__ == "LazyFrame":
        advice = "collect it first: `spine=frame.collect()`"
    elif isinstance(given, dict):
        advice = "make it one: `spine=pyarrow.table(...)`"
    elif isinstance(given, list):
        advice = "make it one: `spine=pyarrow.Table.from_pylist(...)`"
    raise AstrafsError(
        codes.SPINE_FORMAT.nowhere(f"a {type(given).__name__} is not a table").help(advice)
    )


def _checked(table: pa.Table) -> pa.Table:
    """Return ``table`` without schema metadata (a frame library's notes); raise where its buffers
    are broken.
    """
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AstrafsError(codes.SPINE_COLUMN.nowhere(f"the spine has two columns `{twice[0]}`"))
    table.validate(full=True)
    return table.replace_schema_metadata(None)


def _read_arrow(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as stream:
        try:
            return pa.ipc.open_file(stream).read_all()
        except pa.ArrowInvalid:
            stream.seek(0)
            return pa.ipc.open_stream(stream).read_all()


def _read_text(path: Path, kind: str, session: Session) -> Spine:
    """Read a CSV or JSON-lines file as strings (JSON text for the latter), in the order of its
    lines.
    """
    doing = f"reading spine {path.name}"
    if kind == "csv":
        names: tuple[str, ...] = header(path)
        columns = tuple(f"{place}" for place in range(len(names)))
        group = Group("csv", (path,), tuple((column, TEXT) for column in columns))
    else:
        listed = session.rows(
            "SELECT DISTINCT unnest(json_keys(json)) AS name FROM read_ndjson_objects("
            f"[{text(str(path))}]) ORDER BY name",
            doing,
        )
        names = columns = tuple(row[0] for row in listed)
        group = Group("jsonl", (path,), tuple((name, JSON) for name in names))
    if not names:
        advice = 'each of its lines is one JSON object: `{"user_id": 1, "t": ...}`'
        raise AstrafsError(codes.SPINE_COLUMN.nowhere(f"`{path.name}` has no columns").help(advice))
    listed_columns = ", ".join(ident(column) for column in columns)
    query = f"SELECT {listed_columns} FROM {group.scan(columns)}"
    schema = pa.schema([(column, pa.string()) for column in columns])
    batches = [batch.cast(schema) for batch in session.stream(query, doing)]
    table = pa.Table.from_batches(batches, schema).rename_columns(list(names))
    return Spine(table, TEXT if kind == "csv" else JSON)


def own_columns(spine: Spine, typed: Mapping[str, pa.ChunkedArray]) -> pa.Table:
    """Return the spine's own columns for the result.

    Files without types (CSV, JSON) give text, but for the columns that the view reads: those come
    in the types that it read them as (``typed``, by their own names). JSON strings lose their
    quotes.
    """
    table = spine.table
    if not spine.untyped:
        return table
    for place, name in enumerate(table.column_names):
        if name in typed:
            table = table.set_column(place, name, typed[name])
        elif spine.untyped == JSON:
            table = table.set_column(place, name, _plain_json(table.column(name)))
    return table


def _plain_json(column: pa.ChunkedArray) -> pa.Array:
    """Return JSON texts as the narrowest of bool, int64, double or string that holds all."""
    values: list[Any] = [None if item is None else json.loads(item) for item in column.to_pylist()]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    texts = [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
    ]
    return pa.array(texts, pa.string())
