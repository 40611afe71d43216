"""The questions of a run: the columns of a spine that the view needs, as the relation ``spine``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from astrafs.backends.duckdb.names import ident, text
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.plan import ir
from astrafs.runtime.conversions import JSON, TEXT, Conversion, Refusal, convert
from astrafs.runtime.session import Session
from astrafs.runtime.spine_input import Spine
from astrafs.runtime.zones import UNIX_ZONES
from astrafs.typesys import TIMESTAMP, Kind, Type

_TIME_NAMES = ("t", "time")
_NUMBER, _TIME = "@row", "@t"
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class SpineColumn:
    """What the view needs of a spine: ``name`` in the relation, ``own`` name in the spine, its
    type.
    """

    name: str
    own: str
    type: Type

    @property
    def is_time(self) -> bool:
        """Whether it is the prediction time."""
        return self.name == _TIME


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
            bound.append(SpineColumn(_TIME, own_time, TIMESTAMP))
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
    prepared, values = [], []
    problems: list[_Problem] = []
    refusals: list[Diagnostic] = []
    for column in columns:
        raw = ident(f"r:{column.name}")
        physical = spine.untyped or kinds[f"r:{column.name}"]
        if spine.untyped == JSON:
            raw = f"CAST({raw} AS JSON)"
        own_zone = zone if _takes_zone(column, physical, zone) else ""
        found = convert(column.type, physical, own_zone, raw, ident(f"p:{column.name}"))
        if isinstance(found, Refusal):
            refusals.append(_refused(found, column, physical))
            continue
        prepared.append(f"{found.prepare} AS {ident(f'p:{column.name}')}")
        values.append(f"{found.value} AS {ident(column.name)}")
        problems.extend(_problems(column, found, entity))
    if refusals:
        raise AstrafsError(*refusals)
    cases = " ".join(f"WHEN {one.condition} THEN {place}" for place, one in enumerate(problems))
    sql = f'(SELECT *, {", ".join(prepared)} FROM "spine:given")'
    sql = f"(SELECT *, {', '.join(values)} FROM {sql})"
    kept = ", ".join(ident(column.name) for column in columns)
    listed = f'"{_NUMBER}", {kept}, CASE {cases} END AS "@bad"'
    session.run(f'CREATE TEMP TABLE "spine" AS\nSELECT {listed} FROM {sql}', doing)
    _judge(session, spine, problems, doing)
    session.unregister("spine:given")


@dataclass(frozen=True, slots=True)
class _Problem:
    """A rule of a column that rows break where ``condition`` is true."""

    rule: str
    condition: str
    column: SpineColumn


def _problems(column: SpineColumn, found: Conversion, entity: ir.Entity) -> Iterator[_Problem]:
    """Yield what can be wrong with the values of ``column``; a null key asks about nobody."""
    label = "the prediction time" if column.is_time else f"`{column.own}`"
    name = ident(column.name)
    for problem in found.problems:
        yield _Problem(f"{label} {problem.rule}", problem.condition, column)
    if column.is_time or (entity.request and not column.type.nullable):
        yield _Problem(f"{label} is never null", f"{name} IS NULL", column)
    if column.type.kind is Kind.ENUM:
        listed = ", ".join(text(value) for value in column.type.values)
        words = f"{label} is one of {', '.join(column.type.values)}"
        yield _Problem(words, f"{name} NOT IN ({listed})", column)


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


def _takes_zone(column: SpineColumn, physical: str, zone: str) -> bool:
    """Whether ``zone`` says what the values are: not where they are instants already."""
    if column.type.kind is not Kind.TIMESTAMP:
        return False
    instants = physical in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
    local = physical in (TEXT, JSON) or physical.startswith("TIMESTAMP")
    return zone in UNIX_ZONES or (local and not instants)


def _judge(session: Session, spine: Spine, problems: Sequence[_Problem], doing: str) -> None:
    broken = session.rows(
        'SELECT "@bad", count(*) FROM "spine" WHERE "@bad" IS NOT NULL GROUP BY 1 ORDER BY 1', doing
    )
    found = []
    for place, count in broken:
        broke = problems[place]
        own = broke.column.own
        rows = session.rows(
            f'SELECT "{_NUMBER}" FROM "spine" WHERE "@bad" = {place} ORDER BY 1 LIMIT {_EXAMPLES}',
            doing,
        )
        title = f"{count:,} row{'s' if count != 1 else ''} of the spine cannot be used"
        diagnostic = codes.SPINE_VALUE.nowhere(title).note(f"rule: {broke.rule}")
        for (row,) in rows:
            shown = _shown(spine.table.column(own)[row])
            diagnostic = diagnostic.note(f"row {row + 1:,}: {own} = {shown[:80]}")
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
    times: list[str] = [
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
    if column.is_time or refusal.zone:
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
