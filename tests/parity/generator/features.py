"""Random feature blocks: windowed, templated and derived features."""

from __future__ import annotations

from dataclasses import replace

from astrafs.typesys import INT, TIMESTAMP, Kind
from tests.parity import values
from tests.parity.expressions import Ex, grow, literals, pick
from tests.parity.generator import lookups, windows
from tests.parity.generator.builder import Builder, EntityInfo, Rows
from tests.parity.values import duration_text


def by_clauses(rows: Rows, entity: EntityInfo) -> list[str]:
    """Return the ways to group ``rows`` by ``entity``; one key column alone needs no ``by``."""
    if len(entity.keys) != 1:
        return list(rows.keys.get(entity.name, ()))
    columns = [one.text for one in rows.columns if one.type.required() == entity.type]
    clauses = [f" by {name}" for name in columns]
    return [*clauses, "", ""] if len(columns) == 1 else clauses


def _block(b: Builder) -> tuple[Rows, EntityInfo, str, set[str]]:
    """Choose the rows and the entity of a block; return them, its header and what that uses."""
    rng = b.rng
    choices = [
        (rows, entity, clauses)
        for rows in b.rows
        for entity in b.entities
        if (clauses := by_clauses(rows, entity))
    ]
    rows, entity, clauses = rng.choice(choices)
    by = rng.choice(clauses)
    if by and len(entity.keys) == 1:
        b.tag("features.by")
    header = f"features for {entity.name} from {rows.name}{by}"
    uses = {entity.name, rows.name}
    if b.chance(0.25):
        pool = [replace(one, uses=frozenset({rows.name})) for one in rows.columns]
        condition = pick(
            rng,
            grow(rng, [*pool, *literals(rng)], 12, b.tag),
            lambda kind: kind.kind is Kind.BOOL,
        )
        if condition is not None:
            header += f" where {condition.text}"
            uses |= condition.uses
            b.tag("features.where")
    if rows.name != rows.source:
        b.tag("features.stream")
    return rows, entity, header, uses


def family_block(b: Builder) -> None:
    """Add features that are the same but for their function."""
    rows, entity, header, uses = _block(b)
    found = windows.family(b, rows)
    entity.features.extend(emit(b, entity, value, header, uses) for value in found)


def window_block(b: Builder) -> None:
    """Add a block of windowed features over some rows."""
    rows, entity, header, uses = _block(b)
    made: list[Ex] = []
    for _ in range(b.rng.randint(1, b.size.features)):
        if b.chance(0.15):
            made += _template(b, rows, entity, header, uses)
        else:
            made += _feature(b, rows, entity, header, uses)
    entity.features.extend(made)


def _feature(b: Builder, rows: Rows, entity: EntityInfo, header: str, uses: set[str]) -> list[Ex]:
    settled: tuple[Ex, ...] = ()
    near = 0
    if rows.settling and b.chance(0.4):
        settled = (rows.settling[0][0],)
        near = rows.settling[0][1]
        b.tag("feature.settled")
    found = [
        windows.aggregate(b, rows, windows.window(b, rows, near), settled)
        for _ in range(1 if b.chance(0.6) else 2)
    ]
    parts = [one for one in found if one is not None]
    if not parts:
        return []
    value = parts[0]
    if b.chance(0.35):
        leaves = [*parts, *parts, *scope(entity), *literals(b.rng)]
        grown = [one for one in grow(b.rng, leaves, 10, b.tag) if one.uses & {rows.name}]
        value = pick(b.rng, grown, lambda kind: kind.kind is not Kind.NULL) or value
        if value not in parts:
            b.tag("feature.expression")
    return [emit(b, entity, value, header, uses)]


def scope(entity: EntityInfo) -> list[Ex]:
    keys = [Ex(key.name, key.type, column=True) for key in entity.keys]
    return [*keys, Ex("t", TIMESTAMP), *entity.features]


def emit(b: Builder, entity: EntityInfo, value: Ex, header: str, uses: set[str]) -> Ex:
    name = b.name("f")
    kind = value.type
    if not kind.nullable and b.chance(0.1):
        kind = kind.optional()
        b.tag("feature.widened")
    full = f"{entity.name}.{name}"
    b.add(full, f"## A feature.\n{name}: {kind} = {value.text}", value.uses | uses, header)
    return Ex(name, kind, frozenset({full}))


def _template(b: Builder, rows: Rows, entity: EntityInfo, header: str, uses: set[str]) -> list[Ex]:
    name = b.name("f")
    kind = b.rng.randrange(3)
    if kind == 0:
        spans = sorted({b.span() + rows.delay for _ in range(3)})
        b.ages += spans
        listed, suffixes = [duration_text(span) for span in spans], None
        value = windows.aggregate(b, rows, "w", ())
        b.tag("template.duration")
    elif kind == 1 and rows.bounded is None:
        listed, suffixes = [str(n) for n in sorted({b.rng.randint(1, 6) for _ in range(2)})], None
        value = windows.aggregate(b, rows, "last w", ())
        b.tag("template.number")
    else:
        texts = [one for one in rows.columns if one.type.kind is Kind.ENUM]
        if not texts:
            return []
        column = b.rng.choice(texts)
        suffixes = [text for text in column.type.values if text.isascii() and text]
        listed = [values.quoted(text) for text in suffixes]
        far = duration_text(b.span() + rows.delay)
        value = Ex(
            f"count(where {column.text} == w) over {far}", INT, frozenset({rows.name}), False
        )
        b.tag("template.string")
    if value is None:
        return []
    full = f"{entity.name}.{name}_{{w}}"
    text = (
        f"for w in [{', '.join(listed)}] {{\n  ## Over {{w}}.\n"
        f"  {name}_{{w}}: {value.type} = {value.text}\n}}"
    )
    b.add(full, text, value.uses | uses, header)
    return [Ex(f"{name}_{suffix}", value.type, frozenset({full})) for suffix in suffixes or listed]


def derived_block(b: Builder) -> None:
    """Add features computed from features, keys and lookups."""
    rng = b.rng
    entity = rng.choice(b.entities)
    names = scope(entity)
    asked = [
        found
        for _ in range(3)
        for found in (lookups.entity_lookup(b, names), lookups.table_lookup(b, names))
        if found is not None
    ]
    leaves = [*names, *names, *asked, *literals(rng, b.wild)]
    grown = grow(rng, leaves, 25, b.tag)
    for _ in range(rng.randint(1, b.size.features)):
        value = pick(rng, grown, lambda kind: kind.kind is not Kind.NULL)
        if value is None:
            return
        b.tag("feature.derived")
        header = f"features for {entity.name}"
        entity.features.append(emit(b, entity, value, header, {entity.name}))
