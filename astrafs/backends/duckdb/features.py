"""Evaluating features of one entity for a relation of questions."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.backends.duckdb.aggregates import aggregate
from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.events import Questions
from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.lookups import attach, lookups_in
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.vectors import as_lists, from_list
from astrafs.plan import ir
from astrafs.plan.tree import walk

_DEEPEST = 24
"""Layers of nested SELECTs in one step; deeper chains of features take several steps."""


def evaluate(
    build: Builder, entity: ir.Entity, wanted: Sequence[ir.FeatureId], questions: str
) -> tuple[str, dict[ir.FeatureId, str]]:
    """Compute features for every question.

    ``questions`` has the key parts ``"@k0"``, ... and ``"@t"``, each combination once. The answer
    has these columns too, and the second result names the column of each feature.
    """
    needed = in_order(build, wanted)
    exprs = [build.features[name].expression for name in needed]
    for name, expr in zip(needed, exprs, strict=True):
        for node in walk(expr):
            if isinstance(node, ir.Aggregate):
                build.readers.setdefault(node, []).append(str(name))
    aggregates = list(
        dict.fromkeys(
            node for expr in exprs for node in walk(expr) if isinstance(node, ir.Aggregate)
        )
    )
    places = {field.name: place for place, field in enumerate(entity.keys)}
    leaves: dict[ir.Expr, str] = {
        node: f"@k{places[node.name]}"
        for expr in exprs
        for node in walk(expr)
        if isinstance(node, ir.KeyPart)
    }
    relation = questions
    # The windows of a request go over the rows that equal it in some fields, which may differ.
    for match in dict.fromkeys(node.match for node in aggregates):
        mine = [node for node in aggregates if node.match == match]
        numbered = number(build, entity, relation, match)
        joins, columns = [], []
        for place, answer in enumerate(aggregate(build, numbered, mine, entity.name)):
            types = {column: node.type for node, column in answer.columns.items()}
            joins.append(f'LEFT JOIN {as_lists(answer.relation, types)} a{place} USING ("@q")')
            for node, column in answer.columns.items():
                value = from_list(f"a{place}.{ident(column)}", node.type)
                columns.append(f"{value} AS {ident(column)}")
                leaves[node] = column
        if match:
            own, keys = 'q.* EXCLUDE ("@q", "@kid")', ""
        else:
            own = "".join(f'k."@k{place}", ' for place in range(len(entity.keys))) + 'q."@t"'
            keys = f'JOIN {numbered.keys} k USING ("@kid")\n'
        relation = build.step(
            f"windows {entity.name}",
            f"SELECT {own}, {', '.join(columns)}\nFROM {numbered.relation} q\n{keys}"
            + "\n".join(joins),
            f"{entity.name}: all windows side by side",
            view=not match and not lookups_in(exprs),
        )

    done: dict[ir.FeatureId, str] = {}
    remaining = list(needed)
    while remaining:
        pending = [
            lookup
            for lookup in lookups_in(build.features[name].expression for name in remaining)
            if lookup not in leaves and _features_read(lookup) <= done.keys()
        ]
        if pending:
            relation, found = attach(
                build, relation, pending, leaves, "@t", f"{entity.name} as of each question"
            )
            leaves |= found
        ready: dict[ir.FeatureId, None] = {}
        for name in remaining:
            expr = build.features[name].expression
            if all(lookup in leaves for lookup in lookups_in([expr])) and all(
                ref in done or ref in ready for ref in _features_read(expr)
            ):
                ready[name] = None
        relation = _scalars(build, entity, relation, list(ready), leaves, done)
        for expr in exprs:
            for node in walk(expr):
                if isinstance(node, ir.FeatureRef) and node.feature in ready:
                    leaves[node] = done[node.feature]
        remaining = [name for name in remaining if name not in ready]
    return relation, done


def _features_read(expr: ir.Expr) -> set[ir.FeatureId]:
    """The features of the same entity that ``expr`` refers to."""
    return {node.feature for node in walk(expr) if isinstance(node, ir.FeatureRef)}


def number(
    build: Builder, entity: ir.Entity, questions: str, match: tuple[str, ...] = ()
) -> Questions:
    """Number the questions in (key, time) order; a null key part is a key that no row has.

    ``match`` names the fields of a request that are its key in rows: several of its questions may
    then have one key and time.
    """
    fields = [field.name for field in entity.keys]
    asked = [f'"@k{fields.index(name)}"' for name in match or fields]
    parts = [f'"@k{place}"' for place in range(len(asked))]
    listed = ", ".join(parts)
    order = f"ORDER BY {listed}" if parts else ""
    renamed = ", ".join(f"{old} AS {new}" for old, new in zip(asked, parts, strict=True))
    keys = build.step(
        f"keys {entity.name}",
        f'SELECT row_number() OVER ({order}) AS "@kid"{", " + listed if parts else ""}, '
        f'sum(n) OVER ({order + " ROWS UNBOUNDED PRECEDING" if parts else ""})::BIGINT AS "@end"\n'
        f"FROM (SELECT {renamed + ', ' if parts else ''}count(*) AS n FROM {questions}"
        f"{' GROUP BY ' + ', '.join(asked) if parts else ''})",
        f"{entity.name}: the keys asked for, numbered",
    )
    on = " AND ".join(
        f"s.{old} IS NOT DISTINCT FROM k.{new}" for old, new in zip(asked, parts, strict=True)
    )
    carried = "s.*" if match else 's."@t"'
    relation = build.step(
        f"questions {entity.name}",
        f'SELECT row_number() OVER (ORDER BY k."@kid", s."@t") - 1 AS "@q", k."@kid", {carried}\n'
        f"FROM {questions} s JOIN {keys} k ON {on or 'TRUE'}",
        f"{entity.name}: the questions, numbered in (key, time) order",
    )
    moments = relation
    if match:
        moments = build.step(
            f"moments {entity.name}",
            f'SELECT min("@q") AS "@q", "@kid", "@t"\nFROM {relation} GROUP BY "@kid", "@t"',
            f"{entity.name}: the first question of each key and time",
        )
    return Questions(relation, keys, len(parts), moments, tuple(fields))


def in_order(build: Builder, wanted: Sequence[ir.FeatureId]) -> list[ir.FeatureId]:
    """Return ``wanted`` and every feature of the same entity that they refer to, dependencies
    first.
    """
    order: dict[ir.FeatureId, None] = {}
    seen: set[ir.FeatureId] = set()
    stack = [(name, False) for name in reversed(wanted)]
    while stack:
        name, ready = stack.pop()
        if ready:
            order.setdefault(name)
            continue
        if name in seen:
            continue
        seen.add(name)
        stack.append((name, True))
        refs = sorted(_features_read(build.features[name].expression))
        stack += [(ref, False) for ref in reversed(refs) if ref not in seen]
    return list(order)


def _scalars(
    build: Builder,
    entity: ir.Entity,
    relation: str,
    names: Sequence[ir.FeatureId],
    leaves: dict[ir.Expr, str],
    done: dict[ir.FeatureId, str],
) -> str:
    """Add the columns of ``names``, whose lookups and earlier features are all columns of
    ``relation``.
    """
    pending = list(names)
    while pending:
        layers = Layers(leaves)
        for earlier, column in done.items():
            layers.name(earlier, column)
        while pending and layers.depth < _DEEPEST:
            name = pending.pop(0)
            feature = build.features[name]
            column = f"{name.name}@{name.version}" if name.version > 1 else name.name
            layers.add(column, feature.expression, str(name))
            layers.name(name, column)
            done[name] = column
        scratch = ", ".join(ident(column) for column in layers.scratch)
        sql = layers.select(relation)
        if scratch:
            sql = f"SELECT * EXCLUDE ({scratch})\nFROM ({sql})"
        relation = build.step(f"features {entity.name}", sql, f"{entity.name}: features")
    return relation
