"""Lookups: a changelog's value, or another entity's feature, as of each row of a relation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.vectors import as_lists, from_list
from astrafs.plan import ir
from astrafs.plan.tree import children, walk
from astrafs.typesys import NULL

Lookup = ir.TableLookup | ir.EntityLookup


def lookups_in(exprs: Iterable[ir.Expr]) -> list[Lookup]:
    """Return the distinct lookups in ``exprs`` (not inside aggregates), inner ones first."""
    found: dict[Lookup, None] = {}

    def visit(expr: ir.Expr) -> None:
        if isinstance(expr, ir.Aggregate):
            return
        for part in children(expr):
            visit(part)
        if isinstance(expr, ir.TableLookup | ir.EntityLookup):
            found.setdefault(expr)

    for expr in exprs:
        visit(expr)
    return list(found)


def attach(
    build: Builder,
    relation: str,
    lookups: Iterable[Lookup],
    leaves: Mapping[ir.Expr, str],
    time: str,
    comment: str,
) -> tuple[str, dict[ir.Expr, str]]:
    """Return ``relation`` with a column per lookup, and the columns' names.

    ``leaves`` names the columns that lookup keys may read; ``time`` the column that holds the
    rows' time. The rows stay as they are, one for one.
    """
    found: dict[ir.Expr, str] = {}
    pending = list(lookups)
    while pending:
        ready = [
            lookup
            for lookup in pending
            if all(inner in found or inner in leaves for inner in lookups_in(lookup.keys))
        ]
        pending = [lookup for lookup in pending if lookup not in ready]
        groups: dict[Lookup, list[Lookup]] = {}
        for lookup in ready:
            groups.setdefault(_same_rows(lookup), []).append(lookup)
        for group in groups.values():
            relation, columns = _attach_group(
                build, relation, group, {**leaves, **found}, time, comment
            )
            found |= columns
    return relation, found


def _same_rows(lookup: Lookup) -> Lookup:
    """Return what lookups that read one row have in common."""
    match lookup:
        case ir.TableLookup():
            return replace(lookup, column="", max_age=None, type=NULL)
        case ir.EntityLookup():
            return replace(lookup, feature=ir.FeatureId(lookup.entity, ""), type=NULL)


def _attach_group(
    build: Builder,
    relation: str,
    group: list[Lookup],
    leaves: Mapping[ir.Expr, str],
    time: str,
    comment: str,
) -> tuple[str, dict[ir.Expr, str]]:
    head = group[0]
    layers = Layers(leaves, time=time)
    keys = []
    for place, key in enumerate(head.keys):
        layers.add(f"@look{place}", key)
        keys.append(f"@look{place}")
    shift = f" - {head.offset}" if head.offset > 0 else f" + {-head.offset}" if head.offset else ""
    layers.add_sql("@when", f"{ident(time)}{shift}", 0)
    keyed = layers.rows(relation)
    names: dict[Lookup, str] = {lookup: build.fresh("@v") for lookup in group}
    hidden = ", ".join(ident(name) for name in (*keys, "@when", *layers.scratch))
    if isinstance(head, ir.TableLookup):
        tables = [lookup for lookup in group if isinstance(lookup, ir.TableLookup)]
        sql = _table_join(build, keyed, hidden, keys, tables, names)
        hint = head.table
    else:
        entities = [lookup for lookup in group if isinstance(lookup, ir.EntityLookup)]
        sql = _entity_join(build, keyed, hidden, keys, entities, names, comment)
        hint = head.entity
    looked = ", ".join(str(_path(lookup)) for lookup in group)
    return build.step(f"with {hint}", sql, f"{comment}\nlooks up {looked}"), dict(names.items())


def _path(lookup: Lookup) -> str:
    match lookup:
        case ir.TableLookup():
            return f"{lookup.table}[].{lookup.column}"
        case ir.EntityLookup():
            return f"{lookup.entity}[].{lookup.feature.name}"


def _table_join(
    build: Builder,
    keyed: str,
    hidden: str,
    keys: list[str],
    group: list[ir.TableLookup],
    names: Mapping[Lookup, str],
) -> str:
    table = build.sources[group[0].table]
    types = {lookup.column: lookup.type for lookup in group}
    versions = as_lists(table_versions(build, table), types)
    values = []
    for lookup in group:
        value = from_list(f"v.{ident(lookup.column)}", lookup.type)
        if lookup.max_age is not None:
            value = f'CASE WHEN v."@e" >= r."@when" - {lookup.max_age} THEN {value} END'
        values.append(f"{value} AS {ident(names[lookup])}")
    on = " AND ".join(
        f"r.{ident(key)} = v.{ident(column)}" for key, column in zip(keys, table.key, strict=True)
    )
    if table.static:
        join = f"LEFT JOIN {versions} v ON {on}"
    else:
        join = f'ASOF LEFT JOIN {versions} v ON {on} AND r."@when" >= v."@start"'
    return f"SELECT r.* EXCLUDE ({hidden}), {', '.join(values)}\nFROM {keyed} r\n{join}"


def table_versions(build: Builder, table: ir.Source) -> str:
    """Return the relation of a changelog's states: unique per (key, ``"@start"``), each valid from
    its start on.

    At any time the state is the row with the greatest (e, k, remaining columns) among those
    visible, so a row that arrives late may never become the state.
    """
    name = f"versions of {table.name}"
    if name in build.made:
        return build.made[name]
    looked = _looked_up(build, table)
    if table.static:
        relation = build.need(table.name, looked | set(table.key))
        build.made[name] = relation
        return relation
    every = [column.name for column in table.columns]
    relation = build.need(table.name, set(every))
    keys = ", ".join(ident(key) for key in table.key)
    rest = ", ".join(f"{ident(column)} NULLS FIRST" for column in every if column not in table.key)
    order = '"@e", "@k"' + (f", {rest}" if rest else "")
    kept = ", ".join(ident(column) for column in sorted(looked | set(table.key)))
    start = 'greatest("@e", "@k")'
    present = " AND ".join(f"{ident(key)} IS NOT NULL" for key in table.key)
    sql = (
        f'SELECT {kept}, "@e", "@start"\n'
        f"FROM (\n"
        # The state after each arrival, as the rank of its row; then that row's values.
        f'  SELECT s."@start", s."@key", max(max(s."@rank")) OVER (\n'
        f'    PARTITION BY s."@key" ORDER BY s."@start" ROWS UNBOUNDED PRECEDING) AS "@rank"\n'
        f'  FROM (SELECT {start} AS "@start", dense_rank() OVER (ORDER BY {keys}) AS "@key",\n'
        f'    row_number() OVER (ORDER BY {keys}, {order}) AS "@rank"\n'
        f"    FROM {relation} WHERE {present}) s\n"
        f'  GROUP BY s."@key", s."@start") state\n'
        f'JOIN (SELECT {kept}, "@e", row_number() OVER (ORDER BY {keys}, {order}) AS "@rank"\n'
        f"  FROM {relation} WHERE {present}) r\n"
        f'USING ("@rank")'
    )
    build.made[name] = build.step(
        f"states of {table.name}", sql, f"table {table.name}: its state from each arrival on"
    )
    return build.made[name]


def _looked_up(build: Builder, table: ir.Source) -> set[str]:
    """Return every column of ``table`` that the plan looks up."""
    exprs: list[ir.Expr] = [feature.expression for feature in build.features.values()]
    exprs += [output.expression for view in build.plan.views for output in view.outputs]
    for stream in build.streams.values():
        exprs += [column.expression for column in stream.columns]
        exprs += [part for part in (stream.where, stream.time) if part is not None]
    return {
        node.column
        for expr in exprs
        for node in walk(expr)
        if isinstance(node, ir.TableLookup) and node.table == table.name
    }


def _entity_join(
    build: Builder,
    keyed: str,
    hidden: str,
    keys: list[str],
    group: list[ir.EntityLookup],
    names: Mapping[Lookup, str],
    comment: str,
) -> str:
    from astrafs.backends.duckdb.features import evaluate  # evaluation and lookups call each other

    entity = build.entities[group[0].entity]
    relation = build.step(
        f"asks {entity.name}",
        f"SELECT *\nFROM {keyed}",
        f"{comment}\nwith the keys of {entity.name} to look up",
    )
    asked = ", ".join(f"{ident(key)} AS {ident(f'@k{place}')}" for place, key in enumerate(keys))
    questions = build.step(
        f"questions {entity.name}",
        f'SELECT DISTINCT {asked + ", " if asked else ""}"@when" AS "@t"\nFROM {relation}',
        f"{comment}\nthe different (key, time) pairs",
    )
    wanted = list(dict.fromkeys(lookup.feature for lookup in group))
    answers, columns = evaluate(build, entity, wanted, questions)
    on = " AND ".join(
        [
            *(
                f"r.{ident(key)} IS NOT DISTINCT FROM a.{ident(f'@k{place}')}"
                for place, key in enumerate(keys)
            ),
            'r."@when" = a."@t"',
        ]
    )
    values = ", ".join(
        f"a.{ident(columns[lookup.feature])} AS {ident(names[lookup])}" for lookup in group
    )
    return f"SELECT r.* EXCLUDE ({hidden}), {values}\nFROM {relation} r\nJOIN {answers} a ON {on}"
