"""The part of a plan that some views or features need, down to the columns of sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.graph import subexpressions
from astrafs.plan.tree import children
from astrafs.typesys import Type


def reachable(plan: ir.Plan, view: str) -> ir.Plan:
    """Return the sub-plan that ``view`` needs; raises :class:`PlanError` if there is none such."""
    return prune(plan, views=(view,))


def reachable_by_dataset(plan: ir.Plan, dataset: str) -> ir.Plan:
    """Return the sub-plan that ``dataset`` needs; raises :class:`PlanError` if there is none."""
    return prune(plan, datasets=(dataset,))


def prune(
    plan: ir.Plan,
    *,
    views: Iterable[str] = (),
    features: Iterable[ir.FeatureId] = (),
    datasets: Iterable[str] = (),
) -> ir.Plan:
    """Return the sub-plan of ``views``, ``features`` and ``datasets`` and all that they read.

    Of a source stay the columns that are read, its key and times, and what its contracts
    (``expect``) and the rules of those columns mention. A table, and a source with revisions, keeps
    all columns: they break ties between its rows. Identities do not change.
    """
    needs = _Needs(plan)
    kept = []
    sets = [_named(plan, name) for name in dict.fromkeys(datasets)]
    for name in dict.fromkeys((*views, *(dataset.view for dataset in sets))):
        view = next((view for view in plan.views if view.name == name), None)
        if view is None:
            raise PlanError(f"no view {name}")
        kept.append(view)
        needs.entity(view.entity)
        for output in view.outputs:
            needs.type(output.type)
            needs.expression(output.expression)
    for feature in features:
        needs.feature(feature)
    for dataset in sets:
        needs.dataset(dataset)
    needs.follow()
    return ir.Plan(
        entities=tuple(e for e in plan.entities if e.name in needs.entities),
        sources=tuple(needs.narrow(s) for s in plan.sources if s.name in needs.columns),
        streams=tuple(needs.narrow_stream(s) for s in plan.streams if s.name in needs.columns),
        unions=tuple(needs.narrow_union(u) for u in plan.unions if u.name in needs.columns),
        features=tuple(needs.all_features[name] for name in sorted(needs.features)),
        views=tuple(sorted(kept, key=lambda view: view.name)),
        datasets=tuple(sorted(sets, key=lambda dataset: dataset.name)),
        schema_version=plan.schema_version,
    )


def _named(plan: ir.Plan, name: str) -> ir.Dataset:
    found = next((dataset for dataset in plan.datasets if dataset.name == name), None)
    if found is None:
        raise PlanError(f"no dataset {name}")
    return found


class _Needs:
    """Collects what is needed, one step at a time, until nothing new comes."""

    def __init__(self, plan: ir.Plan) -> None:
        self.all_entities = {entity.name: entity for entity in plan.entities}
        self.all_features = {feature.id: feature for feature in plan.features}
        self.sources = {source.name: source for source in plan.sources}
        self.streams = {stream.name: stream for stream in plan.streams}
        self.unions = {union.name: union for union in plan.unions}
        self.source_columns = {
            source.name: {column.name: column for column in source.columns}
            for source in plan.sources
        }
        self.stream_columns = {
            stream.name: {column.name: column for column in stream.columns}
            for stream in plan.streams
        }
        self.entities: set[str] = set()
        self.features: set[ir.FeatureId] = set()
        self.columns: dict[str, set[str]] = {}
        self._new_features: list[ir.FeatureId] = []
        self._new_columns: list[tuple[str, str]] = []

    def follow(self) -> None:
        """Work off everything that was asked for and what that asks for."""
        while self._new_features or self._new_columns:
            if self._new_features:
                feature = self.all_features[self._new_features.pop()]
                self.entity(feature.id.entity)
                self.type(feature.type)
                self.expression(feature.expression)
            else:
                self._follow_column(*self._new_columns.pop())

    def entity(self, name: str) -> None:
        """Ask for an entity and the entities that its keys are of."""
        if name in self.all_entities and name not in self.entities:
            self.entities.add(name)
            for key in self.all_entities[name].keys:
                self.type(key.type)

    def type(self, made: Type) -> None:
        """Ask for the entities that a type names."""
        if made.entity:
            self.entity(made.entity)
        for part in made.parts:
            self.type(part)

    def feature(self, name: ir.FeatureId) -> None:
        """Ask for a feature."""
        if name not in self.all_features:
            raise PlanError(f"no feature {name}")
        if name not in self.features:
            self.features.add(name)
            self._new_features.append(name)

    def dataset(self, dataset: ir.Dataset) -> None:
        """Ask for the spine of a dataset, its keys, columns and labels."""
        rows = dataset.spine
        self.rows(rows)
        for expr in (*dataset.keys, *(label.expression for label in dataset.labels)):
            self.expression(expr, rows)
        for label in dataset.labels:
            self.type(label.type)
            for name in label.known:
                self.column(rows, name)
        for column in dataset.columns:
            self.column(rows, column.name)

    def rows(self, name: str) -> None:
        """Ask for a source, table or stream with what its rows need at the least."""
        if name in self.columns:
            return
        self.columns[name] = set()
        if name in self.streams:
            stream = self.streams[name]
            self.rows(stream.base)
            for part in (stream.where, stream.time):
                if part is not None:
                    self.expression(part, stream.base)
            return
        if name in self.unions:
            for member in self.unions[name].members:
                self.rows(member)
            for key in self.unions[name].key:
                self.column(name, key)
            return
        source = self.sources[name]
        wanted = [*source.key, source.time]
        if isinstance(source.knowledge, ir.KnownColumn):
            wanted.append(source.knowledge.column)
        if source.table or source.revisions:
            wanted += [column.name for column in source.columns]
        for column in filter(None, wanted):
            self.column(name, column)
        for condition in source.expects:
            self.expression(condition, name)

    def column(self, rows: str, name: str) -> None:
        """Ask for a column of a source, table or stream."""
        if name not in self.columns[rows]:
            self.columns[rows].add(name)
            self._new_columns.append((rows, name))

    def _follow_column(self, rows: str, name: str) -> None:
        if rows in self.sources:
            column = self.source_columns[rows][name]
            self.type(column.type)
            if column.known_at:
                self.column(rows, column.known_at)
            return
        if rows in self.unions:
            for member in self.unions[rows].members:
                self.column(member, name)
            return
        computed = self.stream_columns[rows].get(name)
        if computed is None:
            self.column(self.streams[rows].base, name)
        else:
            self.type(computed.type)
            self.expression(computed.expression, rows)

    def expression(self, root: ir.Expr, rows: str = "") -> None:
        """Ask for everything that an expression (over the columns of ``rows``) reads."""
        for expr in subexpressions(root):
            match expr:
                case ir.Column() if rows:
                    self.column(rows, expr.name)
                case ir.FeatureRef():
                    self.feature(expr.feature)
                case ir.EntityLookup():
                    self.entity(expr.entity)
                    self.feature(expr.feature)
                case ir.TableLookup():
                    self.rows(expr.table)
                case ir.Aggregate():
                    self.rows(expr.rows)
                    for part in children(expr):
                        self.expression(part, expr.rows)
                case _:
                    pass

    def narrow(self, source: ir.Source) -> ir.Source:
        """Drop the columns of a source that nothing asked for."""
        wanted = self.columns[source.name]
        return replace(source, columns=tuple(c for c in source.columns if c.name in wanted))

    def narrow_union(self, union: ir.Union) -> ir.Union:
        """Drop the columns of a union that nothing asked for."""
        wanted = self.columns[union.name]
        return replace(union, columns=tuple(c for c in union.columns if c.name in wanted))

    def narrow_stream(self, stream: ir.Stream) -> ir.Stream:
        """Drop the computed columns of a stream that nothing asked for."""
        wanted = self.columns[stream.name]
        return replace(stream, columns=tuple(c for c in stream.columns if c.name in wanted))
