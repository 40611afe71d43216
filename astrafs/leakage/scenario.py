"""Writes the rows of a counterexample as a ``test`` block, to keep beside the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from astrafs.diagnostics.model import Example
from astrafs.leakage.evaluate import UnknownValueError, value_of
from astrafs.leakage.values import NOW, Found, Scene, plain_values
from astrafs.plan import ir
from astrafs.plan.text import aggregate_text, literal_text, timestamp_text
from astrafs.record import dataclass
from astrafs.typesys import Kind, Type


@dataclass(frozen=True, slots=True)
class Scenario:
    """Rows of one source as the files hold them in training, and what an aggregate over them is:
    ``before`` when served at ``NOW`` (``expected`` as a program writes it), ``after`` in the
    training set (empty where not known).
    """

    source: ir.Source
    rows: tuple[Mapping[str, Any], ...]
    expr: ir.Aggregate
    before: str = ""
    after: str = ""
    expected: str = ""


def scenario(
    scene: Scene,
    at: Sequence[int],
    found: Found | None,
    column: ir.SourceColumn | None = None,
    known: Sequence[int] = (),
) -> Scenario:
    """Return the rows at the moments ``at``, of which the last one's ``column`` is told apart.

    ``known`` are the moments at which ``column`` becomes known in each.
    """
    source = scene.times.source
    values = found.values if found else plain_values(source)
    rows: list[dict[str, Any]] = [dict(values) for _ in at]
    if column is not None and found is not None:
        rows[-1][column.name] = found.second
    for number, (row, moment) in enumerate(zip(rows, at, strict=True), start=1):
        row[source.time] = NOW + moment
        if isinstance(source.knowledge, ir.KnownColumn) and not source.ahead:
            row[source.knowledge.column] = NOW + moment
        if known and column is not None:
            row[column.known_at] = NOW + known[number - 1]
        _tell_apart(source, row, number)
    outcome = (found.before, found.after, found.expected) if found else ()
    return Scenario(source, tuple(rows), scene.expr, *outcome)


def _tell_apart(source: ir.Source, row: dict[str, Any], number: int) -> None:
    """Give a row a key of its own, in the last column of the key that can be changed."""
    for name in reversed(source.key):
        if type(row.get(name)) is int and name != source.time:
            row[name] = number
            return
        if isinstance(row.get(name), str):
            row[name] = f"row {number}"
            return


def example(title: str, found: Scenario, plan: ir.Plan) -> Example:
    """Return the ``test`` block of ``found``; it expects what serving gives."""
    name = found.source.name.rpartition(".")[2]
    types = {column.name: column for column in found.source.columns}
    uses = [found.source.name]
    lines = [f'test "{_plain(title)}" {{', f"  {name} {{"]
    for row in found.rows:
        cells = [
            f"{column}: {_cell(row[column], types[column])}"
            for column in types
            if row.get(column) is not None and _has_literals(types[column].type)
        ]
        lines.append(f"    {{ {', '.join(cells)} }}")
    lines.append("  }")
    told = aggregate_text(found.expr)
    if found.before:
        lines.append(f"  # {told} is {found.before} when served, {found.after} in the training set")
    question = _question(found, plan)
    if question is not None and found.before:
        entity, text = question
        uses.append(entity)
        lines.append(f"  expect {text} at {timestamp_text(NOW)} == {found.expected}")
    elif question is not None:
        lines.append(f"  # say what is right: expect {question[1]} at {timestamp_text(NOW)} == ...")
    lines.append("}")
    return Example(tuple(uses), "\n".join(lines) + "\n")


def _question(found: Scenario, plan: ir.Plan) -> tuple[str, str] | None:
    """Return the entity, and how the feature that is just this aggregate is asked for."""
    feature = next((one for one in plan.features if one.expression is found.expr), None)
    if feature is None or found.expr.match:
        return None
    try:
        keys = [literal_text(value_of(key, found.rows[-1]), key.type) for key in found.expr.keys]
    except UnknownValueError:
        return None
    if "null" in keys:
        return None
    entity = feature.id.entity
    version = "" if feature.id.version == 1 else f"@{feature.id.version}"
    return entity, f"{entity.rpartition('.')[2]}[{', '.join(keys)}].{feature.id.name}{version}"


def _has_literals(type_: Type) -> bool:
    """Whether a program can write values of the type; a test leaves out columns of others."""
    return type_.kind is not Kind.BYTES and all(map(_has_literals, type_.parts))


def _cell(value: Any, column: ir.SourceColumn) -> str:
    if isinstance(value, Decimal) and column.type.kind is Kind.DECIMAL:
        return f"{value:f}"
    return literal_text(value, column.type)


def _plain(title: str) -> str:
    return title.replace("`", "").replace("\\", "\\\\").replace('"', '\\"')
