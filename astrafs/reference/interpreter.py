"""The reference interpreter: runs a plan by the definitions, row by row, slow and obviously right.

Values are int, float, Decimal, bool, str, bytes and None; timestamps and durations are int
microseconds, dates int days. Times of questions and the cutoff ``as_of`` are int microseconds. A
value that stops a run raises ``values.errors.ValueFailure``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

from astrafs.builtins import registry
from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.reference.aggregates import SUMMED, aggregate, check_summed
from astrafs.reference.rows import Row, clean, nulls_first, order, source_rows
from astrafs.values.calendar import start_of_unit
from astrafs.values.errors import BROKEN_CONTRACT, ValueFailure

Key = tuple[Any, ...]
Data = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Question:
    """One row to answer: the entity key (or request fields) in declaration order, and the
    prediction time.
    """

    keys: Key
    t: int


@dataclass(frozen=True, slots=True)
class Context:
    """Where an expression stands: in a row, or in an entity's feature; and its time."""

    t: int
    row: Row | None = None
    keys: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A row of an aggregate's block; ``inputs`` (the arguments, and the key of ``by``) are None
    where the aggregate's condition is not true. ``cuts`` marks the rows that a ``since last``
    window looks for.
    """

    row: Row
    inputs: tuple[Any, ...] | None
    cuts: bool = False


class Interpreter:
    """A plan, its data and the knowledge cutoff K; answers are remembered per (feature, key, t)."""

    def __init__(self, plan: ir.Plan, data: Data, as_of: int) -> None:
        self._as_of = as_of
        self._data = data
        self._entities = {entity.name: entity for entity in plan.entities}
        self._features = {feature.id: feature for feature in plan.features}
        self._sources = {source.name: source for source in plan.sources}
        self._streams = {stream.name: stream for stream in plan.streams}
        self._unions = {union.name: union for union in plan.unions}
        self._views = {view.name: view for view in plan.views}
        self._rows: dict[str, list[Row]] = {}
        self._belonging: dict[tuple[int, Key], list[Member]] = {}
        self._answers: dict[tuple[ir.FeatureId, Key, int], Any] = {}

    def view(self, name: str, questions: Sequence[Question]) -> list[tuple[Any, ...]]:
        """One tuple of outputs per question, in the order of the questions."""
        view = self._views[name]
        answers = []
        for question in questions:
            context = self._context(view.entity, question.keys, question.t)
            answers.append(tuple(self._value(out.expression, context) for out in view.outputs))
        return answers

    def feature(self, feature: ir.FeatureId, keys: Key, t: int) -> Any:
        """The value of one feature for one entity key at one time."""
        asked = (feature, tuple(map(nulls_first, keys)), t)
        if asked not in self._answers:
            context = self._context(feature.entity, keys, t)
            self._answers[asked] = self._value(self._features[feature].expression, context)
        return self._answers[asked]

    def rows(self, name: str) -> list[Row]:
        """The rows of a source, stream or union in (e, key) order, whether visible or not."""
        if name not in self._rows:
            if name in self._sources:
                self._rows[name] = source_rows(self._sources[name], self._data.get(name, ()))
            elif name in self._unions:
                self._rows[name] = self._union_rows(self._unions[name])
            else:
                self._rows[name] = self._stream_rows(self._streams[name])
        return self._rows[name]

    def known_rows(self, name: str) -> list[Row]:
        """The rows of a source, stream or union that count at K."""
        return [row for row in self.rows(name) if self._is_visible(row, self._as_of)]

    def in_row(self, expression: ir.Expr, row: Row) -> Any:
        """The value of an expression over a row: lookups and ``t`` are at the row's own time."""
        return self._value(expression, Context(0 if row.event is None else row.event, row=row))

    def _context(self, entity: str, keys: Key, t: int) -> Context:
        names = [key.name for key in self._entities[entity].keys]
        return Context(t, keys=dict(zip(names, map(clean, keys), strict=True)))

    # --- streams --------------------------------------------------------------------------------

    def _stream_rows(self, stream: ir.Stream) -> list[Row]:
        found = []
        for base in self.rows(stream.base):
            row, time = self.carried(stream, base)
            if stream.where is not None and self.in_row(stream.where, row) is not True:
                continue
            if stream.time is not None:
                row.known = self._moved(stream, base, time)
            found.append(row)
        key, names = self._key_and_columns(stream.name)
        return sorted(found, key=lambda row: order(row, key, names))

    def carried(self, stream: ir.Stream, base: Row) -> tuple[Row, int | None]:
        """A row of the base as it stands in the stream, known as in the base, whether the stream's
        condition holds or not; and its time by the stream, None where that is null.
        """
        time = base.event if stream.time is None else self.in_row(stream.time, base)
        compute = {name: self._reading(base, name) for name in base.compute}
        for column in stream.columns:
            compute[column.name] = self._computing(column.expression)
        # Lookups and `t` in the condition are at the row's own, new time, as in the columns.
        event = base.event if time is None else time
        places = base.places
        row = Row(dict(base.values), event, base.known, compute, base.revisions, places)
        return row, time

    def _union_rows(self, union: ir.Union) -> list[Row]:
        """The rows of all members; of equal time and key, those of an earlier member first."""
        names = [column.name for column in union.columns]
        found = []
        for place, member in enumerate(union.members):
            for base in self.rows(member):
                compute = {name: self._reading(base, name) for name in names}
                places = (place, *base.places)
                row = Row({}, base.event, base.known, compute, base.revisions, places)
                found.append(row)
        return sorted(found, key=lambda row: order(row, union.key, ()))

    def _moved(self, stream: ir.Stream, base: Row, time: int | None) -> int:
        """The knowledge time of a row that moves to event time ``time``: not before it."""
        assert base.event is not None
        assert base.known is not None
        if time is None:
            raise ValueFailure(BROKEN_CONTRACT, f"a row of {stream.name} has no time")
        if time < base.event:
            raise ValueFailure(
                BROKEN_CONTRACT, f"a row of {stream.name} would move to an earlier time"
            )
        return max(base.known, time)

    def _computing(self, expression: ir.Expr) -> Callable[[Row], Any]:
        return lambda row: self.in_row(expression, row)

    @staticmethod
    def _reading(base: Row, name: str) -> Callable[[Row], Any]:
        """A base stream's computed column keeps its value: it was evaluated at the base row's
        time.
        """
        return lambda _row: base[name]

    def _key_and_columns(self, name: str) -> tuple[tuple[str, ...], list[str]]:
        """The key of the rows below a stream, and the columns that break ties in a source."""
        while name in self._streams:
            name = self._streams[name].base
        if name in self._unions:
            return self._unions[name].key, []
        return self._sources[name].key, [column.name for column in self._sources[name].columns]

    # --- expressions ----------------------------------------------------------------------------

    def _value(self, expression: ir.Expr, context: Context) -> Any:
        match expression:
            case ir.Literal(value=value):
                return clean(value)
            case ir.Column(name=name):
                assert context.row is not None
                return context.row[name]
            case ir.KeyPart(name=name):
                assert context.keys is not None
                return context.keys[name]
            case ir.EvaluationTime():
                return context.t
            case ir.FeatureRef(feature=feature):
                assert context.keys is not None
                return self.feature(feature, tuple(context.keys.values()), context.t)
            case ir.Call():
                return self._call(expression, context)
            case ir.EntityLookup(keys=keys, feature=feature, offset=offset):
                found = tuple(self._value(key, context) for key in keys)
                return self.feature(feature, found, context.t - offset)
            case ir.TableLookup():
                return self._table_value(expression, context)
            case ir.Aggregate():
                return self._aggregate(expression, context)
            case _:
                assert_never(expression)

    def _call(self, call: ir.Call, context: Context) -> Any:
        match call:
            # A branch that is not taken cannot stop the run.
            case ir.Call(function="if", args=(condition, then, otherwise)):
                taken = then if self._value(condition, context) is True else otherwise
                return self._value(taken, context)
            case ir.Call(function="coalesce", args=args):
                found = (self._value(arg, context) for arg in args)
                return next((value for value in found if value is not None), None)
            case _:
                values = tuple(self._value(arg, context) for arg in call.args)
                types = tuple(arg.type for arg in call.args)
                return registry.evaluate(call.function, values, types, call.type)

    def _table_value(self, lookup: ir.TableLookup, context: Context) -> Any:
        table = self._sources[lookup.table]
        keys = tuple(self._value(key, context) for key in lookup.keys)
        if None in keys:
            return None
        t = context.t - lookup.offset
        names = [column.name for column in table.columns]
        held = [
            row
            for row in self.rows(lookup.table)
            if tuple(row[name] for name in table.key) == keys and self._holds(row, t)
        ]
        if not held:
            return None
        latest = max(held, key=lambda row: order(row, (), names))
        for max_age in (lookup.max_age, table.max_age):
            if max_age is not None and latest.event is not None and latest.event < t - max_age:
                return None
        return latest[lookup.column]

    def _holds(self, row: Row, t: int) -> bool:
        """Whether a table's row is in force: state holds from its time on. A static table always
        is.
        """
        if row.event is None:
            return True
        return row.event <= t and self._is_known(row, t)

    def _is_known(self, row: Row, t: int) -> bool:
        assert row.known is not None
        return row.known <= t and row.known <= self._as_of

    def _is_visible(self, row: Row, t: int) -> bool:
        """Whether the row counts at ``t``: known, and no later revision of its event is."""
        at = min(t, self._as_of)
        return self._is_known(row, t) and (row.revisions is None or row.revisions.holds(at))

    # --- aggregates -----------------------------------------------------------------------------

    def _aggregate(self, expression: ir.Aggregate, context: Context) -> Any:
        assert context.keys is not None
        fields = expression.match or tuple(context.keys)
        keys = tuple(context.keys[name] for name in fields)
        members = self._members(expression, keys)
        held = self._window(expression.window, members, context.t)
        if expression.request and None not in keys:
            held = [*held, *self._request(expression, context)]
        rows = [
            (member.row.event or 0, member.inputs) for member in held if member.inputs is not None
        ]
        return aggregate(expression, rows, context.t)

    def _request(self, expression: ir.Aggregate, context: Context) -> list[Member]:
        """The request as the newest row, at t, if the streams and the block let it in."""
        chain, name = [], expression.rows
        while name in self._streams:
            chain.append(self._streams[name])
            name = self._streams[name].base
        source, t = self._sources[name], context.t
        values = dict(context.keys or {})
        times = [source.time]
        if isinstance(source.knowledge, ir.KnownColumn):
            times.append(source.knowledge.column)
        row = Row({**values, **dict.fromkeys(times, t)}, t, t)
        for stream in reversed(chain):
            made = {column.name: self._computing(column.expression) for column in stream.columns}
            row = Row(row.values, t, t, {**row.compute, **made})
            if stream.where is not None and self.in_row(stream.where, row) is not True:
                return []
        where = expression.block_where
        if where is not None and self.in_row(where, row) is not True:
            return []
        return [Member(row, self._inputs(expression, row))]

    def _members(self, expression: ir.Aggregate, keys: Key) -> list[Member]:
        """The rows of the block that belong to the entity and are known by K, with their inputs.

        Inputs are computed whatever the window, so a row that cannot be computed stops every run
        that asks for its entity, at whatever time.
        """
        if None in keys:
            return []
        asked = (id(expression), keys)
        if asked not in self._belonging:
            self._belonging[asked] = [
                Member(row, self._inputs(expression, row), self._cuts(expression.window, row))
                for row in self.rows(expression.rows)
                if self._is_known(row, self._as_of)
                and tuple(self.in_row(part, row) for part in expression.keys) == keys
                and (
                    expression.block_where is None
                    or self.in_row(expression.block_where, row) is True
                )
            ]
        return self._belonging[asked]

    def _inputs(self, expression: ir.Aggregate, row: Row) -> tuple[Any, ...] | None:
        if expression.where is not None and self.in_row(expression.where, row) is not True:
            return None
        found = tuple(self.in_row(arg, row) for arg in expression.args)
        if expression.function in SUMMED:
            check_summed(found)
        return found if expression.by is None else (*found, self.in_row(expression.by, row))

    def _cuts(self, window: ir.Window, row: Row) -> bool:
        return isinstance(window, ir.SinceWindow) and self.in_row(window.condition, row) is True

    def _window(self, window: ir.Window, members: list[Member], t: int) -> list[Member]:
        """The members that the window holds at ``t``, in (e, key) order."""
        hindsight = isinstance(window, ir.RangeWindow) and window.hindsight
        at = self._as_of if hindsight else t
        visible = [member for member in members if self._is_visible(member.row, at)]
        match window:
            case ir.RangeWindow():
                return [member for member in visible if in_range(window, member.row, t)]
            case ir.LastWindow(rows=count, within=within):
                return [member for member in visible if in_past(member.row, t, within)][-count:]
            case ir.CalendarWindow(unit=unit, zone=zone):
                within = t - start_of_unit(unit, zone, t)
                return [member for member in visible if in_past(member.row, t, within)]
            case ir.SinceWindow():
                past = [member for member in visible if in_past(member.row, t, None)]
                cuts = [place for place, member in enumerate(past) if member.cuts]
                return past[cuts[-1] + 1 :] if cuts else past
            case ir.SessionWindow(gap=gap):
                return in_session([m for m in visible if in_past(m.row, t, None)], t, gap)
            case _:
                assert_never(window)


def in_past(row: Row, t: int, within: int | None) -> bool:
    """Whether the row lies before ``t``, and is no older than ``within`` if that is given."""
    assert row.event is not None
    return row.event < t and (within is None or t - row.event <= within)


def in_session(past: list[Member], t: int, gap: int) -> list[Member]:
    """The latest run of ``past`` in which neighbours, and t, are at most ``gap`` apart."""
    begin, later = len(past), t
    while begin:
        event = past[begin - 1].row.event
        assert event is not None
        if later - event > gap:
            break
        begin, later = begin - 1, event
    return past[begin:]


def in_range(window: ir.RangeWindow, row: Row, t: int) -> bool:
    """Whether the age of the row lies between the window's edges."""
    assert row.event is not None
    end = t if window.every is None else t // window.every * window.every
    age = end - row.event
    after_near = age >= window.near if window.near_closed else age > window.near
    if window.far is None:
        return after_near
    before_far = age <= window.far if window.far_closed else age < window.far
    return after_near and before_far


def evaluate_view(
    plan: ir.Plan, view_name: str, data: Data, questions: Sequence[Question], as_of: int
) -> list[tuple[Any, ...]]:
    """Answer ``questions`` with the columns of a view; ``data`` holds the rows of each source by
    its name.
    """
    return Interpreter(plan, data, as_of).view(view_name, questions)


def evaluate_feature(
    plan: ir.Plan, feature: ir.FeatureId, data: Data, questions: Sequence[Question], as_of: int
) -> list[Any]:
    """Answer ``questions`` with one feature."""
    machine = Interpreter(plan, data, as_of)
    return [machine.feature(feature, question.keys, question.t) for question in questions]
