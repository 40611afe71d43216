"""Random streams: conditions, computed columns, re-timing, streams over streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from astrafs.typesys import TIMESTAMP, Kind
from tests.parity.expressions import Ex, grow, literals, pick
from tests.parity.generator import lookups
from tests.parity.generator.builder import Builder, Rows


def stream(b: Builder) -> None:
    """Declare a stream over a source or stream."""
    rng = b.rng
    base = rng.choice(b.rows)
    name = b.name("r")
    if base.name != base.source:
        b.tag("stream.stream")
    uses = {base.name}
    pool = [replace(one, uses=frozenset({base.name})) for one in base.columns]
    head = f"stream {name} from {base.name}"
    columns = list(base.columns)
    late = list(base.late)
    conditions = []
    if not base.ahead and not base.united and b.chance(0.45):
        found = _retiming(b, base)
        if found is not None:
            clause, conditions, opened = found
            head += clause
            columns += [one for one, by in late if by == opened]
            late = [(one, by) for one, by in late if by != opened]
    if b.chance(0.6):
        grown = grow(rng, [*pool, *literals(rng)], 12, b.tag)
        condition = pick(rng, grown, lambda kind: kind.kind is Kind.BOOL)
        if condition is not None:
            conditions.append(condition.operand)
            uses |= condition.uses
            b.tag("stream.where")
    if conditions:
        head += f" where {' and '.join(conditions)}"
    made, keys, composite = _computed(b, name, base, columns, uses)
    body = "".join(f"\n  {column.text}: {column.type} = {value.text}" for column, value in made)
    b.add(name, f"## Chosen rows.\n{head}" + (f" {{{body}\n}}" if made else " {}"), uses)
    visible = [
        replace(one, uses=frozenset({name})) for one in [*columns, *(column for column, _ in made)]
    ]
    b.rows.append(
        replace(
            base,
            name=name,
            columns=tuple(visible),
            keys=keys,
            late=tuple(late),
            composite=tuple(composite),
            moved=base.moved or " time " in head,
        )
    )


def _retiming(b: Builder, base: Rows) -> tuple[str, list[str], str] | None:
    landed = next((one for one in base.columns if one.text == "landed"), None)
    if landed is None or not landed.column:
        return None
    b.tag("stream.retimed")
    conditions = [f"{landed.text} is not null"] if landed.type.nullable else []
    return " time landed", conditions, "landed"


def _computed(
    b: Builder, name: str, base: Rows, columns: Sequence[Ex], uses: set[str]
) -> tuple[list[tuple[Ex, Ex]], dict[str, tuple[str, ...]], list[tuple[str, tuple[Ex, ...]]]]:
    rng = b.rng
    here = frozenset({base.name})
    pool = [replace(one, uses=here) for one in columns]
    pool.append(Ex("t", TIMESTAMP, here))
    keys, composite = dict(base.keys), list(base.composite)
    made: list[tuple[Ex, Ex]] = []
    for _ in range(rng.randint(0, 3)):
        leaves = [*pool, *literals(rng)]
        asked = [lookups.table_lookup(b, pool), lookups.entity_lookup(b, pool, composite)]
        # Rows known ahead lie in the future, and a lookup there would be one too.
        found = [one for one in asked if one is not None and not base.ahead]
        value: Ex | None
        if found and b.chance(0.6):
            for one in found:
                b.tag(
                    "stream.entity_lookup"
                    if one.text.lstrip("(")[0] == "E"
                    else "stream.table_lookup"
                )
            value = rng.choice(found)
            if b.chance(0.4):
                grown = grow(rng, [*leaves, *found], 10, b.tag)
                value = pick(rng, grown, lambda kind: kind.kind is not Kind.NULL)
        else:
            grown = grow(rng, leaves, 10, b.tag)
            value = pick(rng, grown, lambda kind: kind.kind is not Kind.NULL)
        if value is None:
            continue
        uses |= value.uses
        column = Ex(b.name("c"), value.type, frozenset({name}), column=True)
        made.append((column, value))
        b.tag("stream.computed")
    singles = [one for one in b.entities if len(one.keys) == 1]
    if singles and b.chance(0.4):
        entity = rng.choice(singles)
        key = lookups.key_expression(b, entity.type, pool)
        if key is not None and key.depth <= 2 and key.type.kind is Kind.KEY:
            uses |= key.uses | {entity.name}
            column = Ex(b.name("c"), key.type, frozenset({name}), column=True)
            made.append((column, key))
            b.tag("stream.key_column")
    for entity_name, parts in base.composite[:1]:
        if b.chance(0.3):
            entity = next(one for one in b.entities if one.name == entity_name)
            null = any(part.type.nullable for part in parts)
            column = Ex(b.name("c"), entity.type.with_null(null), frozenset({name}))
            text = f"{entity_name}({', '.join(part.text for part in parts)})"
            uses.add(entity_name)
            made.append((column, Ex(text, column.type, frozenset({entity_name}))))
            keys[entity_name] = (f" by {column.text}",)
            b.tag("stream.composite_key_column")
    return made, keys, composite
