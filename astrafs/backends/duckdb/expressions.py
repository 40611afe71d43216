"""Row expressions on their own: contracts and quarantine conditions over one relation."""

from __future__ import annotations

from astrafs.backends.duckdb.layers import Layers
from astrafs.plan import ir
from astrafs.plan.tree import walk


def row_expression(expr: ir.Expr) -> str:
    """Return SQL for an expression of columns, literals and calls, over a relation with those
    columns.
    """
    leaves: dict[ir.Expr, str] = {
        node: node.name for node in walk(expr) if isinstance(node, ir.Column)
    }
    return Layers(leaves, time="@e", inline=True).emit(expr).sql
