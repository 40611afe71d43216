"""Which questions to ask: real keys at the times where answers change, the same for one seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from astrafs.kernels.arrow_types import arrow_type
from astrafs.online.given import cells
from astrafs.online.values import plain_type
from astrafs.parity.history import Arrivals, History
from astrafs.plan import ir
from astrafs.plan.tree import walk
from astrafs.record import dataclass
from astrafs.typesys import Kind, Type

TIME = "@t"
"""The column of the questions' times: the view's own columns never have such a name."""

PER_TIME = 10
"""Questions at one time, of one view, at least."""
MOST_TIMES = 100
"""Different times of one view, at most: before each, what became known since the last is sent."""

_RECENT = 5_000
_DEFAULTS: dict[Kind, Any] = {
    Kind.INT: 1,
    Kind.FLOAT: 1.5,
    Kind.BOOL: True,
    Kind.STRING: "x",
    Kind.BYTES: b"x",
    Kind.TIMESTAMP: 0,
    Kind.DATE: 0,
    Kind.DURATION: 1,
    Kind.LIST: (),
    Kind.MAP: (),
}


def _is_like(column: ir.SourceColumn, part: ir.Field) -> bool:
    mine, theirs = plain_type(column.type), plain_type(part.type)
    return column.name == part.name and mine.plain() == theirs.plain()


def _names_entity(column: ir.SourceColumn, entity: ir.Entity) -> bool:
    kind = column.type
    return kind.kind is Kind.KEY and kind.entity == entity.name and len(entity.keys) == 1


def edges(plan: ir.Plan) -> tuple[int, ...]:
    """Return the ages, in microseconds, at which rows enter or leave windows, or grow too old."""
    found = {0}
    expressions = [feature.expression for feature in plan.features if not feature.label]
    expressions += [column.expression for stream in plan.streams for column in stream.columns]
    for expression in expressions:
        for node in walk(expression):
            match node:
                case ir.Aggregate(window=ir.RangeWindow(far=far, near=near)):
                    found |= {near, near if far is None else far}
                case ir.Aggregate(window=ir.SessionWindow(gap=gap)):
                    found.add(gap)
                case ir.Aggregate(window=ir.LastWindow(within=int(within))):
                    found.add(within)
                case ir.TableLookup(max_age=max_age, offset=offset):
                    found |= {offset, max_age or 0}
                case ir.EntityLookup(offset=offset):
                    found.add(offset)
                case _:
                    pass
    for source in plan.sources:
        found.add(source.max_age or 0)
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class _Deriving:
    """How a row of a source gives keys: per key column, the columns that may stand for it."""

    arrivals: Arrivals
    columns: tuple[tuple[str, ...], ...]


class Sampler:
    """Draws questions to one view. ``pool`` holds known keys; a request has none."""

    def __init__(
        self,
        history: History,
        plan: ir.Plan,
        entity: ir.Entity,
        pool: pa.Table | None,
        as_of: int,
        seed: str,
    ) -> None:
        self._entity = entity
        self._timed = history.timed
        self._random = Random(seed)
        self._edges = edges(plan)
        starts = [int(min(one.events.min(), one.known[0])) for one in self._timed]
        self._first = min(starts, default=as_of)
        ends = [int(max(one.events.max(), one.known[-1])) for one in self._timed]
        # Some time after the last row nothing changes any more.
        self._last = min(as_of, max(ends, default=as_of) + 2 * self._edges[-1])
        self._deriving = tuple(self._ways(history))
        self._pool: list[tuple[Any, ...]] = []
        if pool is not None and entity.keys:
            columns = [
                cells(_engine_form(pool.column(part.name)), part.type) for part in entity.keys
            ]
            self._pool = list(zip(*columns, strict=True))

    def questions(self, count: int) -> pa.Table:
        """Return ``count`` questions in the order of their times."""
        drawn: list[tuple[int, tuple[Any, ...]]] = []
        together = max(PER_TIME, -(-count // MOST_TIMES))
        while len(drawn) < count:
            t, anchor = self._moment()
            here = [] if anchor is None else [anchor]
            while len(here) < min(together, count - len(drawn)):
                here.append(self._key(t))
            drawn.extend((t, key) for key in here)
        drawn.sort(key=lambda question: question[0])
        columns: dict[str, pa.Array] = {
            part.name: pa.array([key[place] for _, key in drawn], arrow_type(part.type))
            for place, part in enumerate(self._entity.keys)
        }
        columns[TIME] = pa.array([t for t, _ in drawn], pa.timestamp("us", "UTC"))
        return pa.table(columns)

    def _moment(self) -> tuple[int, tuple[Any, ...] | None]:
        """Return a time to ask at, and the key of the row that it is about, if there is one."""
        draw = self._random
        if not self._timed or draw.random() < 0.15:
            return draw.randint(self._first, self._last), None
        arrivals = draw.choice(self._timed)
        row = draw.randrange(len(arrivals.known))
        times = arrivals.events if draw.random() < 0.7 else arrivals.known
        t = int(times[row]) + draw.choice((-1, 0, 0, 1))
        if draw.random() < 0.5:
            t += draw.choice(self._edges)
        return min(max(t, self._first), self._last), self._derived(arrivals, row)

    def _key(self, t: int) -> tuple[Any, ...]:
        """Return a key that is likely to have rows at ``t``; now and then any, or nobody's."""
        draw = self._random
        if self._entity.keys and not self._entity.request and draw.random() < 0.01:
            return (None,) * len(self._entity.keys)
        if self._deriving and draw.random() < 0.7:
            arrivals = draw.choice(self._deriving).arrivals
            until = int(np.searchsorted(arrivals.known, t, side="right"))
            if until:
                found = self._derived(arrivals, draw.randrange(max(0, until - _RECENT), until))
                if found is not None:
                    return found
        if self._pool:
            return draw.choice(self._pool)
        return tuple(self._value(part) for part in self._entity.keys)

    def _ways(self, history: History) -> Iterator[_Deriving]:
        for arrivals in history.arrivals:
            if not len(arrivals.known):
                continue
            declared = arrivals.source.columns
            columns = []
            for part in self._entity.keys:
                likes = [one.name for one in declared if _is_like(one, part)]
                likes = likes or [one.name for one in declared if _names_entity(one, self._entity)]
                if not likes and not (self._entity.request and part.type.nullable):
                    break
                columns.append(tuple(likes))
            else:
                if any(columns):
                    yield _Deriving(arrivals, tuple(columns))

    def _derived(self, arrivals: Arrivals, row: int) -> tuple[Any, ...] | None:
        way = next((one for one in self._deriving if one.arrivals is arrivals), None)
        if way is None:
            return None
        types = {column.name: column.type for column in arrivals.source.columns}
        found: list[Any] = []
        for part, names in zip(self._entity.keys, way.columns, strict=True):
            value = None
            if names:
                name = self._random.choice(names)
                (value,) = cells(arrivals.table.column(name).slice(row, 1), types[name])
            if value is None and self._entity.request and not part.type.nullable:
                return None
            found.append(value)
        return tuple(found)

    def _value(self, part: ir.Field) -> Any:
        """Return a value for a field of a request that no source has all fields of."""
        likes = [
            (arrivals, column)
            for arrivals in self._timed
            for column in arrivals.source.columns
            if _is_like(column, part)
        ]
        if likes and self._random.random() < 0.9:
            arrivals, column = self._random.choice(likes)
            row = self._random.randrange(len(arrivals.known))
            (value,) = cells(arrivals.table.column(column.name).slice(row, 1), column.type)
            if value is not None or part.type.nullable:
                return value
        return None if part.type.nullable else _default(part.type, self._random)


def _default(type_: Type, draw: Random) -> Any:
    plain = plain_type(type_)
    match plain.kind:
        case Kind.ENUM:
            return draw.choice(plain.values)
        case Kind.DECIMAL:
            from astrafs.values.numbers import from_unscaled

            return from_unscaled(draw.randrange(10 ** min(plain.precision, 6)), plain.scale)
        case Kind.VECTOR:
            return (0.0,) * plain.precision
        case Kind.INT:
            return draw.randrange(1000)
        case _:
            return _DEFAULTS[plain.kind]


def _engine_form(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return output times as integers."""
    if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
        return column.cast(pa.int64())
    if pa.types.is_date(column.type):
        return column.cast(pa.int32()).cast(pa.int64())
    return column
