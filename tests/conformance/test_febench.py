"""The workloads of FEBench: on small generated data both engines give the same bits."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import astrafs
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.reference.interpreter import Interpreter, Question
from astrafs.typesys import Kind, Type
from tests.conformance.cases import FOLDER
from tests.parity import values
from tests.parity.compare import differences
from tests.parity.engines import output_table
from tests.parity.model import Data, Field
from tests.parity.values import BASE

WORKLOADS = sorted(FOLDER.glob("febench/*/workload.afs"))
ROWS, ASKED = 120, 60
STEP = 3_600_000_000
LATE = BASE + 400 * 24 * STEP
GAPS = (0, 0, 1, STEP, STEP + 1, 5 * STEP, 24 * STEP, 7 * 24 * STEP)
"""Many rows lie exactly on the edges of windows."""


def cell(rng: Random, type_: Type, name: str) -> Any:
    """Return a value; keys and the parts of keys come from small sets, so that rows meet."""
    if type_.nullable and rng.random() < 0.1:
        return None
    if type_.kind is Kind.KEY:
        return cell(rng, type_.parts[0], name)
    match type_.kind:
        case Kind.INT:
            return rng.randint(0, 3)
        case Kind.STRING:
            return f"{name[0]}{rng.randint(0, 2)}"
        case Kind.FLOAT:
            return rng.choice((0.0, 0.1, 0.2, 2.5, -1.0, rng.uniform(-5, 50)))
        case Kind.TIMESTAMP:
            return BASE + rng.randint(0, 3) * STEP
        case Kind.MAP:
            return tuple(
                (key, rng.uniform(0, 9)) for key in ("debts", "funds")[: rng.randint(0, 2)]
            )
        case _:
            return values.draw(rng, type_.required())


def rows_of(rng: Random, source: ir.Source) -> Data:
    """Return rows of a source: times close together and far apart, keys of sources unique."""
    fields = tuple(Field(column.name, column.type) for column in source.columns)
    at, found = BASE, []
    for number in range(ROWS):
        at += rng.choice(GAPS) // 4
        row = [cell(rng, field.type, field.name) for field in fields]
        for place, field in enumerate(fields):
            if field.name == source.time:
                row[place] = at
            elif not source.table and field.name in source.key:
                row[place] = number if field.type.kind is Kind.INT else f"r{number}"
        found.append(tuple(row))
    if source.static:  # one row a key
        found = list({row[0]: row for row in found}.values())
    rng.shuffle(found)
    return Data(fields, tuple(found))


def spine_of(rng: Random, entity: ir.Entity) -> Data:
    """Return questions, some at the very time of rows."""
    fields = (*(Field(key.name, key.type) for key in entity.keys), Field("t", Type(Kind.TIMESTAMP)))
    last = BASE + ROWS * 2 * STEP
    rows = tuple(
        (
            *(cell(rng, key.type, key.name) for key in entity.keys),
            rng.choice((BASE, last)) + rng.choice(GAPS) * rng.randint(0, 9),
        )
        for _ in range(ASKED)
    )
    return Data(fields, rows)


@pytest.mark.parametrize("path", WORKLOADS, ids=lambda path: path.parent.name)
def test_reference_and_duckdb_agree(path: Path, tmp_path: Path) -> None:
    (tmp_path / "workload.afs").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "data").mkdir()
    project = astrafs.load(tmp_path)
    assert list(project.diagnostics) == []
    program: Program | None = project.program
    assert program is not None
    rng = Random(path.parent.name)
    given: dict[str, list[dict[str, Any]]] = {}
    for source in program.plan.sources:
        data = rows_of(rng, source)
        pq.write_table(
            data.table(), tmp_path / "data" / f"{source.name.rpartition('.')[2]}.parquet"
        )
        names = [field.name for field in data.fields]
        given[source.name] = [dict(zip(names, row, strict=True)) for row in data.rows]
    (view,) = program.plan.views
    entity = next(one for one in program.plan.entities if one.name == view.entity)
    spine = spine_of(rng, entity)
    questions = [Question(tuple(keys), t) for *keys, t in spine.rows]
    answers = Interpreter(program.plan, given, LATE).view(view.name, questions)
    # The outputs may repeat fields of the request, which the spine would clash with.
    asked = spine.table().rename_columns([f"own_{field.name}" for field in spine.fields])
    keys = {key.name: f"own_{key.name}" for key in entity.keys}
    found = project.backfill(view.name, spine=asked, as_of=LATE, keys=keys, time="own_t")
    outputs = [output.name for output in view.outputs]
    expected = output_table(view, answers)
    assert differences(expected, found.select(outputs)) == []
    assert any(_said(expected.column(name)) for name in outputs)


def _said(column: pa.ChunkedArray) -> bool:
    return len(set(map(str, column.to_pylist()))) > 3


def test_there_are_six() -> None:
    assert [path.parent.name for path in WORKLOADS] == [f"q{number}" for number in range(6)]
