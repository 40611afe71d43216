"""Rows kept in memory: all rows of all sources, indexed by key when they are first asked for.

For tests, parity runs and small data; the stores keep the same rows on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from astrafs.online.engine import Engine, Group, Session
from astrafs.online.expressions import Key, Scope
from astrafs.online.rows import rank, revised, through
from astrafs.online.segments import Row, Segment

Data = Mapping[str, Sequence[Mapping[str, Any]]]


class Memory:
    """Rows of each source by its name, as far as they are known by ``as_of``."""

    def __init__(self, engine: Engine, data: Data, as_of: int) -> None:
        self._engine = engine
        self._rows = engine.rows
        self._given: dict[str, list[Row]] = {}
        for source in engine.plan.sources:
            found = [self._rows.source_row(source, row) for row in data.get(source.name, ())]
            if source.time:
                found = [row for row in found if row.known <= as_of]
            self._given[source.name] = revised(source, found) if source.revisions else found
        self._segments: dict[Group, dict[Key, Segment]] = {}
        self._versions: dict[str, dict[Key, list[Row]]] = {}
        self.session: Session = engine.ask(self, as_of)

    def segment(self, group: Group, key: Key) -> Segment | None:
        """Return the rows of ``group`` that belong to ``key``."""
        if group not in self._segments:
            self._segments[group] = self._index(group)
        return self._segments[group].get(key)

    def versions(self, table: str, key: Key) -> Sequence[Row]:
        """Return the rows of a changelog for ``key``, in the order in which they take over."""
        if table not in self._versions:
            source = self._engine.source(table)
            names = [column.name for column in source.columns]
            index: dict[Key, list[Row]] = {}
            for row in self._given[table]:
                index.setdefault(tuple(row.cells[name] for name in source.key), []).append(row)
            for rows in index.values():
                rows.sort(
                    key=lambda row: (row.event, row.known, *(rank(row.cells[n]) for n in names))
                )
            self._versions[table] = index
        return self._versions[table].get(key, ())

    def _index(self, group: Group) -> dict[Key, Segment]:
        parts = tuple(self._engine.compiled(part) for part in group.keys)
        where = None if group.where is None else self._engine.compiled(group.where)
        found: dict[Key, list[tuple[Any, Row]]] = {}
        for way in self._rows.ways(group.rows):
            for given in self._given[way.source]:
                row = through(way, given, self._scope)
                if row is None:
                    continue
                scope = self._scope(row.cells, row.event)
                key = tuple(part(scope) for part in parts)
                if None in key or (where is not None and where(scope) is not True):
                    continue
                order = self._rows.order(group.rows, way, row)
                found.setdefault(key, []).append((order, row))
        return {
            key: Segment([row for _, row in sorted(rows, key=lambda pair: pair[0])])
            for key, rows in found.items()
        }

    def _scope(self, cells: Mapping[str, Any], t: int) -> Scope:
        return Scope(self.session, t, cells, {})
