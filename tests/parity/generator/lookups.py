"""Random keys, and lookups in tables and of other entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from astrafs.typesys import BOOL, Kind, Type
from tests.parity.expressions import Ex, constant, join
from tests.parity.generator.builder import Builder
from tests.parity.values import duration_text


def key_expression(b: Builder, kind: Type, pool: Sequence[Ex]) -> Ex | None:
    """Return an expression of the key type ``kind`` (nullable or not)."""
    fitting = [one for one in pool if one.type.required() == kind and not one.constant]
    if fitting and b.chance(0.9):
        return b.rng.choice(fitting)
    if kind.kind is Kind.KEY:
        part = key_expression(b, kind.parts[0], pool)
        if part is None:
            return None
        b.tag("key.made")
        text = f"{kind.entity.rsplit('.', 1)[-1]}({part.text})"
        return join(text, kind.with_null(part.type.nullable), [part], atom=True)
    found = constant(b.key_value(kind), kind)
    return found if found.constant is not None else None


def table_lookup(b: Builder, pool: Sequence[Ex]) -> Ex | None:
    """Return a lookup in some table with keys from ``pool``."""
    if not b.tables:
        return None
    table = b.rng.choice(b.tables)
    keys = [key_expression(b, kind, pool) for kind in table.keys]
    if any(key is None or key.depth > 2 for key in keys):
        return None
    parts = [key for key in keys if key is not None]
    column = b.rng.choice(table.columns)
    text = f"{table.name}[{', '.join(key.text for key in parts)}].{column.text}"
    b.tag("lookup.table")
    found = join(text, column.type.optional(), [*parts, column], atom=True)
    within = b.span() + table.delay
    # Where the table has a bound of its own, the lookup's is the tighter one.
    if not table.static and within <= table.max_age and b.chance(0.25):
        found = replace(found, text=f"({found.text} within {duration_text(within)})")
        b.tag("lookup.within")
    elif not table.static and b.chance(0.25):
        found = replace(found, text=f"({found.text} offset {duration_text(b.span())})")
        b.tag("lookup.offset")
    elif not table.static and within <= table.max_age and b.chance(0.2):
        tail = f"within {duration_text(within)} offset {duration_text(b.span())}"
        found = replace(found, text=f"({found.text} {tail})")
        b.tag("lookup.within_offset")
    return found


def entity_lookup(
    b: Builder, pool: Sequence[Ex], composite: Sequence[tuple[str, tuple[Ex, ...]]] = ()
) -> Ex | None:
    """Return a feature of another entity, its key taken from ``pool``."""
    ready = [entity for entity in b.entities if entity.features and entity.keys]
    if not ready:
        return None
    entity = b.rng.choice(ready)
    feature = b.rng.choice(entity.features)
    parts: list[Ex] = []
    if len(entity.keys) == 1:
        key = key_expression(b, entity.type, pool)
        if key is None or key.depth > 2:
            return None
        parts = [key]
    else:
        given = [columns for name, columns in composite if name == entity.name]
        if given and b.chance(0.7):
            parts = list(b.rng.choice(given))
        else:
            found = [key_expression(b, key.type, pool) for key in entity.keys]
            parts = [key for key in found if key is not None and key.depth <= 2]
        if len(parts) != len(entity.keys):
            return None
        b.tag("lookup.entity_composite")
    text = f"{entity.name}[{', '.join(key.text for key in parts)}].{feature.text}"
    b.tag("lookup.entity")
    nullable = feature.type.nullable
    uses = [*parts, Ex("", BOOL, frozenset({entity.name, f"{entity.name}.{feature.text}"}))]
    found = join(text, feature.type.with_null(nullable), uses, atom=True)
    if b.chance(0.15):
        found = replace(found, text=f"({found.text} offset {duration_text(b.span())})")
        b.tag("lookup.entity_offset")
    return found
