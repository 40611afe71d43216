"""Run a case on the reference interpreter, from the same files that DuckDB reads."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.reference.datasets import evaluate_dataset
from astrafs.reference.interpreter import Interpreter, Question
from astrafs.runtime.result import arrow_type
from astrafs.source import SourceFile
from astrafs.typesys import Kind, Type
from tests.conformance.cases import Case

UNITS = {"unix:s": 1_000_000, "unix:ms": 1_000, "unix:us": 1}
FOREVER = 1 << 62


def compiled(case: Case) -> Program:
    """Compile the program of ``case``, which has no mistakes."""
    sink = Sink()
    program = compile_project((SourceFile("case.afs", case.program),), sink)
    assert program is not None
    assert not list(sink)
    return program


def answers(case: Case, program: Program, limit: int) -> pa.Table:
    """Return the first rows of the spine and their outputs, by the interpreter.

    There are as many as it answers with about ``limit`` visits of a row, and at least one.
    """
    (view,) = program.plan.views
    entity = next(one for one in program.plan.entities if one.name == view.entity)
    data = data_of(case, program)
    visits = sum(map(len, data.values())) * len(view.outputs)
    spine = case.spine.slice(0, max(1, limit // max(1, visits)))
    asked = (*entity.keys, ir.Field("t", Type(Kind.TIMESTAMP)))
    columns = [column(spine, field.name, field.type, "") for field in asked]
    questions = [Question(tuple(row[:-1]), row[-1]) for row in zip(*columns, strict=True)]
    found = Interpreter(program.plan, data, FOREVER).view(view.name, questions)
    result = spine
    for index, output in enumerate(view.outputs):
        cells = [shown(row[index], output.type) for row in found]
        nested = arrow_type(output.type) if output.type.is_nested else None
        result = result.append_column(output.name, pa.array(cells, nested))
    return result


def examples(case: Case, program: Program) -> pa.Table:
    """Return the columns of the case's dataset, by the interpreter."""
    (dataset,) = program.plan.datasets
    (view,) = program.plan.views
    found = evaluate_dataset(program.plan, dataset.name, data_of(case, program), FOREVER)
    rows = [(*one.columns, *one.outputs, *one.labels) for one in found]
    columns = (*dataset.columns, *view.outputs, *dataset.labels)
    return pa.table(
        {
            one.name: pa.array([shown(row[place], one.type) for row in rows])
            for place, one in enumerate(columns)
        }
    )


def data_of(case: Case, program: Program) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every source, as the interpreter takes them."""
    found = {}
    for source in program.plan.sources:
        patterns = program.bindings[source.name].patterns
        table = pa.concat_tables(pq.read_table(case.folder / pattern) for pattern in patterns)
        columns = {
            one.name: column(table, one.physical or one.name, one.type, one.zone)
            for one in source.columns
        }
        found[source.name] = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
    return found


def column(table: pa.Table, name: str, type_: Type, zone: str) -> list[Any]:
    """Return a column's values: times in microseconds, dates in days."""
    cells = table[name]
    kind = type_.parts[0].kind if type_.kind is Kind.KEY else type_.kind
    if kind is Kind.TIMESTAMP:
        if zone in UNITS:
            return [None if cell is None else cell * UNITS[zone] for cell in cells.to_pylist()]
        cells = cells.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    elif kind is Kind.DATE:
        cells = cells.cast(pa.date32()).cast(pa.int32())
    return list(cells.to_pylist())


def shown(value: Any, type_: Type) -> Any:
    """Return a value as Arrow gives it."""
    kind = type_.parts[0].kind if type_.kind is Kind.KEY else type_.kind
    if value is None:
        return None
    if kind is Kind.LIST:
        return [shown(item, type_.parts[0]) for item in value]
    if kind is Kind.MAP:
        return [tuple(map(shown, pair, type_.parts)) for pair in value]
    if kind is Kind.TIMESTAMP:
        return datetime.fromtimestamp(value / 1_000_000, UTC)
    if kind is Kind.DATE:
        return date.fromordinal(date(1970, 1, 1).toordinal() + value)
    return value
