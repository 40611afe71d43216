"""Random requests that are rows about to happen, and windows with and without them."""

from __future__ import annotations

from dataclasses import replace

from astrafs.typesys import Kind
from tests.parity.expressions import Ex, grow, literals, pick
from tests.parity.generator import features, windows
from tests.parity.generator.builder import Builder, EntityInfo, Rows
from tests.parity.generator.views import view
from tests.parity.model import Field
from tests.parity.values import duration_text

KEYS = (Kind.INT, Kind.STRING, Kind.DATE, Kind.KEY)
TIMES = ("at", "seen")


def row_request(b: Builder) -> None:
    """Declare a request as a row of a source, with features over its rows, and the view of them."""
    rng = b.rng
    source = rng.choice([rows for rows in b.rows if rows.name == rows.source])
    declared = [one for one in b.relations[source.name].fields if one.name not in TIMES]
    whole = b.chance(0.5)
    chosen = declared if whole else rng.sample(declared, rng.randint(1, len(declared)))
    if not any(one.type.kind in KEYS for one in chosen):
        chosen = [*chosen, next(one for one in declared if one.type.kind in KEYS)]
    fields = [Field(one.name, one.type.required() if b.chance(0.1) else one.type) for one in chosen]
    name = b.name("Q")
    listed = ", ".join(f"{one.name}: {one.type}" for one in fields)
    owners = {
        entity.name
        for entity in b.entities
        if any(f.type.required() == entity.type for f in fields)
    }
    b.add(
        name,
        f"## A request.\nrequest {name} as {source.name} {{ {listed} }}",
        {source.name, *owners},
    )
    b.tag("request.row")
    made: list[Ex] = []
    info = EntityInfo(name, ())
    for _ in range(rng.randint(1, 3)):
        # A stream computes its columns and condition of any column, so all must be fields.
        streams = [one for one in b.rows if one.source == source.name and not one.moved]
        rows = rng.choice(streams) if whole else source
        made += _block(b, info, rows, fields)
    if made:
        view(b, name, fields, made, request=True)


def _block(b: Builder, info: EntityInfo, rows: Rows, fields: list[Field]) -> list[Ex]:
    rng = b.rng
    names = {one.name for one in fields}
    known = [one for one in rows.columns if one.text in names or rows.name != rows.source]
    usable = {one.text for one in rows.columns}
    keys = [one.name for one in fields if one.type.kind in KEYS and one.name in usable]
    if not keys:
        return []
    by = rng.sample(keys, min(len(keys), rng.choice((1, 1, 2))))
    header = f"features for {info.name} from {rows.name} by {', '.join(by)}"
    uses = {info.name, rows.name}
    if b.chance(0.25):
        pool = [replace(one, uses=frozenset({rows.name})) for one in known]
        grown = grow(rng, [*pool, *literals(rng)], 12, b.tag)
        condition = pick(rng, grown, lambda kind: kind.kind is Kind.BOOL)
        if condition is not None:
            header += f" where {condition.text}"
            uses |= condition.uses
    made = []
    for _ in range(rng.randint(1, b.size.features)):
        if b.chance(0.6):
            far = duration_text(b.span() + rows.delay)
            span = "all" if rows.bounded is None and b.chance(0.3) else far
            inner = replace(rows, columns=tuple(known))
            value = windows.aggregate(b, inner, f"{span} including request", ())
            b.tag("window.including_request")
        else:
            value = windows.aggregate(b, rows, windows.window(b, rows, 0), ())
        if value is not None:
            made.append(features.emit(b, info, value, header, uses))
    return made
