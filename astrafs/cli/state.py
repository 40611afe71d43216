"""What becomes of the rows that serving keeps when a program takes the place of the locked one, by
the same layout as serving has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from astrafs.online.engine import Engine
from astrafs.online.layout import Layout
from astrafs.plan import ir
from astrafs.plan.prune import prune
from astrafs.plan.text import expression_text
from astrafs.record import dataclass
from astrafs.registry.compare import Comparison
from astrafs.registry.impact import StateChange
from astrafs.registry.lock import LockedRows, columns_of
from astrafs.typesys import INT


@dataclass(frozen=True, slots=True)
class _Kept:
    """A group of rows: what they are, by what they are found, and the columns that are kept of
    each, by name with their text (none: all of the source's).
    """

    rows: str
    by: str
    columns: Mapping[str, str]

    @property
    def place(self) -> tuple[str, str]:
        """What people call it."""
        return self.rows, self.by


def state_changes(plan: ir.Plan, found: Comparison) -> tuple[StateChange, ...]:
    """Return the groups that do not stay as they are, sorted."""
    rows = found.before.rows
    stayed = [change.feature for change in found.changes if change.stays]
    # How rows are kept depends on all that read them, so what was locked is put together again: as
    # one plan, but for what is called alike and is not.
    plans = [_as_locked(prune(plan, features=stayed), plan, rows)]
    for definition in found.was:
        old = _as_locked(definition.plan, plan, rows)
        for place, other in enumerate(plans):
            both = _merged(other, old)
            if both is not None:
                plans[place] = both
                break
        else:
            plans.append(old)
    before: dict[bytes, _Kept] = {}
    for old in plans:
        for name, kept in _layout(old).items():
            known = before.setdefault(name, kept)
            before[name] = replace(known, columns={**known.columns, **kept.columns})
    pruned = prune(plan, features=[one.id for one in plan.features])
    wide = {source.name: source for source in plan.sources}
    after = _layout(replace(pruned, sources=tuple(wide[one.name] for one in pruned.sources)))
    return tuple(_changes(before, after))


_N = TypeVar("_N", ir.Entity, ir.Source, ir.Stream, ir.Union)


def _merged(one: ir.Plan, other: ir.Plan) -> ir.Plan | None:
    """Return the plan of both, None where something of one name is not the same in them."""
    features = {feature.id: feature for feature in one.features}
    for feature in other.features:
        if features.setdefault(feature.id, feature).expression != feature.expression:
            return None
    entities = _joined(one.entities, other.entities)
    sources = _joined(one.sources, other.sources)
    streams = _joined(one.streams, other.streams)
    unions = _joined(one.unions, other.unions)
    if entities is None or sources is None or streams is None or unions is None:
        return None
    return replace(
        one,
        entities=entities,
        sources=sources,
        streams=streams,
        unions=unions,
        features=tuple(features[name] for name in sorted(features)),
    )


def _joined(some: tuple[_N, ...], others: tuple[_N, ...]) -> tuple[_N, ...] | None:
    """Return what either has, sorted by name; of streams and unions, which have only the columns
    that are read, with those of both. None where two of one name differ otherwise.
    """
    found = {one.name: one for one in some}
    for other in others:
        one = found.setdefault(other.name, other)
        if isinstance(one, ir.Stream | ir.Union):
            assert isinstance(other, ir.Stream | ir.Union)
            columns = {column.name: column for column in one.columns}
            for column in other.columns:
                if columns.setdefault(column.name, column) != column:
                    return None
            both = tuple(columns.values())
            found[other.name] = one = replace(one, columns=both)
            other = replace(other, columns=both)
        if one != other:
            return None
    return tuple(found[name] for name in sorted(found))


def _as_locked(old: ir.Plan, new: ir.Plan, rows: Mapping[str, LockedRows]) -> ir.Plan:
    """Return ``old`` with its sources as wide as they were: kept definitions have only the columns
    that they read, and how rows are kept depends on all. A source that has other columns now gets
    one that no other has.
    """
    now = {source.name: source for source in new.sources}
    found = []
    for source in old.sources:
        wide, locked = now.get(source.name), rows.get(source.name)
        same = wide is not None and locked is not None and locked.columns == columns_of(wide)
        if wide is not None and same and set(source.columns) <= set(wide.columns):
            found.append(replace(source, columns=wide.columns))
        else:
            found.append(replace(source, columns=(*source.columns, _OTHERS)))
    return replace(old, sources=tuple(found))


_OTHERS = ir.SourceColumn("@others", INT)


def _layout(plan: ir.Plan) -> dict[bytes, _Kept]:
    """Return what is kept for a plan, by its place in a store."""
    layout = Layout(Engine(plan))
    found = {}
    for shape in layout.shapes:
        group = shape.group
        by = ", ".join(expression_text(key) for key in group.keys)
        names = layout.columns(shape)
        columns = {
            name: expression_text(expr) for name, expr in zip(names, shape.exprs, strict=False)
        }
        found[layout.names[shape]] = _Kept(group.rows, by, columns)
    keys = {source.name: source.key for source in plan.sources}
    for table, name in layout.tables.items():
        found[name] = _Kept(table, ", ".join(keys[table]), {})
    return found


def _changes(before: Mapping[bytes, _Kept], after: Mapping[bytes, _Kept]) -> list[StateChange]:
    """Return what becomes of the groups that are not the same afterwards, sorted by name."""
    old_places = {kept.place for kept in before.values()}
    new_places = {kept.place for name, kept in after.items() if name not in before}
    found = []
    for name, kept in after.items():
        known = before.get(name)
        if known is None:
            what = "rebuild" if kept.place in old_places else "new"
            found.append(StateChange(*kept.place, what, tuple(sorted(kept.columns.values()))))
        elif not kept.columns.keys() <= known.columns.keys():
            more = (kept.columns[one] for one in kept.columns.keys() - known.columns.keys())
            found.append(StateChange(*kept.place, "rebuild", tuple(sorted(more))))
    for name, kept in before.items():
        if name not in after and kept.place not in new_places:
            found.append(StateChange(*kept.place, "dropped"))
    return sorted(found, key=lambda one: (one.rows, one.by, one.what, one.columns))
