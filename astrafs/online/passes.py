"""How a source is read when a store is loaded: once per order in which its rows are wanted.

Groups with few keys take rows by time, all in one pass: a batch holds many rows of each key. Where
keys are many, a pass of its own brings the rows of a key together, so that each block is written
once. What order rows come in never changes what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astrafs.backends.duckdb.expressions import row_expression
from astrafs.backends.duckdb.names import ident
from astrafs.kernels.registry import KERNELS
from astrafs.online.groups import Shape
from astrafs.online.rows import Way
from astrafs.plan import ir, tree
from astrafs.record import dataclass

Keyed = tuple[Shape, tuple[str, ...]]
"""A group, and its key as SQL over a row of the source."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One reading of a source: the groups that take rows, and what rows are ordered by (SQL)."""

    name: str
    shapes: tuple[Shape, ...]
    order: tuple[str, ...]


class Orders:
    """Finds the passes over one source."""

    def __init__(self, plan: ir.Plan, source: ir.Source) -> None:
        self._streams = {stream.name: stream for stream in plan.streams}
        self._source = source

    def keyed(self, shape: Shape, way: Way) -> Keyed | None:
        """Return the key of a group as SQL; None where that takes more than the row."""
        chain = [self._streams[step.name] for step in way.steps]
        found = []
        for part in shape.group.keys:
            expr = _inlined(part, chain)
            if not _alone(expr):
                return None
            sql = row_expression(expr)
            if any(name in sql for name in KERNELS):
                return None
            found.append(sql)
        return shape, tuple(found)

    def passes(
        self,
        shapes: Sequence[Shape],
        keyed: Mapping[Shape, Sequence[str]],
        distinct: Mapping[tuple[str, ...], int],
        few: int,
    ) -> tuple[Pass, ...]:
        """Return the passes that ``shapes`` need, at least one: ``distinct`` says of how many keys
        each is, ``few`` how many a batch may hold rows of.
        """
        own = tuple(ident(name) for name in self._source.key)
        by_time = tuple(dict.fromkeys(('"@e"', *own, '"@k"')))
        together: list[Shape] = []
        apart: dict[tuple[str, ...], list[Shape]] = {}
        for shape in shapes:
            key = tuple(keyed.get(shape, ()))
            if not key or distinct[key] <= few:
                together.append(shape)
            else:
                apart.setdefault(key, []).append(shape)
        found = []
        if together or not apart:
            found.append(Pass("by time", tuple(together), by_time))
        for key, alike in apart.items():
            order = tuple(dict.fromkeys((*key, *by_time)))
            found.append(Pass(f"by {', '.join(key)}", tuple(alike), order))
        return tuple(found)


def _inlined(expr: ir.Expr, chain: Sequence[ir.Stream]) -> ir.Expr:
    """Return ``expr`` over rows at the end of ``chain`` as one over rows of its source."""
    for stream in reversed(chain):
        columns = {column.name: column.expression for column in stream.columns}

        def change(node: ir.Expr, columns: Mapping[str, ir.Expr] = columns) -> ir.Expr:
            return columns.get(node.name, node) if isinstance(node, ir.Column) else node

        expr = tree.transform(expr, change)
    return expr


def _alone(expr: ir.Expr) -> bool:
    return all(isinstance(node, ir.Literal | ir.Column | ir.Call) for node in tree.walk(expr))
