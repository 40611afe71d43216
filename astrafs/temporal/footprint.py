"""Time footprints: which moments of which source a feature may read; the proof of no leak."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.graph import plan_order, subexpressions
from astrafs.plan.text import knowledge_text
from astrafs.plan.tree import children
from astrafs.record import dataclass
from astrafs.temporal.interval import ALWAYS, NOW, Interval, window_interval
from astrafs.temporal.rows import row_times


@dataclass(frozen=True, slots=True)
class Path:
    """How a reading comes about: a linked list of names from the reader down to the source."""

    name: str
    rest: Path | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One source as one reader reads it.

    ``interval`` bounds the time of the rows relative to t, by the source's event time or, where
    ``clock`` is not empty, by the time that a stream gave them (their event time is no later).
    ``known`` is the knowledge rule as text, ``ahead`` marks rows known before their time,
    ``static`` is the reason of a table without time. ``asked`` is the latest moment, relative to t,
    at which it is read: what is known by then counts. A row and its values are known, and stay as
    they are, from ``lag`` after its time on (None: from a moment that a column says); the row
    itself is known from ``delay`` on.
    """

    source: str
    interval: Interval
    clock: str = ""
    known: str = ""
    ahead: bool = False
    static: str = ""
    path: Path | None = field(default=None, compare=False)
    asked: int = 0
    lag: int | None = 0
    delay: int | None = 0

    @property
    def via(self) -> tuple[str, ...]:
        """The features, streams and lookups between the reader and the source, in reading order."""
        found = []
        at = self.path
        while at is not None:
            found.append(at.name)
            at = at.rest
        return tuple(found)

    @property
    def event_interval(self) -> Interval:
        """The source's own event times: re-timing only ever moved them later."""
        return self.interval.unbounded_below() if self.clock else self.interval

    @property
    def leaks(self) -> bool:
        """Whether rows or values may be read that were not known by t."""
        if self.static:
            return False
        high = self.interval.high
        late = self.lag is None or high is None or high + self.lag > 0
        return (self.asked > 0 and late) or (not self.ahead and self.interval.reads_future)

    @property
    def key(self) -> tuple[str, str, str]:
        """What one reader's readings are told apart and sorted by: source, clock, first step."""
        return self.source, self.clock, self.path.name if self.path is not None else ""


Readings = dict[tuple[str, str, str], Reading]
"""The readings of one reader by their keys."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """All that a feature may read, sorted by key; empty for a function of key and t alone."""

    readings: tuple[Reading, ...]


def footprints(plan: ir.Plan) -> Mapping[ir.FeatureId, Footprint]:
    """Return every feature's footprint; raises :class:`PlanError` where features form a cycle."""
    known = Footprints(plan)
    return {
        feature.id: Footprint(
            tuple(found for _, found in sorted(known.features[feature.id].items()))
        )
        for feature in plan.features
    }


class Footprints:
    """Works footprints out in dependency order; keeps those of rows and columns for other passes.

    ``rows`` and ``columns`` are relative to the row's own time.
    """

    def __init__(self, plan: ir.Plan) -> None:
        self.times = row_times(plan)
        self.sources = {source.name: source for source in plan.sources}
        self.features: dict[ir.FeatureId, Readings] = {}
        self.columns: dict[str, dict[str, Readings]] = {}
        self._conditions: dict[str, Readings] = {name: {} for name in self.sources}
        streams = {stream.name: stream for stream in plan.streams}
        unions = {union.name: union for union in plan.unions}
        features = {feature.id: feature for feature in plan.features}
        for node in plan_order(plan):
            if isinstance(node, ir.FeatureId):
                self.features[node] = self.reads(features[node].expression)
            elif node in streams:
                self._stream(streams[node])
            elif node in unions:
                self._union(unions[node])
            else:
                self.columns[node] = {}

    def _stream(self, stream: ir.Stream) -> None:
        if stream.name not in self.times:
            raise PlanError(f"stream {stream.name} has no sound base")
        before = self.columns[stream.base]
        conditions = dict(self._conditions[stream.base])
        columns = dict(before)
        if stream.time is not None:  # the base's row stood at some earlier time
            conditions = _unbounded(conditions)
            columns = {name: _unbounded(found) for name, found in before.items()}
        for part in (stream.where, stream.time):
            if part is not None:
                _merge(conditions, self.reads(part, columns).values())
        for column in stream.columns:
            found = self.reads(column.expression, columns)
            columns[column.name] = _through(found, f"{stream.name}.{column.name}")
        self._conditions[stream.name] = conditions
        self.columns[stream.name] = columns

    def _union(self, union: ir.Union) -> None:
        if union.name not in self.times:
            raise PlanError(f"union {union.name} has no sound members")
        conditions: Readings = {}
        columns: dict[str, Readings] = {column.name: {} for column in union.columns}
        for member in union.members:
            _merge(conditions, _through(self._conditions[member], member).values())
            for name, found in columns.items():
                _merge(found, self.columns[member].get(name, {}).values())
        self._conditions[union.name] = conditions
        self.columns[union.name] = columns

    def row(self, rows: str) -> Readings:
        """Return what the presence of a row reads: itself and its streams' conditions."""
        found: Readings = {}
        _merge(found, self._itself(rows))
        _merge(found, _through(self._conditions[rows], rows).values())
        return found

    def _itself(self, rows: str) -> Iterator[Reading]:
        for times in self.times[rows]:
            path: Path | None = None
            for name in reversed(times.chain[:-1]):
                path = Path(name, path)
            yield replace(_reading(times.source, NOW, times.clock, path), ahead=times.ahead)

    def reads(
        self, root: ir.Expr | None, columns: Mapping[str, Readings] | None = None
    ) -> Readings:
        """Return what an expression reads relative to its context's time.

        ``columns`` are those of the row at hand; a column of the row itself adds nothing.
        """
        found: Readings = {}
        for expr in subexpressions(root):
            match expr:
                case ir.Column() if columns is not None:
                    _merge(found, columns.get(expr.name, {}).values())
                case ir.FeatureRef() | ir.EntityLookup() | ir.TableLookup():
                    _merge(found, self.lookup(expr).values())
                case ir.Aggregate():
                    _merge(found, self.aggregate(expr).values())
                case _:
                    pass
        return found

    def lookup(self, expr: ir.FeatureRef | ir.EntityLookup | ir.TableLookup) -> Readings:
        """Return what a lookup reads relative to its context's time, besides its keys."""
        if isinstance(expr, ir.TableLookup):
            table = self.sources[expr.table]
            reading = _reading(table, _table_interval(table, expr), "", None)
            return {reading.key: replace(reading, asked=-expr.offset)}
        offset = expr.offset if isinstance(expr, ir.EntityLookup) else 0
        feature = self.features.get(expr.feature, {})
        return _through(feature, str(expr.feature), Interval(-offset, -offset, True, True))

    def aggregate(self, expr: ir.Aggregate) -> Readings:
        """Return what an aggregate reads relative to its context's time."""
        window = window_interval(expr.window)
        found: Readings = {}
        for itself in self._itself(expr.rows):  # asked for at the context's time, not at its own
            _merge(found, [replace(itself, interval=_moved(itself, window).interval)])
        conditions = _through(self._conditions[expr.rows], expr.rows).values()
        _merge(found, (_moved(reading, window) for reading in conditions))
        _merge(found, self.aggregate_columns(expr).values())
        return found

    def aggregate_columns(self, expr: ir.Aggregate) -> Readings:
        """Return what the columns that an aggregate reads look up, relative to its context."""
        window = window_interval(expr.window)
        found: Readings = {}
        for part in children(expr):
            inner = self.reads(part, self.columns[expr.rows]).values()
            _merge(found, (_moved(reading, window) for reading in inner))
        return found


def _reading(source: ir.Source, at: Interval, clock: str, path: Path | None) -> Reading:
    interval = at if source.time else ALWAYS
    known = knowledge_text(source) if source.time else ""
    return Reading(
        source.name,
        interval,
        clock,
        known,
        source.ahead,
        source.static,
        path,
        lag=_longest_lag(source),
        delay=_delay(source),
    )


def _delay(source: ir.Source) -> int | None:
    """Return how long after its time a row is known; None where a column says."""
    rule = source.knowledge
    return None if isinstance(rule, ir.KnownColumn) else rule.delay


def _longest_lag(source: ir.Source) -> int | None:
    """Return how long after its time a row and all its values are known; None without a bound."""
    if isinstance(source.knowledge, ir.KnownColumn) or any(c.known_at for c in source.columns):
        return None
    settles = (column.settles or 0 for column in source.columns)
    return max((source.knowledge.delay, *settles))


def _table_interval(table: ir.Source, expr: ir.TableLookup) -> Interval:
    age = expr.max_age if expr.max_age is not None else table.max_age
    low = None if age is None else -expr.offset - age
    return Interval(low, -expr.offset, low is not None, True)


def _moved(reading: Reading, by: Interval) -> Reading:
    if reading.static:
        return reading
    asked = reading.asked + (by.high or 0)
    return replace(reading, interval=by + reading.interval, asked=asked)


def _through(found: Readings, name: str, by: Interval = NOW) -> Readings:
    renamed: Readings = {}
    _merge(
        renamed,
        (replace(_moved(reading, by), path=Path(name, reading.path)) for reading in found.values()),
    )
    return renamed


def _unbounded(found: Readings) -> Readings:
    return {
        key: replace(reading, interval=reading.interval.unbounded_below())
        for key, reading in found.items()
    }


def _merge(found: Readings, new: Iterable[Reading]) -> None:
    """Add readings; of two with one key the interval covers both, and the later's path stays."""
    for reading in new:
        old = found.setdefault(reading.key, reading)
        if old is reading:
            continue
        both = old.interval | reading.interval
        later = old if both.high == old.interval.high else reading
        asked = max(old.asked, reading.asked)
        ahead = old.ahead and reading.ahead
        found[reading.key] = replace(later, interval=both, ahead=ahead, asked=asked)
