"""Rows of sources and streams as the reference sees them: clean values, event time, knowledge time,
order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from astrafs.plan import ir
from astrafs.record import dataclass

Values = dict[str, Any]


@dataclass(slots=True)
class Revisions:
    """All revisions of one event, and the place of one of them; in the order in which they hold."""

    known: list[int]
    place: int = 0

    @property
    def later(self) -> list[int]:
        """When each of the revisions that follow is known."""
        return self.known[self.place + 1 :]

    def holds(self, at: int) -> bool:
        """Whether this revision is the latest of those known ``at``."""
        return self.known[self.place] <= at and all(known > at for known in self.later)


@dataclass(slots=True)
class Row:
    """One row. ``event`` is e and ``known`` is k (microseconds; both None in a static table).

    ``compute`` gives the value of a stream's computed column when it is first read.
    ``revisions`` is there where the row is one of the revisions of an event. ``places`` are those
    of its members in the unions that it comes through, the last union first.
    """

    values: Values
    event: int | None
    known: int | None
    compute: Mapping[str, Callable[[Row], Any]] = field(default_factory=dict)
    revisions: Revisions | None = None
    places: tuple[int, ...] = ()

    def __getitem__(self, name: str) -> Any:
        if name not in self.values:
            self.values[name] = self.compute[name](self)
        return self.values[name]


def normalise(source: ir.Source, rows: Sequence[Mapping[str, Any]]) -> list[Values]:
    """Copy ``rows`` with the declared columns: NaN and infinities become null, -0.0 becomes 0.0,
    absent is null.
    """
    names = [column.name for column in source.columns]
    return [{name: clean(row.get(name)) for name in names} for row in rows]


def clean(value: Any) -> Any:
    """One value as the language knows it: a float is finite and never -0.0, elements too."""
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None
    return tuple(map(clean, value)) if isinstance(value, tuple) else value


def source_rows(source: ir.Source, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows of ``source`` in (e, key) order; equal ones (of a table) by k and then all
    columns.
    """
    found = []
    for values in normalise(source, rows):
        event = values[source.time] if source.time else None
        if isinstance(source.knowledge, ir.KnownColumn):
            known = values[source.knowledge.column]
        else:
            known = None if event is None else event + source.knowledge.delay
        found.append(Row(values, event, known))
    names = [column.name for column in source.columns]
    if source.revisions:
        found = _revised(source, found, names)
    return sorted(found, key=lambda row: order(row, source.key, names))


def _revised(source: ir.Source, rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Tell the revisions of each event of one another; deletions themselves are no rows."""
    events: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        events.setdefault(tuple(row[name] for name in source.key), []).append(row)
    for revisions in events.values():
        revisions.sort(
            key=lambda row: (nulls_first(row.known), *(nulls_first(row[name]) for name in names))
        )
        known = [row.known for row in revisions if row.known is not None]
        for place, row in enumerate(revisions):
            row.revisions = Revisions(known, place)
    return [row for row in rows if not source.deleted or row[source.deleted] is not True]


def order(row: Row, key: Sequence[str], columns: Sequence[str]) -> tuple[Any, ...]:
    """The place of a row among the others: e, key, place in a union, k, then the columns in
    declaration order, nulls first.
    """
    return (
        nulls_first(row.event),
        tuple(nulls_first(row[name]) for name in key),
        row.places,
        nulls_first(row.known),
        tuple(nulls_first(row[name]) for name in columns),
    )


def nulls_first(value: Any) -> tuple[Any, ...]:
    """A sort key that puts null before every value; a null element comes after others."""
    return (0,) if value is None else (1, _elements(value))


def _elements(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return tuple((1,) if item is None else (0, _elements(item)) for item in value)
