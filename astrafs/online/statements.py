"""Columns of a local group straight from a source, as SQL: which key a row belongs to, when, and
what aggregates read of it.

What the engine's closures work out row by row is written over the columns of the source, streams on
the way taken apart. The two agree to the bit, as offline runs and serving do everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astrafs.backends.duckdb.expressions import row_expression
from astrafs.backends.duckdb.names import ident
from astrafs.kernels.registry import KERNELS
from astrafs.online.groups import Shape
from astrafs.plan import ir, tree
from astrafs.record import dataclass
from astrafs.typesys import TIMESTAMP

_EVENT = ir.Column("@e", TIMESTAMP)


@dataclass(frozen=True, slots=True)
class Statement:
    """How the columns of a group are read from the relation of its source: SQL of the ``key``
    parts and the ``columns`` by their names in a block; rows take part where ``takes`` is true.
    ``broken`` is true for rows that a stream may not have.
    """

    key: tuple[str, ...]
    columns: Mapping[str, str]
    takes: str
    broken: str

    def query(self, relation: str, offset: int) -> str:
        """Return the rows in the order in which blocks want them, but for the first ``offset``."""
        keys = [f"{sql} AS {ident(f'@key{place}')}" for place, sql in enumerate(self.key)]
        listed = [f"{sql} AS {ident(name)}" for name, sql in self.columns.items()]
        ordered = [ident(f"@key{place}") for place in range(len(keys))]
        # Event time and the key of the source come first among the columns of a block.
        ordered += [ident(name) for name in self.columns if name.startswith("@") and name != "@k"]
        return (
            f"SELECT * FROM (SELECT {', '.join((*keys, *listed))} FROM {relation} WHERE"
            f" {self.takes}) ORDER BY {', '.join(ordered)} OFFSET {offset}"
        )


def statement(plan: ir.Plan, shape: Shape, columns: tuple[str, ...]) -> Statement | None:
    """Return how to read a group's columns (called ``columns`` in its blocks), None where that
    takes more than SQL over single rows.
    """
    if not shape.local or len(shape.ways) != 1:
        return None
    (way,) = shape.ways
    source = next(one for one in plan.sources if one.name == way.source)
    if source.table or source.revisions:
        return None
    inlined = _Inlined()
    streams = {stream.name: stream for stream in plan.streams}
    for step in way.steps:
        inlined.enter(streams[step.name])
    keys = [inlined.over(part) for part in shape.group.keys]
    if shape.group.where is not None:
        inlined.conditions.append(inlined.over(shape.group.where))
    exprs = [inlined.over(expr) for expr in shape.exprs]
    moves = [one for move in inlined.moves for one in move.expressions]
    if not all(map(_alone, (*keys, *inlined.conditions, *exprs, *moves))):
        return None
    key = tuple(map(row_expression, keys))
    events = [row_expression(move.to) for move in inlined.moves]
    read = {"@e": row_expression(inlined.event)}
    if shape.delay is None:
        known = ", ".join(('"@k"', *events))
        read["@k"] = f"greatest({known})" if events else known
    read |= {f"@{place}": ident(name) for place, name in enumerate(source.key)}
    read |= dict(zip(columns, map(row_expression, exprs), strict=True))
    takes = [f"({row_expression(expr)}) IS TRUE" for expr in inlined.conditions]
    takes += [f"({part}) IS NOT NULL" for part in (*events, *key)]
    broken = [move.broken for move in inlined.moves]
    made = Statement(key, read, _all(takes), " OR ".join(broken) or "FALSE")
    texts = (*key, *read.values(), made.takes, made.broken)
    return None if any(name in text for text in texts for name in KERNELS) else made


def _alone(expr: ir.Expr) -> bool:
    return all(isinstance(node, ir.Literal | ir.Column | ir.Call) for node in tree.walk(expr))


def _all(conditions: Sequence[str]) -> str:
    return " AND ".join(conditions) or "TRUE"


@dataclass(frozen=True, slots=True)
class _Move:
    """A stream that gives rows another time: from which to which, the conditions before, and the
    stream's own over a row that has not moved.
    """

    before: ir.Expr
    to: ir.Expr
    conditions: tuple[ir.Expr, ...]
    own: tuple[ir.Expr, ...]

    @property
    def expressions(self) -> tuple[ir.Expr, ...]:
        """All that it is made of."""
        return (self.before, self.to, *self.conditions, *self.own)

    @property
    def broken(self) -> str:
        """SQL that is true for a row that has no time or an earlier one, and is not left out."""
        kept = _all([f"({row_expression(one)}) IS TRUE" for one in self.conditions])
        stays = _all([f"({row_expression(one)}) IS TRUE" for one in self.own])
        to, before = row_expression(self.to), row_expression(self.before)
        return f"({kept} AND (({to} IS NULL AND {stays}) OR ({to} < {before}) IS TRUE))"


class _Inlined:
    """Expressions over rows of a stream as ones over its source: ``event`` is the row's time there,
    ``moves`` are its changes on the way, ``conditions`` those of the streams.
    """

    def __init__(self) -> None:
        self.event: ir.Expr = _EVENT
        self.moves: list[_Move] = []
        self.conditions: list[ir.Expr] = []
        self._columns: dict[str, ir.Expr] = {}

    def over(self, expr: ir.Expr) -> ir.Expr:
        """Return ``expr`` over a row at this place."""

        def change(node: ir.Expr) -> ir.Expr:
            match node:
                case ir.Column(name=name):
                    return self._columns.get(name, node)
                case ir.EvaluationTime():
                    return self.event
                case _:
                    return node

        return tree.transform(expr, change)

    def enter(self, stream: ir.Stream) -> None:
        """Go on to a stream over the rows so far."""
        if stream.time is not None:
            own = () if stream.where is None else (self.over(stream.where),)
            moved = self.over(stream.time)
            self.moves.append(_Move(self.event, moved, tuple(self.conditions), own))
            self.event = moved
        if stream.where is not None:
            self.conditions.append(self.over(stream.where))
        self._columns |= {column.name: self.over(column.expression) for column in stream.columns}
