"""DuckDB without files.

Relations go in as Arrow tables, scripts run in sessions that serve many programs.
"""

from __future__ import annotations

import math
from functools import cache

import pyarrow as pa

from astrafs.backends.duckdb.compile import compile_view
from astrafs.backends.duckdb.names import ident, sql_type
from astrafs.backends.duckdb.script import Script
from astrafs.diagnostics.model import AstrafsError
from astrafs.kernels.exact import EXACT_KERNELS
from astrafs.kernels.scalar import KERNELS as SCALAR_KERNELS
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.runtime.result import from_engine
from astrafs.runtime.session import Session
from astrafs.typesys import Kind
from tests.parity.compare import Failure, Outcome
from tests.parity.engines import output_schema, shuffled
from tests.parity.model import Case, Data, Value, arrow_type, engine_type

KERNELS = {**EXACT_KERNELS, **SCALAR_KERNELS}
AS_OF = "getvariable('as_of')::BIGINT"
CHECK_FAILED = "AFS0937"
"""The only contract that a script itself can find broken: a stream's time before the row's own."""


class Direct:
    """One locked session with a number of threads."""

    def __init__(self, threads: int) -> None:
        self._session = Session((), threads=threads)
        self._kernels: set[str] = set()

    def answers(
        self, program: Program, case: Case, views: tuple[ir.View, ...], seed: int
    ) -> dict[str, Outcome]:
        """Return the outcome of every view.

        With the rows of sources and spines in an order of ``seed``.
        """
        self._session.set_as_of(case.as_of)
        return {view.name: self._answer(program, case, view, seed) for view in views}

    def _answer(self, program: Program, case: Case, view: ir.View, seed: int) -> Outcome:
        script = compile_view(program.plan, view.name)
        self._register(script)
        spine = engine_table(case.spines[view.name.rsplit(".", 1)[-1]])
        spine = spine.rename_columns([*spine.schema.names[:-1], "@t"])
        numbers = pa.array(range(spine.num_rows), pa.int64())
        self._session.register("spine", shuffled(spine.append_column("@row", numbers), seed + 1))
        # One transaction, never committed: cheaper than dropping every relation.
        self._session.run("BEGIN", "beginning")
        try:
            self._load(program, case, script, seed)
            return self._run(script, view)
        except AstrafsError as error:
            found = error.diagnostics[0]
            return Failure(found.code.id, " ".join((found.title, *found.notes)))
        finally:
            self._session.run("ROLLBACK", "forgetting everything")
            self._session.unregister("spine")

    def _load(self, program: Program, case: Case, script: Script, seed: int) -> None:
        for source in program.plan.sources:
            if source.name in script.inputs:
                data = case.relations[source.name.rsplit(".", 1)[-1]]
                self._session.register("raw", shuffled(engine_table(data), seed))
                self._session.run(_load(source, ident(f"src:{source.name}")), "loading rows")
                self._session.unregister("raw")

    def _run(self, script: Script, view: ir.View) -> Outcome:
        for step in script.steps:
            self._session.run(step.sql, step.name)
            for check in script.checks:
                if check.after == step.name and self._session.rows(check.sql, "checking"):
                    return Failure(CHECK_FAILED, check.rule)
        listed = ", ".join(ident(output.name) for output in view.outputs)
        query = f'SELECT {listed} FROM {ident(script.result)} ORDER BY "@row"'
        batches = list(self._session.stream(query, "reading the result"))
        schema = output_schema(view)
        if not batches:
            return schema.empty_table()
        table = pa.Table.from_batches(batches)
        columns = [
            from_engine(column.combine_chunks(), output.type)
            for column, output in zip(table.columns, view.outputs, strict=True)
        ]
        return pa.table(columns, names=schema.names)

    def _register(self, script: Script) -> None:
        for name in script.kernels:
            if name not in self._kernels:
                row = KERNELS[name]
                self._session.add_function(name, row.run, row.params, row.result)
                self._kernels.add(name)


@cache
def session(threads: int) -> Direct:
    """Return this process's session with ``threads`` threads."""
    return Direct(threads)


def engine_table(data: Data) -> pa.Table:
    """Return rows as the engine computes with them: times are integers, floats finite, no -0.0."""
    columns = list(zip(*data.rows, strict=True)) if data.rows else [()] * len(data.fields)
    arrays = []
    for cells, field in zip(columns, data.fields, strict=True):
        kind = engine_type(field.type).kind
        times = kind in (Kind.TIMESTAMP, Kind.DURATION, Kind.DATE)
        target = pa.int64() if times else arrow_type(field.type)
        values = [_finite(cell) for cell in cells] if kind is Kind.FLOAT else cells
        arrays.append(pa.array(values, target))
    return pa.table(arrays, names=[field.name for field in data.fields])


def _finite(value: Value) -> Value:
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None
    return value


def _load(source: ir.Source, relation: str) -> str:
    if not source.time:
        event = known = "0::BIGINT"
    else:
        event = ident(source.time)
        known = (
            ident(source.knowledge.column)
            if isinstance(source.knowledge, ir.KnownColumn)
            else f"{event} + {source.knowledge.delay}"
        )
    columns = ", ".join(
        f"{ident(column.name)}::{sql_type(engine_type(column.type))} AS {ident(column.name)}"
        for column in source.columns
    )
    # What is static has no time: it holds at every cutoff.
    where = f" WHERE {known} <= {AS_OF}" if source.time else ""
    return (
        f'CREATE TEMP TABLE {relation} AS SELECT {columns}, {event} AS "@e", {known} AS "@k"'
        f" FROM raw{where}"
    )
