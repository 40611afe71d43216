"""Which tags a feature has by what it reads: those of columns and features, however indirectly.

A feature has the tags of every column that its value depends on: inputs, conditions, `by`, keys of
lookups, and the conditions of its streams. It has none from the columns that say to which entity a
row belongs, nor from times. A feature with tags of its own has just those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.graph import plan_order, subexpressions
from astrafs.plan.tree import conditions
from astrafs.record import dataclass


@dataclass(frozen=True, slots=True)
class Trail:
    """How a tag comes about: what is read, and how that came by it. The last has the tag itself:
    a column (``source.column``) or a feature.
    """

    name: ir.FeatureId | str
    rest: Trail | None = None

    def __iter__(self) -> Iterator[ir.FeatureId | str]:
        at: Trail | None = self
        while at is not None:
            yield at.name
            at = at.rest


Trails = dict[str, Trail]
"""Trails by tag."""


def tag_trails(
    plan: ir.Plan, own: Mapping[ir.FeatureId, tuple[str, ...]]
) -> Mapping[ir.FeatureId, Trails]:
    """Return the tags of every feature that has any, each with a trail that begins at the feature.

    ``own`` are the tags that features declare, none included. Empty where features form a cycle.
    """
    tagged = any(column.tags for source in plan.sources for column in source.columns)
    if not tagged and not any(own.values()):
        return {}
    try:
        return _Tags(plan, own).features
    except PlanError:
        return {}


def with_tags(plan: ir.Plan, trails: Mapping[ir.FeatureId, Trails]) -> ir.Plan:
    """Give every feature the tags that its trails say."""
    if not trails:
        return plan
    features = tuple(
        replace(feature, tags=tuple(sorted(trails.get(feature.id, ()))))
        for feature in plan.features
    )
    return replace(plan, features=features)


class _Tags:
    def __init__(self, plan: ir.Plan, own: Mapping[ir.FeatureId, tuple[str, ...]]) -> None:
        self.features: dict[ir.FeatureId, Trails] = {}
        self.columns: dict[str, dict[str, Trails]] = {}
        self.conditions: dict[str, Trails] = {}
        sources = {source.name: source for source in plan.sources}
        streams = {stream.name: stream for stream in plan.streams}
        unions = {union.name: union for union in plan.unions}
        features = {feature.id: feature for feature in plan.features}
        for node in plan_order(plan):
            if isinstance(node, ir.FeatureId):
                if node in own:
                    self.features[node] = {tag: Trail(node) for tag in own[node]}
                else:
                    found = self.reads(features[node].expression)
                    self.features[node] = {tag: Trail(node, way) for tag, way in found.items()}
            elif node in streams:
                self._stream(streams[node])
            elif node in unions:
                self._union(unions[node])
            elif node in sources:
                self.columns[node] = {
                    column.name: {tag: Trail(f"{node}.{column.name}") for tag in column.tags}
                    for column in sources[node].columns
                }

    def _stream(self, stream: ir.Stream) -> None:
        columns = dict(self.columns.get(stream.base, {}))
        found = dict(self.conditions.get(stream.base, {}))
        for part in (stream.where, stream.time):
            if part is not None:
                found = {**self.reads(part, columns), **found}
        for column in stream.columns:
            columns[column.name] = {
                tag: Trail(f"{stream.name}.{column.name}", way)
                for tag, way in self.reads(column.expression, columns).items()
            }
        self.columns[stream.name] = columns
        self.conditions[stream.name] = found

    def _union(self, union: ir.Union) -> None:
        members = [self.columns.get(member, {}) for member in union.members]
        self.columns[union.name] = {
            column.name: {
                tag: way
                for member in reversed(members)
                for tag, way in member.get(column.name, {}).items()
            }
            for column in union.columns
        }
        self.conditions[union.name] = {
            tag: way
            for member in reversed(union.members)
            for tag, way in self.conditions.get(member, {}).items()
        }

    def reads(self, root: ir.Expr, columns: Mapping[str, Trails] | None = None) -> Trails:
        """Return the tags of what an expression reads; ``columns`` are those of the row at hand."""
        found: Trails = {}
        for expr in subexpressions(root):
            match expr:
                case ir.Column() if columns is not None:
                    _add(found, columns.get(expr.name, {}))
                case ir.FeatureRef() | ir.EntityLookup():
                    _add(found, self.features.get(expr.feature, {}))
                case ir.TableLookup():
                    _add(found, self.columns.get(expr.table, {}).get(expr.column, {}))
                case ir.Aggregate():
                    of_rows = self.columns.get(expr.rows, {})
                    for part in (*expr.args, *conditions(expr)):
                        _add(found, self.reads(part, of_rows))
                    _add(found, self.conditions.get(expr.rows, {}))
                case _:
                    pass
        return found


def _add(found: Trails, more: Mapping[str, Trail]) -> None:
    for tag, way in more.items():
        found.setdefault(tag, way)
