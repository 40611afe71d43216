"""Random small worlds for a plan: rows, keys and times chosen where definitions are likely to
differ.

Times lie on the edges of the plan's windows and one microsecond beside them, values on the plan's
own constants and beside them, keys are few. The same seed gives the same world.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from astrafs.plan import ir
from astrafs.plan.graph import stream_expressions, subexpressions
from astrafs.record import dataclass
from astrafs.reference.interpreter import Interpreter
from astrafs.reference.rows import source_rows
from astrafs.temporal.interval import window_interval
from astrafs.typesys import Kind, Type

T = 1_767_225_600_000_000
"""The moment around which a world is built: 2026-01-01T00:00:00Z, in microseconds."""

_DAY = 86_400_000_000
_ROWS = 7
_TRIES = 12
_COMBINED = 8
"""So many constants are combined in pairs; the pairs of more would bury the constants."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class World:
    """Rows by source, and what is asked: keys of the entity, prediction times, the cutoff K."""

    data: Mapping[str, Rows]
    keys: tuple[tuple[Any, ...], ...]
    times: tuple[int, ...]
    as_of: int


class Worlds:
    """Makes worlds in which every one of ``plans`` can be evaluated for ``entity``."""

    def __init__(self, plans: Sequence[ir.Plan], entity: ir.Entity) -> None:
        self._entity = entity
        self._judge = Interpreter(plans[0], {}, T)
        self._sources: dict[str, ir.Source] = {}
        self._columns: dict[str, dict[str, ir.SourceColumn]] = {}
        self._ages: set[int] = {0}
        self._constants: dict[Kind, set[Any]] = {}
        self._sorted: dict[Kind, list[Any]] = {}
        for plan in plans:
            for source in plan.sources:
                self._sources.setdefault(source.name, source)
                columns = self._columns.setdefault(source.name, {})
                columns.update({column.name: column for column in source.columns})
                self._note_times(source)
            for expr in _expressions(plan):
                self._note(expr)

    def make(self, seed: int) -> World:
        """Return the world of ``seed``."""
        rng = random.Random(seed)
        times = sorted({T, *(T + self._shift(rng) for _ in range(3))})
        data = {name: self._rows(rng, name) for name in sorted(self._sources)}
        keys = {
            tuple(self._value(rng, key.type, key.name) for key in self._entity.keys)
            for _ in range(4)
        }
        as_of = rng.choice((times[-1], times[-1] + 400 * _DAY, times[0]))
        ordered = sorted(keys, key=repr)
        return World(data, tuple(ordered), tuple(times), as_of)

    def _note_times(self, source: ir.Source) -> None:
        if isinstance(source.knowledge, ir.Delay):
            self._ages.add(source.knowledge.delay)
        if source.max_age is not None:
            self._ages.add(source.max_age)

    def _note(self, expr: ir.Expr) -> None:
        match expr:
            case ir.Literal(value=value) if value is not None:
                self._constants.setdefault(expr.type.kind, set()).add(value)
                if expr.type.kind is Kind.DURATION and isinstance(value, int):
                    self._ages.add(value)
            case ir.Aggregate(window=window):
                interval = window_interval(window)
                self._ages |= {-end for end in (interval.low, interval.high) if end is not None}
                if isinstance(window, ir.SessionWindow):
                    self._ages |= {window.gap, 2 * window.gap}
            case ir.EntityLookup(offset=offset):
                self._ages.add(offset)
            case ir.TableLookup(offset=offset, max_age=max_age):
                self._ages |= {offset, offset + (max_age or 0)}
            case _:
                pass

    def _known(self, kind: Kind) -> list[Any]:
        """Return the plan's constants of a kind; of numbers, their sums and differences too."""
        if kind not in self._sorted:
            found = set(self._constants.get(kind, ()))
            if kind in (Kind.INT, Kind.FLOAT, Kind.DECIMAL) and len(found) <= _COMBINED:
                found |= {a + b for a in found for b in found}
                found |= {a - b for a in found for b in found}
            self._sorted[kind] = sorted(found, key=repr)
        return self._sorted[kind]

    def _shift(self, rng: random.Random) -> int:
        age = rng.choice(sorted(self._ages))
        return rng.choice((0, 1, -1, age, -age, age // 2, rng.randrange(-_DAY, _DAY)))

    def _event(self, rng: random.Random) -> int:
        age = rng.choice(sorted(self._ages))
        near = rng.choice((0, 0, 0, 1, -1, rng.randrange(-2 * abs(age) - 1, 2 * abs(age) + 2)))
        return T - age + near

    def _rows(self, rng: random.Random, name: str) -> Rows:
        source, columns = self._sources[name], self._columns[name]
        found: Rows = []
        seen: set[tuple[Any, ...]] = set()
        for place in range(rng.randrange(_ROWS + 1)):
            for _ in range(_TRIES):
                row = self._row(rng, source, columns, place)
                key = tuple(row[part] for part in source.key)
                repeats = not (source.table or source.revisions) and key in seen
                if not repeats and self._keeps(source, row):
                    seen.add(key)
                    found.append(row)
                    break
        rng.shuffle(found)
        return found

    def _keeps(self, source: ir.Source, values: Mapping[str, Any]) -> bool:
        """Whether a row keeps the contracts of its source; a null condition is no violation."""
        if not source.expects:
            return True
        (row,) = source_rows(source, [values])
        return all(self._judge.in_row(one, row) is not False for one in source.expects)

    def _row(
        self,
        rng: random.Random,
        source: ir.Source,
        columns: Mapping[str, ir.SourceColumn],
        place: int,
    ) -> dict[str, Any]:
        row = {
            column.name: self._value(rng, column.type, column.name)
            for _, column in sorted(columns.items())
        }
        for part in source.key:
            if not source.table:
                row[part] = _unique(row[part], place)
        if source.time:
            row[source.time] = self._event(rng)
            if isinstance(source.knowledge, ir.KnownColumn):
                late = rng.choice((0, 0, 1, rng.choice(sorted(map(abs, self._ages)))))
                row[source.knowledge.column] = row[source.time] + (
                    -late if source.ahead and rng.random() < 0.5 else late
                )
        return row

    def _value(self, rng: random.Random, made: Type, name: str) -> Any:
        if made.nullable and rng.random() < 0.2:
            return None
        constants = self._known(made.kind)
        match made.kind:
            case Kind.INT:
                near = [c + d for c in constants for d in (-1, 0, 1) if isinstance(c, int)]
                return rng.choice([*near, 1, 2, 3, 0, -1])
            case Kind.FLOAT:
                near = [c + d for c in constants for d in (-0.5, 0.0, 0.5)]
                return rng.choice([*near, 0.0, 0.1, 0.2, 1.5, -2.0, 1e16])
            case Kind.DECIMAL:
                step = Decimal(1).scaleb(-made.scale)
                small = [step * n for n in (0, 1, 2, 5, 10, 99)]
                near = [c for c in constants if _fits(c, made)]
                return rng.choice([*near, *small])
            case Kind.BOOL:
                return rng.random() < 0.5
            case Kind.ENUM:
                return rng.choice(made.values)
            case Kind.STRING:
                return rng.choice([*constants, "a", "b", "B", "", "aa"])
            case Kind.BYTES:
                return rng.choice([*constants, b"", b"a", b"\xff"])
            case Kind.TIMESTAMP:
                return self._event(rng)
            case Kind.DATE:
                return self._event(rng) // _DAY
            case Kind.DURATION:
                return rng.choice(sorted(self._ages))
            case Kind.KEY if len(made.parts) == 1:
                return self._value(rng, made.parts[0], name)
            case Kind.LIST:
                return tuple(self._value(rng, made.parts[0], name) for _ in range(rng.randrange(4)))
            case Kind.MAP:
                pairs = {
                    self._value(rng, made.parts[0].required(), name): self._value(
                        rng, made.parts[1], name
                    )
                    for _ in range(rng.randrange(3))
                }
                return tuple(sorted(pairs.items()))
            case Kind.VECTOR:
                return tuple(float(rng.randrange(-2, 3)) for _ in range(made.precision))
            case _:
                return None


def _expressions(plan: ir.Plan) -> Iterable[ir.Expr]:
    for feature in plan.features:
        yield from subexpressions(feature.expression)
    for stream in plan.streams:
        yield from subexpressions(*stream_expressions(stream))
    for source in plan.sources:
        yield from subexpressions(*source.expects)


def _unique(value: Any, place: int) -> Any:
    match value:
        case bool():
            return value
        case int():
            return place + 1
        case str():
            return f"{value}{place}"
        case _:
            return value


def _fits(value: object, made: Type) -> bool:
    if not isinstance(value, Decimal):
        return False
    _, digits, exponent = value.as_tuple()
    return isinstance(exponent, int) and -exponent <= made.scale and len(digits) <= made.precision
