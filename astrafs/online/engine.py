"""Answering questions from kept rows: the plan as a program of closures, over columns swept by the
window kernels.

The same values as offline to the last bit: scalars are the builtin rows' own, totals are exact
integers, finished by the kernels that finish the offline ones. All aggregates of a view (or of a
feature that is looked up) over one group of rows are asked together, in one sweep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from astrafs.kernels.arrow_types import engine_type, from_engine
from astrafs.kernels.windows import Frame, Sweep
from astrafs.kernels.windows.slices import Call, Lists, listed
from astrafs.online.expressions import Evaluator, Key, Scope, compile_expression
from astrafs.online.groups import Group, Shape
from astrafs.online.rows import Rows, through
from astrafs.online.segments import Row
from astrafs.plan import ir
from astrafs.plan.tree import walk
from astrafs.record import dataclass
from astrafs.values import numbers
from astrafs.values.errors import ValueFailure


class Held(Protocol):
    """The rows of a group that belong to one key. Of ``large`` ones not all are at hand."""

    @property
    def large(self) -> bool: ...

    def one(self, sweep: Sweep, t: int, as_of: int) -> list[Any]:
        """Return the values of a sweep at ``t``, of the rows known by ``as_of``."""
        ...

    def at(self, t: int, as_of: int) -> Frame:
        """Return rows that hold every one visible at ``t`` among those known by ``as_of``, and what
        is needed to leave out the others.
        """
        ...


class Kept(Protocol):
    """Where rows are kept. Everything that it gives is known by the cutoff K of the questions."""

    def segments(self, shape: Shape, keys: Sequence[Key], since: int) -> Sequence[Held | None]:
        """Return the rows of a group that belong to each of ``keys`` (None where there are none):
        at least those that windows at ``since`` or later may hold.
        """
        ...

    def versions(self, table: str, key: Key) -> Sequence[Row]:
        """Return the rows of a changelog for ``key``, the one that holds among several last."""
        ...


@dataclass(frozen=True, slots=True)
class _Aggregate:
    """An aggregate of the plan, compiled: its group, and how the kernels call it."""

    node: ir.Aggregate
    shape: Shape
    call: Call
    sweep: Sweep


@dataclass(frozen=True, slots=True)
class _Asked:
    """Aggregates over one group that are swept together; ``match`` names the fields of their key
    (empty: the whole key).
    """

    shape: Shape
    match: tuple[str, ...]
    sweep: Sweep


@dataclass(frozen=True, slots=True)
class _Root:
    """What one view or looked-up feature asks for: its sweeps, where in them each aggregate (by the
    id of its node) stands, and where the outputs that are aggregates as they stand.
    """

    asked: tuple[_Asked, ...]
    places: Mapping[int, tuple[int, int]]
    direct: tuple[tuple[int, int] | None, ...]


@dataclass(slots=True)
class _Question(Scope):
    """A scope of an entity at a time, with the values that were found for its sweeps."""

    root: _Root
    values: list[Sequence[Any] | None]


class Engine:
    """A plan ready to answer; it holds no rows. Safe to share between threads."""

    def __init__(self, plan: ir.Plan) -> None:
        self.plan = plan
        self._entities = {entity.name: entity for entity in plan.entities}
        self._features = {feature.id: feature for feature in plan.features}
        self._sources = {source.name: source for source in plan.sources}
        self._views = {view.name: view for view in plan.views}
        self._evaluators: dict[ir.FeatureId, Evaluator] = {}
        self._shapes: dict[Group, Shape] = {}
        self._aggregates: dict[int, _Aggregate] = {}
        self._roots: dict[str | ir.FeatureId, _Root] = {}
        self.rows = Rows(plan, self.compiled)
        # What is read of rows is known in full before the first row comes.
        for feature in plan.features:
            if not feature.label:
                for node in walk(feature.expression):
                    if isinstance(node, ir.Aggregate):
                        self._aggregates[id(node)] = self._aggregate(node)
        self.shapes = tuple(self._shapes.values())
        self._outputs = {
            view.name: tuple(self.compiled(output.expression) for output in view.outputs)
            for view in plan.views
        }

    def _aggregate(self, node: ir.Aggregate) -> _Aggregate:
        group = Group(node.rows, node.keys, node.block_where)
        shape = self._shapes.get(group)
        if shape is None:
            shape = self._shapes[group] = Shape(group, self.rows, self.compiled)
        call = shape.call(node)
        return _Aggregate(node, shape, call, Sweep((call,)))

    def ask(self, kept: Kept, as_of: int) -> Session:
        """Return what answers questions over ``kept`` at the knowledge cutoff ``as_of``."""
        return Session(self, kept, as_of)

    def compiled(self, expr: ir.Expr) -> Evaluator:
        """Return the closure of an expression of this plan."""
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

    def root(self, name: str | ir.FeatureId) -> _Root:
        """Return what a view or a feature asks for."""
        found = self._roots.get(name)
        if found is None:
            exprs = self._exprs(name)
            found = self._roots[name] = self._root(exprs)
        return found

    def _exprs(self, name: str | ir.FeatureId) -> list[ir.Expr]:
        if isinstance(name, str):
            return [output.expression for output in self._views[name].outputs]
        return [self._features[name].expression]

    def _root(self, exprs: Sequence[ir.Expr]) -> _Root:
        slots: dict[tuple[int, tuple[str, ...]], list[_Aggregate]] = {}
        seen: set[int] = set()
        for node in self.own(exprs):
            if not node.request and id(node) not in seen:
                seen.add(id(node))
                found = self._aggregates[id(node)]
                slots.setdefault((id(found.shape), node.match), []).append(found)
        asked, places = [], {}
        for slot, ((_, match), members) in enumerate(slots.items()):
            calls = tuple(dict.fromkeys(one.call for one in members))
            order = {call: place for place, call in enumerate(calls)}
            for one in members:
                places[id(one.node)] = (slot, order[one.call])
            asked.append(_Asked(members[0].shape, match, Sweep(calls)))
        nodes = [self._direct(expr) for expr in exprs]
        direct = tuple(None if node is None else places[id(node)] for node in nodes)
        return _Root(tuple(asked), places, direct)

    def own(self, exprs: Sequence[ir.Expr]) -> Iterator[ir.Aggregate]:
        """Yield the aggregates that expressions ask of their own entity, through its features."""
        waiting, seen = list(exprs), set[ir.FeatureId]()
        while waiting:
            for node in walk(waiting.pop()):
                match node:
                    case ir.Aggregate():
                        yield node
                    case ir.FeatureRef(feature=named) if named not in seen:
                        seen.add(named)
                        waiting.append(self._features[named].expression)
                    case _:
                        pass

    def _direct(self, expr: ir.Expr) -> ir.Aggregate | None:
        """Return the aggregate that an output is, as it stands; None where more is computed."""
        while isinstance(expr, ir.FeatureRef):
            expr = self._features[expr.feature].expression
        return expr if isinstance(expr, ir.Aggregate) and not expr.request else None

    def view(self, name: str) -> tuple[ir.View, ir.Entity, tuple[Evaluator, ...]]:
        """Return a view, its entity, and the closures of its outputs."""
        view = self._views[name]
        return view, self._entities[view.entity], self._outputs[name]

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

    # --- views

    def view(self, name: str, key: Key, t: int) -> tuple[Any, ...]:
        """Return the outputs of a view for one key (or the fields of one request) at ``t``."""
        _, entity, outputs = self.engine.view(name)
        root = self.engine.root(name)
        scope = self._scope(entity, tuple(map(_cleaned, key)), t, root)
        return tuple(
            [
                output(scope) if place is None else self._value(scope, *place)
                for output, place in zip(outputs, root.direct, strict=True)
            ]
        )

    def columns(self, name: str, keys: Sequence[Key], times: Sequence[int]) -> list[pa.Array]:
        """Return a column per output of a view, with its value for each key at its time, in the
        types in which values leave. The windows of all questions are swept together.
        """
        view, entity, outputs = self.engine.view(name)
        keys = [tuple(map(_cleaned, key)) for key in keys]
        root = self.engine.root(name)
        try:
            swept = [self._swept(asked, entity, keys, times) for asked in root.asked]
        except ValueFailure:
            # Of a value that nothing asks for: what is asked for is found out one by one.
            rows = [self.view(name, key, t) for key, t in zip(keys, times, strict=True)]
            found = list(zip(*rows, strict=True)) if rows else [()] * len(outputs)
            return [
                from_engine(pa.array(column, engine_type(output.type)), output.type)
                for output, column in zip(view.outputs, found, strict=True)
            ]
        pairs = list(zip(view.outputs, root.direct, strict=True))
        computed = [output.expression for output, place in pairs if place is None]
        needed = list(self.engine.own(computed))
        scopes = self._prefilled(root, entity, keys, times, swept, needed) if computed else []
        made = []
        for (output, direct), closure in zip(pairs, outputs, strict=True):
            if direct is None:
                column = pa.array([closure(scope) for scope in scopes], engine_type(output.type))
            else:
                column = swept[direct[0]][direct[1]]
            made.append(from_engine(column, output.type))
        return made

    def _swept(
        self, asked: _Asked, entity: ir.Entity, keys: Sequence[Key], times: Sequence[int]
    ) -> tuple[pa.Array, ...]:
        if asked.match:
            names = [part.name for part in entity.keys]
            parts = [names.index(name) for name in asked.match]
            keys = [tuple(key[part] for part in parts) for key in keys]
        held = self._held(asked.shape, keys, min(times, default=0))
        nothing = asked.shape.nothing
        pairs = [(held.get(key) or nothing, t) for key, t in zip(keys, times, strict=True)]
        return asked.sweep.stacked(
            [None if one.large else one.at(t, self.as_of) for one, t in pairs],
            times,
            lambda at: pairs[at][0].one(asked.sweep, pairs[at][1], self.as_of),
        )

    def _held(self, shape: Shape, keys: Sequence[Key], since: int) -> dict[Key, Held | None]:
        """Return the rows of each different key; a key with a null has none."""
        different = [key for key in dict.fromkeys(keys) if None not in key]
        found = self.kept.segments(shape, different, since) if different else []
        return dict(zip(different, found, strict=True))

    def _one(self, shape: Shape, key: Key, t: int) -> Held:
        """Return the rows of one key."""
        if None in key:
            return shape.nothing
        (found,) = self.kept.segments(shape, (key,), t)
        return shape.nothing if found is None else found

    def _prefilled(
        self,
        root: _Root,
        entity: ir.Entity,
        keys: Sequence[Key],
        times: Sequence[int],
        swept: Sequence[tuple[pa.Array, ...]],
        needed: Sequence[ir.Aggregate],
    ) -> list[_Question]:
        """Return a scope per question that has the values of the ``needed`` aggregates."""
        wanted = {root.places[id(node)] for node in needed if not node.request}
        nothing = [None] * len(keys)
        rows = []
        for slot, columns in enumerate(swept):
            lists = [
                listed(column) if (slot, place) in wanted else nothing
                for place, column in enumerate(columns)
            ]
            rows.append(list(zip(*lists, strict=True)))
        scopes = []
        for place, (key, t) in enumerate(zip(keys, times, strict=True)):
            scope = self._scope(entity, key, t, root)
            scope.values = [slot[place] for slot in rows]
            scopes.append(scope)
        return scopes

    # --- what expressions ask

    def feature(self, feature: ir.FeatureId, key: Key, t: int) -> Any:
        """Return the value of one feature for one key at ``t``."""
        asked = (feature, key, t)
        if asked not in self._answers:
            entity = self.engine.entity(feature.entity)
            scope = self._scope(entity, key, t, self.engine.root(feature))
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
        if node.request:
            return self._with_request(node, scope)
        return self._value(scope, *scope.root.places[id(node)])

    def _value(self, scope: _Question, slot: int, place: int) -> Any:
        values = scope.values[slot]
        if values is None:
            asked = scope.root.asked[slot]
            key = tuple([scope.cells[name] for name in (asked.match or scope.cells)])
            held = self._one(asked.shape, key, scope.t)
            values = scope.values[slot] = held.one(asked.sweep, scope.t, self.as_of)
        value = values[place]
        if value.__class__ is ValueFailure:
            raise value
        return value

    def row_scope(self, cells: Mapping[str, Any], t: int) -> Scope:
        """Return the scope of expressions over a row, at its own time."""
        return Scope(self, t, cells, {})

    # --- requests that are rows

    def _with_request(self, node: ir.Aggregate, scope: _Question) -> Any:
        """Return the value with the request itself as the newest row of the window."""
        found = self.engine.aggregate(node)
        key = tuple(scope.cells[name] for name in (node.match or scope.cells))
        frame = self._one(found.shape, key, scope.t).at(scope.t, self.as_of)
        (low,), (high,) = found.sweep.edges.one(frame, scope.t)
        lists = frame.lists(found.call.input)
        if None in key:
            return lists.value(found.call, low, high, scope.t)
        own = self._own_row(found, scope)
        joined = lists.joined(low, high, own)
        return joined.value(found.call, 0, len(joined.events), scope.t)

    def _own_row(self, found: _Aggregate, scope: _Question) -> Lists:
        (way,) = found.shape.ways
        source, t = self.engine.source(way.source), scope.t
        times = [source.time]
        if isinstance(source.knowledge, ir.KnownColumn):
            times.append(source.knowledge.column)
        row = through(way, Row({**scope.cells, **dict.fromkeys(times, t)}, t, t), self.row_scope)
        rows = [] if row is None or not found.shape.lets(row, self.row_scope) else [row]
        return found.shape.lists(rows, found.call.input, self.row_scope)

    def _scope(self, entity: ir.Entity, key: Key, t: int, root: _Root) -> _Question:
        cells = {part.name: value for part, value in zip(entity.keys, key, strict=True)}
        return _Question(self, t, cells, {}, root, [None] * len(root.asked))


def _cleaned(value: Any) -> Any:
    """Return a given value as the language knows it: a float is finite and never -0.0."""
    match value:
        case float():
            return numbers.finite_or_null(value)
        case tuple():
            return tuple(map(_cleaned, value))
        case _:
            return value
