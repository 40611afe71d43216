"""Random requests, views and the spines that ask them."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.typesys import TIMESTAMP, Kind
from tests.parity import values
from tests.parity.expressions import Ex, grow, literals, pick
from tests.parity.generator import features as feature_blocks
from tests.parity.generator import lookups
from tests.parity.generator.builder import Builder, EntityInfo
from tests.parity.model import SPINE_TIME, Data, Field, Value


def request(b: Builder) -> None:
    """Add a request with features and a view."""
    rng = b.rng
    name = f"Q{len(b.spines)}"
    fields: list[Field] = []
    uses = set()
    for entity in b.entities:
        if len(entity.keys) == 1:
            fields.append(Field(b.name("q"), entity.type.with_null(b.chance(0.4))))
            uses.add(entity.name)
        else:
            fields += [Field(b.name("q"), key.type.with_null(b.chance(0.3))) for key in entity.keys]
    fields += [Field(b.name("q"), b.plain_type()) for _ in range(rng.randint(1, 3))]
    b.tag("request")
    body = ", ".join(f"{one.name}: {one.type}" for one in fields)
    b.add(name, f"## A request.\nrequest {name} {{ {body} }}", uses)
    names = [Ex(one.name, one.type, frozenset({name}), column=True) for one in fields]
    scope = [*names, Ex("t", TIMESTAMP)]
    asked = [
        found
        for _ in range(4)
        for found in (lookups.entity_lookup(b, scope), lookups.table_lookup(b, scope))
        if found is not None
    ]
    grown = grow(rng, [*scope, *asked, *asked, *literals(rng)], 20, b.tag)
    features = []
    for _ in range(rng.randint(1, b.size.features)):
        value = pick(rng, grown, lambda kind: kind.kind is not Kind.NULL)
        if value is not None:
            info = EntityInfo(name, ())
            features.append(feature_blocks.emit(b, info, value, f"features for {name}", {name}))
            b.tag("request.feature")
    direct = [
        found
        for _ in range(3)
        if (found := lookups.entity_lookup(b, names)) is not None and "(" not in found.text
    ]
    if direct:
        b.tag("request.lookup")
    view(b, name, fields, features, direct, request=True)


def entity_view(b: Builder, entity: EntityInfo) -> None:
    """Add the view of all features of ``entity``."""
    asked = [
        found
        for _ in range(2)
        if (found := lookups.entity_lookup(b, [Ex(k.name, k.type) for k in entity.keys]))
        is not None
        and found.text[0] != "("
        and found.depth <= 2
    ]
    view(b, entity.name, entity.keys, entity.features, asked if b.chance(0.2) else [])


def view(
    b: Builder,
    owner: str,
    fields: Sequence[Field],
    features: Sequence[Ex],
    direct: Sequence[Ex] = (),
    *,
    request: bool = False,
) -> None:
    """Add a view of ``features`` and of the lookups ``direct``, and a spine of questions for it."""
    view = b.name("view_")
    header = f"## The vector.\nview {view} for {owner}"
    outputs: list[tuple[str, Ex]] = [(one.text, one) for one in features]
    b.rng.shuffle(outputs)
    for one in fields[:1]:
        # Under its own name it would clash with the spine's column.
        if b.chance(0.3):
            alias = b.name("o")
            b.add(f"{view}/{alias}", f"{one.name} as {alias}", {owner}, header)
            b.tag("view.key")
    for text, one in outputs:
        alias = f" as {b.name('o')}" if b.chance(0.15) else ""
        if alias:
            b.tag("view.alias")
        b.add(f"{view}/{text}", text + alias, one.uses | {owner}, header)
    for one in direct:
        b.tag("view.lookup")
        alias = b.name("o")
        b.add(f"{view}/{alias}", f"{one.text} as {alias}", one.uses | {owner}, header)
    if any(piece.name.startswith(f"{view}/") for piece in b.pieces):
        b.spines[view] = _spine(b, fields, request)


def _spine(b: Builder, fields: Sequence[Field], request: bool) -> Data:
    rng = b.rng
    time = Field(SPINE_TIME, TIMESTAMP)
    found: list[tuple[Value, ...]] = []
    for _ in range(rng.choice((0, 1, b.size.spine, b.size.spine, b.size.spine))):
        if found and b.chance(0.12):
            found.append(rng.choice(found))
            b.tag("spine.duplicate")
            continue
        moment = rng.choice(b.times) + rng.choice((0, 0, 1, -1))
        moment += rng.choice((0, *b.ages, rng.choice(b.ages) + rng.choice(b.ages)))
        row: list[Value] = []
        for one in fields:
            loose = one.type if request else one.type.optional()
            is_key = not request or one.type.kind is Kind.KEY
            if not request and b.chance(0.92):
                loose = one.type
            cell = (
                b.key_value(loose)
                if is_key or (b.chance(0.4) and one.type.kind in (Kind.INT, Kind.STRING, Kind.DATE))
                else values.draw(rng, loose)
            )
            if cell is None and not request:
                b.tag("spine.null_key")
            row.append(cell)
        if request and found and b.chance(0.2):
            moment = found[-1][-1]  # two requests at one moment
        found.append((*row, moment))
    return Data((*fields, time), tuple(found))
