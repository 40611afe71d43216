"""What a feature or view *is*: the SHA-256 of its canonical form, with names replaced by meanings.

A feature's identity covers everything that decides its values over data that keeps its contracts:
key types, types, the expression, and of the rows it reads the time rules, keys, conditions and just
those columns that take part. Every dependency stands there as its own identity. So renaming a
module, source, stream, entity or feature, moving a file, documentation, owners, and columns or
declarations that the feature does not use change nothing, nor does the order of the operands of
`a + b`, `a * b`, `a == b`, `and` and `or`, and any change of meaning changes the identity of every
dependent.

Not covered: which files are bound to a source, ``expect`` lines and ``retention`` (they decide
whether a run is accepted, never a value), and the wording of a ``static`` reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from decimal import Decimal
from hashlib import sha256
from json import dumps
from typing import assert_never

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.graph import plan_order
from astrafs.plan.tree import children
from astrafs.record import dataclass
from astrafs.typesys import Type

IDENTITY_VERSION = 1
"""Part of every identity; raised when the canonical form itself changes."""

DEFINITION_DIGITS = 16

_COMMUTATIVE = frozenset({"add", "mul", "eq", "ne"})
"""Two operands may change places. Longer sums may not: where they overflow depends on the order."""

_CHAINS = frozenset({"and", "or"})
"""Order, grouping and repetition of operands change nothing, three-valued logic included."""

_SWAPPED = {"gt": "lt", "ge": "le"}
"""Written as the other with its operands swapped: ``x > 0`` and ``0 < x`` are one condition."""

ColumnText = Callable[[str], str]


def feature_identities(plan: ir.Plan) -> Mapping[ir.FeatureId, str]:
    """Return the identity of every feature version (64 hex digits), in time linear in the plan."""
    found = _Writer.run(plan).features
    return {feature.id: found[feature.id] for feature in plan.features}


def plan_identities(
    plan: ir.Plan,
) -> tuple[Mapping[ir.FeatureId, str], Mapping[str, str]]:
    """Return :func:`feature_identities` and :func:`row_identities` of one pass."""
    found = _Writer.run(plan)
    return found.features, found.rows


def definition_digests(plan: ir.Plan) -> Mapping[ir.FeatureId, str]:
    """Return, for every feature version, a digest (16 hex digits) of its meaning with the names of
    the sources that it reads, each in its place: two of one identity may read different sources of
    one form.
    """
    found = _Writer.run(plan, named=True).features
    return {feature.id: found[feature.id][:DEFINITION_DIGITS] for feature in plan.features}


def value_identities(plan: ir.Plan) -> Mapping[ir.FeatureId, str]:
    """Return :func:`value_identity` of every feature version."""
    return _Writer.run(plan, contracts=False).features


def value_identity(plan: ir.Plan, feature: ir.FeatureId) -> str:
    """Return the identity of a feature's values alone: declared types of features do not count.

    Two versions with one value identity differ in their contract at most.
    """
    return _Writer.run(plan, contracts=False).features[feature]


def row_identities(plan: ir.Plan) -> Mapping[str, str]:
    """Return the identity of the rows of every source, table and stream: time rules, keys and
    conditions; a column takes part in the identity of what reads it.
    """
    return dict(_Writer.run(plan).rows)


def view_identities(plan: ir.Plan) -> Mapping[str, str]:
    """Return the identity of every view: its key names, and its outputs in order with names."""
    return _Writer.run(plan).views()


def dataset_identities(plan: ir.Plan) -> Mapping[str, str]:
    """Return the identity of every dataset: its view, spine, keys, columns, labels and split."""
    return _Writer.run(plan).datasets()


def view_identity(plan: ir.Plan, view: str) -> str:
    """Return the identity of one view; raises :class:`PlanError` if there is none of that name."""
    found = view_identities(plan).get(view)
    if found is None:
        raise PlanError(f"no view {view}")
    return found


def canonical_features(plan: ir.Plan) -> Mapping[ir.FeatureId, str]:
    """Return :func:`canonical_feature` of every feature version."""
    return _Writer.run(plan).texts


def canonical_feature(plan: ir.Plan, feature: ir.FeatureId) -> str:
    """Return the canonical form whose SHA-256 is the feature's identity (to see why two differ)."""
    return _Writer.run(plan).texts[feature]


@dataclass(slots=True)
class _Writer:
    """Writes canonical forms in dependency order, so every dependency's identity is at hand."""

    plan: ir.Plan
    contracts: bool = True
    named: bool = False
    entities: dict[str, str] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    features: dict[ir.FeatureId, str] = field(default_factory=dict)
    texts: dict[ir.FeatureId, str] = field(default_factory=dict)
    types: dict[Type, str] = field(default_factory=dict)
    key_names: dict[str, dict[str, int]] = field(default_factory=dict)
    ages: dict[str, int | None] = field(default_factory=dict)
    chains: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """The operands of every ``and`` and ``or`` written so far, by its form."""

    @classmethod
    def run(cls, plan: ir.Plan, *, contracts: bool = True, named: bool = False) -> _Writer:
        """Fill in the identities of all of ``plan``; without ``contracts`` of values only, and
        ``named`` with the names of sources in them.
        """
        writer = cls(plan, contracts, named)
        for entity in plan.entities:
            parts = [writer.type(key.type) for key in entity.keys]
            writer.entities[entity.name] = _digest(_form("entity", _bool(entity.request), *parts))
            writer.key_names[entity.name] = {key.name: at for at, key in enumerate(entity.keys)}
        sources = {source.name: source for source in plan.sources}
        streams = {stream.name: stream for stream in plan.streams}
        unions = {union.name: union for union in plan.unions}
        features = {feature.id: feature for feature in plan.features}
        for node in plan_order(plan):
            if isinstance(node, ir.FeatureId):
                writer.feature(features[node])
            elif node in sources:
                writer.source(sources[node])
            elif node in unions:
                writer.union(unions[node])
            else:
                writer.stream(streams[node])
        return writer

    def type(self, made: Type) -> str:
        """Write a type; entities by their key types."""
        if made not in self.types:
            self.types[made] = _form(
                made.kind.value,
                _bool(made.nullable),
                str(made.precision),
                str(made.scale),
                _form("values", *map(_text, made.values)),
                _form("parts", *map(self.type, made.parts)),
                _form("unit", *(_form(_text(name), str(power)) for name, power in made.unit)),
            )
        return self.types[made]

    def source(self, source: ir.Source) -> None:
        """Write the columns of a source, and the rules by which its rows are seen and ordered."""
        mine = {column.name: self.source_column(column) for column in source.columns}
        for column in source.columns:
            if column.known_at:
                mine[column.name] = _form("known-at", mine[column.name], mine[column.known_at])
        self.columns[source.name] = mine
        self.ages[source.name] = source.max_age
        rule = source.knowledge
        if isinstance(rule, ir.KnownColumn):
            knowledge = _form("known", mine[rule.column])
        else:
            knowledge = _form("delay", str(rule.delay))
        # A table breaks ties of (e, k) by its remaining columns, so all of them take part.
        # So do those of revisions.
        remaining = tuple(mine.values()) if source.table or source.revisions else ()
        self.rows[source.name] = _digest(
            _form(
                "table" if source.table else "source",
                _form("key", *(mine[name] for name in source.key)),
                _form("time", mine[source.time] if source.time else ""),
                knowledge,
                _bool(source.ahead),
                _number(None),  # ages belong to lookups; this was the table's once
                _form("columns", *remaining),
                *([_form("revisions", mine.get(source.deleted, ""))] if source.revisions else []),
                *([_form("name", _text(written_name(source.name)))] if self.named else []),
            )
        )

    def source_column(self, column: ir.SourceColumn) -> str:
        """Write a declared column by its name in the file."""
        return _form(
            "column",
            _text(column.physical or column.name),
            self.type(column.type),
            _text(column.zone),
            _number(column.settles),
        )

    def stream(self, stream: ir.Stream) -> None:
        """Write what a stream's rows are; a computed column is named by its own form."""
        base = self.columns[stream.base]
        where = self.optional(stream.where, base.__getitem__)
        time = self.optional(stream.time, base.__getitem__)
        self.rows[stream.name] = _digest(_form("stream", self.rows[stream.base], where, time))
        mine = dict(base)
        for column in stream.columns:
            made = self.expression(column.expression, mine.__getitem__)
            mine[column.name] = _digest(_form("computed", self.type(column.type), made))
        self.columns[stream.name] = mine

    def union(self, union: ir.Union) -> None:
        """Write the members of a union in order, and each column by what it is in every member."""
        members = union.members
        self.columns[union.name] = {
            column.name: _digest(
                _form(
                    "united",
                    self.type(column.type),
                    *(self.columns[member][column.name] for member in members),
                )
            )
            for column in union.columns
        }
        keys = (self.columns[union.name][name] for name in union.key)
        rows = (self.rows[member] for member in members)
        self.rows[union.name] = _digest(_form("union", _form("key", *keys), *rows))

    def feature(self, feature: ir.Feature) -> None:
        """Write a feature, without its name."""
        names = self.key_names[feature.id.entity]
        text = _form(
            "feature",
            str(IDENTITY_VERSION),
            self.entities[feature.id.entity],
            self.type(feature.type) if self.contracts else "any",
            self.expression(feature.expression, _no_column, names),
            *(["label"] if feature.label else []),
        )
        self.texts[feature.id] = text
        self.features[feature.id] = _digest(text)

    def views(self) -> dict[str, str]:
        """Write every view: here names matter, as callers bind by them."""
        found: dict[str, str] = {}
        entities = {entity.name: entity for entity in self.plan.entities}
        for view in self.plan.views:
            keys = entities[view.entity].keys
            names = self.key_names[view.entity]
            found[view.name] = _digest(
                _form(
                    "view",
                    str(IDENTITY_VERSION),
                    self.entities[view.entity],
                    _form("keys", *(_text(key.name) for key in keys)),
                    *(
                        _form(
                            _text(output.name),
                            self.type(output.type),
                            self.expression(output.expression, _no_column, names),
                        )
                        for output in view.outputs
                    ),
                )
            )
        return found

    def call(self, function: str, result: str, parts: list[str]) -> str:
        """Write a call; where the order of operands cannot change a bit, they are sorted."""
        if function in _SWAPPED:
            function, parts = _SWAPPED[function], parts[::-1]
        if function in _CHAINS:
            spread = (self.chains.get((function, part), [part]) for part in parts)
            parts = sorted({inner for operands in spread for inner in operands})
            text = _form("call", _text(function), result, *parts)
            self.chains[function, text] = parts
            return text
        if function in _COMMUTATIVE:
            parts = sorted(parts)
        return _form("call", _text(function), result, *parts)

    def datasets(self) -> dict[str, str]:
        """Write every dataset: the names of its columns matter, as those of a view do."""
        found: dict[str, str] = {}
        views = self.views()
        for dataset in self.plan.datasets:
            read = self.columns[dataset.spine].__getitem__
            found[dataset.name] = _digest(
                _form(
                    "dataset",
                    str(IDENTITY_VERSION),
                    views[dataset.view],
                    self.rows[dataset.spine],
                    _form("keys", *(self.expression(key, read) for key in dataset.keys)),
                    _form(
                        "columns",
                        *(_form(_text(one.name), read(one.name)) for one in dataset.columns),
                    ),
                    *(
                        _form(
                            _text(label.name),
                            self.type(label.type),
                            self.expression(label.expression, read),
                            str(label.horizon),
                            *(read(name) for name in label.known),
                        )
                        for label in dataset.labels
                    ),
                    _number(dataset.train_before),
                    _number(dataset.test_from),
                )
            )
        return found

    def optional(self, expr: ir.Expr | None, column: ColumnText) -> str:
        """Write an expression that may be missing."""
        return "none" if expr is None else self.expression(expr, column)

    def expression(
        self, root: ir.Expr, column: ColumnText, keys: Mapping[str, int] | None = None
    ) -> str:
        """Write an expression bottom up without recursion (operator chains are deep)."""
        done: dict[tuple[int, str], str] = {}
        stack: list[tuple[ir.Expr, str, bool]] = [(root, "", False)]
        while stack:
            expr, rows, ready = stack.pop()
            at = (id(expr), rows)
            if at in done:
                continue
            inner = expr.rows if isinstance(expr, ir.Aggregate) else rows
            parts = children(expr)
            if not ready:
                stack.append((expr, rows, True))
                stack.extend((part, inner, False) for part in parts)
                continue
            read = self.columns[rows].__getitem__ if rows else column
            done[at] = self.node(expr, [done[id(part), inner] for part in parts], read, keys or {})
        return done[id(root), ""]

    def node(
        self, expr: ir.Expr, parts: list[str], column: ColumnText, keys: Mapping[str, int]
    ) -> str:
        """Write one node over the forms of its children."""
        result = self.type(expr.type)
        match expr:
            case ir.Literal():
                return _form("literal", _literal(expr.value), result)
            case ir.Column():
                return _form("column", column(expr.name), result)
            case ir.KeyPart():
                return _form("key", str(keys[expr.name]), result)
            case ir.EvaluationTime():
                return _form("t", result)
            case ir.FeatureRef():
                return _form("feature", self.features[expr.feature], result)
            case ir.Call():
                return self.call(expr.function, result, parts)
            case ir.EntityLookup():
                entity, feature = self.entities[expr.entity], self.features[expr.feature]
                return _form("entity-lookup", entity, feature, str(expr.offset), result, *parts)
            case ir.TableLookup():
                table, read = self.rows[expr.table], self.columns[expr.table][expr.column]
                ages = (expr.max_age, self.ages[expr.table])  # the stricter one holds
                age = min((one for one in ages if one is not None), default=None)
                times = str(expr.offset), _number(age)
                return _form("table-lookup", table, read, *times, result, *parts)
            case ir.Aggregate():
                shape = _form(
                    "shape",
                    str(len(expr.args)),
                    _bool(expr.where),
                    _bool(expr.block_where),
                    *(["by"] if expr.by is not None else []),
                    *(["each"] if expr.each else []),
                    *(["request"] if expr.request else []),
                    *(str(keys[name]) for name in expr.match),
                )
                rows, window = self.rows[expr.rows], _window(expr.window)
                return _form("aggregate", _text(expr.function), rows, window, shape, result, *parts)
            case _:
                assert_never(expr)


def kept_name(identity: str, definition: str) -> str:
    """Return the name under which the definition of a version is kept: an identity with one of
    :func:`definition_digests`, or alone where that was not recorded.
    """
    return f"{identity}-{definition}" if definition else identity


def written_name(source: str) -> str:
    """Return the name that a source has in programs: behind ``@`` stands which pinned version of a
    feature reads it.
    """
    return source.partition("@")[0]


def _no_column(name: str) -> str:
    raise PlanError(f"column {name} outside any rows")


def _window(window: ir.Window) -> str:
    match window:
        case ir.RangeWindow():
            return _form(
                "range",
                _number(window.far),
                str(window.near),
                _bool(window.far_closed),
                _bool(window.near_closed),
                _number(window.every),
                *(["hindsight"] if window.hindsight else []),
            )
        case ir.LastWindow():
            return _form("last", str(window.rows), _number(window.within))
        case ir.CalendarWindow():
            return _form("calendar", window.unit, _text(window.zone))
        case ir.SinceWindow():
            return "(since)"  # its condition is among the parts
        case ir.SessionWindow():
            return _form("session", str(window.gap))
        case _:
            assert_never(window)


def _literal(value: ir.Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _form("float", value.hex())
        case str():
            return _text(value)
        case Decimal():
            # 1.5 and 1.50 are one value; the scale that counts is in the type.
            sign, digits, exponent = value.as_tuple()
            number = int("".join(map(str, digits)))
            while isinstance(exponent, int) and number and number % 10 == 0:
                number, exponent = number // 10, exponent + 1
            return _form(
                "decimal", str(-number if sign else number), str(exponent if number else 0)
            )
        case bytes():
            return _form("bytes", value.hex())


def _form(*parts: str) -> str:
    return "(" + " ".join(parts) + ")"


def _text(text: str) -> str:
    return dumps(text)


def _bool(value: object) -> str:
    return "true" if value else "false"


def _number(value: int | None) -> str:
    return "none" if value is None else str(value)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8")).hexdigest()
