"""Columns that are known, or keep still, only some time after their row: ``settles``, ``known``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from astrafs.plan import ir
from astrafs.plan.graph import plan_order, subexpressions
from astrafs.record import dataclass
from astrafs.temporal.rows import RowTimes, row_times

Origins = frozenset[tuple[tuple[str, ...], str]]
"""Source columns that a value hangs on: the way down to the source, and the column's name."""


@dataclass(frozen=True, slots=True)
class Late:
    """A value is final ``settles`` microseconds after its row's time, and when the columns in
    ``known`` (of the row) have passed.
    """

    settles: int = 0
    known: frozenset[str] = frozenset()

    def __or__(self, other: Late) -> Late:
        """Both must have come."""
        return Late(max(self.settles, other.settles), self.known | other.known)

    def __bool__(self) -> bool:
        return bool(self.settles or self.known)


class LateColumns:
    """Tells of every column of every source, stream and union how late it is."""

    def __init__(self, plan: ir.Plan) -> None:
        self.times = row_times(plan)
        self._restricted = {source.name: _restricted(source) for source in plan.sources}
        self._origins: dict[str, dict[str, Origins]] = {}
        self._presence: dict[str, Origins] = {}
        streams = {stream.name: stream for stream in plan.streams}
        unions = {union.name: union for union in plan.unions}
        sources = {source.name: source for source in plan.sources}
        for node in plan_order(plan):
            if node in sources:
                self._source(sources[str(node)])
            elif node in unions:
                self._union(unions[str(node)])
            elif node in streams:
                self._stream(streams[str(node)])

    def _source(self, source: ir.Source) -> None:
        self._origins[source.name] = {
            column.name: frozenset({((source.name,), column.name)}) for column in source.columns
        }
        self._presence[source.name] = frozenset()

    def _union(self, union: ir.Union) -> None:
        self._origins[union.name] = {
            column.name: _all(self._origins[member][column.name] for member in union.members)
            for column in union.columns
        }
        self._presence[union.name] = _all(self._presence[member] for member in union.members)

    def _stream(self, stream: ir.Stream) -> None:
        name = stream.name
        columns = {
            column: _through(name, origins)
            for column, origins in self._origins[stream.base].items()
        }
        head = [part for part in (stream.where, stream.time) if part is not None]
        own = _through(name, self._presence[stream.base])
        self._presence[name] = own | _all(_read(part, columns) for part in head)
        # Computed columns of one stream were put in place where others name them.
        own_columns = {column.name: _read(column.expression, columns) for column in stream.columns}
        self._origins[name] = {**columns, **own_columns}

    def of(self, rows: str, expr: ir.Expr) -> Late:
        """Return how late a value over a row of ``rows`` is."""
        return self._late(rows, _read(expr, self._origins[rows]))

    def row(self, rows: str) -> Late:
        """Return how late it is known that there is such a row: what conditions of streams read."""
        return self._late(rows, self._presence[rows])

    def _late(self, rows: str, origins: Origins) -> Late:
        found = Late()
        by_chain = {times.chain: times for times in self.times[rows]}
        for chain, name in origins:
            column = self._restricted[chain[-1]].get(name)
            if column is not None:
                found |= _lateness(column, by_chain[chain])
        return found


def _restricted(source: ir.Source) -> dict[str, ir.SourceColumn]:
    """Return the columns that are late; a moment that may be null, and that of the row's arrival,
    are not known before themselves.
    """
    moments = {column.known_at for column in source.columns if column.known_at}
    arrival = source.knowledge.column if isinstance(source.knowledge, ir.KnownColumn) else ""
    found: dict[str, ir.SourceColumn] = {}
    for column in source.columns:
        if column.settles is not None or column.known_at:
            found[column.name] = column
        elif (column.name in moments and column.type.nullable) or (
            column.name == arrival and not source.ahead
        ):
            found[column.name] = replace(column, known_at=column.name)
    return found


def _lateness(column: ir.SourceColumn, times: RowTimes) -> Late:
    settles = max(0, (column.settles or 0) - times.least_lag)
    knowledge = times.source.knowledge
    by_row = isinstance(knowledge, ir.KnownColumn) and knowledge.column == column.known_at
    by_row = by_row and column.name != column.known_at
    if not column.known_at or by_row or column.known_at in times.not_before:
        return Late(settles)
    return Late(settles, frozenset({column.known_at}))


def _read(expr: ir.Expr, columns: Mapping[str, Origins]) -> Origins:
    return _all(
        columns.get(node.name, frozenset())
        for node in subexpressions(expr)
        if isinstance(node, ir.Column)
    )


def _all(parts: Iterable[Origins]) -> Origins:
    return frozenset().union(*parts)


def _through(stream: str, origins: Origins) -> Origins:
    return frozenset(((stream, *chain), name) for chain, name in origins)
