"""How a value comes about: the interpreter's answer with the rows that made it, the rows near by
that did not, and why; down through features, lookups and tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from astrafs.plan import ir
from astrafs.plan.text import aggregate_text, expression_text
from astrafs.plan.tree import children, walk
from astrafs.record import dataclass
from astrafs.reference.interpreter import Context, Interpreter, Key
from astrafs.reference.reasons import future_reason, unknown_reason, window_reason
from astrafs.reference.rows import Row, order
from astrafs.typesys import Type, duration_text
from astrafs.values.errors import ValueFailure

Cell = tuple[str, Any, Type]
"""A column of a row: name, value, type."""

_DEEPEST = 12


Scoped = Callable[[ir.Aggregate | ir.TableLookup, Key, int], AbstractContextManager[None]]
"""What makes an interpreter hold the rows of one reading, for a key at a time, until left."""


def _everything(
    _node: ir.Aggregate | ir.TableLookup, _keys: Key, _t: int
) -> AbstractContextManager[None]:
    return nullcontext()


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

    ``window`` is false for a lookup. ``others`` counts rows of other keys, ``left_out`` those
    inside and outside that are not listed.
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

    ``cut`` says why its parts are left out, if they are.
    """

    feature: ir.FeatureId | None
    text: str
    keys: tuple[Cell, ...]
    t: int
    value: Any
    type: Type
    problem: str
    parts: tuple[Step | Reading, ...]
    cut: str = ""


class Tracer:
    """Explains answers of an interpreter; at most ``most`` rows are listed on either side of a
    window.
    """

    def __init__(
        self,
        plan: ir.Plan,
        machine: Interpreter,
        as_of: int,
        most: int = 10,
        scoped: Scoped = _everything,
    ) -> None:
        self._machine = machine
        self._scoped = scoped
        self._as_of = as_of
        self._most = most
        self._features = {feature.id: feature for feature in plan.features}
        self._entities = {entity.name: entity for entity in plan.entities}
        self._sources = {source.name: source for source in plan.sources}
        self._computed = {
            stream.name: {column.name: column.type for column in stream.columns}
            for stream in plan.streams
        }
        self._streams = {stream.name: stream for stream in plan.streams}
        self._bases = {stream.name: stream.base for stream in plan.streams}
        self._members = {union.name: union for union in plan.unions}
        self._told: set[tuple[ir.FeatureId, Key, int]] = set()

    def feature(self, feature: ir.FeatureId, keys: Key, t: int, depth: int = 0) -> Step:
        """Explain one feature for one key at one time."""
        declared = self._features[feature]
        entity = self._entities[feature.entity]
        context = self._machine._context(feature.entity, keys, t)
        asked = (feature, keys, t)
        cut = ""
        if children(declared.expression) or isinstance(declared.expression, ir.FeatureRef):
            cut = "not followed further" if depth > _DEEPEST else ""
            cut = "told above" if asked in self._told else cut
        self._told.add(asked)
        value, problem = self._try(declared.expression, context)
        return Step(
            feature,
            expression_text(declared.expression),
            tuple(
                (field.name, key, field.type) for field, key in zip(entity.keys, keys, strict=True)
            ),
            t,
            value,
            declared.type,
            problem,
            () if cut else tuple(self._parts(declared.expression, context, depth + 1)),
            cut,
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

    def _parts(self, expression: ir.Expr, context: Context, depth: int) -> Iterator[Step | Reading]:
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
                match node:
                    case ir.FeatureRef() | ir.EntityLookup() | ir.TableLookup():
                        if node not in done:
                            yield from self._reference(node, context, depth)
                    case _:
                        pass
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
            if None not in keys:  # a null in the key is a key that no row has
                with self._scoped(node, keys, context.t):
                    verdicts, others = self._judged(node, keys, context.t)
                    verdicts += self._request(node, context)
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

    def _judged(self, node: ir.Aggregate, keys: Key, t: int) -> tuple[list[Verdict], int]:
        """Judge every row of the entity, in (e, key) order; and count the rows of others."""
        machine = self._machine
        members = machine._members(node, keys)
        inputs = {id(member.row): member.inputs for member in members}
        held = {id(member.row) for member in machine._window(node.window, members, t)}
        verdicts: list[Verdict] = []
        others = 0
        for row in machine.rows(node.rows):
            if tuple(machine.in_row(key, row) for key in node.keys) != keys:
                others += 1
                continue
            inside = id(row) in held
            if inside:
                inside, reason = self._given(node, inputs[id(row)])
            else:
                reason = self._outside(node, row, t)
            verdicts.append(Verdict(inside, row.event, self._cells(node.rows, node, row), reason))
        dropped = list(self._dropped(node, keys))
        if not dropped:
            return verdicts, others
        merged = sorted(
            [*verdicts, *dropped], key=lambda one: one.event if one.event is not None else 0
        )
        return merged, others

    def _request(self, node: ir.Aggregate, context: Context) -> list[Verdict]:
        """Judge the request itself, where the window includes it as its newest row."""
        if not node.request:
            return []
        found = []
        for member in self._machine._request(node, context):
            inside, reason = self._given(node, member.inputs)
            cells = self._cells(node.rows, node, member.row)
            found.append(Verdict(inside, context.t, cells, reason or "the request itself"))
        return found

    def _dropped(self, node: ir.Aggregate, keys: Key) -> Iterator[Verdict]:
        """Judge the rows of the entity that the condition of a stream on the way leaves out."""
        chain: list[ir.Stream] = []
        at = node.rows
        while at in self._streams:
            chain.append(self._streams[at])
            at = chain[-1].base
        for place, stream in enumerate(chain):
            if stream.where is None:
                continue
            name = stream.name.rsplit(".", 1)[-1]
            reason = f"left out by {name}: {expression_text(stream.where)} is not true"
            for base in self._machine.rows(stream.base):
                row, _ = self._machine.carried(stream, base)
                if self._machine.in_row(stream.where, row) is True:
                    continue
                for above in reversed(chain[:place]):
                    row, _ = self._machine.carried(above, row)
                own = tuple(self._machine.in_row(key, row) for key in node.keys)
                if own == keys:
                    cells = self._cells(node.rows, node, row)
                    yield Verdict(False, row.event, cells, reason)

    def _outside(self, node: ir.Aggregate, row: Row, t: int) -> str:
        """Say why a row of the entity is not in the window."""
        future = future_reason(node.window, row, t)
        if future is not None:
            return future
        hindsight = isinstance(node.window, ir.RangeWindow) and node.window.hindsight
        unknown = unknown_reason(row, self._as_of if hindsight else t, self._as_of)
        if unknown is not None:
            return unknown
        if row.revisions is not None and not row.revisions.holds(min(t, self._as_of)):
            return "superseded: a later revision was known"
        condition = node.block_where
        if condition is not None and self._machine.in_row(condition, row) is not True:
            return f"left out by the block: {expression_text(condition)} is not true"
        return window_reason(node.window, row, t)

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
        verdicts: list[Verdict] = []
        others = 0
        if None not in keys:
            with self._scoped(node, keys, context.t):
                table = self._sources[node.table]
                rows = self._machine.rows(node.table)
                own = [row for row in rows if tuple(row[name] for name in table.key) == keys]
                verdicts = self._states(node, table, own, context.t - node.offset)
                others = len(rows) - len(own)
        listed, left_out = self._nearest(verdicts)
        given = tuple(ir.Literal(key, one.type) for key, one in zip(keys, node.keys, strict=True))
        return Reading(
            expression_text(replace(node, keys=given)),
            node.table,
            False,
            value,
            node.type,
            problem,
            listed,
            others,
            left_out,
        )

    def _states(
        self, node: ir.TableLookup, table: ir.Source, own: Sequence[Row], t: int
    ) -> list[Verdict]:
        """Judge the states of one key of a table: the latest in force holds."""
        names = [column.name for column in table.columns]
        shown = [column for column in table.columns if column.name in (*table.key, node.column)]
        held = [row for row in own if row.event is None or self._in_force(row, t)]
        latest = max(held, key=lambda row: order(row, (), names), default=None)
        verdicts = []
        for row in own:
            inside, reason = row is latest, ""
            if row is not latest:
                reason = "another row of the key"
                if row.event is not None:
                    known = unknown_reason(row, t, self._as_of)
                    late = future_reason(ir.LastWindow(1), row, t) if row.event > t else None
                    reason = late or known or "replaced by a later row"
            elif row.event is not None and self._expired(node, table, row.event, t):
                inside, reason = False, f"too old: {duration_text(t - row.event)} before t"
            cells = tuple((column.name, row[column.name], column.type) for column in shown)
            verdicts.append(Verdict(inside, row.event, cells, reason))
        return verdicts

    def _in_force(self, row: Row, t: int) -> bool:
        assert row.event is not None
        return row.event <= t and unknown_reason(row, t, self._as_of) is None

    @staticmethod
    def _expired(node: ir.TableLookup, table: ir.Source, event: int, t: int) -> bool:
        ages = [age for age in (node.max_age, table.max_age) if age is not None]
        return bool(ages) and event < t - min(ages)

    # --- rows

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
        there = {*row.values, *row.compute}  # a request has only some of the columns
        return tuple(
            (name, row[name], types[name]) for name in names if name in types and name in there
        )

    def _nearest(self, verdicts: list[Verdict]) -> tuple[tuple[Verdict, ...], tuple[int, int]]:
        """Keep the latest rows inside, and of the others those nearest to them in time order."""
        inside = [place for place, verdict in enumerate(verdicts) if verdict.inside]
        outside = [place for place, verdict in enumerate(verdicts) if not verdict.inside]
        kept = set(inside[-self._most :])
        low, high = (inside[0], inside[-1]) if inside else (len(verdicts), len(verdicts) - 1)
        near = sorted(outside, key=lambda n: (max(low - n, n - high, 0), n))[: self._most]
        kept.update(near)
        left_out = (len(inside) - len(inside[-self._most :]), len(outside) - len(near))
        return tuple(verdicts[place] for place in sorted(kept)), left_out
