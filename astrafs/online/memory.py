"""Rows kept in memory: all rows of all sources, indexed by key when they are first asked for.

For tests, parity runs and small data; the stores keep the same rows on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from astrafs.online.engine import Engine, Session
from astrafs.online.expressions import Key
from astrafs.online.groups import Shape
from astrafs.online.rows import rank, revised
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
        self._segments: dict[Shape, dict[Key, Segment]] = {}
        self._versions: dict[str, dict[Key, list[Row]]] = {}
        self.session: Session = engine.ask(self, as_of)

    def segments(self, shape: Shape, keys: Sequence[Key], since: int) -> list[Segment | None]:
        """Return the rows of a group that belong to each of ``keys``: all, whatever ``since``."""
        del since
        if shape not in self._segments:
            self._segments[shape] = self._index(shape)
        rows = self._segments[shape]
        return [rows.get(key) for key in keys]

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

    def _index(self, shape: Shape) -> dict[Key, Segment]:
        found: dict[Key, list[tuple[Any, Row]]] = {}
        scope_of = self.session.row_scope
        for place, way in enumerate(shape.ways):
            for given in self._given[way.source]:
                home = shape.home(way, given, scope_of)
                if home is not None:
                    key, row = home
                    order = self._rows.order(shape.group.rows, place, row)
                    found.setdefault(key, []).append((order, row))
        return {
            key: shape.segment([row for _, row in sorted(rows, key=lambda pair: pair[0])], scope_of)
            for key, rows in found.items()
        }
