"""Making a failing case small: leave out pieces, then rows, as long as it still fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.parity.model import Case, Data, Value

Row = tuple[Value, ...]


def shrink(case: Case, fails: Callable[[Case], bool], *, seconds: float = 60.0) -> Case:
    """Return a smaller case for which ``fails`` is true, or ``case`` itself.

    Stops after ``seconds``.
    """
    end = time.monotonic() + seconds
    smaller = True
    while smaller and time.monotonic() < end:
        smaller = False
        for candidate in _smaller(case):
            if time.monotonic() > end:
                break
            if fails(candidate):
                case, smaller = candidate, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    yield from _fewer_pieces(case)
    yield from _fewer_rows(case)
    yield from _simpler_cells(case)


def _fewer_pieces(case: Case) -> Iterator[Case]:
    views = sorted(case.spines)
    if len(views) > 1:
        for view in views:
            yield case.without({p.name for p in case.pieces if p.name.startswith(f"{view}/")})
    outputs = [piece.name for piece in case.pieces if "/" in piece.name]
    for part in _parts(outputs):
        yield case.without(set(part))
    used = frozenset().union(*(piece.uses for piece in case.pieces))
    for piece in reversed(case.pieces):
        if "/" not in piece.name and piece.name not in used:
            yield case.without({piece.name})
    features = [piece.name for piece in case.pieces if "." in piece.name]
    for name in reversed(features):
        if name in used:
            yield case.without({name})


def _fewer_rows(case: Case) -> Iterator[Case]:
    for name, data in sorted(case.spines.items()):
        for rows in _without(data.rows):
            yield replace(case, spines={**case.spines, name: data.with_rows(rows)})
    for name, data in sorted(case.relations.items()):
        for rows in _without(data.rows):
            yield replace(case, relations={**case.relations, name: data.with_rows(rows)})


def _simpler_cells(case: Case) -> Iterator[Case]:
    total = sum(len(data.rows) for data in case.relations.values())
    if total > 4:
        return
    for name, data in sorted(case.relations.items()):
        for index, column in enumerate(data.fields):
            if column.type.nullable and any(row[index] is not None for row in data.rows):
                rows = [(*row[:index], None, *row[index + 1 :]) for row in data.rows]
                yield _with_relation(case, name, data, rows)


def _with_relation(case: Case, name: str, data: Data, rows: Sequence[Row]) -> Case:
    return replace(case, relations={**case.relations, name: data.with_rows(rows)})


def _without(rows: Sequence[Row]) -> Iterator[tuple[Row, ...]]:
    for part in _ranges(len(rows)):
        yield tuple(rows[: part[0]]) + tuple(rows[part[1] :])


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start, end in _ranges(len(names)):
        yield names[start:end]


def _ranges(count: int) -> Iterator[tuple[int, int]]:
    size = (count + 1) // 2
    while size:
        for start in range(0, count, size):
            yield start, min(count, start + size)
        size //= 2
