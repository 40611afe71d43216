"""What a view takes and gives, and what a source holds, as a caller of the service sees it."""

from __future__ import annotations

import pyarrow as pa

from astrafs.kernels.arrow_types import arrow_type
from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.typesys import Type


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """A key column, a field of a request, an output or a column of a source."""

    name: str
    type: Type
    doc: str = ""
    owner: str = ""

    @property
    def nullable(self) -> bool:
        """Whether the value may be null."""
        return self.type.nullable


@dataclass(frozen=True, slots=True)
class ViewSchema:
    """A view: ``keys`` are the key columns of ``entity``, or the fields where it is a request."""

    name: str
    entity: str
    request: bool
    keys: tuple[FieldSchema, ...]
    outputs: tuple[FieldSchema, ...]
    doc: str = ""

    @property
    def arrow(self) -> pa.Schema:
        """The outputs as columns of Arrow, the same as those of a backfill."""
        return pa.schema([pa.field(one.name, arrow_type(one.type)) for one in self.outputs])


@dataclass(frozen=True, slots=True)
class SourceSchema:
    """A source or ``table``: its columns, those of its ``key``, and its event ``time`` column.

    ``known`` is the column of knowledge times, empty where these follow from the event time.
    """

    name: str
    table: bool
    columns: tuple[FieldSchema, ...]
    key: tuple[str, ...]
    time: str
    known: str = ""


def view_schema(plan: ir.Plan, view: ir.View) -> ViewSchema:
    """Return the schema of ``view``; docs and owners are those of the features behind it."""
    entity = next(one for one in plan.entities if one.name == view.entity)
    features = {feature.id: feature for feature in plan.features}

    def output(one: ir.Output) -> FieldSchema:
        if isinstance(one.expression, ir.FeatureRef | ir.EntityLookup):
            feature = features[one.expression.feature]
            return FieldSchema(one.name, one.type, feature.doc, feature.owner)
        return FieldSchema(one.name, one.type)

    return ViewSchema(
        view.name,
        entity.name,
        entity.request,
        tuple(FieldSchema(part.name, part.type) for part in entity.keys),
        tuple(map(output, view.outputs)),
        view.doc,
    )


def source_schema(source: ir.Source) -> SourceSchema:
    """Return the schema of ``source``."""
    known = source.knowledge
    return SourceSchema(
        source.name,
        source.table,
        tuple(FieldSchema(column.name, column.type) for column in source.columns),
        source.key,
        source.time,
        known.column if isinstance(known, ir.KnownColumn) else "",
    )
