"""What aggregates over the same rows of a key have in common, and what must be kept for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.kernels import windows
from astrafs.kernels.arrow_types import engine_type
from astrafs.kernels.windows import Call, Delay, Frame, Input, Sweep
from astrafs.kernels.windows.slices import Lists
from astrafs.online.expressions import Evaluator, Key
from astrafs.online.rows import Rows, ScopeOf, Way, through
from astrafs.online.segments import FOR_EVER, Row, Segment
from astrafs.plan import ir
from astrafs.plan.tree import walk
from astrafs.record import dataclass
from astrafs.typesys import Kind, Type
from astrafs.values.calendar import longest
from astrafs.values.numbers import summable

Compile = Callable[[ir.Expr], Evaluator]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong to keys: what aggregates over one block have in common."""

    rows: str
    keys: tuple[ir.Expr, ...]
    where: ir.Expr | None


class Shape:
    """A group, compiled: which key each row belongs to, and the columns that its aggregates read,
    each expression over the row once.

    ``local`` groups need nothing but the row itself for all that, so it is computed once and kept.
    """

    def __init__(self, group: Group, rows: Rows, compiled: Compile) -> None:
        self.group = group
        self.ways = rows.ways(group.rows)
        self.exprs: list[ir.Expr] = []
        self._rows = rows
        self._compiled = compiled
        self._places: dict[ir.Expr, int] = {}
        self._evaluators: list[Evaluator] = []
        self._parts = tuple(compiled(part) for part in group.keys)
        self._where = None if group.where is None else compiled(group.where)
        self._windows: list[ir.Window] = []
        self._calls: list[Call] = []
        self._summed: dict[Input, None] = {}

    # --- compiling

    def call(self, node: ir.Aggregate) -> Call:
        """Return an aggregate of this group as the window kernels know it."""
        row = AGGREGATES[node.function]
        inputs = min(row.inputs, len(node.args))
        constants = []
        for arg in node.args[inputs:]:
            assert isinstance(arg, ir.Literal)
            constants.append(arg.value)
        types = tuple(_plain(arg.type) for arg in node.args[:inputs])
        read = Input(
            tuple(self._column(arg) for arg in node.args[:inputs]),
            None if node.where is None else self._column(node.where),
            None if node.by is None else self._column(node.by),
            node.each,
            row.keep_nulls,
        )
        if node.each:
            types = tuple(type_.parts[0] for type_ in types)
        if row.summed and any(map(_holds_floats, types)):
            self._summed[read] = None
        self._windows.append(node.window)
        mapped = node.by is not None
        call = Call(
            node.function,
            tuple(constants),
            types,
            node.type.parts[1] if mapped else node.type,
            read,
            self._window(node.window),
            _plain(node.type.parts[0]) if mapped else None,
        )
        self._calls.append(call)
        return call

    def _column(self, expr: ir.Expr) -> int:
        place = self._places.setdefault(expr, len(self.exprs))
        if place == len(self.exprs):
            self.exprs.append(expr)
            self._evaluators.append(self._compiled(expr))
        return place

    def _window(self, window: ir.Window) -> windows.Window:
        match window:
            case ir.RangeWindow():
                closed = (window.far_closed, window.near_closed)
                return windows.RangeWindow(window.far, window.near, *closed, window.every)
            case ir.LastWindow():
                return windows.LastWindow(window.rows, window.within)
            case ir.CalendarWindow():
                return windows.CalendarWindow(window.unit, window.zone)
            case ir.SinceWindow():
                return windows.SinceWindow(self._column(window.condition))
            case ir.SessionWindow():
                return windows.SessionWindow(window.gap)

    # --- facts

    @cached_property
    def local(self) -> bool:
        """Whether a row's key and columns depend on that row alone."""
        sources = [self._rows.source(way.source) for way in self.ways]
        if any(source.revisions for source in sources):
            return False
        exprs = [*self.group.keys, *self.exprs]
        if self.group.where is not None:
            exprs.append(self.group.where)
        return all(map(self._rows.alone, [self.group.rows] * len(exprs), exprs))

    @cached_property
    def placing(self) -> frozenset[type[ir.Expr]]:
        """The kinds of lookups that decide to which key a row belongs."""
        group = self.group
        exprs = (*group.keys, *(() if group.where is None else (group.where,)))
        return frozenset(
            type(node)
            for expr in self._rows.placing(group.rows, exprs)
            for node in walk(expr)
            if isinstance(node, ir.TableLookup | ir.EntityLookup)
        )

    @cached_property
    def everything(self) -> Sweep:
        """All aggregates of the group, for what must be known of its rows."""
        return Sweep(tuple(dict.fromkeys(self._calls)))

    @cached_property
    def key_types(self) -> tuple[Type, ...]:
        """The types of the columns that order rows of equal times."""
        return self._rows.key_types(self.group.rows)

    @cached_property
    def delay(self) -> Delay | None:
        """How long after its event every row is known; None where that varies."""
        found: set[int | None] = set()
        for way in self.ways:
            knowledge = self._rows.source(way.source).knowledge
            moved = any(step.time is not None for step in way.steps)
            found.add(knowledge.delay if isinstance(knowledge, ir.Delay) and not moved else None)
        (first, *others) = found
        return None if others or first is None else Delay(first)

    @cached_property
    def reach(self) -> int | None:
        """No window at t holds a row of an event before t minus this; None: there is no such
        bound.
        """
        found = [window_reach(window) for window in self._windows]
        return None if None in found else max((one for one in found if one is not None), default=0)

    # --- rows

    def home(self, way: Way, given: Row, scope_of: ScopeOf) -> tuple[Key, Row] | None:
        """Return the key that a row of a source belongs to, and what is made of it on its way; None
        where it belongs to no key.
        """
        row = through(way, given, scope_of)
        if row is None:
            return None
        key = self.key_of(row, scope_of)
        return None if key is None else (key, row)

    def key_of(self, row: Row, scope_of: ScopeOf) -> Key | None:
        """Return the key that a row of the group's own rows belongs to; None where to none."""
        scope = scope_of(row.cells, row.event)
        key = tuple([part(scope) for part in self._parts])
        return key if None not in key and self.lets(row, scope_of) else None

    def lets(self, row: Row, scope_of: ScopeOf) -> bool:
        """Whether the condition of the group lets a row take part."""
        return self._where is None or self._where(scope_of(row.cells, row.event)) is True

    def cells(self, row: Row, scope_of: ScopeOf) -> tuple[Any, ...]:
        """Return the values of a row's columns."""
        scope = scope_of(row.cells, row.event)
        return tuple([one(scope) for one in self._evaluators])

    def lists(self, rows: Sequence[Row], read: Input, scope_of: ScopeOf) -> Lists:
        """Return what ``rows`` give to one aggregate, and nothing else of them."""
        scopes = [scope_of(row.cells, row.event) for row in rows]

        def column(place: int) -> list[Any]:
            return [self._evaluators[place](scope) for scope in scopes]

        return Lists.taking(
            [row.event for row in rows],
            [column(place) for place in read.args],
            None if read.where is None else column(read.where),
            None if read.by is None else column(read.by),
            read,
        )

    def judge(self, cells: Sequence[Any]) -> None:
        """Raise ``ValueFailure`` where a value of a row cannot enter an exact sum that it is of."""
        for read in self._summed:
            values = [cells[place] for place in read.args]
            if None not in values and (read.where is None or cells[read.where] is True):
                for value in _flat(values):
                    summable(value)

    def frame(self, rows: Sequence[Row], scope_of: ScopeOf) -> Frame:
        """Return rows of one key, in their order, as columns."""
        cells = [self.cells(row, scope_of) for row in rows]
        return Frame(
            np.array([row.event for row in rows], dtype=np.int64),
            self.arrays(cells),
            known=np.array([row.known for row in rows], dtype=np.int64),
        )

    def segment(self, rows: Sequence[Row], scope_of: ScopeOf) -> Segment:
        """Return rows of one key, in their order, as a segment."""
        until = [row.until for row in rows]
        revised = any(moment != FOR_EVER for moment in until)
        return Segment(
            self.frame(rows, scope_of), np.array(until, dtype=np.int64) if revised else None
        )

    @cached_property
    def empty(self) -> Frame:
        """No rows."""
        return Frame(np.zeros(0, dtype=np.int64), self.arrays(()))

    @cached_property
    def nothing(self) -> Segment:
        """The rows of a key that has none."""
        return Segment(self.empty)

    def arrays(self, cells: Sequence[Sequence[Any]]) -> list[pa.Array]:
        """Return columns of rows given as the values of their columns."""
        columns = list(zip(*cells, strict=True)) if cells else [()] * len(self.exprs)
        return [
            pa.array(column, type_)
            for column, type_ in zip(columns, self.column_types, strict=True)
        ]

    @cached_property
    def column_types(self) -> tuple[pa.DataType, ...]:
        """The Arrow types of the columns."""
        return tuple(engine_type(_plain(expr.type)) for expr in self.exprs)


def _plain(type_: Type) -> Type:
    """Return ``type_`` as kernels look at it: of a key its values, of nothing any type will do."""
    if type_.kind is Kind.KEY and len(type_.parts) == 1:
        return _plain(type_.parts[0])
    return Type(Kind.INT) if type_.kind is Kind.NULL else type_


def _holds_floats(type_: Type) -> bool:
    return type_.kind in (Kind.FLOAT, Kind.VECTOR) or any(map(_holds_floats, type_.parts))


def _flat(values: Sequence[Any]) -> Iterator[float]:
    for value in values:
        if isinstance(value, tuple):
            yield from _flat(value)
        elif isinstance(value, float):
            yield value


def window_reach(window: ir.Window) -> int | None:
    """Return how old a row in ``window`` may be; None: any age."""
    match window:
        case ir.RangeWindow(far=far, every=every):
            return None if far is None else far + (every or 0)
        case ir.LastWindow(within=within):
            return within
        case ir.CalendarWindow(unit=unit, zone=zone):
            return longest(unit, zone)
        case ir.SinceWindow() | ir.SessionWindow():
            return None
