"""Random unions: streams that give rows of several sources the same columns, put together."""

from __future__ import annotations

from dataclasses import replace

from astrafs.typesys import INT, Kind, Type
from tests.parity.expressions import Ex, grow, literals, pick
from tests.parity.generator.builder import Builder, EntityInfo, Rows


def union(b: Builder) -> None:
    """Declare a union of two or three rows that have one key, through streams of like columns."""
    rng = b.rng
    first = rng.choice(b.rows)
    alike = [one for one in b.rows if _identity(b, one) == _identity(b, first)]
    others = [one for one in alike if one.source != first.source]
    count = rng.choice((1, 1, 1, 2))
    more = (rng.choice(others if others and b.chance(0.7) else alike) for _ in range(count))
    bases = [first, *more]
    singles = [entity for entity in b.entities if len(entity.keys) == 1]
    shared: list[tuple[str, Type]] = [(b.name("c"), _value_type(b, first)) for _ in range(2)]
    entity = rng.choice(singles) if singles else None
    key = (b.name("c"), entity.type.optional()) if entity is not None else None
    members = [_member(b, base, shared, entity, key) for base in bases]
    name = b.name("r")
    if any(one.source == bases[0].source for one in bases[1:]):
        b.tag("union.itself")
    if len({one.ahead for one in bases}) == 2:
        b.tag("union.mixed_ahead")
    if any(one.united for one in bases):
        b.tag("union.union")
    b.tag("union")
    text = f"## Rows of several.\nstream {name} from union({', '.join(members)}) {{}}"
    b.add(name, text, set(members))
    here = frozenset({name})
    columns = [replace(one, uses=here) for one in _common(bases)]
    columns += [Ex(text, kind, here, column=True) for text, kind in shared]
    columns += [Ex(text, kind, here, column=True) for text, kind in ([key] if key else [])]
    bounds = [one.bounded for one in bases if one.bounded is not None]
    made = Rows(
        name,
        tuple(columns),
        {
            entity: clauses
            for entity, clauses in first.keys.items()
            if all(one.keys.get(entity) == clauses for one in bases)
        },
        first.source,
        ahead=all(one.ahead for one in bases),
        delay=max(one.delay for one in bases),
        bounded=min(bounds, default=None),
        moved=True,
        united=True,
    )
    b.rows.append(made)


def _identity(b: Builder, rows: Rows) -> tuple[tuple[str, Type], ...]:
    fields = b.relations[rows.source].fields
    return tuple((one.name, one.type) for one in fields if one.name in ("id", "id_a", "id_b"))


def _common(bases: list[Rows]) -> list[Ex]:
    """Return the columns that all have, nullable where any is."""
    found = []
    for column in bases[0].columns:
        same = [one for rows in bases for one in rows.columns if one.text == column.text]
        if len(same) == len(bases):
            null = any(one.type.nullable for one in same)
            found.append(replace(column, type=column.type.with_null(null)))
    return found


def _value_type(b: Builder, rows: Rows) -> Type:
    kinds = [one.type for one in rows.columns if one.type.kind is not Kind.KEY]
    return b.rng.choice([*kinds, INT]).optional()


def _member(
    b: Builder,
    base: Rows,
    shared: list[tuple[str, Type]],
    entity: EntityInfo | None,
    key: tuple[str, Type] | None,
) -> str:
    rng = b.rng
    name = b.name("r")
    pool = [replace(one, uses=frozenset({base.name})) for one in base.columns]
    uses = {base.name}
    lines = []
    for column, kind in shared:
        grown = grow(rng, [*pool, *literals(rng)], 8, b.tag)
        value = pick(rng, grown, lambda made, kind=kind: made.required() == kind.required())
        if value is None:
            value = Ex("null", kind)
        uses |= value.uses
        lines.append(f"  {column}: {kind} = {value.text}")
    if entity is not None and key is not None:
        fitting = [one for one in pool if one.type.required() == entity.type]
        made = rng.choice(fitting).text if fitting else "null"
        uses.add(entity.name)
        lines.append(f"  {key[0]}: {key[1]} = {made}")
    where = ""
    if b.chance(0.3):
        condition = pick(
            rng, grow(rng, [*pool, *literals(rng)], 8, b.tag), lambda made: made.kind is Kind.BOOL
        )
        if condition is not None:
            where = f" where {condition.text}"
            uses |= condition.uses
    body = "\n".join(lines)
    b.add(name, f"## Like columns.\nstream {name} from {base.name}{where} {{\n{body}\n}}", uses)
    return name
