"""Row relations: sources as the session loads them, and streams on top, one row per event.

Every row relation has the columns that its readers use, and ``"@e"`` and ``"@k"``.
"""

from __future__ import annotations

from collections.abc import Iterable

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.lookups import attach, lookups_in
from astrafs.backends.duckdb.names import ident, text
from astrafs.backends.duckdb.script import Check
from astrafs.plan import ir
from astrafs.plan.tree import children, walk

AS_OF = "getvariable('as_of')::BIGINT"


def columns_of(exprs: Iterable[ir.Expr]) -> set[str]:
    """Return the names of the row columns that ``exprs`` read."""
    return {node.name for expr in exprs for node in walk(expr) if isinstance(node, ir.Column)}


def row_relation(build: Builder, rows: str) -> str:
    """Return the relation of a source, stream or union, building what is no source on first use.

    A stream is built with every column that anything in the plan reads from it.
    """
    if rows in build.sources and not build.sources[rows].revisions:
        return build.need(rows, columns_read(build, rows))
    if rows not in build.made:
        if rows in build.sources:
            build.made[rows] = _revisions(build, build.sources[rows])
        elif rows in build.unions:
            build.made[rows] = _union(build, build.unions[rows])
        else:
            build.made[rows] = _stream(build, build.streams[rows])
    return build.made[rows]


def columns_read(build: Builder, rows: str) -> set[str]:
    """Return every column of ``rows`` that a feature or a stream above it reads, and the key."""
    wanted = set(build.root(rows).key) | build.asked.get(rows, set())
    for feature in build.features.values():
        for node in walk(feature.expression):
            if isinstance(node, ir.Aggregate) and node.rows == rows:
                wanted |= columns_of(children(node))
    for stream in build.streams.values():
        if stream.base == rows:
            own = {column.name for column in stream.columns}
            wanted |= columns_read(build, stream.name) - own
            parts = [part for part in (stream.where, stream.time) if part is not None]
            wanted |= columns_of((*parts, *(column.expression for column in stream.columns)))
    for union in build.unions.values():
        if rows in union.members:
            wanted |= columns_read(build, union.name)
    return wanted


def _revisions(build: Builder, source: ir.Source) -> str:
    """Make the relation of revisions: each counts from its ``"@k"`` up to ``"@until"`` (null: for
    ever), when the next of its event is known; deletions and what they replace at once are left
    out.
    """
    columns = [column.name for column in source.columns]
    relation = build.need(source.name, set(columns))
    keys = ", ".join(ident(name) for name in source.key)
    rest = "".join(f", {ident(name)} NULLS FIRST" for name in columns if name not in source.key)
    kept = ", ".join(ident(name) for name in sorted(columns_read(build, source.name)))
    deleted = f" AND {ident(source.deleted)} IS NOT TRUE" if source.deleted else ""
    sql = (
        f'SELECT {kept}, "@e", "@k", "@until"\nFROM (\n'
        f'  SELECT *, lead("@k") OVER (PARTITION BY {keys} ORDER BY "@k"{rest}) - 1 AS "@until"\n'
        f"  FROM {relation})\n"
        f'WHERE ("@until" IS NULL OR "@until" >= "@k"){deleted}'
    )
    return build.step(
        f"{source.name} revisions", sql, f"source {source.name}: how long each revision counts"
    )


def _union(build: Builder, union: ir.Union) -> str:
    """Put the members' rows together; ``"@place"`` counts the sources below, member by member."""
    columns = ", ".join(ident(name) for name in sorted(columns_read(build, union.name)))
    selects, first = [], 0
    for member in union.members:
        relation = row_relation(build, member)
        inner = '"@place" + ' if "@place" in build.hidden(member) else ""
        until = ""
        if "@until" in build.hidden(union.name):
            until = ', "@until"' if "@until" in build.hidden(member) else ', NULL AS "@until"'
        selects.append(
            f'SELECT {columns}, "@e", "@k", {inner}{first} AS "@place"{until}\nFROM {relation}'
        )
        first += len(build.bases(member))
    return build.step(
        union.name, "\nUNION ALL\n".join(selects), f"the rows of {', '.join(union.members)}"
    )


def _stream(build: Builder, stream: ir.Stream) -> str:
    relation = row_relation(build, stream.base)
    read = columns_read(build, stream.name)
    computed = [column for column in stream.columns if column.name in read]
    parts = [column.expression for column in computed]
    if stream.where is not None:
        parts.append(stream.where)
    own = {column.name for column in stream.columns}
    hidden = build.hidden(stream.base)
    base_columns = sorted(
        columns_of(parts) | (read - own) | {*build.root(stream.base).key, *hidden[2:]}
    )
    leaves: dict[ir.Expr, str] = {
        node: node.name
        for part in (*parts, *((stream.time,) if stream.time is not None else ()))
        for node in walk(part)
        if isinstance(node, ir.Column)
    }

    if stream.time is not None:
        relation = _moved(build, stream, relation, leaves, base_columns)
    lookups = lookups_in(parts)
    # The condition goes first where it can: moving and looking up are for the rows that stay.
    first = stream.where is not None and not lookups_in([stream.where])
    filtered = first and (stream.time is not None or bool(lookups))
    if stream.where is not None and filtered:
        layers = Layers(leaves, time="@e")
        layers.add("@keep", stream.where, "the stream's condition")
        kept = (*base_columns, "@e", "@k", *(("@old",) if stream.time is not None else ()))
        relation = build.step(
            f"{stream.name} rows",
            layers.select(relation, {name: name for name in kept}, '"@keep"'),
            f"rows of {stream.name}",
        )
    if stream.time is not None:
        relation = _known(build, stream, relation, base_columns)
    if lookups:
        relation, found = attach(
            build, relation, lookups, leaves, "@e", f"{stream.name}: as of each row's own time"
        )
        leaves |= found
    layers = Layers(leaves, time="@e")
    keep = ""
    if stream.where is not None and not filtered:
        keep = "@keep"
        layers.add(keep, stream.where, "the stream's condition")
    names = {name: name for name in base_columns if name in read or name in hidden}
    for column in computed:
        shown = f"{stream.name}.{column.name}"
        layers.add(f"={column.name}", column.expression, shown, where=keep)
        names[column.name] = f"={column.name}"
    names |= {"@e": "@e", "@k": "@k"}
    return build.step(
        stream.name,
        layers.select(relation, names, ident(keep) if keep else ""),
        f"stream {stream.name}",
    )


def _moved(
    build: Builder,
    stream: ir.Stream,
    relation: str,
    leaves: dict[ir.Expr, str],
    base_columns: list[str],
) -> str:
    """Move the rows to their new event time; the old one stays as ``"@old"``."""
    assert stream.time is not None
    layers = Layers(leaves, time="@e")
    layers.add("@new", stream.time, f"{stream.name}: its own event time")
    kept = {name: name for name in base_columns}
    return build.step(
        f"{stream.name} times",
        layers.select(relation, {**kept, "@old": "@e", "@e": "@new", "@k": "@k"}),
        f"{stream.name}: rows at their new event time",
    )


def _known(build: Builder, stream: ir.Stream, moved: str, base_columns: list[str]) -> str:
    """Keep the rows that are known by K, each from its new event time on at the earliest."""
    keys = ", ".join(ident(name) for name in build.root(stream.base).key)
    places: dict[str, list[str]] = {}
    for place, source in enumerate(build.bases(stream.base)):
        places.setdefault(source.name, []).append(str(place))
    for name, mine in places.items():
        of_source = f' AND "@place" IN ({", ".join(mine)})' if len(places) > 1 else ""
        build.checks.append(
            Check(
                after=build.steps[-1].name,
                sql=f'SELECT DISTINCT {keys} FROM {moved} WHERE "@e" < "@old"{of_source}',
                rule=f"the time of stream {stream.name} is not before the row's own event time",
                source=name,
            )
        )
    columns = ", ".join(ident(name) for name in base_columns)
    return build.step(
        f"{stream.name} known",
        f'SELECT {columns}, "@e", greatest("@k", "@e") AS "@k"\nFROM {moved}\n'
        f'WHERE "@e" IS NOT NULL AND greatest("@k", "@e") <= {AS_OF}',
        f"{stream.name}: a row is known from its new event time on",
    )


def row_label(build: Builder, rows: str) -> str:
    """Return SQL text that names a row of ``rows`` by its key, for run errors."""
    parts = [f"{text(name + ' ')} || {ident(name)}::VARCHAR" for name in build.root(rows).key]
    return " || ', ' || ".join(parts) if parts else text("a row")
