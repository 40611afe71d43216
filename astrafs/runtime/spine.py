"""The questions of a run: the columns of a spine that the view needs, as the relation ``spine``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from astrafs.backends.duckdb.names import ident, text
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.runtime import spine_advice as advice
from astrafs.runtime.conversions import (
    FINER_THAN_MICROSECONDS,
    JSON,
    NOT_AN_INSTANT,
    TEXT,
    Conversion,
    Problem,
    Refusal,
)
from astrafs.runtime.nested import convert, element_problems
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
            listed = ", ".join(f"`{part.name}`" for part in entity.keys)
            said = f"did you mean `{near}`?" if near else f"it has {listed or 'none'}"
            problems.append(found.help(said))
    bound = []
    for part in entity.keys:
        own = keys.get(part.name, part.name)
        if own not in names:
            problems.append(_missing(own, part.name, entity, spine))
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
            refusals.append(_refused(found, column, physical, spine.library))
            continue
        prepared.append(f"{found.prepare} AS {ident(f'p:{column.name}')}")
        values.append(f"{found.value} AS {ident(column.name)}")
        problems.extend(_problems(column, found, entity, spine.library))
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
    helps: tuple[str, ...] = ()


def _problems(
    column: SpineColumn, found: Conversion, entity: ir.Entity, library: str
) -> Iterator[_Problem]:
    """Yield what can be wrong with the values of ``column``; a null key asks about nobody."""
    label = "the prediction time" if column.is_time else f"`{column.own}`"
    name = ident(column.name)
    for problem in found.problems:
        helps = _helps(problem, column, library)
        yield _Problem(f"{label} {problem.rule}", problem.condition, column, helps)
    if column.is_time or (entity.request and not column.type.nullable):
        yield _Problem(f"{label} is never null", f"{name} IS NULL", column)
    if column.type.kind is Kind.ENUM:
        listed = ", ".join(text(value) for value in column.type.values)
        words = f"{label} is one of {', '.join(column.type.values)}"
        yield _Problem(words, f"{name} NOT IN ({listed})", column)
    for rule, condition in element_problems(column.type, name):
        yield _Problem(f"{label} {rule}", condition, column)


def _helps(problem: Problem, column: SpineColumn, library: str) -> tuple[str, ...]:
    """Return the advice on ``problem``, which is written for sources, as fits a spine."""
    if problem.rule == NOT_AN_INSTANT:
        zone = '`time_zone="UTC"`' if library else "`--time-zone UTC`"
        return (
            "write times with an offset, such as `2026-01-01T10:00:00Z`, or name the zone of times "
            f"such as `2026-01-01T10:00:00`: {zone}",
            advice.name_the_unit(library),
        )
    if problem.rule == FINER_THAN_MICROSECONDS:
        return (advice.round_down(column.own, library),)
    return (problem.advice,) if problem.advice else ()


def _numbered(spine: Spine, columns: Sequence[SpineColumn]) -> pa.Table:
    numbers = pa.array(np.arange(spine.table.num_rows, dtype=np.int64))
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
    local = physical in (TEXT, JSON, "VARCHAR") or physical.startswith("TIMESTAMP")
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
        for text_ in broke.helps:
            diagnostic = diagnostic.help(text_)
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
    rest = [name for name in names if name not in taken]
    likely = rest[0] if len(rest) == 1 else "COLUMN"
    said = f"`time={likely!r}`" if spine.library else f"`--time {likely}`"
    return (
        codes.SPINE_TIME.nowhere("the spine has no time column")
        .note(_columns(names))
        .help(f"name the prediction time: {said}, or call it `t`")
    )


def _missing(own: str, key: str, entity: ir.Entity, spine: Spine) -> Diagnostic:
    kind = "field" if entity.request else "key"
    names = spine.table.column_names
    near = closest(own, names)
    found = codes.SPINE_COLUMN.nowhere(
        f"the spine has no column `{own}`, a {kind} of `{_last(entity.name)}`"
    )
    found = found.note(_columns(names))
    if own in spine.index:
        return found.help("it is in the frame's index: pass `frame.reset_index()`")
    if spine.library:
        return found.help(f"map it: `keys={{{key!r}: {near or 'COLUMN'!r}}}`")
    return found.help(f"map it: `--key {key}={near or 'COLUMN'}`")


def _refused(refusal: Refusal, column: SpineColumn, physical: str, library: str) -> Diagnostic:
    own, stored = column.own, advice.words(physical)
    title = f"the spine's column `{own}` holds {stored}, and the view takes `{column.type}`"
    if column.is_time:
        title = f"the spine's prediction times in `{own}` are {stored}, which are no instants"
    if physical.startswith("TIMESTAMP"):
        title = f"the spine's times in `{own}` have no time zone, so they are no instants"
    found = codes.SPINE_TYPE.nowhere(title)
    if column.type.kind is not Kind.TIMESTAMP:
        return found.help(advice.convert_to(column.type, own, physical, library))
    if not refusal.zone:
        return found.help(advice.make_instants(own, library))
    if physical.startswith("TIMESTAMP"):
        for text_ in advice.name_the_zone(own, library):
            found = found.help(text_)
        return found
    return found.help(advice.name_the_unit(library))


def _columns(names: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names[:20])
    return f"its columns are {listed}" + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]
