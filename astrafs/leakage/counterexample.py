"""Makes the smallest set of events that shows why a window leaks, or never sees anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, product
from typing import Any

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.leakage.evaluate import UnknownValue, aggregate_value, value_of
from astrafs.leakage.timeline import Mark, Story
from astrafs.plan import ir
from astrafs.plan.graph import subexpressions
from astrafs.plan.text import aggregate_text, literal_text
from astrafs.temporal.interval import Interval, farthest_age, moment, nearest_age, window_interval
from astrafs.temporal.rows import RowTimes
from astrafs.typesys import DURATION_UNITS, Kind, Type

_T = 1_767_225_600_000_000  # where times are needed as values, t is 2026-01-01T00:00:00Z
_TRIES = 300
_NO_ROW = object()
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


def settling_column(scene: Scene, column: ir.SourceColumn) -> Story:
    """Two rows, of which the younger one's value changes between t and the time it settles."""
    settles, lag = column.settles or 0, scene.times.least_lag
    far = farthest_age(scene.expr.window)
    nearest = nearest_age(scene.expr.window)
    young = nice(nearest, settles - lag if far is None else min(far, settles - lag))
    old = nice(max(settles - lag, young), far)
    if far is not None and far <= settles - lag:
        old = nice(young, far)
    change = nice(0, settles - lag - young)
    found = _search(scene, column, (-old, -young), kind="changes")
    first, at_t, later = found.cells if found else _stand_ins(column)
    return Story(
        (
            Mark(-old, "*", "row 1"),
            Mark(-young, "*", "row 2"),
            Mark(0, "|", "asked at t"),
            Mark(change, "o", "row 2 changes"),
        ),
        window_interval(scene.expr.window),
        ("row", "at", f"{column.name} at t", f"{column.name} in the files"),
        (("1", moment(-old), first, first), ("2", moment(-young), at_t, later)),
        _outcome(scene, found, "served at t", "in the training set"),
    )


def unknown_column(scene: Scene, column: ir.SourceColumn) -> Story:
    """Two rows, of which the younger one's value only becomes known after t."""
    window = scene.expr.window
    far = farthest_age(window)
    nearest = nearest_age(window)
    young = nice(nearest, far)
    old = nice(young, far)
    after = nice(0, max(young, 2 * DURATION_UNITS["h"]))
    found = _search(scene, column, (-old, -young), kind="appears")
    first, _, later = found.cells if found else _stand_ins(column)
    known = nice(0, old)
    return Story(
        (
            Mark(-old, "*", "row 1"),
            Mark(-young, "*", "row 2"),
            Mark(0, "|", "asked at t"),
            Mark(after, "o", f"{column.name} of row 2 known"),
        ),
        window_interval(window),
        ("row", "at", column.known_at, f"{column.name} at t", f"{column.name} in the files"),
        (
            ("1", moment(-old), moment(-known), first, first),
            ("2", moment(-young), moment(after), "not known", later),
        ),
        _outcome(scene, found, "served at t", "in the training set"),
    )


def future_row(scene: Scene) -> Story:
    """A row of the past and one that has not happened by t, though the files hold it."""
    interval = window_interval(scene.expr.window)
    high = interval.high or 0
    low = max(interval.low, 0) if interval.low is not None else 0
    soon = nice(low, high) if high > low else high
    past = -soon
    inside = (past,) if interval.low is None or interval.low < past else ()
    found = _search(scene, None, (*inside, soon), kind="row")
    return Story(
        (
            Mark(past, "*", "row 1"),
            Mark(0, "|", "asked at t"),
            Mark(soon, "*", "row 2"),
        ),
        interval,
        ("row", "at", "when served at t", "in the files"),
        (("1", moment(past), "there", "there"), ("2", moment(soon), "not yet", "there")),
        _outcome(scene, found, "served at t", "in the training set"),
    )


def invisible_row(scene: Scene, delay: int) -> Story:
    """A row that is too young to be visible, and one that is visible but too old for the window."""
    far = farthest_age(scene.expr.window) or 0
    young = nice(0, far) if far else 1
    old = nice(delay, None)
    empty = AGGREGATES[scene.expr.function].empty
    return Story(
        (
            Mark(-old, "*", "row 1"),
            Mark(-young, "*", "row 2"),
            Mark(0, "|", "asked at t"),
            Mark(delay - young, "o", "row 2 visible"),
        ),
        window_interval(scene.expr.window),
        ("row", "at", "visible from", "at t"),
        (
            ("1", moment(-old), moment(delay - old), "visible, but before the window"),
            ("2", moment(-young), moment(delay - young), "in the window, but not visible yet"),
        ),
        (f"{scene.text} is always {literal_text(empty, scene.expr.type)}",),
    )


def deleted_row(scene: Scene, retention: int) -> Story:
    """A row within what is kept, and one that the window covers but the source has deleted."""
    far = farthest_age(scene.expr.window)
    nearest = nearest_age(scene.expr.window)
    old = nice(max(retention, nearest), far)
    young = nice(nearest, retention) if nearest < retention else old // 2
    found = _search(scene, None, (-young, -old), kind="row")
    return Story(
        (
            Mark(-old, "*", "row 1"),
            Mark(-retention, "o", "kept from here"),
            Mark(-young, "*", "row 2"),
            Mark(0, "|", "asked at t"),
        ),
        window_interval(scene.expr.window),
        ("row", "at", "before clean-up", "after it"),
        (("1", moment(-old), "there", "deleted"), ("2", moment(-young), "there", "there")),
        _outcome(scene, found, "after clean-up", "while row 1 is still there"),
    )


def table_value(lookup: ir.TableLookup, column: ir.SourceColumn) -> Story:
    """A table's row whose value changes, or becomes known, only after it was looked up."""
    settles = column.settles or 2 * DURATION_UNITS["h"]
    young = lookup.offset + nice(0, settles - lookup.offset)
    change = nice(0, max(settles - young, DURATION_UNITS["h"]))
    _, at_t, later = _stand_ins(column)
    known = f"{column.name} {'changes' if column.settles is not None else 'known'}"
    name = lookup.table.rsplit(".", 1)[-1]
    at_t = at_t if column.settles is not None else "not known"
    return Story(
        (
            Mark(-young, "*", "row"),
            Mark(0, "|", "asked at t"),
            Mark(change, "o", known),
        ),
        None,
        ("row", "at", f"{column.name} at t", f"{column.name} in the files"),
        (("1", moment(-young), at_t, later),),
        (f"{name}[...].{column.name}: {at_t} when served at t, {later} in the training set",),
    )


def nice(low: int, high: int | None) -> int:
    """Return a duration strictly between two others, in as large a unit as fits, near the middle."""
    if high is None or high <= low:
        day = DURATION_UNITS["d"]
        return low + (day if low >= day else max(DURATION_UNITS["h"], low))
    middle = (low + high) // 2
    for unit in ("d", "h", "m", "s", "ms"):
        size = DURATION_UNITS[unit]
        for rounded in (middle // size * size, (middle // size + 1) * size):
            if low < rounded < high:
                return rounded
    return middle


# --- values that make a difference ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """Values of the column (row 1; row 2 at t; row 2 later) and of the aggregate, as text."""

    cells: tuple[str, str, str]
    before: str
    after: str


def _search(
    scene: Scene, column: ir.SourceColumn | None, at: Sequence[int], *, kind: str
) -> _Found | None:
    """Look for column values with which the aggregate differs between serving and training."""
    types = {item.name: item.type for item in scene.times.source.columns}
    try:
        for values in islice(_assignments(scene, types), _TRIES):
            for second in _domain(types[column.name], ()) if column is not None else (None,):
                found = _attempt(scene, column, values, second, at, kind)
                if found is not None:
                    return found
    except UnknownValue:
        return None
    return None


def _attempt(
    scene: Scene,
    column: ir.SourceColumn | None,
    values: Values,
    second: Any,
    at: Sequence[int],
    kind: str,
) -> _Found | None:
    rows = [{**values, **_time_values(scene.times.source, moment)} for moment in at]
    if column is None:
        before = _result(scene, rows[:-1])
        after = _result(scene, rows if at[-1] >= 0 else [rows[-1], *rows[:-1]])
        cells = ("", "", "")
    else:
        first = values.get(column.name)
        unknown = None if column.type.nullable else _NO_ROW
        served = first if kind == "changes" else unknown
        early = rows[:-1] if served is _NO_ROW else [*rows[:-1], {**rows[-1], column.name: served}]
        before = _result(scene, early)
        after = _result(scene, [*rows[:-1], {**rows[-1], column.name: second}])
        if second is None or second == served:
            return None
        cells = (
            literal_text(first, column.type),
            "" if served is _NO_ROW else literal_text(served, column.type),
            literal_text(second, column.type),
        )
    if type(before) is type(after) and before == after:
        return None
    return _Found(
        cells, literal_text(before, scene.expr.type), literal_text(after, scene.expr.type)
    )


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
        except UnknownValue:  # a lookup: any value will do for the picture
            computed[column.name] = _domain(column.expression.type, ())[0]
    return {**row, **computed}


def _assignments(scene: Scene, types: Mapping[str, Type]) -> Iterator[Values]:
    """Yield values for all columns of the source; only those that take part vary."""
    expr = scene.expr
    parts: list[ir.Expr | None] = [*expr.args, expr.where, expr.block_where]
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
            base = (_T, _T + DURATION_UNITS["h"])
        case Kind.DATE:
            base = (_T // DURATION_UNITS["d"], _T // DURATION_UNITS["d"] + 1)
        case Kind.DURATION:
            base = (DURATION_UNITS["h"], 2 * DURATION_UNITS["h"])
        case Kind.KEY if len(made.parts) == 1:
            return _domain(made.parts[0], literals)
        case _:
            raise UnknownValue
    if kind in (Kind.INT, Kind.FLOAT, Kind.STRING, Kind.DECIMAL):
        fitting = [value for value in literals if type(value) is type(base[0])]
        step = [] if kind is Kind.STRING else [value + 1 for value in fitting]
        base = tuple(dict.fromkeys((*fitting[:2], *step[:2], *base)))
    elif kind is Kind.ENUM:
        named = [value for value in literals if value in made.values]
        base = tuple(dict.fromkeys((*named[:2], *base)))
    return base


def _time_values(source: ir.Source, at: int) -> Values:
    return {source.time: _T + at} if source.time else {}


def _stand_ins(column: ir.SourceColumn) -> tuple[str, str, str]:
    """Return texts for a column's values where no evaluation was possible."""
    try:
        first, second, *_ = (literal_text(value, column.type) for value in _domain(column.type, ()))
    except UnknownValue:
        first, second = "a", "b"
    return first, first, second


def _outcome(scene: Scene, found: _Found | None, when: str, otherwise: str) -> tuple[str, ...]:
    if found is None:
        return (f"{scene.text} depends on it: one value {when}, another {otherwise}",)
    return (f"{scene.text}: {found.before} {when}, {found.after} {otherwise}",)


__all__ = [
    "Interval",
    "Scene",
    "deleted_row",
    "future_row",
    "invisible_row",
    "nice",
    "settling_column",
    "table_value",
    "unknown_column",
]
