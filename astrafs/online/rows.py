"""From rows of sources to the rows of streams and unions that aggregates go over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from astrafs.online.expressions import Evaluator, Scope
from astrafs.online.segments import FOR_EVER, Row
from astrafs.plan import ir
from astrafs.plan.tree import walk
from astrafs.record import dataclass
from astrafs.typesys import Type
from astrafs.values.errors import BROKEN_CONTRACT, ValueFailure

Compile = Callable[[ir.Expr], Evaluator]
ScopeOf = Callable[[Mapping[str, Any], int], Scope]
Order = tuple[Any, ...]


class Cells(dict[str, Any]):
    """The columns of a row; a stream's computed ones are filled in when they are first read."""

    __slots__ = ("event", "missing", "scope_of")

    def __init__(
        self,
        values: Mapping[str, Any],
        event: int,
        missing: Mapping[str, Evaluator],
        scope_of: ScopeOf,
        base: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(values)
        self.event = event
        self.missing = missing
        self.scope_of = scope_of
        self.update(base or {})

    def __missing__(self, name: str) -> Any:
        value = self[name] = self.missing[name](self.scope_of(self, self.event))
        return value


@dataclass(frozen=True, slots=True)
class Step:
    """One stream on the way of a row, compiled."""

    name: str
    where: Evaluator | None
    time: Evaluator | None
    columns: Mapping[str, Evaluator]


@dataclass(frozen=True, slots=True)
class Way:
    """How rows of ``source`` become rows of a stream: the streams in between, and the places in the
    unions that they pass, the outermost first.
    """

    source: str
    steps: tuple[Step, ...]
    places: tuple[int, ...]


class Rows:
    """The ways of all rows of a plan, and the order in which rows of one key stand."""

    def __init__(self, plan: ir.Plan, compiled: Compile) -> None:
        self._sources = {source.name: source for source in plan.sources}
        self._streams = {stream.name: stream for stream in plan.streams}
        self._unions = {union.name: union for union in plan.unions}
        self._compiled = compiled
        self._steps: dict[str, Step] = {}
        self._ways: dict[str, tuple[Way, ...]] = {}

    def ways(self, rows: str) -> tuple[Way, ...]:
        """Return every way into ``rows``: one but for unions."""
        if rows not in self._ways:
            self._ways[rows] = tuple(self._find(rows))
        return self._ways[rows]

    def _find(self, rows: str) -> Iterator[Way]:
        if rows in self._sources:
            yield Way(rows, (), ())
        elif rows in self._streams:
            stream = self._streams[rows]
            for way in self.ways(stream.base):
                yield Way(way.source, (*way.steps, self._step(stream)), way.places)
        else:
            for place, member in enumerate(self._unions[rows].members):
                for way in self.ways(member):
                    yield Way(way.source, way.steps, (place, *way.places))

    def _step(self, stream: ir.Stream) -> Step:
        if stream.name not in self._steps:
            self._steps[stream.name] = Step(
                stream.name,
                None if stream.where is None else self._compiled(stream.where),
                None if stream.time is None else self._compiled(stream.time),
                {column.name: self._compiled(column.expression) for column in stream.columns},
            )
        return self._steps[stream.name]

    def key_of(self, rows: str) -> tuple[str, ...]:
        """Return the key columns of ``rows``."""
        while rows in self._streams:
            rows = self._streams[rows].base
        return self._unions[rows].key if rows in self._unions else self._sources[rows].key

    def key_types(self, rows: str) -> tuple[Type, ...]:
        """Return the types of the key columns of ``rows``."""
        columns = self._sources[self.ways(rows)[0].source].columns
        types = {column.name: column.type for column in columns}
        return tuple(types[name] for name in self.key_of(rows))

    def source(self, name: str) -> ir.Source:
        """Return a source or table."""
        return self._sources[name]

    def alone(self, rows: str, expr: ir.Expr) -> bool:
        """Whether ``expr`` over a row of ``rows``, and that row itself, need nothing but one row of
        a source: no table and no feature is read on the way.
        """
        return _reads_nothing(expr) and all(map(_reads_nothing, self.expressions(rows)))

    def expressions(self, rows: str) -> Iterator[ir.Expr]:
        """Yield the expressions of the streams that rows pass on their way."""
        for stream in self._streams_of(rows):
            yield from (one for one in (stream.where, stream.time) if one is not None)
            yield from (column.expression for column in stream.columns)

    def placing(self, rows: str, exprs: Sequence[ir.Expr]) -> Iterator[ir.Expr]:
        """Yield what decides whether and when a row is one of ``rows``, and the values of
        ``exprs`` over it, computed columns included.
        """
        for stream in self._streams_of(rows):
            conditions = [one for one in (stream.where, stream.time) if one is not None]
            yield from self._written_out(stream.base, conditions)
        yield from self._written_out(rows, exprs)

    def _written_out(self, rows: str, exprs: Sequence[ir.Expr]) -> Iterator[ir.Expr]:
        yield from exprs
        used = {node.name for one in exprs for node in walk(one) if isinstance(node, ir.Column)}
        for stream in self._streams_of(rows):
            columns = [one.expression for one in stream.columns if one.name in used]
            if columns:
                yield from self._written_out(stream.base, columns)

    def meaning(self, rows: str, expr: ir.Expr) -> str:
        """Return what ``expr`` over rows of ``rows`` says, computed columns written out: equal for
        expressions that are computed alike from a row of a source.
        """
        parts = [repr(expr)]
        for name in sorted({node.name for node in walk(expr) if isinstance(node, ir.Column)}):
            for stream in self._streams_of(rows):
                parts += [
                    f"{name} = {self.meaning(stream.base, column.expression)}"
                    for column in stream.columns
                    if column.name == name
                ]
        return "; ".join(parts)

    def _streams_of(self, rows: str) -> Iterator[ir.Stream]:
        if rows in self._streams:
            yield self._streams[rows]
            yield from self._streams_of(self._streams[rows].base)
        elif rows in self._unions:
            for member in self._unions[rows].members:
                yield from self._streams_of(member)

    def source_row(self, source: ir.Source, values: Mapping[str, Any]) -> Row:
        """Return a row of a source or table as the engine keeps it (0 for the times of a static
        table).
        """
        event = values[source.time] if source.time else 0
        if isinstance(source.knowledge, ir.KnownColumn):
            known = values[source.knowledge.column]
        else:
            known = event + source.knowledge.delay
        return Row(values, event, known)

    def order(self, rows: str, place: int, row: Row) -> Order:
        """Return what orders rows of one key: e, key, and the ``place`` of the row's way."""
        return row.event, tuple(row.cells[name] for name in self.key_of(rows)), place


def _reads_nothing(expr: ir.Expr) -> bool:
    return not any(
        isinstance(node, ir.TableLookup | ir.EntityLookup | ir.FeatureRef | ir.Aggregate)
        for node in walk(expr)
    )


def through(way: Way, row: Row, scope_of: ScopeOf) -> Row | None:
    """Return ``row`` at the end of ``way``; None where a condition leaves it out."""
    for step in way.steps:
        event, known = row.event, row.known
        if step.time is not None:
            moved = step.time(scope_of(row.cells, event))
            if moved is None or moved < event:
                what = "has no time" if moved is None else "would move to an earlier time"
                if step.where is not None and moved is None and not _stays(step, row, scope_of):
                    return None
                raise ValueFailure(BROKEN_CONTRACT, f"a row of {step.name} {what}")
            event, known = moved, max(known, moved)
        if step.where is not None and step.where(scope_of(row.cells, event)) is not True:
            return None
        cells = row.cells
        if step.columns or event != row.event:
            inherited = cells.missing if isinstance(cells, Cells) else {}
            base = _settled(cells, inherited) if event != row.event else dict(cells)
            cells = Cells(base, event, {**inherited, **step.columns}, scope_of)
        row = Row(cells, event, known, row.until)
    return row


def _stays(step: Step, row: Row, scope_of: ScopeOf) -> bool:
    return step.where is None or step.where(scope_of(row.cells, row.event)) is True


def _settled(cells: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the columns with every computed one filled in: at the row's time before it moves."""
    for name in names:
        cells[name]
    return dict(cells)


def revised(source: ir.Source, rows: Sequence[Row]) -> list[Row]:
    """Give each revision of an event the moment from which a later one counts; deletions go."""
    names = [column.name for column in source.columns]
    events: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        events.setdefault(tuple(row.cells[name] for name in source.key), []).append(row)
    found: list[Row] = []
    for revisions in events.values():
        revisions.sort(key=lambda row: (row.known, *(rank(row.cells[name]) for name in names)))
        for place, row in enumerate(revisions):
            following = revisions[place + 1 :]
            until = following[0].known if following else FOR_EVER
            gone = bool(source.deleted) and row.cells[source.deleted] is True
            if not gone and until > row.known:
                found.append(Row(row.cells, row.event, row.known, until))
    return found


def rank(value: Any) -> tuple[Any, ...]:
    """Return a sort key that puts null before every value, and a null element after others."""
    if value is None:
        return (0,)
    if isinstance(value, tuple):
        return 1, tuple((1,) if item is None else (0, rank(item)) for item in value)
    return 1, value
