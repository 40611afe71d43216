"""DuckDB without files.

Relations go in as Arrow tables, scripts run in sessions that serve many programs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import pyarrow as pa

from astrafs.backends.duckdb.compile import compile_view
from astrafs.backends.duckdb.names import ident, sql_type
from astrafs.backends.duckdb.script import Engine, Script, Sweep
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.runtime import sweeps
from astrafs.runtime.result import from_engine
from astrafs.runtime.session import Session
from astrafs.typesys import Kind, Type
from tests.parity.compare import Failure, Outcome
from tests.parity.engines import shuffled
from tests.parity.model import Case, Data, Value, arrow_type, engine_type

AS_OF = "getvariable('as_of')::BIGINT"
TOGETHER = 16
CHECK_FAILED = "AFS0937"
"""The only contract that a script itself can find broken: a stream's time before the row's own."""


class Direct:
    """One locked session with a number of threads."""

    def __init__(self, threads: int) -> None:
        self._session = Session((), threads=threads)

    def answers(
        self,
        program: Program,
        case: Case,
        views: tuple[ir.View, ...],
        seed: int,
        engine: Engine = "sql",
    ) -> dict[str, Outcome]:
        """Return the outcome of every view.

        With the rows of sources and spines in an order of ``seed``.
        """
        self._session.set_as_of(case.as_of)
        return {view.name: self._answer(program, case, view, seed, engine) for view in views}

    def _answer(
        self, program: Program, case: Case, view: ir.View, seed: int, engine: Engine
    ) -> Outcome:
        script = compile_view(program.plan, view.name, engine=engine)
        spine = engine_table(case.spines[view.name.rsplit(".", 1)[-1]])
        spine = spine.rename_columns([*spine.schema.names[:-1], "@t"])
        numbers = pa.array(range(spine.num_rows), pa.int64())
        self._session.register("spine", shuffled(spine.append_column("@row", numbers), seed + 1))
        try:
            outputs = [(output.name, output.type) for output in view.outputs]
            return self.script(program, case, script, outputs, seed)
        finally:
            self._session.unregister("spine")

    def script(
        self,
        program: Program,
        case: Case,
        script: Script,
        columns: Sequence[tuple[str, Type]],
        seed: int,
    ) -> Outcome:
        """Return the ``columns`` of a script's result, in order."""
        self._session.set_as_of(case.as_of)
        self._session.prepare(script.kernels)
        # One transaction, never committed: cheaper than dropping every relation.
        self._session.run("BEGIN", "beginning")
        try:
            self._load(program, case, script, seed)
            return self._run(script, columns)
        except AstrafsError as error:
            found = error.diagnostics[0]
            return Failure(found.code.id, " ".join((found.title, *found.notes)))
        finally:
            self._session.run("ROLLBACK", "forgetting everything")
            for step in script.steps:
                if isinstance(step, Sweep):
                    self._session.unregister(step.name)

    def _load(self, program: Program, case: Case, script: Script, seed: int) -> None:
        for source in program.plan.sources:
            if source.name in script.inputs:
                data = case.relations[source.name.rsplit(".", 1)[-1]]
                self._session.register("raw", shuffled(engine_table(data), seed))
                self._session.run(_load(source, ident(f"src:{source.name}")), "loading rows")
                self._session.unregister("raw")

    def _run(self, script: Script, outputs: Sequence[tuple[str, Type]]) -> Outcome:
        for step in script.steps:
            # Few rows together: so windows and questions meet the ends of ranges.
            sweeps.execute(self._session, step, step.name, rows=TOGETHER)
            for check in script.checks:
                if check.after == step.name and self._session.rows(check.sql, "checking"):
                    return Failure(CHECK_FAILED, check.rule)
        listed = ", ".join(ident(name) for name, _ in outputs)
        query = f'SELECT {listed} FROM {ident(script.result)} ORDER BY "@row"'
        batches = list(self._session.stream(query, "reading the result"))
        schema = pa.schema([(name, arrow_type(kind)) for name, kind in outputs])
        if not batches:
            return schema.empty_table()
        table = pa.Table.from_batches(batches)
        columns = [
            from_engine(column.combine_chunks(), kind)
            for column, (_, kind) in zip(table.columns, outputs, strict=True)
        ]
        return pa.table(columns, names=schema.names)


@cache
def session(threads: int) -> Direct:
    """Return this process's session with ``threads`` threads."""
    return Direct(threads)


def engine_table(data: Data) -> pa.Table:
    """Return rows as the engine computes with them: times are integers, floats finite, no -0.0."""
    columns = list(zip(*data.rows, strict=True)) if data.rows else [()] * len(data.fields)
    arrays = []
    for cells, field in zip(columns, data.fields, strict=True):
        arrays.append(pa.array([_finite(cell) for cell in cells], _held_as(field.type)))
    return pa.table(arrays, names=[field.name for field in data.fields])


def _held_as(kind: Type) -> pa.DataType:
    """Return the Arrow type in which the engine computes with values of ``kind``."""
    plain = engine_type(kind)
    match plain.kind:
        case Kind.TIMESTAMP | Kind.DURATION | Kind.DATE:
            return pa.int64()
        case Kind.LIST:
            return pa.list_(_held_as(plain.parts[0]))
        case Kind.MAP:
            return pa.map_(_held_as(plain.parts[0]), _held_as(plain.parts[1]))
        case _:
            return arrow_type(plain)


def _finite(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(map(_finite, value))
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
