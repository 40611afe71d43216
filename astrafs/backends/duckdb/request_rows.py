"""Requests as rows: each question of a request brings one more row, the newest, that it alone sees.

The request's fields are read as the columns of that name, its time as the row's times; streams let
it in and compute columns for it as for any row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.lookups import attach, lookups_in
from astrafs.backends.duckdb.names import ident
from astrafs.plan import ir
from astrafs.plan.tree import transform, walk


def request_rows(
    build: Builder,
    relation: str,
    fields: tuple[str, ...],
    head: ir.Aggregate,
    inputs: Mapping[str, tuple[ir.Expr, str]],
    comment: str,
) -> str:
    """Return SQL for the requests that are rows of ``head.rows``, with ``"@kid"``, ``"@e"``,
    ``"@k"``, the inputs and ``"@own"``, the number of the question.

    ``relation`` has the questions, with ``fields`` as ``"@k0"``, ...; ``inputs`` gives, by the name
    of the column, an expression over a row and the column that must be true for it, or ''.
    """
    streams: list[ir.Stream] = []
    rows = head.rows
    while rows in build.streams:
        streams.append(build.streams[rows])
        rows = build.streams[rows].base

    def of_request(expr: ir.Expr) -> ir.Expr:
        for stream in streams:
            made = {column.name: column.expression for column in stream.columns}
            expr = transform(expr, partial(_made, made))
        return expr

    conditions = [stream.where for stream in reversed(streams) if stream.where is not None]
    conditions += [] if head.block_where is None else [head.block_where]
    keep = [of_request(condition) for condition in conditions]
    values = {name: (of_request(expr), where) for name, (expr, where) in inputs.items()}
    exprs = [*keep, *(expr for expr, _ in values.values())]
    leaves = _leaves(exprs, fields, build.sources[rows])
    lookups = lookups_in(exprs)
    if lookups:
        relation, found = attach(build, relation, lookups, leaves, "@t", f"{comment}: the request")
        leaves |= found

    filters = Layers(leaves)
    for place, condition in enumerate(keep):
        filters.add(f"@keep{place}", condition, "a condition, of the request")
    wanted = [f"{ident(f'@keep{place}')}" for place in range(len(keep))]
    wanted += [f'"@k{fields.index(name)}" IS NOT NULL' for name in head.match]
    layers = Layers(leaves)
    for name, (expr, where) in values.items():
        layers.add(name, expr, where=where)
    scratch = ", ".join(map(ident, filters.scratch))
    rest = f" EXCLUDE ({scratch})" if scratch else ""
    chosen = f"(SELECT *{rest} FROM {filters.rows(relation)}\nWHERE {' AND '.join(wanted)})"
    listed = "".join(f", {ident(name)}" for name in values)
    return (
        f'SELECT "@kid", "@t" AS "@e", "@t" AS "@k"{listed}, "@q" AS "@own"\n'
        f"FROM {layers.rows(chosen)}"
    )


def _made(made: Mapping[str, ir.Expr], node: ir.Expr) -> ir.Expr:
    """Return the expression of a computed column in its place."""
    return made.get(node.name, node) if isinstance(node, ir.Column) else node


def _leaves(
    exprs: Iterable[ir.Expr], fields: tuple[str, ...], source: ir.Source
) -> dict[ir.Expr, str]:
    """Return the question's columns that hold the columns of a row."""
    columns = {field: f"@k{place}" for place, field in enumerate(fields)}
    columns[source.time] = "@t"
    if isinstance(source.knowledge, ir.KnownColumn):
        columns[source.knowledge.column] = "@t"
    return {
        node: columns[node.name]
        for expr in exprs
        for node in walk(expr)
        if isinstance(node, ir.Column)
    }
