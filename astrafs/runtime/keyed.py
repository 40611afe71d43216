"""The reference interpreter over large data: of every source, only the rows of the key that a
question asks about, fetched from a session when they are first needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from astrafs.backends.duckdb.expressions import row_expression
from astrafs.backends.duckdb.names import ident, literal
from astrafs.plan import ir
from astrafs.plan.tree import transform, walk
from astrafs.record import dataclass
from astrafs.reference.interpreter import Context, Interpreter, Key
from astrafs.runtime.session import Session

ALL_ROWS = "all:"
"""Before the name of a source: the relation of its rows, whenever they became known."""

_PURE = (ir.Column, ir.Literal, ir.Call)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows of sources are read: per source, alternatives of which one must hold (SQL).

    ``event`` (SQL, empty for none) bounds the rows to ``low`` <= event <= ``high``, and a few on
    either side.
    """

    conditions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    event: str = ""
    low: int | None = None
    high: int | None = None


_Caches = tuple[dict[str, Any], dict[Any, Any]]


class KeyedInterpreter(Interpreter):
    """An interpreter whose rows are in ``session``, in relations named ``all:SOURCE``."""

    def __init__(self, plan: ir.Plan, session: Session, as_of: int, most: int) -> None:
        fetch = _Fetch(plan, session, most)
        super().__init__(plan, fetch, as_of)
        self._fetch = fetch
        self._caches: dict[Scope, _Caches] = {}

    @contextlib.contextmanager
    def scoped(self, node: ir.Aggregate | ir.TableLookup, keys: Key, t: int) -> Iterator[None]:
        """Read only the rows that ``node`` may need for ``keys`` at ``t``, until left."""
        before = (self._fetch.scope, self._rows, self._belonging)
        scope = self._fetch.scope_of(node, keys, t)
        self._fetch.scope = scope
        self._rows, self._belonging = self._caches.setdefault(scope, ({}, {}))
        try:
            yield
        finally:
            self._fetch.scope, self._rows, self._belonging = before

    def _aggregate(self, expression: ir.Aggregate, context: Context) -> Any:
        assert context.keys is not None
        keys = tuple(context.keys[name] for name in expression.match)
        with self.scoped(expression, keys or tuple(context.keys.values()), context.t):
            return super()._aggregate(expression, context)

    def _table_value(self, lookup: ir.TableLookup, context: Context) -> Any:
        keys = tuple(self._value(key, context) for key in lookup.keys)
        with self.scoped(lookup, keys, context.t):
            return super()._table_value(lookup, context)


class _Fetch(Mapping[str, Sequence[Mapping[str, Any]]]):
    """The rows of sources under the scope of the moment."""

    def __init__(self, plan: ir.Plan, session: Session, most: int) -> None:
        self._session = session
        self._most = most
        self._sources = {source.name: source for source in plan.sources}
        self._streams = {stream.name: stream for stream in plan.streams}
        self._unions = {union.name: union for union in plan.unions}
        self.scope = Scope()

    def __getitem__(self, name: str) -> Sequence[Mapping[str, Any]]:
        source = self._sources[name]
        alternatives = dict(self.scope.conditions).get(name)
        where = " OR ".join(f"({one})" for one in alternatives or ("TRUE",))
        relation = ident(ALL_ROWS + name)
        if source.revisions:  # all of an event's, for one may belong to another entity
            key = ", ".join(ident(column) for column in source.key)
            where = f"({key}) IN (SELECT ({key}) FROM {relation} WHERE {where})"
        listed = ", ".join(ident(column.name) for column in source.columns)
        query = f"SELECT {listed} FROM {relation} WHERE ({where})"
        if self.scope.event and alternatives is not None:
            query = self._bounded(query, source)
        doing = f"reading rows of {name}"
        return [row for batch in self._session.stream(query, doing) for row in batch.to_pylist()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def _bounded(self, query: str, source: ir.Source) -> str:
        """Bound ``query`` to the scope's times, and the nearest rows outside."""
        event, low, high = self.scope.event, self.scope.low, self.scope.high
        key = "".join(f", {ident(name)}" for name in source.key)
        inside = [f"{event} >= {low}"] if low is not None else []
        inside += [f"{event} <= {high}"] if high is not None else []
        parts = [f"({query} AND {' AND '.join(inside)})"]
        if low is not None:
            order = f"ORDER BY {event} DESC{key} LIMIT {self._most}"
            parts.append(f"({query} AND {event} < {low} {order})")
        if high is not None:
            order = f"ORDER BY {event}{key} LIMIT {self._most}"
            parts.append(f"({query} AND {event} > {high} {order})")
        return " UNION ALL ".join(parts)

    # --- scopes

    def scope_of(self, node: ir.Aggregate | ir.TableLookup, keys: Key, t: int) -> Scope:
        """Return the scope of a reading for one key."""
        if isinstance(node, ir.TableLookup):
            table = self._sources[node.table]
            types = {column.name: column.type for column in table.columns}
            parts: list[ir.Expr | None] = [ir.Column(name, types[name]) for name in table.key]
            return Scope(((table.name, (_equal(parts, keys),)),))
        conditions = {
            name: tuple(_equal(one, keys) for one in alternatives)
            for name, alternatives in self._inlined(node.rows, list(node.keys)).items()
        }
        event = self._event(node.rows)
        low = high = None
        if event:
            low, high = _bounds(node.window, t)
        if low is None and high is None:
            event = ""
        return Scope(tuple(sorted(conditions.items())), event, low, high)

    def _inlined(
        self, rows: str, exprs: list[ir.Expr | None]
    ) -> dict[str, list[list[ir.Expr | None]]]:
        """Return ``exprs`` over the columns of every source below ``rows``; None for one that is no
        plain computation of them. A source may come by several ways.
        """
        if rows in self._sources:
            return {rows: [[_pure(one) for one in exprs]]}
        found: dict[str, list[list[ir.Expr | None]]] = {}
        if rows in self._unions:
            for member in self._unions[rows].members:
                for name, alternatives in self._inlined(member, exprs).items():
                    found.setdefault(name, []).extend(alternatives)
            return found
        stream = self._streams[rows]
        computed = {column.name: column.expression for column in stream.columns}
        below = [None if one is None else transform(one, _filler(computed)) for one in exprs]
        return self._inlined(stream.base, below)

    def _event(self, rows: str) -> str:
        """Return the event time of ``rows`` as SQL over the one source below; empty where it is
        not that simple.
        """
        time: ir.Expr | None = None
        while rows in self._streams:
            stream = self._streams[rows]
            computed = {column.name: column.expression for column in stream.columns}
            if time is not None:
                time = transform(time, _filler(computed))
            elif stream.time is not None:
                time = stream.time
            rows = stream.base
        source = self._sources.get(rows)
        if source is None or source.revisions:
            return ""
        if time is None:
            return ident(source.time)
        pure = _pure(time)
        return "" if pure is None else row_expression(pure)


def _filler(computed: Mapping[str, ir.Expr]) -> Any:
    def fill(node: ir.Expr) -> ir.Expr:
        return computed.get(node.name, node) if isinstance(node, ir.Column) else node

    return fill


def _pure(expr: ir.Expr | None) -> ir.Expr | None:
    """Return ``expr`` if it only computes with columns of its row."""
    if expr is None or not all(isinstance(node, _PURE) for node in walk(expr)):
        return None
    return expr


def _equal(exprs: Sequence[ir.Expr | None], keys: Key) -> str:
    tests = [
        f"({row_expression(expr)}) IS NOT DISTINCT FROM {literal(value, expr.type)}"
        for expr, value in zip(exprs, keys, strict=True)
        if expr is not None
    ]
    return " AND ".join(tests) or "TRUE"


def _bounds(window: ir.Window, t: int) -> tuple[int | None, int | None]:
    """Return the event times that a window at ``t`` may hold; None has no bound."""
    if not isinstance(window, ir.RangeWindow):
        return None, t
    low = None if window.far is None else t - window.far - (window.every or 0)
    return low, max(t - window.near, t)
