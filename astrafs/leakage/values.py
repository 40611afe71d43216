"""Looks for column values with which an aggregate differs between serving and training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice, product
from typing import Any

from astrafs.leakage.evaluate import UnknownValueError, aggregate_value, value_of
from astrafs.plan import ir
from astrafs.plan.graph import subexpressions
from astrafs.plan.text import aggregate_text, literal_text
from astrafs.plan.values import value_text
from astrafs.record import dataclass
from astrafs.temporal.rows import RowTimes
from astrafs.typesys import DURATION_UNITS, Kind, Type

NOW = 1_767_225_600_000_000  # where times are needed as values, t is 2026-01-01T00:00:00Z
_TRIES = 300
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a counterexample is about: an aggregate over rows of a plan."""

    plan: ir.Plan
    expr: ir.Aggregate
    times: RowTimes

    @property
    def text(self) -> str:
        """The aggregate as written."""
        return aggregate_text(self.expr)


@dataclass(frozen=True, slots=True)
class Found:
    """Values of the column (row 1; row 2 at t; row 2 later) and of the aggregate, as text.

    ``values`` are those of all rows, but for ``second``, the column's in the last row later;
    ``expected`` is ``before`` as a program writes it.
    """

    cells: tuple[str, str, str]
    before: str
    after: str
    expected: str
    values: Values
    second: Any


def search(
    scene: Scene, column: ir.SourceColumn | None, at: Sequence[int], *, kind: str
) -> Found | None:
    """Return the first values that make a difference; None if there are none or it is unknown.

    Rows lie at the moments ``at``, oldest first. ``kind`` says how they differ: the last row's
    ``column`` ``changes``, or ``appears``, or the last ``row`` is there in one case only.
    """
    types = {item.name: item.type for item in scene.times.source.columns}
    try:
        for values in islice(_assignments(scene, types), _TRIES):
            for second in _domain(types[column.name], ()) if column is not None else (None,):
                found = _attempt(scene, column, values, second, at, kind)
                if found is not None:
                    return found
    except UnknownValueError:
        return None
    return None


def _attempt(
    scene: Scene,
    column: ir.SourceColumn | None,
    values: Values,
    second: Any,
    at: Sequence[int],
    kind: str,
) -> Found | None:
    rows = [{**values, **_time_values(scene.times.source, moment)} for moment in at]
    if column is None:
        before = _result(scene, rows[:-1])
        after = _result(scene, rows if at[-1] >= 0 else [rows[-1], *rows[:-1]])
        cells = ("", "", "")
    else:
        first, nullable = values[column.name], column.type.nullable
        served = first if kind == "changes" else None
        if second is None or second == served:
            return None
        # A value that is not there yet is null; where it cannot be, the row is not there yet.
        early = [*rows[:-1], {**rows[-1], column.name: served}]
        before = _result(scene, rows[:-1] if served is None and not nullable else early)
        after = _result(scene, [*rows[:-1], {**rows[-1], column.name: second}])
        cells = (
            literal_text(first, column.type),
            literal_text(served, column.type),
            literal_text(second, column.type),
        )
    if type(before) is type(after) and before == after:
        return None
    made = scene.expr.type
    texts = (value_text(before, made), value_text(after, made), literal_text(before, made))
    return Found(cells, *texts, values, second)


def _result(scene: Scene, rows: Sequence[Values]) -> Any:
    streams = {stream.name: stream for stream in scene.plan.streams}
    kept = []
    for row in rows:
        full: Values | None = dict(row)
        for name in reversed(scene.times.chain[:-1]):
            full = None if full is None else _through(streams[name], full)
        if full is not None:
            kept.append(full)
    return aggregate_value(scene.expr, kept)


def _through(stream: ir.Stream, row: Values) -> Values | None:
    if stream.where is not None and value_of(stream.where, row) is not True:
        return None
    computed: Values = {}
    for column in stream.columns:
        try:
            computed[column.name] = value_of(column.expression, row)
        except UnknownValueError:  # a lookup: any value will do for the picture
            computed[column.name] = _domain(column.expression.type, ())[0]
    return {**row, **computed}


def _assignments(scene: Scene, types: Mapping[str, Type]) -> Iterator[Values]:
    """Yield values for all columns of the source; only those that take part vary."""
    expr = scene.expr
    parts: list[ir.Expr | None] = [*expr.args, expr.where, expr.block_where, expr.by]
    for stream in scene.plan.streams:
        if stream.name in scene.times.chain:
            parts += [stream.where, *(column.expression for column in stream.columns)]
    literals: list[Any] = []
    named: dict[str, None] = {}
    for node in subexpressions(*parts):
        if isinstance(node, ir.Column) and node.name in types:
            named[node.name] = None
        elif isinstance(node, ir.Literal) and node.value is not None:
            literals.append(node.value)
    domains = {name: _domain(types[name], literals) for name in named}
    rest = {name: _domain(made, ())[0] for name, made in types.items() if name not in named}
    contracts = scene.times.source.expects
    for chosen in product(*domains.values()):
        values = {**rest, **dict(zip(domains, chosen, strict=True))}
        if not any(value_of(condition, values) is False for condition in contracts):
            yield values


def _domain(made: Type, literals: Sequence[Any]) -> tuple[Any, ...]:
    """Return a few values of a type, those that the program itself names first."""
    kind = made.kind
    base: tuple[Any, ...]
    match kind:
        case Kind.BOOL:
            base = (False, True)
        case Kind.INT:
            base = (10, 25)
        case Kind.FLOAT:
            base = (10.0, 25.0)
        case Kind.DECIMAL:
            base = tuple(Decimal(n).quantize(Decimal(1).scaleb(-made.scale)) for n in (5, 8))
        case Kind.STRING:
            base = ("a", "b")
        case Kind.BYTES:
            base = (b"a", b"b")
        case Kind.ENUM:
            base = made.values[:3]
        case Kind.TIMESTAMP:
            base = (NOW, NOW + DURATION_UNITS["h"])
        case Kind.DATE:
            base = (NOW // DURATION_UNITS["d"], NOW // DURATION_UNITS["d"] + 1)
        case Kind.DURATION:
            base = (DURATION_UNITS["h"], 2 * DURATION_UNITS["h"])
        case Kind.KEY if len(made.parts) == 1:
            return _domain(made.parts[0], literals)
        case Kind.LIST:
            return tuple((item,) for item in _domain(made.parts[0], literals))
        case Kind.MAP:
            key, *_ = _domain(made.parts[0], literals)
            return tuple(((key, item),) for item in _domain(made.parts[1], literals))
        case Kind.VECTOR:
            return tuple((number,) * made.precision for number in (1.0, 2.0))
        case _:
            raise UnknownValueError
    if kind in (Kind.INT, Kind.FLOAT, Kind.STRING, Kind.DECIMAL):
        fitting: list[Any] = [value for value in literals if type(value) is type(base[0])]
        step = [] if kind is Kind.STRING else [value + 1 for value in fitting]
        base = tuple(dict.fromkeys((*fitting[:2], *step[:2], *base)))
    elif kind is Kind.ENUM:
        named = [value for value in literals if value in made.values]
        base = tuple(dict.fromkeys((*named[:2], *base)))
    return base


def _time_values(source: ir.Source, at: int) -> Values:
    return {source.time: NOW + at} if source.time else {}


def plain_values(source: ir.Source) -> Values:
    """Return a value for every column of ``source`` that can have one."""
    values: Values = {}
    for column in source.columns:
        try:
            values[column.name] = _domain(column.type, ())[0]
        except UnknownValueError:  # a list or map: the row stays without it
            continue
    return values


def stand_ins(column: ir.SourceColumn) -> tuple[str, str, str]:
    """Return texts for a column's values where no evaluation was possible."""
    try:
        first, second, *_ = (literal_text(value, column.type) for value in _domain(column.type, ()))
    except UnknownValueError:
        first, second = "a", "b"
    return first, first, second
