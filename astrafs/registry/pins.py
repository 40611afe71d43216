"""Views over locked feature versions: kept definitions put beside the plan of today.

What a definition reads keeps its own meaning: its rows and features come into the plan under names
of their own, however those of today have changed. Entities are shared, so their keys must be the
same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from astrafs.deep import deeply
from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.plan.tree import children, rebuild
from astrafs.record import dataclass
from astrafs.registry.definitions import Definition


@dataclass(frozen=True, slots=True)
class Pinned:
    """A program with kept definitions in it: the feature that each became, by kept name, and the
    source that each new one stands for, by its new name.
    """

    program: Program
    features: Mapping[str, ir.FeatureId]
    sources: Mapping[str, str]


def with_definitions(program: Program, definitions: Mapping[str, Definition]) -> Pinned:
    """Put ``definitions`` (by kept name) beside what ``program`` holds.

    The files of a source that the program still has are those of today, of others those of the
    definition. Raises :class:`AstrafsError` where an entity has other keys now.
    """
    plan, bindings = program.plan, dict(program.bindings)
    features: dict[str, ir.FeatureId] = {}
    sources: dict[str, str] = {}
    for number, (found, definition) in enumerate(sorted(definitions.items()), 1):
        entities = {entity.name: entity for entity in plan.entities}
        for entity in definition.plan.entities:
            known = entities.setdefault(entity.name, entity)
            if known.keys != entity.keys or known.request != entity.request:
                title = f"`{entity.name}` no longer has the keys that `{definition.feature}` knew"
                raise AstrafsError(codes.CANNOT_PIN.nowhere(title))
        renamed = deeply(_Names(definition.plan, number).renamed)
        plan = replace(
            plan,
            entities=_sorted(entities.values()),
            sources=_sorted((*plan.sources, *renamed.sources)),
            streams=_sorted((*plan.streams, *renamed.streams)),
            unions=_sorted((*plan.unions, *renamed.unions)),
            features=tuple(
                sorted((*plan.features, *renamed.features), key=lambda feature: feature.id)
            ),
        )
        features[found] = _name(definition.feature, number)
        for source in definition.plan.sources:
            new = f"{source.name}{_mark(number)}"
            sources[new] = source.name
            bindings[new] = program.bindings.get(source.name) or definition.bindings[source.name]
    return Pinned(replace(program, plan=plan, bindings=bindings), features, sources)


def pin_view(plan: ir.Plan, view: ir.View, pins: Mapping[str, ir.FeatureId]) -> ir.View:
    """Return ``view`` with the outputs that ``pins`` names computed by those features."""
    known = {feature.id: feature for feature in plan.features}
    outputs = []
    for output in view.outputs:
        if output.name in pins:
            feature = known[pins[output.name]]
            read = _read(output.expression, feature)
            outputs.append(ir.Output(output.name, read, feature.type))
        else:
            outputs.append(output)
    return replace(view, outputs=tuple(outputs))


def pin_labels(plan: ir.Plan, dataset: ir.Dataset, pins: Mapping[str, ir.FeatureId]) -> ir.Dataset:
    """Return ``dataset`` with the labels that ``pins`` names computed by those features."""
    known = {feature.id: feature for feature in plan.features}
    labels = []
    for label in dataset.labels:
        if label.name in pins:
            feature = known[pins[label.name]]
            read, type_ = _read(label.expression, feature), feature.type.optional()
            labels.append(replace(label, expression=read, type=type_))
        else:
            labels.append(label)
    return replace(dataset, labels=tuple(labels))


def _read(before: ir.Expr, feature: ir.Feature) -> ir.Expr:
    """Return an expression that shows ``feature`` where ``before`` shows another version of it."""
    kind = feature.expression.type
    if isinstance(before, ir.EntityLookup):
        return replace(before, feature=feature.id, type=kind)
    return ir.FeatureRef(feature.id, kind)


def view_of(plan: ir.Plan, name: str, outputs: Mapping[str, ir.FeatureId]) -> ir.View:
    """Return a view called ``name`` of nothing but ``outputs``, features of one entity by column.

    Raises :class:`AstrafsError` where they are of several.
    """
    entities = sorted({feature.entity for feature in outputs.values()})
    if len(entities) > 1:
        listed = " and ".join(f"`{entity}`" for entity in entities)
        raise AstrafsError(
            codes.CANNOT_PIN.nowhere(f"features of {listed} have no spine in common").help(
                "compute those of one entity at a time, or name a view that looks the others up"
            )
        )
    known = {feature.id: feature for feature in plan.features}
    made = tuple(
        ir.Output(
            column,
            ir.FeatureRef(feature, known[feature].expression.type),
            known[feature].type,
        )
        for column, feature in outputs.items()
    )
    return ir.View(name, entities[0], made)


def columns_of(features: Sequence[ir.FeatureId]) -> dict[ir.FeatureId, str]:
    """Return a column's name for each of ``features``: its own, with the version where several
    versions of it are there.
    """
    names = [feature.name for feature in features]
    return {
        feature: feature.name
        if names.count(feature.name) == 1
        else f"{feature.name}_v{feature.version}"
        for feature in features
    }


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


def _sorted(named: Iterable[N]) -> tuple[N, ...]:
    return tuple(sorted(named, key=lambda one: one.name))


def _mark(number: int) -> str:
    return f"@pin{number}"


def _name(feature: ir.FeatureId, number: int) -> ir.FeatureId:
    return replace(feature, name=f"{feature.name}{_mark(number)}")


@dataclass(slots=True)
class _Names:
    """Gives everything in a definition's plan but its entities a name of its own."""

    old: ir.Plan
    number: int

    def renamed(self) -> ir.Plan:
        """Return the plan under its new names."""
        old = self.old
        return replace(
            old,
            sources=tuple(replace(one, name=self.rows(one.name)) for one in old.sources),
            streams=tuple(
                replace(
                    one,
                    name=self.rows(one.name),
                    base=self.rows(one.base),
                    where=self.optional(one.where),
                    time=self.optional(one.time),
                    columns=tuple(
                        replace(column, expression=self.expression(column.expression))
                        for column in one.columns
                    ),
                )
                for one in old.streams
            ),
            unions=tuple(
                replace(one, name=self.rows(one.name), members=tuple(map(self.rows, one.members)))
                for one in old.unions
            ),
            features=tuple(
                replace(
                    one,
                    id=_name(one.id, self.number),
                    expression=self.expression(one.expression),
                )
                for one in old.features
            ),
        )

    def rows(self, name: str) -> str:
        """Return the new name of a source, stream or union."""
        return f"{name}{_mark(self.number)}"

    def optional(self, expr: ir.Expr | None) -> ir.Expr | None:
        """Rename in an expression that may be missing."""
        return None if expr is None else self.expression(expr)

    def expression(self, expr: ir.Expr) -> ir.Expr:
        """Rename in an expression."""
        made = rebuild(expr, tuple(self.expression(part) for part in children(expr)))
        match made:
            case ir.FeatureRef() | ir.EntityLookup():
                return replace(made, feature=_name(made.feature, self.number))
            case ir.TableLookup():
                return replace(made, table=self.rows(made.table))
            case ir.Aggregate():
                return replace(made, rows=self.rows(made.rows))
            case _:
                return made
