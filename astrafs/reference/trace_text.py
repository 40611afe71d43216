"""A trace as lines of text, and as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from astrafs.plan.text import timestamp_text
from astrafs.plan.values import value_text
from astrafs.reference.trace import Cell, Reading, Step, Verdict

_WIDEST_CELL = 40


def trace_lines(step: Step, indent: int = 0) -> list[str]:
    """Return a step, and below it, further in, what it reads."""
    pad = "  " * indent
    lines = [f"{pad}{_title(step)}"]
    if step.feature is not None and step.cut != "told above":
        lines.append(f"{pad}  = {step.text}")
    if step.cut:
        lines.append(f"{pad}  ({step.cut})")
    for part in step.parts:
        match part:
            case Step():
                lines += ["", *trace_lines(part, indent + 1)]
            case Reading():
                lines += ["", *reading_lines(part, indent + 1)]
    return lines


def _title(step: Step) -> str:
    name = step.text if step.feature is None else _feature_text(step)
    return f"{name} at {timestamp_text(step.t)} is {_outcome(step)}"


def _feature_text(step: Step) -> str:
    assert step.feature is not None
    keys = ", ".join(value_text(value, type_) for _, value, type_ in step.keys)
    entity, name = step.feature.entity.rsplit(".", 1)[-1], str(step.feature).rsplit(".", 1)[-1]
    return f"{entity}[{keys}].{name}"


def _outcome(found: Step | Reading) -> str:
    if found.problem:
        return f"an error: {found.problem}"
    return value_text(found.value, found.type)


def reading_lines(reading: Reading, indent: int) -> list[str]:
    """Return an aggregate or a lookup with a table of its rows."""
    pad = "  " * indent
    lines = [f"{pad}{_reading_title(reading)}"]
    inside, outside = reading.left_out
    rows = [f"{pad}  {line}" for line in _table(reading.verdicts)]
    if inside:
        first = next(at for at, verdict in enumerate(reading.verdicts) if verdict.inside)
        rows.insert(first, f"{pad}  {_count(inside, 'earlier row')} in, not shown")
    lines += rows
    if outside:
        lines.append(f"{pad}  {_count(outside, 'more row')} out, not shown")
    if reading.others:
        lines.append(f"{pad}  {_count(reading.others, 'row')} of other keys")
    if not reading.verdicts and not reading.others:
        lines.append(f"{pad}  no rows")
    return lines


def _reading_title(reading: Reading) -> str:
    rows = f" from {reading.rows}" if reading.window else ""
    return f"{reading.text}{rows} is {_outcome(reading)}"


def _table(verdicts: Sequence[Verdict]) -> list[str]:
    """Return one line per row: in or out, its time, its columns, the reason."""
    # A request that is a row has some of the columns only.
    names = list(dict.fromkeys(name for verdict in verdicts for name, _, _ in verdict.cells))
    shown = [{cell[0]: _cell(cell) for cell in verdict.cells} for verdict in verdicts]
    rows = [
        (
            "in " if verdict.inside else "out",
            "" if verdict.event is None else timestamp_text(verdict.event),
            *(cells.get(name, "") for name in names),
            verdict.reason,
        )
        for verdict, cells in zip(verdicts, shown, strict=True)
    ]
    if not rows:
        return []
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width
        ).rstrip()
        for row in rows
    ]


def _cell(cell: Cell) -> str:
    name, value, type_ = cell
    text = value_text(value, type_)
    return f"{name} {text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + '…'}"


def _count(number: int, words: str) -> str:
    return f"{number:,} {words}{'' if number == 1 else 's'}"


def trace_json(step: Step) -> dict[str, Any]:
    """Return a step as JSON values; values and times are texts as a program writes them."""
    found: dict[str, Any] = {
        "kind": "expression" if step.feature is None else "feature",
        "name": step.text if step.feature is None else str(step.feature),
        "key": _cells(step.keys),
        "t": timestamp_text(step.t),
        **_answer(step),
    }
    if step.feature is not None:
        found["expression"] = step.text
    if step.cut:
        found["cut"] = step.cut
    found["reads"] = [
        trace_json(part) if isinstance(part, Step) else _reading_json(part) for part in step.parts
    ]
    return found


def _reading_json(reading: Reading) -> dict[str, Any]:
    return {
        "kind": "aggregate" if reading.window else "lookup",
        "text": reading.text,
        "rows": reading.rows,
        **_answer(reading),
        "verdicts": [
            {
                "in": verdict.inside,
                "time": None if verdict.event is None else timestamp_text(verdict.event),
                "columns": _cells(verdict.cells),
                "reason": verdict.reason,
            }
            for verdict in reading.verdicts
        ],
        "other_keys": reading.others,
        "not_listed": {"in": reading.left_out[0], "out": reading.left_out[1]},
    }


def _answer(found: Step | Reading) -> dict[str, Any]:
    value = {"value": value_text(found.value, found.type), "type": str(found.type)}
    return {**value, "problem": found.problem} if found.problem else value


def _cells(cells: Iterable[Cell]) -> dict[str, str]:
    return {name: value_text(value, type_) for name, value, type_ in cells}
