"""Checks that a plan keeps its own rules; a failure is a bug of the compiler, not of the author."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn, assert_never

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.aggregates.rules import is_plain, typed
from astrafs.builtins.registry import FUNCTIONS
from astrafs.builtins.spec import Mismatch, Signature
from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.graph import plan_order
from astrafs.plan.tree import children
from astrafs.record import dataclass
from astrafs.typesys import Kind, Type

__all__ = ["PlanError", "engine_type", "verify"]

_PYTHON: Mapping[Kind, type[Any]] = {
    Kind.INT: int,
    Kind.FLOAT: float,
    Kind.DECIMAL: Decimal,
    Kind.BOOL: bool,
    Kind.STRING: str,
    Kind.ENUM: str,
    Kind.BYTES: bytes,
    Kind.TIMESTAMP: int,
    Kind.DATE: int,
    Kind.DURATION: int,
}


def verify(plan: ir.Plan) -> None:
    """Raise :class:`PlanError`, naming the node, if ``plan`` breaks an invariant."""
    _Checker(plan).plan_rules()


def engine_type(made: Type) -> Type:
    """Return a declared type as expressions carry it: no unit, a key of one part as that part, also
    of elements.
    """
    if not made.unit and made.kind not in (Kind.KEY, Kind.LIST, Kind.MAP):
        return made
    plain = made.plain().with_null(made.nullable)
    if plain.kind in (Kind.LIST, Kind.MAP):
        return replace(plain, parts=tuple(engine_type(part) for part in plain.parts))
    if plain.kind is Kind.KEY and len(plain.parts) == 1:
        return engine_type(plain.parts[0]).with_null(made.nullable)
    return plain


def _key_types(entity: ir.Entity) -> dict[str, Type]:
    return {key.name: engine_type(key.type) for key in entity.keys}


@dataclass(frozen=True, slots=True)
class _Scope:
    """What an expression may read: the columns of the row at hand, or the keys of its entity."""

    columns: Mapping[str, Type] = field(default_factory=dict)
    keys: Mapping[str, Type] = field(default_factory=dict)
    entity: ir.Entity | None = None
    windows: bool = False
    lookups: bool = True


class _Checker:
    """Verifies one plan; every method raises on the first broken rule."""

    def __init__(self, plan: ir.Plan) -> None:
        self.plan = plan
        self.where = "plan"
        self.entities = {entity.name: entity for entity in plan.entities}
        self.sources = {source.name: source for source in plan.sources}
        self.features = {feature.id: feature for feature in plan.features}
        self.streams = {stream.name: stream for stream in plan.streams}
        self.unions = {union.name: union for union in plan.unions}
        self.rows: dict[str, dict[str, Type]] = {}
        self.row_scopes: dict[str, _Scope] = {}
        self.signatures: dict[tuple[Any, ...], Signature | Mismatch] = {}

    def fail(self, text: str) -> NoReturn:
        """Raise with the declaration at hand."""
        raise PlanError(f"{self.where}: {text}")

    def need(self, condition: bool, text: str) -> None:
        """Raise ``text`` unless ``condition``."""
        if not condition:
            self.fail(text)

    def plan_rules(self) -> None:
        """Check everything, declarations before what uses them."""
        plan = self.plan
        self.need(plan.schema_version == ir.SCHEMA_VERSION, "wrong schema version")
        for what, names in (
            ("entities", [entity.name for entity in plan.entities]),
            ("sources", [source.name for source in plan.sources]),
            ("streams", [stream.name for stream in plan.streams]),
            ("unions", [union.name for union in plan.unions]),
            ("views", [view.name for view in plan.views]),
            ("datasets", [dataset.name for dataset in plan.datasets]),
        ):
            self.ordered(what, names)
        self.ordered("features", [feature.id for feature in plan.features])
        named = [*self.sources, *self.streams, *self.unions]
        self.need(len(set(named)) == len(named), "two sets of rows have one name")
        for entity in plan.entities:
            self.where = f"entity {entity.name}"
            self.ordered("keys", [key.name for key in entity.keys], by_name=False)
            for key in entity.keys:
                self.sound_type(key.type, f"key {key.name}")
        for source in plan.sources:
            self.where = f"source {source.name}"
            self.source(source)
        self.references()
        for node in plan_order(plan):
            if isinstance(node, str) and node in self.streams:
                self.where = f"stream {node}"
                self.stream(self.streams[node])
            elif isinstance(node, str) and node in self.unions:
                self.where = f"union {node}"
                self.union(self.unions[node])
        for feature in plan.features:
            self.where = f"feature {feature.id}"
            self.feature(feature)
        for view in plan.views:
            self.where = f"view {view.name}"
            self.view(view)
        for dataset in plan.datasets:
            self.where = f"dataset {dataset.name}"
            self.dataset(dataset)

    def ordered(self, what: str, names: list[Any], *, by_name: bool = True) -> None:
        """Names must be unique and, where the order means nothing, sorted."""
        self.need(len(set(names)) == len(names), f"{what} are not unique")
        if by_name:
            self.need(sorted(names) == names, f"{what} are not sorted")

    def references(self) -> None:
        """Every name that a declaration reads must exist, before orders are taken."""
        rows = {*self.sources, *self.streams, *self.unions}
        for stream in self.plan.streams:
            self.where = f"stream {stream.name}"
            self.need(stream.base in rows, f"no rows {stream.base}")
        for union in self.plan.unions:
            self.where = f"union {union.name}"
            self.need(bool(union.members), "no members")
            for member in union.members:
                self.need(member in rows, f"no rows {member}")
        for feature in self.plan.features:
            self.where = f"feature {feature.id}"
            self.need(feature.id.entity in self.entities, f"no entity {feature.id.entity}")
            self.need(feature.id.version >= 1, "versions start at 1")
        self.where = "plan"

    def sound_type(self, made: Type, what: str) -> None:
        """A type must be a real one."""
        self.need(made.kind not in (Kind.ERROR, Kind.NULL), f"{what} has type {made.kind.value}")
        if made.kind is Kind.DECIMAL:
            self.need(
                1 <= made.precision <= 38 and 0 <= made.scale <= made.precision,
                f"{what} has type {made}",
            )
        for part in made.parts:
            self.sound_type(part, what)

    def source(self, source: ir.Source) -> None:
        """Check a source's columns, key, times and contracts."""
        names = [column.name for column in source.columns]
        self.ordered("columns", names, by_name=False)
        columns = {column.name: engine_type(column.type) for column in source.columns}
        self.rows[source.name] = columns
        for column in source.columns:
            self.sound_type(column.type, f"column {column.name}")
            self.need(column.settles is None or column.settles > 0, f"{column.name} settles")
            if column.known_at:
                self.instant(columns, column.known_at, nullable=True)
        self.need(bool(source.key), "no key")
        for name in source.key:
            self.need(name in columns, f"no key column {name}")
        if source.time:
            self.instant(columns, source.time)
        else:
            self.need(source.table and bool(source.static), "no time")
        match source.knowledge:
            case ir.KnownColumn(column=name):
                self.instant(columns, name)
            case ir.Delay(delay=delay):
                self.need(delay >= 0, "negative delay")
            case _:
                assert_never(source.knowledge)
        self.need(source.max_age is None or source.max_age > 0, "max_age is not positive")
        self.need(source.retention is None or source.retention > 0, "retention is not positive")
        for condition in source.expects:
            self.condition(condition, _Scope(columns, lookups=False), "expect")

    def instant(self, columns: Mapping[str, Type], name: str, *, nullable: bool = False) -> None:
        """A column that gives a time must exist and be one."""
        made = columns.get(name)
        if made is None:
            self.fail(f"no column {name}")
        sound = made.kind is Kind.TIMESTAMP and (nullable or not made.nullable)
        self.need(sound, f"column {name} is {made}, not a timestamp")

    def stream(self, stream: ir.Stream) -> None:
        """Check a stream over its base, whose columns are known by now."""
        base = self.rows[stream.base]
        source = self.sources.get(stream.base)
        self.need(source is None or not source.table, f"{stream.base} is a table")
        if stream.where is not None:
            self.condition(stream.where, _Scope(base), "where")
        if stream.time is not None:
            self.expression(stream.time, _Scope(base), "time")
            timed = stream.time.type == Type(Kind.TIMESTAMP)
            self.need(timed, f"time is {stream.time.type}, not a timestamp")
        columns = dict(base)
        for column in stream.columns:
            self.need(column.name not in columns, f"column {column.name} exists already")
            self.expression(column.expression, _Scope(columns), f"column {column.name}")
            self.fits(column.expression.type, column.type, f"column {column.name}")
            columns[column.name] = engine_type(column.type)
        self.rows[stream.name] = columns

    def union(self, union: ir.Union) -> None:
        """Check a union over its members, whose columns are known by now."""
        names = [column.name for column in union.columns]
        self.ordered("columns", names, by_name=False)
        columns = {column.name: engine_type(column.type) for column in union.columns}
        for member in union.members:
            source = self.sources.get(member)
            self.need(source is None or not source.table, f"{member} is a table")
            for name, made in columns.items():
                given = self.rows[member].get(name)
                if given is None:
                    self.fail(f"{member} has no column {name}")
                self.fits(given, made, f"column {name} of {member}")
        for name in union.key:
            self.need(name in columns, f"no key column {name}")
        self.rows[union.name] = columns

    def feature(self, feature: ir.Feature) -> None:
        """Check a feature's expression against its entity and type."""
        entity = self.entities[feature.id.entity]
        self.sound_type(feature.type, "feature")
        scope = _Scope(
            keys=_key_types(entity), entity=entity, windows=not entity.request or bool(entity.rows)
        )
        self.expression(feature.expression, scope, "value")
        self.fits(feature.expression.type, feature.type, "value")

    def view(self, view: ir.View) -> None:
        """Check a view's outputs."""
        entity = self.entities.get(view.entity)
        if entity is None:
            self.fail(f"no entity {view.entity}")
        self.ordered("outputs", [output.name for output in view.outputs], by_name=False)
        scope = _Scope(keys=_key_types(entity), entity=entity)
        for output in view.outputs:
            at = f"output {output.name}"
            allowed = isinstance(output.expression, ir.FeatureRef | ir.EntityLookup | ir.KeyPart)
            self.need(allowed, f"{at}: not a feature, lookup or key")
            self.expression(output.expression, scope, at)
            self.fits(output.expression.type, output.type, at)

    def dataset(self, dataset: ir.Dataset) -> None:
        """Check a dataset's keys, labels and columns over its spine."""
        view = next((one for one in self.plan.views if one.name == dataset.view), None)
        if view is None:
            self.fail(f"no view {dataset.view}")
        columns = self.rows.get(dataset.spine)
        if columns is None:
            self.fail(f"no rows {dataset.spine}")
        scope = _Scope(columns)
        fields = self.entities[view.entity].keys
        self.need(len(dataset.keys) == len(fields), "a key for every field")
        for expr, key in zip(dataset.keys, fields, strict=True):
            self.expression(expr, scope, f"key {key.name}")
            made = key.type if self.entities[view.entity].request else key.type.optional()
            self.fits(expr.type, made, f"key {key.name}")
        names = [output.name for output in view.outputs]
        names += [column.name for column in dataset.columns]
        names += [label.name for label in dataset.labels]
        self.ordered("columns", names, by_name=False)
        for column in dataset.columns:
            sound = columns.get(column.name) == engine_type(column.type)
            self.need(sound, f"column {column.name}: not one of the spine")
        for label in dataset.labels:
            at = f"label {label.name}"
            allowed = isinstance(label.expression, ir.Column | ir.EntityLookup)
            self.need(allowed, f"{at}: neither a column nor a lookup")
            self.expression(label.expression, scope, at)
            self.fits(label.expression.type, label.type, at)
            self.need(label.type.nullable and label.horizon >= 0, f"{at}: never immature")
            for name in label.known:
                self.instant(columns, name, nullable=True)
        before, start = dataset.train_before, dataset.test_from
        self.need((before is None) == (start is None), "half a split")
        self.need(before is None or start is None or before <= start, "the split is reversed")

    def condition(self, expr: ir.Expr, scope: _Scope, at: str) -> None:
        """Check an expression that selects rows."""
        self.expression(expr, scope, at)
        self.need(expr.type.kind is Kind.BOOL, f"{at}: {expr.type} is no condition")

    def fits(self, given: Type, wanted: Type, at: str) -> None:
        """A value of ``given`` must be one of ``wanted`` (null where non-null is wanted is not)."""
        if given == wanted:
            return
        engine = engine_type(wanted)
        if given.kind is Kind.NULL and engine.nullable:
            return
        if not engine.holds(given) or given.nullable > engine.nullable:
            self.fail(f"{at}: {given} for {engine}")

    def narrows(self, given: Type, declared: Type, at: str) -> None:
        """A leaf has its declared type, or that without null where a test excluded it."""
        if given == declared:
            return
        self.fits(given, declared.optional(), at)
        self.need(declared.nullable or not given.nullable, f"{at}: {given} from {declared}")

    def expression(self, root: ir.Expr, scope: _Scope, at: str) -> None:
        """Check every node of ``root``."""
        stack = [(root, scope)]
        seen: set[tuple[int, int]] = set()
        while stack:
            expr, inside = stack.pop()
            if (id(expr), id(inside)) in seen:
                continue
            seen.add((id(expr), id(inside)))
            if expr.type.kind is Kind.ERROR or expr.type.unit:
                self.fail(f"{at}: a node of type {expr.type}")
            inner = self.node(expr, inside, at)
            stack.extend((part, inner) for part in children(expr))

    def node(self, expr: ir.Expr, scope: _Scope, at: str) -> _Scope:
        """Check one node; return the scope of its children."""
        match expr:
            case ir.Literal():
                self.literal(expr, at)
            case ir.Column():
                declared = scope.columns.get(expr.name)
                if declared is None:
                    self.fail(f"{at}: no column {expr.name}")
                self.narrows(expr.type, declared, f"{at}: column {expr.name}")
            case ir.KeyPart():
                declared = scope.keys.get(expr.name)
                if declared is None:
                    self.fail(f"{at}: no key {expr.name}")
                self.narrows(expr.type, declared, f"{at}: key {expr.name}")
            case ir.EvaluationTime():
                self.need(expr.type == Type(Kind.TIMESTAMP), f"{at}: t is {expr.type}")
            case ir.FeatureRef():
                feature = self.feature_named(expr.feature, at)
                own = scope.entity is not None and scope.entity.name == expr.feature.entity
                if not own:
                    self.fail(f"{at}: {expr.feature} belongs to another entity")
                self.narrows(expr.type, engine_type(feature.type), f"{at}: {expr.feature}")
            case ir.Call():
                self.call(expr, at)
            case ir.EntityLookup():
                self.entity_lookup(expr, scope, at)
            case ir.TableLookup():
                self.table_lookup(expr, scope, at)
            case ir.Aggregate():
                return self.aggregate(expr, scope, at)
            case _:
                assert_never(expr)
        return scope

    def feature_named(self, name: ir.FeatureId, at: str) -> ir.Feature:
        """Return a feature that must exist."""
        found = self.features.get(name)
        if found is None:
            self.fail(f"{at}: no feature {name}")
        return found

    def literal(self, expr: ir.Literal, at: str) -> None:
        """A literal's value must be of its type."""
        if expr.value is None:
            self.need(expr.type.nullable, f"{at}: null of type {expr.type}")
            return
        if type(expr.value) is not _PYTHON.get(expr.type.kind):
            self.fail(f"{at}: {expr.value!r} is no {expr.type}")

    def call(self, expr: ir.Call, at: str) -> None:
        """A call's types must be what its builtin's rule says of its arguments."""
        row = FUNCTIONS.get(expr.function)
        if row is None:
            self.fail(f"{at}: no function {expr.function}")
        if row.name == "list" and not expr.args:  # the type of an empty list is the declared one
            self.need(expr.type.kind is Kind.LIST, f"{at}: an empty list of type {expr.type}")
            return
        signature = self.signature(row.rule, expr.function, expr.args, at)
        if row.name == "to_decimal":  # the checker may choose a wider type
            self.need(expr.type.kind is Kind.DECIMAL, f"{at}: to_decimal gives {expr.type}")
            return
        self.result(expr.function, expr.type, signature.result, at)

    def result(self, name: str, given: Type, ruled: Type, at: str) -> None:
        """The type in a node must be the rule's, or that without null where flow excluded it."""
        self.narrows(given, engine_type(ruled), f"{at}: {name}")

    def signature(
        self, rule: Any, name: str, args: tuple[ir.Expr, ...], at: str, aggregate: bool = False
    ) -> Signature:
        """Ask a rule, and compare what it widens arguments to with what they are."""
        types = tuple(arg.type for arg in args)
        constants = tuple(arg if isinstance(arg, ir.Literal) else None for arg in args)
        values = tuple(None if literal is None else literal.value for literal in constants)
        plain = all(value is None for value in values)  # rules may look at constants
        key = (aggregate, name, types)
        found = self.signatures.get(key) if plain else None
        if found is None:
            try:
                found = rule(types, values)
            except Mismatch as mismatch:
                found = mismatch
            if plain:
                self.signatures[key] = found
        if isinstance(found, Mismatch):
            self.fail(f"{at}: {name}({', '.join(map(str, types))}): expected {found.expected}")
        for index, (given, wanted) in enumerate(zip(types, found.args, strict=True)):
            if given != wanted:
                self.fits(given, wanted.optional(), f"{at}: {name}: argument {index + 1}")
        return found

    def entity_lookup(self, expr: ir.EntityLookup, scope: _Scope, at: str) -> None:
        """A lookup must give every key of an entity that has the feature."""
        self.need(scope.lookups, f"{at}: a lookup in a contract")
        entity = self.entities.get(expr.entity)
        if entity is None:
            self.fail(f"{at}: no entity {expr.entity}")
        feature = self.feature_named(expr.feature, at)
        self.need(expr.feature.entity == expr.entity, f"{at}: {expr.feature} of {expr.entity}")
        self.need(expr.offset >= 0, f"{at}: a lookup in the future")
        self.key_types(expr.keys, [key.type for key in entity.keys], f"{at}: {expr.entity}")
        self.narrows(expr.type, engine_type(feature.type), f"{at}: {expr.feature}")

    def table_lookup(self, expr: ir.TableLookup, scope: _Scope, at: str) -> None:
        """A table lookup must give the table's whole key and name a column."""
        self.need(scope.lookups, f"{at}: a lookup in a contract")
        table = self.sources.get(expr.table)
        if table is None or not table.table:
            self.fail(f"{at}: no table {expr.table}")
        columns = self.rows[expr.table]
        self.need(expr.column in columns, f"{at}: no column {expr.table}.{expr.column}")
        self.need(expr.offset >= 0, f"{at}: a lookup in the future")
        self.need(expr.max_age is None or expr.max_age > 0, f"{at}: within nothing")
        self.key_types(expr.keys, [columns[name] for name in table.key], f"{at}: {expr.table}")
        found = columns[expr.column].optional()
        self.narrows(expr.type, found, f"{at}: {expr.table}.{expr.column}")

    def aggregate(self, expr: ir.Aggregate, scope: _Scope, at: str) -> _Scope:
        """An aggregate stands in a feature of an entity, over rows that have its columns."""
        row = AGGREGATES.get(expr.function)
        if row is None:
            self.fail(f"{at}: no aggregate {expr.function}")
        entity = scope.entity
        if entity is None or not scope.windows:
            self.fail(f"{at}: {expr.function} over a window outside an entity's features")
        columns = self.rows.get(expr.rows)
        if columns is None:
            self.fail(f"{at}: no rows {expr.rows}")
        source = self.sources.get(expr.rows)
        self.need(source is None or not source.table, f"{at}: {expr.rows} is a table")
        fields = {field.name: field.type for field in entity.keys}
        self.need(bool(expr.match) == entity.request, f"{at}: fields to match: {expr.match}")
        self.need(entity.request or not expr.request, f"{at}: a request of {entity.name}")
        for name in expr.match:
            self.need(name in fields, f"{at}: no field {name} of {entity.name}")
        wanted = [engine_type(fields[name]) for name in expr.match or fields]
        self.key_types(expr.keys, wanted, f"{at}: {expr.rows}")
        for condition in (expr.where, expr.block_where):
            if condition is not None:
                self.need(condition.type.kind is Kind.BOOL, f"{at}: where is {condition.type}")
        by = None if expr.by is None else expr.by.type
        rule = partial(typed, row, by=by, each=expr.each)
        name = f"{expr.function}{' each' if expr.each else ''}{'' if by is None else f' by {by}'}"
        signature = self.signature(rule, name, expr.args, at, aggregate=True)
        self.result(expr.function, expr.type, signature.result, at)
        self.need(by is None or is_plain(by), f"{at}: by {by}")
        self.window(expr.window, at)
        return self.row_scopes.setdefault(expr.rows, _Scope(columns))

    def key_types(self, given: Iterable[ir.Expr], wanted: Iterable[Type], at: str) -> None:
        """Key expressions must match key columns in number and type; any of them may be null."""
        keys, types = tuple(given), tuple(wanted)
        if len(keys) != len(types):
            self.fail(f"{at}: {len(keys)} keys for {len(types)}")
        for key, made in zip(keys, types, strict=True):
            if key.type != made:
                self.fits(key.type, made.optional(), f"{at}: key")

    def window(self, window: ir.Window, at: str) -> None:
        """A window must be able to hold something."""
        match window:
            case ir.LastWindow():
                sound = window.rows > 0 and (window.within is None or window.within > 0)
            case ir.RangeWindow():
                sound = window.every is None or window.every > 0
                if window.far is not None and window.far <= window.near:
                    closed = window.far_closed and window.near_closed
                    sound = sound and window.far == window.near and closed
            case ir.CalendarWindow():
                sound = window.unit in ("hour", "day", "week", "month") and bool(window.zone)
            case ir.SinceWindow():
                sound = window.condition.type.kind is Kind.BOOL
            case ir.SessionWindow():
                sound = window.gap > 0
            case _:
                assert_never(window)
        if not sound:
            self.fail(f"{at}: window {window}")
