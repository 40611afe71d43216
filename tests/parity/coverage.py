"""Which constructs of the language a program uses, and which the generator must produce."""

from __future__ import annotations

from collections.abc import Iterator

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.plan import ir
from astrafs.plan.tree import walk
from tests.parity import builtin_table

STRUCTURE = frozenset(
    {
        *("entity.single", "entity.composite", "entity.global", "key.nullable", "key.made"),
        *("source.plain", "source.known", "source.ahead", "source.delay", "source.retention"),
        *("source.expect", "source.revisions", "source.deleted", "source.composite_key"),
        *("column.settles", "column.known"),
        *("table.plain", "table.known", "table.delay", "table.static", "table.max_age"),
        *("stream.where", "stream.computed", "stream.retimed", "stream.stream"),
        *("stream.table_lookup", "stream.entity_lookup"),
        *("stream.key_column", "stream.composite_key_column"),
        *("features.by", "features.by_composite", "features.by_names"),
        *("features.where", "features.stream", "feature.expression", "feature.derived"),
        *("feature.settled", "feature.widened", "request", "request.feature", "request.lookup"),
        *("template.duration", "template.number", "template.string"),
        *("window.past", "window.offset", "window.every", "window.edges_every", "window.now"),
        *("window.edges[)", "window.edges[]", "window.edges()", "window.edges(]"),
        *("window.all", "window.all_offset", "window.all_now", "window.last", "window.last_within"),
        *("window.next", "window.around", "aggregate.where", "agg.count_rows"),
        *("aggregate.by", "aggregate.each", "aggregate.family"),
        *("union", "union.itself", "dataset", "dataset.split", "dataset.settling"),
        *("dataset.known", "dataset.column", "dataset.request", "dataset.union"),
        *("label", "label.next", "label.next_offset", "label.edges", "label.past"),
        *("label.label", "label.settling"),
        *("request.row", "window.including_request", "window.calendar"),
        *("window.since_last", "window.session", "dataset.row_request"),
        *("form.if", "form.coalesce", "form.in", "form.not_in", "form.flow"),
        *("form.list", "type.list", "type.map", "type.vector"),
        *("form.is_null", "form.is_not_null", "view.alias", "view.key", "view.lookup"),
        *("spine.duplicate", "spine.null_key", "data.empty", "as_of.early", "size.large"),
        *("modules.one", "modules.two"),
        *(
            "lookup.table",
            "lookup.within",
            "lookup.offset",
            "lookup.entity",
            "lookup.entity_offset",
        ),
    }
)
"""Tags that the generator sets where it writes the construct, and lookups as the plan has them."""


def required() -> frozenset[str]:
    """Return every tag that a large enough run must show."""
    functions = {f"fn.{row.name}" for row in builtin_table.scalars()}
    return STRUCTURE | functions | {f"agg.{name}" for name in AGGREGATES}


def plan_tags(plan: ir.Plan) -> frozenset[str]:
    """Return the tags of the functions and lookups that are in the plan, not merely tried."""
    found = set()
    for expr in expressions(plan):
        for node in walk(expr):
            match node:
                case ir.Call():
                    found.add(f"fn.{node.function}")
                case ir.EntityLookup():
                    found.add("lookup.entity_offset" if node.offset else "lookup.entity")
                case ir.TableLookup():
                    found.add("lookup.table")
                    if node.offset:
                        found.add("lookup.offset")
                    if node.max_age is not None:
                        found.add("lookup.within")
                case _:
                    pass
    return frozenset(found)


def expressions(plan: ir.Plan) -> Iterator[ir.Expr]:
    for feature in plan.features:
        yield feature.expression
    for view in plan.views:
        for output in view.outputs:
            yield output.expression
    for dataset in plan.datasets:
        yield from (*dataset.keys, *(label.expression for label in dataset.labels))
    for stream in plan.streams:
        yield from (part for part in (stream.where, stream.time) if part is not None)
        yield from (column.expression for column in stream.columns)
