"""Random entities, sources and tables, and the rows that fill them."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.typesys import BOOL, DATE, INT, STRING, TIMESTAMP, Kind, Type
from tests.parity import values
from tests.parity.expressions import Ex
from tests.parity.generator.builder import Builder, EntityInfo, Rows, TableInfo
from tests.parity.model import Data, Field, Value
from tests.parity.values import duration_text


def entity(b: Builder) -> None:
    """Declare an entity."""
    rng = b.rng
    name = f"E{len(b.entities)}"
    roll = rng.random()
    if roll < 0.55:
        kinds = [rng.choice((INT, INT, STRING, STRING, DATE))]
        b.tag("entity.single")
    elif roll < 0.95:
        kinds = list(
            rng.choice(
                ((INT, INT), (STRING, STRING), (INT, STRING), (STRING, INT, STRING), (DATE, INT))
            )
        )
        b.tag("entity.composite")
    else:
        kinds = []
        b.tag("entity.global")
    keys = tuple(Field(f"k{len(b.entities)}_{index}", kind) for index, kind in enumerate(kinds))
    b.entities.append(EntityInfo(name, keys))
    listed = ", ".join(f"{key.name}: {key.type}" for key in keys)
    b.add(name, f"## Entity.\nentity {name} {{ {listed} }}", ())


def source(b: Builder) -> None:
    """Declare a source with columns for some entities and fill it."""
    rng = b.rng
    name = b.name("s")
    columns: list[tuple[Field, str]] = []
    usable: list[Ex] = []
    keys: dict[str, tuple[str, ...]] = {}
    uses: set[str] = set()
    composite: list[tuple[str, tuple[Ex, ...]]] = []

    identity = _identity(b, columns)
    for entity in b.entities:
        if b.chance(0.8) or (entity is b.entities[0]):
            uses.add(entity.name)
            composite += _entity_columns(b, entity, columns, keys)
    usable += [Ex(f.name, f.type, frozenset({name}), column=True) for f, _ in columns]
    for _ in range(rng.randint(1, 4)):
        column = Field(b.name("v"), b.plain_type())
        columns.append((column, ""))
        usable.append(Ex(column.name, column.type, frozenset({name}), column=True))

    settling: list[tuple[Ex, int]] = []
    if b.chance(0.25):
        column = Field(b.name("v"), b.plain_type())
        age = b.span()
        columns.append((column, f" settles {duration_text(age)}"))
        settling.append((Ex(column.name, column.type, frozenset({name}), column=True), age))
        b.tag("column.settles")
    late: list[tuple[Ex, str]] = []
    landed = Field("landed", TIMESTAMP.with_null(b.chance(0.6)))
    if b.chance(0.4):
        columns.append((landed, ""))
        usable.append(Ex("landed", landed.type, frozenset({name}), column=True))
        if b.chance(0.6):
            column = Field(b.name("v"), b.plain_type().optional())
            columns.append((column, " known landed"))
            late.append((Ex(column.name, column.type, frozenset({name}), column=True), "landed"))
            b.tag("column.known")

    time = Field("at", TIMESTAMP)
    columns.append((time, ""))
    usable.append(Ex("at", TIMESTAMP, frozenset({name}), column=True))
    clauses = [f"key {', '.join(identity)}", "time at"]
    ahead, delay, bounded = False, 0, None
    roll = rng.random()
    seen = ""
    if roll < 0.35:
        seen = "seen"
        columns.append((Field("seen", TIMESTAMP), ""))
        ahead = b.chance(0.35)
        clauses.append("known seen ahead" if ahead else "known seen")
        b.tag("source.ahead" if ahead else "source.known")
    elif roll < 0.6:
        delay = rng.choice((b.grain, 2 * b.grain, max(1, b.grain // 2)))
        b.ages.append(delay)
        clauses.append(f"delay {duration_text(delay)}")
        b.tag("source.delay")
    else:
        b.tag("source.plain")
    revised = b.chance(0.2)
    if revised:
        columns.append((Field("gone", BOOL.with_null(b.chance(0.5))), ""))
        deleted = b.chance(0.8)
        clauses.append("revisions deleted gone" if deleted else "revisions")
        b.tag("source.deleted" if deleted else "source.revisions")
    if b.chance(0.08):
        bounded = 400 * b.grain
        clauses.append(f"retention {duration_text(bounded)}")
        b.tag("source.retention")

    rng.shuffle(clauses)
    rng.shuffle(columns)
    body = [f"  {column.name}: {column.type}{tail}" for column, tail in columns]
    if b.chance(0.25):
        column = rng.choice([one for one in usable if not one.type.nullable])
        body.append(f"  expect {column.text} == {column.text} or {column.text} is null")
        b.tag("source.expect")
    fields = tuple(column for column, _ in columns)
    b.relations[name] = Data(fields, _event_rows(b, fields, identity, seen, ahead, revised))
    text = f'## Rows.\nsource {name} from parquet("{name}/*.parquet") {" ".join(clauses)} {{\n'
    b.add(name, text + "\n".join(body) + "\n}", uses)
    b.rows.append(
        Rows(
            name,
            tuple(usable),
            keys,
            name,
            ahead,
            tuple(settling),
            tuple(late),
            delay,
            bounded,
            tuple(composite),
        )
    )


def _identity(b: Builder, columns: list[tuple[Field, str]]) -> list[str]:
    if b.chance(0.2):
        b.tag("source.composite_key")
        columns += [(Field("id_a", STRING), ""), (Field("id_b", INT), "")]
        return ["id_a", "id_b"]
    columns.append((Field("id", b.rng.choice((INT, STRING))), ""))
    return ["id"]


def _entity_columns(
    b: Builder,
    entity: EntityInfo,
    columns: list[tuple[Field, str]],
    keys: dict[str, tuple[str, ...]],
) -> list[tuple[str, tuple[Ex, ...]]]:
    rng = b.rng
    nullable = b.chance(0.4)
    if nullable and entity.keys:
        b.tag("key.nullable")
    if not entity.keys:
        keys[entity.name] = ("",)
        return []
    if len(entity.keys) == 1:
        kind = entity.type.with_null(nullable)
        names = [b.name("e") for _ in range(2 if b.chance(0.25) else 1)]
        columns += [(Field(name, kind), "") for name in names]
        return []
    parts = [
        Field(key.name, key.type.with_null(nullable and rng.random() < 0.7)) for key in entity.keys
    ]
    if b.chance(0.25):
        parts = [Field(b.name("e"), part.type) for part in parts]
        keys[entity.name] = (" by " + ", ".join(part.name for part in parts),)
        b.tag("features.by_composite")
    else:
        keys[entity.name] = ("",)
        b.tag("features.by_names")
    columns += [(part, "") for part in parts]
    return [(entity.name, tuple(Ex(p.name, p.type, column=True) for p in parts))]


def _event_rows(
    b: Builder,
    fields: Sequence[Field],
    identity: Sequence[str],
    seen: str,
    ahead: bool,
    revised: bool,
) -> list[tuple[Value, ...]]:
    rng = b.rng
    count = rng.choice((0, 1, 3, b.size.rows, b.size.rows, b.size.rows))
    if not count:
        b.tag("data.empty")
    numbers = list(range(count))
    if revised:  # a third as many events, so that most have several revisions
        numbers = [number // 3 if b.chance(0.8) else number for number in numbers]
    rng.shuffle(numbers)
    found = []
    for number in numbers:
        row: dict[str, Value] = {}
        at = b.moment()
        for column in fields:
            if column.name in identity:
                row[column.name] = _identity_value(column, number)
            elif column.type.kind is Kind.KEY or column.name.startswith(("k", "e")):
                row[column.name] = b.key_value(column.type)
            elif column.name == "at":
                row["at"] = at
            elif column.name == "landed":
                late = rng.choice((0, 0, 1, 2, 5)) * b.grain
                gone = column.type.nullable and rng.random() < 0.25
                row["landed"] = None if gone else at + late + rng.choice((0, 0, 0, 1))
            elif column.name == seen:
                lag = rng.choice((0, 0, 0, 1, 2, 6, 20)) * b.grain + rng.choice((0, 0, 1))
                row[seen] = at - lag if ahead and rng.random() < 0.7 else at + lag
            else:
                row[column.name] = values.draw(rng, column.type, wild=b.wild)
        b.times += [value for name in ("at", "landed", seen) if (value := row.get(name))]  # type: ignore[misc]
        found.append(tuple(row[column.name] for column in fields))
        if revised and b.chance(0.1):
            found.append(found[-1])
    return found


def _identity_value(column: Field, number: int) -> Value:
    if column.name == "id_a":
        return ("a", "b", "ab")[number % 3]
    if column.name == "id_b":
        return number // 3
    # Text keys order by their bytes, not as numbers: "10" before "9".
    return str(number) if column.type.kind is Kind.STRING else number


def table(b: Builder) -> None:
    """Declare a changelog or static table and fill it, with equal times and revisions."""
    rng = b.rng
    name = b.name("b")
    kinds = [_table_key(b) for _ in range(rng.choice((1, 1, 2)))]
    keys = [Field(f"x{index}", kind) for index, kind in enumerate(kinds)]
    uses = {entity.name for entity in b.entities for kind in kinds if entity.type == kind}
    extra = [Field(b.name("v"), b.plain_type()) for _ in range(rng.randint(1, 3))]
    static = b.chance(0.25)
    fields = [*keys, *extra]
    clauses = [f"key {', '.join(key.name for key in keys)}"]
    seen, delay, max_age = "", 0, 2**62
    if static:
        clauses.append('static "It never changes."')
        b.tag("table.static")
    else:
        fields.append(Field("at", TIMESTAMP))
        clauses.append("time at")
        roll = rng.random()
        if roll < 0.4:
            seen = "seen"
            fields.append(Field("seen", TIMESTAMP))
            clauses.append("known seen")
            b.tag("table.known")
        elif roll < 0.6:
            delay = b.grain
            clauses.append(f"delay {duration_text(delay)}")
            b.ages.append(b.grain)
            b.tag("table.delay")
        else:
            b.tag("table.plain")
        if b.chance(0.3):
            max_age = b.span() + delay
            clauses.append(f"max_age {duration_text(max_age)}")
            b.tag("table.max_age")
    rng.shuffle(clauses)
    rng.shuffle(fields)
    rows = _table_rows(b, fields, [key.name for key in keys], seen, static)
    b.relations[name] = Data(tuple(fields), rows)
    body = "\n".join(f"  {column.name}: {column.type}" for column in fields)
    text = f'## State.\ntable {name} from csv("{name}.csv") {" ".join(clauses)} {{\n{body}\n}}'
    text = text.replace(f'csv("{name}.csv")', f'parquet("{name}/*.parquet")')
    b.add(name, text, uses)
    columns = tuple(
        Ex(column.name, column.type, frozenset({name}))
        for column in fields
        if column.name not in ("at", "seen")
    )
    b.tables.append(TableInfo(name, tuple(kinds), columns, static, delay, max_age))


def _table_key(b: Builder) -> Type:
    singles = [entity.type for entity in b.entities if len(entity.keys) == 1]
    return b.rng.choice((INT, STRING, DATE, *singles))


def _table_rows(
    b: Builder, fields: Sequence[Field], keys: Sequence[str], seen: str, static: bool
) -> tuple[tuple[Value, ...], ...]:
    rng = b.rng
    rows: dict[tuple[Value, ...], tuple[Value, ...]] = {}
    for _ in range(rng.choice((0, 2, b.size.rows // 2, b.size.rows))):
        at = b.moment()
        row: dict[str, Value] = {}
        for column in fields:
            if column.name in keys:
                row[column.name] = b.key_value(column.type)
            elif column.name == "at":
                row["at"] = at
            elif column.name == "seen":
                row["seen"] = at + rng.choice((0, 0, 0, 1, 3)) * b.grain
            else:
                row[column.name] = values.draw(rng, column.type)
        unique = tuple(row[key] for key in keys)
        if not static:
            b.times.append(at)
            unique = (len(rows),)
            if rows and b.chance(0.2):
                row["at"] = b.moment()
        if seen and isinstance(row["seen"], int) and isinstance(row["at"], int):
            row["seen"] = max(row["seen"], row["at"])
        rows[unique] = tuple(row[column.name] for column in fields)
    return tuple(rows.values())
