"""Rows of sources and streams as the reference sees them: clean values, event time, knowledge time,
order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from astrafs.plan import ir

Values = dict[str, Any]


@dataclass(slots=True)
class Row:
    """One row. ``event`` is e and ``known`` is k (microseconds; both None in a static table).

    ``compute`` gives the value of a stream's computed column when it is first read.
    """

    values: Values
    event: int | None
    known: int | None
    compute: Mapping[str, Callable[[Row], Any]] = field(default_factory=dict)

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
    """One value as the language knows it: a float is finite and never -0.0."""
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None
    return value


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
    return sorted(found, key=lambda row: order(row, source.key, names))


def order(row: Row, key: Sequence[str], columns: Sequence[str]) -> tuple[Any, ...]:
    """The place of a row among the others: e, key, k, then the columns in declaration order, nulls
    first.
    """
    return (
        nulls_first(row.event),
        tuple(nulls_first(row[name]) for name in key),
        nulls_first(row.known),
        tuple(nulls_first(row[name]) for name in columns),
    )


def nulls_first(value: Any) -> tuple[Any, ...]:
    """A sort key that puts null before every value."""
    return (0,) if value is None else (1, value)
