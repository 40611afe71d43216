"""How a value comes about: the interpreter's answer with the rows that made it, the rows near by
that did not, and why; down through features, lookups and tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from astrafs.plan import ir
from astrafs.plan.text import aggregate_text, expression_text
from astrafs.plan.tree import children, walk
from astrafs.reference.interpreter import Context, Interpreter, Key
from astrafs.reference.reasons import future_reason, unknown_reason, window_reason
from astrafs.reference.rows import Row, order
from astrafs.typesys import Type
from astrafs.values.errors import ValueFailure

Cell = tuple[str, Any, Type]
"""A column of a row: name, value, type."""

_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row: whether it made the value (``inside``), and why not, or what it gave.

    ``event`` is in microseconds, None in a static table.
    """

    inside: bool
    event: int | None
    cells: tuple[Cell, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """An aggregate or a table lookup with its rows: those inside, and the nearest ones outside.

    ``window`` is false for a lookup. ``others`` counts rows of other keys, ``left_out`` those inside and outside that are not listed.
    """

    text: str
    rows: str
    window: bool
    value: Any
    type: Type
    problem: str
    verdicts: tuple[Verdict, ...]
    others: int
    left_out: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Step:
    """A feature (or an expression, with ``feature`` None) at one key and time, and what it reads.

    ``seen`` marks a step that was told before, whose parts are left out.
    """

    feature: ir.FeatureId | None
    text: str
    keys: tuple[Cell, ...]
    t: int
    value: Any
    type: Type
    problem: str
    parts: tuple[Step | Reading, ...]
    seen: bool = False


class Tracer:
    """Explains answers of an interpreter; at most ``most`` rows are listed on either side of a
    window.
    """

    def __init__(self, plan: ir.Plan, machine: Interpreter, as_of: int, most: int = 10) -> None:
        self._machine = machine
        self._as_of = as_of
        self._most = most
        self._features = {feature.id: feature for feature in plan.features}
        self._entities = {entity.name: entity for entity in plan.entities}
        self._sources = {source.name: source for source in plan.sources}
        self._computed = {
            stream.name: {column.name: column.type for column in stream.columns}
            for stream in plan.streams
        }
        self._bases = {stream.name: stream.base for stream in plan.streams}
        self._members = {union.name: union for union in plan.unions}
        self._told: set[tuple[ir.FeatureId, Key, int]] = set()

    def feature(self, feature: ir.FeatureId, keys: Key, t: int, depth: int = 0) -> Step:
        """Explain one feature for one key at one time."""
        declared = self._features[feature]
        entity = self._entities[feature.entity]
        context = self._machine._context(feature.entity, keys, t)
        asked = (feature, keys, t)
        seen = asked in self._told or depth > _DEEPEST
        self._told.add(asked)
        value, problem = self._try(declared.expression, context)
        return Step(
            feature,
            expression_text(declared.expression),
            tuple(
                (field.name, key, field.type)
                for field, key in zip(entity.keys, keys, strict=True)
            ),
            t,
            value,
            declared.type,
            problem,
            () if seen else tuple(self._parts(declared.expression, context, depth + 1)),
            seen and bool(children(declared.expression)),
        )

    def expression(self, feature: ir.FeatureId, text: str, t: int) -> Step:
        """Explain an expression that stands in a feature without keys, under the name ``text``."""
        step = self.feature(feature, (), t)
        if isinstance(self._features[feature].expression, ir.EntityLookup) and step.parts:
            looked_up = step.parts[0]
            assert isinstance(looked_up, Step)
            return looked_up
        return Step(None, text, (), t, step.value, step.type, step.problem, step.parts)

    def _try(self, expression: ir.Expr, context: Context) -> tuple[Any, str]:
        try:
            return self._machine._value(expression, context), ""
        except ValueFailure as failure:
            return None, failure.message

    def _parts(
        self, expression: ir.Expr, context: Context, depth: int
    ) -> Iterator[Step | Reading]:
        """Explain every reading of an expression, each once, in the order written."""
        done: set[ir.Expr] = set()
        pending = [expression]
        while pending:
            node = pending.pop()
            if isinstance(node, ir.Aggregate):
                if node not in done:
                    yield self._aggregate(node, context)
            else:
                pending.extend(reversed(children(node)))
                if isinstance(node, ir.FeatureRef | ir.EntityLookup | ir.TableLookup):
                    if node not in done:
                        yield from self._reference(node, context, depth)
            done.add(node)

    def _reference(
        self,
        node: ir.FeatureRef | ir.EntityLookup | ir.TableLookup,
        context: Context,
        depth: int,
    ) -> Iterator[Step | Reading]:
        match node:
            case ir.FeatureRef():
                assert context.keys is not None
                yield self.feature(node.feature, tuple(context.keys.values()), context.t, depth)
            case ir.EntityLookup():
                keys, problem = self._keys(node.keys, context)
                if not problem:
                    yield self.feature(node.feature, keys, context.t - node.offset, depth)
            case ir.TableLookup():
                keys, problem = self._keys(node.keys, context)
                if not problem:
                    yield self._table(node, keys, context)

    def _keys(self, keys: Sequence[ir.Expr], context: Context) -> tuple[Key, str]:
        found = [self._try(key, context) for key in keys]
        return tuple(value for value, _ in found), next((bad for _, bad in found if bad), "")

    # --- aggregates

    def _aggregate(self, node: ir.Aggregate, context: Context) -> Reading:
        assert context.keys is not None
        value, problem = self._try(node, context)
        keys = tuple(context.keys[name] for name in node.match) or tuple(context.keys.values())
        verdicts: list[Verdict] = []
        others = 0
        try:
            members = self._machine._members(node, keys)
            inputs = {id(member.row): member.inputs for member in members}
            held = {
                id(member.row)
                for member in self._machine._window(node.window, members, context.t)
            }
            for row in self._machine.rows(node.rows):
                own = tuple(self._machine._in_row(key, row) for key in node.keys)
                if own != keys:
                    others += 1
                    continue
                inside = id(row) in held
                reason = "" if inside else self._outside(node, row, context.t)
                if inside:
                    inside, reason = self._given(node, inputs[id(row)])
                cells = self._cells(node.rows, node, row)
                verdicts.append(Verdict(inside, row.event, cells, reason))
        except ValueFailure as failure:
            problem = problem or failure.message
        listed, left_out = self._nearest(verdicts)
        return Reading(
            aggregate_text(node),
            node.rows,
            True,
            value,
            node.type,
            problem,
            listed,
            others,
            left_out,
        )

    def _outside(self, node: ir.Aggregate, row: Row, t: int) -> str:
        """Say why a row of the entity is not in the window."""
        future = future_reason(node.window, row, t)
        if future is not None:
            return future
        hindsight = isinstance(node.window, ir.RangeWindow) and node.window.hindsight
        unknown = unknown_reason(row, self._as_of if hindsight else t, self._as_of)
        if unknown is not None:
            return unknown
        superseded = self._superseded(node.rows, row, t)
        if superseded:
            return superseded
        condition = node.block_where
        if condition is not None and self._machine._in_row(condition, row) is not True:
            return f"left out by the block: {expression_text(condition)} is not true"
        return window_reason(node.window, row, t)

    def _superseded(self, rows: str, row: Row, t: int) -> str:
        """Say whether another revision of the row's event counts, or none."""
        source = self._source_of(rows)
        if source is None or not source.revisions:
            return ""
        if source.deleted and row[source.deleted] is True:
            return "deleted: this revision takes the event back"
        key = tuple(row[name] for name in source.key)
        now = min(t, self._as_of)
        names = [column.name for column in source.columns]
        latest = max(
            (
                other
                for other in self._machine.rows(source.name)
                if tuple(other[name] for name in source.key) == key
                and other.known is not None
                and other.known <= now
            ),
            key=lambda other: order(other, (), names)[2:],
            default=row,
        )
        same = all(latest[name] == row[name] for name in names)
        return "" if same else "superseded by a later revision"

    def _given(self, node: ir.Aggregate, inputs: tuple[Any, ...] | None) -> tuple[bool, str]:
        """Say what a row in the window gives to the aggregate: itself, or nothing."""
        if inputs is None:
            assert node.where is not None
            return False, f"in the window, but {expression_text(node.where)} is not true"
        if None in inputs and not node.function.endswith("_row"):
            return False, "in the window, but its input is null"
        return True, ""

    # --- tables

    def _table(self, node: ir.TableLookup, keys: Key, context: Context) -> Reading:
        value, problem = self._try(node, context)
        table = self._sources[node.table]
        t = context.t - node.offset
        names = [column.name for column in table.columns]
        rows = self._machine.rows(node.table)
        own = [row for row in rows if tuple(row[name] for name in table.key) == keys]
        held = [row for row in own if row.event is None or self._in_force(row, t)]
        latest = max(held, key=lambda row: order(row, (), names), default=None)
        verdicts = []
        for row in own:
            inside, reason = row is latest, ""
            if row.event is not None and row is not latest:
                known = unknown_reason(row, t, self._as_of)
                late = future_reason(ir.LastWindow(1), row, t) if row.event > t else None
                reason = late or known or "replaced by a later row"
            elif row.event is not None and self._expired(node, table, row.event, t):
                inside, reason = False, "too old: beyond its greatest age"
            cells = tuple(
                (column.name, row[column.name], column.type)
                for column in table.columns
                if column.name in (*table.key, node.column)
            )
            verdicts.append(Verdict(inside, row.event, cells, reason))
        listed, left_out = self._nearest(verdicts)
        return Reading(
            expression_text(node),
            node.table,
            False,
            value,
            node.type,
            problem,
            listed,
            len(rows) - len(own),
            left_out,
        )

    def _in_force(self, row: Row, t: int) -> bool:
        assert row.event is not None
        return row.event <= t and unknown_reason(row, t, self._as_of) is None

    @staticmethod
    def _expired(node: ir.TableLookup, table: ir.Source, event: int, t: int) -> bool:
        ages = [age for age in (node.max_age, table.max_age) if age is not None]
        return bool(ages) and event < t - min(ages)

    # --- rows

    def _source_of(self, rows: str) -> ir.Source | None:
        """Return the source at the bottom of a chain of streams; None under a union."""
        while rows in self._bases:
            rows = self._bases[rows]
        return self._sources.get(rows)

    def _cells(self, rows: str, node: ir.Aggregate, row: Row) -> tuple[Cell, ...]:
        """Return the key of a row and the columns that the aggregate reads, entity keys apart."""
        types: dict[str, Type] = {}
        computed: dict[str, Type] = {}
        at = rows
        while at in self._bases:
            computed = {**self._computed[at], **computed}
            at = self._bases[at]
        union = self._members.get(at)
        columns: Iterable[ir.SourceColumn | ir.Field]
        if union is not None:
            columns, key = union.columns, union.key
        else:
            columns, key = self._sources[at].columns, self._sources[at].key
        types = {**{column.name: column.type for column in columns}, **computed}
        time = "" if union is not None else self._sources[at].time
        read = [
            part.name
            for root in (*node.args, node.where, node.block_where, node.by)
            if root is not None
            for part in walk(root)
            if isinstance(part, ir.Column)
        ]
        names = [name for name in dict.fromkeys((*key, *read)) if name != time]
        return tuple((name, row[name], types[name]) for name in names if name in types)

    def _nearest(self, verdicts: list[Verdict]) -> tuple[tuple[Verdict, ...], tuple[int, int]]:
        """Keep the latest rows inside, and of the others those nearest to them in time order."""
        inside = [place for place, verdict in enumerate(verdicts) if verdict.inside]
        outside = [place for place, verdict in enumerate(verdicts) if not verdict.inside]
        kept = set(inside[-self._most :])
        low, high = (min(kept), max(kept)) if kept else (len(verdicts), len(verdicts) - 1)
        near = sorted(outside, key=lambda n: (max(low - n, n - high, 0), n))[: self._most]
        kept.update(near)
        left_out = (len(inside) - len(inside[-self._most :]), len(outside) - len(near))
        return tuple(verdicts[place] for place in sorted(kept)), left_out
