"""The questions that every feature system must answer: this one's answers, run on both engines.

Each file of ``questions/`` is one question: prose, a program, its files, a spine, and the answers
(or the error). ``docs/language/questions.md`` points to them. Those of ``semantics/`` go through
the rules of the language sentence by sentence, with answers worked out by hand.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

import astrafs
from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.driver import compile_project
from astrafs.plan.program import Program
from astrafs.reference.interpreter import Interpreter, Question
from astrafs.source import SourceFile
from astrafs.typesys import Kind, Type
from astrafs.values.vectors import singles

FOLDER = Path(__file__).resolve().parent / "questions"
SEMANTICS = FOLDER.with_name("semantics")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "language" / "questions.md"
FENCE = re.compile(r"^```(\S+)(?: as_of=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATE = "2200-01-01T00:00:00Z"
SUFFIXES = {"unix:s": 1_000_000, "unix:ms": 1_000, "unix:us": 1}


@dataclass(frozen=True, slots=True)
class Golden:
    """One question: the program, its files by name, the cutoff, and the answers or the error."""

    program: str
    files: dict[str, str]
    as_of: str
    answers: str | None
    error: str | None


def read(path: Path) -> Golden:
    """Read a question file."""
    found = {name: (body, as_of) for name, as_of, body in FENCE.findall(path.read_text("utf-8"))}
    files = {
        name: body
        for name, (body, _) in found.items()
        if name.endswith(".csv") and name != "answers.csv"
    }
    as_of = found.get("spine.csv", ("", ""))[1] or LATE
    answers, error = found.get("answers.csv"), found.get("error")
    return Golden(
        found["afs"][0],
        files,
        as_of,
        answers[0] if answers else None,
        error[0].strip() if error else None,
    )


def compiled(golden: Golden) -> tuple[Program | None, Sink]:
    """Compile the program of a question."""
    sink = Sink()
    return compile_project((SourceFile("q.afs", golden.program),), sink), sink


def lines(text: str) -> list[dict[str, str]]:
    """Read CSV text with a header."""
    return list(csv.DictReader(io.StringIO(text)))


def micros(text: str, zone: str = "UTC") -> int:
    """Read an ISO time as microseconds since 1970; a zoneless one is a clock time in ``zone``."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    delta = moment.astimezone(UTC) - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def value(text: str, type_: Type, zone: str = "") -> Any:
    """Read one cell the way the reference interpreter wants it; an empty cell is null."""
    if text == "":
        return None
    match type_.kind:
        case Kind.INT:
            return int(text)
        case Kind.FLOAT:
            return float(text)
        case Kind.DECIMAL:
            return Decimal(text)
        case Kind.BOOL:
            return text == "true"
        case Kind.TIMESTAMP:
            return int(text) * SUFFIXES[zone] if zone in SUFFIXES else micros(text, zone or "UTC")
        case Kind.DATE:
            return (date.fromisoformat(text) - EPOCH.date()).days
        case Kind.KEY:
            return value(text, type_.parts[0], zone)
        case Kind.LIST | Kind.MAP | Kind.VECTOR:
            return nested(json.loads(text), type_, zone)
        case _:
            return text


def nested(found: Any, type_: Type, zone: str) -> Any:
    """Read a list, map or vector from what JSON holds."""
    match type_.kind:
        case _ if found is None:
            return None
        case Kind.LIST:
            return tuple(nested(item, type_.parts[0], zone) for item in found)
        case Kind.MAP:
            key, part = type_.parts
            pairs = ((value(k, key, zone), nested(v, part, zone)) for k, v in found.items())
            return tuple(sorted(pairs))
        case Kind.VECTOR:
            return singles(found)
        case Kind.STRING:
            return found
        case _:
            return value(json.dumps(found).strip('"'), type_, zone)


def arrow_type(type_: Type) -> pa.DataType:
    """The type of a spine column."""
    match type_.kind:
        case Kind.INT:
            return pa.int64()
        case Kind.FLOAT:
            return pa.float64()
        case Kind.TIMESTAMP:
            return pa.timestamp("us", "UTC")
        case Kind.KEY:
            return arrow_type(type_.parts[0])
        case Kind.BOOL:
            return pa.bool_()
        case Kind.DECIMAL:
            return pa.decimal128(type_.precision, type_.scale)
        case Kind.DATE:
            return pa.date32()
        case _:
            return pa.string()


def cell_of(cell: Any, type_: Type) -> Any:
    """A value of the reference interpreter as Arrow gives it."""
    match type_.kind:
        case _ if cell is None:
            return None
        case Kind.LIST:
            return [cell_of(item, type_.parts[0]) for item in cell]
        case Kind.MAP:
            return [tuple(map(cell_of, pair, type_.parts)) for pair in cell]
        case Kind.VECTOR:
            return list(cell)
        case Kind.TIMESTAMP:
            return EPOCH + timedelta(microseconds=cell)
        case Kind.DATE:
            return EPOCH.date() + timedelta(days=cell)
        case Kind.DURATION:
            return timedelta(microseconds=cell)
        case _:
            return cell


def shown(cell: Any) -> str:
    """Print a value the way the answers write it."""
    match cell:
        case None:
            return "null"
        case bool():
            return str(cell).lower()
        case datetime():
            return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case list() if cell and isinstance(cell[0], tuple):
            return "{" + " ".join(f"{shown(key)}: {shown(item)}" for key, item in cell) + "}"
        case list():
            return "[" + " ".join(map(shown, cell)) + "]"
        case _:
            return str(cell)


def table(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    """Print answers as the golden file has them."""
    body = [",".join(map(shown, row)) for row in rows]
    return "\n".join([",".join(columns), *body]) + "\n"


def spine_of(golden: Golden, program: Program) -> pa.Table:
    """The spine as an Arrow table."""
    (view,) = program.plan.views
    entity = next(one for one in program.plan.entities if one.name == view.entity)
    types = {field.name: field.type for field in entity.keys}
    asked = lines(golden.files["spine.csv"])
    columns: dict[str, pa.Array] = {}
    for name in asked[0]:
        cells = [row[name] or None for row in asked]
        if name == "t":
            times = [micros(cell) for cell in cells if cell]
            columns[name] = pa.array(times, pa.int64()).cast(pa.timestamp("us", "UTC"))
        else:
            type_ = types.get(name)
            given = pa.array(cells, pa.string())
            columns[name] = given.cast(arrow_type(type_)) if type_ else given
    return pa.table(columns)


QUESTIONS = sorted(FOLDER.glob("*.md"))
ALL = QUESTIONS + sorted(SEMANTICS.glob("*.md"))
ANSWERED = [path for path in ALL if read(path).answers is not None]
FAILING = [path for path in ALL if read(path).error is not None]


@pytest.mark.parametrize("path", ANSWERED, ids=lambda path: path.stem)
def test_reference(path: Path) -> None:
    golden = read(path)
    program, sink = compiled(golden)
    assert not sink.has_errors, list(sink)
    assert program is not None
    data = {}
    for source in program.plan.sources:
        name = source.name.rsplit(".", 1)[-1]
        data[source.name] = [
            {
                column.name: value(row[column.physical or column.name], column.type, column.zone)
                for column in source.columns
            }
            for row in lines(golden.files[f"{name}.csv"])
        ]
    (view,) = program.plan.views
    entity = next(one for one in program.plan.entities if one.name == view.entity)
    questions = [
        Question(
            tuple(value(row[key.name], key.type) for key in entity.keys),
            micros(row["t"]),
        )
        for row in lines(golden.files["spine.csv"])
    ]
    found = Interpreter(program.plan, data, micros(golden.as_of)).view(view.name, questions)
    types = [out.type for out in view.outputs]
    rows = [
        tuple(cell_of(cell, type_) for cell, type_ in zip(row, types, strict=True)) for row in found
    ]
    assert table([out.name for out in view.outputs], rows) == golden.answers


@pytest.mark.parametrize("path", ANSWERED, ids=lambda path: path.stem)
def test_duckdb(path: Path, tmp_path: Path) -> None:
    golden = read(path)
    program, _ = compiled(golden)
    assert program is not None
    result = backfill(golden, program, tmp_path)
    spine = spine_of(golden, program)
    assert result.select(spine.column_names).to_pylist() == spine.to_pylist()
    columns = [name for name in result.column_names if name not in spine.column_names]
    rows = [tuple(row.values()) for row in result.select(columns).to_pylist()]
    assert table(columns, rows) == golden.answers


@pytest.mark.parametrize("path", FAILING, ids=lambda path: path.stem)
def test_error(path: Path, tmp_path: Path) -> None:
    golden = read(path)
    program, sink = compiled(golden)
    errors = [found for found in sink if found.is_error]
    if not errors:
        assert program is not None
        with pytest.raises(AstrafsError) as caught:
            backfill(golden, program, tmp_path)
        errors = list(caught.value.diagnostics)
    assert [f"{found.code.id}: {found.title}" for found in errors] == [golden.error]


def backfill(golden: Golden, program: Program, folder: Path) -> pa.Table:
    """Write the files of a question and run it on DuckDB."""
    (folder / "q.afs").write_text(golden.program, encoding="utf-8")
    for name, body in golden.files.items():
        (folder / name).write_text(body, encoding="utf-8")
    view = program.plan.views[0].name.rsplit(".", 1)[-1]
    project = astrafs.load(folder)
    return project.backfill(view, spine=spine_of(golden, program), as_of=golden.as_of)


def test_every_question_has_its_place_in_the_docs() -> None:
    linked = re.findall(r"tests/golden/questions/([a-z-]+)\.md", PAGE.read_text("utf-8"))
    assert sorted(linked) == [path.stem for path in QUESTIONS]
