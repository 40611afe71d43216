"""Random labels and datasets: spines of every kind, several labels, splits with the least gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from astrafs import driver
from astrafs.diagnostics.model import Sink
from astrafs.typesys import TIMESTAMP, Kind
from tests.parity import values
from tests.parity.expressions import Ex, grow, literals, pick
from tests.parity.generator import lookups, windows
from tests.parity.generator.builder import Builder, EntityInfo, Rows
from tests.parity.generator.features import by_clauses
from tests.parity.model import Case, Field
from tests.parity.values import duration_text

_UNLUCKY = {"AFS0503", "AFS0512", "AFS0513"}
"""The view is given what the spine's row does not know yet or the label, or it sees that row."""


def dataset(b: Builder) -> None:
    """Add a dataset over some view, if its spine can give what the view asks for."""
    rng = b.rng
    if not b.spines:
        return
    view = rng.choice(sorted(b.spines))
    owner = _owner(b, view)
    entity = next((one for one in b.entities if one.name == owner), None)
    found = _spine_of_entity(b, entity) if entity is not None else _spine_of_request(b, view)
    if found is None:
        return
    rows, by = found
    uses = {rows.name, *(piece.name for piece in b.pieces if piece.name.startswith(f"{view}/"))}
    lines, horizon = [], 0
    for _ in range(rng.choice((0, 1, 1, 2))):
        label = _label(b, rows)
        if label is not None:
            text, waits, used = label
            lines.append(f"  label {text} as {b.name('y')}")
            horizon = max(horizon, waits)
            uses |= used
    for text, waits in _columns(b, rows):
        lines.append(f"  label {text} as {b.name('y')}")
        horizon = max(horizon, waits)
    if b.chance(0.6):
        before = rng.choice(b.times) + rng.choice((0, 0, 1))
        start = before + horizon + rng.choice((0, 0, b.grain))
        texts = (values.literal(before, TIMESTAMP), values.literal(start, TIMESTAMP))
        lines.append(f"  split train before {texts[0]}, test from {texts[1]}")
        b.tag("dataset.split")
    b.tag("dataset")
    if rows.united:
        b.tag("dataset.union")
    name = b.name("d")
    body = "\n".join(lines)
    b.add(name, f"## Examples.\ndataset {name} view {view} spine {rows.name}{by}\n{body}", uses)


def _owner(b: Builder, view: str) -> str:
    block = next(piece.block for piece in b.pieces if piece.name.startswith(f"{view}/"))
    return block.rsplit(" ", 1)[-1]


def _spine_of_entity(b: Builder, entity: EntityInfo) -> tuple[Rows, str] | None:
    choices = [(rows, clause) for rows in b.rows for clause in by_clauses(rows, entity)]
    return b.rng.choice(choices) if choices else None


def _spine_of_request(b: Builder, view: str) -> tuple[Rows, str] | None:
    """Return a stream that computes the fields of the view's request."""
    rng = b.rng
    fields = b.spines[view].fields[:-1]
    whole = [rows for rows in b.rows if _has_all(rows, fields)]
    if whole:
        b.tag("dataset.row_request")
        return rng.choice(whole), ""
    base = rng.choice(b.rows)
    taken = {one.text for one in base.columns}
    if taken & {field.name for field in fields}:
        return None
    pool = [replace(one, uses=frozenset({base.name})) for one in base.columns]
    uses = {base.name}
    lines = []
    for field in fields:
        value = None
        if field.type.kind is Kind.KEY:
            value = lookups.key_expression(b, field.type.required(), pool)
        else:
            grown = grow(rng, [*pool, *literals(rng)], 10, b.tag)
            value = pick(
                rng, grown, lambda made, kind=field.type: made.required() == kind.required()
            )
        if value is None or (value.type.nullable and not field.type.nullable):
            if not field.type.nullable:
                return None
            value = Ex("null", field.type)
        uses |= value.uses
        if field.type.entity:
            uses.add(field.type.entity.rsplit(".", 1)[-1])
        lines.append(f"  {field.name}: {field.type} = {value.text}")
    name = b.name("r")
    body = "\n".join(lines)
    b.add(name, f"## With fields.\nstream {name} from {base.name} {{\n{body}\n}}", uses)
    b.tag("dataset.request")
    made = [Ex(one.name, one.type, frozenset({name}), column=True) for one in fields]
    columns = [replace(one, uses=frozenset({name})) for one in base.columns]
    return replace(base, name=name, columns=(*columns, *made), moved=True), ""


def _has_all(rows: Rows, fields: Sequence[Field]) -> bool:
    types = {one.text: one.type for one in rows.columns}
    return all(
        field.name in types and types[field.name] in (field.type, field.type.required())
        for field in fields
    )


def _columns(b: Builder, rows: Rows) -> list[tuple[str, int]]:
    """Return columns of the spine that may be labels, each with when it has settled."""
    found: list[tuple[str, int]] = []
    if rows.settling and b.chance(0.8):
        b.tag("dataset.settling")
        found.append((rows.settling[0][0].text, rows.settling[0][1]))
    if rows.late and b.chance(0.8):
        b.tag("dataset.known")
        found.append((rows.late[0][0].text, 0))
    plain = [one for one in rows.columns if one.type.kind is not Kind.KEY and one.column]
    plain = [one for one in plain if one.text not in ("landed",)]
    if plain and b.chance(0.3):
        b.tag("dataset.column")
        found.append((b.rng.choice(plain).text, 0))
    return found


def _label(b: Builder, spine: Rows) -> tuple[str, int, set[str]] | None:
    """Declare a label, and return its lookup from a row of ``spine``, how long it waits, and what
    it uses.
    """
    rng = b.rng
    choices = [
        (rows, entity, clause)
        for rows in b.rows
        for entity in b.entities
        for clause in by_clauses(rows, entity)
    ]
    rows, entity, by = rng.choice(choices)
    key = _key(b, spine, entity)
    if key is None:
        return None
    text, reach = _window(b, rows)
    settled: tuple[Ex, ...] = ()
    waits = rows.delay
    if rows.settling and b.chance(0.4):
        settled, waits = (rows.settling[0][0],), max(waits, rows.settling[0][1])
        b.tag("label.settling")
    value = windows.aggregate(b, rows, text, settled)
    if value is None:
        return None
    name = b.name("l")
    full = f"{entity.name}.{name}"
    header = f"labels for {entity.name} from {rows.name}{by}"
    uses = value.uses | {entity.name, rows.name}
    b.add(full, f"## A label.\n{name}: {value.type} = {value.text}", uses, header)
    b.tag("label")
    if b.chance(0.2):
        other = b.name("l")
        b.add(
            f"{entity.name}.{other}",
            f"## Another label.\n{other}: bool = {name} is null",
            {full, entity.name},
            f"labels for {entity.name}",
        )
        name, full = other, f"{entity.name}.{other}"
        b.tag("label.label")
    parts = ", ".join(one.text for one in key)
    used = {full, entity.name, *(name for one in key for name in one.uses)}
    return f"{entity.name}[{parts}].{name}", reach + waits, used


def _key(b: Builder, spine: Rows, entity: EntityInfo) -> list[Ex] | None:
    if not entity.keys:
        return []
    pool = [replace(one, uses=frozenset({spine.name})) for one in spine.columns]
    if len(entity.keys) == 1:
        found = lookups.key_expression(b, entity.type, pool)
        return None if found is None or found.depth > 2 else [found]
    given = [columns for name, columns in spine.composite if name == entity.name]
    return list(given[0]) if given else None


def _window(b: Builder, rows: Rows) -> tuple[str, int]:
    """Return a window of a label, and how far past t it reaches."""
    far = b.span()
    b.ages.append(-far)
    roll = b.rng.random()
    if roll < 0.4:
        b.tag("label.next")
        return f"next {duration_text(far)}", far
    if roll < 0.6:
        b.tag("label.edges")
        back = b.rng.choice((0, b.span()))
        left, right = b.rng.choice("[("), b.rng.choice("])")
        return f"{left}{duration_text(back)}, -{duration_text(far)}{right}", far
    if roll < 0.75:
        b.tag("label.next_offset")
        later = b.span()
        return f"next {duration_text(far)} offset {duration_text(later)}", far + later
    b.tag("label.past")
    return f"{duration_text(far + rows.delay)}", 0


def accepted(case: Case) -> Case:
    """Return ``case`` without its dataset where chance made one that leaks."""
    sets = {piece.name for piece in case.pieces if "\ndataset " in piece.text}
    if not sets:
        return case
    sink = Sink()
    driver.compile_project(case.files(), sink)
    codes = {found.code.id for found in sink if found.is_error}
    if not codes or codes - _UNLUCKY:
        return case
    return replace(case.without(sets), tags=frozenset(t for t in case.tags if "dataset" not in t))
