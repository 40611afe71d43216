"""The questions of a run: a spine's file or table as the relation ``spine``, its own columns kept
aside untouched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from astrafs.backends.duckdb.names import ident, text
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.plan import ir
from astrafs.runtime.conversions import JSON, TEXT, UNIX_ZONES, Refusal, convert
from astrafs.runtime.physical import Group, header
from astrafs.runtime.session import Session
from astrafs.typesys import TIMESTAMP, Kind, Type

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
_TIME_NAMES = ("t", "time")
_NUMBER = "@row"
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Spine:
    """A spine as given: ``table`` holds its own columns. ``text_columns`` are those without types
    (CSV, JSON).
    """

    table: pa.Table
    untyped: str = ""

    def head(self, rows: int) -> Spine:
        """Return the first ``rows`` rows."""
        return Spine(self.table.slice(0, rows), self.untyped)


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
                return Spine(_checked(pq.read_table(path, use_threads=True, partitioning=None)))
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
    if isinstance(given, pa.Table):
        return Spine(_checked(given))
    if isinstance(given, pa.RecordBatch):
        return Spine(_checked(pa.Table.from_batches([given])))
    if isinstance(given, pa.RecordBatchReader):
        return Spine(_checked(given.read_all()))
    if hasattr(given, "__arrow_c_stream__"):
        try:
            return Spine(_checked(pa.RecordBatchReader.from_stream(given).read_all()))
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise AstrafsError(
                codes.SPINE_FORMAT.nowhere("the spine cannot be read as Arrow").note(str(error))
            ) from None
    raise AstrafsError(
        codes.SPINE_FORMAT.nowhere(f"a {type(given).__name__} is not a table").help(
            "give a path, or a pyarrow, Polars or pandas table"
        )
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
        group = Group("csv", (path,), tuple((name, TEXT) for name in names))
    else:
        listed = session.rows(
            "SELECT DISTINCT unnest(json_keys(json)) AS name FROM read_ndjson_objects("
            f"[{text(str(path))}]) ORDER BY name",
            doing,
        )
        names = tuple(row[0] for row in listed)
        group = Group("jsonl", (path,), tuple((name, JSON) for name in names))
    columns = ", ".join(ident(name) for name in names)
    if not names:
        raise AstrafsError(codes.SPINE_COLUMN.nowhere(f"`{path.name}` has no columns"))
    query = f"SELECT {columns} FROM {group.scan(names)}"
    schema = pa.schema([(name, pa.string()) for name in names])
    batches = [batch.cast(schema) for batch in session.stream(query, doing)]
    table = pa.Table.from_batches(batches, schema)
    return Spine(table, TEXT if kind == "csv" else JSON)


@dataclass(frozen=True, slots=True)
class SpineColumn:
    """What the view needs of a spine: ``name`` in the relation, ``own`` name in the spine, its
    type.
    """

    name: str
    own: str
    type: Type


def bind(
    spine: Spine, entity: ir.Entity, time: str | None, keys: Mapping[str, str]
) -> tuple[SpineColumn, ...]:
    """Return the spine's columns for ``entity``'s keys (or the request's fields), then for the
    time.

    ``keys`` maps key names to the spine's column names. Raises :class:`AstrafsError` naming what is
    missing.
    """
    names = spine.table.column_names
    fields = {part.name for part in entity.keys}
    problems: list[Diagnostic] = []
    for key in keys:
        if key not in fields:
            near = closest(key, fields)
            found = codes.SPINE_COLUMN.nowhere(f"`{_last(entity.name)}` has no key `{key}`")
            problems.append(found.help(f"did you mean `{near}`?") if near else found)
    bound = []
    for part in entity.keys:
        own = keys.get(part.name, part.name)
        if own not in names:
            problems.append(_missing(own, part.name, entity, names))
        bound.append(SpineColumn(part.name, own, part.type))
    if not problems:
        own_time = _time_column(spine, time, {column.own for column in bound})
        if isinstance(own_time, Diagnostic):
            problems.append(own_time)
        else:
            bound.append(SpineColumn("@t", own_time, TIMESTAMP))
    if problems:
        raise AstrafsError(*problems)
    return tuple(bound)


def load(
    session: Session,
    spine: Spine,
    columns: Sequence[SpineColumn],
    entity: ir.Entity,
    zone: str = "",
) -> None:
    """Make the relation ``spine``: ``"@row"``, ``"@t"`` and the key columns, in engine types.

    ``zone`` is the zone of zoneless times. Raises :class:`AstrafsError` for values that the view
    does not take.
    """
    doing = "reading the spine"
    session.register("spine:given", _numbered(spine, columns))
    kinds = dict(session.columns('SELECT * FROM "spine:given"', doing))
    for column in columns:
        own = spine.table.schema.field(column.own).type
        if pa.types.is_duration(own):
            kinds[f"r:{column.name}"] = f"DURATION:{own.unit}"
    prepared, values, problems = [], [], []
    refusals: list[Diagnostic] = []
    for column in columns:
        raw = ident(f"r:{column.name}")
        physical = spine.untyped or kinds[f"r:{column.name}"]
        if spine.untyped == JSON:
            raw = f"CAST({raw} AS JSON)"
        is_time = column.name == "@t"
        own_zone = (
            zone if column.type.kind is Kind.TIMESTAMP and _takes_zone(physical, zone) else ""
        )
        found = convert(column.type, physical, own_zone, raw, ident(f"p:{column.name}"))
        if isinstance(found, Refusal):
            refusals.append(_refused(found, column, physical))
            continue
        prepared.append(f"{found.prepare} AS {ident(f'p:{column.name}')}")
        values.append(f"{found.value} AS {ident(column.name)}")
        label = "the prediction time" if is_time else f"`{column.own}`"
        for problem in found.problems:
            problems.append((f"{label} {problem.rule}", problem.condition, column))
        name = ident(column.name)
        if is_time or (entity.request and not column.type.nullable):
            problems.append((f"{label} is never null", f"{name} IS NULL", column))
        if column.type.kind is Kind.ENUM:
            listed = ", ".join(text(value) for value in column.type.values)
            words = f"{label} is one of {', '.join(column.type.values)}"
            problems.append((words, f"{name} NOT IN ({listed})", column))
    if refusals:
        raise AstrafsError(*refusals)
    cases = " ".join(
        f"WHEN {condition} THEN {place}" for place, (_, condition, _) in enumerate(problems)
    )
    sql = "(SELECT *, " + ", ".join(prepared) + ' FROM "spine:given")'
    sql = f"(SELECT *, {', '.join(values)} FROM {sql})"
    kept = ", ".join(ident(column.name) for column in columns)
    session.run(
        f'CREATE TEMP TABLE "spine" AS SELECT "{_NUMBER}", {kept}, CASE {cases} END AS "@bad" FROM {sql}',
        doing,
    )
    _judge(session, spine, problems, doing)
    session.unregister("spine:given")


def _numbered(spine: Spine, columns: Sequence[SpineColumn]) -> pa.Table:
    numbers = pa.array(range(spine.table.num_rows), pa.int64())
    arrays = [numbers] + [_engine_ready(spine.table.column(column.own)) for column in columns]
    return pa.table(arrays, names=[_NUMBER, *(f"r:{column.name}" for column in columns)])


def _engine_ready(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return ``column`` in a type that the engine reads as it is."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    if pa.types.is_duration(kind):
        return column.cast(pa.int64())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if pa.types.is_date64(kind):
        return column.cast(pa.date32())
    return column


def _takes_zone(physical: str, zone: str) -> bool:
    return (
        physical in (TEXT, JSON)
        or (
            physical.startswith("TIMESTAMP")
            and physical not in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
        )
        or zone in UNIX_ZONES
    )


def _judge(
    session: Session, spine: Spine, problems: Sequence[tuple[str, str, SpineColumn]], doing: str
) -> None:
    broken = session.rows(
        'SELECT "@bad", count(*) FROM "spine" WHERE "@bad" IS NOT NULL GROUP BY 1 ORDER BY 1', doing
    )
    found = []
    for place, count in broken:
        words, _, column = problems[place]
        rows = session.rows(
            f'SELECT "{_NUMBER}" FROM "spine" WHERE "@bad" = {place} ORDER BY 1 LIMIT {_EXAMPLES}',
            doing,
        )
        title = f"{count:,} row{'s' if count != 1 else ''} of the spine cannot be used"
        diagnostic = codes.SPINE_VALUE.nowhere(title).note(f"rule: {words}")
        for (row,) in rows:
            shown = _shown(spine.table.column(column.own)[row])
            diagnostic = diagnostic.note(f"row {row + 1:,}: {column.own} = {shown[:80]}")
        found.append(diagnostic)
    if found:
        raise AstrafsError(*found)


def _shown(value: pa.Scalar) -> str:
    if not value.is_valid:
        return "null"
    try:
        return str(value.as_py())
    except (OverflowError, ValueError):  # a time that Python's datetime does not reach or hold
        return f"{value.cast(pa.int64()).as_py()} ({value.type})"


def _time_column(spine: Spine, given: str | None, taken: set[str]) -> str | Diagnostic:
    names = spine.table.column_names
    if given is not None:
        if given in names:
            return given
        near = closest(given, names)
        found = codes.SPINE_COLUMN.nowhere(f"the spine has no column `{given}`")
        return found.help(f"did you mean `{near}`?") if near else found.note(_columns(names))
    for name in _TIME_NAMES:
        if name in names and name not in taken:
            return name
    times = [
        f.name for f in spine.table.schema if pa.types.is_timestamp(f.type) and f.name not in taken
    ]
    if len(times) == 1:
        return times[0]
    if times:
        listed = ", ".join(f"`{name}`" for name in times)
        return (
            codes.SPINE_TIME.nowhere("the spine has several columns of timestamps")
            .note(f"they are {listed}")
            .help(f"name the prediction time: `--time {times[0]}`")
        )
    return (
        codes.SPINE_TIME.nowhere("the spine has no time column")
        .note(_columns(names))
        .help("name the prediction time: `--time COLUMN`, or call it `t`")
    )


def _missing(own: str, key: str, entity: ir.Entity, names: Sequence[str]) -> Diagnostic:
    kind = "field" if entity.request else "key"
    near = closest(own, names)
    found = codes.SPINE_COLUMN.nowhere(
        f"the spine has no column `{own}`, a {kind} of `{_last(entity.name)}`"
    )
    found = found.note(_columns(names))
    return found.help(f"map it: `--key {key}={near or 'COLUMN'}`")


def _refused(refusal: Refusal, column: SpineColumn, physical: str) -> Diagnostic:
    stored = "text" if physical in (TEXT, JSON) else physical.lower()
    if column.name == "@t" or refusal.zone:
        code, advice = (
            codes.SPINE_TYPE,
            "give the times a zone, or name theirs: `--time-zone Europe/Paris`",
        )
        return code.nowhere(
            f"the spine's times in `{column.own}` are {stored}, which are no instants"
        ).help(advice)
    title = f"the spine's column `{column.own}` is {stored}, and the view takes `{column.type}`"
    return codes.SPINE_TYPE.nowhere(title).help(f"convert it to `{column.type}` before")


def _columns(names: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names[:20])
    return f"its columns are {listed}" + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def own_columns(
    spine: Spine, columns: Sequence[SpineColumn], typed: Mapping[str, pa.ChunkedArray]
) -> pa.Table:
    """Return the spine's own columns for the result.

    Files without types (CSV, JSON) give text, but for the columns that the view reads: those come
    in the types that it read them as (``typed``, by their name in the relation). JSON strings lose
    their quotes.
    """
    table = spine.table
    if not spine.untyped:
        return table
    for place, name in enumerate(table.column_names):
        known = next((column for column in columns if column.own == name), None)
        if known is not None:
            table = table.set_column(place, name, typed[known.name])
        elif spine.untyped == JSON:
            table = table.set_column(place, name, _plain_json(table.column(name)))
    return table


def _plain_json(column: pa.ChunkedArray) -> pa.Array:
    """Return JSON texts as the narrowest of int64, double, bool or string that holds all of them."""
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
