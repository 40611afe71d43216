"""Answering questions from kept rows: the plan as a program of closures, one per feature.

The same values as offline to the last bit: scalars are the builtin rows' own, totals are exact
integers, finished by the kernels that finish the offline ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.kernels.exact import finish_mean, finish_variance
from astrafs.online.aggregates import Call, Taken, compute, finish_total, unit_of, units_of
from astrafs.online.expressions import Evaluator, Key, Scope, compile_expression
from astrafs.online.rows import Rows, through
from astrafs.online.segments import Inputs, Row, Segment
from astrafs.plan import ir
from astrafs.plan.tree import walk
from astrafs.record import dataclass
from astrafs.typesys import Kind
from astrafs.values import numbers
from astrafs.values.errors import SUM_RANGE, ValueFailure


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong to keys: what aggregates over one block have in common."""

    rows: str
    keys: tuple[ir.Expr, ...]
    where: ir.Expr | None


class Kept(Protocol):
    """Where rows are kept. Everything that it gives is known by the cutoff K of the questions."""

    def segment(self, group: Group, key: Key) -> Segment | None:
        """Return the rows of ``group`` that belong to ``key``; None where there are none."""
        ...

    def versions(self, table: str, key: Key) -> Sequence[Row]:
        """Return the rows of a changelog for ``key``, the one that holds among several last."""
        ...


@dataclass(slots=True)
class _Question(Scope):
    """A scope of an entity at a time, with the segments and windows that were found for it."""

    as_of: int = 0
    segments: dict[Group, Segment] = field(default_factory=dict)
    bounds: dict[tuple[Group, ir.Window], tuple[int, int]] = field(default_factory=dict)


class Engine:
    """A plan ready to answer; it holds no rows. Safe to share between threads."""

    def __init__(self, plan: ir.Plan) -> None:
        self.plan = plan
        self._entities = {entity.name: entity for entity in plan.entities}
        self._features = {feature.id: feature for feature in plan.features}
        self._sources = {source.name: source for source in plan.sources}
        self._views = {view.name: view for view in plan.views}
        self._evaluators: dict[ir.FeatureId, Evaluator] = {}
        self._aggregates: dict[int, _Aggregate] = {}
        self._numbers: dict[Any, int] = {}
        self.rows = Rows(plan, self.compiled)
        self._outputs = {
            view.name: tuple(self.compiled(output.expression) for output in view.outputs)
            for view in plan.views
        }

    def ask(self, kept: Kept, as_of: int) -> Session:
        """Return what answers questions over ``kept`` at the knowledge cutoff ``as_of``."""
        return Session(self, kept, as_of)

    def compiled(self, expr: ir.Expr) -> Evaluator:
        """Return the closure of an expression of this plan."""
        for node in walk(expr):
            if isinstance(node, ir.Aggregate) and id(node) not in self._aggregates:
                self._aggregates[id(node)] = _Aggregate(node, self)
        return compile_expression(expr, self.evaluator)

    def evaluator(self, feature: ir.FeatureId) -> Evaluator:
        """Return the closure of a feature."""
        found = self._evaluators.get(feature)
        if found is None:
            found = self.compiled(self._features[feature].expression)
            self._evaluators[feature] = found
        return found

    def aggregate(self, node: ir.Aggregate) -> _Aggregate:
        """Return an aggregate of this plan, compiled."""
        return self._aggregates[id(node)]

    def number(self, signature: Any) -> int:
        """Return a small number that stands for ``signature``: equal ones share computed inputs."""
        return self._numbers.setdefault(signature, len(self._numbers))

    def view(self, name: str) -> tuple[ir.Entity, tuple[Evaluator, ...]]:
        """Return the entity of a view and the closures of its outputs."""
        return self._entities[self._views[name].entity], self._outputs[name]

    def entity(self, name: str) -> ir.Entity:
        """Return an entity or request."""
        return self._entities[name]

    def source(self, name: str) -> ir.Source:
        """Return a source or table."""
        return self._sources[name]


class Session:
    """Questions over one state of the rows. Answers of features are remembered, so that what
    several questions share is computed once.
    """

    def __init__(self, engine: Engine, kept: Kept, as_of: int) -> None:
        self.engine = engine
        self.kept = kept
        self.as_of = as_of
        self._answers: dict[tuple[ir.FeatureId, Key, int], Any] = {}
        self._empty = Segment(())

    def view(self, name: str, key: Key, t: int) -> tuple[Any, ...]:
        """Return the outputs of a view for one key (or the fields of one request) at ``t``."""
        entity, outputs = self.engine.view(name)
        scope = self._scope(entity, tuple(map(_cleaned, key)), t)
        return tuple(output(scope) for output in outputs)

    def feature(self, feature: ir.FeatureId, key: Key, t: int) -> Any:
        """Return the value of one feature for one key at ``t``."""
        asked = (feature, key, t)
        if asked not in self._answers:
            scope = self._scope(self.engine.entity(feature.entity), key, t)
            self._answers[asked] = self.engine.evaluator(feature)(scope)
        return self._answers[asked]

    def table(self, lookup: ir.TableLookup, key: Key, t: int) -> Any:
        """Return what a changelog holds for ``key`` at ``t``."""
        if None in key:
            return None
        table = self.engine.source(lookup.table)
        held: Row | None = None
        for row in self.kept.versions(lookup.table, key):
            if not table.time or (row.event <= t and row.known <= min(t, self.as_of)):
                held = row
        if held is None:
            return None
        for max_age in (lookup.max_age, table.max_age):
            if max_age is not None and table.time and held.event < t - max_age:
                return None
        return held.cells[lookup.column]

    def aggregate(self, node: ir.Aggregate, scope: Scope) -> Any:
        """Return the value of an aggregate for the entity of ``scope``."""
        assert isinstance(scope, _Question)
        return self.engine.aggregate(node).value(self, scope)

    def segment(self, group: Group, key: Key, scope: _Question) -> Segment:
        """Return the rows of ``group`` that belong to ``key`` and are visible to ``scope``."""
        found = scope.segments.get(group)
        if found is None:
            whole = None if None in key else self.kept.segment(group, key)
            found = self._empty if whole is None else whole.at(min(scope.t, self.as_of))
            scope.segments[group] = found
        return found

    def row_scope(self, row: Row) -> Scope:
        """Return the scope of expressions over a row, at its own time."""
        return Scope(self, row.event, row.cells, {})

    def request_row(self, rows: str, scope: Scope) -> Row | None:
        """Return the request as a row of ``rows`` at its own time; None where a condition leaves it
        out.
        """
        (way,) = self.engine.rows.ways(rows)
        source, t = self.engine.source(way.source), scope.t
        times = [source.time]
        if isinstance(source.knowledge, ir.KnownColumn):
            times.append(source.knowledge.column)
        row = Row({**scope.cells, **dict.fromkeys(times, t)}, t, t)
        return through(way, row, lambda cells, at: Scope(self, at, cells, {}))

    def _scope(self, entity: ir.Entity, key: Key, t: int) -> _Question:
        cells = {part.name: value for part, value in zip(entity.keys, key, strict=True)}
        return _Question(self, t, cells, {}, self.as_of)


def _cleaned(value: Any) -> Any:
    """Return a given value as the language knows it: a float is finite and never -0.0."""
    match value:
        case float():
            return numbers.finite_or_null(value)
        case tuple():
            return tuple(map(_cleaned, value))
        case _:
            return value


class _Aggregate:
    """An aggregate of the plan, compiled: its group, its inputs, how its value is made."""

    def __init__(self, node: ir.Aggregate, engine: Engine) -> None:
        row = AGGREGATES[node.function]
        inputs = min(row.inputs, len(node.args))
        self.node = node
        self.group = Group(node.rows, node.keys, node.block_where)
        constants = []
        for arg in node.args[inputs:]:
            assert isinstance(arg, ir.Literal)
            constants.append(arg.value)
        types = tuple(arg.type for arg in node.args[:inputs])
        if node.each:
            types = tuple(type_.parts[0] for type_ in types)
        result = node.type.parts[1] if node.by is not None else node.type
        self.call = Call(node.function, tuple(constants), types, result)
        self._number = engine.number(
            (node.args[:inputs], node.where, node.by, node.each, row.keep_nulls)
        )
        self._args = tuple(engine.compiled(arg) for arg in node.args[:inputs])
        self._where = None if node.where is None else engine.compiled(node.where)
        self._by = None if node.by is None else engine.compiled(node.by)
        self._block = None if node.block_where is None else engine.compiled(node.block_where)
        self._keep_nulls = row.keep_nulls
        self._summed = bool(row.summed)
        window = node.window
        self._cut = (
            engine.compiled(window.condition) if isinstance(window, ir.SinceWindow) else None
        )
        self._fast = None if node.by is not None else _FAST.get(self._fast_name())

    def _fast_name(self) -> str:
        kinds = [type_.kind for type_ in self.call.types]
        nested = any(kind in (Kind.VECTOR, Kind.LIST, Kind.MAP) for kind in kinds)
        return (
            ""
            if nested and self.call.function not in ("count", "last", "first")
            else (self.call.function)
        )

    def value(self, session: Session, scope: _Question) -> Any:
        """Return the aggregate's value for the entity of ``scope``."""
        node = self.node
        key = tuple(scope.cells[name] for name in (node.match or scope.cells))
        segment = session.segment(self.group, key, scope)
        inputs = segment.inputs(self._number, lambda made: self._inputs(session, made.rows))
        place = (self.group, node.window)
        bounds = scope.bounds.get(place)
        if bounds is None:
            bounds = segment.window(node.window, scope.t, self._cutter(session))
            scope.bounds[place] = bounds
        low, high = inputs.bounds(*bounds)
        if node.request and None not in key:
            return self._with_request(session, scope, inputs, low, high)
        if self._fast is not None:
            return self._fast(self.call, inputs, low, high)
        return self._computed(inputs, low, high, scope.t)

    def _cutter(self, session: Session) -> Callable[[Row], bool] | None:
        cut = self._cut
        if cut is None:
            return None
        return lambda row: cut(session.row_scope(row)) is True

    def _computed(self, inputs: Inputs, low: int, high: int, t: int) -> Any:
        columns = tuple(column[low:high] for column in inputs.columns)
        events = inputs.events[low:high]
        if inputs.by is None:
            return compute(self.call, Taken(columns, events, high - low, t))
        groups: dict[Any, list[int]] = {}
        for place, key in enumerate(inputs.by[low:high]):
            if key is not None:
                groups.setdefault(key, []).append(place)
        found = []
        for key in sorted(groups):
            places = groups[key]
            part = tuple([column[place] for place in places] for column in columns)
            taken = Taken(part, [events[place] for place in places], len(places), t)
            found.append((key, compute(self.call, taken)))
        return tuple(found)

    def _inputs(self, session: Session, rows: Sequence[Row]) -> Inputs:
        places: list[int] = []
        columns: tuple[list[Any], ...] = tuple([] for _ in self._args)
        by: list[Any] = []
        for place, row in enumerate(rows):
            scope = session.row_scope(row)
            if self._where is not None and self._where(scope) is not True:
                continue
            values = tuple(arg(scope) for arg in self._args)
            if self._summed:
                _check_summed(values)
            group = None if self._by is None else self._by(scope)
            for cells in _elements(values) if self.node.each else (values,):
                if not self._keep_nulls and None in cells:
                    continue
                places.append(place)
                by.append(group)
                for column, value in zip(columns, cells, strict=True):
                    column.append(value)
        whole = not self.node.each and len(places) == len(rows)
        events = [rows[place].event for place in places]
        return Inputs(
            None if whole else places, columns, events, by if self._by is not None else None
        )

    def _with_request(
        self, session: Session, scope: _Question, inputs: Inputs, low: int, high: int
    ) -> Any:
        """Return the value with the request itself as the newest row of the window."""
        own = self._request_inputs(session, scope)
        count = len(own.events)
        joined = Inputs(
            None,
            tuple(
                [*column[low:high], *added]
                for column, added in zip(inputs.columns, own.columns, strict=True)
            ),
            [*inputs.events[low:high], *own.events],
            None if inputs.by is None else [*inputs.by[low:high], *(own.by or ())],
        )
        return self._computed(joined, 0, high - low + count, scope.t)

    def _request_inputs(self, session: Session, scope: _Question) -> Inputs:
        row = session.request_row(self.node.rows, scope)
        if row is not None and self._block is not None:
            row = row if self._block(session.row_scope(row)) is True else None
        return self._inputs(session, () if row is None else (row,))


def _check_summed(values: Sequence[Any]) -> None:
    for value in values:
        if isinstance(value, tuple):
            _check_summed(value)
        elif isinstance(value, float) and abs(value) >= 2.0**90:
            raise ValueFailure(SUM_RANGE, "a float of 2^90 or more cannot enter an exact sum")


def _elements(values: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
    if None in values:
        return ()
    longest = max(map(len, values))
    padded = ((*value, *(None for _ in range(longest - len(value)))) for value in values)
    return list(zip(*padded, strict=True))


# --- the aggregates that running totals answer at once


def _units(call: Call, inputs: Inputs, power: int = 1) -> list[int]:
    type_ = call.types[0]
    return inputs.running(
        f"{power}", lambda: [units_of(value, type_) ** power for value in inputs.columns[0]]
    )


def _fast_sum(call: Call, inputs: Inputs, low: int, high: int) -> Any:
    running = _units(call, inputs)
    return finish_total(running[high] - running[low], call)


def _fast_mean(call: Call, inputs: Inputs, low: int, high: int) -> Any:
    running = _units(call, inputs)
    return finish_mean(running[high] - running[low], unit_of(call.types[0]), high - low)


def _fast_variance(*, sample: bool, square_root: bool) -> Callable[..., Any]:
    def value(call: Call, inputs: Inputs, low: int, high: int) -> Any:
        ones, squares = _units(call, inputs), _units(call, inputs, 2)
        return finish_variance(
            high - low,
            ones[high] - ones[low],
            squares[high] - squares[low],
            unit_of(call.types[0]),
            sample=sample,
            square_root=square_root,
        )

    return value


def _fast_any(_call: Call, inputs: Inputs, low: int, high: int) -> bool:
    running = inputs.running("true", lambda: [int(value) for value in inputs.columns[0]])
    return running[high] > running[low]


def _fast_all(_call: Call, inputs: Inputs, low: int, high: int) -> bool:
    running = inputs.running("false", lambda: [int(not value) for value in inputs.columns[0]])
    return running[high] == running[low]


_FAST: Mapping[str, Callable[[Call, Inputs, int, int], Any]] = {
    "count": lambda _call, _inputs, low, high: high - low,
    "sum": _fast_sum,
    "mean": _fast_mean,
    "var": _fast_variance(sample=True, square_root=False),
    "stddev": _fast_variance(sample=True, square_root=True),
    "var_pop": _fast_variance(sample=False, square_root=False),
    "stddev_pop": _fast_variance(sample=False, square_root=True),
    "any": _fast_any,
    "all": _fast_all,
    "first": lambda _call, inputs, low, high: inputs.columns[0][low] if high > low else None,
    "last": lambda _call, inputs, low, high: inputs.columns[0][high - 1] if high > low else None,
    "first_row": lambda _call, inputs, low, high: inputs.columns[0][low] if high > low else None,
    "last_row": lambda _call, inputs, low, high: (
        inputs.columns[0][high - 1] if high > low else None
    ),
}
